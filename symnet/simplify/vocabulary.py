"""The words of the rule tables: a constructor of terms for each operation, and the families of operations.

Every declared operation is a word, under its own name: `from symnet.simplify.vocabulary import exp, softmax`. Where the
name means something else in Python it may be written with an underscore behind it: `sum_`, `max_`.
"""

from __future__ import annotations

from typing import Any

import symnet.ops  # noqa: F401  (declares the operations)
from symnet.expr.op import REGISTRY
from symnet.ops.scalar_op import ScalarOp
from symnet.simplify.pattern import Family, operation

COMPARISON_OPS = frozenset("equal not_equal less less_equal greater greater_equal".split())
UNARY_OPS = frozenset(name for name, op in REGISTRY.items() if isinstance(op, ScalarOp) and op.arity == 1)
BINARY_OPS = frozenset(name for name, op in REGISTRY.items() if isinstance(op, ScalarOp) and op.arity == 2)
SCALAR_OPS = UNARY_OPS | BINARY_OPS | {"where"}

unary = Family("unary", UNARY_OPS)
binary = Family("binary", BINARY_OPS)
comparison = Family("comparison", COMPARISON_OPS)


def __getattr__(name: str) -> Any:
    """The constructor of terms of an operation. (mypy gives imported names no other type than Any.)"""
    op = name if name in REGISTRY else name.removesuffix("_")
    if op not in REGISTRY:
        raise AttributeError(f"module {__name__!r}: there is no operation {name!r}")
    return operation(op)
