"""Invertible networks that give the same integers forwards and back on any machine."""
