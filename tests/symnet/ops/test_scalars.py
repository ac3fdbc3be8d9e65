"""Scalar functions against their formulas in mpmath, at extreme arguments, and at kinks against PyTorch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import sympy as sp

import symnet.ops as sn
from symnet.derive.reverse import pullback
from symnet.expr.node import Expr
from symnet.expr.op import REGISTRY
from symnet.ops.from_sympy import Floor
from symnet.ops.generate_scalars import TABLE, generate
from symnet.ops.interpret import run
from symnet.ops.scalar_op import ScalarOp

FORMULAS = [op for op in REGISTRY.values() if isinstance(op, ScalarOp) and op.formula is not None]
SMOOTH = [op for op in FORMULAS if any(p is not None for p in op.partials()) and op.name not in ("minimum", "maximum")]
DTYPES = {"float64": 2.0**-52, "float32": 2.0**-23}


def exact_functions(op: ScalarOp) -> tuple[Callable[..., object], list[Callable[..., object]]]:
    """The formula and its derivatives as functions of mpmath numbers."""
    symbols = sp.symbols(f"x:{op.arity}", real=True)
    formula = op.formula(sp, *symbols)  # type: ignore[misc]
    steps = {"Floor": mpmath.floor, "Ceiling": mpmath.ceil}
    modules = [{"DiracDelta": lambda x: 0, "Heaviside": lambda x, h=0.5: mpmath.mpf(x > 0), **steps}, "mpmath"]
    partials = []
    if op in SMOOTH:
        smooth = formula.replace(sp.floor, Floor)
        if op.name == "clip":
            (x, a, b) = symbols
            smooth = sp.Piecewise((a, x < a), (b, x > b), (x, True))
        partials = [sp.diff(smooth, s) for s in symbols]
    return sp.lambdify(symbols, formula, modules), [sp.lambdify(symbols, d, modules) for d in partials]


def points(op: ScalarOp, rng: np.random.Generator, dtype: str, count: int = 60) -> list[np.ndarray]:
    """Arguments over the whole domain: spread evenly, by magnitude on both sides, and the ends."""
    columns = []
    for low, high in op.domain:
        inside = rng.uniform(low, high, count)
        top = max(abs(low), abs(high))
        sizes = np.exp(rng.uniform(np.log(max(1e-30, min(1e-6, top))), np.log(top), count))
        both = np.concatenate([inside, sizes, -sizes, [low, high], rng.uniform(-3, 3, count)])
        columns.append(np.clip(both, low, high).astype(dtype))
    return [rng.permutation(c) if i else c for i, c in enumerate(columns)]


def arguments(op: ScalarOp, columns: list[np.ndarray]) -> tuple[list[Expr], dict[Expr, np.ndarray]]:
    inputs = [sn.input("abcdef"[i], c.shape, c.dtype.name) for i, c in enumerate(columns)]
    return inputs, dict(zip(inputs, columns, strict=True))


def exact(function: Callable[..., object], columns: list[np.ndarray]) -> np.ndarray:
    with mpmath.workdps(350):  # enough for 1 + exp(-745)
        rows = zip(*(c.tolist() for c in columns), strict=True)
        results = [function(*(mpmath.mpf(v) for v in row)) for row in rows]
        return np.array([bool(r) if isinstance(r, (bool, sp.logic.boolalg.BooleanAtom)) else float(r) for r in results])


def scale_of(op: ScalarOp, columns: list[np.ndarray]) -> np.ndarray | float:
    """The size of what the formula adds up: errors are measured against it (1 + erf cancels for negative arguments)."""
    if op.name in ("gelu", "gelu_tanh"):
        return np.abs(columns[0].astype("float64"))
    if op.name in ("lgamma_step", "betaln", "gamma_ratio"):  # differences of terms of this size at least
        return 2.0
    if op.name in ("add", "subtract", "mod"):
        return np.max(np.abs([c.astype("float64") for c in columns]), axis=0)
    if op.name == "bernoulli_logit_slope":  # whichever of t and 1 - t is subtracted
        return np.maximum(columns[1], 1.0 - columns[1]).astype("float64")
    return 0.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", FORMULAS, ids=lambda op: op.name)
def test_evaluation_agrees_with_the_formula(op: ScalarOp, dtype: str, rng: np.random.Generator) -> None:
    if op.name == "log_blend":
        pytest.skip("ill-conditioned where the blend is near 1; its rules are measured in tests/accuracy")
    columns = points(op, rng, dtype)
    inputs, values = arguments(op, columns)
    ours = run([op(*inputs)], values, {})[0]
    theirs = exact(exact_functions(op)[0], columns)
    if ours.dtype == bool:
        np.testing.assert_array_equal(ours, theirs)
        return
    with np.errstate(over="ignore", under="ignore"):
        rounded = theirs.astype(dtype)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(ours[~finite], rounded[~finite])
    exponent = 1.0 if op.name != "power" else 1.0 + np.abs(columns[1] * np.log(columns[0])).max()
    allowed = 6 * exponent * DTYPES[dtype] * np.maximum(np.abs(theirs), scale_of(op, columns)) + np.finfo(dtype).tiny
    error = np.abs(ours.astype("float64") - theirs)
    worst = int(np.argmax(np.where(finite, error / allowed, 0)))
    assert (error <= allowed)[finite].all(), (op.name, [c[worst] for c in columns], ours[worst], theirs[worst])


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
def test_derivative_agrees_with_the_formula(op: ScalarOp, rng: np.random.Generator) -> None:
    columns = [c[np.abs(c) > 1e-6] if op.arity == 1 else c for c in points(op, rng, "float64")]
    inputs, values = arguments(op, columns)
    node = op(*inputs)
    gradients = run(pullback([node], [sn.ones(node.shape, "float64")], inputs), values, {})
    for ours, function in zip(gradients, exact_functions(op)[1], strict=True):
        theirs = exact(function, columns)
        scale = np.maximum(np.abs(theirs), np.minimum(1.0, np.abs(columns[0])))
        exponent = 1.0 if op.name != "power" else 1.0 + np.abs(columns[1] * np.log(columns[0])).max()
        np.testing.assert_array_less(np.abs(ours - theirs), 32 * exponent * 2.0**-52 * scale + 1e-300, err_msg=op.name)


@pytest.mark.parametrize("x", [-1e4, -745.0, -90.0, -40.0, 0.0, 40.0, 90.0, 745.0, 1e4])
@pytest.mark.parametrize(
    "name", ["sigmoid", "log_sigmoid", "softplus", "tanh", "silu", "gelu", "gelu_tanh", "relu", "erf"]
)
def test_no_nan_at_large_arguments(name: str, x: float) -> None:
    """Value, first and second derivative, in both types."""
    for dtype in DTYPES:
        node = sn.input("x", (), dtype)
        value = getattr(sn, name)(node)
        first = pullback([value], [sn.ones((), dtype)], [node])[0]
        second = pullback([first], [sn.ones((), dtype)], [node])[0]
        assert np.isfinite(sn.evaluate([value, first, second], {"x": x})).all()


def test_tails_keep_their_digits() -> None:
    x = sn.input("x", (), "float64")
    for name, expected in {
        "sigmoid": lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2,
        "softplus": lambda x: 1 / (1 + mpmath.exp(-x)),
        "log_sigmoid": lambda x: 1 / (1 + mpmath.exp(x)),
    }.items():
        slope = pullback([getattr(sn, name)(x)], [sn.ones((), "float64")], [x])[0]
        for at in (-200.0, -40.0, 40.0, 200.0):
            with mpmath.workdps(200):
                reference = float(expected(mpmath.mpf(at)))
            np.testing.assert_allclose(sn.evaluate(slope, {"x": at}), reference, rtol=1e-14, err_msg=f"{name} at {at}")


def test_table_is_up_to_date() -> None:
    assert TABLE.read_text(encoding="utf-8") == generate(), "run python -m symnet.ops.generate_scalars"


def test_nothing_imports_sympy() -> None:
    script = """
