"""What every job shares: items, folders, classes, the loop, and where results go."""
