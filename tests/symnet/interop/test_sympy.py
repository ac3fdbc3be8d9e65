"""To SymPy and back: the same numbers on the way and at the end."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

import symnet as sn
from symnet.errors import DTypeError, UnknownName, Unsupported, UsageError
from symnet.expr.op import REGISTRY
from symnet.ops.scalar_op import ScalarOp

x, y = sn.input("x", ("N", 3), "float64"), sn.parameter("y", (3,), dtype="float64")
WAY = sn.interop.sympy

FORMULAS: dict[str, sn.Expr] = {
    "arithmetic": (x * y - 2.5) / (1 + x * x) - 3 * y,
    "powers": x**3 + sn.sqrt(x * x + 1) + 1 / sn.sqrt(2 + y * y) + 2.0**x,
    "logistic": sn.log(1 + sn.exp(x)) + sn.sigmoid(y) * sn.log_sigmoid(x),
    "circle": sn.sin(x) * sn.cos(y) + sn.tan(x / 3) + sn.atan(x * y) + sn.asin(x / 10) + sn.acos(y / 10),
    "hyperbola": sn.sinh(x) + sn.cosh(y) - sn.tanh(x * y) + sn.asinh(x) + sn.atanh(y / 9) + sn.acosh(2 + x * x),
    "choice": sn.where(x > y, x * y, sn.where(x < 0, -x, y)),
    "clipped": sn.maximum(sn.minimum(x, y), -0.5) + abs(x) + sn.sign(y),
    "activations": sn.relu(x) + sn.gelu(y) + sn.silu(x * y) + sn.erf(x),
    "whole numbers": sn.floor(x * 3) + sn.ceil(y * 2) + sn.cast(x > 0.3, "float64"),
    "constants": math.pi * x + 0.1 * y + 1 / 3,
    "own": sn.elementwise("mish", lambda t: t * sp.tanh(sp.log(1 + sp.exp(t))))(x) + y,
}


def numbers(formula: Any, values: dict[str, np.ndarray]) -> np.ndarray:
    """A SymPy formula at every element."""
    grid = np.broadcast_arrays(*values.values())
    result = np.empty(grid[0].shape)
    for index in np.ndindex(grid[0].shape):
        here = {sp.Symbol(n, real=True): sp.Float(float(g[index]), 30) for n, g in zip(values, grid, strict=True)}
        result[index] = float(sp.N(formula.subs(here), 20))
    return result


@pytest.mark.parametrize("name", FORMULAS)
def test_there_and_back(name: str, seed: int) -> None:
    expr, rng = FORMULAS[name], np.random.default_rng(seed)
    values = {"x": rng.normal(size=(2, 3)), "y": rng.normal(size=3)}
    wanted = sn.evaluate(expr, values)
    formula = WAY.to_sympy(expr)
    np.testing.assert_allclose(numbers(formula, values), wanted, rtol=1e-12, atol=1e-14)
    back = WAY.from_sympy(formula, {"x": x, "y": y})
    np.testing.assert_allclose(sn.evaluate(back, values), np.broadcast_to(wanted, back_shape(back, values)), rtol=1e-10)


def back_shape(back: sn.Expr, values: dict[str, np.ndarray]) -> tuple[int, ...]:
    return tuple(np.shape(sn.evaluate(back, values)))


COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
SCALAR = [name for name, op in REGISTRY.items() if isinstance(op, ScalarOp) and op.formula and op.domain]


@pytest.mark.parametrize("name", [name for name in SCALAR if name not in COMPARISONS])
def test_every_scalar_function_goes_out(name: str, seed: int) -> None:
    op, rng = REGISTRY[name], np.random.default_rng(seed)
    assert isinstance(op, ScalarOp)
    inputs = [sn.input("abcd"[i], (), "float64") for i in range(op.arity)]
    low_high = [(max(low, -2.0), min(high, max(3.0, low + 1.0))) for low, high in op.domain]
    values = {n.name: np.array(rng.uniform(low, high)) for n, (low, high) in zip(inputs, low_high, strict=True)}
    formula = WAY.to_sympy(op(*inputs))
    wanted = float(sn.evaluate(op(*inputs), values))
    assert float(numbers(formula, values)) == pytest.approx(wanted, rel=1e-9, abs=1e-12)  # type: ignore[arg-type]


def test_derivatives_agree(seed: int) -> None:
    """The gradient that symnet derives is the derivative that SymPy finds."""
    expr, rng = FORMULAS["logistic"], np.random.default_rng(seed)
    values = {"x": rng.normal(size=(2, 3)), "y": rng.normal(size=3)}
    theirs = sp.diff(WAY.to_sympy(expr), sp.Symbol("x", real=True))
    np.testing.assert_allclose(numbers(theirs, values), sn.evaluate(sn.grad(sn.sum(expr), x), values), rtol=1e-10)


def test_inner_values_may_have_symbols() -> None:
    total = sn.sum(x)
    formula = WAY.to_sympy(sn.exp(x) / total, {total: sp.Symbol("s")})
    assert formula == sp.exp(sp.Symbol("x", real=True)) / sp.Symbol("s")
    assert WAY.from_sympy(formula, {"x": x, sp.Symbol("s"): total}) is sn.exp(x) / total


def test_constants_are_exact() -> None:
    assert WAY.to_sympy(math.pi * x + 2.0) == sp.pi * sp.Symbol("x", real=True) + 2
    assert WAY.from_sympy(sp.Rational(1, 2) * sp.Symbol("x"), {"x": x}).dtype == "float64"


def test_stable_forms_come_in() -> None:
    t = sp.Symbol("t")
    assert "softplus(x)" in str(WAY.from_sympy(sp.log(1 + sp.exp(t)), {"t": x}))


def test_the_gamma_function_and_its_relatives() -> None:
    t = sp.Symbol("t", real=True)
    ways = {sp.loggamma(t): sn.lgamma(x), sp.gamma(t): sn.gamma(x), sp.digamma(t): sn.digamma(x),
            sp.polygamma(1, t): sn.trigamma(x), sp.polygamma(3, t): sn.polygamma(3, x)}  # fmt: skip
    for formula, node in ways.items():
        assert WAY.from_sympy(formula, {"t": x}) is node
        assert WAY.to_sympy(node, {x: t}) == formula


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: WAY.to_sympy(sn.softmax(x)), Unsupported, "'softmax' does not act element by element"),
        (lambda: WAY.to_sympy(sn.sum(x) + 1), Unsupported, "'sum' does not act.*symbols={node: …}"),
        (lambda: WAY.to_sympy(x @ sn.input("W", (3, 2), "float64")), Unsupported, "'contract'"),
        (lambda: WAY.to_sympy(x.T), Unsupported, "'transpose'"),
        (lambda: WAY.to_sympy(3.0), DTypeError, "to_sympy: got float"),
        (lambda: WAY.to_sympy(x, {"x": sp.Symbol("q")}), DTypeError, "expected expressions as keys"),
        (lambda: WAY.to_sympy(x + sn.input("x", (3,), "float64")), UsageError, "two values are named 'x'"),
        (lambda: WAY.from_sympy(sp.zeta(sp.Symbol("x")), {"x": x}), Unsupported, "from_sympy: .*zeta"),
        (lambda: WAY.from_sympy(sp.Symbol("yy"), {"y": y}), UnknownName, "'yy' stands for nothing; did you mean 'y'"),
        (lambda: WAY.from_sympy(sp.Symbol("k"), {"k": sn.input("k", (), "int64")}), DTypeError, "stands for int64"),
        (lambda: WAY.from_sympy(sp.Symbol("k"), {"k": 3}), DTypeError, "stands for int, expected"),
        (lambda: WAY.from_sympy(sp.true, {}), DTypeError, "expected a formula that is a number"),
        (
            lambda: WAY.from_sympy(sp.Symbol("a") + sp.Symbol("b"), {"a": x, "b": sn.input("b", ())}),
            DTypeError,
            "float32 and float64",
        ),
    ],
)
def test_mistakes(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_what_there_is() -> None:
    assert dir(sn.interop) == ["sympy"]
    with pytest.raises(AttributeError, match="did you mean 'sympy'"):
        sn.interop.sypy  # noqa: B018


def test_sympy_is_imported_when_it_is_used() -> None:
    code = "import sys, symnet as sn; sn.interop.sympy; assert 'sympy' not in sys.modules, 'imported'"
    subprocess.run([sys.executable, "-c", code], check=True)
