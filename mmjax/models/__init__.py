"""Models: their layers, activations and norms, and one file for each kind."""
