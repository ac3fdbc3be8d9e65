"""What comes from the user, checked before native code sees it.

Anything with the array or DLPack protocol is accepted, and so are numbers and lists. Conversions that lose nothing
(int32 to int64, float32 to float64, a list of Python numbers) are made; those that would (float64 to float32, float to
int) are refused with the line that makes them explicit.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from symnet.errors import DTypeError, NotFinite, ShapeError, UnknownName, nearest
from symnet.expr import dims
from symnet.expr.dims import Shape
from symnet.expr.dtypes import DTYPES

Array = np.ndarray[Any, np.dtype[Any]]
Signature = Mapping[str, tuple[Shape, str]]
"""Input name -> (shape, dtype)."""

_KINDS = {name: np.dtype(name) for name in DTYPES}


_DATA = object.__basicsize__
"""Where the object of an array holds the place of its elements: the first thing after what every object has."""


def _read_address(array: Array) -> int:
    return ctypes.c_size_t.from_address(id(array) + _DATA).value


def _asked_address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


_probe = np.zeros((7, 5))[1:]
address = _read_address if _read_address(_probe) == _asked_address(_probe) else _asked_address
"""Where the elements of an array begin. To read that takes a quarter of the time of asking, if it is where it was in
all versions of NumPy so far."""


def _readable(array: Array) -> bool:
    """Whether the parts of an array's object are where `sn_again` (`codegen.llvm.runtime_ir`) reads them."""
    if _DATA != 16 or ctypes.sizeof(ctypes.c_void_p) != 8 or address is _asked_address:
        return False
    words = (ctypes.c_int64 * 9).from_address(id(array))
    extents = (ctypes.c_int64 * array.ndim).from_address(words[4])
    flags, rank = array.flags.num, words[3] & 0xFFFFFFFF
    found = (words[1], rank, words[7], words[8] & 0xFFFFFFFF)
    return found == (id(np.ndarray), array.ndim, id(array.dtype), flags) and tuple(extents) == array.shape


READABLE = sys.implementation.name == "cpython" and _readable(_probe)
"""Whether native code may look at arrays itself."""


def as_array(name: str, value: object, dtype: str) -> Array:
    """`value` as a C-contiguous array of `dtype` (without copying when it is one); `DTypeError` says what to do."""
    if type(value) is np.ndarray:
        if value.dtype is _KINDS[dtype] and value.flags.c_contiguous:  # what almost every call passes
            return value
        array: Array = value
    elif is_table(value):
        return _from_table(name, value, dtype)
    else:
        array = _converted(name, value, dtype)
    if array.dtype == dtype:
        return np.ascontiguousarray(array).reshape(array.shape)
    literal = isinstance(value, (int, float, list, tuple))
    if array.dtype.kind not in "fiub" or not ((literal and _kind_fits(array, dtype)) or _lossless(array.dtype, dtype)):
        raise DTypeError(
            f"{name}: expected {dtype}, got {array.dtype} of shape {dims.show(array.shape)}; "
            f"convert it with numpy.asarray({name if name.isidentifier() else '…'}, dtype={dtype!r}) if that is meant"
        )
    converted = np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)
    if converted.dtype.kind == "i" and not np.array_equal(converted, array):
        low, high = np.iinfo(converted.dtype).min, np.iinfo(converted.dtype).max
        raise DTypeError(f"{name}: expected {dtype}, integers from {low} to {high}, got others")
    return converted


def _converted(name: str, value: object, dtype: str) -> Array:
    """Anything that is no plain array yet as one, of the type that it has."""
    if "numpy.ma" in sys.modules and isinstance(value, np.ma.MaskedArray):  # which takes long to import
        raise DTypeError(f"{name}: expected {dtype}, got a masked array; give what is masked a value with .filled(…)")
    try:
        if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor that may require grad or live elsewhere
            return np.asarray(value.detach().cpu())
        if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
            return np.asarray(value)
        return np.from_dlpack(value)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        given = type(value).__name__
        raise DTypeError(f"{name}: expected an array of {dtype}, got a {given} that makes none: {error}") from error


def is_table(value: object) -> bool:
    """Whether it is a DataFrame or Series of pandas."""
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "to_numpy")


def _from_table(name: str, table: Any, dtype: str) -> Array:
    """Columns of a table as an array of `dtype`. Its numbers have no type that was chosen, so floats are rounded to it;
    integers must be whole, and nothing may be missing or be text."""
    kinds = {str(column): kind for column, kind in getattr(table, "dtypes", {}).items()} if table.ndim == 2 else {}
    kinds = kinds or {str(table.name): table.dtype}
    for column, kind in kinds.items():
        if getattr(kind, "kind", "O") not in "fiub":
            raise DTypeError(f"{name}: the column {column!r} is {kind}, expected numbers; encode it first")
    missing = table.isna()
    if missing.to_numpy().any():
        counts = missing.sum() if table.ndim == 2 else {table.name: missing.sum()}
        shown = ", ".join(f"{int(count)} in {column!r}" for column, count in counts.items() if count)
        raise DTypeError(f"{name}: values are missing, {shown}; fill or drop them first (fillna, dropna)")
    array = table.to_numpy(np.float64 if any(kind.kind == "f" for kind in kinds.values()) else np.int64)
    converted: Array = np.asarray(array, order="C").astype(dtype)
    if not dtype.startswith("float") and not np.array_equal(converted, array):
        raise DTypeError(f"{name}: expected {dtype}, got a column {', '.join(kinds)} of other numbers")
    return converted


