"""The main job from end to end, on real images: what ``make demo`` runs."""
