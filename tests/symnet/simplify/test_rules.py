"""Every rule, on random operands: both sides are evaluated with 50 digits and by the reference interpreter."""

from __future__ import annotations

from collections.abc import Iterable

import mpmath
import numpy as np
import pytest

import symnet as sn
from symnet.expr import dims
from symnet.expr.node import Expr, make
from symnet.expr.traverse import leaves, rewrite
from symnet.ops import exactly
from symnet.simplify import rules, simplify
from symnet.simplify.pattern import Apply
from symnet.simplify.rule import Rule, RuleSet
from symnet.simplify.tables import TOPICS
from tests.symnet.simplify.samples import Instance, is_scalar, samples

RULES = [rule for table in TOPICS.values() for rule in table]
STABILISING = [rule for rule in RULES if rule.kind == "stabilising"]
SIZES = {"N": 3}
TOLERANCE = mpmath.mpf(10) ** -45


def named(rule: Rule) -> str:
    return rule.name


def apply_rule(rule: Rule, node: Expr) -> Expr | None:
    """What `rule` makes of `node`, whatever that costs."""
    for variant in RuleSet((rule,)).candidates(node):
        new = variant.try_on(node, frozenset())
        if new is not None:
            return new
    return None


def draw(
    roots: Iterable[Expr], rng: np.random.Generator, scale: float = 2.0, tiny: float = 0.0
) -> dict[str, np.ndarray]:
    """Values for all inputs: normal numbers, a share of them tiny, with some 0, 1 and -1 among them, class indices
    below 4, conditions."""
    values: dict[str, np.ndarray] = {}
    for leaf in leaves(roots, "input"):
        shape = dims.evaluate_shape(leaf.shape, SIZES)
        if leaf.dtype == "bool":
            array = rng.random(shape) < 0.5
        elif leaf.dtype == "int64":
            array = rng.integers(0, 4, shape)
        else:
            special = rng.choice([0.0, 1.0, -1.0], shape)
            normal = rng.normal(0, scale, shape) * np.where(rng.random(shape) < tiny, 1e-9, 1.0)
            array = np.where((rng.random(shape) < 0.15) & (shape != ()), special, normal)
        if leaf.attrs.get("symmetric"):
            array = array + np.swapaxes(array, -1, -2)
        values[leaf.attrs["name"]] = np.asarray(array, leaf.dtype)
    return values


def finite(array: np.ndarray) -> np.ndarray:
    return np.asarray(np.frompyfunc(lambda v: bool(mpmath.isfinite(v)), 1, 1)(array), bool)


