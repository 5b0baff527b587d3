"""Protect, restore and trace copies of an image dataset."""

__version__ = "0.1.0"
