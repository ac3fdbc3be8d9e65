"""functional.pad in every mode, with crops, and twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Case, function_case

F = sn.nn.functional


def _case(name: str, x: tuple[int, ...], *arguments: Any, **settings: Any) -> Case:
    def run(functional: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda given: getattr(functional, name)(given["x"], *arguments, **settings)

    def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"x": rng.normal(size=x)}

    shown = ", ".join([*map(repr, arguments), *(f"{key}={value!r}" for key, value in settings.items())])
    return function_case(f"{name}({shown}) of {x}", draw, lambda torch, given: run(torch.nn.functional)(given), run(F))


def _twice(x: tuple[int, ...], mode: str, widths: tuple[int, ...]) -> Case:
    """The gradient of the sum of cubes of a padded array, and its gradient."""

    def torch_run(torch: Any, given: dict[str, Any]) -> Any:
        y = torch.nn.functional.pad(given["x"], widths, mode)
        return torch.autograd.grad((y**3).sum(), given["x"], create_graph=True)[0]

    def ours(given: dict[str, Any]) -> Any:
        return sn.grad(sn.sum(F.pad(given["x"], widths, mode) ** 3), given["x"])

    return function_case(
        f"pad({widths}, {mode!r}) of {x}, twice", lambda rng: {"x": rng.normal(size=x)}, torch_run, ours
    )


CASES = [
    _case("pad", (2, 3, 5), (1, 2)),
    _case("pad", (2, 3, 5), (1, 2, 0, 3), "constant", 1.5),
    _case("pad", (2, 3, 4, 5), (1, -2, -1, 3, 2, 0), value=-0.5),
    _case("pad", (4,), (-1, -2)),
    _case("pad", (2, 3), (0, 0, 1, 1), mode="constant"),
    *(
        case
        for mode in ("reflect", "replicate", "circular")
        for case in (
            _case("pad", (2, 5), (2, 3), mode),
            _case("pad", (2, 3, 5), (4, 0), mode),
            _case("pad", (2, 3, 6), (-1, 2), mode),
            _case("pad", (3, 4, 5), (1, 2, 3, 0), mode),
            _case("pad", (2, 3, 4, 5), (2, -1, -2, 1), mode),
            _case("pad", (2, 3, 3, 4), (1, 1, 2, 2, 1, 0), mode),
            _case("pad", (1, 2, 3, 4, 3), (1, 2, 0, 3, 1, 1), mode),
            _twice((2, 3, 4), mode, (2, 3)),
        )
    ),
    _case("pad", (2, 3, 5), (7, 9), "replicate"),
    _case("pad", (2, 3, 5), (5, 5), "circular"),
]
