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
        ["g ← −g + λ p", "v ← μ v + g", "p ← p − lr (g + μ v)"],
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
    assert [str(line) for line in sn.explain(optimizer).lines] == wanted


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
    clipped = sn.optim.ClipGradNorm(sn.optim.SGD(lr=0.1), 1.0)
    settings, *formula = str(clipped).splitlines()
    assert settings == repr(clipped)
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
