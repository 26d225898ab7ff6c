"""The programs, such as `python -m experiments.mlp`; run them from the repository's root."""
