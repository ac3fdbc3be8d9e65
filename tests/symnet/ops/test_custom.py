"""A user's own scalar functions from SymPy formulas."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sympy as sp

import symnet.ops as sn
from symnet.derive.reverse import pullback
from symnet.errors import DTypeError, ShapeError, SymnetError, Unsupported, UsageError
from symnet.expr.text import dumps, loads

FORMULAS = {
    "mish": lambda t: t * sp.tanh(sp.log(1 + sp.exp(t))),
    "polynomial": lambda t: 3 * t**5 - t**4 / 7 + t**3 - 2 * t**2 + sp.pi * t - sp.Rational(1, 3),
    "rational": lambda t: (t**2 + 1) / (t**4 + t**2 + 2),
    "roots": lambda t: sp.sqrt(t**2 + 1) + 1 / sp.sqrt(t**2 + 3) + (t**2 + 1) ** sp.Rational(1, 3),
    "trigonometric": lambda t: sp.sin(2 * t) * sp.cos(t) + sp.tan(t / 4),
    "hyperbolic": lambda t: sp.sinh(t / 3) + sp.cosh(t / 3) - sp.tanh(t) + sp.sech(t),
    "exponential": lambda t: sp.exp(-(t**2) / 2) + 2**t + sp.exp(t) - 1 + sp.log(t**2 + 1, 2),
    "erfs": lambda t: sp.erf(t) + sp.erfc(t / 2),
    "swish2": lambda t: t / (1 + sp.exp(-2 * t)),
    "elu": lambda t: sp.Piecewise((t, t > 0), (sp.exp(t) - 1, True)),
    "bands": lambda t: sp.Piecewise((-1, t < -1), (t**2, (t >= -1) & (t < 1)), (sp.Abs(t), True)),
    "kinks": lambda t: sp.Max(t, 0.3, -t) - sp.Min(t**2, 1) + sp.Abs(t - sp.Rational(1, 7)),
    "steps": lambda t: t * sp.floor(t) + sp.sign(t) * t + sp.ceiling(t) + sp.Heaviside(t - 5),
    "two": lambda a, b: a**2 * sp.sin(b) + sp.Max(a, b) / (1 + b**2),
    "power": lambda a, b: (a**2 + 1) ** b,
    "remainder": lambda t: sp.Mod(t, 2) * t,
    "constant": lambda t: sp.Integer(2),
    "identity": lambda t: t,
    "unused": lambda a, b: a * 2,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_derivatives(name: str, rng: np.random.Generator) -> None:
    formula = FORMULAS[name]
    function = sn.elementwise(name, formula)
    count = formula.__code__.co_argcount
    arrays = [rng.normal(size=(7, 3)) * 1.7, rng.normal(size=(3,))][:count]
    inputs = [sn.input("ab"[i], a.shape, "float64") for i, a in enumerate(arrays)]
    values = dict(zip(inputs, arrays, strict=True))
    node = function(*inputs)
    assert (node.shape, node.dtype) == ((7, 3), "float64")
    symbols = sp.symbols("a b", real=True)[:count]
    reference = sp.lambdify(symbols, formula(*symbols), ["scipy" if _has_scipy() else "math", "numpy"])
    np.testing.assert_allclose(sn.evaluate(node, values), _call(reference, arrays), rtol=1e-12, atol=1e-12)

    directions = [rng.normal(size=a.shape) for a in arrays]
    first = pullback([node], [sn.ones(node.shape, "float64")], inputs)
    along = sum(sn.sum(g * d) for g, d in zip(first, directions, strict=True))
    second = pullback([along], [sn.ones((), "float64")], inputs)

    def at(root: object, t: float) -> float:
        return float(
            np.sum(sn.evaluate(root, {i: a + t * d for i, a, d in zip(inputs, arrays, directions, strict=True)}))
        )

    for root, gradients in ((node, first), (along, second)):
        slope = (8 * (at(root, 1e-4) - at(root, -1e-4)) - at(root, 2e-4) + at(root, -2e-4)) / 12e-4
        found = sum(np.sum(g * d) for g, d in zip(sn.evaluate(gradients, values), directions, strict=True))
        np.testing.assert_allclose(found, slope, rtol=1e-7, atol=1e-8)


def _has_scipy() -> bool:
    try:
        import scipy  # noqa: F401
    except ImportError:
        return False
    return True


def _call(reference: object, arrays: list[np.ndarray]) -> np.ndarray:
    """Element by element, as math functions take numbers."""
    return np.vectorize(lambda *row: float(reference(*row)))(*arrays)  # type: ignore[operator]


def test_what_overflows_as_written_does_not() -> None:
    softplus = sn.elementwise("my_softplus", lambda t: sp.log(1 + sp.exp(t)))
    logistic = sn.elementwise("my_sigmoid", lambda t: sp.exp(t) / (1 + sp.exp(t)))
    x = sn.input("x", (4,))
    for function in (softplus, logistic):
        node = function(x)
        first = pullback([node], [sn.ones((4,))], [x])[0]
        second = pullback([first], [sn.ones((4,))], [x])[0]
        assert np.isfinite(sn.evaluate([node, first, second], {"x": [-1e4, -100.0, 100.0, 1e4]})).all()
    small = sn.elementwise("small", lambda t: sp.log(1 + t) + sp.exp(t) - 1)
    np.testing.assert_allclose(sn.evaluate(small(x), {"x": np.full(4, 1e-7)}), 2e-7, rtol=1e-6)


def test_same_formula_is_the_same_node() -> None:
    x = sn.input("x", (3,))
    a, b = (sn.elementwise("f", lambda t: sp.sin(t) ** 2) for _ in range(2))
    assert a(x) is b(x)
    assert sn.elementwise("g", lambda t: sp.sin(t) ** 2)(x) is not a(x)
    assert sn.elementwise("f", lambda t: sp.cos(t) ** 2)(x) is not a(x)
    assert a(x).attrs["formula"] == "sin(t)**2"


def test_types() -> None:
    f = sn.elementwise("f", lambda t: sp.sin(t) + 1)
    assert f(sn.input("x", (3,))).dtype == "float32"
    assert f(sn.input("x", (3,), "int64")).dtype == "float32"
    assert f(sn.input("x", ("N",), "float64")).dtype == "float64"
    assert float(sn.evaluate(f(0.0))) == 1.0


def test_kinks() -> None:
    x = sn.input("x", (3,), "float64")
    for formula, expected in [(lambda t: sp.Max(t, 0), [0, 0.5, 1]), (lambda t: sp.Abs(t), [-1, 0, 1])]:
        node = sn.elementwise("kink", formula)(x)
        slope = sn.evaluate(pullback([node], [sn.ones((3,), "float64")], [x])[0], {"x": [-1.0, 0.0, 1.0]})
        assert slope.tolist() == expected


def test_text_needs_no_sympy(tmp_path: object) -> None:
    text = dumps(sn.elementwise("mish", FORMULAS["mish"])(sn.input("x", (3,))))
    script = (
        "import sys; from symnet.expr.text import dumps, loads\n"
        "text = sys.stdin.read(); e = loads(text)\n"
        "from symnet.derive.reverse import pullback; import symnet.ops as sn\n"
        "sn.evaluate(pullback([e], [sn.ones((3,))], [e.args[0]])[0], {'x': [1.0, 2.0, 3.0]})\n"
        "sys.exit(dumps(e) != text or 'sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], input=text, text=True, check=False).returncode == 0
    assert loads(text).attrs["function"] == "mish"


def test_errors() -> None:
    x = sn.input("x", (3,))
    with pytest.raises(ShapeError, match="f: got 2 operands, expected 1"):
        sn.elementwise("f", lambda t: t)(x, x)
    with pytest.raises(Unsupported, match=r"'f'.*besselj"):
        sn.elementwise("f", lambda t: sp.besselj(0, t))(x)
    with pytest.raises(UsageError, match=r"\['z'\]"):
        sn.elementwise("f", lambda t: t * sp.Symbol("z"))
    with pytest.raises(UsageError, match="name"):
        sn.elementwise("", lambda t: t)
    with pytest.raises(DTypeError, match="function of SymPy symbols"):
        sn.elementwise("f", 3)  # type: ignore[arg-type]
    with pytest.raises(SymnetError, match="expected a number"):
        sn.elementwise("f", lambda t: t > 0)
    with pytest.raises(UsageError, match="no parameters"):
        sn.elementwise("f", lambda: sp.Integer(1))
