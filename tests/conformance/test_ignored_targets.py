"""The target -100, which losses ignore by default: formulas assume that it does not occur, programs do not."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn

CLASSES = 4


def problem(**settings: object) -> tuple[sn.Expr, sn.Expr, sn.Expr, sn.Expr]:
    x, y = sn.input("x", ("N", 3), "float64"), sn.input("y", ("N",), "int64")
    weight = sn.parameter("weight", (3, CLASSES), dtype="float64")
    return sn.losses.cross_entropy(x @ weight, y, **settings), x, y, weight


def data(rng: np.random.Generator, rows: int, ignored: float) -> dict[str, np.ndarray]:
    y = rng.integers(0, CLASSES, rows)
    y[rng.random(rows) < ignored] = -100
    return {"x": rng.normal(size=(rows, 3)), "y": y}


def compiled(batch: int, **settings: object) -> sn.program.program.Program:
    loss = problem(**settings)[0]
    return sn.compile(loss=loss, optimizer=sn.optim.Adam(lr=0.1), batch={"N": batch}, seed=3)


def test_formulas_have_no_mask() -> None:
    loss, _, _, weight = problem()
    assert str(sn.grad(loss, weight)).startswith("xᵀ (softmax(z) − onehot(y)) / N")
    assert "−100" in str(sn.grad(problem(ignore_index=-100)[0], weight))
    steps = [step for step in sn.explain(loss, wrt=weight).steps if step.rule == "usually"]
    assert len(steps) == 1
    assert "-100" in steps[0].assumption


@pytest.mark.parametrize("settings", [{}, {"reduction": "sum"}, {"label_smoothing": 0.1}])
def test_a_program_that_meets_one_goes_on_exactly(settings: dict, rng: np.random.Generator) -> None:
    usual, unusual = data(rng, 7, 0.0), data(rng, 7, 0.4)
    unusual["y"][2] = -100
    ours, explicit = compiled(7, **settings), compiled(7, ignore_index=-100, **settings)
    for batch in (usual, usual, unusual, usual, unusual):
        for name, value in explicit.gradients(**batch).items():
            np.testing.assert_allclose(ours.gradients(**batch)[name], value, rtol=1e-12)
        np.testing.assert_allclose(ours.step(**batch)["loss"], explicit.step(**batch)["loss"], rtol=1e-12)
        np.testing.assert_allclose(ours.parameters["weight"], explicit.parameters["weight"], rtol=1e-12)


def test_evaluation_of_more_rows_than_the_batch(rng: np.random.Generator) -> None:
    rows = data(rng, 23, 0.3)
    rows["y"][20] = -100
    got = compiled(5).evaluate(**rows)["loss"]
    np.testing.assert_allclose(got, sn.evaluate(problem(ignore_index=-100)[0], _with_weight(rows)), rtol=1e-12)


def test_fit_goes_on_in_the_middle_of_an_epoch(rng: np.random.Generator) -> None:
    rows = data(rng, 50, 0.0)
    rows["y"][31] = -100
    ours, explicit = compiled(8), compiled(8, ignore_index=-100)
    mine = ours.fit(rows, epochs=3, progress=False).losses
    np.testing.assert_allclose(mine, explicit.fit(rows, epochs=3, progress=False).losses, rtol=1e-10)
    np.testing.assert_allclose(ours.parameters["weight"], explicit.parameters["weight"], rtol=1e-10)


def test_a_class_that_does_not_exist_is_an_error_all_the_same(rng: np.random.Generator) -> None:
    batch = data(rng, 7, 0.0)
    batch["y"][1] = CLASSES
    program = compiled(7)
    before = program.parameters["weight"]
    for _ in range(2):
        with pytest.raises(sn.IndexOutOfRange):
            program.step(**batch)
    np.testing.assert_array_equal(program.parameters["weight"], before)


def test_functions_and_the_interpreter(rng: np.random.Generator) -> None:
    loss, x, y, weight = problem()
    rows = data(rng, 9, 0.5)
    rows["y"][0] = -100
    wanted = sn.evaluate(problem(ignore_index=-100)[0], _with_weight(rows))
    np.testing.assert_allclose(sn.evaluate(loss, _with_weight(rows)), wanted, rtol=1e-12)
    run = sn.function([x, y, weight], loss)
    np.testing.assert_allclose(run(rows["x"], rows["y"], _with_weight(rows)["weight"]), wanted, rtol=1e-12)
    everything = {**rows, "y": np.full(9, -100)}
    assert np.isnan(sn.evaluate(loss, _with_weight(everything)))


@pytest.mark.parametrize("alone", [True, False])
def test_functions_of_derivatives(alone: bool, rng: np.random.Generator) -> None:
    """A gradient looks up no target, so nothing in it would notice; it is computed for all data."""
    rows = data(rng, 9, 0.5)
    rows["y"][0] = -100
    found = []
    for settings in ({}, {"ignore_index": -100}):
        loss, x, y, weight = problem(**settings)
        gradient = sn.grad(loss, weight)
        curvature = sn.hvp(loss, weight, sn.constant(np.ones((3, CLASSES))))
        hessian = sn.hessian(sn.losses.cross_entropy(x, sn.minimum(y, 2), **settings), x)
        outputs = [gradient, 2.0 * gradient, sn.grad(sn.sum(gradient**2), weight), curvature, hessian]
        values = _with_weight(rows)
        run = sn.function([x, y, weight], outputs if alone else [loss, *outputs])
        results = run(values["x"], values["y"], values["weight"])
        found.append([*results, *(sn.evaluate(sn.simplify(node), values) for node in outputs)])
    for ours, explicit in zip(*found, strict=True):
        np.testing.assert_allclose(ours, explicit, rtol=1e-10, atol=1e-13)


def _with_weight(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**rows, "weight": compiled(5).parameters["weight"]}
