"""Losses with PyTorch's names, arguments and values, as functions and as classes.

    loss = sn.losses.cross_entropy(logits, target)          # as in torch.nn.functional
    loss = sn.losses.CrossEntropyLoss()(logits, target)     # as in torch.nn

Each is a plain expression: what is said about formulas, derivatives and programs holds for them as for anything else.
"""

from symnet.losses.classification import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    binary_cross_entropy_with_logits,
    cross_entropy,
)
from symnet.losses.regression import MSELoss, mse_loss

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "MSELoss",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "mse_loss",
]
