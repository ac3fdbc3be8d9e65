"""Operations: one declaration each, in files by family, and the functions users call (`sn.exp`, `sn.einsum`, …)."""

from __future__ import annotations

from symnet.ops import linalg
from symnet.ops.arrange import (
    arange,
    expand_dims,
    eye,
    flip,
    full,
    full_like,
    matrix_transpose,
    moveaxis,
    ones,
    ones_like,
    pad,
    ravel,
    repeat,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    tril,
    triu,
    zeros,
    zeros_like,
)
from symnet.ops.composite import log_softmax, logsumexp, mean, one_hot, softmax, std, stop_gradient, var
from symnet.ops.convolution import conv, conv1d, conv2d, conv3d
from symnet.ops.custom import elementwise
from symnet.ops.front import getitem
from symnet.ops.index import diagonal, take, take_along_axis
from symnet.ops.interpret import evaluate
from symnet.ops.leaves import constant, dim, hyper, input, iota, parameter, state
from symnet.ops.loops import scan
from symnet.ops.more import (
    cosh,
    count_nonzero,
    diff,
    exp2,
    isfinite,
    isinf,
    linspace,
    log2,
    log10,
    logaddexp,
    logical_xor,
    meshgrid,
    nan_to_num,
    sinh,
    tan,
    trunc,
)
from symnet.ops.naming import name
from symnet.ops.products import dot, einsum, matmul, outer, tensordot, trace, vecdot
from symnet.ops.reduce import all, any, argmax, argmin, cumsum, max, min, prod, sum
from symnet.ops.scalar import (
    absolute,
    add,
    cast,
    ceil,
    clip,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
    floor_divide,
    gelu,
    gelu_tanh,
    greater,
    greater_equal,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log_sigmoid,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    mod,
    multiply,
    negative,
    not_equal,
    power,
    reciprocal,
    relu,
    round,
    rsqrt,
    sigmoid,
    sign,
    silu,
    sin,
    softplus,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from symnet.ops.shape import broadcast_to, concat, place, reshape, transpose

# The array API's and PyTorch's other names for the same functions.
abs = absolute
pow = power
neg = negative
astype = cast
concatenate = concat
cumulative_sum = cumsum
amax = max
amin = min
permute_dims = transpose
remainder = mod
flatten = ravel

__all__ = [
    "abs", "absolute", "add", "all", "amax", "amin", "any", "arange", "argmax", "argmin", "astype", "broadcast_to",
    "cast", "ceil", "clip", "concat", "concatenate", "constant", "conv", "conv1d", "conv2d", "conv3d", "cos",
    "cosh", "count_nonzero", "cumsum", "cumulative_sum", "diagonal", "diff", "dim", "divide", "dot", "einsum",
    "elementwise", "equal", "erf", "evaluate", "exp", "exp2", "expand_dims", "expm1", "eye", "flatten", "flip",
    "floor", "floor_divide", "full", "full_like", "gelu", "gelu_tanh", "getitem", "greater", "greater_equal",
    "hyper", "input", "iota", "isfinite", "isinf", "isnan", "less", "less_equal", "linalg", "linspace", "log",
    "log1p", "log2", "log10", "log_sigmoid", "log_softmax", "logaddexp", "logical_and", "logical_not", "logical_or",
    "logical_xor", "logsumexp", "matmul", "matrix_transpose", "max", "maximum", "mean", "meshgrid", "min",
    "minimum", "mod", "moveaxis", "multiply", "name", "nan_to_num", "neg", "negative", "not_equal", "one_hot",
    "ones", "ones_like", "outer", "pad", "parameter", "permute_dims", "place", "pow", "power", "prod", "ravel",
    "reciprocal", "relu", "remainder", "repeat", "reshape", "roll", "round", "rsqrt", "scan", "sigmoid", "sign",
    "silu", "sin", "sinh", "softmax", "softplus", "split", "sqrt", "square", "squeeze", "stack", "state", "std",
    "stop_gradient", "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile",
    "trace", "transpose", "tril", "triu", "trunc", "var", "vecdot", "where", "zeros", "zeros_like",
]  # fmt: skip
