"""Small programs of the kinds that the examples train, each compiled once for all tests of the report."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import symnet as sn


def _trained(logits: sn.Expr, target: sn.Expr, optimizer: sn.optim.Optimizer, batch: dict[str, int]) -> sn.Program:
    kinds = logits.shape[-1]
    loss = sn.losses.cross_entropy(sn.reshape(logits, (-1, kinds)), sn.reshape(target, (-1,)))
    return sn.compile(loss=loss, optimizer=optimizer, batch=batch, outputs={"answer": logits})


def mlp() -> sn.Program:
    x, y = sn.input("x", ("N", 13)), sn.input("y", ("N",), "int64")
    model = sn.nn.Sequential(sn.nn.Linear(13, 19), sn.nn.ReLU(), sn.nn.Linear(19, 7))
    return _trained(model(x), y, sn.optim.Adam(lr=1e-2), {"N": 9})


def convolutional() -> sn.Program:
    x, y = sn.input("x", ("N", 1, 8, 8)), sn.input("y", ("N",), "int64")
    model = sn.nn.Sequential(
        sn.nn.Conv2d(1, 5, kernel_size=3, padding=1),
        sn.nn.BatchNorm2d(5),
        sn.nn.ReLU(),
        sn.nn.MaxPool2d(2),
        sn.nn.Flatten(),
        sn.nn.Dropout(0.1),
        sn.nn.Linear(5 * 16, 7),
    )
    return _trained(model(x), y, sn.optim.SGD(lr=0.1, momentum=0.9), {"N": 6})


def recurrent() -> sn.Program:
    text, following = sn.input("text", ("N", "T"), "int64"), sn.input("following", ("N", "T"), "int64")
    embedding, lstm, output = sn.nn.Embedding(11, 6), sn.nn.LSTM(6, 10, batch_first=True), sn.nn.Linear(10, 11)
    model = sn.nn.ModuleList([embedding, lstm, output])
    assert len(model) == 3  # names the parameters by their layers
    hidden, _ = lstm(embedding(text))
    return _trained(output(hidden), following, sn.optim.Adam(lr=4e-3), {"N": 3, "T": 5})


class Block(sn.nn.Module):
    """x ← x + attention(norm(x));  x ← x + W₂ gelu(W₁ norm(x))."""

    def __init__(self, size: int) -> None:
        self.norm1, self.norm2 = sn.nn.LayerNorm(size), sn.nn.LayerNorm(size)
        self.attention = sn.nn.MultiheadAttention(size, 2, batch_first=True)
        self.feed_forward = sn.nn.Sequential(sn.nn.Linear(size, 2 * size), sn.nn.GELU(), sn.nn.Linear(2 * size, size))

    def forward(self, x: sn.Expr) -> sn.Expr:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, is_causal=True, need_weights=False)[0]
        return x + self.feed_forward(self.norm2(x))


class Transformer(sn.nn.Module):
    def __init__(self, kinds: int, size: int) -> None:
        self.token = sn.nn.Parameter((kinds, size), init=sn.init.normal(std=0.05))
        self.block, self.norm = Block(size), sn.nn.LayerNorm(size)

    def forward(self, text: sn.Expr) -> sn.Expr:
        x = sn.nn.functional.embedding(text, self.token)
        return sn.nn.functional.linear(self.norm(self.block(x)), self.token)


def transformer() -> sn.Program:
    text, following = sn.input("text", ("N", "T"), "int64"), sn.input("following", ("N", "T"), "int64")
    return _trained(Transformer(11, 12)(text), following, sn.optim.AdamW(lr=3e-3), {"N": 3, "T": 7})


def by_hand() -> sn.Program:
    """No layers: a line through points, with names of the user's."""
    x, t = sn.input("x", ("N", 4)), sn.input("t", ("N",))
    w, b = sn.parameter("w", (4,)), sn.parameter("b", ())
    error = sn.name("error", x @ w + b - t)
    return sn.compile(loss=sn.mean(error**2), optimizer=sn.optim.SGD(lr=0.1), batch={"N": 8})


PROGRAMS: dict[str, Callable[[], sn.Program]] = {
    function.__name__: function for function in (mlp, convolutional, recurrent, transformer, by_hand)
}


@lru_cache(maxsize=None)
def program(name: str) -> sn.Program:
    return PROGRAMS[name]()
