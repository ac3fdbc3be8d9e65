"""MultiheadAttention."""

from __future__ import annotations

from typing import Any

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.nn import init
from symnet.nn.attention_functions import multi_head_attention
from symnet.nn.linear import Linear
from symnet.nn.module import Module, Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """head_h = softmax(Q_h K_hᵀ / √d) V_h with Q_h, K_h, V_h = x W_hᵀ + b_h; the output is (head_1, …) W_outᵀ + b_out.

    Called as `attention(query, key, value)` with query [L, N, embed_dim], key [S, N, kdim], value [S, N, vdim]
    ([N, L, …] when batch_first; without N for one sequence); gives the output in the form of the query, and the weights
    [N, L, S] ([N, num_heads, L, S] if not `average_attn_weights`; None if not `need_weights`).

    key_padding_mask  [N, S]: True for keys that are no part of the sequence, or floats added to their scores
    attn_mask         [L, S] or [N · num_heads, L, S]: True where a query may not look, or floats added to the scores
    is_causal         query i looks at the keys 0 … i only; no attn_mask is needed for it
    add_bias_kv, add_zero_attn  one more key and value for all sequences: learned, or zeros
    dropout           of the weights, in training

    The weights of a query that may look at nothing are 0.
    """

    in_proj_weight: Expr | None
    in_proj_bias: Expr | None
    bias_k: Expr | None
    bias_v: Expr | None

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False, *,
        dtype: object = "float32",
    ) -> None:  # fmt: skip
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise UsageError(
                f"MultiheadAttention: embed_dim must be a multiple of num_heads, got {embed_dim} and {num_heads}"
            )
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.add_zero_attn = add_zero_attn
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = Parameter((3 * embed_dim, embed_dim), init.xavier_uniform(), dtype)
        else:
            self.in_proj_weight = None
            for name, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
                setattr(self, f"{name}_proj_weight", Parameter((embed_dim, size), init.xavier_uniform(), dtype))
        self.in_proj_bias = Parameter((3 * embed_dim,), init.zeros(), dtype) if bias else None
        self.bias_k = self.bias_v = None
        if add_bias_kv:
            self.bias_k = Parameter((1, 1, embed_dim), init.xavier_normal(), dtype)
            self.bias_v = Parameter((1, 1, embed_dim), init.xavier_normal(), dtype)
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype)
        if bias:
            self.out_proj.bias = Parameter((embed_dim,), init.zeros(), dtype)

    def forward(
        self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True,
        attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Expr, Expr | None]:  # fmt: skip
        q, k, v = (ops.constant(operand) for operand in (query, key, value))
        self._check(q, k, v)
        single = q.ndim == 2
        batched = {id(part): self._batch_first(part) for part in (q, k, v)}
        if key_padding_mask is not None and single:
            key_padding_mask = ops.constant(key_padding_mask)[None]
        output, weights = multi_head_attention(
            batched[id(q)], batched[id(k)], batched[id(v)], self.num_heads, self._in_projection(), self.in_proj_bias,
            self.bias_k, self.bias_v, self.add_zero_attn, self.dropout if self.training else 0.0, self.out_proj.weight,
            self.out_proj.bias, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal,
        )  # fmt: skip
        if single:
            return output[0], None if weights is None else weights[0]
        return (output if self.batch_first else ops.swapaxes(output, 0, 1)), weights

    def _in_projection(self) -> Expr | list[Expr]:
        if self.in_proj_weight is not None:
            return self.in_proj_weight
        return [getattr(self, f"{name}_proj_weight") for name in "qkv"]

    def _batch_first(self, x: Expr) -> Expr:
        if x.ndim == 2:
            return x[None]
        return x if self.batch_first else ops.swapaxes(x, 0, 1)

    def _check(self, q: Expr, k: Expr, v: Expr) -> None:
        got = f"got query {dims.show(q.shape)}, key {dims.show(k.shape)}, value {dims.show(v.shape)}"
        form = "N, L" if self.batch_first else "L, N"
        if not q.ndim == k.ndim == v.ndim or q.ndim not in (2, 3):
            raise ShapeError(f"MultiheadAttention: expected three arrays [{form}, size] or three [L, size], {got}")
        sizes = (self.embed_dim, self.kdim, self.vdim)
        if (q.shape[-1], k.shape[-1], v.shape[-1]) != sizes:
            raise ShapeError(f"MultiheadAttention: expected last axes of sizes {', '.join(map(str, sizes))}, {got}")
        batch = 0 if self.batch_first else 1
        if k.shape[:-1] != v.shape[:-1] or (q.ndim == 3 and q.shape[batch] != k.shape[batch]):
            raise ShapeError(f"MultiheadAttention: expected one number of sequences, and a value for each key, {got}")
