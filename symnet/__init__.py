"""symnet."""
