"""Programming exercises for the guide, each with the laws that a solution must keep."""
