"""Compiled training programs: stepping, evaluating, hyperparameters, what happens after an error."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from tests.symnet.program.conftest import data, two_layers


def program(backend: str = "llvm", optimizer: object | None = None, **options: object) -> sn.Program:
    loss, logits = two_layers(str(options.pop("kind", "float32")))
    return sn.compile(
        loss=loss,
        optimizer=optimizer or sn.optim.SGD(lr=0.1),
        outputs={"logits": logits},
        batch={"N": 8},
        backend=backend,
        **options,
    )


def reference_step(p: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    """Loss and gradients of `two_layers`, written out by hand."""
    h = np.tanh(x @ p["W1"] + p["b1"])
    z = h @ p["W2"]
    e = np.exp(z - z.max(1, keepdims=True))
    s = e / e.sum(1, keepdims=True)
    n = np.arange(len(x))
    d2 = s.copy()
    d2[n, y] -= 1
    d2 /= len(x)
    d1 = (d2 @ p["W2"].T) * (1 - h * h)
    return float(-np.log(s[n, y]).mean()), {"W1": x.T @ d1, "b1": d1.sum(0), "W2": h.T @ d2}


@pytest.mark.parametrize("rows", [8, 5, 1])
def test_step_is_what_the_formula_says(backend: str, rows: int) -> None:
    prog = program(backend, kind="float64")
    before = {name: np.array(prog.parameters[name]) for name in prog.parameters}
    batch = data(rows, seed=rows, dtype="float64")
    loss, gradients = reference_step(before, **batch)
    got = prog.gradients(**batch)
    assert set(got) == {"W1", "b1", "W2"}
    for name, gradient in gradients.items():
        np.testing.assert_allclose(got[name], gradient, rtol=1e-12, atol=1e-14)
    assert prog.evaluate(**batch)["loss"] == pytest.approx(loss, rel=1e-12)
    assert prog.step(**batch)["loss"] == pytest.approx(loss, rel=1e-12)
    for name, value in before.items():
        np.testing.assert_allclose(prog.parameters[name], value - 0.1 * gradients[name], rtol=1e-12, atol=1e-14)


def test_gradients_and_evaluation_change_nothing(backend: str) -> None:
    prog = program(backend, sn.optim.Adam(lr=0.01))
    before = {name: prog.instance.read(name) for name in prog.instance.persistent}
    batch = data(6)
    prog.gradients(**batch)
    prog.evaluate(**batch)
    prog.predict(x=batch["x"])
    for name, value in before.items():
        np.testing.assert_array_equal(prog.instance.read(name), value)


def test_hyperparameters_take_effect_without_recompiling() -> None:
    prog = program()
    prog.hyper["lr"] = 0.0
    before = prog.parameters["W1"]
    prog.step(**data(4))
    np.testing.assert_array_equal(prog.parameters["W1"], before)
    prog.hyper["lr"] = 1.0
    prog.step(**data(4))
    assert not np.array_equal(prog.parameters["W1"], before)
    with pytest.raises(sn.UnknownName, match=r"'lrr'.*did you mean 'lr'"):
        prog.hyper["lrr"] = 1.0


def test_tuple_hyperparameters() -> None:
    prog = program(optimizer=sn.optim.Adam(lr=0.01))
    assert prog.hyper["betas"] == (0.9, 0.999)
    prog.hyper["betas"] = (0.5, 0.9)
    assert prog.hyper["betas"] == (0.5, 0.9)
    with pytest.raises(sn.ShapeError, match="2 numbers"):
        prog.hyper["betas"] = 0.5


def test_prediction_of_more_rows_than_the_batch(backend: str) -> None:
    prog = program(backend)
    many = data(21)
    whole = prog.predict("logits", x=many["x"])
    assert whole.shape == (21, 3)
    np.testing.assert_array_equal(whole[8:13], prog.predict(x=many["x"][8:13]))
    losses = [prog.evaluate(x=many["x"][i : i + 1], y=many["y"][i : i + 1])["loss"] for i in range(21)]
    assert prog.evaluate(**many)["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.ones((4, 6), np.float32)}, sn.ShapeError, "axis 1 of x is 6, expected 5"),
        ({"x": np.ones((4, 5))}, sn.DTypeError, "expected float32, got float64"),
        ({"y": np.zeros(3, np.int64)}, sn.ShapeError, "N = 4 from axis 0 of x"),
        ({"z": 1}, sn.UnknownName, "no input 'z'"),
        ({"x": np.ones((0, 5), np.float32), "y": np.zeros(0, np.int64)}, sn.ShapeError, "N is 0"),
        ({"x": np.ones((9, 5), np.float32), "y": np.zeros(9, np.int64)}, sn.ShapeError, "at most 8"),
        ({"y": np.array([0, 3, 1, 0])}, sn.IndexOutOfRange, r"\[0, 3\)|3"),
        ({"y": np.array([0, -1, 1, 0])}, sn.IndexOutOfRange, r"\[0, 3\)|3"),
        ({"x": np.full((4, 5), np.nan, np.float32)}, sn.NotFinite, r"x\[0, 0\] is nan"),
    ],
)
def test_bad_input_leaves_everything_as_it_was(backend: str, change: dict, error: type, message: str) -> None:
    prog = program(backend, sn.optim.Adam(lr=0.1), check_finite=True)
    prog.step(**data(4))
    before = {name: prog.instance.read(name) for name in prog.instance.persistent}
    with pytest.raises(error, match=message):
        prog.step(**{**data(4), **change})
    for name, value in before.items():
        np.testing.assert_array_equal(prog.instance.read(name), value, err_msg=name)
    assert np.isfinite(prog.step(**data(4))["loss"])


def test_non_contiguous_arrays_are_accepted() -> None:
    a, b = program(), program()
    batch = data(4)
    a.step(**batch)
    b.step(x=np.asfortranarray(batch["x"]), y=np.repeat(batch["y"], 2)[::2])
    np.testing.assert_array_equal(a.parameters["W1"], b.parameters["W1"])


def test_parameters_are_assigned_not_edited() -> None:
    prog = program()
    with pytest.raises(ValueError, match="read-only"):
        prog.parameters["W1"][0] = 0
    prog.parameters["b1"] = np.arange(7, dtype=np.float32)
    np.testing.assert_array_equal(prog.parameters["b1"], np.arange(7))
    with pytest.raises(sn.ShapeError, match=r"expected the shape \[7\], got \[6\]"):
        prog.parameters["b1"] = np.zeros(6, np.float32)
    with pytest.raises(sn.UnknownName, match="W3"):
        prog.parameters["W3"] = 0


def test_seeds_decide_the_parameters() -> None:
    same, other = program(seed=3), program(seed=4)
    np.testing.assert_array_equal(same.parameters["W1"], program(seed=3).parameters["W1"])
    assert not np.array_equal(same.parameters["W1"], other.parameters["W1"])


def test_backends_agree() -> None:
    native, slow = program("llvm"), program("numpy")
    for seed in range(3):
        np.testing.assert_allclose(native.step(**data(7, seed))["loss"], slow.step(**data(7, seed))["loss"], rtol=1e-5)
    for name in native.parameters:
        np.testing.assert_allclose(native.parameters[name], slow.parameters[name], rtol=1e-4, atol=1e-6)


def test_dtype_converts_the_whole_program() -> None:
    prog = program(dtype="float64")
    assert prog.parameters["W1"].dtype == np.float64
    assert prog.step(**data(4, dtype="float64"))["loss"].dtype == np.float64


def test_wrong_programs() -> None:
    loss, logits = two_layers()
    sgd = sn.optim.SGD(lr=0.1)
    with pytest.raises(sn.ShapeError, match="expected a scalar"):
        sn.compile(loss=logits, optimizer=sgd, batch={"N": 4})
    with pytest.raises(sn.ShapeError, match="batch="):
        sn.compile(loss=loss, optimizer=sgd)
    with pytest.raises(sn.UnknownName, match="no dimension 'M'"):
        sn.compile(loss=loss, optimizer=sgd, batch={"N": 4, "M": 3})
    with pytest.raises(sn.UsageError, match="backend"):
        sn.compile(loss=loss, optimizer=sgd, batch={"N": 4}, backend="tpu")
    with pytest.raises(sn.DTypeError, match="the class SGD, expected an optimizer"):
        sn.compile(loss=loss, optimizer=sn.optim.SGD, batch={"N": 4})  # type: ignore[arg-type]
    with pytest.raises(sn.DTypeError, match="a list, expected a mapping"):
        sn.compile(loss=loss, optimizer=sgd, batch={"N": 4}, outputs=[logits])  # type: ignore[arg-type]
    x = sn.input("x", (3,))
    with pytest.raises(sn.UsageError, match="no trainable parameter"):
        sn.compile(loss=sn.sum(x), optimizer=sgd)
    clash = sn.parameter("W", (3,)), sn.parameter("W", (3, 1))
    with pytest.raises(sn.UsageError, match="are called 'W'"):
        sn.compile(loss=sn.sum(clash[0]) + sn.sum(clash[1]), optimizer=sgd)


def test_a_dimension_in_no_shape_is_noticed() -> None:
    x = sn.input("x", (3,))
    _, doubled = sn.scan(lambda carry, _: 2.0 * carry, init=x, length="T")
    for expression in (sn.dim("T") * x, doubled):
        with pytest.raises(sn.UnknownName, match="no input tells the size of the dimension 'T'"):
            sn.function([x], expression)(np.ones(3, "float32"))
