"""The automatic accuracy pass: chains of float32 operations that lose digits which no rule of simplification saves."""

from symnet.accuracy.improve import improved
from symnet.accuracy.report import AccuracyReport, ChainReport, accuracy

__all__ = ["AccuracyReport", "ChainReport", "accuracy", "improved"]
