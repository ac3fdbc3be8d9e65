"""Operations that formulas write by their meaning: a layer norm is γ ⊙ x̂ + β, with an equation for x̂.

Some have a name that says less than their formula (norms, dropout). Others are there for the sake of floating point, so
that a program keeps its digits; what they mean is a formula of ordinary functions, and that is what is written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from symnet import ops
from symnet.explain.operations import has_form
from symnet.expr.node import Expr
from symnet.ops.scalar_op import ScalarOp

# By their definition.
_DEFINED = (
    "layer_norm", "group_norm", "rms_norm", "batch_norm", "instance_norm", "standardize", "scale_to_unit", "dropout",
    "alpha_dropout", "rrelu", "each_member",
)  # fmt: skip


def _slope(z: Expr, g: Expr, axis: int) -> Expr:
    shares = ops.softmax(z, axis)
    return shares * (g - ops.sum(g * shares, axis, keepdims=True))


# By formulas of ordinary functions.
_MEANT: dict[str, Callable[[Expr], Expr]] = {
    "weighted_logsumexp": lambda node: ops.log(
        ops.sum(node.args[1] * ops.exp(node.args[0]), node.attrs["axes"], node.attrs["keepdims"])
    ),
    "softmax_residual": lambda node: node.args[1] * ops.softmax(node.args[0], node.attrs["axis"]) - node.args[2],
    "softmax_slope": lambda node: _slope(node.args[0], node.args[1], node.attrs["axis"]),
}


_SYMPY_NAMES = {"Abs": "absolute", "ceiling": "ceil", "Max": "maximum", "Min": "minimum", "loggamma": "lgamma"}


class _Functions:
    """The functions that a scalar operation is declared by, with SymPy's names, for expressions."""

    pi = 3.141592653589793

    def __getattr__(self, name: str) -> Any:
        return getattr(ops, _SYMPY_NAMES.get(name, name))

    def Rational(self, a: int, b: int) -> float:
        return a / b

    def Integer(self, a: int) -> float:
        return float(a)


def is_opened(node: Expr) -> bool:
    """Whether a node is written by what it means."""
    return node.op in _DEFINED or (not has_form(node) and _meaning(node) is not None)


def opened(node: Expr) -> Expr:
    """What an operation means, in others."""
    meant = _meaning(node)
    assert meant is not None
    return meant


@lru_cache(maxsize=4096)
def _meaning(node: Expr) -> Expr | None:
    op = node.declaration
    if node.op in _MEANT:
        return _MEANT[node.op](node)
    if node.op in _DEFINED and op.define is not None:
        return op.define(node)
    if isinstance(op, ScalarOp) and op.formula is not None:
        try:
            meant = op.formula(_Functions(), *node.args)
        except (AttributeError, TypeError):
            return None
        return meant if isinstance(meant, Expr) else None
    return None
