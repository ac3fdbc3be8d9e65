"""Differences that cancel where a softmax or a tanh saturates, written so that they do not.

Lowering puts these in the place of `softmax(z) - t`, `p ⊙ (g - Σ g p)` and `1 - tanh²`: formulas show those, programs
compute these. A share that rounds to 1 has lost what it lacks to 1; the sum of the other shares has all its digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.expr.work import per_operand
from symnet.ops.coerce import arity, same_dtype
from symnet.ops.composite import softmax, softmax_parts
from symnet.ops.leaves import input
from symnet.ops.reduce import sum, unbroadcast
from symnet.ops.scalar import absolute, divide, exp, greater, negative, tanh, where
from symnet.ops.scalar_op import ScalarOp, scalar

__all__: list[str] = []


def _infer(count: int) -> Any:
    def infer(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
        arity(args, count)
        return args[0].shape, same_dtype(args)

    return infer


def softmax_residual(z: Expr, s: Expr, t: Expr, axis: int) -> Expr:
    """s · softmax(z) - t along `axis`; s is constant along it."""
    return make(RESIDUAL, (z, s, t), {"axis": axis})


def _define_residual(node: Expr) -> Expr:
    """(s - t) - s · (the other shares) for a share above a half, of which there is one at most."""
    z, s, t = node.args
    share, others = softmax_parts(z, node.attrs["axis"])
    return where(greater(share, 0.5), (s - t) - s * others, s * share - t)


def _pull_residual(node: Expr, g: Expr) -> list[Expr | None]:
    (z, s, t), axis = node.args, node.attrs["axis"]
    of_scale, of_target = unbroadcast(g * softmax(z, axis), s.shape), unbroadcast(negative(g), t.shape)
    return [softmax_slope(z, g * s, axis), of_scale, of_target]


RESIDUAL = register(
    Op(
        name="softmax_residual",
        kind="composite",
        infer=_infer(3),
        define=_define_residual,
        pullback=_pull_residual,
        cost=per_operand(16.0), finite=True,
        samples=lambda rng: [
            softmax_residual(input("z", (3, "N"), "float64"), input("s", (3, 1), "float64"),
                             input("t", (3, "N"), "float64"), 1),
            softmax_residual(input("z", (3, 4)), input("s", (1, 4)), input("t", (3, 4)), 0),
        ],
        doc="s·softmax(z) - t along an axis, with its digits where a share is nearly 1.",
    )
)  # fmt: skip


def softmax_slope(z: Expr, g: Expr, axis: int) -> Expr:
    """p ⊙ (g - Σ g p) for p = softmax(z) along `axis`: the derivative of Σ g p with respect to z."""
    return make(SLOPE, (z, g), {"axis": axis})


def _define_slope(node: Expr) -> Expr:
    """With g less its value at the share above a half, as the shares add up to 1: their terms then do not cancel."""
    (z, g), axis = node.args, node.attrs["axis"]
    share = softmax(z, axis)
    less = g - sum(where(greater(share, 0.5), g, 0), axis, keepdims=True)
    return share * (less - sum(share * less, axis, keepdims=True))


def _pull_slope(node: Expr, g: Expr) -> list[Expr | None]:
    """The same function of its derivative by the shares, for z; it is linear and symmetric in g."""
    (z, h), axis = node.args, node.attrs["axis"]
    share = softmax(z, axis)
    means = [sum(share * part, axis, keepdims=True) for part in (h, g)]
    return [softmax_slope(z, g * (h - means[0]) - h * means[1], axis), softmax_slope(z, g, axis)]


SLOPE = register(
    Op(
        name="softmax_slope",
        kind="composite",
        infer=_infer(2),
        define=_define_slope,
        pullback=_pull_slope,
        cost=per_operand(16.0), finite=True,
        samples=lambda rng: [
            softmax_slope(input("z", (3, "N"), "float64"), input("g", (3, "N"), "float64"), 1),
            softmax_slope(input("z", (3, 4)), input("g", (3, 4)), 0),
        ],
        doc="p·(g - Σ g·p) for p = softmax(z) along an axis, with its digits where a share is nearly 1.",
    )
)  # fmt: skip


def _tanh_slope(x: Expr) -> Expr:
    power = exp(-2.0 * absolute(x))
    return divide(4.0 * power, (1.0 + power) * (1.0 + power))


tanh_slope: ScalarOp = scalar(
    "tanh_slope", accepts="float", formula=lambda sp, x: 1 - sp.tanh(x) ** 2, domain=((-15.0, 15.0),),
    stable=_tanh_slope,
    derivative=(lambda g, y, x: g * (-2.0 * tanh(x) * y),),
    cost=14.0, finite=True, sign="nonnegative",
    reason="tanh′ = 1 − tanh²",
    doc="1 - tanh²(x), with its digits where tanh(x) rounds to 1",
)  # fmt: skip
