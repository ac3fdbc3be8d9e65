"""Random numbers as expressions: `sn.random.normal(("N", 8))` is drawn anew in every training step.

The numbers are a function of a seed, of the number of the step, of a stream that tells apart the places of a graph
where random numbers are drawn, and of the element (see `symnet.ops.philox`). Seed and step are state of the compiled
program: `sn.compile(seed=…)` sets the one, every training step counts up the other, and both are saved with the rest.
So the same program draws the same numbers again, on every backend and any number of threads, and the backward pass
sees those of the forward pass.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from symnet.errors import DTypeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.ops import philox
from symnet.ops.coerce import arity, as_type, same_dtype, to_expr
from symnet.ops.leaves import Operand, input, state
from symnet.ops.meaning import postorder_with_bodies, rewrite_with_bodies
from symnet.ops.scalar import add, cast, cos, less, log, multiply, sqrt, subtract

__all__ = ["bernoulli", "bits", "key", "normal", "numbered", "uniform"]

SEED, STEP = "random.seed", "random.step"
"""The names of the state that random numbers follow from."""
RESOLUTION = 31
"""Bits that decide an event: probabilities are rounded to multiples of 2⁻³¹."""

Key = tuple[Expr, Expr]
_count = itertools.count(1)
_nonce = 0


def _draw_nonce() -> None:
    """A number of this process: nodes of a graph read from another process's text must not coincide with ours."""
    global _nonce
    _nonce = int.from_bytes(os.urandom(4), "little")


_draw_nonce()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_draw_nonce)


# --- the counter of training steps ---------------------------------------------------------------------------------


