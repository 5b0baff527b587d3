"""Stores without files, such as buckets: what is in them, read, written whole."""
