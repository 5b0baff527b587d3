"""RAEG: an invertible network makes every image adversarial, and gives it back."""
