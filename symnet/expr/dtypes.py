"""Data types and how they combine.

The names are NumPy's. Promotion is PyTorch's: the kind decides (bool < int < float), within a kind the wider wins, and
an integer never widens a float, so `int64 + float32` is `float32`. A Python number takes the type of what it meets.
"""

from __future__ import annotations

from symnet.errors import DTypeError

FLOATS = ("float32", "float64")
INTS = ("int32", "int64")
DTYPES = (*FLOATS, *INTS, "bool")

SHORT = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64", "bool": "bool"}
LONG = {short: name for name, short in SHORT.items()}
BYTES = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "bool": 1}

_RANK = {"bool": 0, "int32": 1, "int64": 2, "float32": 3, "float64": 4}


def canonical(dtype: object) -> str:
    """The name of a data type given as a name, a NumPy dtype or a Python type; `DTypeError` when not supported."""
    if isinstance(dtype, str) and dtype in _RANK:
        return dtype
    if dtype is float:
        return "float32"
    if dtype is int:
        return "int64"
    import numpy as np

    try:
        name = str(np.dtype(dtype).name)  # type: ignore[call-overload]
    except TypeError:
        name = str(dtype)
    if name not in _RANK:
        raise DTypeError(f"unsupported data type {dtype!r}: expected one of {', '.join(DTYPES)}")
    return name


def promote(*dtypes: str) -> str:
    """The data type in which values of these types meet."""
    return max(dtypes, key=_RANK.__getitem__)


def is_float(dtype: str) -> bool:
    return dtype in FLOATS


def is_int(dtype: str) -> bool:
    return dtype in INTS
