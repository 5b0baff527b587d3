"""Networks that perturbations are fitted against and releases measured with."""
