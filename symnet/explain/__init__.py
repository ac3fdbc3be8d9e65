"""Formulas, derivations and pictures, all from the graphs that are compiled.

`operations.py` says how each operation is written, as forms of `notation.py`, which `text.py`, `latex.py` and
`mathml.py` write down. `naming.py` decides which values have names, `formula.py` writes equations that stop at them,
`derivation.py` explains a derivative, `draw.py` draws the graph.
"""

from symnet.explain.derivation import Derivation
from symnet.explain.draw import draw
from symnet.explain.explaining import explain
from symnet.explain.formula import Equation, Formula, formula
from symnet.explain.steps import StepView

__all__ = ["Derivation", "Equation", "Formula", "StepView", "draw", "explain", "formula"]
