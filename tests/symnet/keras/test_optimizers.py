"""Keras optimizers in programs: their names, clipping, averages, schedules, resuming. Numbers: tests/references."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, UnknownName, Unsupported, UsageError
from symnet.expr.traverse import postorder
from symnet.keras import optimizers as k

NAMES = "SGD Adam AdamW RMSprop Adagrad Adadelta Adamax Nadam Ftrl Lion Lamb Adafactor".split()
SCHEDULES = (
    "ExponentialDecay PiecewiseConstantDecay PolynomialDecay InverseTimeDecay CosineDecay CosineDecayRestarts".split()
)


def program(optimizer: sn.optim.Optimizer, dtype: str = "float64") -> sn.Program:
    """Two parameters whose gradients are given: `prog.step(g=…, h=…)`."""
    w = sn.parameter("w", (3,), dtype, init=sn.init.ones())
    b = sn.parameter("b", (), dtype, init=sn.init.ones())
    loss = sn.sum(sn.input("g", (3,), dtype) * w) + sn.input("h", (), dtype) * b
    return sn.compile(loss=loss, optimizer=optimizer)


GRADIENT = {"g": np.array([3.0, -4.0, 0.0]), "h": np.array(12.0)}


@pytest.mark.parametrize("name", [*NAMES, "LossScaleOptimizer"])
def test_signatures_are_keras(name: str) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    _same_arguments(getattr(k, name), getattr(keras.optimizers, name))


@pytest.mark.parametrize("name", SCHEDULES)
def test_signatures_of_schedules_are_keras(name: str) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    _same_arguments(getattr(k.schedules, name), getattr(keras.optimizers.schedules, name))


def _same_arguments(ours: Any, theirs: Any) -> None:
    found = [(name, p.default) for name, p in inspect.signature(ours).parameters.items()]
    wanted = list(inspect.signature(theirs.__init__).parameters.values())[1:]
    assert found == [(p.name, p.default) for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("name", NAMES)
def test_arrays_of_a_float32_program_are_computed_in_float32(name: str) -> None:
    w = sn.parameter("w", (4, 3), init=sn.init.ones())
    optimizer = getattr(k, name)(clipnorm=1.0, use_ema=True, gradient_accumulation_steps=2, loss_scale_factor=8.0)
    updates, _ = optimizer.build([w], [sn.input("g", (4, 3))])
    for node in postorder([value for _, value in updates]):
        if 4 in node.shape:
            assert node.dtype in ("float32", "bool"), f"{node.op} of an array is computed in {node.dtype}"


def test_hyperparameters_have_keras_names() -> None:
    assert program(k.SGD(momentum=0.9, clipvalue=1.0)).hyper == {
        "learning_rate": 0.01, "momentum": 0.9, "clipvalue": 1.0
    }  # fmt: skip
    prog = program(k.AdamW(use_ema=True))
    assert list(prog.hyper) == ["learning_rate", "weight_decay", "beta_1", "beta_2", "epsilon", "ema_momentum"]
    with pytest.raises(UnknownName, match="there is no hyperparameter 'lr'"):
        prog.hyper["lr"] = 0.1


def test_formulas() -> None:
    assert str(k.Adam().formula()).splitlines() == [
        "m ← β₁ m + (1 − β₁) g",
        "v ← β₂ v + (1 − β₂) g²",
        "p ← p − (η √(1 − β₂ᵗ) / (1 − β₁ᵗ)) m / (√v + ε)",
        "with",
        "  η = learning_rate",
    ]
    assert str(k.SGD(momentum=0.9).formula()).splitlines()[:2] == ["v ← μ v − η g", "p ← p + v"]
    schedule = k.schedules.CosineDecay(0.1, 100)
    lines = ["η = 0.1 (1 + cos(π min(step, 100) / 100)) / 2", "p ← p − η g"]
    assert str(k.SGD(schedule).formula()).splitlines() == lines
    assert str(sn.optim.SGD(lr=schedule).formula()).splitlines()[0] == lines[0].replace("η", "lr")


def test_clipping() -> None:
    def change(**clipping: float) -> tuple[list[float], float]:
        prog = program(k.SGD(learning_rate=1.0, **clipping))
        prog.step(**GRADIENT)
        return (1.0 - prog.parameters["w"]).round(12).tolist(), round(1.0 - float(prog.parameters["b"]), 12)

    assert change() == ([3.0, -4.0, 0.0], 12.0)
    assert change(clipnorm=1.0) == ([0.6, -0.8, 0.0], 1.0)
    assert change(clipnorm=20.0) == ([3.0, -4.0, 0.0], 12.0)
    assert change(clipvalue=3.5) == ([3.0, -3.5, 0.0], 3.5)
    assert change(global_clipnorm=1.3) == ([0.3, -0.4, 0.0], 1.2)
    assert change(global_clipnorm=13.0) == ([3.0, -4.0, 0.0], 12.0)


def test_gradients_that_are_not_finite() -> None:
    infinite = {"g": np.array([np.inf, 1.0, 0.0]), "h": np.array(1.0)}
    prog = program(k.SGD(clipnorm=1.0))
    prog.step(**infinite)
    assert np.isnan(prog.parameters["w"]).tolist() == [True, False, False]
    assert np.isfinite(prog.parameters["b"])
    prog = program(k.SGD(global_clipnorm=1.0))
    prog.step(**infinite)
    assert np.isnan(prog.parameters["w"]).all()
    assert np.isnan(prog.parameters["b"])


def test_accumulation_is_the_mean_over_the_steps() -> None:
    prog = program(k.SGD(learning_rate=1.0, gradient_accumulation_steps=2))
    prog.step(g=np.full(3, 1.0), h=np.array(0.0))
    assert prog.parameters["w"].tolist() == [1.0, 1.0, 1.0]
    prog.step(g=np.full(3, 4.0), h=np.array(0.0))
    assert prog.parameters["w"].tolist() == [-1.5, -1.5, -1.5]


def test_a_step_whose_gradients_are_not_finite_is_left_out() -> None:
    optimizer = k.LossScaleOptimizer(k.SGD(learning_rate=1.0, use_ema=True), initial_scale=4.0, dynamic_growth_steps=2)
    prog = program(optimizer)
    for h, scale, b in ((1.0, 4.0, 0.0), (np.nan, 2.0, 0.0), (1.0, 2.0, -1.0), (1.0, 4.0, -2.0), (np.inf, 2.0, -2.0)):
        prog.step(g=np.zeros(3), h=np.array(h))
        assert (float(prog.buffers["dynamic_scale"]), float(prog.parameters["b"])) == (scale, b)
    assert prog.buffers["step"] == 3
    optimizer.finalize_variable_values(prog)
    assert float(prog.parameters["b"]) == pytest.approx(-0.0299)
    assert repr(optimizer).startswith("LossScaleOptimizer(SGD(learning_rate=1.0")


def test_exclude_from_weight_decay_by_node_and_by_name() -> None:
    for options in ({"var_list": "b"}, {"var_names": ["b", "nothing"]}):
        w, b = (sn.parameter(name, init=sn.init.ones()) for name in ("w", "b"))
        optimizer = k.SGD(learning_rate=0.5, weight_decay=0.2)
        optimizer.exclude_from_weight_decay(**{name: [b] if value == "b" else value for name, value in options.items()})
        prog = sn.compile(loss=sn.input("g") * (w + b), optimizer=optimizer, dtype="float64")
        prog.step(g=np.array(0.0))
        assert (float(prog.parameters["w"]), float(prog.parameters["b"])) == (0.9, 1.0)


def test_averages_can_be_read_used_and_finalised() -> None:
    optimizer = k.SGD(learning_rate=1.0, use_ema=True, ema_momentum=0.5)
    prog = program(optimizer)
    for _ in range(3):  # w goes 1, 0, -1, -2
        prog.step(g=np.ones(3), h=np.array(0.0))
    expected = 0.25 * 0.0 + 0.25 * -1.0 + 0.5 * -2.0
    assert sn.optim.averages(prog)["w"].tolist() == [expected] * 3
    with sn.optim.use_averages(prog):
        assert prog.parameters["w"].tolist() == [expected] * 3
    assert prog.parameters["w"].tolist() == [-2.0] * 3
    optimizer.finalize_variable_values(prog)
    assert prog.parameters["w"].tolist() == [expected] * 3


def test_a_schedule_is_part_of_the_program() -> None:
    schedule = k.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    prog = program(k.SGD(learning_rate=schedule))
    assert "learning_rate" not in prog.hyper
    for expected in (0.5, 0.0, -0.25):
        prog.step(g=np.ones(3), h=np.array(0.0))
        assert prog.parameters["w"].tolist() == [expected] * 3
    with pytest.raises(UnknownName, match="learning_rate"):
        prog.hyper["learning_rate"] = 0.1
    assert repr(k.SGD(learning_rate=schedule)).startswith("SGD(learning_rate=PiecewiseConstantDecay(boundaries=[1]")


def test_a_schedule_of_ones_own() -> None:
    class Inverse(k.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            return 1.0 / (1.0 + step)

    prog = program(k.SGD(learning_rate=Inverse()))
    for expected in (0.0, -0.5):
        prog.step(g=np.ones(3), h=np.array(0.0))
        assert prog.parameters["w"].tolist() == [expected] * 3
    assert Inverse().at(3) == 0.25
    assert str(Inverse()) == "learning_rate = 1 / (1 + t)"
    prog = program(k.SGD(learning_rate=lambda step: 2.0**-step))
    for expected in (0.0, -0.5):
        prog.step(g=np.ones(3), h=np.array(0.0))
        assert prog.parameters["w"].tolist() == [expected] * 3


def test_how_schedules_are_written() -> None:
    s = k.schedules
    assert str(s.ExponentialDecay(0.1, 1000, 0.96)) == "learning_rate = 0.1 0.96^(t / 1000)"
    assert str(s.CosineDecay(0.0, 900, warmup_target=0.1, warmup_steps=100)) == (
        "learning_rate = where(t < 100, 0.1 t / 100, 0.1 (1 + cos(π min(t − 100, 900) / 900)) / 2)"
    )
    assert s.InverseTimeDecay(0.1, 10, 0.5, True).latex() == (
        r"\frac{0.1}{1 + 0.5 \, \left\lfloor \frac{t}{10} \right\rfloor}"
    )
    assert s.CosineDecay(0.5, 10).at(5) == pytest.approx(0.25, rel=1e-15)


@pytest.mark.parametrize("t_mul", [2.0, 3.0, 1.5])
def test_every_restart_is_at_its_step_in_native_code(t_mul: float) -> None:
    t = sn.input("t", ("N",), "float64")
    starts = np.cumsum([0.0, *(8 * t_mul**i for i in range(6))])
    rates = sn.function([t], k.schedules.CosineDecayRestarts(0.1, 8, t_mul)(t))
    np.testing.assert_allclose(rates(starts), 0.1, rtol=1e-12)
    assert (rates(starts[1:] - 0.5) < 0.01).all()


@pytest.mark.parametrize("steps", [1, 2])
def test_a_saved_program_goes_on_bit_for_bit(tmp_path: Path, steps: int, rng: np.random.Generator) -> None:
    def make() -> sn.Program:
        schedule = k.schedules.ExponentialDecay(0.1, 3, 0.5)
        return program(k.Nadam(schedule, use_ema=True, ema_overwrite_frequency=2, gradient_accumulation_steps=2))

    gradients = [{"g": rng.normal(size=3), "h": rng.normal(size=())} for _ in range(7)]
    whole, first, second = make(), make(), make()
    for gradient in gradients:
        whole.step(**gradient)
    for gradient in gradients[:steps]:
        first.step(**gradient)
    first.save(tmp_path / "run.safetensors")
    second.load(tmp_path / "run.safetensors")
    for gradient in gradients[steps:]:
        second.step(**gradient)
    for name in ("w", "b"):
        assert second.parameters[name].tobytes() == whole.parameters[name].tobytes()


def test_a_scheduler_of_pytorch_on_an_optimizer_of_keras() -> None:
    prog = program(k.Adam(learning_rate=0.1, beta_1=0.8))
    scheduler = sn.optim.lr_scheduler.StepLR(prog, step_size=1, gamma=0.5)
    scheduler.step()
    assert prog.hyper["learning_rate"] == 0.05
    sn.optim.lr_scheduler.OneCycleLR(prog, max_lr=1.0, total_steps=10)
    assert (prog.hyper["beta_1"], prog.hyper["learning_rate"]) == pytest.approx((0.95, 0.04))


@pytest.mark.parametrize("name", ["Adam", "Lamb"])
def test_the_members_of_an_ensemble_train_as_they_would_alone(name: str, rng: np.random.Generator) -> None:
    """With rates and clipping of their own, also where the update takes the norm of the parameter."""
    start, rates, gradients = rng.normal(size=(2, 3)), [0.1, 0.03], rng.normal(size=(5, 2, 3))

    def train(value: np.ndarray, rate: Any, given: np.ndarray) -> np.ndarray:
        w, g = sn.parameter("w", value.shape, "float64", init=value), sn.input("g", value.shape, "float64")
        optimizer = getattr(k, name)(learning_rate=rate, clipnorm=0.5, weight_decay=0.1, use_ema=True)
        prog = sn.compile(loss=sn.sum(g * w), optimizer=optimizer)
        for gradient in given:
            prog.step(g=gradient)
        return np.stack([prog.parameters["w"], prog.buffers["w.average"]], axis=-1)

    together = train(start, rates, gradients)
    for member, rate in enumerate(rates):
        np.testing.assert_allclose(together[member], train(start[member], rate, gradients[:, member]), rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: k.Adam(lr=0.1), DTypeError, "Adam: there is no argument 'lr'"),
        (lambda: k.Adam(learn_rate=0.1), DTypeError, "did you mean 'learning_rate'"),
        (lambda: k.SGD(0.1, learning_rate=0.1), DTypeError, "SGD: multiple values for argument"),
        (lambda: k.SGD(*range(20)), DTypeError, "SGD: too many positional arguments"),
        (lambda: k.SGD(learning_rate=-1.0), UsageError, "learning_rate is -1.0"),
        (lambda: k.SGD(learning_rate=None), DTypeError, "learning_rate is None"),
        (lambda: k.SGD(learning_rate=lambda: 0.1), Unsupported, "learning_rate is a function of nothing"),
        (lambda: k.SGD(momentum=1.5), UsageError, "momentum is 1.5"),
        (lambda: k.Adam(beta_1=1.0), UsageError, "beta_1 is 1.0"),
        (lambda: k.Lion(beta_1=0.0), UsageError, "beta_1 is 0.0"),
        (lambda: k.AdamW(weight_decay=None), UsageError, "AdamW: weight_decay is None"),
        (lambda: k.Ftrl(learning_rate_power=0.5), UsageError, "learning_rate_power is 0.5"),
        (lambda: k.Ftrl(l1_regularization_strength=-1.0), UsageError, "l1_regularization_strength is -1.0"),
        (lambda: k.Adafactor(relative_step=False), Unsupported, "relative_step=False"),
        (lambda: k.SGD(clipnorm=1.0, clipvalue=1.0), UsageError, "got clipnorm=1.0 and clipvalue=1.0"),
        (lambda: k.SGD(clipnorm=0.0), UsageError, "clipnorm is 0.0"),
        (lambda: k.SGD(use_ema=True, ema_momentum=1.5), UsageError, "ema_momentum is 1.5"),
        (lambda: k.SGD(use_ema=True, ema_overwrite_frequency=0), UsageError, "ema_overwrite_frequency is 0"),
        (lambda: k.SGD(ema_overwrite_frequency=3), UsageError, "need use_ema=True"),
        (lambda: k.SGD(ema_momentum=0.9), UsageError, "need use_ema=True"),
        (lambda: k.SGD().exclude_from_weight_decay(var_names="bias"), DTypeError, "var_names is 'bias'"),
        (lambda: k.SGD(gradient_accumulation_steps=1), UsageError, "gradient_accumulation_steps is 1"),
        (lambda: k.SGD(gradient_accumulation_steps=2.5), UsageError, "gradient_accumulation_steps is 2.5"),
        (lambda: k.LossScaleOptimizer(k.SGD(loss_scale_factor=2.0)), UsageError, "has a loss_scale_factor"),
        (lambda: k.LossScaleOptimizer(k.SGD), DTypeError, "expected the optimizer whose steps"),
        (lambda: k.LossScaleOptimizer(k.SGD(), 0.0), UsageError, "initial_scale is 0.0"),
        (lambda: k.schedules.ExponentialDecay(0.1, 0, 0.5), UsageError, "decay_steps is 0"),
        (lambda: k.schedules.CosineDecayRestarts(0.1, -1), UsageError, "first_decay_steps is -1"),
        (lambda: k.schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2]), UsageError, "2 boundaries and 2 values"),
        (lambda: k.schedules.LearningRateSchedule()(1), Unsupported, "write one that returns"),
        (lambda: k.KerasOptimizer().build([W], [W]), Unsupported, "no update_step"),
    ],
)
def test_mistakes_are_named(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


W = sn.parameter("w", (2,))


def test_an_optimizer_of_ones_own() -> None:
    class Sign(k.KerasOptimizer):
        arguments = k.signature(learning_rate=0.5)

        def update_step(self, p: Any, g: Any, s: Any, t: Any) -> Any:
            return p - self.learning_rate * sn.sign(g)

    prog = program(Sign(clipnorm=1.0, weight_decay=1.0))
    prog.step(**GRADIENT)
    assert prog.parameters["w"].tolist() == [0.0, 1.0, 0.5]
    assert Sign().name == "sign"
    assert Sign(name="direction").name == "direction"
