"""Pixel and channel shuffles, and resizing in every mode, to sizes and by factors."""

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


LINE, IMAGE, VOLUME = (2, 3, 5), (2, 3, 5, 4), (1, 2, 3, 4, 3)
SMOOTH = [("linear", LINE), ("bilinear", IMAGE), ("bicubic", IMAGE), ("trilinear", VOLUME)]

CASES = [
    _case("pixel_shuffle", (2, 12, 3, 5), 2),
    _case("pixel_shuffle", (9, 3, 2), 3),
    _case("pixel_unshuffle", (2, 3, 6, 4), 2),
    _case("pixel_unshuffle", (1, 2, 2, 6, 3), 3),
    _case("channel_shuffle", (2, 6, 3, 2), 3),
    *(_case("interpolate", x, size, mode=mode) for mode in ("nearest", "nearest-exact") for x, size in (
        (LINE, 13), (LINE, 10), (LINE, 3), (IMAGE, (7, 12)), (IMAGE, 3), (VOLUME, (6, 3, 2)),
    )),
    _case("interpolate", LINE, scale_factor=3),
    _case("interpolate", IMAGE, scale_factor=2.0),
    _case("interpolate", IMAGE, scale_factor=(1.7, 0.6)),
    _case("interpolate", IMAGE, scale_factor=2.3, mode="nearest-exact"),
    _case("interpolate", IMAGE, scale_factor=1.7, recompute_scale_factor=True),
    *(_case("interpolate", x, scale_factor=2.0, mode=mode) for mode, x in SMOOTH),
    *(_case("interpolate", x, scale_factor=1.6, mode=mode, align_corners=False) for mode, x in SMOOTH),
    *(_case("interpolate", x, scale_factor=1.6, mode=mode, recompute_scale_factor=True) for mode, x in SMOOTH),
    *(_case("interpolate", x, scale_factor=0.7, mode=mode, align_corners=True) for mode, x in SMOOTH),
    *(_case("interpolate", x, [7, 3, 5][: len(x) - 2], mode=mode, align_corners=True) for mode, x in SMOOTH),
    *(_case("interpolate", x, [2, 9, 1][: len(x) - 2], mode=mode) for mode, x in SMOOTH),
    _case("interpolate", LINE, 1, mode="linear", align_corners=True),
    _case("interpolate", IMAGE, (5, 4), mode="bicubic", align_corners=True),
    _case("interpolate", LINE, 3, mode="area"),
    _case("interpolate", IMAGE, (7, 2), mode="area"),
    _case("interpolate", VOLUME, scale_factor=0.7, mode="area"),
]  # fmt: skip
