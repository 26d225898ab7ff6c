"""A bench of faults: runs with one known fault each, and healthy runs, for `diagnostics.health`."""
