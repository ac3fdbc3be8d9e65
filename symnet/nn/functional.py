"""The functions of torch.nn.functional, as expressions; each lives beside the layer that is made of it."""

from __future__ import annotations

from typing import Any

from symnet.errors import nearest
from symnet.nn import (
    activation_functions,
    adaptive_pooling_functions,
    attention_functions,
    convolution_functions,
    distance_functions,
    dropout_functions,
    linear_functions,
    normalization_functions,
    padding_functions,
    pooling_functions,
    sparse_functions,
    vision_functions,
)
from symnet.nn.activation_functions import *  # noqa: F403
from symnet.nn.adaptive_pooling_functions import *  # noqa: F403
from symnet.nn.attention_functions import *  # noqa: F403
from symnet.nn.convolution_functions import *  # noqa: F403
from symnet.nn.distance_functions import *  # noqa: F403
from symnet.nn.dropout_functions import *  # noqa: F403
from symnet.nn.linear_functions import *  # noqa: F403
from symnet.nn.normalization_functions import *  # noqa: F403
from symnet.nn.padding_functions import *  # noqa: F403
from symnet.nn.pooling_functions import *  # noqa: F403
from symnet.nn.sparse_functions import *  # noqa: F403
from symnet.nn.vision_functions import *  # noqa: F403

__all__: list[str] = []
__all__ += activation_functions.__all__
__all__ += adaptive_pooling_functions.__all__
__all__ += attention_functions.__all__
__all__ += convolution_functions.__all__
__all__ += distance_functions.__all__
__all__ += dropout_functions.__all__
__all__ += linear_functions.__all__
__all__ += normalization_functions.__all__
__all__ += padding_functions.__all__
__all__ += pooling_functions.__all__
__all__ += sparse_functions.__all__
__all__ += vision_functions.__all__


def __getattr__(name: str) -> Any:
    """The functions of `sn.losses`, which torch.nn.functional has too; they are imported when they are used."""
    from symnet import losses

    if name in losses.__all__ and name[0].islower():
        return getattr(losses, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{nearest(name, [*__all__, *losses.__all__])}")
