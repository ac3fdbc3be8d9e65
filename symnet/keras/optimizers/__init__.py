"""Optimizers with Keras's names, arguments, defaults and formulas.

They are optimizers like those of `sn.optim`: compiled into the training step, with their numbers in `prog.hyper` under
Keras's names.
"""

from symnet.keras.optimizers import adam, adaptive, base, scaling, schedules, sgd
from symnet.keras.optimizers.adam import *  # noqa: F403
from symnet.keras.optimizers.adaptive import *  # noqa: F403
from symnet.keras.optimizers.base import *  # noqa: F403
from symnet.keras.optimizers.scaling import *  # noqa: F403
from symnet.keras.optimizers.sgd import *  # noqa: F403

__all__ = ["schedules"]
__all__ += adam.__all__
__all__ += adaptive.__all__
__all__ += base.__all__
__all__ += scaling.__all__
__all__ += sgd.__all__