import sys, symnet.ops as sn
from symnet.expr.text import dumps, loads
from symnet.derive.reverse import pullback
x = sn.input("x", (3,))
g = pullback([sn.sum(sn.gelu(x) * sn.tanh(x))], [sn.constant(1.0)], [x])[0]
loads(dumps(g)); sn.evaluate(g, {"x": [1.0, 2.0, 3.0]})
sys.exit("sympy" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


KINKS = {
    # ours, PyTorch's, arguments at and around the kinks
    "relu": (lambda x: sn.relu(x), lambda t, x: t.relu(x), [[-1.0, -0.0, 0.0, 2.0]]),
    "absolute": (lambda x: abs(x), lambda t, x: t.abs(x), [[-1.0, -0.0, 0.0, 2.0]]),
    "sign": (lambda x: sn.sign(x) * x, lambda t, x: t.sign(x) * x, [[-1.0, 0.0, 2.0]]),
    "floor": (lambda x: sn.floor(x) * x, lambda t, x: t.floor(x) * x, [[-1.5, 0.0, 2.0]]),
    "round": (lambda x: sn.round(x) * x, lambda t, x: t.round(x) * x, [[-1.5, 0.5, 1.5, 2.5]]),
    "maximum": (lambda x, y: sn.maximum(x, y), lambda t, x, y: t.maximum(x, y), [[1.0, 2.0, 0.0], [1.0, 1.0, 3.0]]),
    "minimum": (lambda x, y: sn.minimum(x, y), lambda t, x, y: t.minimum(x, y), [[1.0, 2.0, 0.0], [1.0, 1.0, 3.0]]),
    "clip": (lambda x: sn.clip(x, -1.0, 1.0), lambda t, x: t.clamp(x, -1.0, 1.0), [[-2.0, -1.0, 0.0, 1.0, 2.0]]),
    "clip_bounds": (
        lambda x, a, b: sn.clip(x, a, b),
        lambda t, x, a, b: t.clamp(x, a, b),
        [[-2.0, -1.0, 0.0, 1.0, 2.0, 0.0], [-1.0, -1.0, -1.0, -1.0, -1.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]],
    ),
    "where": (
        lambda x, y: sn.where(x > 0, sn.sqrt(sn.where(x > 0, x, 1.0)), sn.log(y)),
        lambda t, x, y: t.where(x > 0, t.sqrt(t.where(x > 0, x, 1.0)), t.log(y)),
        [[-1.0, 0.0, 4.0], [1.0, 2.0, 3.0]],
    ),
    "sqrt": (lambda x: sn.sqrt(x), lambda t, x: t.sqrt(x), [[0.0, 1.0]]),
    "power_constants": (
        lambda x: x**2 + x**3 + x**0 + x**1 + x**-1.5,
        lambda t, x: x**2 + x**3 + x**0 + x**1 + x**-1.5,
        [[0.5, 2.0]],
    ),
    "power_zero_exponent": (lambda x: x**0 + x**0.0, lambda t, x: x**0 + x**0.0, [[0.0, -2.0, 1.0]]),
    "power_at_zero": (
        lambda x, p: sn.power(x, p),
        lambda t, x, p: t.pow(x, p),
        [[0.0, 0.0, 0.0, 2.0, 3.0], [0.0, 1.0, 2.0, 0.0, -1.0]],
    ),
    "mod": (lambda x, y: sn.mod(x, y), lambda t, x, y: t.remainder(x, y), [[5.5, -5.5, 7.0], [2.0, 2.0, -3.0]]),
    "divide": (lambda x, y: x / y, lambda t, x, y: x / y, [[1.0, -3.0], [2.0, 1e160]]),
    "amax": (lambda x: sn.max(x), lambda t, x: t.amax(x), [[1.0, 3.0, 3.0, 2.0, 3.0]]),
    "amin": (lambda x: sn.min(x), lambda t, x: t.amin(x), [[1.0, 3.0, 1.0]]),
    "prod_one_zero": (lambda x: sn.prod(x), lambda t, x: t.prod(x), [[1.0, 0.0, 3.0, 2.0]]),
    "prod_two_zeros": (lambda x: sn.prod(x), lambda t, x: t.prod(x), [[1.0, 0.0, 3.0, 0.0]]),
}


@pytest.mark.parametrize("name", KINKS)
def test_subgradients_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs, lists = KINKS[name]
    tensors = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in lists]
    result = theirs(torch, *tensors)
    expected = torch.autograd.grad(result.sum(), tensors)
    inputs = [sn.input("xyz"[i], (len(v),), "float64") for i, v in enumerate(lists)]
    node = ours(*inputs)
    values = {"xyz"[i]: v for i, v in enumerate(lists)}
    np.testing.assert_allclose(sn.evaluate(node, values), result.detach().numpy())
    gradients = pullback([node], [sn.ones(node.shape, "float64")], inputs)
    for gradient, reference in zip(sn.evaluate(gradients, values), expected, strict=True):
        np.testing.assert_allclose(gradient, reference.numpy(), err_msg=name)


