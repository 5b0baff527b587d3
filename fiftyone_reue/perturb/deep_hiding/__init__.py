"""Deep Hiding: an image of a class's own is hidden in every photograph."""
