"""The array API's and PyTorch's other names for the same functions."""

from __future__ import annotations

from symnet.ops.arrange import ravel
from symnet.ops.reduce import cumsum, max, min
from symnet.ops.scalar import absolute, cast, mod, negative, power, sigmoid, sign
from symnet.ops.shape import concat, transpose
from symnet.ops.special import acos, acosh, asin, asinh, atan, atan2, atanh

__all__ = [
    "abs", "amax", "amin", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "astype",
    "concatenate", "cumulative_sum", "expit", "flatten", "neg", "permute_dims", "pow", "remainder", "sgn",
]  # fmt: skip

abs = absolute
pow = power
neg = negative
astype = cast
remainder = mod
sgn = sign
expit = sigmoid
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh
concatenate = concat
permute_dims = transpose
flatten = ravel
cumulative_sum = cumsum
amax = max
amin = min
