"""Runs: the files of a training run, and its results as values."""
