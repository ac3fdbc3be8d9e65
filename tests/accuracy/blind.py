"""Formulas that somebody wrote without having seen the rules: a measure of what the rules do for the next one."""

from __future__ import annotations

from dataclasses import replace

from tests.accuracy.blind_harder import HARDER
from tests.accuracy.blind_losses import LOSSES, MASKS, NORMS
from tests.accuracy.blind_scalars import ACTIVATIONS, DENSITIES

FAMILIES = {
    "losses": LOSSES, "norms": NORMS, "masks": MASKS, "activations": ACTIVATIONS, "densities": DENSITIES,
    "harder": HARDER,
}  # fmt: skip
FORMULAS = [replace(formula, family=family) for family, group in FAMILIES.items() for formula in group]
