"""The small programs whose formulas are kept as golden texts."""

from __future__ import annotations

from collections.abc import Callable

import symnet as sn

Program = tuple[sn.Expr, list[sn.Expr]]


def logistic_regression() -> Program:
    x, t = sn.input("x", ("N", 64)), sn.input("t", ("N",))
    w, b = sn.parameter("w", (64,)), sn.parameter("b", ())
    p = sn.sigmoid(x @ w + b)
    return -sn.mean(t * sn.log(p) + (1 - t) * sn.log(1 - p)), [w, b]


def digits_mlp() -> Program:
    x, y = sn.input("x", ("N", 64)), sn.input("y", ("N",), "int64")
    W1, b1 = sn.parameter("W1", (32, 64)), sn.parameter("b1", (32,))
    W2, b2 = sn.parameter("W2", (10, 32)), sn.parameter("b2", (10,))
    z = sn.relu(x @ W1.T + b1) @ W2.T + b2
    return -sn.mean(sn.take_along_axis(sn.log_softmax(z, axis=-1), y[:, None], axis=-1)), [W1, b1, W2, b2]


def softmax_cross_entropy() -> Program:
    """-mean(log(exp(z) / sum(exp(z)))[y]), written by hand."""
    z, y = sn.input("z", ("N", 10)), sn.input("y", ("N",), "int64")
    p = sn.exp(z) / sn.sum(sn.exp(z), axis=-1, keepdims=True)
    return -sn.mean(sn.take_along_axis(sn.log(p), y[:, None], axis=-1)), [z]


def recurrent_network() -> Program:
    xs, h0 = sn.input("xs", ("T", "N", 3)), sn.input("h0", ("N", 5))
    U, W = sn.parameter("U", (5, 5)), sn.parameter("W", (3, 5))
    _, last = sn.scan(lambda h, x: sn.tanh(h @ U + x @ W), init=h0, xs=xs)
    return sn.sum(last**2), [U, W]


def convolutional_network() -> Program:
    image, y = sn.input("image", ("N", 1, 8, 8)), sn.input("y", ("N",), "int64")
    K, c, V = sn.parameter("K", (4, 1, 3, 3)), sn.parameter("c", (4,)), sn.parameter("V", (144, 10))
    z = sn.reshape(sn.relu(sn.conv2d(image, K, c)), ("N", 144)) @ V
    return -sn.mean(sn.take_along_axis(sn.log_softmax(z, axis=-1), y[:, None], axis=-1)), [K, c, V]


PROGRAMS: dict[str, Callable[[], Program]] = {
    function.__name__: function
    for function in (
        logistic_regression,
        digits_mlp,
        softmax_cross_entropy,
        recurrent_network,
        convolutional_network,
    )
}
