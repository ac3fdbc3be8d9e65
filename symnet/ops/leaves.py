"""Nodes without operands: inputs, parameters, state, hyperparameters, constants, positions and sizes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import ArrayValue, Expr, make
from symnet.expr.op import Op, Sizes, register

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "constant", "dim", "hyper", "input", "iota", "parameter", "state",
]  # fmt: skip

Scalar: TypeAlias = bool | int | float
Operand: TypeAlias = "Expr | npt.ArrayLike"
"""What operations accept: expressions, Python numbers, and anything that NumPy takes for an array."""


def _declared(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    return dims.canonical_shape(attrs["shape"]), dtypes.canonical(attrs["dtype"])


def _leaf(name: str, doc: str, **fields: Any) -> Op:
    return register(Op(name=name, kind="leaf", doc=doc, **{"infer": _declared, "cost": 0.0, **fields}))


def _infer_constant(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    value, dtype = attrs["value"], dtypes.canonical(attrs["dtype"])
    if isinstance(value, ArrayValue):
        if value.array.dtype.name != dtype:
            raise DTypeError(f"an array of {value.array.dtype} cannot be a constant of type {dtype}")
        return value.array.shape, dtype
    if not isinstance(value, (bool, int, float)):
        raise DTypeError(f"a constant is a number or an array, got {type(value).__name__}")
    return (), dtype


def _numpy_constant(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    value = node.attrs["value"]
    return value.array if isinstance(value, ArrayValue) else np.asarray(value, node.dtype)


def _input_samples(rng: np.random.Generator) -> list[Expr]:
    return [input("x", (3, "N")), input("labels", ("N",), "int64"), input("flag", (), "bool")]


def _parameter_samples(rng: np.random.Generator) -> list[Expr]:
    return [
        parameter("W", (3, 5)),
        parameter("b", (5,), dtype="float64", init=rng.normal(size=5), trainable=False),
        parameter("s", (), init="zeros()"),
    ]


def _constant_samples(rng: np.random.Generator) -> list[Expr]:
    numbers: list[Operand] = [0.1, -0.0, float("inf"), float("nan"), 3, True]
    arrays = [rng.normal(size=(2, 3)), rng.integers(0, 9, 5), rng.normal(size=(7, 11)).astype("float32")]
    return [constant(value) for value in [*numbers, *arrays]]


INPUT = _leaf("input", "A value given by the caller.", samples=_input_samples)
PARAMETER = _leaf("parameter", "A value that the program keeps and, if trainable, learns.", samples=_parameter_samples)
STATE = _leaf(
    "state",
    "A value that the program keeps but does not learn: optimizer state, running statistics.",
    samples=lambda rng: [state("running_mean", (4,)), state("count", (), "int64", init="zeros()")],
)
HYPER = _leaf(
    "hyper",
    "A number (or an array of them) set while the program runs, such as the learning rate; always float64.",
    infer=lambda args, attrs: (attrs.get("shape", ()), "float64"),
    samples=lambda rng: [hyper("lr"), hyper("rates", (3,))],
)
CONSTANT = _leaf(
    "constant",
    "A number or an array known when the expression is built. A number stands for its nearest value of the data type.",
    infer=_infer_constant,
    numpy=_numpy_constant,
    samples=_constant_samples,
)
IOTA = _leaf(
    "iota",
    "The positions 0, 1, … along an axis, as int64.",
    infer=lambda args, attrs: ((dims.canonical(attrs["size"]),), "int64"),
    cost=0.1,
    sign="nonnegative",
    numpy=lambda node, arrays, sizes: np.arange(dims.evaluate(node.attrs["size"], sizes), dtype=np.int64),
    samples=lambda rng: [iota(5), iota("N")],
)
DIM = _leaf(
    "dim",
    "The size of an axis as a number.",
    infer=lambda args, attrs: ((), dtypes.canonical(attrs["dtype"])),
    sign="positive",
    numpy=lambda node, arrays, sizes: np.asarray(dims.evaluate(node.attrs["size"], sizes), node.dtype),
    samples=lambda rng: [dim("N"), dim("2*N + 1", "float64"), dim(3)],
)
ARG = _leaf("arg", "A parameter of a Function (the body of a loop).")


_defined: dict[tuple[object, ...], int] = {}
_definitions = itertools.count(1)


def input(name: str, shape: object = (), dtype: object = "float32", symmetric: bool = False) -> Expr:
    """A value that the caller gives: `sn.input("x", ("N", 784))`. Strings in the shape are named dimensions.

    symmetric  matrices (in the last two axes) that equal their transposes: W and Wᵀ are not told apart then. What the
               caller gives is not checked. A derivative with respect to them is one with respect to all elements, as if
               they could change apart.
    """
    _check_name("input", name)
    sizes = dims.canonical_shape(shape)
    attrs: dict[str, Any] = {"name": name, "shape": sizes, "dtype": dtypes.canonical(dtype)}
    if symmetric:
        _check_symmetric(name, sizes)
        attrs["symmetric"] = True
    node = make(INPUT, (), attrs)
    _defined[name, node.shape, node.dtype] = next(_definitions)
    return node


def _check_symmetric(name: str, shape: Shape) -> None:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(f"input: {name!r} is {dims.show(shape)}, which cannot be symmetric; expected square matrices")


def definition_number(node: Expr) -> int:
    """Inputs that were defined later have a greater number; those that never were by `input` (loaded ones) have 0."""
    return _defined.get((node.name, node.shape, node.dtype), 0)


def parameter(
    name: str,
    shape: object = (),
    dtype: object = "float32",
    init: object = None,
    trainable: bool = True,
    uid: int | None = None,
) -> Expr:
    """A value that the program keeps between steps and, if `trainable`, learns.

    init  an initialiser of `sn.init` (or its text), an array, or a number. Without one a parameter of two or more axes
          starts as a linear layer's weight does in PyTorch, and one of fewer axes as zeros.
    uid   tells apart parameters that have no name of their own yet (`sn.nn` gives each a number).
    """
    if uid is None:
        _check_name("parameter", name)
    attrs = _kept("parameter", name, shape, dtype, init)
    if trainable and not dtypes.is_float(attrs["dtype"]):
        raise DTypeError(f"parameter: {name!r} is {attrs['dtype']}, which cannot be learned; pass trainable=False")
    return make(PARAMETER, (), {**attrs, "trainable": bool(trainable), "uid": uid})


def state(name: str, shape: object = (), dtype: object = "float32", init: object = "zeros()") -> Expr:
    """A value that the program keeps between steps without learning it; `init` as for `parameter`."""
    _check_name("state", name)
    return make(STATE, (), _kept("state", name, shape, dtype, init))


def hyper(name: str, shape: object = ()) -> Expr:
    """A float64 number (or an array of such, one for each member of an ensemble) set while the program runs; changing
    it never recompiles."""
    _check_name("hyper", name)
    sizes = dims.canonical_shape(shape)
    return make(HYPER, (), {"name": name, "shape": sizes} if sizes else {"name": name})


def constant(value: Operand, dtype: object = None) -> Expr:
    """A number or an array as an expression; an expression is returned as it is (cast to `dtype` when given).

    Python numbers (and lists of them) become float32, int64 or bool; arrays keep their data type.
    """
    if isinstance(value, Expr):
        if dtype is None or value.dtype == dtypes.canonical(dtype):
            return value
        from symnet.ops.scalar import cast

        return cast(value, dtype)
    if isinstance(value, (bool, int, float)):
        return number(value, dtypes.canonical(dtype if dtype is not None else type(value)))
    array = _as_array(value)
    if dtype is None:
        listed = not hasattr(value, "dtype")
        dtype = "float32" if listed and array.dtype == np.float64 else dtypes.canonical(array.dtype)
    array = array.astype(dtypes.canonical(dtype))
    if array.ndim == 0:
        return number(array.item(), dtypes.canonical(dtype))
    return make(CONSTANT, (), {"value": ArrayValue(array), "dtype": dtypes.canonical(dtype)})


def number(value: Scalar, dtype: str) -> Expr:
    """The constant node for one number, converted to the kind of `dtype`."""
    if dtype == "bool":
        value = bool(value)
    elif dtype in dtypes.FLOATS:
        value = float(value)
    else:
        whole = int(value)
        if whole != value:
            raise DTypeError(f"constant: {value!r} is not a whole number and cannot be {dtype}")
        if not -(2 ** (bits := 8 * dtypes.BYTES[dtype] - 1)) <= whole < 2**bits:
            raise UsageError(f"constant: {value!r} is outside the range of {dtype}")
        value = whole
    return make(CONSTANT, (), {"value": value, "dtype": dtype})


def iota(size: Dim) -> Expr:
    """The positions 0 … size-1 as an int64 vector."""
    return make(IOTA, (), {"size": dims.canonical(size)})


def dim(size: Dim, dtype: object = "int64") -> Expr:
    """The size of an axis (a name such as "N", or an integer) as a number of the graph."""
    return make(DIM, (), {"size": dims.canonical(size), "dtype": dtypes.canonical(dtype)})


def arg(index: int, shape: Shape, dtype: str) -> Expr:
    """Parameter `index` of the Function that is being built."""
    return make(ARG, (), {"index": index, "shape": shape, "dtype": dtype})


def _kept(op: str, name: str, shape: object, dtype: object, init: object) -> dict[str, Any]:
    sizes = dims.canonical_shape(shape)
    kind = dtypes.canonical(dtype)
    if any(not isinstance(size, int) for size in sizes):
        raise UsageError(
            f"{op}: {name!r} has shape {dims.show(sizes)}; what a program keeps has a fixed size: use integers"
        )
    return {"name": name, "shape": sizes, "dtype": kind, "init": _initial(op, name, sizes, kind, init)}


def _initial(op: str, name: str, shape: Shape, dtype: str, init: object) -> str | ArrayValue:
    if init is None:
        return "zeros()" if len(shape) < 2 else "kaiming_uniform(a=2.23606797749979)"
    if isinstance(init, (str, ArrayValue)):
        given = init
    elif isinstance(init, Expr):
        raise DTypeError(f"{op}: the initial value of {name!r} is an expression, expected an initialiser or an array")
    else:
        array = _as_array(init)
        if array.ndim == 0:
            array = np.broadcast_to(array, [int(size) for size in shape])
        given = ArrayValue(array.astype(dtype, copy=False))
    if isinstance(given, ArrayValue) and given.array.shape != shape:
        raise UsageError(
            f"{op}: the initial value of {name!r} has shape {dims.show(given.array.shape)}, expected {dims.show(shape)}"
        )
    return given


def _as_array(value: Any) -> np.ndarray:
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        return np.from_dlpack(value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DTypeError(f"constant: cannot make an array of {type(value).__name__}: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DTypeError(
            f"constant: cannot make an array of {type(value).__name__}; expected numbers or an array of numbers "
            "(use sn.stack to join expressions)"
        )
    return array


def _check_name(op: str, name: object) -> None:
    if not isinstance(name, str) or not name:
        raise UsageError(f"{op}: the name is {name!r}, expected a non-empty string")
