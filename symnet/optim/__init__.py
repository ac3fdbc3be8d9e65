"""Optimizers with PyTorch's names, arguments, defaults and formulas, and the base class for writing others.

The update is an expression like any other: it is derived, simplified, fused and compiled with the gradients it uses.
"""

from symnet.optim import adam, adaptive, averaging, base, clip, groups, lr_scheduler, sgd, sign, state, transform
from symnet.optim.adam import *  # noqa: F403
from symnet.optim.adaptive import *  # noqa: F403
from symnet.optim.averaging import *  # noqa: F403
from symnet.optim.base import *  # noqa: F403
from symnet.optim.clip import *  # noqa: F403
from symnet.optim.groups import *  # noqa: F403
from symnet.optim.sgd import *  # noqa: F403
from symnet.optim.sign import *  # noqa: F403
from symnet.optim.state import *  # noqa: F403
from symnet.optim.transform import *  # noqa: F403

__all__ = ["lr_scheduler"]
__all__ += adam.__all__
__all__ += adaptive.__all__
__all__ += averaging.__all__
__all__ += base.__all__
__all__ += clip.__all__
__all__ += groups.__all__
__all__ += sgd.__all__
__all__ += sign.__all__
__all__ += state.__all__
__all__ += transform.__all__
