"""Data on which a graph means something: small random arrays for its leaves, indices inside their axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from symnet.errors import DTypeError, IndexOutOfRange, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.interpret import run

LEAVES = ("input", "parameter", "state", "hyper", "arg")
SIZES = (3, 5, 4, 7, 2, 6)
"""Of named dimensions, in the order of their names: small, and different, so that nothing fits by accident."""
_PASS_INDICES = ("reshape", "transpose", "broadcast_to", "slice", "cast", "concat", "place", "where", "minimum", "clip")

Array = np.ndarray
Draw = Callable[[np.random.Generator, Sequence[int]], Array]

_DOMAINS: Mapping[str, Draw] = {
    "all numbers": lambda rng, shape: rng.standard_normal(shape),
    "(0, 1)": lambda rng, shape: rng.uniform(0.05, 0.95, shape),
    "positive numbers": lambda rng, shape: rng.uniform(0.5, 3.0, shape),
    "above 1": lambda rng, shape: rng.uniform(1.1, 4.0, shape),
}


def check_seed(seed: object, who: str) -> None:
    """Seeds of random data are whole numbers from 0."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise UsageError(f"{who}: seed is {seed!r}, expected a whole number from 0")


def check_values(values: object, who: str) -> None:
    """Values at a point come by name."""
    if not isinstance(values, Mapping):
        given = type(values).__name__
        raise DTypeError(f"{who}: the values are a {given}, expected a mapping from names to arrays")


@dataclass(frozen=True)
class Sample:
    """Values for the leaves of a graph, and the sizes of its named dimensions."""

    values: dict[Expr, Array]
    sizes: dict[str, int]


def sample(roots: Sequence[Expr], rng: np.random.Generator, wanted: Sequence[Expr] = ()) -> Sample:
    """Random values for all leaves under `roots`, such that the `wanted` nodes are finite where that can be had.

    Floats are drawn from all numbers, from (0, 1), from positive ones or from those above 1: the first choice that
    makes everything wanted finite. State (running statistics, say) is positive. Integers are positions within the axes
    that they are used for.
    """
    order = postorder(roots)
    names = sorted({name for node in order if node.dtype != "tuple" for dim in node.shape for name in dims.names(dim)})
    sizes = {name: SIZES[i % len(SIZES)] for i, name in enumerate(names)}
    leaves = [node for node in order if node.op in LEAVES]
    limits = _limits(order, sizes)
    found = Sample({}, sizes)
    for draw in _DOMAINS.values():
        values = {leaf: _drawn(leaf, draw, limits, sizes, rng) for leaf in leaves}
        found = Sample(values, sizes)
        try:
            results = run(wanted, values, sizes)
        except IndexOutOfRange:  # positions that are computed in a way that is not followed: the first is in any axis
            values.update((leaf, np.zeros_like(value)) for leaf, value in values.items() if value.dtype.kind == "i")
            results = run(wanted, values, sizes)
        if all(np.all(np.isfinite(result)) for result in results):
            break
    return found


def _drawn(
    leaf: Expr, draw: Draw, limits: Mapping[Expr, int], sizes: Mapping[str, int], rng: np.random.Generator
) -> Array:
    shape = dims.evaluate_shape(leaf.shape, sizes)
    if leaf.dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if leaf.dtype in dtypes.INTS:
        return np.asarray(rng.integers(0, limits.get(leaf, 2), shape), leaf.dtype)
    if leaf.op in ("state", "hyper"):
        draw = _DOMAINS["(0, 1)"]
    values = draw(rng, shape)
    if leaf.op == "parameter" and len(shape) > 1:  # as large as layers start, or their results saturate what follows
        values = values / math.sqrt(math.prod(shape[1:]))
    return np.asarray(values, leaf.dtype)


def _limits(order: Sequence[Expr], sizes: Mapping[str, int]) -> dict[Expr, int]:
    """For integers that are used as positions, the size of the smallest axis they select from."""
    found: dict[Expr, int] = {}

    def limit(nodes: Iterable[Expr], size: int) -> None:
        for node in nodes:
            if node.dtype in dtypes.INTS:
                found[node] = min(size, found.get(node, size))

    for node in reversed(order):
        if node.op in ("gather", "scatter_add"):
            shape = node.args[0].shape if node.op == "gather" else node.shape
            for axis, index in zip(node.attrs["axes"], node.args[1:], strict=True):
                limit([index], dims.evaluate(shape[axis], sizes))
        elif node.op == "one_hot":
            limit(node.args, dims.evaluate(node.attrs["classes"], sizes))
        elif node in found and node.op in _PASS_INDICES:
            limit(node.args, found[node])
    return found
