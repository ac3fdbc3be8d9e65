"""Layers and networks with torch.nn's names, arguments, defaults, parameter names, shapes and initialisation.

A layer is called on expressions and gives an expression; there is nothing else to know about one. What a family lists
in its `__all__` is public here; its functions are public in `sn.nn.functional`.
"""

from typing import Any

from symnet.errors import nearest
from symnet.nn import (
    activations,
    attention,
    containers,
    convolution,
    distance,
    dropout,
    ensemble,
    functional,
    init,
    linear,
    module,
    normalization,
    padding,
    pooling,
    recurrent,
    recurrent_cells,
    sparse,
    transformer,
    vision,
)
from symnet.nn.activations import *  # noqa: F403
from symnet.nn.attention import *  # noqa: F403
from symnet.nn.containers import *  # noqa: F403
from symnet.nn.convolution import *  # noqa: F403
from symnet.nn.distance import *  # noqa: F403
from symnet.nn.dropout import *  # noqa: F403
from symnet.nn.ensemble import *  # noqa: F403
from symnet.nn.linear import *  # noqa: F403
from symnet.nn.module import *  # noqa: F403
from symnet.nn.normalization import *  # noqa: F403
from symnet.nn.padding import *  # noqa: F403
from symnet.nn.pooling import *  # noqa: F403
from symnet.nn.recurrent import *  # noqa: F403
from symnet.nn.recurrent_cells import *  # noqa: F403
from symnet.nn.sparse import *  # noqa: F403
from symnet.nn.transformer import *  # noqa: F403
from symnet.nn.vision import *  # noqa: F403

__all__ = ["functional", "init"]
__all__ += activations.__all__
__all__ += attention.__all__
__all__ += containers.__all__
__all__ += convolution.__all__
__all__ += distance.__all__
__all__ += dropout.__all__
__all__ += ensemble.__all__
__all__ += linear.__all__
__all__ += module.__all__
__all__ += normalization.__all__
__all__ += padding.__all__
__all__ += pooling.__all__
__all__ += recurrent.__all__
__all__ += recurrent_cells.__all__
__all__ += sparse.__all__
__all__ += transformer.__all__
__all__ += vision.__all__


def __getattr__(name: str) -> Any:
    """The losses, which torch.nn has too; they are imported when they are used."""
    from symnet import losses

    if name in losses.__all__ and name[0].isupper():
        return getattr(losses, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{nearest(name, [*__all__, *losses.__all__])}")
