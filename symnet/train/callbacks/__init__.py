"""Callbacks: what happens beside the training."""

from symnet.train.callbacks import base, logs, monitoring
from symnet.train.callbacks.base import *  # noqa: F403
from symnet.train.callbacks.logs import *  # noqa: F403
from symnet.train.callbacks.monitoring import *  # noqa: F403

__all__: list[str] = []
__all__ += base.__all__
__all__ += logs.__all__
__all__ += monitoring.__all__
