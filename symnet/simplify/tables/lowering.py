"""What is done only on the way to the loop program, where speed counts and nobody reads the formula."""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.expr.work import elements
from symnet.simplify.pattern import computed, variables
from symnet.simplify.rule import rule
from symnet.simplify.vocabulary import stop_gradient

x, y = variables("x y")


@computed
def is_smaller(y: Expr, x: Expr) -> bool:
    """Whether `y` has fewer elements than `x`."""
    return elements(y.shape) < elements(x.shape)


RULES = [
    rule("divide-by-few", x / y, x * (1 / y), condition=is_smaller(y, x), lowering=True,
         reason="one division for all elements and a product for each is faster, and differs in the last bit"),
    rule("no-more-gradients", stop_gradient(x), x, lowering=True, reason="no derivative is taken any more"),
]  # fmt: skip
