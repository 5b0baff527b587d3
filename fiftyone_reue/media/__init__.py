"""Exact carriers: image files read and written without losing a bit."""
