"""Clipping, accumulation and averages: what they do to a step, and that they are part of the program's state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, Unsupported, UsageError
from symnet.expr.traverse import postorder


def compiled(optimizer: sn.optim.Optimizer, dtype: str = "float64") -> Any:
    x, y = sn.input("x", ("N", 3), dtype), sn.input("y", ("N",), dtype)
    w, b = sn.parameter("w", (3,), dtype, init=sn.init.ones()), sn.parameter("b", (), dtype)
    return sn.compile(loss=sn.mean((x @ w + b - y) ** 2), optimizer=optimizer, batch={"N": 12})


def data(rng: np.random.Generator, rows: int, dtype: str = "float64") -> dict[str, np.ndarray]:
    return {"x": rng.normal(size=(rows, 3)).astype(dtype), "y": rng.normal(size=rows).astype(dtype)}


def parts(batch: dict[str, np.ndarray], count: int) -> list[dict[str, np.ndarray]]:
    return [{name: np.array_split(array, count)[i] for name, array in batch.items()} for i in range(count)]


def values(program: Any) -> dict[str, np.ndarray]:
    return {name: np.array(program.parameters[name]) for name in program.parameters}


def assert_close(one: dict[str, np.ndarray], other: dict[str, np.ndarray], rtol: float = 1e-12) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=rtol, atol=1e-13, err_msg=name)


# --- accumulation -----------------------------------------------------------------------------------------------------


def test_accumulated_steps_are_those_of_the_big_batch(rng: np.random.Generator, tmp_path: Path) -> None:
    big, small = compiled(sn.optim.Adam(lr=0.1)), compiled(sn.optim.Accumulate(sn.optim.Adam(lr=0.1), 4))
    for _ in range(3):
        batch = data(rng, 12)
        big.step(**batch)
        for part in parts(batch, 4):
            small.save(tmp_path / "half.safetensors")  # goes on from the middle as if nothing had happened
            small.load(tmp_path / "half.safetensors")
            small.step(**part)
        assert_close(values(big), values(small))
    assert small.buffers["step"] == 3
    assert small.buffers["accumulated"] == 0


def test_between_updates_nothing_but_the_sums_changes(rng: np.random.Generator) -> None:
    program = compiled(sn.optim.Accumulate(sn.optim.SGD(lr=0.1, momentum=0.9), 3))
    batch = data(rng, 4)
    before, gradient = values(program), program.gradients(**batch)
    for number in (1, 2):
        program.step(**batch)
        assert all(np.array_equal(value, program.parameters[name]) for name, value in before.items())
        assert program.buffers["w.v"].tolist() == [0, 0, 0]
        np.testing.assert_allclose(program.buffers["w.collected"], number * gradient["w"], rtol=1e-14)
    program.step(**batch)
    assert_close(values(program), {name: before[name] - 0.1 * gradient[name] for name in before})
    assert program.buffers["w.collected"].tolist() == [0, 0, 0]


def test_the_number_of_steps_may_change_in_the_middle(rng: np.random.Generator) -> None:
    program = compiled(sn.optim.Accumulate(sn.optim.SGD(lr=0.1), 5))
    batch, before = data(rng, 4), values(program)
    gradient = program.gradients(**batch)
    program.step(**batch)
    program.hyper["steps"] = 2
    program.step(**batch)
    assert_close(values(program), {name: before[name] - 0.1 * gradient[name] for name in before})


# --- clipping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_norm_before_clipping_is_kept(dtype: str, rng: np.random.Generator) -> None:
    program = compiled(sn.optim.ClipGradNorm(sn.optim.SGD(lr=1.0), 0.5), dtype)
    batch = data(rng, 7, dtype)
    gradient, before = program.gradients(**batch), values(program)
    norm = np.sqrt(sum((g.astype("float64") ** 2).sum() for g in gradient.values()))
    assert norm > 0.5
    program.step(**batch)
    rtol = 1e-12 if dtype == "float64" else 1e-5
    assert program.buffers["grad_norm"].dtype == dtype
    assert program.buffers["grad_norm"] == pytest.approx(norm, rel=rtol)
    wanted = {name: before[name] - gradient[name] * (0.5 / (norm + 1e-6)) for name in before}
    assert_close(values(program), wanted, rtol)


def test_a_gradient_that_is_not_finite_is_not_made_finite(rng: np.random.Generator) -> None:
    program = compiled(sn.optim.ClipGradNorm(sn.optim.SGD(lr=1.0), 0.5))
    batch = data(rng, 3)
    batch["y"][1] = np.inf
    program.step(**batch)
    assert not np.isfinite(program.parameters["w"]).any()


@pytest.mark.parametrize(("norm_type", "wanted"), [(1, 19.0), (2, 125**0.5), (3, 961 ** (1 / 3)), ("inf", 9.0)])
def test_norms_of_expressions(norm_type: Any, wanted: float) -> None:
    gradients = [sn.constant(np.array([[-9.0], [6.0]])), sn.constant(2.0), sn.constant(np.array([-2.0], "float32"))]
    norm = sn.optim.get_total_norm(gradients, norm_type)
    assert sn.evaluate(norm) == pytest.approx(wanted, rel=1e-14)
    clipped, same = sn.optim.clip_grad_norm(gradients, 1.5, norm_type)
    assert same is norm
    assert [g.dtype for g in clipped] == [g.dtype for g in gradients]
    assert sn.evaluate(sn.optim.get_total_norm(clipped, norm_type)) == pytest.approx(1.5, rel=1e-6)


def test_clipped_elements() -> None:
    gradient = sn.constant(np.array([-3.0, -0.5, 0.0, np.nan, 7.0], "float32"))
    (clipped,) = sn.optim.clip_grad_value([gradient], 0.75)
    np.testing.assert_array_equal(sn.evaluate(clipped), np.array([-0.75, -0.5, 0.0, np.nan, 0.75], "float32"))


def test_clipping_computes_float32_gradients_in_float32() -> None:
    gradients = [sn.input(f"g{i}", (5,)) for i in range(3)]
    clipped, _ = sn.optim.clip_grad_norm(gradients, sn.hyper("max_norm"))
    assert all(node.dtype == "float32" for node in postorder(clipped) if node.shape == (5,))


# --- averages ---------------------------------------------------------------------------------------------------------


def test_a_program_computes_with_its_averages_for_a_while(rng: np.random.Generator) -> None:
    program = compiled(sn.optim.Averaged(sn.optim.SGD(lr=0.1), decay=0.75))
    assert_close(sn.optim.averages(program), values(program))
    batch, average = data(rng, 5), dict[str, np.ndarray]()
    for step in range(4):
        program.step(**batch)
        now = values(program)
        average = now if step == 0 else {name: 0.75 * average[name] + 0.25 * now[name] for name in now}
    assert_close(sn.optim.averages(program), average)
    loss = program.evaluate(**batch)["loss"]
    with sn.optim.use_averages(program):
        assert_close(values(program), average)
        assert program.evaluate(**batch)["loss"] != loss
    assert_close(values(program), now)

    def interrupted() -> None:
        with sn.optim.use_averages(program):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert_close(values(program), now)


def test_averages_of_asgd_are_found_in_the_same_way(rng: np.random.Generator) -> None:
    program = compiled(sn.optim.ASGD(lr=0.1, t0=0))
    batch, seen = data(rng, 5), []
    for _ in range(3):
        program.step(**batch)
        seen.append(program.parameters["w"])
    np.testing.assert_allclose(sn.optim.averages(program)["w"], np.mean(seen[1:], axis=0), rtol=1e-12)


def test_a_program_without_averages_says_so() -> None:
    program = compiled(sn.optim.SGD())
    with pytest.raises(UsageError, match="keeps no averages"), sn.optim.use_averages(program):
        pass


# --- all of them ------------------------------------------------------------------------------------------------------


def test_they_can_be_nested_and_have_hyperparameters_of_their_own() -> None:
    inner = sn.optim.ClipGradNorm(sn.optim.Adam(lr=0.1), 2.0)
    optimizer = sn.optim.Averaged(sn.optim.Accumulate(inner, 2), decay=0.9)
    program = compiled(optimizer)
    own = {"max_norm": 2.0, "steps": 2.0, "decay": 0.9, "start": 0.0, "every": 1.0}
    assert {name: program.hyper[name] for name in own} == own
    assert repr(optimizer).startswith("Averaged(Accumulate(ClipGradNorm(Adam(lr=0.1, ")
    assert repr(optimizer).endswith(
        "max_norm=2.0, norm_type=2.0), steps=2.0, mean=True), decay=0.9, start=0.0, every=1.0)"
    )


def test_everything_at_once_goes_on_from_a_checkpoint_with_the_same_bits(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    x, y = sn.input("x", ("N", 4)), sn.input("y", ("N",), "int64")
    net = sn.nn.Sequential(sn.nn.Linear(4, 7), sn.nn.BatchNorm1d(7), sn.nn.Dropout(0.3), sn.nn.Linear(7, 3))
    groups = [
        {"params": net[0].parameters(), "name": "body", "lr": 0.01},
        {"params": [*net[1].parameters(), net[3].bias]},
    ]
    inner = sn.optim.ClipGradNorm(sn.optim.Averaged(sn.optim.NAdam(groups), 0.9), 0.1)
    loss = sn.losses.cross_entropy(net(x), y)
    whole, first, second = (
        sn.compile(loss=loss, optimizer=sn.optim.Accumulate(inner, 3), batch={"N": 8}, seed=3) for _ in range(3)
    )
    rows = {"x": rng.normal(size=(40, 4)).astype("float32"), "y": rng.integers(0, 3, 40)}
    start = np.array(whole.parameters["3.weight"])
    whole.fit(rows, epochs=3, batch_size=8, progress=False)
    first.fit(rows, epochs=1, batch_size=8, progress=False)  # ends between two updates
    first.save(tmp_path / "one.safetensors")
    second.load(tmp_path / "one.safetensors")
    second.fit(rows, epochs=2, batch_size=8, progress=False)
    assert whole.buffers["step"] == 5
    for name in whole.parameters:
        np.testing.assert_array_equal(whole.parameters[name], second.parameters[name], err_msg=name)
    for name in whole.buffers:
        np.testing.assert_array_equal(whole.buffers[name], second.buffers[name], err_msg=name)
    np.testing.assert_array_equal(whole.parameters["3.weight"], start)


class HalfSteps(sn.optim.Transform):
    """A transform of one's own: each parameter goes only half of the way."""

    def updates(self, parameters: Any, gradients: Any) -> Any:
        pairs = self.optimizer.updates(parameters, gradients)
        return [(node, (node + new) / 2 if node.op == "parameter" else new) for node, new in pairs]


