"""Initial values of parameters: torch.nn.init's distributions, as short texts.

An initialiser is kept as a text such as `"kaiming_uniform(a=2.23606797749979)"`: it can be an attribute of a node, is
printed and parsed with the graph, and says where a value comes from. The functions here write such texts (arguments at
their default are left out), `materialise` draws the values.

Values are drawn in float64 and rounded to the parameter's type, so a float32 and a float64 program that are started
from one seed begin at the same point.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symnet.errors import ShapeError, UsageError, nearest
from symnet.expr.dims import Shape, show
from symnet.expr.node import ArrayValue, Expr

__all__ = [
    "calculate_gain",
    "constant",
    "embedding",
    "eye",
    "generator",
    "initial_value",
    "kaiming_normal",
    "kaiming_uniform",
    "materialise",
    "normal",
    "ones",
    "orthogonal",
    "trunc_normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

Array = NDArray[Any]
Argument = float | str
Draw = Callable[..., Array]


# --- writing the texts ------------------------------------------------------------------------------------------------


def zeros() -> str:
    """All 0."""
    return _text("zeros")


def ones() -> str:
    """All 1."""
    return _text("ones")


def constant(val: float) -> str:
    """All `val`."""
    return _text("constant", val=val)


def eye() -> str:
    """A matrix with 1 on the diagonal, else 0."""
    return _text("eye")


def uniform(a: float = 0.0, b: float = 1.0) -> str:
    """Uniform between `a` and `b`."""
    return _text("uniform", a=a, b=b)


def normal(mean: float = 0.0, std: float = 1.0) -> str:
    """Normal with this mean and standard deviation."""
    return _text("normal", mean=mean, std=std)


def embedding(padding_idx: int) -> str:
    """A table of rows: normal with mean 0 and standard deviation 1, but 0 in the row `padding_idx`."""
    return _text("embedding", padding_idx=padding_idx)


def trunc_normal(mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> str:
    """Normal with this mean and standard deviation, values outside [a, b] drawn again."""
    return _text("trunc_normal", mean=mean, std=std, a=a, b=b)


def xavier_uniform(gain: float = 1.0) -> str:
    """Uniform within ±gain·√(6 / (fan_in + fan_out)) (Glorot)."""
    return _text("xavier_uniform", gain=gain)


def xavier_normal(gain: float = 1.0) -> str:
    """Normal with standard deviation gain·√(2 / (fan_in + fan_out)) (Glorot)."""
    return _text("xavier_normal", gain=gain)


def kaiming_uniform(a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> str:
    """Uniform within ±gain·√(3 / fan) (He); `a` is the negative slope when the nonlinearity is "leaky_relu"."""
    return _text("kaiming_uniform", a=a, mode=mode, nonlinearity=nonlinearity)


def kaiming_normal(a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> str:
    """Normal with standard deviation gain / √fan (He); `a` is the negative slope for "leaky_relu"."""
    return _text("kaiming_normal", a=a, mode=mode, nonlinearity=nonlinearity)


def orthogonal(gain: float = 1.0) -> str:
    """A (semi-)orthogonal matrix times `gain`; further axes are flattened into the second."""
    return _text("orthogonal", gain=gain)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity shrinks a standard deviation, as torch.nn.init recommends it.

    `param` is the negative slope of "leaky_relu" (default 0.01).
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise UsageError(f"there is no gain for {nonlinearity!r}{nearest(nonlinearity, [*_GAINS, 'leaky_relu'])}")
    if param is not None:
        raise UsageError(f"the gain of {nonlinearity!r} takes no param, got {param!r}")
    return _GAINS[nonlinearity]


_GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"), 1.0),
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


# --- drawing the values -----------------------------------------------------------------------------------------------


def generator(seed: int, name: str) -> np.random.Generator:
    """The source of one parameter's initial values.

    It depends on the seed and the parameter's name alone, so adding or reordering other layers changes nothing.
    """
    if seed < 0:
        raise UsageError(f"a seed is a whole number from 0, got {seed}")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *name.encode()])))


def initial_value(node: Expr, seed: int) -> Array:
    """The value from which the parameter or state `node` starts, for a program with this seed."""
    return materialise(node.attrs["init"], node.shape, node.dtype, generator(seed, str(node.name)))


def materialise(init: str | ArrayValue, shape: Shape, dtype: str, rng: np.random.Generator) -> Array:
    """The initial values of a parameter of this shape and dtype, drawn from `rng`.

    `init` is a text as written by the functions of this module, or the values themselves.
    """
    sizes = tuple(dim for dim in shape if isinstance(dim, int))
    if len(sizes) != len(shape):
        raise ShapeError(f"a parameter's shape must be integers to be initialised, got {show(shape)}")
    if isinstance(init, ArrayValue):
        if init.array.shape != sizes:
            raise ShapeError(f"initial values of shape {show(init.array.shape)} for a parameter of shape {show(shape)}")
        return init.array.astype(dtype, copy=False)
    initialiser, arguments = _parse(init)
    return np.array(initialiser.draw(rng, sizes, **arguments), dtype=dtype, order="C")


@dataclass(frozen=True)
class _Initialiser:
    """How to draw, (rng, sizes, **arguments) -> float64 array, and the arguments' defaults (None: required)."""

    draw: Draw
    defaults: Mapping[str, Argument | None]


