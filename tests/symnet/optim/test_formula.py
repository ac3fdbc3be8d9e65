"""Updates as formulas: as on paper, and in an order in which they can be carried out."""

from __future__ import annotations

from typing import Any

import pytest

import symnet as sn

FORMULAS: list[tuple[sn.optim.Optimizer, list[str]]] = [
    (sn.optim.SGD(), ["p ← p − lr (g + λ p)"]),
    (sn.optim.SGD(momentum=0.9), ["v ← μ v + g + λ p", "p ← p − lr v"]),
    (
        sn.optim.SGD(momentum=0.9, nesterov=True, maximize=True),
        ["g ← λ p − g", "v ← μ v + g", "p ← p − lr (g + μ v)"],
    ),
    (
        sn.optim.Adam(),
        [
            "g ← g + λ p",
            "m ← β₁ m + (1 − β₁) g",
            "v ← β₂ v + (1 − β₂) g²",
            "p ← p − (lr / (1 − β₁ᵗ)) m / (√v / √(1 − β₂ᵗ) + ε)",
        ],
    ),
    (
        sn.optim.AdamW(amsgrad=True),
        [
            "m ← β₁ m + (1 − β₁) g",
            "v ← β₂ v + (1 − β₂) g²",
            "v_max ← max(v_max, v)",
            "p ← (1 − lr λ) p − (lr / (1 − β₁ᵗ)) m / (√v_max / √(1 − β₂ᵗ) + ε)",
        ],
    ),
    (
        sn.optim.Adamax(),
        ["g ← g + λ p", "m ← β₁ m + (1 − β₁) g", "u ← max(β₂ u, |g| + ε)", "p ← p − (lr / (1 − β₁ᵗ)) m / u"],
    ),
    (sn.optim.Adagrad(), ["g ← g + λ p", "sum ← sum + g²", "p ← p − (lr / (1 + (t − 1) lr_decay)) g / (√sum + ε)"]),
    (
        sn.optim.RMSprop(centered=True, momentum=0.9),
        [
            "g ← g + λ p",
            "v ← α v + (1 − α) g²",
            "a ← α a + (1 − α) g",
            "buf ← μ buf + g / (√(v − a²) + ε)",
            "p ← p − lr buf",
        ],
    ),
    (
        sn.optim.Adadelta(),
        ["g ← g + λ p", "v ← ρ v + (1 − ρ) g²", "c = (√(u + ε) / √(v + ε)) g", "u ← ρ u + (1 − ρ) c²", "p ← p − lr c"],
    ),
    (sn.optim.Lion(), ["p ← (1 − lr λ) p − lr sign(β₁ m + (1 − β₁) g)", "m ← β₂ m + (1 − β₂) g"]),
]


@pytest.mark.parametrize(("optimizer", "wanted"), FORMULAS, ids=lambda value: type(value).__name__)
def test_formulas(optimizer: sn.optim.Optimizer, wanted: list[str]) -> None:
    assert [str(line) for line in optimizer.formula().lines] == wanted


def test_symbols_say_which_hyperparameters_they_are() -> None:
    text = str(sn.optim.ASGD().formula())
    assert text.endswith("with\n  λ = lambd\n  λ₂ = weight_decay")
    assert "p ← (1 − λ " in text


def test_every_optimizer_has_a_formula() -> None:
    for name in sn.optim.__all__:
        kind = getattr(sn.optim, name)
        if isinstance(kind, type) and issubclass(kind, sn.optim.Optimizer) and "update" in dir(kind):
            if issubclass(kind, sn.optim.Transform) or kind is sn.optim.Optimizer:
                continue
            lines = kind().formula().lines
            assert [str(line) for line in lines if str(line).startswith("p ← ")], name
            assert kind().formula().latex().startswith(r"\begin{array}{l}"), name


def test_printing_an_optimizer_shows_settings_and_formula() -> None:
    optimizer = sn.optim.SGD(lr=0.1)
    settings, *formula = str(optimizer).splitlines()
    assert settings == repr(optimizer)
    assert formula == ["p ← p − lr (g + λ p)", "with", "  λ = weight_decay"]
    assert r"p \leftarrow p - " in sn.optim.SGD().formula().latex()


