"""Schedulers: resumed runs, closed forms, real programs, and what is refused. PyTorch's numbers: tests/references."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, UnknownName, Unsupported, UsageError
from symnet.optim import lr_scheduler
from tests.references.cases.schedulers import RUNS, Run, Settings

CLOSED = [name for name in RUNS if "jumps" not in name and "last_epoch" not in name and "fractions" not in name]


def program(optimizer: sn.optim.Optimizer) -> sn.Program:
    w = sn.parameter("w", (2,), dtype="float64", init=sn.init.ones())
    return sn.compile(loss=sn.sum(w**2), optimizer=optimizer)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_resumed_goes_on_as_if_it_had_not_stopped(name: str, rng: np.random.Generator) -> None:
    run, stop = RUNS[name], 37
    figures = rng.normal(size=run.steps)
    whole = run.ours({"figures": figures})

    first = run.settings()
    scheduler = run.make(lr_scheduler, first)
    run.go(scheduler, first, figures[:stop])
    hyper, state = copy.deepcopy(first.hyper), pickle.loads(pickle.dumps(scheduler.state_dict()))

    second = run.settings()
    scheduler = run.make(lr_scheduler, second)
    second.hyper = hyper
    for group in scheduler._groups:
        group._hyper = hyper
    scheduler.load_state_dict(state)
    rest = run.go(scheduler, second, figures, first=stop)
    for what, values in rest.items():
        expected = whole[what] if what == "last lr" else whole[what][stop:]
        np.testing.assert_array_equal(values, expected, err_msg=what)


@pytest.mark.parametrize("name", CLOSED)
def test_the_formula_gives_the_numbers_of_the_run(name: str) -> None:
    run = RUNS[name]
    settings = run.settings()
    scheduler = run.make(lr_scheduler, settings)
    try:
        formula = scheduler.formula()
    except Unsupported:
        assert str(scheduler) == repr(scheduler)
        return
    assert scheduler.latex()
    assert str(scheduler) == f"lr = {formula}"
    start = scheduler._groups[0].notes["initial_lr"]
    for step in range(run.steps):
        assert sn.evaluate(formula, {"t": float(step), "lr_0": start}) == pytest.approx(
            settings.hyper["lr"], rel=1e-9, abs=1e-12
        ), f"step {step}"
        scheduler.step()


def test_how_formulas_are_written() -> None:
    made = {name: str(RUNS[name].make(lr_scheduler, RUNS[name].settings())) for name in RUNS}
    assert made["StepLR(step_size=30)"] == "lr = lr₀ 0.1^⌊t / 30⌋"
    assert made["CosineAnnealingLR(T_max=50)"] == "lr = lr₀ (1 + cos(π t / 50)) / 2"
    assert made["MultiStepLR([30, 80])"] == "lr = lr₀ 0.1^(1[t ≥ 30] + 1[t ≥ 80])"
    assert made["OneCycleLR(epochs, steps_per_epoch)"] == (
        "lr = where(t ≤ 29, 0.004 + 0.096 t / 29, 0.1 − 0.0999996 (t − 29) / 90)"
    )
    assert made["MultiplicativeLR(function)"] == "MultiplicativeLR()"
    assert RUNS["LinearLR()"].make(lr_scheduler, Settings(lr=1.0)).latex() == (
        r"\mathrm{lr}_{0} \, \left(\frac{1}{3} + \frac{\left(\frac{2}{3}\right) \, \min\left(t, 5\right)}{5}\right)"
    )


def test_signatures_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for name in lr_scheduler.__all__:
        theirs = getattr(torch.optim.lr_scheduler, name, None) or getattr(torch.optim.swa_utils, name)
        ours = getattr(lr_scheduler, name)
        assert str(_defaults(ours)) == str(_defaults(theirs)), name
    assert set(torch.optim.lr_scheduler.__all__) <= set(lr_scheduler.__all__)


def _defaults(cls: type) -> list[tuple[str, Any]]:
    return [(name, float(p.default) if isinstance(p.default, int) else p.default)
            for name, p in inspect.signature(cls).parameters.items()]  # fmt: skip


# --- programs ---------------------------------------------------------------------------------------------------------


def test_a_program_trains_with_the_scheduled_rates(tmp_path: Path) -> None:
    prog = program(sn.optim.SGD(lr=0.5))
    scheduler = lr_scheduler.ExponentialLR(prog, gamma=0.5)
    expected = np.ones(2)
    for step in range(4):
        prog.step()
        expected = expected - 0.5 * 0.5**step * 2 * expected
        scheduler.step()
        np.testing.assert_allclose(prog.parameters["w"], expected, rtol=1e-15)
    prog.save(tmp_path / "run.safetensors")
    state = json.loads(json.dumps(scheduler.state_dict()))

    again = program(sn.optim.SGD(lr=0.5))
    resumed = lr_scheduler.ExponentialLR(again, gamma=0.5)
    again.load(tmp_path / "run.safetensors")
    resumed.load_state_dict(state)
    for one, other in ((prog, scheduler), (again, resumed)):
        one.step()
        other.step()
    assert again.parameters["w"].tolist() == prog.parameters["w"].tolist()
    assert again.hyper["lr"] == prog.hyper["lr"] == 0.5**6
    assert resumed.get_last_lr() == [0.5**6]


def test_the_schedulers_of_one_program_share_its_initial_rate() -> None:
    prog = program(sn.optim.Adam(lr=0.1))
    lr_scheduler.LinearLR(prog, start_factor=0.5)
    assert prog.hyper["lr"] == 0.05
    assert lr_scheduler.CosineAnnealingLR(prog, T_max=10).base_lrs == [0.1]
    assert lr_scheduler.CosineAnnealingLR(program(sn.optim.Adam(lr=0.3)), T_max=10).base_lrs == [0.3]


def test_momentum_is_the_first_of_adams_betas() -> None:
    prog = program(sn.optim.Adam(lr=0.1, betas=(0.5, 0.9)))
    scheduler = lr_scheduler.OneCycleLR(prog, max_lr=0.1, total_steps=10)
    assert prog.hyper["betas"] == (0.95, 0.9)
    scheduler.step()
    assert 0.85 < prog.hyper["betas"][0] < 0.95
    assert prog.hyper["betas"][1] == 0.9


def test_each_group_with_a_rate_of_its_own_is_scheduled() -> None:
    v, w = (sn.parameter(name, (2,), dtype="float64", init=sn.init.ones()) for name in ("v", "w"))
    groups = [{"params": [v]}, {"params": [w], "name": "head", "lr": 0.5}]
    prog = sn.compile(loss=sn.sum(v + w), optimizer=sn.optim.SGD(groups, lr=0.1, momentum=0.9))
    scheduler = lr_scheduler.LambdaLR(prog, [lambda t: 0.5**t, lambda t: 0.1**t])
    assert scheduler.base_lrs == [0.1, 0.5]
    scheduler.step()
    assert (prog.hyper["lr"], prog.hyper["head.lr"]) == (0.05, 0.05)
    lr_scheduler.OneCycleLR(prog, max_lr=[1.0, 2.0], total_steps=10)
    assert (prog.hyper["lr"], prog.hyper["head.lr"], prog.hyper["momentum"]) == pytest.approx((0.04, 0.08, 0.95))
    with pytest.raises(ShapeError, match="max_lr has 3 values, expected one for each of 2 groups"):
        lr_scheduler.OneCycleLR(prog, max_lr=[1.0, 2.0, 3.0], total_steps=10)


def test_the_optimizer_within_others_is_scheduled() -> None:
    prog = program(sn.optim.Accumulate(sn.optim.ClipGradNorm(sn.optim.SGD(lr=0.1), 1.0), steps=2))
    lr_scheduler.StepLR(prog, step_size=1).step()
    assert prog.hyper["lr"] == pytest.approx(0.01)


def test_a_schedule_may_be_part_of_the_program() -> None:
    """It counts updates: with accumulation, not every step."""
    decay = sn.keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    for schedule in (decay, lambda t: 0.5 * 0.5**t):
        for steps in (1, 2):
            prog = program(sn.optim.Accumulate(sn.optim.SGD(lr=schedule), steps=steps))
            assert "lr" not in prog.hyper
            w = 1.0
            for step in range(3):
                for _ in range(steps):
                    prog.step()
                w -= 0.5 * 0.5**step * 2 * w
                np.testing.assert_allclose(prog.parameters["w"], w, rtol=1e-15)
    with pytest.raises(UnknownName, match="no learning rate that could be set"):
        lr_scheduler.StepLR(prog, step_size=3)


def test_fit_steps_schedulers_by_epoch_or_by_step(rng: np.random.Generator) -> None:
    x, w = sn.input("x", ("N", 2), dtype="float64"), sn.parameter("w", (2,), dtype="float64", init=sn.init.ones())
    data = {"x": rng.normal(size=(10, 2))}

    def run(make: Any, **schedule: Any) -> sn.Program:
        prog = sn.compile(loss=sn.mean((x @ w) ** 2), optimizer=sn.optim.SGD(lr=0.5), batch={"N": 4})
        scheduler = make(prog)
        callback = sn.callbacks.Schedule(scheduler, **schedule) if schedule else scheduler
        prog.fit(data, epochs=2, progress=False, callbacks=[callback])
        return prog

    assert run(lambda prog: lr_scheduler.ExponentialLR(prog, 0.5)).hyper["lr"] == 0.5**3
    assert run(lambda prog: lr_scheduler.ExponentialLR(prog, 0.5), every="step").hyper["lr"] == 0.5**7
    halving = run(lambda prog: lr_scheduler.ReduceLROnPlateau(prog, "max", 0.5, 0), monitor="loss")
    assert halving.hyper["lr"] == 0.25  # the first epoch's loss is the best so far, the second's is lower


MEMBERS = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda t: 0.9**t),
    "StepLR": lambda s, o: s.StepLR(o, 3),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 7, 0.001),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, 2),
    "SequentialLR": lambda s, o: s.SequentialLR(o, [s.LinearLR(o), s.PolynomialLR(o, 20)], [5]),
    "SWALR": lambda s, o: s.SWALR(o, 0.05),
    "ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, patience=2, min_lr=0.005),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_the_members_of_an_ensemble_are_scheduled_as_they_would_be_alone(name: str) -> None:
    rates = np.array([0.3, 0.02, 0.1])
    together, alone = Settings(lr=rates.copy()), [Settings(lr=float(rate)) for rate in rates]
    schedulers = [MEMBERS[name](lr_scheduler, settings) for settings in (together, *alone)]
    for step in range(30):
        for scheduler in schedulers:
            if name == "ReduceLROnPlateau":
                scheduler.step(1.0)
            else:
                scheduler.step(4 if step == 9 and name != "SequentialLR" else None)
        expected = [settings.hyper["lr"] for settings in alone]
        np.testing.assert_allclose(together.hyper["lr"], expected, rtol=1e-14, err_msg=f"step {step}")


def test_callable_objects_keep_their_attributes() -> None:
    class Halving:
        def __init__(self) -> None:
            self.base = 0.5

        def __call__(self, t: float) -> float:
            return self.base**t

    for make in (
        lambda settings: lr_scheduler.LambdaLR(settings, Halving()),
        lambda settings: lr_scheduler.CyclicLR(settings, 0.1, 0.2, scale_fn=Halving(), cycle_momentum=False),
    ):
        first, second = make(Settings(lr=1.0)), make(Settings(lr=1.0))
        functions = [first.lr_lambdas[0] if hasattr(first, "lr_lambdas") else first._scale_fn_custom]
        functions[0].base = 0.25
        second.load_state_dict(first.state_dict())
        assert (second.lr_lambdas[0] if hasattr(second, "lr_lambdas") else second._scale_fn_custom).base == 0.25


def test_a_scheduler_of_ones_own_needs_only_get_lr() -> None:
    class Inverse(lr_scheduler.LRScheduler):
        def get_lr(self) -> list[float]:
            return [lr / (1 + self.last_epoch) for lr in self.base_lrs]

    settings = Settings(lr=0.6)
    scheduler = Inverse(settings)
    scheduler.step()
    assert settings.hyper["lr"] == 0.3
    scheduler.step(5)
    assert settings.hyper["lr"] == pytest.approx(0.1)
    assert str(scheduler) == "Inverse()"


# --- mistakes ---------------------------------------------------------------------------------------------------------

SGD = {"lr": 0.1, "momentum": 0.9}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda s, p: s.StepLR(sn.optim.SGD(lr=0.1), 3), DTypeError, "is a SGD, expected the compiled program"),
        (lambda s, p: s.StepLR(Settings(rho=0.1), 3), UnknownName, "no learning rate that could be set.* are rho"),
        (lambda s, p: s.OneCycleLR(Settings(lr=0.1), 0.1, 10), UnknownName, "no momentum that could be set"),
        (lambda s, p: s.StepLR(p, 0), UsageError, "step_size is 0"),
        (lambda s, p: s.StepLR(p, 3, last_epoch=4), UsageError, "last_epoch=4 goes on with a schedule"),
        (lambda s, p: s.LambdaLR(p, 0.5), DTypeError, "lr_lambda is 0.5"),
        (lambda s, p: s.LambdaLR(p, [abs, abs]), ShapeError, "2 functions, expected one for each of 1 groups"),
        (lambda s, p: s.ConstantLR(p, factor=0), UsageError, "factor is 0"),
        (lambda s, p: s.LinearLR(p, start_factor=1.5), UsageError, "start_factor is 1.5"),
        (lambda s, p: s.LinearLR(p, end_factor=-1), UsageError, "end_factor is -1"),
        (lambda s, p: s.CosineAnnealingLR(p, 0), UsageError, "T_max is 0"),
        (lambda s, p: s.CyclicLR(p, 0.1, 0.2, 0), UsageError, "step_size_up is 0"),
        (lambda s, p: s.OneCycleLR(p, 0.1, 10, pct_start=0.1), UsageError, "leaves no way between two steps"),
        (lambda s, p: s.CosineAnnealingWarmRestarts(p, 0), UsageError, "T_0 is 0"),
        (lambda s, p: s.CosineAnnealingWarmRestarts(p, 3, T_mult=1.5), UsageError, "T_mult is 1.5"),
        (lambda s, p: s.CosineAnnealingWarmRestarts(p, 3).step(-1), UsageError, "before the first step"),
        (lambda s, p: s.CyclicLR(p, 0.1, 0.2, mode="square"), UsageError, "mode is 'square'"),
        (lambda s, p: s.CyclicLR(p, 0.1, 0.2, scale_mode="steps"), UsageError, "scale_mode is 'steps'"),
        (lambda s, p: s.CyclicLR(p, [0.1, 0.2], 0.3), ShapeError, "base_lr has 2 values"),
        (lambda s, p: s.OneCycleLR(p, 0.1), UsageError, "expected total_steps, or epochs"),
        (lambda s, p: s.OneCycleLR(p, 0.1, epochs=3), UsageError, "expected total_steps, or epochs"),
        (lambda s, p: s.OneCycleLR(p, 0.1, total_steps=0), UsageError, "total_steps is 0"),
        (lambda s, p: s.OneCycleLR(p, 0.1, 10, pct_start=1.5), UsageError, "pct_start is 1.5"),
        (lambda s, p: s.OneCycleLR(p, 0.1, 10, anneal_strategy="step"), UsageError, "anneal_strategy is 'step'"),
        (lambda s, p: [c := s.OneCycleLR(p, 0.1, 2), c.step(), c.step(), c.step()], UsageError, "beyond the schedule"),
        (lambda s, p: s.SWALR(p, 0.1, anneal_strategy="step"), UsageError, "anneal_strategy is 'step'"),
        (lambda s, p: s.SWALR(p, 0.1, anneal_epochs=-1), UsageError, "anneal_epochs is -1"),
        (lambda s, p: s.ReduceLROnPlateau(p, factor=1.0), UsageError, "factor is 1.0"),
        (lambda s, p: s.ReduceLROnPlateau(p, "least"), UsageError, "mode is 'least'"),
        (lambda s, p: s.ReduceLROnPlateau(p, threshold_mode="x"), UsageError, "threshold_mode is 'x'"),
        (lambda s, p: s.SequentialLR(p, [], []), UsageError, "no scheduler in the list"),
        (lambda s, p: s.SequentialLR(p, [s.StepLR(p, 3)], [4]), UsageError, "1 schedulers and 1 milestones"),
        (lambda s, p: s.SequentialLR(p, [s.StepLR(p, 3), 3], [4]), DTypeError, "number 1 in the list is a int"),
        (
            lambda s, p: s.SequentialLR(p, [s.StepLR(p, 3), s.ChainedScheduler([s.StepLR(p, 3)])], [4]),
            UsageError,
            "can only be the first",
        ),
        (lambda s, p: s.ChainedScheduler([s.ReduceLROnPlateau(p)]), UsageError, "step it by itself"),
        (
            lambda s, p: s.ChainedScheduler([s.StepLR(p, 3), s.StepLR(Settings(**SGD), 3)]),
            UsageError,
            "schedules another program",
        ),
        (lambda s, p: s.ChainedScheduler([s.StepLR(p, 3)]).step(3), UsageError, "only step()"),
        (lambda s, p: s.StepLR(p, 3).load_state_dict({"step_size": 3}), UnknownName, "is missing"),
        (
            lambda s, p: s.StepLR(p, 3).load_state_dict(s.ExponentialLR(p, 0.9).state_dict() | {"gama": 1}),
            UnknownName,
            "'gama' is not expected; did you mean 'gamma'",
        ),
        (
            lambda s, p: s.ChainedScheduler([s.StepLR(p, 3)]).load_state_dict(
                s.ChainedScheduler([s.StepLR(p, 3), s.StepLR(p, 3)]).state_dict()
            ),
            UsageError,
            "the state is of 2 schedulers, expected 1",
        ),
        (lambda s, p: s.MultiplicativeLR(p, abs).formula(), Unsupported, "no closed form"),
    ],
)
def test_mistakes_are_named(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(lr_scheduler, Settings(**SGD))


def test_a_momentum_that_groups_share_cannot_have_two_values() -> None:
    settings = Run(lambda s, o: None).settings()
    with pytest.raises(UsageError, match="groups that share the momentum 'momentum'"):
        lr_scheduler.CyclicLR(settings, 0.1, 0.2, base_momentum=[0.7, 0.8])  # type: ignore[arg-type]
    settings.hyper["1.momentum"] = 0.9
    lr_scheduler.CyclicLR(settings, 0.1, 0.2, base_momentum=[0.7, 0.8], max_momentum=[0.8, 0.9])  # type: ignore[arg-type]
    assert (settings.hyper["momentum"], settings.hyper["1.momentum"]) == (0.8, 0.9)