def test_a_transform_of_ones_own(rng: np.random.Generator) -> None:
    program, batch = compiled(HalfSteps(sn.optim.SGD(lr=0.2))), data(rng, 5)
    before, gradient = values(program), program.gradients(**batch)
    program.step(**batch)
    assert_close(values(program), {name: before[name] - 0.1 * gradient[name] for name in before})


class Box(sn.optim.Transform):
    """Keeps all parameters within a box whose size is a hyperparameter."""

    def updates(self, parameters: Any, gradients: Any) -> Any:
        pairs = self.optimizer.updates(parameters, gradients)
        return [(node, sn.clip(new, -self.size, self.size) if node.op == "parameter" else new) for node, new in pairs]


def test_what_a_transform_computes_is_brought_to_the_type_of_the_parameters(rng: np.random.Generator) -> None:
    w, g = sn.parameter("w", (5,)), sn.input("g", (5,))
    updates, _ = Box(sn.optim.NAdam(lr=10.0), size=0.25).build([w], [g])
    assert {str(node.name): value.dtype for node, value in updates} == {
        "w": "float32", "w.m": "float32", "w.v": "float32", "w.mu_product": "float64", "step": "int64",
    }  # fmt: skip
    value = dict(updates)[w]
    assert all(node.dtype != "float64" for node in postorder([value]) if node.shape == (5,))
    program = compiled(Box(sn.optim.SGD(lr=10.0), size=0.25), "float32")
    program.step(**data(rng, 5, "float32"))
    assert np.abs(program.parameters["w"]).max() == 0.25


