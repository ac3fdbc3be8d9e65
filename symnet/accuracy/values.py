"""Closed chains as functions of arrays: as they are, and in float64."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from symnet.accuracy.chains import POINTS
from symnet.expr.dims import evaluate_shape
from symnet.expr.node import Expr, make
from symnet.expr.traverse import leaves, postorder
from symnet.ops.leaves import constant, dim, input
from symnet.ops.scalar import cast
from symnet.simplify.expand import expand_definitions

Array = np.ndarray
NO_SIZES: Mapping[str, int] = MappingProxyType({})


class Evaluator:
    """Closed nodes with all definitions written out, ready to be computed with NumPy for any values of the inputs."""

    def __init__(self, nodes: Iterable[Expr], inputs: Iterable[Expr], sizes: Mapping[str, int] = NO_SIZES) -> None:
        self._roots, self._inputs, self._sizes = expand_definitions(list(nodes)), list(inputs), sizes
        self._order = [node for node in postorder(self._roots) if node.op != "input"]

    def __call__(self, columns: Sequence[Array]) -> list[Array]:
        """The value of each node, at each point; `columns` are cast to the types of the inputs."""
        known = {id(n): c.astype(n.dtype, copy=False) for n, c in zip(self._inputs, columns, strict=True)}
        sizes = {**self._sizes, POINTS: columns[0].shape[-1]}
        with np.errstate(all="ignore"):
            for node in self._order:
                compute = node.declaration.numpy
                assert compute is not None
                known[id(node)] = compute(node, [known[id(arg)] for arg in node.args], sizes)
        return [np.broadcast_to(known[id(root)], shape_of(root, sizes)) for root in self._roots]


def shape_of(node: Expr, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of the values of a closed node; a number has a value at each point, too."""
    return evaluate_shape(node.shape or (POINTS,), sizes)


def in_float64(nodes: Iterable[Expr]) -> Mapping[int, Expr]:
    """For each of the nodes (by id, in order) the one that computes it in float64 from sources in float64.

    What a chain has in float64 already stays, and is not rounded to float32 on the way.
    """
    wanted = list(nodes)
    new: dict[int, Expr] = {}
    for node in postorder(wanted):
        new[id(node)] = _wide(node, [new[id(arg)] for arg in node.args])
    return {id(node): new[id(node)] for node in wanted}


def _wide(node: Expr, args: Sequence[Expr]) -> Expr:
    if node.op == "input" and node.dtype == "float32":
        return input(str(node.name), node.shape, "float64")
    if node.op == "constant" and node.dtype == "float32":
        return constant(node.attrs["value"], "float64")
    if node.op == "dim":
        return dim(node.attrs["size"], "float64") if node.dtype == "float32" else node
    if node.op == "cast" and node.dtype in ("float32", "float64"):
        return cast(args[0], "float64")
    return make(node.declaration, args, node.attrs) if args else node


def constants_of(closed: Expr) -> list[float]:
    """The numbers in a chain other than 0 and ±1, each once; near them something may happen."""
    numbers = [float(node.attrs["value"]) for node in leaves([closed], "constant") if node.dtype == "float32"]
    distinct = dict.fromkeys(abs(n) for n in numbers if np.isfinite(n) and abs(n) not in (0.0, 1.0))
    return list(distinct)
