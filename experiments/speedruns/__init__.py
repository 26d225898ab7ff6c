"""The entries of the speedruns, and how they are timed and judged."""
