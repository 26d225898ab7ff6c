"""Exercise 2: probabilities of the next letter."""

import numpy as np


def probabilities(counts: np.ndarray, smoothing: float) -> np.ndarray:
    """Add smoothing to every count and divide each row by its sum."""
    smoothed = counts + smoothing
    # keepdims leaves the sums a column [n, 1], so that row a is divided by sum a.
    return smoothed / smoothed.sum(axis=1, keepdims=True)
