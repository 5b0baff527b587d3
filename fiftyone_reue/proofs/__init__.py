"""A case: what a verdict rests on, for people, and for those who check it."""
