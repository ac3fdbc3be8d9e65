"""The everyday corpus: formulas written naively, as users write them, with what float32 makes hard in their points."""

from __future__ import annotations

from tests.accuracy import activations, arrays, densities, losses
from tests.accuracy.formula import Formula

FORMULAS: list[Formula] = [*losses.FORMULAS, *activations.FORMULAS, *arrays.FORMULAS, *densities.FORMULAS]
