"""An expression in two forms: the plain one, and the exact one for data that hardly anybody has.

PyTorch's losses of class indices ignore the target -100 unless told otherwise. A mask for it would stand in every
formula and every kernel, for data in which it never occurs. So such a loss is written in both forms. Simplifying takes
the plain one (the rule `usually` states what it assumes); a program that meets other data goes on with the exact one.

A derivative alone may lack what notices other data: that of a cross-entropy compares targets with classes and looks up
nothing. So the derivatives that users get are `abbreviated`: they are written in the plain form and computed in the
exact one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symnet.errors import CompilerBug
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops.coerce import arity
from symnet.ops.leaves import input
from symnet.ops.meaning import rewrite_with_bodies
from symnet.ops.scalar import absolute

__all__: list[str] = []


def usually(plain: Expr, exact: Expr, unless: str) -> Expr:
    """`exact`, which is equal to `plain` unless … (a clause for people: "a target is -100").

    Where it is not, evaluating `plain` must fail a check (an index outside its axis): a program takes that as the sign
    to go on with `exact`. So no number is ever wrong.
    """
    return make(USUALLY, (plain, exact), {"unless": unless})


def abbreviated(short: Expr, exact: Expr) -> Expr:
    """`exact`, which formulas write as `short`: equal to it for usual data, without a check that data is."""
    return exact if short is exact else make(ABBREVIATED, (short, exact), {})


def in_short(roots: Sequence[Expr]) -> list[Expr]:
    """The roots with everything abbreviated as it is written; the same nodes where nothing is."""
    return rewrite_with_bodies(roots, lambda node: node.args[0] if node.op == "abbreviated" else node)


def exactly(roots: Sequence[Expr]) -> list[Expr]:
    """The roots with every expression in its exact form; the same nodes where there is nothing else."""
    return rewrite_with_bodies(roots, lambda node: node.args[1] if node.op in ("usually", "abbreviated") else node)


def _infer(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    plain, exact = args
    if (plain.shape, plain.dtype) != (exact.shape, exact.dtype):
        raise CompilerBug(f"the two forms differ: {plain.dtype}{plain.shape} and {exact.dtype}{exact.shape}")
    return exact.shape, exact.dtype


def _samples(rng: object) -> list[Expr]:
    x = input("x", ("N", 3), "float64")
    return [usually(absolute(x) * absolute(x), x * x, "never")]


def _abbreviated_samples(rng: object) -> list[Expr]:
    x = input("x", ("N", 3), "float64")
    return [abbreviated(absolute(x) * absolute(x), x * x)]


USUALLY = register(
    Op(
        name="usually",
        kind="composite",
        infer=_infer,
        define=lambda node: node.args[1],
        samples=_samples,
        doc="The second operand, to which the first is equal for all usual data.",
    )
)

ABBREVIATED = register(
    Op(
        name="abbreviated",
        kind="composite",
        infer=_infer,
        define=lambda node: node.args[1],
        samples=_abbreviated_samples,
        doc="The second operand, which formulas write as the first.",
    )
)
