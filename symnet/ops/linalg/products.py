"""Products and powers of matrices that are no single contraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops.arrange import eye, moveaxis, stack
from symnet.ops.coerce import arity, axis_of, operands, same_dtype, show
from symnet.ops.leaves import Operand, input
from symnet.ops.linalg.common import square
from symnet.ops.linalg.solving import inverse
from symnet.ops.products import matmul
from symnet.ops.shape import broadcast_to, reshape

__all__ = ["cross", "kron", "matrix_power", "multi_dot"]

# --- Kronecker product -------------------------------------------------------------------------------------------


def kron(a: Operand, b: Operand) -> Expr:
    """a ⊗ b: every element of a times all of b, in blocks; of arrays with any number of axes, as NumPy."""
    left, right = operands("kron", (a, b), "number")
    rank = max((left.ndim, right.ndim))
    padded = [reshape(x, (1,) * (rank - x.ndim) + x.shape) for x in (left, right)]
    return make(KRON, padded)


def _infer_kron(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    a, b = args
    if a.ndim != b.ndim:
        raise ShapeError(f"got {show(a)} and {show(b)}, expected as many axes")
    return tuple(dims.mul(m, n) for m, n in zip(a.shape, b.shape, strict=True)), same_dtype(args)


def _define_kron(node: Expr) -> Expr:
    a, b = node.args
    apart = [reshape(x, tuple(d for pair in zip(*sides, strict=True) for d in pair))
             for x, sides in ((a, (a.shape, (1,) * a.ndim)), (b, ((1,) * b.ndim, b.shape)))]  # fmt: skip
    return reshape(apart[0] * apart[1], node.shape)


KRON = register(
    Op(
        name="kron",
        kind="composite",
        infer=_infer_kron,
        define=_define_kron,
        linear=(0, 1),
        samples=lambda rng: [
            kron(input("a", (2, 3), "float64"), input("b", (3, 1), "float64")),
            kron(input("a", ("N",), "float64"), input("b", (2, 3), "float64")),
        ],
        reason=("a ⊗ b is linear in a", "a ⊗ b is linear in b"),
        doc="The Kronecker product: every element of the first operand times all of the second.",
    )
)


# --- plain expressions -------------------------------------------------------------------------------------------


def cross(a: Operand, b: Operand, axis: int = -1) -> Expr:
    """The cross product of vectors of three elements along `axis`; the other axes broadcast."""
    left, right = operands("cross", (a, b), "number")
    shape = dims.broadcast(left.shape, right.shape)
    place = axis_of("cross", axis, len(shape))
    if shape[place] != 3:
        raise ShapeError(f"cross: axis {axis} of {dims.show(shape)} has size {shape[place]}, expected 3")
    u, v = ([moveaxis(broadcast_to(x, shape), place, 0)[i] for i in range(3)] for x in (left, right))
    return stack([u[i - 2] * v[i - 1] - u[i - 1] * v[i - 2] for i in range(3)], place)


def matrix_power(x: Operand, n: int) -> Expr:
    """The product of `n` copies of a square matrix; of its inverse for negative `n`, the identity for 0."""
    node = square("matrix_power", x)
    if not isinstance(n, int) or isinstance(n, bool):
        raise UsageError(f"matrix_power: the power is {n!r}, expected an integer")
    if n == 0:
        return broadcast_to(eye(node.shape[-1], dtype=node.dtype), node.shape)
    power, exponent = inverse(node) if n < 0 else node, abs(n)
    result: Expr | None = None
    while exponent:
        if exponent % 2:
            result = power if result is None else matmul(result, power)
        exponent //= 2
        power = matmul(power, power) if exponent else power
    assert result is not None
    return result


def multi_dot(arrays: Sequence[Operand]) -> Expr:
    """The product of two or more matrices, in the order of multiplications that takes the fewest (the first and the
    last may be vectors). A named size counts as 64."""
    nodes = operands("multi_dot", tuple(arrays), "number")
    if len(nodes) < 2:
        raise UsageError(f"multi_dot: got {len(nodes)} arrays, expected at least two")
    for position, node in enumerate(nodes):
        if node.ndim != 2 and not (node.ndim == 1 and position in (0, len(nodes) - 1)):
            raise ShapeError(f"multi_dot: array {position} is {show(node)}, expected a matrix")
    row = nodes[0].ndim == 1
    column = nodes[-1].ndim == 1
    nodes[0] = reshape(nodes[0], (1, -1)) if row else nodes[0]
    nodes[-1] = reshape(nodes[-1], (-1, 1)) if column else nodes[-1]
    product = _cheapest(nodes)
    return reshape(product, product.shape[int(row) : 2 - int(column)])


def _cheapest(nodes: Sequence[Expr]) -> Expr:
    """The product in the cheapest order, by dynamic programming over where the last multiplication splits it."""
    sizes = [_nominal(node.shape[0]) for node in nodes] + [_nominal(nodes[-1].shape[1])]
    best: dict[tuple[int, int], tuple[int, Expr]] = {(i, i + 1): (0, node) for i, node in enumerate(nodes)}
    for length in range(2, len(nodes) + 1):
        for i in range(len(nodes) - length + 1):
            j = i + length
            cost, k = min((best[i, k][0] + best[k, j][0] + sizes[i] * sizes[k] * sizes[j], k) for k in range(i + 1, j))
            best[i, j] = cost, matmul(best[i, k][1], best[k, j][1])
    return best[0, len(nodes)][1]


def _nominal(size: dims.Dim) -> int:
    """A size for comparing costs; 64 for a named one."""
    return size if isinstance(size, int) else dims.evaluate(size, dict.fromkeys(dims.names(size), 64))
