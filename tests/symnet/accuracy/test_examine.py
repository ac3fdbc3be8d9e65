"""What is found about a chain, and what mends it: held to values with many digits."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import symnet as sn
from symnet.accuracy.chains import POINTS, Chain, suspects
from symnet.accuracy.examine import Verdict, examine
from symnet.accuracy.measure import ILL, exact, matters, quick
from symnet.accuracy.widen import widened
from symnet.expr.node import Expr
from symnet.ops.exactly import evaluate

x, y, g = (sn.input(name, (POINTS,)) for name in ("s0", "s1", "s2"))


def chain_of(expression: Expr) -> Chain:
    return next(chain for chain in suspects([expression]) if chain.root is expression)


def verdict_on(expression: Expr, training: bool = False) -> Verdict:
    chain = chain_of(expression)
    return examine(chain.closed, chain.domains, training)


def test_the_condition_of_a_function_is_not_held_against_it() -> None:
    for harmless in (x * x + 3 * x + 1, sn.exp(x) - x / 2, sn.log(2 * sn.absolute(x))):
        assert verdict_on(harmless).ill == 0


def test_the_error_is_counted_in_units_of_rounding() -> None:
    judge, nodes = quick(chain_of(1 - sn.cos(x)).closed, ["real"])
    root = nodes[-1]
    (values,) = judge.values([root])
    errors = judge.errors(root, values)
    at = judge.columns[0]
    assert np.nanmax(errors[(np.abs(at) > 1) & (np.abs(at) < 100)]) < 2
    assert np.nanmin(errors[(np.abs(at) > 1e-6) & (np.abs(at) < 1e-5)]) > 1e5
    true = (1 - np.cos(at.astype("float64"))).astype("float32")
    assert not judge.ill(root, true).any()


def test_many_digits_correct_what_float64_does_not_know() -> None:
    chain = chain_of(1 - sn.cos(x))
    judge, nodes = quick(chain.closed, chain.domains)
    small = (np.abs(judge.columns[0]) > 1e-11) & (np.abs(judge.columns[0]) < 1e-9)
    assert small.any()
    strict = exact(judge.at(small), nodes)
    np.testing.assert_allclose(
        strict.truth[id(nodes[-1])], np.square(judge.columns[0][small].astype("float64")) / 2, rtol=1e-15
    )


def test_products_of_many_independent_values_may_leave_the_range() -> None:
    h = sn.input("s3", (POINTS,))
    assert verdict_on((g * x * y * h - g * x) / y).ill < 0.02
    assert verdict_on(sn.sqrt(x * x + y * y)).ill > 0.1
    assert verdict_on(sn.sqrt(x * y)).ill_after == 0 < verdict_on(sn.sqrt(x * y)).ill


@pytest.mark.parametrize(
    ("expression", "matter"),
    [
        (g * (1 - sn.square(sn.tanh(x + y))), False),
        (g / (1 + sn.absolute(x)) - g * sn.absolute(x) / sn.square(1 + sn.absolute(x)), False),
        (x - sn.tanh(x), True),
        (g * (1 - sn.cos(x)), True),
        (sn.sqrt(x + 1) - sn.sqrt(x), True),
        (sn.square(sn.exp(x)) / sn.square(1 + sn.exp(x)), True),
    ],
    ids=str,
)
def test_what_matters_to_training(expression: Expr, matter: bool) -> None:
    chain = chain_of(expression)
    judge, _ = quick(chain.closed, chain.domains)
    assert judge.ill(chain.closed, judge.values([chain.closed])[0]).any()
    assert matters(judge, chain.closed).any() == matter
    assert bool(verdict_on(expression, training=True).treatments) == matter


def test_the_least_part_that_helps_is_widened() -> None:
    forms = list(widened(sn.exp(sn.sin(x) * y) - 1))
    counts = [sn.dumps(form).count("f64[") for form in forms]
    assert counts == sorted(counts)
    assert len(forms) == 4  # the difference alone; with the exponential; with the product; with the sine
    assert all(form.dtype == "float32" for form in forms)


MENDED = [
    ("series", 1 - sn.cos(x)),
    ("series", sn.cos(x) / x - sn.sin(x) / (x * x)),
    ("series", x * y - sn.tanh(x * y)),
    ("limit", 1 / sn.log(x) - 1 / (x - 1)),
    ("asymptote", sn.sqrt(x + 1) - sn.sqrt(x)),
    ("asymptote", 1 - sn.square(sn.tanh(x))),
    ("asymptote", x * x / (1 + x * x)),
    ("limit", sn.sin(x) / x),
    ("limit", x * sn.log(x)),
    ("wider", sn.sqrt(x * x + y * y)),
    ("wider", sn.sin(x + y) - sn.sin(x)),
]


@pytest.mark.parametrize(("rule", "expression"), MENDED, ids=lambda value: str(value))
def test_remedies(rule: str, expression: Expr, rng: np.random.Generator) -> None:
    verdict = verdict_on(expression)
    assert rule in [name for treatment in verdict.treatments for name, _ in treatment.changes]
    assert verdict.ill_after < max(verdict.ill / 4, 1e-9)
    assert verdict.worst_after <= verdict.worst

    # At points that the pass has not seen, it is right more often, and nowhere wrong where it was right.
    shape = (3, 300)
    points = (10.0 ** rng.uniform(-5, 3, shape) * rng.choice([-1, 1], shape)).astype("float32")
    values = {node: points[i] for i, node in enumerate((x, y, g))}
    true = np.array([float(v) for v in evaluate([expression], values, {POINTS: 300})[0]])
    before, after = sn.evaluate([verdict.closed, verdict.after], values)
    with np.errstate(all="ignore"):
        was, now = (~(np.abs(v - true) <= 1e-5 * np.abs(true) + 1e-38) & np.isfinite(true) for v in (before, after))
    assert now.sum() <= was.sum() / 4 or rule == "limit"
    if expression is not MENDED[-1][1]:
        assert now.mean() < 0.02


def test_a_limit_fills_the_point_alone() -> None:
    after = verdict_on(sn.sin(x) / x).after
    assert sn.evaluate(after, {x: np.float32([0, 3])})[0] == 1
    np.testing.assert_array_equal(*sn.evaluate([after, sn.sin(x) / x], {x: np.float32([3, 1e-20, -2e10])}))


def test_a_verdict_is_remembered() -> None:
    assert verdict_on(x - sn.sin(x)) is verdict_on(x - sn.sin(x))


def test_remedies_are_the_same_in_another_process() -> None:
    script = (
        "import symnet as sn; x = sn.input('x', ('N',)); "
        "print(sn.dumps(sn.accuracy([sn.log(sn.sqrt(x * x + 4) - x), sn.exp(x) - sn.cos(x)]).expressions[0]))"
    )
    runs = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in "ab"]
    assert runs[0].stdout == runs[1].stdout != ""


def test_the_threshold_leaves_ordinary_rounding_alone() -> None:
    long = x
    for k in range(12):
        long = sn.tanh(long * 0.9 + 0.1 * k) * 1.5
    assert verdict_on(long - x * 0.5).worst < ILL
