"""Operations that are random in training and something simpler in inference: dropout and its kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops.coerce import arity, same_dtype, show
from symnet.ops.leaves import input
from symnet.ops.random import bits, event, happens, uniform
from symnet.ops.scalar import greater, multiply, where

__all__: list[str] = []

SELU_FLOOR = -1.7580993408473766
"""What selu tends to for small operands; alpha dropout puts it where an element is dropped."""


def _infer_masked(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    x, drawn = args
    if x.dtype not in dtypes.FLOATS or drawn.dtype != "int32":
        raise DTypeError(f"the operands are {show(x)} and {show(drawn)}, expected floats and int32 random bits")
    if dims.broadcast(x.shape, drawn.shape) != x.shape:
        raise ShapeError(f"random bits {show(drawn)} do not fit the operand {show(x)}")
    return x.shape, x.dtype


def _masked_samples(op: Callable[[], Op], **attrs: float) -> Callable[[np.random.Generator], list[Expr]]:
    """Samples with bits that are given, so that finite differences see the same ones."""
    return lambda rng: [
        make(op(), (input("x", shape, dtype), event_of(drawn)), attrs)
        for shape, dtype, drawn in (
            (("N", 3), "float64", ("N", 3)),
            ((2, 3, 5), "float64", (2, 3, 1)),
            ((7,), "float32", (7,)),
        )
    ]


def event_of(shape: object) -> Expr:
    """Bits of an event under a key that is given."""
    return bits(shape, 31, (input("seed", (), "int64"), input("step", (), "int64")), stream=3)


# --- dropout ---------------------------------------------------------------------------------------------------------


def _define_dropout(node: Expr) -> Expr:
    (x, drawn), p = node.args, node.attrs["p"]
    if p == 1.0:
        return x * 0.0
    return where(happens(drawn, p), 0.0, x * (1.0 / (1.0 - p)))


def dropout(x: Expr, p: float, shape: Shape) -> Expr:
    """x with elements 0 where an event of probability p happens and the others divided by 1 - p; x itself in inference.

    `shape` is that of the events, which are repeated along its axes of size 1.
    """
    return make(DROPOUT, (x, event(shape)), {"p": float(p)})


DROPOUT: Op = register(
    Op(
        name="dropout",
        kind="composite",
        infer=_infer_masked,
        define=_define_dropout,
        pullback=lambda node, g: [make(DROPOUT, (g, node.args[1]), node.attrs), None],
        linear=(0,),
        inference=lambda node: node.args[0],
        samples=_masked_samples(lambda: DROPOUT, p=0.3),
        reason="what was kept passes its cotangent on, scaled alike; what was dropped passes none",
        doc="Elements dropped at random, the others scaled so that the mean stays.",
    )
)


def _define_alpha_dropout(node: Expr) -> Expr:
    """a x + b where x is kept and a α + b where not, with a and b such that mean 0 and variance 1 stay."""
    (x, drawn), p = node.args, node.attrs["p"]
    if p == 1.0:
        return x * 0.0
    a = 1.0 / math.sqrt((1.0 - p) * (1.0 + p * SELU_FLOOR**2))
    b = -a * SELU_FLOOR * p
    return where(happens(drawn, p), a * SELU_FLOOR + b, a * x + b)


def alpha_dropout(x: Expr, p: float, shape: Shape) -> Expr:
    """Dropout for selu networks (Klambauer et al. 2017): a dropped element becomes selu's lower limit, and the whole is
    scaled and moved so that mean 0 and variance 1 stay. `shape` as for `dropout`."""
    return make(ALPHA_DROPOUT, (x, event(shape)), {"p": float(p)})


ALPHA_DROPOUT: Op = register(
    Op(
        name="alpha_dropout",
        kind="composite",
        infer=_infer_masked,
        define=_define_alpha_dropout,
        inference=lambda node: node.args[0],
        samples=_masked_samples(lambda: ALPHA_DROPOUT, p=0.3),
        reason="what was kept passes its cotangent on, scaled alike; what was dropped passes none",
        doc="Dropout that keeps mean 0 and variance 1 of what selu gives.",
    )
)


# --- random slopes ---------------------------------------------------------------------------------------------------


def _infer_rrelu(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    if same_dtype(args) not in dtypes.FLOATS or args[0].shape != args[1].shape:
        raise ShapeError(f"the operands are {show(args[0])} and {show(args[1])}, expected floats of one shape")
    return args[0].shape, args[0].dtype


def _leaky(x: Expr, slope: Expr | float) -> Expr:
    return where(greater(x, 0.0), x, multiply(slope, x))


def _mean_slope(node: Expr) -> Expr:
    return _leaky(node.args[0], (node.attrs["lower"] + node.attrs["upper"]) / 2)


def _define_rrelu(node: Expr) -> Expr:
    (x, u), low, high = node.args, node.attrs["lower"], node.attrs["upper"]
    return _leaky(x, low + (high - low) * u)


def rrelu(x: Expr, lower: float, upper: float) -> Expr:
    """x where it is positive, else a x: a is drawn from [lower, upper), and in inference it is their mean (Xu 2015)."""
    return make(RRELU, (x, uniform(x.shape, dtype=x.dtype)), {"lower": float(lower), "upper": float(upper)})


RRELU: Op = register(
    Op(
        name="rrelu",
        kind="composite",
        infer=_infer_rrelu,
        define=_define_rrelu,
        inference=_mean_slope,
        samples=lambda rng: [
            make(RRELU, (input("x", shape, dtype), input("u", shape, dtype)), {"lower": 0.1, "upper": 0.4})
            for shape, dtype in ((("N", 3), "float64"), ((7,), "float32"))
        ],
        reason="rrelu′(x) is 1 for x > 0, else the slope that was drawn; at the kink x = 0 it is that slope",
        doc="The positive part of the operand, and a random share of the negative part.",
    )
)
