"""What the operations of linear algebra share: stacks of matrices, their checks, their transposes."""

from __future__ import annotations

from collections.abc import Sequence

from symnet.errors import DTypeError, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr
from symnet.ops.arrange import eye, matrix_transpose
from symnet.ops.coerce import operands, same_dtype, show
from symnet.ops.leaves import Operand, input
from symnet.ops.shape import broadcast_to


def square(op: str, x: Operand) -> Expr:
    """A stack of square matrices of floats, as an expression."""
    (node,) = operands(op, (x,), "float")
    check_square(node, f"{op}: ")
    return node


def check_square(node: Expr, where: str = "") -> None:
    """Raises unless the last two axes are a square matrix of floats."""
    if node.dtype not in dtypes.FLOATS:
        raise DTypeError(f"{where}the matrix is {node.dtype}, expected float32 or float64 (cast first)")
    if node.ndim < 2 or node.shape[-2] != node.shape[-1]:
        raise ShapeError(f"{where}the matrix is {show(node)}, expected square matrices in the last two axes")


def infer_square(args: Sequence[Expr], count: int) -> tuple[Shape, str]:
    """Shape and type of the first of `count` operands, which must be a stack of square matrices."""
    if len(args) != count:
        raise ShapeError(f"got {len(args)} operands, expected {count}")
    check_square(args[0])
    return args[0].shape, same_dtype(args)


def infer_system(args: Sequence[Expr]) -> tuple[Shape, str]:
    """Shape and type of the x with a x = b, when `args` are a and b of the same leading axes."""
    a, dtype = infer_square(args, 2)
    b = args[1].shape
    if len(b) != len(a) or b[:-1] != a[:-1]:
        raise ShapeError(f"{dims.show(a)} x = {dims.show(b)}: expected as many rows on the right, and equal other axes")
    return b, dtype


def stacked(op: str, a: Expr, b: Expr) -> tuple[Expr, Expr]:
    """Both with the same leading axes: those of a stack of matrices broadcast."""
    if b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ShapeError(f"{op}: {dims.show(a.shape)} x = {dims.show(b.shape)}: expected as many rows on the right")
    lead = dims.broadcast(a.shape[:-2], b.shape[:-2])
    return broadcast_to(a, (*lead, *a.shape[-2:])), broadcast_to(b, (*lead, *b.shape[-2:]))


def turned(x: Expr, transposed: bool) -> Expr:
    """x, or xᵀ."""
    return matrix_transpose(x) if transposed else x


def regular(name: str, *shape: Dim) -> Expr:
    """Square matrices that are far from singular, for tests."""
    return input(name, (*shape, shape[-1]), "float64") + 4.0 * eye(shape[-1], dtype="float64")
