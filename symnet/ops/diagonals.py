"""Parts of matrices: their diagonals and triangles, and the matrices that are one of these or have a single entry.

All act on the last two axes; those before them are a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symnet.errors import DTypeError, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops.coerce import arity, axis_of, show, to_expr
from symnet.ops.index import gather
from symnet.ops.leaves import Operand, input, iota
from symnet.ops.scalar import add, cast, equal, greater_equal, less_equal, logical_and, where
from symnet.ops.shape import place, reshape, take_slice, transpose

__all__ = ["diag", "diagonal", "tril", "triu"]

Attrs = Mapping[str, Any]


def grid(rows: Dim, columns: Dim) -> tuple[Expr, Expr]:
    """The number of each row, as a column, and of each column."""
    return reshape(iota(rows), (rows, 1)), iota(columns)


# --- triangles ---------------------------------------------------------------------------------------------------


def tril(x: Operand, k: int = 0) -> Expr:
    """`x` with zeros above diagonal `k` of its last two axes."""
    return _triangle(TRIL, x, k)


def triu(x: Operand, k: int = 0) -> Expr:
    """`x` with zeros below diagonal `k` of its last two axes."""
    return _triangle(TRIU, x, k)


def _triangle(op: Op, x: Operand, k: int) -> Expr:
    """The triangle; of numbers that are the same everywhere (a mask) by its definition."""
    node = make(op, (to_expr(x, op.name),), {"k": int(k)})
    assert op.define is not None
    return op.define(node) if node.args[0].op in ("constant", "broadcast_to") else node


def _infer_triangle(args: Sequence[Expr], attrs: Attrs) -> tuple[Shape, str]:
    arity(args, 1)
    if args[0].ndim < 2:
        raise ShapeError(f"got {show(args[0])}, expected at least two axes")
    return args[0].shape, args[0].dtype


def _define_tril(node: Expr) -> Expr:
    row, column = grid(*node.shape[-2:])
    return where(less_equal(column, add(row, node.attrs["k"])), node.args[0], 0)


def _define_triu(node: Expr) -> Expr:
    row, column = grid(*node.shape[-2:])
    return where(greater_equal(column, add(row, node.attrs["k"])), node.args[0], 0)


def _declare_triangle(name: str, define: Callable[[Expr], Expr], doc: str) -> Op:
    op = Op(
        name,
        "composite",
        _infer_triangle,
        define=define,
        pullback=lambda node, g: [make(op, (g,), node.attrs)],
        linear=(0,),
        samples=lambda rng: [
            make(op, (input("x", (3, 4), "float64"),), {"k": 0}),
            make(op, (input("x", (2, "N", 3), "float64"),), {"k": -1}),
            make(op, (input("k", (4, 3), "int64"),), {"k": 1}),
        ],
        cost=1.0,
        finite=True,
        reason="the elements of the triangle pass their cotangents on",
        doc=doc,
    )
    return register(op)


TRIL = _declare_triangle("tril", _define_tril, "Matrices with zeros above a diagonal.")
TRIU = _declare_triangle("triu", _define_triu, "Matrices with zeros below a diagonal.")


# --- diagonals ---------------------------------------------------------------------------------------------------


def diag(x: Operand, k: int = 0) -> Expr:
    """The matrix with a vector on its diagonal `k`; of a matrix, that diagonal (NumPy's diag)."""
    node = to_expr(x, "diag")
    if node.ndim == 2:
        return diagonal(node, k)
    if node.ndim != 1:
        raise ShapeError(f"diag: got {show(node)}, expected a vector or a matrix (sn.diagonal takes stacks)")
    square = make(DIAG, (node,))
    if not k:
        return square
    size = dims.add(node.shape[0], abs(k))
    return place(square, (max(-k, 0), max(k, 0)), (1, 1), (size, size))


def diagonal(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expr:
    """NumPy's diagonal: the elements with equal positions (up to `offset`) along two axes, as a new last axis."""
    node = to_expr(x, "diagonal")
    first, second = axis_of("diagonal", axis1, node.ndim), axis_of("diagonal", axis2, node.ndim)
    if first == second:
        raise ShapeError(f"diagonal: axis1 and axis2 are both axis {first}")
    rest = [a for a in range(node.ndim) if a not in (first, second)]
    node = transpose(node, [*rest, first, second])
    rows, columns = node.shape[-2:]
    if rows == columns and not offset:
        return make(DIAGONAL, (node,))
    if not (isinstance(rows, int) and isinstance(columns, int)):
        raise ShapeError(f"diagonal: {dims.show((rows, columns))} has named sizes; expected equal ones and no offset")
    down, right = (-offset, 0) if offset < 0 else (0, offset)
    return _strided(node, rows, columns, down, right)


def _strided(x: Expr, rows: int, columns: int, down: int, right: int) -> Expr:
    """The diagonal that starts at (down, right): its neighbours are `columns + 1` apart in row-major order."""
    lead = x.shape[:-2]
    size = max(min(rows - down, columns - right), 0)
    start = min(down * columns + right, rows * columns - 1) if size else 0
    flat = reshape(x, (*lead, rows * columns))
    return take_slice(flat, [0] * len(lead) + [start], [1] * len(lead) + [columns + 1], (*lead, size))


def _infer_diag(args: Sequence[Expr], attrs: Attrs) -> tuple[Shape, str]:
    arity(args, 1)
    if not args[0].shape:
        raise ShapeError("got one number, expected a vector")
    return (*args[0].shape, args[0].shape[-1]), args[0].dtype


def _define_diag(node: Expr) -> Expr:
    (x,) = node.args
    row, column = grid(*node.shape[-2:])
    return where(equal(row, column), reshape(x, (*x.shape, 1)), 0)


def _infer_diagonal(args: Sequence[Expr], attrs: Attrs) -> tuple[Shape, str]:
    arity(args, 1)
    shape = args[0].shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(f"got {show(args[0])}, expected square matrices in the last two axes")
    return shape[:-1], args[0].dtype


def _define_diagonal(node: Expr) -> Expr:
    (x,), size = node.args, node.shape[-1]
    if isinstance(size, int):
        return _strided(x, size, size, 0, 0)
    gathered = gather(x, (x.ndim - 2, x.ndim - 1), [iota(size), iota(size)])
    return transpose(gathered, [*range(1, gathered.ndim), 0])


DIAG: Op = register(
    Op(
        name="diag",
        kind="composite",
        infer=_infer_diag,
        define=_define_diag,
        pullback=lambda node, g: [make(DIAGONAL, (g,))],
        linear=(0,),
        samples=lambda rng: [
            make(DIAG, (input("x", (3,), "float64"),)),
            make(DIAG, (input("x", (2, "N"), "float64"),)),
            make(DIAG, (input("k", (4,), "int64"),)),
        ],
        cost=1.0,
        finite=True,
        reason="an element of the vector stands on the diagonal alone",
        doc="Matrices that have vectors on their diagonals and zeros elsewhere.",
    )
)
DIAGONAL: Op = register(
    Op(
        name="diagonal",
        kind="composite",
        infer=_infer_diagonal,
        define=_define_diagonal,
        pullback=lambda node, g: [make(DIAG, (g,))],
        linear=(0,),
        samples=lambda rng: [
            make(DIAGONAL, (input("x", (3, 3), "float64"),)),
            make(DIAGONAL, (input("x", (2, "N", "N"), "float64"),)),
            make(DIAGONAL, (input("k", (4, 4), "int64"),)),
        ],
        cost=1.0,
        finite=True,
        sign="kept",
        notation="diag",
        reason="each element of the diagonal counts once",
        doc="The diagonals of square matrices in the last two axes.",
    )
)


# --- single entries ----------------------------------------------------------------------------------------------


def single_entries(rows: Dim, columns: Dim, dtype: object) -> Expr:
    """Jᵢⱼ for all i and j: the matrices of this shape with a single entry 1, at (i, j); of shape (m, n, m, n)."""
    return make(SINGLE_ENTRIES, (iota(rows), iota(columns)), {"dtype": dtypes.canonical(dtype)})


def _infer_single(args: Sequence[Expr], attrs: Attrs) -> tuple[Shape, str]:
    arity(args, 2)
    if any(arg.ndim != 1 or arg.dtype not in dtypes.INTS for arg in args):
        raise DTypeError(f"got {', '.join(map(show, args))}, expected two vectors of positions")
    shape = (args[0].shape[0], args[1].shape[0])
    return (*shape, *shape), dtypes.canonical(attrs["dtype"])


def _define_single(node: Expr) -> Expr:
    m, n = node.shape[:2]
    rows, columns = node.args
    row = equal(reshape(rows, (m, 1, 1, 1)), reshape(iota(m), (m, 1)))
    return cast(logical_and(row, equal(reshape(columns, (n, 1, 1)), iota(n))), node.dtype)


SINGLE_ENTRIES = register(
    Op(
        name="single_entries",
        kind="composite",
        infer=_infer_single,
        define=_define_single,
        pullback=lambda node, g: [None, None],
        samples=lambda rng: [single_entries(3, 2, "float64"), single_entries("N", 3, "float32")],
        cost=1.0,
        finite=True,
        sign="nonnegative",
        doc="For each position (i, j) the matrix with a single entry 1 there.",
    )
)
