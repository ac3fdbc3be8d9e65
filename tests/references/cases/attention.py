"""Attention and transformers: masks of every form, rows that see nothing, heads, projections, norms; evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, function_case
from tests.references.layers import layer_case

L, S, N, E, HEADS = 3, 4, 2, 4, 2
KINDS = ("bool", "float", "learned")
Shape = tuple[int, ...]
Inputs = Callable[[np.random.Generator], Arrays]


# --- scaled_dot_product_attention ---------------------------------------------------------------------------------


def _mask(kind: str, rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """True where one may look; row 1 sees nothing. "float": added, with -inf and a row of -inf; "learned": finite."""
    allowed = rng.random(shape) < 0.6
    allowed[..., 0] = True
    allowed[..., 1, :] = False
    if kind == "bool":
        return allowed
    added = rng.normal(size=shape)
    return added if kind == "learned" else np.where(allowed, added, -np.inf)


def _product(note: str, q: Shape, k: Shape, v: Shape, mask: tuple[str, Shape] | None = None, **settings: Any) -> Case:
    def inputs(rng: np.random.Generator) -> Arrays:
        given = {"q": rng.normal(size=q), "k": rng.normal(size=k), "v": rng.normal(size=v)}
        if mask is not None:
            given["mask"] = _mask(mask[0], rng, mask[1])
        return given

    shown = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return function_case(
        f"scaled_dot_product_attention({shown}) {note}",
        inputs,
        lambda torch, given: torch.nn.functional.scaled_dot_product_attention(
            given["q"], given["k"], given["v"], given.get("mask"), **settings
        ),
        lambda given: sn.nn.functional.scaled_dot_product_attention(
            given["q"], given["k"], given["v"], given.get("mask"), **settings
        ),
    )


_PLAIN = ((2, 3, L, 5), (2, 3, S, 5), (2, 3, S, 6))
_PRODUCTS = [
    _product("plain", *_PLAIN),
    _product("three axes", (2, L, 5), (2, S, 5), (2, S, 6)),
    _product("matrices", (L, 5), (S, 5), (S, 6)),
    _product("one key", (2, L, 5), (2, 1, 5), (2, 1, 6)),
    _product("plain", *_PLAIN, scale=0.3),
    _product("plain", *_PLAIN, is_causal=True),
    _product("more queries than keys", (2, 5, 3), (2, 2, 3), (2, 2, 3), is_causal=True),
    *(_product(f"{kind} mask", *_PLAIN, mask=(kind, (L, S))) for kind in KINDS),
    *(_product(f"{kind} mask of each head", *_PLAIN, mask=(kind, (2, 3, L, S))) for kind in KINDS),
    _product("bool mask of each sequence", *_PLAIN, mask=("bool", (2, 1, L, S)), scale=1.0),
    _product("grouped", (2, 6, L, 5), (2, 2, S, 5), (2, 2, S, 6), enable_gqa=True),
    _product("grouped, one head", (2, 4, L, 5), (2, 1, S, 5), (2, 1, S, 6), enable_gqa=True, is_causal=True),
]


# --- MultiheadAttention -------------------------------------------------------------------------------------------


def _blocked(kind: str, rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """A mask of MultiheadAttention: True where one may not look (position 0 is free for all), or added floats."""
    blocked = rng.random(shape) < 0.4
    blocked[..., 0] = False
    return blocked if kind == "bool" else np.where(blocked, -np.inf, rng.normal(size=shape))


def _heads(
    note: str = "", *, masks: dict[str, str] | None = None, single: bool = False, self_attention: bool = False,
    call: dict[str, Any] | None = None, **settings: Any,
) -> Case:  # fmt: skip
    """query [L, N, E], key and value [S, N, …]; `masks` says which there are and whether of booleans or floats."""
    wanted, options, keys = masks or {}, call or {}, L if self_attention else S
    first = settings.get("batch_first", False)

    def inputs(rng: np.random.Generator) -> Arrays:
        def sequences(length: int, size: int) -> np.ndarray:
            if single:
                return rng.normal(size=(length, size))
            return rng.normal(size=(N, length, size) if first else (length, N, size))

        given = {"q": sequences(L, E)}
        if not self_attention:
            given["k"], given["v"] = sequences(S, settings.get("kdim", E)), sequences(S, settings.get("vdim", E))
        shapes = {"key_padding_mask": (keys,) if single else (N, keys), "attn_mask": (L, keys)}
        shapes["attn_mask of each head"] = (HEADS * (1 if single else N), L, keys)
        for name, kind in wanted.items():
            given[name.split()[0]] = _blocked(kind, rng, shapes[name])
        return given

    def run(module: Any, given: dict[str, Any]) -> Any:
        named = {key: given[key] for key in ("key_padding_mask", "attn_mask") if key in given}
        return module(given["q"], given.get("k", given["q"]), given.get("v", given["q"]), **named, **options)

    noted = [note] * bool(note) + [f"{kind} {name}" for name, kind in wanted.items()]
    noted += [f"{key}={value}" for key, value in options.items()]
    noted += ["one sequence"] * single + ["self-attention"] * self_attention
    return layer_case("MultiheadAttention", E, HEADS, inputs=inputs, call=run, note=", ".join(noted), **settings)


def _causal_hint(**settings: Any) -> Case:
    """torch wants the mask with is_causal; they say the same."""
    mask = np.triu(np.full((L, L), -np.inf), 1)

    def run(module: Any, given: dict[str, Any]) -> Any:
        x = given["x"]
        return module(x, x, x, attn_mask=given["mask"], is_causal=True, need_weights=False)

    return layer_case(
        "MultiheadAttention", E, HEADS, inputs=lambda rng: {"x": rng.normal(size=(L, N, E)), "mask": mask}, call=run,
        note="causal", wrt=lambda name: name != "mask", **settings,
    )  # fmt: skip


_HEADS = [
    _heads(),
    _heads(self_attention=True, batch_first=True),
    _heads(single=True),
    _heads(single=True, self_attention=True, masks={"key_padding_mask": "bool", "attn_mask": "bool"}),
    _heads(bias=False, batch_first=True),
    _heads(kdim=3, vdim=5),
    _heads(kdim=3, vdim=5, bias=False, add_bias_kv=True, batch_first=True),
    _heads(call={"need_weights": False}),
    _heads(call={"average_attn_weights": False}),
    _heads(call={"average_attn_weights": False}, single=True),
    *(_heads(masks={"key_padding_mask": kind}, batch_first=True) for kind in KINDS[:2]),
    *(_heads(masks={"attn_mask": kind}) for kind in KINDS[:2]),
    *(_heads(masks={"attn_mask of each head": kind}, batch_first=True) for kind in KINDS[:2]),
    *(_heads(masks={"attn_mask": kind, "key_padding_mask": kind}, call={"need_weights": False}) for kind in KINDS[:2]),
    *(_heads(masks={"attn_mask of each head": kind, "key_padding_mask": kind}) for kind in KINDS[:2]),
    _heads(add_bias_kv=True, masks={"attn_mask": "bool", "key_padding_mask": "bool"}),
    _heads(add_zero_attn=True, masks={"attn_mask": "float"}),
    _heads(add_bias_kv=True, add_zero_attn=True, batch_first=True, masks={"key_padding_mask": "float"}),
    _heads(add_zero_attn=True, single=True, self_attention=True),
    _causal_hint(),
]


# --- transformers -------------------------------------------------------------------------------------------------


def _inputs(masks: dict[str, np.ndarray] | None, first: bool = False, **lengths: int) -> Inputs:
    """Sequences of these lengths, [length, N, E], or [N, length, E] with the batch first; and masks as they are."""

    def draw(rng: np.random.Generator) -> Arrays:
        made = {name: rng.normal(size=(N, length, E) if first else (length, N, E)) for name, length in lengths.items()}
        return {**made, **(masks or {})}

    return draw


CAUSAL = np.triu(np.ones((L, L), bool), 1)
PADDED = np.array([[False, False, True], [False, False, False]])
PADDED_MEMORY = np.array([[False, True, False, True], [False, False, False, True]])


def _encoder_layer(note: str = "", masks: dict[str, np.ndarray] | None = None, **settings: Any) -> Case:
    def run(module: Any, given: dict[str, Any]) -> Any:
        return module(given["src"], given.get("src_mask"), given.get("src_key_padding_mask"))

    inputs = _inputs(masks, settings.get("batch_first", False), src=L)
    return layer_case(
        "TransformerEncoderLayer", E, HEADS, 5, inputs=inputs, call=run, note=note, **{"dropout": 0.0, **settings}
    )


def _decoder_layer(note: str = "", masks: dict[str, np.ndarray] | None = None, **settings: Any) -> Case:
    names = ("tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask")

    def run(module: Any, given: dict[str, Any]) -> Any:
        return module(given["tgt"], given["memory"], **{name: given[name] for name in names if name in given})

    return layer_case(
        "TransformerDecoderLayer", E, HEADS, 5, inputs=_inputs(masks, tgt=L, memory=S), call=run,
        note=note, **{"dropout": 0.0, **settings},
    )  # fmt: skip


def _transformer(note: str, masks: dict[str, np.ndarray] | None = None, **settings: Any) -> Case:
    sizes = {"num_encoder_layers": 1, "num_decoder_layers": 2, "dim_feedforward": 5, "dropout": 0.0}

    def run(module: Any, given: dict[str, Any]) -> Any:
        return module(given["src"], given["tgt"], **{name: given[name] for name in masks or {}})

    return layer_case(
        "Transformer", E, HEADS, inputs=_inputs(masks, src=S, tgt=L), call=run, note=note,
        **{**sizes, **settings},
    )  # fmt: skip


_TRANSFORMERS = [
    _encoder_layer(),
    _encoder_layer(norm_first=True),
    _encoder_layer(activation="gelu", bias=False, layer_norm_eps=0.1),
    _encoder_layer(batch_first=True, norm_first=True, masks={"src_mask": CAUSAL, "src_key_padding_mask": PADDED}),
    _encoder_layer(dropout=0.3, inference=True),
    _decoder_layer(),
    _decoder_layer(norm_first=True, activation="gelu"),
    _decoder_layer("masked", {"tgt_mask": CAUSAL, "memory_mask": ~np.eye(L, S, dtype=bool)}, bias=False),
    _decoder_layer("padded", {"tgt_key_padding_mask": PADDED, "memory_key_padding_mask": PADDED_MEMORY}),
    _decoder_layer(dropout=0.3, inference=True, norm_first=True),
    _transformer("plain"),
    _transformer("masked", {"tgt_mask": CAUSAL, "src_key_padding_mask": PADDED_MEMORY}, norm_first=True),
]

CASES = [*_PRODUCTS, *_HEADS, *_TRANSFORMERS]
