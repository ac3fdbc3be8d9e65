"""Optimizers with PyTorch's names, arguments, defaults and formulas, and the base class for writing others.

The update is an expression like any other: it is derived, simplified, fused and compiled with the gradients it uses.
"""

from symnet.optim.adam import Adam, AdamW
from symnet.optim.base import Optimizer, State
from symnet.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "State"]