def _infer_step(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    if args[0].shape or args[0].dtype != "int64":
        raise DTypeError("expected one int64")
    return (), "int64"


RANDOM_STEP: Op = register(
    Op(
        name="random_step",
        kind="composite",
        infer=_infer_step,
        define=lambda node: node.args[0],
        pullback=lambda node, g: [None],
        updates=lambda node: [(node.args[0], node.args[0] + 1)],
        samples=lambda rng: [make(RANDOM_STEP, (state(STEP, (), "int64"),))],
        doc="The number of a training step; storing it counts it up.",
    )
)


def key() -> Key:
    """The state that random numbers follow from unless they are given another key: the seed and the number of the step.

    `sn.function` takes them as inputs: `f = sn.function([x, *sn.random.key()], y)`, `f(x_array, 0, step)`.
    """
    return state(SEED, (), "int64"), state(STEP, (), "int64")


def _key(given: object) -> Key:
    """The operands of `random_bits`: the program's own key, whose step is counted, or a user's."""
    if given is None:
        seed, step = key()
        return seed, make(RANDOM_STEP, (step,))
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise UsageError(f"random: the key is {given!r}, expected a seed and a step: (seed, step)")
    seed, step = (to_expr(part, "random") for part in given)
    for what, part in (("seed", seed), ("step", step)):
        if part.shape or part.dtype not in dtypes.INTS:
            raise DTypeError(f"random: the {what} is {part.dtype}{dims.show(part.shape)}, expected an integer scalar")
    return as_type(seed, "int64"), as_type(step, "int64")


# --- random bits ---------------------------------------------------------------------------------------------------


def _infer_bits(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    if same_dtype(args) != "int64" or args[0].shape or args[1].shape:
        raise DTypeError("the seed and the step are int64 scalars")
    if not 1 <= attrs["bits"] <= 32:
        raise UsageError(f"a random number has 1 to 32 bits, got {attrs['bits']}")
    return dims.canonical_shape(attrs["shape"]), "int32" if attrs["bits"] < 32 else "int64"


def _numpy_bits(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    shape = dims.evaluate_shape(node.shape, sizes)
    stream = node.attrs["stream"] if node.attrs["stream"] is not None else node.attrs["uid"] & philox.LOW
    seed, step = arrays
    return philox.words(seed, step, stream, np.arange(math.prod(shape)).reshape(shape), node.attrs["bits"])


def bits(shape: object, bits: int = 32, key: object = None, stream: int | None = None) -> Expr:
    """Random whole numbers from 0 to 2^bits - 1: int32 for up to 31 bits, int64 for 32. Every call draws its own.

    shape   integers and named dimensions
    key     (seed, step) as integer scalars; by default the state of the program, see `key`
    stream  a number from 0 to 2³² - 1 in place of one given when the graph is compiled: calls with the same key, stream
            and shape draw the same numbers
    """
    if isinstance(bits, bool) or not isinstance(bits, int):
        raise DTypeError(f"random.bits: bits is {bits!r}, expected a whole number from 1 to 32")
    if stream is not None and (
        isinstance(stream, bool) or not isinstance(stream, int) or not 0 <= stream <= philox.LOW
    ):
        raise UsageError(f"random: the stream is {stream!r}, expected a whole number from 0 to 2^32 - 1")
    uid = None if stream is not None else next(_count) << 32 | _nonce
    attrs = {"shape": dims.canonical_shape(shape), "bits": bits, "stream": stream, "uid": uid}
    return make(RANDOM_BITS, _key(key), attrs)


RANDOM_BITS = register(
    Op(
        name="random_bits",
        kind="primitive",
        infer=_infer_bits,
        numpy=_numpy_bits,
        pullback=lambda node, g: [None, None],
        samples=lambda rng: [
            bits(shape, count, (input("seed", (), "int64"), input("step", (), "int64")), stream=7)
            for shape, count in (((3, 5), 31), (("N", 6), 24), ((2, "N", 3), 32), (("N", "N"), 31), ((), 1))
        ],
        doc="Random whole numbers that follow from a seed, a step, a stream and the place.",
    )
)


def marker() -> int:
    """A number that tells what is drawn from now on from what was drawn before."""
    return next(_count)


def for_members(node: Expr, since: int, count: Dim) -> Expr | None:
    """Bits for each of `count` members, in place of a draw for one that was written after the `marker`; else None."""
    if node.op != "random_bits" or node.attrs["stream"] is not None:
        return None
    number, nonce = divmod(node.attrs["uid"], 1 << 32)
    if nonce != _nonce or number < since:
        return None
    return make(RANDOM_BITS, node.args, {**node.attrs, "shape": (count, *node.shape)})


@overload
def numbered(exprs: Expr) -> Expr: ...
@overload
def numbered(exprs: Sequence[Expr]) -> list[Expr]: ...
def numbered(exprs: Any) -> Any:
    """An expression, or a list of them, whose streams of random numbers are 0, 1, 2, … in the order of their
    definition.

    `sn.compile`, `sn.function` and `sn.evaluate` do this to all that they are given at once, so what a program draws
    does not depend on what else was defined. A loss and its gradient that are compiled apart draw alike if the
    gradient is taken of the numbered loss.
    """
    roots = [exprs] if isinstance(exprs, Expr) else list(exprs)
    drawn = [node for node in postorder_with_bodies(roots) if node.op == "random_bits"]
    taken = {node.attrs["stream"] for node in drawn}
    free = (number for number in itertools.count() if number not in taken)
    open_ = sorted({node.attrs["uid"] for node in drawn if node.attrs["stream"] is None})
    streams = dict(zip(open_, free, strict=False))

    def visit(node: Expr) -> Expr:
        if node.op != "random_bits" or node.attrs["stream"] is not None:
            return node
        return make(RANDOM_BITS, node.args, {**node.attrs, "stream": streams[node.attrs["uid"]], "uid": None})

    new = rewrite_with_bodies(roots, visit) if streams else roots
    return new[0] if isinstance(exprs, Expr) else new


# --- distributions -------------------------------------------------------------------------------------------------


def _infer_floats(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    if same_dtype(args) != "int32" or any(arg.shape != args[0].shape for arg in args):
        raise DTypeError("the operands are random bits: int32 arrays of one shape")
    dtype = dtypes.canonical(attrs["dtype"])
    if dtype not in dtypes.FLOATS:
        raise DTypeError(f"a real random number is float32 or float64, not {dtype}")
    return args[0].shape, dtype


def _words(shape: object, dtype: object, key: object) -> list[Expr]:
    """The bits of a uniform number of that type: 24, or 27 and 26."""
    return [bits(shape, count, key) for count in ((24,) if dtypes.canonical(dtype) == "float32" else (27, 26))]


def _fraction(words: Sequence[Expr], dtype: str) -> Expr:
    """The multiple of 2⁻²⁴ (or 2⁻⁵³) in [0, 1) that the words say; exact, so it never rounds to 1."""
    first = words[0]
    if len(words) == 1:
        return cast(first, dtype) * 2.0**-24
    if dtype == "float32":
        return cast(first // 8, dtype) * 2.0**-24
    return (cast(first, dtype) * 2.0**26 + cast(words[1], dtype)) * 2.0**-53


def _define_normal(node: Expr) -> Expr:
    """√(−2 log(1 − u)) cos(2π v) of two uniform numbers (Box and Muller)."""
    half = len(node.args) // 2
    u, v = (_fraction(words, node.dtype) for words in (node.args[:half], node.args[half:]))
    return sqrt(-2.0 * log(1.0 - u)) * cos(2.0 * math.pi * v)


def _distribution(name: str, define: Any, doc: str) -> Op:
    def samples(rng: np.random.Generator) -> list[Expr]:
        words = 1 if name == "standard_uniform" else 2
        given = (input("seed", (), "int64"), input("step", (), "int64"))
        made = ([w for _ in range(words) for w in _words(("N", 3), dtype, given)] for dtype in dtypes.FLOATS)
        return [
            make(op, numbered(operands), {"dtype": dtype}) for operands, dtype in zip(made, dtypes.FLOATS, strict=True)
        ]

    op = Op(
        name=name,
        kind="composite",
        infer=_infer_floats,
        define=define,
        pullback=lambda node, g: [None] * len(node.args),
        samples=samples,
        doc=doc,
    )
    return register(op)


STANDARD_UNIFORM = _distribution(
    "standard_uniform", lambda node: _fraction(node.args, node.dtype), "Random numbers spread evenly over [0, 1)."
)
STANDARD_NORMAL = _distribution(
    "standard_normal", _define_normal, "Random numbers of the normal distribution with mean 0 and variance 1."
)


def uniform(
    shape: object, low: Operand = 0.0, high: Operand = 1.0, dtype: object = "float32", key: object = None
) -> Expr:
    """Random numbers spread evenly over [low, high): low + (high - low) u with u a multiple of 2⁻²⁴ (float64: 2⁻⁵³).

    The bounds may be expressions, through which derivatives flow. `key` as for `bits`.
    """
    u = make(STANDARD_UNIFORM, _words(shape, dtype, key), {"dtype": dtypes.canonical(dtype)})
    return _moved(u, low, _difference(high, low))


def normal(
    shape: object, mean: Operand = 0.0, std: Operand = 1.0, dtype: object = "float32", key: object = None
) -> Expr:
    """Random numbers of the normal distribution: mean + std ε.

    `mean` and `std` may be expressions, through which derivatives flow, as in a variational autoencoder. `key` as for
    `bits`.
    """
    words = [*_words(shape, dtype, key), *_words(shape, dtype, key)]
    return _moved(make(STANDARD_NORMAL, words, {"dtype": dtypes.canonical(dtype)}), mean, std)


def _difference(a: Any, b: Any) -> Operand:
    """a - b, of two numbers a number (which takes the type of what it meets)."""
    return a - b if isinstance(a, (int, float)) and isinstance(b, (int, float)) else subtract(a, b)


def _moved(x: Expr, start: Any, scale: Any) -> Expr:
    """start + scale x, without what changes nothing."""
    scaled = x if isinstance(scale, (int, float)) and scale == 1 else multiply(scale, x)
    return scaled if isinstance(start, (int, float)) and start == 0 else add(start, scaled)


def bernoulli(p: Operand, shape: object = None, dtype: object = "float32", key: object = None) -> Expr:
    """1 with probability p, else 0; of the shape of p unless another is given. No derivative flows to p."""
    probability = to_expr(p, "random.bernoulli")
    kind = probability.dtype if probability.dtype in dtypes.FLOATS else "float32"
    return cast(less(uniform(probability.shape if shape is None else shape, dtype=kind, key=key), probability), dtype)


def event(shape: object, key: object = None) -> Expr:
    """Random bits for `happens`."""
    return bits(shape, RESOLUTION, key)


def happens(bits: Expr, p: float) -> Expr:
    """True with probability p < 1: whether the bits of an `event` are below p·2³¹."""
    return less(bits, min(round(p * 2.0**RESOLUTION), 2**RESOLUTION - 1))
