"""What follows from the formulas of the scalar functions. Written by symnet/ops/generate_scalars.py.

DERIVATIVES  for each operand the cotangent g times the derivative, as a function of (g, y, *operands); y is the result.
EXPANSIONS   the function in terms of those that loop programs have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symnet.expr.node import Expr
from symnet.ops import scalar as s

# ruff: noqa: E501
# fmt: off

DERIVATIVES: Mapping[str, tuple[Callable[..., Expr], ...]] = {
    "add": (
        lambda g, y, a, b: g,
        lambda g, y, a, b: g,
    ),
    "subtract": (
        lambda g, y, a, b: g,
        lambda g, y, a, b: s.negative(g),
    ),
    "multiply": (
        lambda g, y, a, b: s.multiply(g, b),
        lambda g, y, a, b: s.multiply(g, a),
    ),
    "negative": (
        lambda g, y, a: s.negative(g),
    ),
    "square": (
        lambda g, y, a: s.multiply(2, s.multiply(g, a)),
    ),
    "exp": (
        lambda g, y, a: s.multiply(g, y),
    ),
    "log": (
        lambda g, y, a: s.divide(g, a),
    ),
    "log1p": (
        lambda g, y, a: s.divide(g, s.add(a, 1)),
    ),
    "sin": (
        lambda g, y, a: s.multiply(g, s.cos(a)),
    ),
    "cos": (
        lambda g, y, a: s.negative(s.multiply(g, s.sin(a))),
    ),
    "tanh": (
        lambda g, y, a: s.multiply(g, s.subtract(1, s.square(y))),
    ),
    "erf": (
        lambda g, y, a: s.multiply(1.1283791670955126, s.multiply(g, s.exp(s.negative(s.square(a))))),
    ),
    "gelu": (
        lambda g, y, a: s.multiply(g, s.add(s.add(s.multiply(0.3989422804014327, s.multiply(a, s.exp(s.multiply(-0.5, s.square(a))))), s.multiply(0.5, s.erf(s.multiply(0.7071067811865476, a)))), 0.5)),
    ),
    "gelu_tanh": (
        lambda g, y, a: s.multiply(g, s.add(s.add(s.multiply(0.3989422804014327, s.multiply(s.multiply(a, s.subtract(1, s.square(s.tanh(s.multiply(0.7978845608028654, s.add(s.multiply(0.044715, s.multiply(a, s.square(a))), a)))))), s.add(s.multiply(0.134145, s.square(a)), 1))), s.multiply(0.5, s.tanh(s.multiply(0.7978845608028654, s.add(s.multiply(0.044715, s.multiply(a, s.square(a))), a))))), 0.5)),
    ),
}

EXPANSIONS: Mapping[str, Callable[..., Expr]] = {
    "square": lambda a: s.multiply(a, a),
    "reciprocal": lambda a: s.divide(1, a),
    "rsqrt": lambda a: s.divide(1, s.sqrt(a)),
    "sigmoid": lambda a: s.divide(1, s.add(1, s.exp(s.negative(a)))),
    "relu": lambda a: s.maximum(a, 0),
    "gelu": lambda a: s.multiply(0.5, s.multiply(a, s.add(s.erf(s.multiply(0.7071067811865476, a)), 1))),
    "gelu_tanh": lambda a: s.multiply(0.5, s.multiply(a, s.add(s.tanh(s.multiply(0.7978845608028654, s.add(s.multiply(0.044715, s.multiply(a, s.multiply(a, a))), a))), 1))),
    "silu": lambda a: s.divide(a, s.add(1, s.exp(s.negative(a)))),
    "clip": lambda a, b, c: s.minimum(c, s.maximum(a, b)),
}
