"""Releases: made or completed, found again, described, and taken back to originals."""
