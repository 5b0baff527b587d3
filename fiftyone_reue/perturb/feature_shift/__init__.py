"""Feature shift: poison for victims that start from a pretrained network."""
