"""RUE: what networks learn first says the class, and nothing of the picture."""
