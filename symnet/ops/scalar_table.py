"""What follows from the formulas of the scalar functions. Written by symnet/ops/generate_scalars.py.

DERIVATIVES  for each operand the cotangent g times the derivative, as a function of (g, y, *operands); y is the result.
EXPANSIONS   the function in terms of those that loop programs have.
FORMULAS     LaTeX of the formula, with #1, #2, … for the operands.
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

FORMULAS: Mapping[str, str] = {
    "add": "#1 + #2",
    "subtract": "#1 - #2",
    "multiply": "#1 #2",
    "divide": r"\frac{#1}{#2}",
    "floor_divide": r"\left\lfloor{\frac{#1}{#2}}\right\rfloor",
    "mod": r"#1 - #2 \left\lfloor{\frac{#1}{#2}}\right\rfloor",
    "negative": "- #1",
    "absolute": r"\left|{#1}\right|",
    "sign": r"\operatorname{sign}{\left(#1 \right)}",
    "floor": r"\left\lfloor{#1}\right\rfloor",
    "ceil": r"\left\lceil{#1}\right\rceil",
    "square": "#1^{2}",
    "reciprocal": r"\frac{1}{#1}",
    "sqrt": r"\sqrt{#1}",
    "rsqrt": r"\frac{1}{\sqrt{#1}}",
    "power": "#1^{#2}",
    "exp": "e^{#1}",
    "expm1": "e^{#1} - 1",
    "log": r"\log{\left(#1 \right)}",
    "log1p": r"\log{\left(#1 + 1 \right)}",
    "sin": r"\sin{\left(#1 \right)}",
    "cos": r"\cos{\left(#1 \right)}",
    "tanh": r"\tanh{\left(#1 \right)}",
    "erf": r"\operatorname{erf}{\left(#1 \right)}",
    "sigmoid": r"\frac{1}{1 + e^{- #1}}",
    "log_sigmoid": r"\log{\left(\frac{1}{1 + e^{- #1}} \right)}",
    "softplus": r"\log{\left(e^{#1} + 1 \right)}",
    "relu": r"\max\left(0, #1\right)",
    "gelu": r"\frac{#1 \left(\operatorname{erf}{\left(\frac{\sqrt{2} #1}{2} \right)} + 1\right)}{2}",
    "gelu_tanh": r"\frac{#1 \left(\tanh{\left(\frac{\sqrt{2} \left(\frac{8943 #1^{3}}{200000} + #1\right)}{\sqrt{\pi}} \right)} + 1\right)}{2}",
    "silu": r"\frac{#1}{1 + e^{- #1}}",
    "minimum": r"\min\left(#1, #2\right)",
    "maximum": r"\max\left(#1, #2\right)",
    "clip": r"\min\left(#3, \max\left(#1, #2\right)\right)",
    "equal": "#1 = #2",
    "not_equal": r"#1 \neq #2",
    "less": "#1 < #2",
    "less_equal": r"#1 \leq #2",
    "greater": "#1 > #2",
    "greater_equal": r"#1 \geq #2",
    "xlogy": r"#1 \log{\left(#2 \right)}",
    "bernoulli_nll": r"- #2 \log{\left(#1 \right)} - \left(1 - #2\right) \log{\left(1 - #1 \right)}",
    "bernoulli_logit_slope": r"- #2 + \frac{1}{1 + e^{- #1}}",
    "bernoulli_logit_nll": r"- #1 #2 + \log{\left(e^{#1} + 1 \right)}",
    "huber": r"\begin{cases} \frac{#1^{2}}{2} & \text{for}\: #2 \geq \left|{#1}\right| \\#2 \left(- \frac{#2}{2} + \left|{#1}\right|\right) & \text{otherwise} \end{cases}",
    "log_cosh": r"\log{\left(\cosh{\left(#1 \right)} \right)}",
}
