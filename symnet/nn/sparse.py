"""Embedding and EmbeddingBag: tables whose rows are looked up."""

from __future__ import annotations

from typing import Any

import numpy as np

from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.nn import init
from symnet.nn.module import Module, Parameter
from symnet.nn.sparse_functions import check_mode, check_padding_idx, check_unsupported, embedding, embedding_bag

__all__ = ["Embedding", "EmbeddingBag"]


class Embedding(Module):
    """A row of the table for each position: integers [*] -> [*, embedding_dim], weight [num_embeddings, embedding_dim].

    The row `padding_idx` starts as 0 and gets no gradient. Settings as in `functional.embedding`.
    """

    weight: Expr

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Any = None,
        _freeze: bool = False, *, dtype: object = "float32",
    ) -> None:  # fmt: skip
        check_unsupported("Embedding", max_norm, norm_type, sparse)
        if padding_idx is not None:
            padding_idx = check_padding_idx("Embedding", padding_idx, num_embeddings)
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.scale_grad_by_freq = scale_grad_by_freq
        self.weight = _table("Embedding", num_embeddings, embedding_dim, padding_idx, _weight, not _freeze, dtype)

    def forward(self, input: Any) -> Expr:
        return embedding(input, self.weight, self.padding_idx, scale_grad_by_freq=self.scale_grad_by_freq)

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
    ) -> Embedding:  # fmt: skip
        """An embedding that starts from these values (an array [rows, size]); not trained when `freeze`."""
        values = _values("Embedding", embeddings)
        rows, size = values.shape
        return cls(
            rows, size, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, values, freeze,
            dtype=values.dtype.name,
        )  # fmt: skip

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        scaled = ", scale_grad_by_freq=True" if self.scale_grad_by_freq else ""
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{scaled}"


class EmbeddingBag(Module):
    """The sum, mean or maximum of the rows of each bag of positions -> [bags, embedding_dim].

    Called as `bag(input, offsets, per_sample_weights)`; these and the settings are as in `functional.embedding_bag`.
    """

    weight: Expr

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Any = None,
        include_last_offset: bool = False, padding_idx: int | None = None, *, dtype: object = "float32",
    ) -> None:  # fmt: skip
        check_unsupported("EmbeddingBag", max_norm, norm_type, sparse)
        check_mode(mode)
        if padding_idx is not None:
            padding_idx = check_padding_idx("EmbeddingBag", padding_idx, num_embeddings)
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.scale_grad_by_freq, self.mode, self.include_last_offset = scale_grad_by_freq, mode, include_last_offset
        self.weight = _table("EmbeddingBag", num_embeddings, embedding_dim, padding_idx, _weight, True, dtype)

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Expr:
        return embedding_bag(
            input, self.weight, offsets, scale_grad_by_freq=self.scale_grad_by_freq, mode=self.mode,
            per_sample_weights=per_sample_weights, include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )  # fmt: skip

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:  # fmt: skip
        """A bag whose table starts from these values (an array [rows, size]); not trained when `freeze`."""
        values = _values("EmbeddingBag", embeddings)
        rows, size = values.shape
        bag = cls(
            rows, size, max_norm, norm_type, scale_grad_by_freq, mode, sparse, values, include_last_offset,
            padding_idx, dtype=values.dtype.name,
        )  # fmt: skip
        if freeze:
            bag.weight = Parameter(values.shape, values, values.dtype.name, trainable=False)
        return bag

    def extra_repr(self) -> str:
        scaled = ", scale_grad_by_freq=True" if self.scale_grad_by_freq else ""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{scaled}, mode={self.mode!r}{padding}"


def _table(
    layer: str, rows: int, size: int, padding_idx: int | None, values: Any, trainable: bool, dtype: object
) -> Expr:
    for name, number in (("num_embeddings", rows), ("embedding_dim", size)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise UsageError(f"{layer}: {name} is a whole number from 0, got {number!r}")
    start: object = init.normal() if padding_idx is None else init.embedding(padding_idx)
    if values is not None:
        start = _values(layer, values)
        if start.shape != (rows, size):
            raise ShapeError(f"{layer}: expected values {dims.show((rows, size))}, got {dims.show(start.shape)}")
    return Parameter((rows, size), start, dtype, trainable)


def _values(layer: str, given: Any) -> np.ndarray:
    values = np.asarray(given)
    if values.ndim != 2 or values.dtype.kind != "f":
        raise ShapeError(f"{layer}: expected an array [rows, size] of floats, got {values.dtype}{list(values.shape)}")
    return values
