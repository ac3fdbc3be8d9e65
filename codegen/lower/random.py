"""Lowering of random bits: a function of the place, computed wherever it is read, so that no mask is kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from codegen.loops.grammar import Affine, Apply, Const, Index, Position, Scalar
from codegen.loops.rewrite import add, as_scalar, integer, scale
from codegen.lower.context import Inline, Lowering, Value
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr


def random_bits(lowering: Lowering, node: Expr) -> Value:
    """out[i] = philox(seed, step, stream, row-major number of i, bits)."""
    seed, step = (lowering.read(arg, ()) for arg in node.args)
    settings = (integer(node.attrs["stream"]), integer(node.attrs["bits"]))

    def at(index: tuple[Index, ...]) -> Scalar:
        place = element_number(index, node.shape)
        return Apply("philox", (seed, step, settings[0], place, settings[1]), node.dtype)

    return Inline(at)


def element_number(index: Sequence[Index], shape: Shape) -> Scalar:
    """The row-major number of an element: what moves along strides that are numbers as one affine form, plus the
    rest."""
    affine, rest = Affine(), list[Scalar]()
    for axis, part in enumerate(index):
        stride = dims.product(shape[axis + 1 :])
        if isinstance(part, Affine) and isinstance(stride, int):
            affine = add(affine, scale(part, stride))
        else:
            rest.append(Apply("mul", (as_scalar(part), _size(stride)), "int64"))
    total: Scalar = Position(affine)
    for term in rest:
        total = Apply("add", (term, total), "int64")
    return total


def _size(size: Dim) -> Scalar:
    return Const(size, "int64") if isinstance(size, int) else Position(Affine((), size))


TABLE: Mapping[str, Callable[[Lowering, Expr], Value]] = {"random_bits": random_bits}
