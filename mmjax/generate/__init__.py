"""Generation: new names from any model."""
