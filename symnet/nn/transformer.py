"""Transformers (Vaswani et al. 2017, arXiv:1706.03762): layers of encoder and decoder, their stacks, and both together.

Masks of booleans are True where one may not look, masks of floats are added to the scores, as in MultiheadAttention.
An `is_causal` is no hint here but means what it says: position i looks at the positions 0 … i only, with a mask or
without.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from symnet import ops
from symnet.errors import ShapeError, Unsupported, UsageError, nearest
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.nn import activation_functions, init
from symnet.nn.attention import MultiheadAttention
from symnet.nn.attention_functions import causal_mask
from symnet.nn.containers import ModuleList
from symnet.nn.dropout import Dropout
from symnet.nn.linear import Linear
from symnet.nn.module import Module, Parameter
from symnet.nn.normalization import LayerNorm

__all__ = [
    "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
]  # fmt: skip

Activation = str | Callable[[Any], Expr]
ACTIVATIONS: dict[str, Callable[[Any], Expr]] = {
    "relu": activation_functions.relu,
    "gelu": activation_functions.gelu,
}


class TransformerEncoderLayer(Module):
    """x ← norm₁(x + attention(x, x, x));  x ← norm₂(x + W₂ activation(W₁ x)).

    With `norm_first` x ← x + attention(norm₁(x), …) and x ← x + W₂ activation(W₁ norm₂(x)). Dropout is after the
    activation and before each sum. x [S, N, d_model], [N, S, d_model] when batch_first, or [S, d_model].
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = activation_functions.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, *, dtype: object = "float32",
    ) -> None:  # fmt: skip
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.activation = _activation(activation)

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Expr:
        def attention(x: Expr) -> Any:
            return self.dropout1(_attended(self.self_attn, x, x, src_mask, src_key_padding_mask, is_causal))

        x: Expr = ops.constant(src)
        if self.norm_first:
            x = x + attention(self.norm1(x))
            x = x + self._feed_forward(self.norm2(x))
        else:
            x = self.norm1(x + attention(x))
            x = self.norm2(x + self._feed_forward(x))
        return x

    def _feed_forward(self, x: Expr) -> Any:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """x ← norm₁(x + attention(x, x, x));  x ← norm₂(x + attention(x, memory, memory));
    x ← norm₃(x + W₂ activation(W₁ x)).

    With `norm_first` the norms come before attention and W₁ and not after the sums. Dropout is after the activation and
    before each sum. Forms as in `TransformerEncoderLayer`; the memory [S, N, d_model] is an encoder's output.
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = activation_functions.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, *, dtype: object = "float32",
    ) -> None:  # fmt: skip
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1, self.dropout2, self.dropout3 = Dropout(dropout), Dropout(dropout), Dropout(dropout)
        self.activation = _activation(activation)

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None, tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None, tgt_is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Expr:  # fmt: skip
        memory = ops.constant(memory)

        def attention(x: Expr) -> Any:
            return self.dropout1(_attended(self.self_attn, x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal))

        def look_up(x: Expr) -> Any:
            masks = (memory_mask, memory_key_padding_mask, memory_is_causal)
            return self.dropout2(_attended(self.multihead_attn, x, memory, *masks))

        x: Expr = ops.constant(tgt)
        if self.norm_first:
            x = x + attention(self.norm1(x))
            x = x + look_up(self.norm2(x))
            x = x + self._feed_forward(self.norm3(x))
        else:
            x = self.norm1(x + attention(x))
            x = self.norm2(x + look_up(x))
            x = self.norm3(x + self._feed_forward(x))
        return x

    def _feed_forward(self, x: Expr) -> Any:
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """`num_layers` layers like `encoder_layer`, each with parameters of its own, then `norm` if there is one.

    torch's `enable_nested_tensor` is about a layout that does not exist here: False is accepted. (Copies start from
    different values here, as if each layer had been made by itself; in torch from the same.)
    """

    norm: Module | None

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = False
    ) -> None:
        if enable_nested_tensor:
            raise Unsupported("TransformerEncoder: enable_nested_tensor=True: nested tensors do not exist here")
        self.layers = _copies("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Expr:
        x: Expr = ops.constant(src)
        for layer in self.layers:
            x = layer(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """`num_layers` layers like `decoder_layer`, each with parameters of its own, then `norm` if there is one."""

    norm: Module | None

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None, tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Expr:  # fmt: skip
        x: Expr = ops.constant(tgt)
        for layer in self.layers:
            x = layer(
                x, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """A decoder that looks at what an encoder made of src: `transformer(src, tgt)`, [T, N, d_model] as tgt.

    src [S, N, d_model] and tgt [T, N, d_model] ([N, …] when batch_first; without N for one pair). A `custom_encoder` or
    `custom_decoder` takes the place of the stack that the other arguments describe.
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: Activation = activation_functions.relu,
        custom_encoder: Module | None = None, custom_decoder: Module | None = None, layer_norm_eps: float = 1e-5,
        batch_first: bool = False, norm_first: bool = False, bias: bool = True, *, dtype: object = "float32",
    ) -> None:  # fmt: skip
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

        def settings() -> tuple[Any, ...]:
            return d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        if custom_encoder is None:
            layer: Module = TransformerEncoderLayer(*settings(), dtype=dtype)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*settings(), dtype=dtype)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, norm())
        self.decoder = custom_decoder
        _start_from_xavier(self)

    def forward(
        self, src: Any, tgt: Any, src_mask: Any = None, tgt_mask: Any = None, memory_mask: Any = None,
        src_key_padding_mask: Any = None, tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Expr:  # fmt: skip
        src, tgt = ops.constant(src), ops.constant(tgt)
        batch = 0 if self.batch_first else 1
        fitting = src.ndim == tgt.ndim in (2, 3) and src.shape[-1] == tgt.shape[-1] == self.d_model
        if not fitting or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch]):
            raise ShapeError(
                f"Transformer: expected src and tgt of the same number of sequences with a last axis {self.d_model}, "
                f"got {dims.show(src.shape)} and {dims.show(tgt.shape)}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        output: Expr = self.decoder(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
            memory_is_causal,
        )  # fmt: skip
        return output

    @staticmethod
    def generate_square_subsequent_mask(sz: Dim, dtype: object = "float32") -> Expr:
        """[sz, sz]: 0 up to the diagonal, -inf above; `sz` may be a named dimension."""
        return ops.where(causal_mask(sz, sz), ops.zeros((), dtype=dtype), float("-inf"))


def _attended(attention: MultiheadAttention, x: Expr, memory: Expr, mask: Any, padding: Any, is_causal: bool) -> Expr:
    output, _ = attention.forward(
        x, memory, memory, key_padding_mask=padding, need_weights=False, attn_mask=mask, is_causal=is_causal
    )
    return output


def _activation(given: Activation) -> Callable[[Any], Expr]:
    if not isinstance(given, str):
        return given
    if given not in ACTIVATIONS:
        raise UsageError(f"there is no activation {given!r} by name{nearest(given, ACTIVATIONS)}; or give a function")
    return ACTIVATIONS[given]


def _copies(stack: str, layer: Module, count: int) -> ModuleList:
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise UsageError(f"{stack}: num_layers is a whole number from 0, got {count!r}")
    return ModuleList(copy.deepcopy(layer) for _ in range(count))


def _start_from_xavier(model: Module) -> None:
    """As torch's Transformer, every matrix starts from the distribution of Glorot."""
    for module in model.modules():
        for name, node in list(module._parameters.items()):
            if node.ndim > 1:
                setattr(module, name, Parameter(node.shape, init.xavier_uniform(), node.dtype))
