"""The array API's and PyTorch's other names for the same functions."""

from __future__ import annotations

from symnet.ops.arrange import ravel
from symnet.ops.reduce import cumsum, max, min
from symnet.ops.scalar import absolute, cast, mod, negative, power
from symnet.ops.shape import concat, transpose

__all__ = [
    "abs", "amax", "amin", "astype", "concatenate", "cumulative_sum", "flatten", "neg", "permute_dims", "pow",
    "remainder",
]  # fmt: skip

abs = absolute
pow = power
neg = negative
astype = cast
remainder = mod
concatenate = concat
permute_dims = transpose
flatten = ravel
cumulative_sum = cumsum
amax = max
amin = min
