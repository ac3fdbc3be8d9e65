"""Metrics: figures over a whole data set, computed piece by piece."""

from symnet.train.metrics import base, classification, numbers
from symnet.train.metrics.base import *  # noqa: F403
from symnet.train.metrics.classification import *  # noqa: F403
from symnet.train.metrics.numbers import *  # noqa: F403

__all__: list[str] = []
__all__ += base.__all__
__all__ += classification.__all__
__all__ += numbers.__all__