def far_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two arrays of mpmath numbers differ by more than the last of 45 digits."""
    scale = np.frompyfunc(lambda u, v: max(abs(u), abs(v), mpmath.mpf(1)), 2, 1)(a, b)
    return np.asarray(np.abs(a - b) > TOLERANCE * scale, bool)


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_both_sides_are_equal(rule: Rule, rng: np.random.Generator) -> None:
    """With 50 digits, wherever the left side is a number at all; some operands are tiny, so that differences cancel and
    quotients are ill-conditioned."""
    nodes = samples(rule, rng)
    assert nodes, f"no samples are written for the rule {rule.name!r}: add some to samples.py"
    compared = 0
    for node in nodes:
        new = apply_rule(rule, node)
        assert new is not None, f"{rule} does not apply to its sample {node.op}{[a.op for a in node.args]}"
        assert (new.shape, new.dtype) == (node.shape, node.dtype)
        values = draw([node], rng, tiny=0.15)
        before, after = exactly.evaluate([node, new], values, SIZES)
        assert before.shape == after.shape == dims.evaluate_shape(node.shape, SIZES)
        if node.dtype not in ("float32", "float64"):
            assert (before == after).all(), (str(rule), values)
            compared += before.size
            continue
        defined = finite(before)
        assert (finite(after) | ~defined).all(), f"{rule}: nan or inf on the right where the left is finite, {values}"
        wrong = far_apart(before[defined], after[defined])
        assert not wrong.any(), f"{rule}: {before[defined][wrong][:3]} became {after[defined][wrong][:3]}, {values}"
        compared += int(defined.sum())
    assert compared >= len(nodes) / 3, f"{rule}: hardly any of its samples has a value"


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_both_sides_agree_in_float64(rule: Rule, rng: np.random.Generator) -> None:
    """By the reference interpreter, up to rounding."""
    for node in samples(rule, rng):
        new = apply_rule(rule, node)
        assert new is not None
        before, after = sn.evaluate([node, new], draw([node], rng), SIZES)
        defined = np.isfinite(before)
        assert before.shape == after.shape
        assert before.dtype == after.dtype
        np.testing.assert_allclose(after[defined], before[defined], rtol=1e-6, atol=1e-9, err_msg=str(rule))


EXTREME = [0.0, 1e-25, 1e-7, 1e-3, 0.3, 1.0, 9.0, 30.0, 88.0, 100.0, 1e4, 1e25, np.inf]
EXTREME += [-value for value in EXTREME]
UNIT = float(np.finfo("float32").eps)
THROUGH_LOGARITHMS = {"power-of-prod"}
"""Rules that add up logarithms: what keeps their products in range costs digits, as many as the exponent is large."""
LARGEST = float(np.finfo("float32").max)
SMALLEST = float(np.finfo("float32").smallest_normal) / UNIT
"""Smaller numbers count as 0."""
LOGARITHMS = {"log-of-exp-step", "log-of-difference-of-exp", "log-of-expm1",
              "log-of-sum-of-exp", "log-softmax", "logsumexp", "log-of-moved", "log-of-picked", "log-of-choice",
              "log-of-quotient", "log-of-product", "picked-log-share", "log-share-picked",
              "log-of-expected-exponential", "log-of-product-with-gamma", "log-of-quotient-with-gamma",
              "log-of-weighted-shares", "log-of-weighted-sum", "log-of-sum-of-shares"}  # fmt: skip
"""Rules whose small results come from cancellation on either side: below 1 their error is absolute."""

IN_FLOAT64 = {"square-in-float64"}
"""Rules that gain digits of float64, which no measure in float32 sees."""
OF_WHOLE_MATRICES = {"inverse-of-product-times", "times-inverse-of-product", "scaled-inverse-of-product-times",
                     "times-scaled-inverse-of-product"}  # fmt: skip
"""Rules of inverses, whose errors are relative to the largest element (small ones come from cancellation)."""


@pytest.mark.parametrize("rule", [rule for rule in STABILISING if is_scalar(rule)], ids=named)
def test_stabilising_rules_stabilise(rule: Rule, rng: np.random.Generator) -> None:
    """In float32, at extreme operands: never a worse value than before, and somewhere a better one or derivative."""
    better = 0
    for _ in range(30):
        node = Instance(rule, rng, "float32").build(rule.pattern)
        new = apply_rule(rule, node)
        assert new is not None
        values = {
            leaf.attrs["name"]: rng.random(leaf.shape) < 0.5
            if leaf.dtype == "bool"
            else rng.choice(np.array(EXTREME, "float32"), leaf.shape)
            for leaf in leaves([node], "input")
        }
        before, after = sn.evaluate([node, new], values)
        (exact,) = exactly.evaluate([new], values)
        floor = floor_of(rule)
        change = error_of(after, exact, floor) - error_of(before, exact, floor)
        worse = change > 8 * UNIT
        assert not worse.any(), f"{rule}: {before[worse][:3]} became {after[worse][:3]}, true {exact[worse][:3]}"
        better += int((change < -8 * UNIT).sum()) + mended_derivatives(node, new, values)
    assert better, f"{rule} is no better than the left side on any sample: is it exact?"


SCALES = ((1.0, 0.0), (30.0, 0.0), (200.0, 0.0), (1.0, 1000.0), (1.0, -np.inf), (1e25, 0.0), (1e-25, 0.0))
"""Of normal numbers around a middle."""


ARRAYS = [rule for rule in STABILISING if not is_scalar(rule) and rule.name not in IN_FLOAT64]


@pytest.mark.parametrize("rule", ARRAYS, ids=named)
def test_stabilising_rules_on_arrays_stabilise(rule: Rule, rng: np.random.Generator) -> None:
    """The same with arrays: softmax, log-sum-exp, variance."""
    better = 0
    for scale, middle in SCALES:
        for sample in [*samples(rule, rng), *samples(rule, rng), *samples(rule, rng)]:
            (node,) = rewrite([sample], in_float32)
            new = apply_rule(rule, node)
            assert new is not None
            final = simplify(new)  # some rules only prepare the next one
            values = draw([node], rng, scale)
            for array in values.values():
                if array.dtype == "float32":
                    np.copyto(array, array + np.float32(middle), where=rng.random(array.shape) < 0.9)
            before, after = sn.evaluate([node, final], values, SIZES)
            (exact,) = exactly.evaluate([new], values, SIZES)
            floor = largest(exact) if rule.name in OF_WHOLE_MATRICES else floor_of(rule)
            old = error_of(before, exact, floor)
            worse = error_of(after, exact, floor) > old + (1024 if rule.name in THROUGH_LOGARITHMS else 64) * UNIT
            assert not worse.any(), f"{rule}: {before[worse]} became {after[worse]}, true {exact[worse]}"
            better += int((error_of(after, exact, floor) < old - 64 * UNIT).sum())
            better += mended_derivatives(node, new, values)
    assert better, f"{rule} is no better than the left side on any sample: is it exact?"


def in_float32(node: Expr) -> Expr:
    """A float64 node, its operands already in float32."""
    if node.attrs.get("dtype") == "float64":
        return make(node.declaration, node.args, {**node.attrs, "dtype": "float32"})
    return node


def largest(exact: np.ndarray) -> float:
    """The size of the largest element that is a number."""
    sizes = [float(abs(value)) for value in exact.ravel() if mpmath.isfinite(value)]
    return max([SMALLEST, *sizes])


def floor_of(rule: Rule) -> float:
    return 1.0 if rule.name in LOGARITHMS else SMALLEST


def error_of(computed: np.ndarray, exact: np.ndarray, floor: float) -> np.ndarray:
    """The relative error, absolute below `floor`; huge where there is no number but should be one, 0 where there is no
    true value."""

    def error(value: float, true: mpmath.mpf) -> float:
        if mpmath.isnan(true):
            return 0.0
        if not mpmath.isfinite(true) or abs(true) > LARGEST:
            return LARGEST if np.isnan(value) else 0.0
        if not np.isfinite(value):
            return LARGEST
        return float(abs(mpmath.mpf(float(value)) - true) / max(abs(true), floor))

    return np.asarray(np.frompyfunc(error, 2, 1)(computed, exact), float)


def mended_derivatives(node: Expr, new: Expr, values: dict[str, np.ndarray]) -> int:
    """How many elements of the gradients were nan before and are finite now."""
    inputs = [leaf for leaf in leaves([node], "input") if leaf.dtype == "float32"]
    if not inputs or node.dtype != "float32":
        return 0
    old, current = (sn.grad(sn.sum(side), inputs, simplify=False) for side in (node, new))
    pairs = zip(sn.evaluate(old, values, SIZES), sn.evaluate(current, values, SIZES), strict=True)
    return sum(int((np.isnan(a) & np.isfinite(b)).sum()) for a, b in pairs)


def test_rules_are_listed_with_all_that_a_reader_needs() -> None:
    listed = rules()
    assert len(listed) == len(RULES) + 1
    assert len({record.name for record in listed}) == len(listed)
    for record in listed:
        assert record.pattern, record
        assert record.replacement, record
        assert record.verified, record
        assert record.reason, record
        assert record.kind in ("exact", "stabilising")


def test_no_rule_enlarges_what_it_matches() -> None:
    """A pattern has an operation at its top, and every rule does something (its sides differ)."""
    for rule in RULES:
        assert isinstance(rule.pattern, Apply)
        assert rule.pattern != rule.replacement, rule.name
