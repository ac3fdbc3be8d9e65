"""Pools, unpools, fold and unfold: every argument, ties, NaN, infinities, sizes that do not divide, unbatched input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, function_case

F = sn.nn.functional
NAN, INF = float("nan"), float("inf")


def _shown(arguments: tuple[Any, ...], settings: dict[str, Any]) -> str:
    return ", ".join([*map(repr, arguments), *(f"{key}={value!r}" for key, value in settings.items())])


def _values(result: Any) -> Any:
    """A pair of values and positions under names."""
    return dict(zip(("value", "indices"), result, strict=True)) if isinstance(result, tuple) else result


def _case(name: str, x: Any, *arguments: Any, note: str = "", **settings: Any) -> Case:
    """A function of one array: drawn when a shape is given, taken as it is otherwise."""

    def draw(rng: np.random.Generator) -> Arrays:
        return {"x": rng.normal(size=x) if isinstance(x, tuple) else np.array(x, np.float64)}

    def run(functional: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda given: _values(getattr(functional, name)(given["x"], *arguments, **settings))

    what = f"{x} " if isinstance(x, tuple) else f"{note} "
    return function_case(
        f"{name}({_shown(arguments, settings)}) of {what}".strip(),
        draw,
        lambda torch, given: run(torch.nn.functional)(given),
        run(F),
    )


def _positive(name: str, x: tuple[int, ...], *arguments: Any, **settings: Any) -> Case:
    case = _case(name, x, *arguments, **settings)
    return Case(case.name, lambda rng: {"x": rng.uniform(0.1, 2.0, x)}, case.peer, case.ours)


def _ties(name: str, x: tuple[int, ...], *arguments: Any, **settings: Any) -> Case:
    """Of three different values only, so that most windows have their maximum more than once."""
    case = _case(name, x, *arguments, **settings)
    draw = lambda rng: {"x": rng.integers(-1, 2, x).astype(np.float64)}  # noqa: E731
    return Case(f"{case.name}, ties", draw, case.peer, case.ours)


def _twice(name: str, x: tuple[int, ...], *arguments: Any, **settings: Any) -> Case:
    """The gradient of the sum of cubes, and its gradient."""

    def torch_run(torch: Any, given: dict[str, Any]) -> Any:
        y = getattr(torch.nn.functional, name)(given["x"], *arguments, **settings)
        return torch.autograd.grad((y**3).sum(), given["x"], create_graph=True)[0]

    def ours(given: dict[str, Any]) -> Any:
        return sn.grad(sn.sum(getattr(F, name)(given["x"], *arguments, **settings) ** 3), given["x"])

    draw = lambda rng: {"x": rng.normal(size=x)}  # noqa: E731
    return function_case(f"{name}({_shown(arguments, settings)}) of {x}, twice", draw, torch_run, ours)


def _unpool(rank: int, x: tuple[int, ...], kernel: Any, stride: Any = None, padding: Any = 0, **call: Any) -> Case:
    """The maxima of x put back, each twice as large."""

    def run(functional: Any) -> Callable[[dict[str, Any]], Any]:
        down, up = getattr(functional, f"max_pool{rank}d"), getattr(functional, f"max_unpool{rank}d")

        def both(given: dict[str, Any]) -> Any:
            value, indices = down(given["x"], kernel, stride, padding, return_indices=True)
            return up(value * 2, indices, kernel, stride, padding, **call)

        return both

    shown = _shown((kernel, stride, padding), call)
    draw = lambda rng: {"x": rng.normal(size=x)}  # noqa: E731
    name = f"max_unpool{rank}d({shown}) of {x}"
    return function_case(name, draw, lambda torch, given: run(torch.nn.functional)(given), run(F))


HOLES = [[[1.0, NAN, 3.0, NAN, 0.0, 2.0, -INF, 5.0, 5.0], [-INF, -INF, -INF, -INF, 1.0, INF, INF, -INF, -INF]]]
LOW = [[[[-INF] * 5] * 4]]

MAX = [
    _case("max_pool1d", (2, 3, 11), 3),
    _case("max_pool1d", (2, 3, 11), 3, 2, 1, return_indices=True),
    _case("max_pool1d", (3, 11), 4, 3, 2, 2, ceil_mode=True, return_indices=True),
    _case("max_pool1d", (2, 3, 10), 3, 4, 1, ceil_mode=True),
    _case("max_pool1d", (2, 3, 7), 1),
    _case("max_pool1d", (2, 3, 7), 7),
    _case("max_pool2d", (2, 3, 8, 6), 2),
    _case("max_pool2d", (2, 3, 7, 9), 2),
    _case("max_pool2d", (2, 3, 7, 9), (3, 2), return_indices=True),
    _case("max_pool2d", (2, 3, 7, 9), 3, 2, 1, return_indices=True),
    _case("max_pool2d", (2, 3, 8, 10), 3, 2, 1, ceil_mode=True),
    _case("max_pool2d", (2, 3, 7, 6), 3, 1, 1),
    _case("max_pool2d", (2, 3, 9, 11), (3, 2), (2, 3), (1, 0), (2, 3), return_indices=True),
    _case("max_pool2d", (2, 3, 9, 11), (2, 3), (3, 4), (1, 1), (1, 2), ceil_mode=True, return_indices=True),
    _case("max_pool2d", (3, 7, 9), 2, stride=(3, 1)),
    _case("max_pool2d", (1, 1, 20, 37), (3, 5), (3, 4)),
    _case("max_pool2d", (1, 2, 13, 15), 6, 3, 2, return_indices=True),
    _case("max_pool2d", (2, 2, 9, 11), (9, 11)),
    _case("max_pool3d", (2, 2, 4, 5, 6), 2, return_indices=True),
    _case("max_pool3d", (1, 2, 5, 7, 6), (2, 3, 2), (1, 2, 2), (1, 1, 0), ceil_mode=True, return_indices=True),
    _case("max_pool3d", (2, 5, 7, 6), 2, 3, dilation=(2, 1, 3)),
    _ties("max_pool1d", (2, 3, 13), 4, 2, 1, return_indices=True),
    _ties("max_pool2d", (2, 3, 8, 8), 2, return_indices=True),
    _ties("max_pool2d", (2, 3, 9, 7), 3, 2, 1),
    _ties("max_pool3d", (1, 2, 5, 4, 6), (3, 2, 3), (2, 1, 2), 1, return_indices=True),
    _case("max_pool1d", HOLES, 3, 1, 1, return_indices=True, note="nan and infinities"),
    _case("max_pool1d", HOLES, 9, return_indices=True, note="nan and infinities"),
    _case("max_pool2d", HOLES, (2, 3), 1, (1, 1), return_indices=True, note="nan and infinities"),
    _case("max_pool2d", LOW, 3, 2, 1, (1, 2), return_indices=True, note="minus infinity"),
    _twice("max_pool2d", (2, 2, 7, 5), 3, 2, 1),
    _twice("max_pool1d", (2, 2, 8), 2),
]

AVERAGE = [
    _case("avg_pool1d", (2, 3, 11), 3),
    _case("avg_pool1d", (3, 11), 4, 3, 2, ceil_mode=True),
    _case("avg_pool1d", (2, 3, 11), 4, 3, 2, ceil_mode=True, count_include_pad=False),
    _case("avg_pool2d", (2, 3, 8, 6), 2),
    _case("avg_pool2d", (2, 3, 7, 9), (3, 2), (2, 3), (1, 0)),
    _case("avg_pool2d", (2, 3, 7, 9), 3, 1, 1, count_include_pad=False),
    _case("avg_pool2d", (2, 3, 8, 10), 3, 2, 1, ceil_mode=True),
    _case("avg_pool2d", (2, 3, 8, 10), 3, 2, 1, True, False),
    _case("avg_pool2d", (3, 8, 10), (3, 4), (2, 3), (0, 2), True, False, 5),
    _case("avg_pool2d", (2, 3, 7, 9), 2, divisor_override=-3),
    _case("avg_pool2d", (1, 2, 13, 15), 6, 3, 2, count_include_pad=False),
    _case("avg_pool3d", (2, 2, 4, 5, 6), 2),
    _case("avg_pool3d", (1, 2, 5, 7, 6), (2, 3, 2), (1, 2, 2), (1, 1, 0), ceil_mode=True, count_include_pad=False),
    _case("avg_pool3d", (2, 5, 7, 6), 3, 2, 1, True, True, 4),
    _twice("avg_pool2d", (2, 2, 7, 5), 3, 2, 1, count_include_pad=False),
    _positive("lp_pool1d", (2, 3, 11), 2, 3),
    _positive("lp_pool1d", (3, 11), 1.5, 3, 2, ceil_mode=True),
    _case("lp_pool1d", (2, 3, 11), 2.0, 4, 3),
    _case("lp_pool2d", (2, 3, 7, 9), 2, (3, 2), (2, 3)),
    _case("lp_pool2d", (2, 3, 8, 6), 4.0, 2),
    _positive("lp_pool2d", (2, 3, 8, 9), 3, 2, 3, True),
    _positive("lp_pool2d", (2, 3, 7, 6), -1.0, 2),
    _positive("lp_pool3d", (1, 2, 5, 4, 6), 2, 2, ceil_mode=True),
]

ADAPTIVE = [
    _case("adaptive_avg_pool1d", (2, 3, 12), 4),
    _case("adaptive_avg_pool1d", (2, 3, 11), 4),
    _case("adaptive_avg_pool1d", (3, 5), 7),
    _case("adaptive_avg_pool2d", (2, 3, 8, 6), (4, 3)),
    _case("adaptive_avg_pool2d", (2, 3, 7, 9), 1),
    _case("adaptive_avg_pool2d", (2, 3, 7, 9), (3, None)),
    _case("adaptive_avg_pool2d", (2, 3, 7, 10), (5, 4)),
    _case("adaptive_avg_pool2d", (3, 8, 9), (4, 5)),
    _case("adaptive_avg_pool3d", (2, 2, 4, 5, 6), (2, 3, None)),
    _case("adaptive_avg_pool3d", (2, 4, 5, 6), 2),
    _case("adaptive_max_pool1d", (2, 3, 12), 4, return_indices=True),
    _case("adaptive_max_pool1d", (3, 11), 4, return_indices=True),
    _case("adaptive_max_pool2d", (2, 3, 8, 6), (4, 3), return_indices=True),
    _case("adaptive_max_pool2d", (2, 3, 7, 9), 1),
    _case("adaptive_max_pool2d", (2, 3, 7, 9), (3, None), return_indices=True),
    _case("adaptive_max_pool2d", (3, 7, 10), (5, 4), return_indices=True),
    _case("adaptive_max_pool3d", (2, 2, 4, 5, 6), (2, 3, None), return_indices=True),
    _case("adaptive_max_pool3d", (1, 2, 4, 6, 4), 2),
    _ties("adaptive_max_pool2d", (2, 3, 7, 8), (3, 3), return_indices=True),
    _ties("adaptive_max_pool2d", (2, 3, 6, 8), (3, 4), return_indices=True),
    _case("adaptive_max_pool1d", HOLES, 4, return_indices=True, note="nan and infinities"),
    _twice("adaptive_max_pool2d", (2, 2, 7, 5), (3, 2)),
    _twice("adaptive_avg_pool2d", (2, 2, 7, 6), (3, 2)),
]

PUT_BACK = [
    _unpool(1, (2, 3, 9), 2),
    _unpool(1, (3, 10), 3, 4, 1, output_size=(10,)),
    _unpool(2, (2, 3, 8, 6), 2),
    _unpool(2, (2, 3, 7, 9), (2, 3), output_size=(2, 3, 7, 9)),
    _unpool(2, (3, 9, 8), 2, 3, 1, output_size=(9, 8)),
    _unpool(3, (1, 2, 4, 6, 4), 2),
    _case("unfold", (2, 3, 5, 6), 2),
    _case("unfold", (2, 3, 7, 6), (3, 2), (2, 1), (1, 0), (1, 2)),
    _case("unfold", (3, 7, 6), 3, padding=1, stride=2),
    _case("fold", (2, 12, 20), (5, 6), 2),
    _case("fold", (2, 18, 15), (7, 6), (3, 2), (2, 1), (1, 0), (1, 2)),
    _case("fold", (27, 12), (7, 6), 3, padding=1, stride=2),
    _twice("unfold", (2, 2, 4, 5), 2, stride=2),
]

CASES = [*MAX, *AVERAGE, *ADAPTIVE, *PUT_BACK]