class Swapping(sn.optim.Optimizer):
    """Each of two states becomes the other's old value: no order of plain assignments does that."""

    def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
        first, second = s.a, s.b
        s.a, s.b = second + g, first
        return p - self.lr * s.a


def test_an_old_value_that_is_needed_later_gets_another_name() -> None:
    assert str(Swapping(lr=1.0).formula()) == "a_old = a\na ← b + g\nb ← a_old\np ← p − lr a"


AROUND: list[tuple[sn.optim.Optimizer, list[str]]] = [
    (
        sn.optim.ClipGradNorm(sn.optim.SGD(), 1.0),
        ["grad_norm ← ‖g‖", "g ← min(1, max_norm / (grad_norm + 1e−6)) g", "p ← p − lr (g + λ p)"],
    ),
    (sn.optim.ClipGradValue(sn.optim.SGD(), 1.0), ["g ← min(max(g, −clip_value), clip_value)", "p ← p − lr (g + λ p)"]),
    (
        sn.optim.Accumulate(sn.optim.SGD(), 4),
        [
            "collected_old = collected",
            "collected ← (collected_old + g) ⊙ 1[not(accumulated + 1 ≥ steps)]",
            "g ← (collected_old + g) / (accumulated + 1)",
            "p′ = p − lr (g + λ p)",
            "p ← where(accumulated + 1 ≥ steps, p′, p)",
            "s ← where(accumulated + 1 ≥ steps, s′, s)",
            "accumulated ← (accumulated + 1) 1[not(accumulated + 1 ≥ steps)]",
        ],
    ),
    (
        sn.optim.Averaged(sn.optim.ClipGradValue(sn.optim.SGD(), 1.0), 0.99),
        [
            "g ← min(max(g, −clip_value), clip_value)",
            "p ← p − lr (g + λ p)",
            "average_steps ← average_steps + 1",
            "c = average_steps − start > 0 ∧ ((average_steps − start) mod every) = 0",
            "average ← where(averaged = 0, p, where(c, average + (1 − decay) (p − average), average))",
            "averaged ← averaged + 1[c]",
        ],
    ),
    (
        sn.keras.optimizers.SGD(global_clipnorm=1.0),
        ["c = global_clipnorm / max(‖g‖, global_clipnorm)", "g ← where(c > 0, c, nan) g", "p ← p − η g"],
    ),
]


@pytest.mark.parametrize(("optimizer", "wanted"), AROUND, ids=lambda value: type(value).__name__)
def test_what_stands_around_an_update(optimizer: sn.optim.Optimizer, wanted: list[str]) -> None:
    assert [str(line) for line in optimizer.formula().lines] == wanted


class Centred(sn.optim.SGD):
    """A user's own: every gradient less its mean."""

    def updates(self, parameters: Any, gradients: Any) -> Any:
        return super().updates(parameters, [g - sn.mean(g) for g in gradients])


def test_an_optimizer_that_overrides_updates() -> None:
    formula = Centred(lr=0.1).formula()
    assert [str(line) for line in formula.lines] == ["g ← g − mean(g)", "p ← p − lr (g + λ p)"]
    assert formula.notes == ["norms and sums are over all parameters together"]


def test_groups() -> None:
    a, b = sn.parameter("a", (3,)), sn.parameter("b", (3,))
    groups = [{"params": [a]}, {"params": [b], "name": "head", "lr": 0.01, "momentum": 0.9}]
    text = str(sn.optim.SGD(groups, lr=0.1).formula())
    assert "in the group 'head': lr = 0.01, momentum = 0.9" in text
    assert "its step in the group 'head'\n  v ← μ v + g + λ p\n  p ← p − lr v" in text
    assert "μ = momentum" in text
    same = sn.optim.SGD([{"params": [a]}, {"params": [b], "name": "head", "lr": 0.01}], lr=0.1).formula()
    assert not same.groups
    assert same.notes == ["in the group 'head': lr = 0.01"]
