"""The gamma function and its relatives: against mpmath in native code, at poles and zeros, and as formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import symnet as sn
from symnet.ops.gamma_functions import digamma_step, lgamma_step

Real = Any
INF, NAN = math.inf, math.nan

POSITIVE = [1e-30, 1e-5, 0.3, 0.999999, 1.0000001, 1.4616321, 1.75, 1.9999999, 2.00001, 3.3, 5.999, 6.001, 12.5, 31.0]
NEGATIVE = [-1e-6, -0.3, -0.504083, -1.5, -2.457, -3.14358, -6.7, -20.5]
FUNCTIONS: dict[str, tuple[Callable[[Real], Real], list[float]]] = {
    "lgamma": (lambda x: mp.re(mp.loggamma(x)), [*POSITIVE, *NEGATIVE, 1e4, 1e20, 1e30]),
    "digamma": (lambda x: mp.psi(0, x), [*POSITIVE, *NEGATIVE, 1e4, 1e20, 1e30]),
    "trigamma": (lambda x: mp.psi(1, x), [*POSITIVE[1:], *NEGATIVE, 1e4, 1e20, 1e30]),
    "polygamma2": (lambda x: mp.psi(2, x), [*POSITIVE[1:], *NEGATIVE[1:], 1e4, 1e10]),
    "polygamma3": (lambda x: mp.psi(3, x), [*POSITIVE[1:], *NEGATIVE[1:], 1e4, 1e8]),
    "gamma": (mp.gamma, [*POSITIVE, *NEGATIVE]),
    "factorial": (mp.factorial, [0.0, 1.0, 4.0, 5.5, 20.0, 30.0]),
    "multigammaln": (lambda x: 1.5 * mp.log(mp.pi) + sum(mp.loggamma(x - k / 2) for k in range(3)), [2.5, 4.0, 1e3]),
}
UNITS = {"float32": 3.0, "float64": 12.0}


def applied(name: str, x: sn.Expr) -> sn.Expr:
    result: sn.Expr
    if name.startswith("polygamma"):
        result = sn.polygamma(int(name[-1]), x)
    else:
        result = sn.multigammaln(x, 3) if name == "multigammaln" else getattr(sn, name)(x)
    return result


@pytest.mark.parametrize("dtype", UNITS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_units_in_the_last_place(name: str, dtype: str) -> None:
    exact, points = FUNCTIONS[name]
    values = np.array(points, dtype)
    x = sn.input("x", values.shape, dtype)
    got = np.asarray(sn.function([x], applied(name, x), accuracy="off")(values))
    with mp.workdps(60):
        for value, result in zip(values.tolist(), got.tolist(), strict=True):
            wanted = exact(mp.mpf(value))
            # Near zeros between the poles two terms cancel, the second of which is the function of 1 - x.
            size = abs(wanted) if value >= 0 or dtype == "float32" else max(abs(wanted), abs(exact(1 - mp.mpf(value))))
            unit = mp.mpf(float(np.spacing(np.array(float(size), dtype))))
            assert abs(mp.mpf(result) - wanted) <= UNITS[dtype] * unit, (name, value, result, float(wanted))


EDGES: dict[str, dict[float, float]] = {
    "lgamma": {0.0: INF, -1.0: INF, -30.0: INF, INF: INF, -INF: INF, 1.0: 0.0, 2.0: 0.0},
    "digamma": {0.0: -INF, -1.0: NAN, -30.0: NAN, INF: INF, -INF: NAN, 1.0: -0.5772156649015329},
    "trigamma": {0.0: INF, -1.0: INF, INF: 0.0, 1.0: math.pi**2 / 6},
    "gamma": {0.0: INF, 1.0: 1.0, 5.0: 24.0, -1.0: NAN, 180.0: INF, -180.5: 0.0, INF: INF},
}


@pytest.mark.parametrize("name", EDGES)
def test_edges_and_the_reference_interpreter(name: str) -> None:
    values = np.array(list(EDGES[name]))
    x = sn.input("x", values.shape, "float64")
    for got in (sn.function([x], getattr(sn, name)(x))(values), sn.evaluate(getattr(sn, name)(x), {"x": values})):
        np.testing.assert_allclose(got, list(EDGES[name].values()), rtol=1e-13, err_msg=name)


def test_steps_do_not_cancel() -> None:
    base = [0.5, 3.0, 12.0, 1e5, 1e10, 1e15, 5.0, 5.0, 2.0, 0.01]
    step = [0.1, 1e-9, 0.25, 0.5, 0.5, 1.25, 1e-8, 100.0, -0.5, 1e-7]
    x, d = (sn.input(name, (len(base),), "float64") for name in "xd")
    ours = sn.function([x, d], [lgamma_step(x, d), digamma_step(x, d)])(np.array(base), np.array(step))
    with mp.workdps(60):
        for got, exact in zip(ours, (mp.loggamma, mp.digamma), strict=True):
            wanted = [float(exact(mp.mpf(b) + mp.mpf(h)) - exact(mp.mpf(b))) for b, h in zip(base, step, strict=True)]
            np.testing.assert_allclose(got, wanted, rtol=2e-14)


def test_betaln_of_very_different_operands() -> None:
    x, y = sn.input("x", (4,)), sn.input("y", (4,))
    values = [np.array(v, "float32") for v in ([0.5, 1e10, 2.0, 1e-20], [1e15, 0.25, 3.0, 1e20])]
    got = sn.function([x, y], sn.betaln(x, y))(*values)
    with mp.workdps(60):
        wanted = [float(mp.log(mp.beta(float(a), float(b)))) for a, b in zip(*values, strict=True)]
    np.testing.assert_allclose(got, wanted, rtol=3e-7)


def test_formulas_and_names() -> None:
    x = sn.input("x", ("N",))
    written = {"logΓ(x)": sn.lgamma(x), "ψ(x)": sn.digamma(x), "ψ₁(x)": sn.trigamma(x), "ψ₂(x)": sn.polygamma(2, x),
               "Γ(x)": sn.gamma(x), "logB(x, x)": sn.betaln(x, x)}  # fmt: skip
    assert {str(node) for node in written.values()} == set(written)
    assert sn.lgamma(x).latex() == r"\log\Gamma\left(x\right)"
    assert sn.trigamma(x).latex() == r"\psi_{1}\left(x\right)"
    assert str(sn.grad(sn.sum(sn.lgamma(x)), x)) == "ψ(x)"
    assert (sn.gammaln, sn.psi) == (sn.lgamma, sn.digamma)
    assert sn.polygamma(0, x) is sn.digamma(x)


@pytest.mark.parametrize(
    "call", [lambda x: sn.polygamma(x, 2), lambda x: sn.polygamma(-1, x), lambda x: sn.multigammaln(x, 0)]
)
def test_mistakes(call: Callable[[sn.Expr], sn.Expr]) -> None:
    with pytest.raises(sn.errors.UsageError, match="expected a"):
        call(sn.input("x", (3,)))
