"""Schedulers with the names, arguments, defaults and numbers of torch.optim.lr_scheduler.

Where PyTorch's take the optimizer, these take the compiled program: `StepLR(prog, step_size=30)` reads and sets
`prog.hyper["lr"]`. Nothing is recompiled.
"""

from symnet.optim.lr_scheduler import base, compose, cosine, cyclic, decay, plateau
from symnet.optim.lr_scheduler.base import *  # noqa: F403
from symnet.optim.lr_scheduler.compose import *  # noqa: F403
from symnet.optim.lr_scheduler.cosine import *  # noqa: F403
from symnet.optim.lr_scheduler.cyclic import *  # noqa: F403
from symnet.optim.lr_scheduler.decay import *  # noqa: F403
from symnet.optim.lr_scheduler.plateau import *  # noqa: F403

__all__: list[str] = []
__all__ += base.__all__
__all__ += compose.__all__
__all__ += cosine.__all__
__all__ += cyclic.__all__
__all__ += decay.__all__
__all__ += plateau.__all__
