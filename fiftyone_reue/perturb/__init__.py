"""Perturbation methods, one a file or folder, and the registry that names them."""
