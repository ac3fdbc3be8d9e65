"""Tables of rows, bilinear forms and distances: every argument, empty and padded bags, ties, zero vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.references.case import Arrays, Case, function_case
from tests.references.layers import layer_case

ROWS, SIZE = 7, 3


def _embedding(shape: tuple[int, ...], dtype: str = "int64", **settings: Any) -> Case:
    def inputs(rng: np.random.Generator) -> Arrays:
        return {"k": np.asarray(rng.integers(0, ROWS - 2, shape), dtype)}

    def call(module: Any, given: dict[str, Any]) -> Any:
        return module(given["k"])

    return layer_case("Embedding", ROWS, SIZE, inputs=inputs, call=call, note=f"{dtype}{list(shape)}", **settings)


def _bags(note: str, k: Any, weights: bool = False, offsets: Any = None, **settings: Any) -> Case:
    def inputs(rng: np.random.Generator) -> Arrays:
        given = {"k": np.asarray(k)}
        if offsets is not None:
            given["offsets"] = np.asarray(offsets)
        if weights:
            given["w"] = rng.normal(size=given["k"].shape)
        return given

    def call(module: Any, given: dict[str, Any]) -> Any:
        return module(given["k"], given.get("offsets"), given.get("w"))

    return layer_case("EmbeddingBag", ROWS, SIZE, inputs=inputs, call=call, note=note, **settings)


def _pairs(shape: tuple[int, ...], other: tuple[int, ...]) -> Any:
    """Two arrays; the first rows are zero vectors, equal ones, and one far below eps."""

    def inputs(rng: np.random.Generator) -> Arrays:
        first, second = rng.normal(size=shape), rng.normal(size=other)
        if shape == other and len(shape) == 2 and shape[0] > 3:
            first[0], first[1], second[2] = 0.0, second[1], 1e-9 * second[2]
        return {"a": first, "b": second}

    return inputs


def _cosine(shape: tuple[int, ...], other: tuple[int, ...], note: str = "", **settings: Any) -> Case:
    shown = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return function_case(
        f"cosine_similarity({shown}) {list(shape)} {list(other)} {note}".strip(),
        _pairs(shape, other),
        lambda torch, given: torch.nn.functional.cosine_similarity(given["a"], given["b"], **settings),
        lambda given: _functional().cosine_similarity(given["a"], given["b"], **settings),
    )


def _distance(shape: tuple[int, ...], other: tuple[int, ...], **settings: Any) -> Case:
    shown = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return function_case(
        f"pairwise_distance({shown}) {list(shape)} {list(other)}",
        _pairs(shape, other),
        lambda torch, given: torch.nn.functional.pairwise_distance(given["a"], given["b"], **settings),
        lambda given: _functional().pairwise_distance(given["a"], given["b"], **settings),
    )


def _functional() -> Any:
    from symnet.nn import functional

    return functional


def _bilinear(shape: tuple[int, ...], **settings: Any) -> Case:
    return layer_case(
        "Bilinear", 3, 4, 5,
        inputs=lambda rng: {"a": rng.normal(size=(*shape, 3)), "b": rng.normal(size=(*shape, 4))},
        call=lambda module, given: module(given["a"], given["b"]), note=str(list(shape)), **settings,
    )  # fmt: skip


FIXED = [[1, 0, 1, 4], [2, 2, 2, 2], [5, 6, 0, 3]]
CASES = [
    _embedding((4,)),
    _embedding((2, 3)),
    _embedding((2, 2, 3), "int32"),
    _embedding(()),
    _embedding((3, 4), padding_idx=2),
    _embedding((3, 4), padding_idx=-5),
    _embedding((3, 4), scale_grad_by_freq=True),
    _embedding((3, 4), "int32", scale_grad_by_freq=True, padding_idx=1),
    *(_bags("fixed", FIXED, mode=mode) for mode in ("sum", "mean", "max")),
    *(_bags("fixed", FIXED, mode=mode, padding_idx=2) for mode in ("sum", "mean", "max")),
    *(_bags("fixed", FIXED, mode=mode, padding_idx=-6) for mode in ("mean", "max")),
    *(_bags("one bag of one", [[3]], mode=mode) for mode in ("sum", "mean", "max")),
    _bags("fixed, weighted", FIXED, weights=True, mode="sum"),
    _bags("fixed, weighted", FIXED, weights=True, mode="sum", padding_idx=2),
    *(_bags("offsets", [1, 2, 4, 5, 4, 3], offsets=[0, 2, 2, 5], mode=mode) for mode in ("sum", "mean")),
    *(_bags("offsets", [1, 2, 4, 2, 4, 2], offsets=[0, 2, 5], mode=mode, padding_idx=2) for mode in ("sum", "mean")),
    _bags("offsets, int32", np.array([1, 2, 2], "int32"), offsets=np.array([0, 1], "int32")),
    _bags("offsets, weighted", [1, 2, 4, 5], offsets=[0, 3], weights=True, mode="sum"),
    _bags("offsets, weighted", [1, 2, 4, 5], offsets=[0, 3], weights=True, mode="sum", padding_idx=4),
    *(_bags("offsets", [1, 2, 1, 5], offsets=[0, 3, 4], include_last_offset=True, mode=m) for m in ("sum", "mean")),
    _bilinear((2,)),
    _bilinear((2, 3)),
    _bilinear((), bias=False),
    _cosine((5, 4), (5, 4)),
    _cosine((5, 4), (5, 4), dim=0),
    _cosine((5, 4), (5, 4), dim=-1, eps=0.5),
    _cosine((2, 3, 4), (3, 4), "broadcast", dim=2),
    _cosine((4,), (4,), dim=0),
    _distance((5, 4), (5, 4)),
    *(_distance((5, 4), (5, 4), p=p) for p in (1.0, 3.0, 2.5, 0.0, float("inf"), -1.0)),
    _distance((5, 4), (5, 4), eps=0.0),
    _distance((5, 4), (5, 4), keepdim=True, eps=0.1),
    _distance((2, 3, 4), (3, 4)),
    _distance((4,), (4,)),
]
