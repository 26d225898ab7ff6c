"""The programs: `python -m experiments.bigram`, `.mlp` and `.sample`, run from the repository's root."""
