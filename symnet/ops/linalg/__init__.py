"""Linear algebra with the names of NumPy and the array API: `sn.linalg.solve`, `sn.linalg.norm`, …

Factorisations and solutions are composites defined by loops (`elimination.py`), with derivatives of their own in closed
form. The last two axes are matrices, those before them a stack.
"""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.ops.arrange import matrix_transpose
from symnet.ops.diagonals import diagonal as _diagonal
from symnet.ops.leaves import Operand
from symnet.ops.linalg.cholesky import cholesky
from symnet.ops.linalg.determinants import det, logdet, slogdet
from symnet.ops.linalg.lu import lu
from symnet.ops.linalg.norms import matrix_norm, norm, vector_norm
from symnet.ops.linalg.products import cross, kron, matrix_power, multi_dot
from symnet.ops.linalg.solving import inv, inverse, solve
from symnet.ops.linalg.triangular import solve_triangular
from symnet.ops.products import matmul, outer, tensordot, vecdot
from symnet.ops.products import trace as _trace

__all__ = [
    "cholesky", "cross", "det", "diagonal", "inv", "inverse", "kron", "logdet", "lu", "matmul", "matrix_norm",
    "matrix_power", "matrix_transpose", "multi_dot", "norm", "outer", "slogdet", "solve", "solve_triangular",
    "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


def diagonal(x: Operand, offset: int = 0) -> Expr:
    """The diagonals of the matrices in the last two axes, as a new last axis."""
    return _diagonal(x, offset, -2, -1)


def trace(x: Operand, offset: int = 0) -> Expr:
    """The sums of the diagonals of the matrices in the last two axes."""
    return _trace(x, offset, -2, -1)