class Twice(sn.optim.Transform):
    def updates(self, parameters: Any, gradients: Any) -> Any:
        return [*self.optimizer.updates(parameters, gradients), (parameters[0], gradients[0])]


def test_two_new_values_for_one_parameter_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Twice.updates gives two new values for 'w'"):
        compiled(Twice(sn.optim.SGD()))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda o: sn.optim.ClipGradNorm(o, -1.0), UsageError, "max_norm is -1.0, expected"),
        (lambda o: sn.optim.ClipGradNorm(o, 1.0, 0), UsageError, "norm_type is 0, expected a number above 0 or 'inf'"),
        (lambda o: sn.optim.ClipGradNorm(o, 1.0, "two"), DTypeError, "norm_type is 'two'"),
        (
            lambda o: sn.optim.ClipGradNorm(sn.optim.ClipGradNorm(o, 1), 1),
            UsageError,
            "a hyperparameter 'max_norm' too",
        ),
        (
            lambda o: sn.optim.ClipGradNorm([sn.parameter("p", ())], 1.0),
            DTypeError,
            "expected the optimizer whose steps",
        ),
        (lambda o: sn.optim.ClipGradValue(o, None), DTypeError, "clip_value is None, expected a number"),
        (lambda o: sn.optim.ClipGradNorm(o, [1.0, 2.0]), Unsupported, "all members of an ensemble share one number"),
        (lambda o: sn.optim.Accumulate(o, 0), UsageError, "steps is 0.0, expected at least 1"),
        (lambda o: sn.optim.Averaged(o, 1.5), UsageError, r"decay is 1.5, expected a number in \[0, 1\]"),
        (lambda o: sn.optim.clip_grad_norm([], 1.0), UsageError, "there are none"),
        (lambda o: sn.optim.clip_grad_norm([sn.constant(1)], 1.0), DTypeError, "expected floating-point expressions"),
        (lambda o: sn.optim.clip_grad_value([np.ones(2)], 1.0), DTypeError, "expected floating-point expressions"),
    ],
)
def test_mistakes_are_named(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(sn.optim.SGD())


def test_clipping_functions_take_gradients() -> None:
    for clip in (sn.optim.clip_grad_norm, sn.optim.clip_grad_value):
        with pytest.raises(sn.DTypeError, match="ClipGradNorm"):
            clip(sn.optim.SGD(lr=0.1), 1.0)
