"""What a reader meets who does not follow the examples: odd names, odd spellings, scripts without parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symnet as sn
from symnet.cli import main
from symnet.explain import formula
from symnet.simplify import simplify
from tests.symnet.explain.test_read import drawn_values, in_float64

ODD_NAMES = [
    "hidden state", "a/b", "x-y", "(x)", "|x|", "x^2", "x²", "x_", "_", "__x__", "_1", "1", "0.5", "1x", "a,b", "x[0]",
    "1[x]", "E[x]", "∂L", "∇", "\\alpha", "$x$", "%", "#", "&", "a~b", "x\ny", "W:0", "x′", "γ̂", "W₁", "Σ", "Sigma",
    "日本", "where", "exp", "L", "δ",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_formula_with_an_odd_name_means_what_it_says(name: str, rng: np.random.Generator) -> None:
    """`x-y` is not read as a difference nor `0.5` as a number; what the name was is in the legend."""
    odd, weight = sn.parameter(name, (3,), dtype="float64"), sn.parameter("W", (3,), dtype="float64")
    for value in (sn.exp(odd) @ weight + sn.sum(odd), sn.mean(sn.tanh(odd * weight) ** 2)):
        (again,) = in_float64([value])
        values = drawn_values([again], rng)
        read = formula(again).evaluate(values)
        assert np.allclose(next(iter(read.values())) if isinstance(read, dict) else read, sn.evaluate(again, values))


def test_the_legend_has_the_name_that_cannot_stand_in_a_formula() -> None:
    text = str(sn.sum(sn.parameter("x-y", (3,)) * sn.parameter("1", (3,))))
    above, _, legend = text.partition("\nwith\n")
    assert "x-y" in legend
    assert "x-y" not in above


@pytest.mark.parametrize("spelling", ["ndtr", "halved", "factor", "spread", "erfc"])
def test_the_gradient_of_a_probit_does_not_underflow(spelling: str) -> None:
    """(log Φ)′(x) is near -x for large negative x, where Φ(x) and its density are both 0 in float32."""
    x = sn.input("x", ("N",))
    z = x / 2**0.5
    written = {
        "ndtr": sn.log(sn.ndtr(x)),
        "halved": sn.log((1 + sn.erf(z)) / 2),
        "factor": sn.log(0.5 * (1 + sn.erf(z))),
        "spread": sn.log(0.5 + 0.5 * sn.erf(z)),
        "erfc": sn.log(0.5 * sn.erfc(-z)),
    }[spelling]
    points = np.array([-1e10, -1e3, -30.0, -20.0, 3.0], "float32")
    slopes = sn.evaluate(sn.grad(sn.sum(written), x), {"x": points})
    expected = [1e10, 1000.001, 30.03326, 20.049753, 0.004437839]
    np.testing.assert_allclose(slopes, expected, rtol=2e-6)


def test_simplest_form_of_a_probit() -> None:
    x = sn.input("x", ("N",))
    assert simplify(sn.log(sn.ndtr(x))) is sn.log_ndtr(x)


def test_a_loss_without_parameters_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "model.py"
    script.write_text("import symnet as sn\nloss = sn.mean(sn.input('x', ('N',)) ** 2)\n")
    assert main(["explain", str(script)]) == 1
    assert "loss: nothing trainable is behind it" in capsys.readouterr().err
