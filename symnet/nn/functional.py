"""The functions of torch.nn.functional, as expressions; each lives beside the layer that is made of it."""

from __future__ import annotations

from symnet.nn import activation_functions
from symnet.nn.activation_functions import *  # noqa: F403

__all__: list[str] = []
__all__ += activation_functions.__all__