def test_what_is_not_chosen_makes_no_nan() -> None:
    x = sn.input("x", (4,), "float64")
    node = sn.where(x > 0, sn.log(sn.where(x > 0, x, 1.0)), 0.0) + sn.where(x == 0, 0.0, 1.0 / sn.where(x == 0, 1.0, x))
    gradient = pullback([node], [sn.ones((4,), "float64")], [x])[0]
    assert np.isfinite(sn.evaluate(gradient, {"x": [0.0, -1.0, 2.0, 0.0]})).all()
    masked = pullback([sn.relu(x) * sn.sqrt(sn.relu(x) + 1.0)], [sn.ones((4,), "float64")], [x])[0]
    assert sn.evaluate(masked, {"x": [0.0, -1.0, 3.0, -np.inf]})[3] == 0.0


def test_square_and_integer_powers_stay_in_their_type() -> None:
    k = sn.input("k", (3,), "int64")
    assert (k**2).dtype == "int64"
    assert sn.evaluate(k**3, {"k": [1, -2, 3]}).tolist() == [1, -8, 27]
    assert sn.relu(k).dtype == "int64"
    assert sn.evaluate(sn.relu(k), {"k": [1, -2, 3]}).tolist() == [1, 0, 3]
    with pytest.raises(ValueError, match="negative powers"):
        sn.evaluate(sn.power(k, sn.constant([-1, 1, 1])), {"k": [1, 2, 3]})
