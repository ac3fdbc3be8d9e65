"""Which functions of rows are looked at, what is found about them, and what mends them."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.accuracy import improved
from symnet.accuracy.designs import ORDINARY, moved, rows
from symnet.accuracy.examine import Verdict
from symnet.accuracy.examine_rows import examine_row
from symnet.accuracy.improve import Finding
from symnet.accuracy.rows import MOST_SOURCES, SAMPLED, Row, opened, suspects
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.expr.verify import verify
from symnet.ops.exactly import evaluate

x, y = sn.input("x", ("N", 5)), sn.input("y", ("N", 5))
v, w = sn.input("v", (3,)), sn.input("w", (3,))
long = sn.input("long", ("N", 64))


def row_of(expression: Expr) -> Row:
    return next(row for row in suspects([expression], lambda node: None) if row.root is expression)


def found(expression: Expr, training: bool = False) -> list[Row]:
    return suspects([expression], lambda node: None, training)


def verdict_on(expression: Expr, training: bool = False) -> Verdict:
    return examine_row(row_of(expression), training)


def right(expression: Expr, values: dict[str, np.ndarray], rtol: float = 2e-6) -> None:
    """Held to many digits, where float32 as it reads is far off."""
    sizes = {"N": next(iter(values.values())).shape[0]}
    true = np.vectorize(float)(evaluate([expression], values, sizes)[0])
    (after,) = improved([expression])
    verify([after])
    np.testing.assert_allclose(sn.evaluate(after, values), true, rtol=rtol, atol=1e-38)
    with np.errstate(all="ignore"):
        assert not np.allclose(sn.evaluate(expression, values), true, rtol=2 * rtol, atol=1e-38)


# --- which -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        x - sn.mean(x, 1, keepdims=True), v / sn.sqrt(sn.sum(v * v)), sn.sum(v * w) / (sn.sum(v) + sn.sum(w)),
        sn.logsumexp(x, 1) - 1.5, sn.softmax(x) * (y - sn.sum(y * sn.softmax(x), 1, keepdims=True)),
        sn.max(x, 1) - sn.mean(x, 1), sn.sum(v * v) + sn.sum(w * w) - 2 * (v @ w),
    ],
    ids=str,
)  # fmt: skip
def test_operations_on_what_was_reduced_are_suspicious(expression: Expr) -> None:
    row = row_of(expression)
    assert opened(row.closed, row, row.sources).shape == expression.shape


@pytest.mark.parametrize(
    "expression",
    [sn.softmax(x), sn.logsumexp(x, 1), sn.mean(x * y), sn.sum(x, 1) - sn.sum(y, 1), sn.sum(x - sn.sin(x)), sn.var(x)],
    ids=str,
)
def test_plain_reductions_are_not(expression: Expr) -> None:
    assert found(expression) == []


def test_a_row_function_is_cut_at_products_of_matrices() -> None:
    product = x @ sn.input("W", (5, 5))
    row = row_of(product - sn.mean(product, 1, keepdims=True))
    assert row.sources == (product,)


def test_sums_of_sources_that_nothing_else_depends_on_are_one_source() -> None:
    total = x + y
    assert row_of(total - sn.mean(total, 1, keepdims=True)).sources == (total,)
    assert len(row_of(total - sn.mean(total, 1, keepdims=True) * x).sources) == 2


def test_too_many_sources_are_left_alone() -> None:
    total = sn.sum(sn.exp(v))
    for k in range(MOST_SOURCES + 1):
        total = total * sn.sum(sn.exp(sn.input(f"v{k}", (3,))))
    assert found(total - sn.log(total)) == []


def test_opening_undoes_closing() -> None:
    for expression in (
        (x - sn.mean(x, 1, keepdims=True)) / sn.sqrt(sn.var(x, 1, keepdims=True) + 1e-5),
        sn.transpose(long, (1, 0)) - sn.reshape(sn.mean(long, 1), (1, "N")),
        sn.softmax(v)[0] - sn.softmax(v)[2],
        sn.sum(long**2, 1) / 64.0 - (sn.sum(long, 1) / 64.0) ** 2,
    ):
        for row in found(expression):
            assert opened(row.closed, row, row.sources) is row.root


def test_sizes_that_do_not_matter_become_small() -> None:
    row = row_of(sn.simplify((long - sn.mean(long, 1, keepdims=True)) / sn.std(long, 1, keepdims=True)))
    assert sorted(row.sizes.values()) == [1, SAMPLED]
    assert row_of(x - sn.mean(x, 1, keepdims=True)).closed.shape[1] == 5


def test_a_count_goes_with_the_size_that_it_counts() -> None:
    mean = sn.sum(long, 1, keepdims=True) / 64.0
    row = row_of(long - mean)
    assert [node.op for node in postorder([row.closed]) if node.op == "dim"] == ["dim"]
    assert examine_row(row, training=True).ill == 0  # with 64 for a row of 5 it would be another function


def test_equal_row_functions_are_one_node() -> None:
    other = sn.input("other", (7, "T", 5))
    a, b = row_of(v / sn.sum(v)), row_of(w / sn.sum(w))
    assert a.closed is b.closed
    assert row_of(other - sn.mean(other, 2, keepdims=True)).closed.shape[2] == 5


# --- points ----------------------------------------------------------------------------------------------------------


def test_points_are_designed_and_the_same_every_time() -> None:
    (first,), (again,) = rows([(5,)], ["real"]), rows([(5,)], ["real"])
    np.testing.assert_array_equal(first, again)
    sizes = np.abs(first).max(axis=0)
    assert sizes.min() == 0
    assert sizes.max() > 1e29
    assert ((sizes > 0) & (sizes < 1e-28)).any()
    assert (sizes[:ORDINARY] < 1e4).all()
    equal = (first == first[0]).all(axis=0)
    nearly = (np.ptp(first, axis=0) < 1e-3 * sizes) & ~equal
    assert equal.sum() >= 5
    assert nearly.sum() >= 5


@pytest.mark.parametrize(
    ("known", "inside"),
    [
        ("positive", lambda a: a > 0), ("nonnegative", lambda a: a >= 0), ("unit", lambda a: (a >= 0) & (a <= 1)),
        ("count", lambda a: a == np.floor(a)), ("one-hot", lambda a: np.isin(a, [0, 1]) & (a.sum(0) == 1)),
        ("values 0.5 2.0", lambda a: np.isin(a, [0.5, 2.0])),
    ],
)  # fmt: skip
def test_points_respect_what_is_known(known: str, inside: object) -> None:
    for column in rows([(4,), (4,)], [known, known]):
        assert column.dtype == np.float32
        assert inside(column).all()  # type: ignore[operator]
    assert rows([(2, 3)], ["bool"])[0].dtype == bool


def test_a_constant_array_is_mostly_itself() -> None:
    (column,) = rows([(3,)], ["values 0.2 0.5 0.3"])
    itself = (column == np.float32([[0.2], [0.5], [0.3]])).all(axis=0)
    assert 0.7 < itself.mean() < 1


def test_elements_move_by_one_ulp_either_way() -> None:
    column = np.float32([[1.0, -2.0, 0.0, 3e38]] * 9)
    change = np.abs(moved(column, 1).astype("float64") - column)
    assert (change > 0).all()
    assert (change <= np.spacing(np.maximum(np.abs(column), 1e-45))).all()
    assert len({*np.sign(moved(column, 1) - column).ravel()}) == 2


# --- remedies --------------------------------------------------------------------------------------------------------

NEAR = np.float32([[1000.5, 1001.25, 999.75, 1000, 1002], [-300, -301.5, -300.25, -299, -300]])
TINY = np.float32([[1e-20, -3e-20, 2e-20, 0, 1e-22], [1e-30, 2e-30, 0, 0, 1e-29]])
HUGE = np.float32([[1e20, 3e20, -2e20, 0, 1e18], [1e25, 1, -1e30, 0, 2]])
NEAR_ZERO = np.float32([[1e-4, -2e-4, 0, 3e-4, 1e-4], [1e-3, 0, 0, 0, 1e-3]])


def test_lengths_below_and_above_the_range() -> None:
    for values in (TINY, HUGE):
        right(sn.sum(x * x * x, 1) / sn.sum(x * x, 1) / sn.sqrt(sn.sum(x * x, 1)), {"x": values})


def test_variances_by_moments() -> None:
    right(sn.mean(x * x, 1) - sn.square(sn.mean(x, 1)), {"x": NEAR}, 1e-5)


def test_layer_norms_by_hand() -> None:
    centred = x - sn.mean(x, 1, keepdims=True)
    normed = centred / sn.sqrt(sn.mean(centred * centred, 1, keepdims=True) + 1e-5)
    right(normed, {"x": NEAR + np.float32(9000.3)}, 4e-6)


def test_logarithms_of_means_of_exponentials() -> None:
    right(sn.log(sn.mean(sn.exp(x), 1)), {"x": NEAR_ZERO})
    right(sn.logsumexp(x, 1) - float(np.log(5)), {"x": NEAR_ZERO})


def test_divergences_of_near_distributions() -> None:
    kl = sn.sum(sn.softmax(x) * (sn.log_softmax(x) - sn.log_softmax(y)), 1)
    right(kl, {"x": NEAR_ZERO + np.float32(0.5), "y": np.full_like(NEAR_ZERO, 0.5)}, 1e-5)


def test_distances_by_expansion() -> None:
    squared = sn.sum(x * x, 1) + sn.sum(y * y, 1) - 2 * sn.sum(x * y, 1)
    right(squared, {"x": NEAR, "y": NEAR + np.float32(1e-2)}, 1e-5)


def test_gradients_are_mended_too() -> None:
    right(sn.grad(sn.sum(sn.softmax(x) * x), x), {"x": NEAR + np.float32(9000.3)}, 4e-6)


def test_a_mended_chain_inside_stays_mended() -> None:
    bend = sn.exp(x) - sn.cos(x) - x
    expression = sn.sum(bend, 1) / sn.sum(x, 1)
    findings: list[Finding] = []
    (after,) = improved([expression], findings=findings)
    true = np.vectorize(float)(evaluate([expression], {"x": NEAR_ZERO[1:]}, {"N": 1})[0])
    np.testing.assert_allclose(sn.evaluate(after, {"x": NEAR_ZERO[1:]}), true, rtol=1e-5)


def test_the_smallest_part_is_widened() -> None:
    after = verdict_on(sn.exp(sn.tanh(x)) - sn.mean(sn.exp(sn.tanh(x)), 1, keepdims=True)).after
    wide = [node.op for node in postorder([after]) if node.dtype == "float64" and node.args]
    assert "subtract" in wide
    assert "mean" in wide
    assert after.dtype == "float32"
    assert sum(node.dtype == "float32" and node.op in ("exp", "tanh") for node in postorder([after])) <= 2


def test_products_of_matrices_are_never_widened() -> None:
    scores = x @ sn.transpose(y, (1, 0))
    share = sn.softmax(scores / 5.0**0.5)
    slope = sn.grad(sn.sum(sn.square(share @ y)), x)
    (after,) = improved([sn.simplify(slope)])
    products = [node for node in postorder([after]) if node.op == "contract"]
    assert products
    assert all(node.dtype == "float32" for node in products)


def test_names_and_shapes_stay() -> None:
    matrix = sn.input("A", (2, "N", 64))
    centred = sn.name("c", matrix - sn.sum(matrix, (0, 2), keepdims=True) / sn.cast(sn.constant(128.0), "float32"))
    (after,) = improved([centred])
    verify([after])
    assert after.name == "c"
    assert after.shape == centred.shape


def test_functions_compute_what_was_found() -> None:
    values = NEAR - NEAR.mean(1, keepdims=True)
    expression = sn.mean(x * x * x, 1) - 3 * sn.mean(x, 1) * sn.mean(x * x, 1) + 2 * sn.mean(x, 1) ** 3
    true = np.vectorize(float)(evaluate([expression], {"x": NEAR}, {"N": 2})[0])
    np.testing.assert_allclose(sn.function([x], expression)(NEAR), true, rtol=1e-4)
    off = sn.function([x], expression, accuracy="off")(NEAR)
    assert np.abs(off / true - 1).max() > 0.1
    assert np.abs(values).max() < 3


# --- training --------------------------------------------------------------------------------------------------------


def test_training_mends_what_matters_to_it() -> None:
    by_moments = sn.sum(x * x, 1, keepdims=True) / 5.0 - sn.square(sn.sum(x, 1, keepdims=True) / 5.0)
    normed = (x - sn.mean(x, 1, keepdims=True)) / sn.sqrt(by_moments + 1e-5)
    assert verdict_on(normed, training=True).treatments


def test_training_leaves_sums_and_saturated_slopes_alone() -> None:
    share = sn.softmax(x)
    slope = share * (y - sn.sum(y * share, 1, keepdims=True))
    assert not verdict_on(slope, training=True).treatments
    assert found(sn.sum(slope), training=True)[0].root is slope


# --- reports ---------------------------------------------------------------------------------------------------------


def test_the_report_tells_of_rows() -> None:
    report = sn.accuracy(sn.logsumexp(v) - sn.mean(v))
    (part,) = report.chains
    assert part.mended
    assert part.ill > part.ill_after
    assert [step.rule for step in report.steps] == ["wider"]
    text = str(report)
    assert "v = [" in text
    assert "wider" in text
