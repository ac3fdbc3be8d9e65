"""Attention: softmax(Q Kᵀ / √d + M) V, and what MultiheadAttention makes of it (Vaswani et al. 2017, arXiv:1706.03762).

A mask of booleans or floats is one operand of the scores. A query that may look at nothing gets 0, as PyTorch's
scaled_dot_product_attention gives, and finite gradients (see `sn.softmax`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.nn.dropout_functions import dropout
from symnet.nn.linear_functions import linear
from symnet.ops.leaves import Operand

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Operand, key: Operand, value: Operand, attn_mask: Operand | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Expr:  # fmt: skip
    """softmax(Q Kᵀ / √d + M) V: query [..., L, d], key [..., S, d], value [..., S, e] -> [..., L, e].

    attn_mask   broadcasts to [..., L, S]: True where a query may look at a key, or floats that are added to the scores
    dropout_p   of the weights; in training only (inference keeps all)
    is_causal   query i looks at the keys 0 … i only; goes together with an attn_mask
    scale       the factor of the scores in the place of 1 / √d
    enable_gqa  key and value may have fewer heads (axis -3): each serves a group of the query's
    """
    q, k, v = (ops.constant(operand) for operand in (query, key, value))
    _check_operands(q, k, v)
    if enable_gqa:
        k, v = (_repeated_heads(part, q) for part in (k, v))
    masks = [] if attn_mask is None else [ops.constant(attn_mask)]
    if is_causal:
        masks.append(causal_mask(q.shape[-2], k.shape[-2]))
    weights = attention_weights(q, k, masks, scale)
    return ops.matmul(dropout(weights, dropout_p), v)


def attention_weights(q: Expr, k: Expr, masks: Sequence[Expr], scale: float | None = None) -> Expr:
    """softmax(Q Kᵀ / √d + M) [..., L, S]; masks of booleans say what may be looked at, others are added."""
    scores = ops.matmul(q, ops.matrix_transpose(k))
    scores = scores / _root(q.shape[-1]) if scale is None else scale * scores
    for mask in masks:
        scores = ops.where(mask, scores, float("-inf")) if mask.dtype == "bool" else scores + mask
    return ops.softmax(scores, axis=-1)


def _root(size: Dim) -> float:
    if not isinstance(size, int):
        raise UsageError(f"scaled_dot_product_attention: the vectors have the named size {size}; give the scale")
    return math.sqrt(size)


def causal_mask(queries: Dim, keys: Dim) -> Expr:
    """[queries, keys] booleans: True where the key is not after the query."""
    return ops.arange(queries)[:, None] >= ops.arange(keys)


def multi_head_attention(
    query: Operand, key: Operand, value: Operand, num_heads: int, in_proj_weight: Expr | Sequence[Expr],
    in_proj_bias: Expr | None, bias_k: Expr | None, bias_v: Expr | None, add_zero_attn: bool, dropout_p: float,
    out_proj_weight: Expr, out_proj_bias: Expr | None, key_padding_mask: Operand | None = None,
    need_weights: bool = True, attn_mask: Operand | None = None, average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Expr, Expr | None]:  # fmt: skip
    """Attention in `num_heads` subspaces, batch first: query [N, L, E], key [N, S, K], value [N, S, V].

    in_proj_weight    [3 E, E], or the three weights of query, key and value
    key_padding_mask  [N, S]: True where a key is not to be looked at, or floats added to its scores
    attn_mask         [L, S] or [N · num_heads, L, S]: likewise for each query

    Gives the output [N, L, E] and, if they are wanted, the weights [N, L, S] ([N, num_heads, L, S] if not averaged).
    """
    x, y, z = (ops.constant(operand) for operand in (query, key, value))
    masks = _masks(x, y, num_heads, key_padding_mask, attn_mask, is_causal)
    q, k, v = _projected(x, y, z, num_heads, in_proj_weight, in_proj_bias)
    if bias_k is not None and bias_v is not None:
        k, v = (_extended(part, _heads(bias, num_heads)) for part, bias in ((k, bias_k), (v, bias_v)))
        masks = [_one_more_key(mask) for mask in masks]
    if add_zero_attn:
        k, v = (_extended(part, ops.zeros((1, num_heads, 1, part.shape[-1]), dtype=part.dtype)) for part in (k, v))
        masks = [_one_more_key(mask) for mask in masks]
    weights = dropout(attention_weights(q, k, masks), dropout_p)
    output = ops.swapaxes(ops.matmul(weights, v), 1, 2)
    output = ops.reshape(output, (*output.shape[:2], dims.mul(output.shape[2], output.shape[3])))
    output = linear(output, out_proj_weight, out_proj_bias)
    if not need_weights:
        return output, None
    return output, ops.mean(weights, 1) if average_attn_weights else weights


# --- heads and projections ---------------------------------------------------------------------------------------


def _projected(
    x: Expr, y: Expr, z: Expr, num_heads: int, weight: Expr | Sequence[Expr], bias: Expr | None
) -> tuple[Expr, Expr, Expr]:
    """x Wqᵀ + bq, y Wkᵀ + bk, z Wvᵀ + bv as [N, num_heads, T, size]; one product if x, y and z are the same array."""
    if isinstance(weight, Expr):
        if x is y and y is z:
            packed = linear(x, weight, bias)
            parts = ops.reshape(packed, (*x.shape[:2], 3, *_head_shape(x, num_heads)))
            q, k, v = (ops.swapaxes(ops.name(name, parts[:, :, i]), 1, 2) for i, name in enumerate("QKV"))
            return q, k, v
        weight = ops.split(weight, 3)
    biases = [None] * 3 if bias is None else ops.split(bias, 3)
    q, k, v = (linear(a, w, b) for a, w, b in zip((x, y, z), weight, biases, strict=True))
    return _heads(q, num_heads, "Q"), _heads(k, num_heads, "K"), _heads(v, num_heads, "V")


def _heads(x: Expr, count: int, name: str | None = None) -> Expr:
    """[N, T, E] -> [N, count, T, E / count]; a `name` stands for what is reshaped, before the axes change places."""
    parts = ops.reshape(x, (*x.shape[:2], *_head_shape(x, count)))
    return ops.swapaxes(ops.name(name, parts) if name else parts, 1, 2)


def _head_shape(x: Expr, count: int) -> tuple[int, int]:
    size = x.shape[-1]
    assert isinstance(size, int)
    return count, size // count


def _repeated_heads(part: Expr, q: Expr) -> Expr:
    """Each head (axis -3) as often as the heads of the query need it."""
    have, want = part.shape[-3], q.shape[-3]
    if not isinstance(have, int) or not isinstance(want, int) or want % have:
        raise ShapeError(f"scaled_dot_product_attention: {want} heads of the query cannot share {have} of key or value")
    return ops.repeat(part, want // have, axis=-3)


# --- masks -------------------------------------------------------------------------------------------------------


def _masks(
    q: Expr, k: Expr, num_heads: int, key_padding_mask: Operand | None, attn_mask: Operand | None, is_causal: bool
) -> list[Expr]:
    """The masks of the scores [N, num_heads, L, S], True where a query may look."""
    batch, queries, keys = q.shape[0], q.shape[1], k.shape[1]
    masks = []
    if attn_mask is not None:
        mask = _allowed("attn_mask", attn_mask, ((queries, keys), (dims.mul(batch, num_heads), queries, keys)))
        masks.append(mask if mask.ndim == 2 else ops.reshape(mask, (batch, num_heads, queries, keys)))
    if key_padding_mask is not None:
        masks.append(_allowed("key_padding_mask", key_padding_mask, ((batch, keys),))[:, None, None, :])
    if is_causal:
        masks.append(causal_mask(queries, keys))
    return masks


def _allowed(name: str, given: Operand, shapes: Sequence[dims.Shape]) -> Expr:
    """A mask of MultiheadAttention as one of scaled_dot_product_attention, where True means the opposite."""
    mask = ops.constant(given)
    if mask.dtype != "bool" and not dtypes.is_float(mask.dtype):
        raise DTypeError(f"multi_head_attention: {name} is {mask.dtype}, expected booleans or floats")
    if mask.shape not in shapes:
        expected = " or ".join(map(dims.show, shapes))
        raise ShapeError(f"multi_head_attention: {name} is {dims.show(mask.shape)}, expected {expected}")
    return ops.logical_not(mask) if mask.dtype == "bool" else mask


def _extended(part: Expr, row: Expr) -> Expr:
    """[N, heads, S, size] with one more row, [1, heads, 1, size], for every sequence."""
    return ops.concat([part, ops.broadcast_to(row, (part.shape[0], *row.shape[1:]))], axis=2)


def _one_more_key(mask: Expr) -> Expr:
    """The mask with a last key that everything may look at."""
    more = ops.full((*mask.shape[:-1], 1), True if mask.dtype == "bool" else 0.0, dtype=mask.dtype)
    return ops.concat([mask, more], axis=-1)


def _check_operands(q: Expr, k: Expr, v: Expr) -> None:
    shapes = f"query {dims.show(q.shape)}, key {dims.show(k.shape)}, value {dims.show(v.shape)}"
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ShapeError(f"scaled_dot_product_attention: expected arrays of at least two axes, got {shapes}")
    if q.shape[-1] != k.shape[-1]:
        raise ShapeError(f"scaled_dot_product_attention: query and key need equal last axes, got {shapes}")
    if k.shape[-2] != v.shape[-2]:
        raise ShapeError(f"scaled_dot_product_attention: key and value need equal lengths (axis -2), got {shapes}")
