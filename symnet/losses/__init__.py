"""Losses with PyTorch's names, arguments and values, as functions and as classes.

    loss = sn.losses.cross_entropy(logits, target)          # as in torch.nn.functional
    loss = sn.losses.CrossEntropyLoss()(logits, target)     # as in torch.nn

Each is a plain expression: what is said about formulas, derivatives and programs holds for them as for anything else.
"""

from __future__ import annotations

from symnet.losses import adaptive, binary, classification, ctc, distances, likelihood, margins, regression
from symnet.losses.adaptive import *  # noqa: F403
from symnet.losses.binary import *  # noqa: F403
from symnet.losses.classification import *  # noqa: F403
from symnet.losses.ctc import *  # noqa: F403
from symnet.losses.distances import *  # noqa: F403
from symnet.losses.likelihood import *  # noqa: F403
from symnet.losses.margins import *  # noqa: F403
from symnet.losses.regression import *  # noqa: F403

__all__: list[str] = []
__all__ += adaptive.__all__
__all__ += binary.__all__
__all__ += classification.__all__
__all__ += ctc.__all__
__all__ += distances.__all__
__all__ += likelihood.__all__
__all__ += margins.__all__
__all__ += regression.__all__
