"""f(b + d) - f(b) for the functions of mathematics, from b and d: with all digits, however small d is beside b.

Each is f(b + d) - f(b) as it reads where d is large, and a form that does not cancel where it is small; of float32
operands it is computed in float64, so that b + d is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symnet.expr.dims import Shape
from symnet.expr.node import Expr
from symnet.ops.leaves import input
from symnet.ops.scalar import (
    absolute,
    cos,
    exp,
    expm1,
    greater,
    less,
    log,
    log1p,
    negative,
    rsqrt,
    sigmoid,
    sin,
    sqrt,
    square,
    tanh,
    where,
)
from symnet.ops.scalar_op import ScalarOp, scalar
from symnet.ops.special import atan, atan2, cbrt, cosh, in_double, sinh, tan

Function = Callable[[Expr], Expr]
Step = Callable[[Expr, Expr], Expr]


def _small(b: Expr, d: Expr) -> Expr:
    """Whether the step is short beside 1."""
    return less(absolute(d), 1.0)


def _relatively_small(b: Expr, d: Expr) -> Expr:
    """Whether the step is short beside b."""
    return less(absolute(d), 0.5 * absolute(b))


def _step(
    name: str, f: Function, close: Step, *, near: Step, by_b: Step, by_d: Step, far: Step | None = None, **fields: Any
) -> ScalarOp:
    """Declare f(b + d) - f(b), which is `close(b, d)` where `near` says so; and its derivatives."""

    plainly = far or (lambda b, d: f(b + d) - f(b))

    def value(b: Expr, d: Expr) -> Expr:
        short = near(b, d)
        base, step = where(short, b, 1.0), where(short, d, 0.25)
        return where(short, close(base, step), plainly(b, d))

    return scalar(
        name, arity=2, accepts="float", stable=in_double(value),
        derivative=(lambda g, y, b, d: g * in_double(by_b)(b, d), lambda g, y, b, d: g * in_double(by_d)(b, d)),
        **fields,
    )  # fmt: skip


exp_step: ScalarOp = _step(
    "exp_step", exp, lambda b, d: exp(b) * expm1(d), near=_small, domain=((-2.0, 2.0), (0.1, 3.0)),
    formula=lambda sp, b, d: sp.exp(b + d) - sp.exp(b),
    by_b=lambda b, d: exp_step(b, d), by_d=lambda b, d: exp(b + d),
    cost=26.0,
    reason=("∂(eᵇ⁺ᵈ − eᵇ)/∂b is the difference itself", "∂(eᵇ⁺ᵈ − eᵇ)/∂d = eᵇ⁺ᵈ"),
    doc="exp(b + d) - exp(b), with its digits for small d",
)  # fmt: skip
tanh_step: ScalarOp = _step(
    "tanh_step", tanh, lambda b, d: sinh(d) / cosh(b) / cosh(b + d), near=_small, domain=((0.1, 1.0), (0.1, 1.0)),
    formula=lambda sp, b, d: sp.tanh(b + d) - sp.tanh(b),
    by_b=lambda b, d: negative(tanh_step(b, d) * (tanh(b) + tanh(b + d))), by_d=lambda b, d: 1.0 / square(cosh(b + d)),
    cost=60.0, finite=True,
    reason=("tanh′ = 1 − tanh², and squares differ by the product of difference and sum", "tanh′ = 1/cosh²"),
    doc="tanh(b + d) - tanh(b), with its digits for small d",
)  # fmt: skip


def _sigmoid_step(b: Expr, d: Expr) -> Expr:
    """On the side where the sigmoids are small."""
    after = b + d
    return where(greater(b, 0.0), sigmoid(negative(b)) - sigmoid(negative(after)), sigmoid(after) - sigmoid(b))


sigmoid_step: ScalarOp = _step(
    "sigmoid_step", sigmoid, lambda b, d: 0.5 * sinh(0.5 * d) / cosh(0.5 * b) / cosh(0.5 * (b + d)), near=_small,
    far=_sigmoid_step, domain=((-2.0, -0.5), (0.1, 1.0)),
    formula=lambda sp, b, d: 1 / (1 + sp.exp(-b - d)) - 1 / (1 + sp.exp(-b)),
    by_b=lambda b, d: -0.5 * sigmoid_step(b, d) * (tanh(0.5 * b) + tanh(0.5 * (b + d))),
    by_d=lambda b, d: sigmoid(b + d) * sigmoid(negative(b + d)),
    cost=60.0, finite=True,
    reason=("σ′ = (1 − tanh²(x/2))/4, and squares differ by the product of difference and sum", "σ′ = σ·(1 − σ)"),
    doc="σ(b + d) - σ(b), with its digits for small d",
)  # fmt: skip
sin_step: ScalarOp = _step(
    "sin_step", sin, lambda b, d: 2.0 * cos(b + 0.5 * d) * sin(0.5 * d), near=_small, domain=((0.1, 0.5), (0.1, 0.5)),
    formula=lambda sp, b, d: sp.sin(b + d) - sp.sin(b),
    by_b=lambda b, d: cos_step(b, d), by_d=lambda b, d: cos(b + d),
    cost=40.0, finite=True,
    reason=("sin′ = cos, of which the same difference is taken", "sin′ = cos"),
    doc="sin(b + d) - sin(b), with its digits for small d",
)  # fmt: skip
cos_step: ScalarOp = _step(
    "cos_step", cos, lambda b, d: -2.0 * sin(b + 0.5 * d) * sin(0.5 * d), near=_small, domain=((0.1, 1.0), (0.1, 1.0)),
    formula=lambda sp, b, d: sp.cos(b + d) - sp.cos(b),
    by_b=lambda b, d: negative(sin_step(b, d)), by_d=lambda b, d: negative(sin(b + d)),
    cost=40.0, finite=True,
    reason=("cos′ = −sin, of which the same difference is taken", "cos′ = −sin"),
    doc="cos(b + d) - cos(b), with its digits for small d",
)  # fmt: skip


def _between_poles() -> list[Expr]:
    shapes: list[tuple[Shape, Shape]] = [((5, 3), (5, 3)), (("N", 3), (3,)), ((), ())]
    return [
        tan_step(0.2 * input("a", a, dtype), 0.2 * input("b", b, dtype))
        for dtype in ("float64", "float32")
        for a, b in shapes
    ]


tan_step: ScalarOp = _step(
    "tan_step", tan, lambda b, d: sin(d) / (cos(b) * cos(b + d)), near=_small, domain=((0.1, 0.5), (0.1, 0.5)),
    formula=lambda sp, b, d: sp.tan(b + d) - sp.tan(b),
    by_b=lambda b, d: tan_step(b, d) * (tan(b) + tan(b + d)), by_d=lambda b, d: 1.0 + square(tan(b + d)),
    cost=60.0, samples=lambda rng: _between_poles(),
    reason=("tan′ = 1 + tan², and squares differ by the product of difference and sum", "tan′ = 1 + tan²"),
    doc="tan(b + d) - tan(b), with its digits for small d",
)  # fmt: skip
atan_step: ScalarOp = _step(
    "atan_step", atan, lambda b, d: atan2(d, 1.0 + b * (b + d)), near=lambda b, d: less(absolute(d), 1e30),
    domain=((0.1, 10.0), (0.1, 10.0)), formula=lambda sp, b, d: sp.atan(b + d) - sp.atan(b),
    by_b=lambda b, d: -d * ((2.0 * b + d) / (1.0 + square(b + d))) / (1.0 + square(b)),
    by_d=lambda b, d: 1.0 / (1.0 + square(b + d)),
    cost=50.0, finite=True,
    reason=("1/(1 + x²) − 1/(1 + b²) is (b² − x²)/((1 + x²)·(1 + b²)), here with x = b + d", "arctan′(x) = 1/(1 + x²)"),
    doc="arctan(b + d) - arctan(b), with its digits for small d",
)  # fmt: skip
log_step: ScalarOp = _step(
    "log_step", log, lambda b, d: log1p(d / b), far=lambda b, d: log((b + d) / b), near=_relatively_small,
    domain=((0.1, 10.0), (0.1, 10.0)), formula=lambda sp, b, d: sp.log((b + d) / b),
    by_b=lambda b, d: -d / b / (b + d), by_d=lambda b, d: 1.0 / (b + d),
    cost=40.0,
    reason=("1/(b + d) − 1/b is −d/(b·(b + d))", "log′(x) = 1/x"),
    doc="log((b + d)/b), with its digits for small d",
)  # fmt: skip
sqrt_step: ScalarOp = _step(
    "sqrt_step", sqrt, lambda b, d: d / (sqrt(b + d) + sqrt(b)), near=_relatively_small,
    domain=((0.1, 10.0), (0.1, 10.0)), formula=lambda sp, b, d: sp.sqrt(b + d) - sp.sqrt(b),
    by_b=lambda b, d: -0.5 * (sqrt_step(b, d) / sqrt(b) / sqrt(b + d)), by_d=lambda b, d: 0.5 / sqrt(b + d),
    cost=20.0,
    reason=("1/√x − 1/√b is −(√x − √b)/(√x·√b), here with x = b + d", "(√x)′ = 1/(2·√x)"),
    doc="√(b + d) - √b, with its digits for small d",
)  # fmt: skip
rsqrt_step: ScalarOp = _step(
    "rsqrt_step", rsqrt, lambda b, d: negative(d / (sqrt(b + d) + sqrt(b)) / sqrt(b) / sqrt(b + d)),
    near=_relatively_small, domain=((0.1, 10.0), (0.1, 10.0)),
    formula=lambda sp, b, d: 1 / sp.sqrt(b + d) - 1 / sp.sqrt(b),
    by_b=lambda b, d: -0.5 * rsqrt_step(b, d) * (1.0 / (b + d) + 1.0 / sqrt(b) / sqrt(b + d) + 1.0 / b),
    by_d=lambda b, d: -0.5 / (b + d) / sqrt(b + d),
    cost=24.0,
    reason=("u³ − v³ is (u − v)·(u² + u·v + v²), here of the inverse roots", "(1/√x)′ = −1/(2·x·√x)"),
    doc="1/√(b + d) - 1/√b, with its digits for small d",
)  # fmt: skip
cbrt_step: ScalarOp = _step(
    "cbrt_step", cbrt, lambda b, d: d / (square(cbrt(b + d)) + cbrt(b + d) * cbrt(b) + square(cbrt(b))),
    near=_relatively_small, domain=((0.1, 10.0), (0.1, 10.0)),
    formula=lambda sp, b, d: sp.sign(b + d) * sp.Abs(b + d) ** sp.Rational(1, 3)
    - sp.sign(b) * sp.Abs(b) ** sp.Rational(1, 3),
    by_b=lambda b, d: cbrt_step(b, d) * (cbrt(b) + cbrt(b + d)) / (-3.0 * square(cbrt(b)) * square(cbrt(b + d))),
    by_d=lambda b, d: 1.0 / (3.0 * square(cbrt(b + d))),
    cost=40.0, finite=True,
    reason=("1/u² − 1/v² is −(u − v)·(u + v)/(u²·v²), here of the cube roots", "(∛x)′ = 1/(3·∛x²)"),
    doc="∛(b + d) - ∛b, with its digits for small d",
)  # fmt: skip

# --- f(a) - f(b) of two numbers that are known exactly -----------------------------------------------------------


def _apart(name: str, f: Function, close: Step, *, near: Step, far: Step | None = None, **fields: Any) -> ScalarOp:
    """Declare f(a) - f(b), which is `close(b, a - b)` where `near` says so; of float32 numbers a - b is exact."""
    plainly = far or (lambda a, b: f(a) - f(b))

    def value(a: Expr, b: Expr) -> Expr:
        short = near(b, a - b)
        base, step = where(short, b, 1.0), where(short, a - b, 0.25)
        return where(short, close(base, step), plainly(a, b))

    return scalar(name, arity=2, accepts="float", stable=in_double(value), **fields)


log_ratio: ScalarOp = _apart(
    "log_ratio", log, lambda b, d: log1p(d / b), near=_relatively_small, far=lambda a, b: log(a / b),
    domain=((0.1, 10.0), (0.1, 10.0)), formula=lambda sp, a, b: sp.log(a / b),
    derivative=(lambda g, y, a, b: g / a, lambda g, y, a, b: negative(g / b)),
    cost=40.0,
    reason=("∂(log a − log b)/∂a = 1/a", "∂(log a − log b)/∂b = −1/b"),
    doc="log(a/b), with its digits where the two are nearly equal",
)  # fmt: skip
sqrt_difference: ScalarOp = _apart(
    "sqrt_difference", sqrt, lambda b, d: d / (sqrt(b + d) + sqrt(b)), near=_relatively_small,
    domain=((0.1, 10.0), (20.0, 30.0)), formula=lambda sp, a, b: sp.sqrt(a) - sp.sqrt(b),
    derivative=(lambda g, y, a, b: 0.5 * g / sqrt(a), lambda g, y, a, b: -0.5 * g / sqrt(b)),
    cost=20.0,
    reason=("(√a)′ = 1/(2·√a)", "(√b)′ = 1/(2·√b)"),
    doc="√a - √b, with its digits where the two are nearly equal",
)  # fmt: skip
cos_difference: ScalarOp = _apart(
    "cos_difference", cos, lambda b, d: -2.0 * sin(b + 0.5 * d) * sin(0.5 * d), near=_small,
    domain=((0.1, 0.5), (1.0, 1.5)), formula=lambda sp, a, b: sp.cos(a) - sp.cos(b),
    derivative=(lambda g, y, a, b: negative(g * sin(a)), lambda g, y, a, b: g * sin(b)),
    cost=40.0, finite=True,
    reason=("cos′ = −sin", "cos′ = −sin"),
    doc="cos a - cos b, with its digits where the two are nearly equal",
)  # fmt: skip
