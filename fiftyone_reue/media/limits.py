"""How large an image may be; quick to import."""

DEFAULT_MAX_PIXELS = 200_000_000
"""Larger images are refused before they are decoded, unless somebody asks for more."""
