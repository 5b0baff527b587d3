"""MI-UE: unlearnable examples that lower the mutual information of features."""
