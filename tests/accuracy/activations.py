"""Activations, and the identities of sigmoids, tangents and exponentials, as they are written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy

from tests.accuracy.formula import ALL_REAL, BENIGN, FAR, REAL, TINY, UNIT, WIDE, ZERO, Formula, f, over

ROOT2 = float(numpy.sqrt(2))


def sigmoid(np: Any, x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softplus(np: Any, x: Any) -> Any:
    return np.log(1 + np.exp(x))


def tanh(np: Any, x: Any) -> Any:
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


def gelu_tanh(np: Any, x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))


def mish(np: Any, x: Any) -> Any:
    return x * np.tanh(softplus(np, x))


def squareplus(np: Any, x: Any) -> Any:
    return (x + np.sqrt(x**2 + 4)) / 2


PAIRS = ((f(0.3, -1.2, 2.0), f(0.5, 1.4, -0.7)), (f(90, -100, 1e3), f(100, -90, -1e3)), (f(1e-8, 0), f(0, 1e-9)))

ACTIVATIONS = [
    Formula("sigmoid", sigmoid, ALL_REAL),
    Formula("sigmoid by exp over one plus exp", lambda np, x: np.exp(x) / (1 + np.exp(x)), REAL),
    Formula("sigmoid by exp over exp plus one", lambda np, x: np.exp(x) / (np.exp(x) + 1), REAL),
    Formula("sigmoid by tanh", lambda np, x: 0.5 * (1 + np.tanh(x / 2)), REAL),
    Formula("sigmoid by tanh of a product", lambda np, x: 0.5 * np.tanh(0.5 * x) + 0.5, REAL),
    Formula("sigmoid in two branches",
            lambda np, x: np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))), REAL),
    Formula("sigmoid of a slope", lambda np, x: 1 / (1 + np.exp(-3 * x + 1)), REAL),
    Formula("sigmoid with a base", lambda np, x: 1 / (1 + 2 ** (-x)), REAL),
    Formula("derivative of sigmoid", lambda np, x: sigmoid(np, x) * (1 - sigmoid(np, x)), REAL),
    Formula("derivative of sigmoid by exp", lambda np, x: np.exp(-x) / (1 + np.exp(-x)) ** 2, REAL),
    Formula("log sigmoid", lambda np, x: np.log(sigmoid(np, x)), REAL),
    Formula("log sigmoid by softplus", lambda np, x: -np.log(1 + np.exp(-x)), REAL),
    Formula("softplus", softplus, REAL),
    Formula("softplus by log1p", lambda np, x: np.log1p(np.exp(x)), REAL),
    Formula("softplus with beta", lambda np, x: np.log(1 + np.exp(3 * x)) / 3, REAL),
    Formula("softplus with threshold", lambda np, x: np.where(x > 20, x, np.log(1 + np.exp(x))), REAL),
    Formula("softplus, other order", lambda np, x: np.log(np.exp(x) + 1), REAL),
    Formula("softplus with a number", lambda np, x: np.log(numpy.e**0.5 + np.exp(x)), REAL),
    Formula("softplus, shifted", lambda np, x: np.log(1 + np.exp(x - 2)), REAL),
    Formula("shifted softplus", lambda np, x: np.log(0.5 * np.exp(x) + 0.5), REAL),
    Formula("softsign", lambda np, x: x / (1 + np.abs(x)), ALL_REAL),
    Formula("elu", lambda np, x: np.where(x > 0, x, np.exp(x) - 1), REAL),
    Formula("elu with alpha", lambda np, x: np.where(x > 0, x, 0.3 * (np.exp(x) - 1)), REAL),
    Formula("elu by maximum", lambda np, x: np.maximum(x, 0) + np.minimum(np.exp(x) - 1, 0), REAL),
    Formula("selu", lambda np, x: 1.0507 * np.where(x > 0, x, 1.67326 * (np.exp(x) - 1)), REAL),
    Formula("celu", lambda np, x: np.maximum(0, x) + np.minimum(0, 1.3 * (np.exp(x / 1.3) - 1)), REAL),
    Formula("gelu", lambda np, x: 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3))), REAL),
    Formula("gelu by erf", lambda np, x: 0.5 * x * (1 + np.erf(x / ROOT2)), (*REAL, (f(-6, -4.5, -3),))),
    Formula("gelu by sigmoid", lambda np, x: x / (1 + np.exp(-1.702 * x)), REAL),
    Formula("silu", lambda np, x: x / (1 + np.exp(-x)), REAL),
    Formula("swish with beta", lambda np, x: x * sigmoid(np, 0.3 * x), REAL),
    Formula("mish", mish, REAL),
    Formula("mish by exp", lambda np, x: x * ((1 + np.exp(x)) ** 2 - 1) / ((1 + np.exp(x)) ** 2 + 1), REAL),
    Formula("tanh by exp", tanh, REAL),
    Formula("tanh by squared exp", lambda np, x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1), REAL),
    Formula("tanh by negative exp", lambda np, x: (1 - np.exp(-2 * x)) / (1 + np.exp(-2 * x)), REAL),
    Formula("tanh by sigmoid", lambda np, x: 2 * sigmoid(np, 2 * x) - 1, REAL),
    Formula("tanh by quotient", lambda np, x: 2 / (1 + np.exp(-2 * x)) - 1, REAL),
    Formula("derivative of tanh", lambda np, x: 1 - np.tanh(x) ** 2, REAL),
    Formula("scaled tanh", lambda np, x: 1.7159 * np.tanh(2 / 3 * x), REAL),
    Formula("tanhshrink", lambda np, x: x - np.tanh(x), REAL),
    Formula("hard sigmoid", lambda np, x: np.minimum(np.maximum(x / 6 + 0.5, 0), 1), REAL),
    Formula("hard swish", lambda np, x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6, REAL),
    Formula("relu6", lambda np, x: np.minimum(np.maximum(x, 0), 6), REAL[:5]),
    Formula("leaky relu", lambda np, x: np.where(x > 0, x, 0.01 * x), REAL[:5]),
    Formula("leaky relu by maximum", lambda np, x: np.maximum(0.1 * x, x), REAL[:5]),
    Formula("soft shrink", lambda np, x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), REAL),
    Formula("hard shrink", lambda np, x: np.where(np.abs(x) > 0.5, x, 0), REAL),
    Formula("squareplus", squareplus, ALL_REAL),
    Formula("bent identity", lambda np, x: (np.sqrt(x**2 + 1) - 1) / 2 + x, ALL_REAL),
    Formula("inverse square root unit", lambda np, x: x / np.sqrt(1 + x**2), ALL_REAL),
    Formula("inverse square root unit with alpha", lambda np, x: x / np.sqrt(1 + 3 * x**2), ALL_REAL),
    Formula("gaussian", lambda np, x: np.exp(-(x**2)), ALL_REAL),
    Formula("gated linear unit", lambda np, a, b: a * sigmoid(np, b), PAIRS),
    Formula("swiglu", lambda np, a, b: a * (b / (1 + np.exp(-b))), PAIRS),
    Formula("serf", lambda np, x: x * np.erf(softplus(np, x)), REAL),
    Formula("tanh exp", lambda np, x: x * np.tanh(np.exp(x)), REAL),
    Formula("logish", lambda np, x: x * np.log(1 + sigmoid(np, x)), REAL),
    Formula("snake", lambda np, x: x + np.sin(x) ** 2, (*REAL[:3], (f(100.0),))),
    Formula("quadratic sigmoid", lambda np, x: 1 / (1 + x**2), ALL_REAL),
    Formula("log of one plus square", lambda np, x: np.log(1 + x**2), ALL_REAL),
    Formula("gompertz", lambda np, x: np.exp(-np.exp(-x)), REAL),
    Formula("complementary log-log", lambda np, x: 1 - np.exp(-np.exp(x)), REAL),
    Formula("threshold by sigmoid", lambda np, x: 1 / (1 + np.exp(-(x - 0.5) / 0.01)), REAL[:5]),
]  # fmt: skip

IDENTITIES = [
    Formula("sinh", lambda np, x: (np.exp(x) - np.exp(-x)) / 2, over(BENIGN, TINY, WIDE, f(-88, 88), ZERO)),
    Formula("cosh", lambda np, x: (np.exp(x) + np.exp(-x)) / 2, over(BENIGN, TINY, WIDE, f(-88, 88), ZERO)),
    Formula("sech", lambda np, x: 2 / (np.exp(x) + np.exp(-x)), REAL),
    Formula("log cosh", lambda np, x: np.log((np.exp(x) + np.exp(-x)) / 2), REAL),
    Formula("log of a sum of opposite exponentials", lambda np, x: np.log(np.exp(3 * x) + np.exp(-3 * x)), REAL),
    Formula("exp minus one", lambda np, x: np.exp(x) - 1, over(BENIGN, TINY, WIDE, FAR, ZERO)),
    Formula("one minus exp", lambda np, x: 1 - np.exp(-x), over(BENIGN, TINY, WIDE, f(88, 200, -80), ZERO)),
    Formula("exp minus one over x", lambda np, x: (np.exp(x) - 1) / x, over(BENIGN, TINY, WIDE, ZERO)),
    Formula("x over exp minus one", lambda np, x: x / (np.exp(x) - 1), REAL),
    Formula("log of one plus", lambda np, x: np.log(1 + x), over(f(-0.7, 0.4, 1.9), TINY, f(1e4, 1e30), ZERO)),
    Formula("log of one plus over x", lambda np, x: np.log(1 + x) / x, over(f(-0.7, 0.4, 1.9), TINY, f(1e4, 1e30))),
    Formula("log of one minus exp", lambda np, x: np.log(1 - np.exp(-x)), over(f(0.3, 1.9), f(1e-6, 1e-20), f(20, 90))),
    Formula("log of exp minus one", lambda np, x: np.log(np.exp(x) - 1), over(f(0.3, 1.9), f(1e-6, 1e-20), f(20, 200))),
    Formula("inverse softplus", lambda np, x: np.log(np.exp(x) - 1), over(f(0.3, 1.9), f(1e-6, 1e-20), f(90, 1e4))),
    Formula("logit", lambda np, p: np.log(p / (1 - p)), UNIT),
    Formula("logit as a difference", lambda np, p: np.log(p) - np.log(1 - p), UNIT),
    Formula("logit by reciprocal", lambda np, p: -np.log(1 / p - 1), UNIT),
    Formula("logit of sigmoid", lambda np, x: np.log(sigmoid(np, x) / (1 - sigmoid(np, x))), REAL),
    Formula("sigmoid of logit", lambda np, p: sigmoid(np, np.log(p / (1 - p))), UNIT),
    Formula("inverse tanh", lambda np, x: 0.5 * np.log((1 + x) / (1 - x)),
            over(f(-0.7, 0.4, 0.9), TINY, f(0.999999, -0.99999), ZERO)),
    Formula("log-add-exp", lambda np, a, b: np.log(np.exp(a) + np.exp(b)), PAIRS),
    Formula("log-add-exp of three", lambda np, a, b: np.log(np.exp(a) + np.exp(b) + np.exp(a - b)),
            (PAIRS[0], (f(90, -100, 300), f(100, -90, 200)))),
    Formula("log-mean-exp of two", lambda np, a, b: np.log((np.exp(a) + np.exp(b)) / 2), PAIRS),
    Formula("log-sub-exp", lambda np, a, b: np.log(np.exp(a) - np.exp(b)),
            ((f(0.9, 2.0), f(0.5, -0.7)), (f(200, -90), f(100, -100)))),
    Formula("share of two", lambda np, a, b: np.exp(a) / (np.exp(a) + np.exp(b)), PAIRS),
    Formula("product of exponentials", lambda np, a, b: np.exp(a) * np.exp(-b), ((PAIRS[0]), (f(90, 200), f(80, 201)))),
    Formula("log of product of sigmoids", lambda np, a, b: np.log(sigmoid(np, a) * sigmoid(np, b)), PAIRS),
    Formula("either of two", lambda np, a, b: 1 - (1 - sigmoid(np, a)) * (1 - sigmoid(np, b)),
            (PAIRS[0], (f(90, -50, -30), f(100, -60, 20)))),
    Formula("exp of log", lambda np, x: np.exp(3 * np.log(x)), over(f(0.3, 2.0, 9.0), f(1e-10, 1e10))),
    Formula("interpolation of logs", lambda np, a, b: np.exp(0.3 * np.log(a) + 0.7 * np.log(b)),
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(1e-20, 1e30), f(1e20, 1e25)))),
    Formula("exp of a difference of logs", lambda np, a, b: np.exp(np.log(a) - np.log(b)),
            ((f(0.3, 2.0), f(0.5, 4.0)), (f(1e-20, 1e30), f(1e10, 1e25)))),
    Formula("sigmoid of a difference by exponentials", lambda np, a, b: 1 / (1 + np.exp(b) / np.exp(a)), PAIRS),
    Formula("temperature of a sum", lambda np, a, b: 0.1 * np.log(np.exp(a / 0.1) + np.exp(b / 0.1)), PAIRS),
    Formula("smooth maximum", lambda np, a, b: (a * np.exp(a) + b * np.exp(b)) / (np.exp(a) + np.exp(b)), PAIRS[:2]),
    Formula("power of sigmoid", lambda np, x: sigmoid(np, x) ** 3, REAL),
    Formula("square root of sigmoid", lambda np, x: np.sqrt(sigmoid(np, x)), REAL),
    Formula("log of one plus sigmoid's odds", lambda np, x: np.log(1 + sigmoid(np, x) / (1 - sigmoid(np, x))), REAL),
    Formula("annealed gate", lambda np, x: sigmoid(np, x) - sigmoid(np, -x), REAL),
]  # fmt: skip

FORMULAS = [
    *(replace(x, family="activations") for x in ACTIVATIONS),
    *(replace(x, family="identities", name=f"identity: {x.name}") for x in IDENTITIES),
]
