"""Formulas read back from their text: a grammar, and what it means in NumPy, apart from all that writes formulas."""

from symnet.explain.reading.reader import Reader

__all__ = ["Reader"]
