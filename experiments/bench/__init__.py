"""What the benchmarks measure against, and how."""
