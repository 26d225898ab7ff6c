"""Runs: the files of a training run, and what it came to as values."""
