"""Ways of training for the benchmarks to compare."""
