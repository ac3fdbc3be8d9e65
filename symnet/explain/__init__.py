"""Formulas, derivations and pictures, all from the graphs that are compiled.

`operations.py` says how each operation is written, as forms of `notation.py`, which `text.py`, `latex.py` and
`mathml.py` write down. `naming.py` decides which values have names, `formula.py` writes equations that stop at them,
`derivation.py` explains a derivative: `steps.py` and `levels.py` show its steps, `replay.py` and `verify.py` prove them
(`sampling.py` draws the data). `training.py` has whole training steps, `explaining.py` the front door. `draw.py` draws
graphs, `surface.py` the loss around a point, `flow.py` the size of gradients.
"""

from symnet.explain.derivation import Derivation
from symnet.explain.draw import draw
from symnet.explain.explaining import explain
from symnet.explain.formula import Equation, Formula, formula
from symnet.explain.steps import StepView

__all__ = ["Derivation", "Equation", "Formula", "StepView", "draw", "explain", "formula"]
