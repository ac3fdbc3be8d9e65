"""Functions divided by their argument: sin x / x, (eˣ - 1)/x and the like, which are 0/0 at 0 and smooth there.

All derivatives are those of f(x)/x for some f with f(0) = 0. The k-th one, y⁽ᵏ⁾, has the series
Σ f⁽ⁿ⁺ᵏ⁺¹⁾(0) xⁿ/(n! (n+k+1)) near 0, and elsewhere follows from x y⁽ᵏ⁾ + k y⁽ᵏ⁻¹⁾ = f⁽ᵏ⁾.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symnet.errors import ShapeError
from symnet.expr import dtypes
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops.coerce import operands
from symnet.ops.leaves import Operand, input
from symnet.ops.scalar import absolute, cos, divide, equal, exp, expm1, less, log1p, negative, power, sin, where
from symnet.ops.scalar_op import ScalarOp, scalar
from symnet.ops.special import cosh, in_double, sinh

__all__ = ["exprel", "sinc"]


@dataclass(frozen=True)
class Ratio:
    """f(x)/x: the derivatives of f, and those at 0 as numbers; where its series is used, with how many terms."""

    derivative: Callable[[Expr, int], Expr]
    at_zero: Callable[[int], float]
    near: float
    terms: int


def _sine(x: Expr, k: int) -> Expr:
    value = cos(x) if k % 2 else sin(x)
    return negative(value) if k % 4 >= 2 else value


def _reciprocal_power(x: Expr, k: int) -> Expr:
    """The k-th derivative of log(1 + x)."""
    if k == 0:
        return log1p(x)
    return divide((-1.0) ** (k - 1) * math.factorial(k - 1), power(1.0 + x, float(k)) if k > 1 else 1.0 + x)


RATIOS: Mapping[str, Ratio] = {
    "sin_ratio": Ratio(_sine, lambda n: (0.0, 1.0, 0.0, -1.0)[n % 4], 1.5, 24),
    "sinh_ratio": Ratio(lambda x, k: cosh(x) if k % 2 else sinh(x), lambda n: float(n % 2), 1.5, 24),
    "exprel": Ratio(lambda x, k: exp(x) if k else expm1(x), lambda n: 1.0, 1.0, 22),
    "log1p_ratio": Ratio(_reciprocal_power, lambda n: (-1.0) ** (n - 1) * math.factorial(n - 1) if n else 0.0, 0.2, 26),
}


def ratio_derivative(name: str, x: Expr, order: int) -> Expr:
    """The derivative of `order` of one of `RATIOS`."""
    return make(RATIO_DERIVATIVE, (x,), {"ratio": name, "order": order})


def _series(ratio: Ratio, x: Expr, order: int) -> Expr:
    coefficients = [ratio.at_zero(n + order + 1) / (math.factorial(n) * (n + order + 1)) for n in range(ratio.terms)]
    while not coefficients[-1]:
        coefficients.pop()
    total: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = x * total + coefficient if coefficient else x * total
    return total  # type: ignore[no-any-return]


def _define_derivative(node: Expr) -> Expr:
    ratio, order = RATIOS[node.attrs["ratio"]], node.attrs["order"]

    def defined(x: Expr) -> Expr:
        near = less(absolute(x), ratio.near)
        far = where(near, ratio.near, x)
        result = ratio.derivative(far, 0) / far
        for k in range(1, order + 1):
            result = (ratio.derivative(far, k) - float(k) * result) / far
        return where(near, _series(ratio, where(near, x, 0.0), order), result)

    return in_double(defined)(node.args[0])


def _infer_derivative(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    if len(args) != 1 or args[0].dtype not in dtypes.FLOATS:
        raise ShapeError(f"ratio_derivative: got {len(args)} operands, expected a float32 or float64 one")
    return args[0].shape, args[0].dtype


def _samples(rng: np.random.Generator) -> list[Expr]:
    x = input("x", ("N", 3), "float64")
    return [ratio_derivative(name, x - 0.9, order) for name in RATIOS for order in (1, 2)]


RATIO_DERIVATIVE = register(
    Op(
        name="ratio_derivative", kind="composite", infer=_infer_derivative, define=_define_derivative, samples=_samples,
        pullback=lambda node, g: [g * ratio_derivative(node.attrs["ratio"], node.args[0], node.attrs["order"] + 1)],
        cost=lambda node: 60.0,
        reason="the next derivative of f(x)/x",
        doc="A derivative of a function f(x)/x, by its series near 0.",
    )
)  # fmt: skip


def _ratio(name: str, function: Callable[[Expr], Expr], at_infinity: float, **fields: Any) -> ScalarOp:
    """Declare function(x)/x, 1 at 0 and `at_infinity` there."""

    def value(x: Expr) -> Expr:
        finite = where(equal(x, 0.0), 1.0, function(x) / where(equal(x, 0.0), 1.0, x))
        return where(equal(x, float("inf")), at_infinity, finite)

    return scalar(
        name, accepts="float", stable=value,
        derivative=(lambda g, y, x: g * ratio_derivative(name, x, 1),), **fields,
    )  # fmt: skip


sin_ratio: ScalarOp = _ratio(
    "sin_ratio", sin, 0.0, formula=lambda sp, x: sp.sin(x) / x, domain=((0.1, 30.0),), cost=16.0, finite=True,
    reason="(sin x/x)′ = (cos x − sin x/x)/x",
    doc="sin(x)/x, and 1 at 0",
)  # fmt: skip
sinh_ratio: ScalarOp = _ratio(
    "sinh_ratio", sinh, math.inf, formula=lambda sp, x: sp.sinh(x) / x,
    domain=((0.1, 80.0),), cost=16.0, sign="positive",
    reason="(sinh x/x)′ = (cosh x − sinh x/x)/x",
    doc="sinh(x)/x, and 1 at 0",
)  # fmt: skip
exprel: ScalarOp = _ratio(
    "exprel", expm1, math.inf, formula=lambda sp, x: (sp.exp(x) - 1) / x,
    domain=((0.1, 80.0),), cost=13.0, sign="positive",
    reason="((eˣ − 1)/x)′ = (eˣ − (eˣ − 1)/x)/x",
    doc="(exp(x) - 1)/x, and 1 at 0",
)  # fmt: skip
log1p_ratio: ScalarOp = _ratio(
    "log1p_ratio", log1p, 0.0, formula=lambda sp, x: sp.log(1 + x) / x,
    domain=((0.1, 1e6),), cost=14.0, sign="positive",
    reason="(log(1 + x)/x)′ = (1/(1 + x) − log(1 + x)/x)/x",
    doc="log(1 + x)/x, and 1 at 0",
)  # fmt: skip


def sinc(x: Operand) -> Expr:
    """sin(π x)/(π x), and 1 at 0."""
    (node,) = operands("sinc", (x,), "float")
    return sin_ratio(node * math.pi)
