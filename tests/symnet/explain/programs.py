"""The small programs whose formulas are kept as golden texts."""

from __future__ import annotations

from collections.abc import Callable

import symnet as sn

Program = tuple[sn.Expr, list[sn.Expr]]


def linear_regression() -> Program:
    x, t = sn.input("x", ("N", 3)), sn.input("t", ("N",))
    w, b = sn.parameter("w", (3,)), sn.parameter("b", ())
    return sn.mean((x @ w + b - t) ** 2), [w, b]


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


def mini_cnn() -> Program:
    """The network of examples/mini_cnn.py, with fewer channels."""
    x, y = sn.input("x", ("N", 1, 8, 8)), sn.input("y", ("N",), "int64")
    net = sn.nn.Sequential(
        sn.nn.Conv2d(1, 3, kernel_size=3, padding=1),
        sn.nn.ReLU(),
        sn.nn.MaxPool2d(2),
        sn.nn.Conv2d(3, 5, kernel_size=3, padding=1),
        sn.nn.ReLU(),
        sn.nn.MaxPool2d(2),
        sn.nn.Flatten(),
        sn.nn.Linear(20, 10),
    )
    logits = net(x)
    return -sn.mean(sn.log_softmax(logits, axis=-1)[sn.arange("N"), y]), list(net.parameters())


def lstm() -> Program:
    x, y = sn.input("x", ("T", "N", 3)), sn.input("y", ("N", 2))
    layer, head = sn.nn.LSTM(3, 5), sn.nn.Linear(5, 2)
    _, (h, _) = layer(x)
    return sn.losses.MSELoss()(head(h[-1]), y), [*layer.parameters(), *head.parameters()]


def gru() -> Program:
    x, y = sn.input("x", ("T", "N", 3)), sn.input("y", ("T", "N", 5))
    layer = sn.nn.GRU(3, 5)
    outputs, _ = layer(x)
    return sn.losses.MSELoss()(outputs, y), list(layer.parameters())


def attention() -> Program:
    """softmax(Q Kᵀ / √d) V of one head, written by hand."""
    X, Y = sn.input("X", ("T", 8)), sn.input("Y", ("T", 4))
    weights = [sn.parameter(f"W_{name}", (8, 4)) for name in "QKV"]
    Q, K, V = (sn.name(name, X @ weight) for name, weight in zip("QKV", weights, strict=True))
    A = sn.softmax(Q @ K.T / 4**0.5, axis=-1)
    return sn.mean((A @ V - Y) ** 2), weights


def attention_block() -> Program:
    """A layer norm and causal attention of two heads with a residual, as in a decoder."""
    x, y = sn.input("x", ("N", "T", 6)), sn.input("y", ("N", "T", 6))
    norm, attention = sn.nn.LayerNorm(6), sn.nn.MultiheadAttention(6, 2, batch_first=True)
    h = norm(x)
    out = x + attention(h, h, h, is_causal=True, need_weights=False)[0]
    return sn.losses.MSELoss()(out, y), [*norm.parameters(), *attention.parameters()]


def layer_norm() -> Program:
    x, y = sn.input("x", ("N", 8)), sn.input("y", ("N", 8))
    norm = sn.nn.LayerNorm(8)
    return sn.losses.MSELoss()(norm(x), y), [*norm.parameters(), x]


def batch_norm() -> Program:
    x, y = sn.input("x", ("N", 6)), sn.input("y", ("N", 6))
    norm = sn.nn.BatchNorm1d(6)
    return sn.losses.MSELoss()(norm(x), y), [*norm.parameters(), x]


class Autoencoder(sn.nn.Module):
    """A variational autoencoder (Kingma and Welling 2013, arXiv:1312.6114) for values in [0, 1]."""

    def __init__(self, size: int, hidden: int, code: int) -> None:
        self.encoder, self.decoder = sn.nn.Linear(size, hidden), sn.nn.Linear(code, hidden)
        self.mean, self.log_variance = sn.nn.Linear(hidden, code), sn.nn.Linear(hidden, code)
        self.output, self.code = sn.nn.Linear(hidden, size), code

    def forward(self, x: sn.Expr) -> tuple[sn.Expr, sn.Expr, sn.Expr]:
        """The logits of the reconstruction, and mean and logarithm of the variance of the code."""
        h = sn.tanh(self.encoder(x))
        mu, rho = sn.name("mu", self.mean(h)), sn.name("rho", self.log_variance(h))
        code = sn.name("c", mu + sn.exp(rho / 2) * sn.random.normal(mu.shape))
        return self.output(sn.tanh(self.decoder(code))), mu, rho


def variational_autoencoder() -> Program:
    """The negative evidence lower bound, its divergence in closed form."""
    x = sn.input("x", ("N", 12))
    net = Autoencoder(12, 7, 2)
    logits, mu, rho = net(x)
    reconstruction = sn.losses.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    divergence = sn.sum(sn.exp(rho) + mu**2 - 1 - rho) / 2
    return (reconstruction + divergence) / sn.dim("N", "float32"), list(net.parameters())


def embedding() -> Program:
    text, y = sn.input("text", ("N", "T"), "int64"), sn.input("y", ("N", 4))
    table = sn.nn.Embedding(11, 4)
    return sn.losses.MSELoss()(sn.mean(table(text), 1), y), list(table.parameters())


PROGRAMS: dict[str, Callable[[], Program]] = {
    function.__name__: function
    for function in (
        linear_regression,
        logistic_regression,
        digits_mlp,
        softmax_cross_entropy,
        recurrent_network,
        convolutional_network,
        mini_cnn,
        lstm,
        gru,
        attention,
        attention_block,
        layer_norm,
        batch_norm,
        variational_autoencoder,
        embedding,
    )
}