def _fans(sizes: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight [out, in, *window], as in torch.nn.init."""
    if len(sizes) < 2:
        raise ShapeError(f"fan_in and fan_out need a shape of at least two axes (out, in, …), got {show(sizes)}")
    window = math.prod(sizes[2:])
    return sizes[1] * window, sizes[0] * window


def _uniform(rng: np.random.Generator, sizes: tuple[int, ...], a: float, b: float) -> Array:
    if a > b:
        raise UsageError(f"uniform(a, b) needs a <= b, got a={a}, b={b}")
    return rng.uniform(a, b, sizes)


def _normal(rng: np.random.Generator, sizes: tuple[int, ...], mean: float, std: float) -> Array:
    if std < 0:
        raise UsageError(f"a standard deviation cannot be negative, got std={std}")
    return rng.normal(mean, std, sizes)


def _embedding(rng: np.random.Generator, sizes: tuple[int, ...], padding_idx: float) -> Array:
    values = _normal(rng, sizes, 0.0, 1.0)
    values[int(padding_idx)] = 0.0
    return values


def _trunc_normal(
    rng: np.random.Generator, sizes: tuple[int, ...], mean: float, std: float, a: float, b: float
) -> Array:
    if a >= b or not (a <= mean + 6 * std and b >= mean - 6 * std):
        raise UsageError(f"trunc_normal: [a, b] = [{a}, {b}] holds next to nothing of a normal({mean}, {std})")
    values = _normal(rng, sizes, mean, std)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = _normal(rng, (int(outside.sum()),), mean, std)
    return values


def _xavier_std(sizes: tuple[int, ...], gain: float) -> float:
    return gain * math.sqrt(2.0 / max(1, sum(_fans(sizes))))


def _kaiming_std(sizes: tuple[int, ...], a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise UsageError(f"mode is 'fan_in' or 'fan_out', got {mode!r}")
    fan = _fans(sizes)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a if nonlinearity == "leaky_relu" else None) / math.sqrt(max(1, fan))


def _orthogonal(rng: np.random.Generator, sizes: tuple[int, ...], gain: float) -> Array:
    if len(sizes) < 2:
        raise ShapeError(f"orthogonal needs a shape of at least two axes, got {show(sizes)}")
    rows, columns = sizes[0], math.prod(sizes[1:])
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # makes the distribution uniform over the orthogonal matrices
    return (gain * (q if rows >= columns else q.T)).reshape(sizes)


def _eye(rng: np.random.Generator, sizes: tuple[int, ...]) -> Array:
    if len(sizes) != 2:
        raise ShapeError(f"eye needs a matrix, got shape {show(sizes)}")
    return np.eye(*sizes)


_KAIMING: Mapping[str, Argument | None] = {"a": 0.0, "mode": "fan_in", "nonlinearity": "leaky_relu"}
_SQRT3 = math.sqrt(3.0)  # a uniform distribution within ±√3·σ has standard deviation σ

_INITIALISERS: Mapping[str, _Initialiser] = {
    "zeros": _Initialiser(lambda rng, sizes: np.zeros(sizes), {}),
    "ones": _Initialiser(lambda rng, sizes: np.ones(sizes), {}),
    "constant": _Initialiser(lambda rng, sizes, val: np.full(sizes, val), {"val": None}),
    "eye": _Initialiser(_eye, {}),
    "uniform": _Initialiser(_uniform, {"a": 0.0, "b": 1.0}),
    "normal": _Initialiser(_normal, {"mean": 0.0, "std": 1.0}),
    "embedding": _Initialiser(_embedding, {"padding_idx": None}),
    "trunc_normal": _Initialiser(_trunc_normal, {"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0}),
    "xavier_uniform": _Initialiser(
        lambda rng, sizes, gain: _within(rng, sizes, _SQRT3 * _xavier_std(sizes, gain)), {"gain": 1.0}
    ),
    "xavier_normal": _Initialiser(
        lambda rng, sizes, gain: _normal(rng, sizes, 0.0, _xavier_std(sizes, gain)), {"gain": 1.0}
    ),
    "kaiming_uniform": _Initialiser(
        lambda rng, sizes, **how: _within(rng, sizes, _SQRT3 * _kaiming_std(sizes, **how)), _KAIMING
    ),
    "kaiming_normal": _Initialiser(
        lambda rng, sizes, **how: _normal(rng, sizes, 0.0, _kaiming_std(sizes, **how)), _KAIMING
    ),
    "orthogonal": _Initialiser(_orthogonal, {"gain": 1.0}),
}


def _within(rng: np.random.Generator, sizes: tuple[int, ...], bound: float) -> Array:
    return rng.uniform(-bound, bound, sizes)


# --- the form of the texts --------------------------------------------------------------------------------------------

_FORM = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*\Z")


def _text(name: str, **arguments: Argument) -> str:
    """The canonical text; checks it by reading it back."""
    defaults = _INITIALISERS[name].defaults
    given = [
        f"{key}={value if isinstance(value, str) else repr(float(value))}"
        for key, value in arguments.items()
        if value != defaults[key]
    ]
    text = f"{name}({', '.join(given)})"
    _parse(text)
    return text


def _parse(text: str) -> tuple[_Initialiser, dict[str, Argument]]:
    """The initialiser that a text names, and all its arguments."""
    match = _FORM.match(text)
    if not match:
        raise UsageError(f"cannot read the initialiser {text!r}: expected a form like 'uniform(a=-0.1, b=0.1)'")
    name, inside = match[1], match[2] or ""
    if name not in _INITIALISERS:
        raise UsageError(f"there is no initialiser {name!r}{nearest(name, _INITIALISERS)}")
    initialiser = _INITIALISERS[name]
    arguments: dict[str, Any] = dict(initialiser.defaults)
    for part in filter(None, (part.strip() for part in inside.split(","))):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in arguments:
            raise UsageError(f"{name} has no argument {key!r}{nearest(key, arguments)} (in {text!r})")
        arguments[key] = value if isinstance(initialiser.defaults[key], str) else _number(value, text)
    missing = [key for key, value in arguments.items() if value is None]
    if missing:
        raise UsageError(f"{name} needs a value for {', '.join(missing)}, got {text!r}")
    return initialiser, arguments


def _number(value: str, text: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"expected a number, got {value!r} in the initialiser {text!r}") from None
