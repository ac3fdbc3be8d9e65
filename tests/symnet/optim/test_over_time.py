"""Updates and schedules in the notation of papers, proven by evaluation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, Unsupported, UsageError
from symnet.ops import hyper
from symnet.optim import lr_scheduler, over_time
from symnet.optim.formula import Reading

OPTIMIZERS: list[type[sn.optim.Optimizer]] = [
    kind
    for module in (sn.optim, sn.keras.optimizers)
    for kind in vars(module).values()
    if inspect.isclass(kind)
    and issubclass(kind, sn.optim.Optimizer)
    and not issubclass(kind, sn.optim.Transform)
    and kind.__name__ not in ("Optimizer", "KerasOptimizer")
]


def test_adam_reads_as_in_the_paper(golden: Callable[[str, str], None]) -> None:
    """Kingma, Ba, arXiv 1412.6980, algorithm 1."""
    formula = sn.explain(sn.optim.Adam())
    assert [str(line) for line in formula.lines] == [
        "gₜ = ∂L/∂θₜ₋₁",
        "mₜ = β₁ mₜ₋₁ + (1 − β₁) gₜ",
        "vₜ = β₂ vₜ₋₁ + (1 − β₂) gₜ²",
        "m̂ₜ = mₜ / (1 − β₁ᵗ)",
        "v̂ₜ = vₜ / (1 − β₂ᵗ)",
        "θₜ = θₜ₋₁ − η m̂ₜ / (√v̂ₜ + ε)",
    ]
    golden("explain/adam.txt", str(formula))
    golden("explain/adam.tex", formula.latex())
    assert r"\hat{m}_{t} = \frac{m_{t}}{1 - \beta_{1}^{t}}" in formula.latex()
    assert "<mover><mi>m</mi><mo>^</mo></mover>" in formula.mathml()
    assert all(part in formula._repr_html_() for part in ("<math>", "with", "lr = 0.001"))


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: f"{kind.__module__.split('.')[1]}-{kind.__name__}")
def test_every_optimizer(kind: type[sn.optim.Optimizer], golden: Callable[[str, str], None]) -> None:
    formula = sn.explain(kind())
    family = kind.__module__.split(".")[1]
    golden(f"explain/optimizers/{family}_{kind.__name__.lower()}.txt", str(formula))
    assert str(formula.lines[-1]).partition(" = ")[0] in ("θₜ", "averageₜ")
    assert not re.search(r"[a-z]+\(.*uid", str(formula))
    assert formula.latex().startswith(r"\begin{array}{l}")
    assert formula.mathml().count("<math>") == len(formula.lines)


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: f"{kind.__module__.split('.')[1]}-{kind.__name__}")
def test_what_is_written_has_the_values_of_the_update(kind: type[sn.optim.Optimizer], seed: int) -> None:
    """Leaving out what is 0, and moving corrections to the means, changes no value."""
    optimizer, rng = kind(), np.random.default_rng(seed)
    reading = Reading(optimizer)
    zeros = [name for name, value in optimizer.defaults.items() if value == 0.0]
    shown = over_time._with_corrections(over_time._without(reading.values, [hyper(n) for n in zeros]))
    shape = reading.p.shape
    numbers: dict[Any, Any] = {"t": 3.0, "g": rng.normal(size=shape), "p": rng.normal(size=shape)}
    for name, value in optimizer.defaults.items():
        parts = {f"{name}[{i}]": part for i, part in enumerate(value)} if isinstance(value, tuple) else {name: value}
        numbers |= {name: float(part) for name, part in parts.items()}  # type: ignore[arg-type]
    stored = [one.old for one in reading.kept if one.old is not reading.p]
    numbers |= {str(old.name): rng.uniform(0.3, 0.9, old.shape) for old in stored}
    for one, other in zip(sn.evaluate(reading.values, numbers), sn.evaluate(shown, numbers), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_what_is_not_zero_is_written() -> None:
    text = str(sn.explain(sn.optim.Adam(weight_decay=0.1)))
    assert "gₜ = ∂L/∂θₜ₋₁ + λ θₜ₋₁" in text
    assert "λ = weight_decay = 0.1" in text
    assert "left out" not in text


def test_clipped_gradients_wear_a_hat() -> None:
    formula = sn.explain(sn.optim.ClipGradNorm(sn.optim.SGD(momentum=0.9), 1.0))
    assert [str(line) for line in formula.lines] == [
        "grad_normₜ = ‖∂L/∂θₜ₋₁‖",
        "g\u0302ₜ = min(1, max_norm / (grad_normₜ + 1e−6)) ∂L/∂θₜ₋₁",
        "vₜ = μ vₜ₋₁ + g\u0302ₜ",
        "θₜ = θₜ₋₁ − η vₜ",
    ]
    assert "max_norm = 1" in str(formula)
    assert "norms and sums are over all parameters together" in formula.notes


def test_an_update_that_is_not_made_in_every_step() -> None:
    lines = [str(line) for line in sn.explain(sn.optim.Accumulate(sn.optim.SGD(), 4)).lines]
    assert lines[1] == "g\u0302ₜ = (collectedₜ₋₁ + ∂L/∂θₜ₋₁) / (accumulatedₜ₋₁ + 1)"
    assert lines[2:4] == ["θ′ₜ = θₜ₋₁ − η g\u0302ₜ", "θₜ = where(accumulatedₜ₋₁ + 1 ≥ steps, θ′ₜ, θₜ₋₁)"]


def test_averages_follow_the_parameter() -> None:
    lines = [str(line) for line in sn.explain(sn.optim.Averaged(sn.optim.SGD(), 0.99)).lines]
    assert lines[1] == "θₜ = θₜ₋₁ − η gₜ"
    assert lines[4].startswith("averageₜ = where(averagedₜ₋₁ = 0, θₜ, ")


def test_a_learning_rate_that_is_a_function_of_the_step() -> None:
    lines = sn.explain(sn.optim.SGD(lr=lambda t: 0.1 * 0.9**t)).lines
    assert [str(line) for line in lines[1:]] == ["ηₜ = 0.1 0.9^(t − 1)", "θₜ = θₜ₋₁ − ηₜ gₜ"]


def test_a_schedule_of_keras_and_a_count_it_looks_at() -> None:
    schedule = sn.keras.optimizers.schedules.CosineDecay(1e-3, 100)
    optimizer = sn.keras.optimizers.SGD(schedule, gradient_accumulation_steps=3, use_ema=True)
    text = str(sn.explain(optimizer))
    assert "ηₜ = 0.001 (1 + cos(π min(3 (t − 1) + accumulatedₜ₋₁, 100) / 100)) / 2" in text
    assert "1[t − 1 ≠ 0]" in text


def test_numbers_of_members_and_groups() -> None:
    assert "η = lr = 0.1, 0.2, one for each member" in str(sn.explain(sn.optim.SGD(lr=[0.1, 0.2])))
    a, b = sn.parameter("a", (3,)), sn.parameter("b", (3,))
    groups = [{"params": [a]}, {"params": [b], "name": "head", "lr": 0.01, "momentum": 0.9}]
    text = str(sn.explain(sn.optim.SGD(groups, lr=0.1)))
    assert "in the group 'head': lr = 0.01, momentum = 0.9" in text
    assert text.endswith("its step in the group 'head'\n  gₜ = ∂L/∂θₜ₋₁\n  vₜ = μ vₜ₋₁ + gₜ\n  θₜ = θₜ₋₁ − η vₜ")


class Momentum(sn.optim.Optimizer):
    def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
        s.v = self.mu * s.v + g
        return p - self.lr * s.v


def test_a_users_own() -> None:
    lines = sn.explain(Momentum(lr=0.1, mu=0.9)).lines
    assert [str(line) for line in lines] == ["gₜ = ∂L/∂θₜ₋₁", "vₜ = μ vₜ₋₁ + gₜ", "θₜ = θₜ₋₁ − η vₜ"]


# --- schedules ---------------------------------------------------------------------------------------------------

x, W = sn.input("x", ("N", 2)), sn.parameter("W", (2,))


@pytest.fixture(scope="module")
def program() -> sn.Program:
    return sn.compile(sn.mean(sn.square(x @ W)), sn.optim.SGD(lr=0.1, momentum=0.9), batch={"N": 2}, backend="numpy")


SCHEDULERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "LambdaLR": (lambda p: lr_scheduler.LambdaLR(p, lambda t: 0.9**t), "ηₜ = η₀ 0.9ᵗ"),
    "MultiplicativeLR": (lambda p: lr_scheduler.MultiplicativeLR(p, lambda t: 0.9), "ηₜ = 0.9 ηₜ₋₁"),
    "StepLR": (lambda p: lr_scheduler.StepLR(p, 3), "ηₜ = η₀ 0.1^⌊t / 3⌋"),
    "ExponentialLR": (lambda p: lr_scheduler.ExponentialLR(p, 0.9), "ηₜ = η₀ 0.9ᵗ"),
    "CosineAnnealingLR": (lambda p: lr_scheduler.CosineAnnealingLR(p, 10), "ηₜ = η₀ (1 + cos(π t / 10)) / 2"),
    "CyclicLR": (
        lambda p: lr_scheduler.CyclicLR(p, 0.1, 0.2),
        "s = t mod 4000\nηₜ = 0.1 + 0.1 where(s ≤ 2000, s / 2000, (4000 − s) / 2000)",
    ),
    "ReduceLROnPlateau": (
        lr_scheduler.ReduceLROnPlateau,
        "ηₜ = where(steps without a better figure > 10, max(0.1 ηₜ₋₁, 0), ηₜ₋₁)",
    ),
    "ChainedScheduler": (
        lambda p: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(p), lr_scheduler.ExponentialLR(p, 0.9)]),
        "ηₜ = where(t < 5, η₀ / 3, η₀) 0.9ᵗ",
    ),
    "ExponentialDecay": (
        lambda p: sn.keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9),
        "ηₜ = 0.1 0.9^(t / 10)",
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedules(name: str, program: sn.Program) -> None:
    make, wanted = SCHEDULERS[name]
    formula = sn.explain(make(program))
    assert str(formula) == wanted
    assert r"\eta_{t} = " in formula.latex()
    assert "<mi>η</mi>" in formula.mathml()


@pytest.mark.parametrize("name", lr_scheduler.__all__)
def test_every_scheduler_has_a_formula(name: str, program: sn.Program) -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "LambdaLR": (lambda t: 0.9**t,), "MultiplicativeLR": (lambda t: 0.9,), "StepLR": (3,), "MultiStepLR": ([3, 5],),
        "ExponentialLR": (0.9,), "CosineAnnealingLR": (10,), "CyclicLR": (0.1, 0.2), "OneCycleLR": (0.1, 10),
        "CosineAnnealingWarmRestarts": (5,), "SWALR": (0.05,),
        "SequentialLR": ([lr_scheduler.ConstantLR(program), lr_scheduler.StepLR(program, 2)], [3]),
    }  # fmt: skip
    kind: Any = getattr(lr_scheduler, name)
    if kind is lr_scheduler.LRScheduler:
        return
    if kind is lr_scheduler.ChainedScheduler:
        scheduler = kind([lr_scheduler.ConstantLR(program), lr_scheduler.StepLR(program, 2)])
    else:
        scheduler = kind(program, *arguments.get(name, ()))
    assert str(sn.explain(scheduler)).splitlines()[-1].startswith("ηₜ = ")


def test_a_chain_is_what_stepping_gives(program: sn.Program) -> None:
    program.hyper["lr"] = 0.1
    parts = [lr_scheduler.ConstantLR(program, 0.5, 3), lr_scheduler.ExponentialLR(program, 0.9)]
    chain = lr_scheduler.ChainedScheduler(parts)
    for t in range(8):
        np.testing.assert_allclose(program.hyper["lr"], chain.at(t, 0.1), rtol=1e-12)
        chain.step()
    mixed = lr_scheduler.ChainedScheduler([parts[1], lr_scheduler.CosineAnnealingLR(program, 5, eta_min=0.01)])
    with pytest.raises(Unsupported, match="does more than to multiply"):
        sn.explain(mixed)


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="wrt is for losses"):
        sn.explain(sn.optim.Adam(), wrt="x")  # type: ignore[call-overload]
    with pytest.raises(DTypeError, match="the loss is the class Adam"):
        sn.explain(sn.optim.Adam)  # type: ignore[call-overload]
