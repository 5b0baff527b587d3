"""Where a suspect lies on its original, and what of it is seen."""
