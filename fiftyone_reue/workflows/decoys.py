"""How many other keys what was revealed is compared with; quick to import."""

DECOYS = 200
"""What is usual."""
MOST_DECOYS = 10_000
"""Half a second each."""
