"""PIL: noise that makes a linear classifier certain."""
