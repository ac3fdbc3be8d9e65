"""The three small programs whose every stage is kept as a golden text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import symnet as sn

Definition = tuple[sn.Expr, list[sn.Expr], sn.optim.Optimizer]


def logistic_regression() -> Definition:
    """Binary classification by one weight vector; plain gradient descent."""
    x, t = sn.input("x", ("N", 5)), sn.input("t", ("N",))
    w, b = sn.parameter("w", (5,), init=sn.init.zeros()), sn.parameter("b", (), init=sn.init.zeros())
    z = sn.name("z", x @ w + b)
    loss = sn.losses.binary_cross_entropy_with_logits(z, t)
    return loss, [w, b], sn.optim.SGD(lr=0.1)


def digits_mlp() -> Definition:
    """The network of `symnet demo`, smaller: 64-32-10 with relu, trained by Adam."""
    x, y = sn.input("x", ("N", 64)), sn.input("y", ("N",), "int64")
    model = sn.nn.Sequential(sn.nn.Linear(64, 32), sn.nn.ReLU(), sn.nn.Linear(32, 10))
    return sn.losses.cross_entropy(model(x), y), list(model.parameters()), sn.optim.Adam(lr=1e-3)


def softmax_by_hand() -> Definition:
    """Softmax and cross-entropy as one writes them down first: unstable as written, stable as compiled."""
    x, y = sn.input("x", ("N", 4)), sn.input("y", ("N",), "int64")
    W = sn.parameter("W", (4, 3), init=sn.init.zeros())
    z = sn.name("z", x @ W)
    p = sn.exp(z) / sn.sum(sn.exp(z), axis=1, keepdims=True)
    loss = -sn.mean(sn.log(p)[sn.arange(z.shape[0]), y])
    return loss, [W], sn.optim.SGD(lr=0.1, momentum=0.9)


PROGRAMS: Mapping[str, Callable[[], Definition]] = {
    "logistic-regression": logistic_regression,
    "digits-mlp": digits_mlp,
    "softmax-by-hand": softmax_by_hand,
}
