"""The first NaN or infinity of a training: found in the step that made it, undone, and explained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from tests.symnet.train.conftest import Make, classifier, rows

x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",))
w = sn.parameter("w", (3,), init=sn.init.constant(0.5))
SAFE = {"optimizer": sn.optim.SGD(lr=0.01, momentum=0.9), "batch": {"N": 4}}


def data(count: int = 12) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {"x": rng.normal(size=(count, 3)).astype("float32"), "y": (1 + rng.random(count)).astype("float32")}


def stopped(program: Any, given: Any, **options: Any) -> sn.NotFinite:
    with pytest.raises(sn.NotFinite) as caught:
        program.fit(given, check_finite=True, progress=False, **options)
    return caught.value


def test_the_step_the_values_and_the_expression_are_named() -> None:
    z = sn.name("z", x @ w)
    loss = sn.mean((z - sn.log(y)) ** 2)
    program, stepped = sn.compile(loss, **SAFE), sn.compile(loss, **SAFE)
    bad = data()
    bad["y"][9] = 0.0
    for start in (0, 4):
        stepped.step(x=bad["x"][start : start + 4], y=bad["y"][start : start + 4])
    error = stopped(program, bad, shuffle=False, gradient_norms=True)
    report = error.report
    assert str(error) == str(report)
    assert (report.epoch, report.step, report.rows) == (1, 3, (8, 9, 10, 11))
    assert report.values[:3] == ("the loss", "the gradient of w", "the new value of w")
    assert len(report.values) == 4  # and the momentum
    assert report.expression is sn.log(y)
    assert (report.origin.place, report.origin.value) == ((1,), -np.inf)
    assert [(part.expression, part.place, part.value) for part in report.operands] == [(y, (1,), 0.0)]
    np.testing.assert_array_equal(report.inputs["y"], bad["y"][8:])
    for words in ("step 3 of epoch 1 (rows 8, 9, 10, 11): not finite: the loss, the gradient of w",
                  "log (float32[N]) is -inf at [1], where y[1] is 0", "  log(y)",
                  "the program is as it was before this step"):  # fmt: skip
        assert words in str(error)
    np.testing.assert_array_equal(program.instance.snapshot(), stepped.instance.snapshot())
    assert len(program.history.losses) == len(program.history.gradient_norms["w"]) == 2


def test_an_infinity_in_the_loss_of_a_diverging_run() -> None:
    program = sn.compile(sn.mean((x @ w - y) ** 2), sn.optim.SGD(lr=1e9), batch={"N": 4})
    report = stopped(program, data(), epochs=50).report
    assert "the loss" in report.values
    assert report.origin.value == np.inf
    assert all(np.isfinite(part.value) for part in report.operands)
    assert np.isfinite(program.parameters["w"]).all()
    assert np.isfinite(program.history.losses).all()


@pytest.mark.parametrize(
    ("loss", "lr", "value"),
    [
        (sn.sum(1e20 * (x @ w)), 1e30, "the new value of w"),
        (sn.mean(sn.sqrt(sn.absolute(x @ (w - 0.5)))), 0.0, "the gradient of w"),
    ],
)
def test_a_finite_loss_is_not_enough(loss: sn.Expr, lr: float, value: str) -> None:
    """Gradients and new values are looked at in the same step."""
    program = sn.compile(loss, sn.optim.SGD(lr=lr), batch={"N": 4})
    before = program.instance.snapshot()
    report = stopped(program, {"x": data()["x"]}).report
    assert "the loss" not in report.values
    assert value in report.values
    assert report.expression is not None
    np.testing.assert_array_equal(program.instance.snapshot(), before)


def test_a_mask_of_infinities_is_not_to_blame() -> None:
    """Only a row that is masked as a whole makes a NaN, and the softmax is what makes it."""
    scores = sn.where(x > y[:, None], x * w, -np.inf)
    powers = sn.exp(scores - sn.stop_gradient(sn.max(scores, axis=1, keepdims=True)))
    shares = powers / (1 + sn.sum(powers, axis=1, keepdims=True))
    program = sn.compile(sn.mean(sn.sum(shares * x, axis=1)), **SAFE)
    given = data()
    given["y"] = np.full(12, -9.0, "float32")
    given["y"][::3] = 0.3 * given["x"][::3].max(1)  # some are masked, none wholly
    program.fit(given, check_finite=True, progress=False)
    given["y"][5] = 9.0
    report = stopped(program, given).report
    assert np.isnan(report.origin.value)
    assert report.expression.op not in ("constant", "where")


def test_bad_data_is_named() -> None:
    program = sn.compile(sn.mean((x @ w - y) ** 2), **SAFE)
    for value in (np.nan, np.inf):
        bad = data()
        bad["x"][6, 2] = value
        error = stopped(program, bad, shuffle=False)
        assert error.report.expression is x
        assert f"the input 'x' (float32[N, 3]) is {value} at [2, 2]" in str(error)


def test_dropout_and_loops_are_followed() -> None:
    hidden = sn.nn.functional.dropout(x, 0.5) @ w
    last = sn.scan(lambda c, s: (c * 1e3 + sn.exp(s), None), init=sn.zeros(("N",)), xs=sn.stack([hidden] * 15))[1]
    program = sn.compile(sn.mean(last), sn.optim.SGD(lr=1e-3), batch={"N": 4})
    report = stopped(program, {"x": data()["x"]}).report
    assert report.expression.op == "item"
    assert report.origin.value == np.inf


def test_a_batch_of_a_list_is_undone(fresh: Callable[[Make], Any]) -> None:
    program = sn.compile(sn.mean((x @ w - sn.log(y)) ** 2), **SAFE)
    good, bad = data(), data()
    bad["y"][0] = 0.0
    batches = [{n: a[:4] for n, a in part.items()} for part in (good, good, bad, good)]
    report = stopped(program, batches).report
    assert (report.step, report.rows) == (3, None)
    assert len(program.history.losses) == 2


def test_looking_changes_nothing(fresh: Callable[[Make], Any]) -> None:
    """Losses and parameters are the same with the checks and the norms and without, up to the order of sums."""
    plain = fresh(classifier)
    losses = plain.fit(rows(), epochs=3, progress=False).losses
    after = plain.parameters["W1"]
    for options in ({"check_finite": True}, {"gradient_norms": True}, {"check_finite": True, "gradient_norms": True}):
        program = fresh(classifier)
        found = program.fit(rows(), epochs=3, progress=False, **options).losses
        np.testing.assert_allclose(found, losses, rtol=1e-5)
        np.testing.assert_allclose(program.parameters["W1"], after, rtol=1e-4, atol=1e-6)


def test_the_norms_are_those_of_the_gradients(fresh: Callable[[Make], Any]) -> None:
    program = fresh(classifier)
    history = program.fit(rows(), epochs=2, gradient_norms=True, progress=False)
    stepped = fresh(classifier)
    wanted: dict[str, list[float]] = {"W1": [], "W2": []}
    loader = sn.data.batches(rows(), 8)
    for _ in range(2):
        for batch in loader:
            for name, gradient in stepped.gradients(**batch).items():
                wanted[name].append(float(np.linalg.norm(gradient.astype("float64"))))
            stepped.step(**batch)
    assert list(history.gradient_norms) == ["W1", "W2"]
    for name, norms in wanted.items():
        np.testing.assert_allclose(history.gradient_norms[name], norms, rtol=1e-5)


def test_norms_of_huge_gradients_do_not_overflow() -> None:
    program = sn.compile(sn.sum(x @ w) * 1e25, sn.optim.SGD(lr=0.0), batch={"N": 4})
    history = program.fit({"x": data()["x"]}, gradient_norms=True, progress=False)
    assert np.isfinite(history.gradient_norms["w"]).all()
    assert max(history.gradient_norms["w"]) > 1e24


def test_a_program_that_has_become_exact_is_explained_too() -> None:
    """A target that is ignored makes a program exact (`symnet.ops.usually`); evaluations and explanations follow it."""
    classes = sn.input("classes", ("N",), "int64")
    logits = x @ sn.parameter("W", (3, 4), init=sn.init.normal())
    program = sn.compile(sn.losses.cross_entropy(logits, classes), **SAFE, outputs={"logits": logits})
    given = {"x": data()["x"], "classes": np.arange(12) % 4}
    some = {**given, "classes": np.where(np.arange(12) % 5 == 3, -100, given["classes"])}
    history = program.fit(given, validation=some, metrics=[sn.metrics.Accuracy(ignore_index=-100)], progress=False)
    kept = some["classes"] >= 0
    scores = program.predict("logits", x=given["x"][kept]).astype("float64")
    wanted = np.log(np.exp(scores).sum(1)) - scores[np.arange(len(scores)), some["classes"][kept]]
    np.testing.assert_allclose(history["val_loss"], [wanted.mean()], rtol=1e-5)
    some["x"][10, 0] = np.nan
    assert stopped(program, some, shuffle=False).report.expression is x


def test_the_kernel_is_named_where_one_only_does_it() -> None:
    report = stopped(sn.compile(sn.mean(sn.sqrt((x @ w) * y)), **SAFE), data()).report
    assert report.expression.op == "sqrt"
    assert "sqrt" in report.kernel.partition(": ")[2]
    assert f"computed by the kernel {report.kernel}" in str(report)
    twice = sn.exp(sn.exp(9 * (x @ w) ** 2)) + sn.sum(sn.exp(w))
    assert stopped(sn.compile(sn.mean(twice), **SAFE), {"x": data()["x"]}).report.expression.op == "exp"