def _kind_fits(array: Array, dtype: str) -> bool:
    """Whether Python numbers that NumPy read as `array` are numbers of `dtype`: integers may become floats."""
    return array.dtype.kind in {"float": "fiub", "int": "iub", "bool": "b"}[dtype.rstrip("0123456789")]


def _lossless(have: np.dtype[Any], want: str) -> bool:
    return bool(np.can_cast(have, want, casting="safe"))


def bind(signature: Signature, values: Mapping[str, object], what: str) -> tuple[dict[str, Array], dict[str, int]]:
    """The inputs as arrays, and the size of each named dimension.

    `signature` gives what is wanted, `values` what came, `what` the call for messages ("step"). Raises `UnknownName`
    for names that are missing or not wanted, `ShapeError` for ranks, sizes and conflicting named dimensions.
    """
    if (found := _as_wanted(signature, values)) is not None:
        return found
    if not isinstance(values, Mapping):
        raise DTypeError(f"{what}: expected a mapping from input names to arrays, got {type(values).__name__}")
    for name in values:
        if name not in signature:
            raise UnknownName(f"{what}: there is no input {name!r}{nearest(name, signature)}")
    missing = [name for name in signature if name not in values]
    if missing:
        wanted = ", ".join(f"{n} {dims.show(signature[n][0])} {signature[n][1]}" for n in missing)
        raise UnknownName(f"{what}: missing input{'s' if len(missing) > 1 else ''} {wanted}")
    arrays = {name: as_array(name, values[name], dtype) for name, (_, dtype) in signature.items()}
    return arrays, bind_sizes({name: shape for name, (shape, _) in signature.items()}, arrays, what)


def _as_wanted(signature: Signature, values: Mapping[str, object]) -> tuple[dict[str, Array], dict[str, int]] | None:
    """What `bind` gives, when everything that came is an array just as it is wanted: the way of almost every call."""
    if type(values) is not dict or len(values) != len(signature):
        return None
    arrays: dict[str, Array] = {}
    sizes: dict[str, int] = {}
    for name, (shape, dtype) in signature.items():
        value = values.get(name)
        if type(value) is not np.ndarray or value.dtype is not _KINDS[dtype] or not value.flags.c_contiguous:
            return None
        got = value.shape
        if got != shape:
            if len(got) != len(shape):
                return None
            for dim, size in zip(shape, got, strict=True):
                named = isinstance(dim, str) and dim.isidentifier() and sizes.setdefault(dim, size) == size
                if dim != size and not named:
                    return None
        arrays[name] = value
    return arrays, sizes


def bind_sizes(shapes: Mapping[str, Shape], arrays: Mapping[str, Array], what: str) -> dict[str, int]:
    """The sizes of the named dimensions in `shapes` that the arrays agree on."""
    sizes: dict[str, int] = {}
    fits = True
    for name, shape in shapes.items():
        got = arrays[name].shape
        if len(got) != len(shape):
            raise ShapeError(
                f"{what}: {name} has {len(got)} axes {dims.show(got)}, expected {len(shape)}: {dims.show(shape)}"
            )
        for dim, size in zip(shape, got, strict=True):
            if dim == size:
                continue
            if isinstance(dim, str) and sizes.setdefault(dim, size) == size:
                fits = fits and dim.isidentifier()
            else:
                fits = False
    return sizes if fits else _solved(shapes, arrays, what)


def _solved(shapes: Mapping[str, Shape], arrays: Mapping[str, Array], what: str) -> dict[str, int]:
    """`bind_sizes` for dimensions such as `2*N`, and for errors, which say where a size came from."""
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}
    for name, shape in shapes.items():
        for axis, (dim, size) in enumerate(zip(shape, arrays[name].shape, strict=True)):
            if isinstance(dim, str) and dim.isidentifier() and dim not in sizes:
                sizes[dim], origin[dim] = size, f"axis {axis} of {name}"
    for name, shape in shapes.items():
        for axis, (dim, size) in enumerate(zip(shape, arrays[name].shape, strict=True)):
            if (wanted := dims.evaluate(dim, sizes)) != size:
                why = "" if isinstance(dim, int) else f" ({dim} with {_origins(dim, sizes, origin)})"
                raise ShapeError(
                    f"{what}: axis {axis} of {name} is {size}, expected {wanted}{why}; "
                    f"{name} is {dims.show(shape)}, got {dims.show(arrays[name].shape)}"
                )
    return sizes


def _origins(dim: dims.Dim, sizes: Mapping[str, int], origin: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {sizes[name]} from {origin[name]}" for name in sorted(dims.names(dim)))


def check_finite(arrays: Mapping[str, Array], what: str) -> None:
    """`NotFinite` for the first input that holds NaN or infinity, with the place."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise NotFinite(f"{what}: {name}{list(place)} is {array[place]}; every value must be finite here")
