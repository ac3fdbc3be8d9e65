"""A convolution with both gradients and a recurrent network go the same way as everything else.

Forward and backward run through the graph, the loop program and LLVM, and agree with the NumPy meaning, with finite
differences and, where it is installed, with PyTorch.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest

import symnet as sn


def finite_difference(loss: sn.Expr, leaf: sn.Expr, values: Mapping[str, np.ndarray], eps: float = 1e-6) -> np.ndarray:
    """Central differences of the reference interpreter, element by element."""
    result = np.zeros(values[leaf.name].shape)
    for place in itertools.product(*map(range, result.shape)):
        ends = []
        for sign in (1, -1):
            moved = {name: array.copy() for name, array in values.items()}
            moved[leaf.name][place] += sign * eps
            ends.append(float(sn.evaluate(loss, moved)))
        result[place] = (ends[0] - ends[1]) / (2 * eps)
    return result


def compiled(roots: list[sn.Expr], leaves: list[sn.Expr], values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return sn.function(leaves, roots)(*(values[leaf.name] for leaf in leaves))


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"), [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 1), (3, 0, 1, 1), (2, 2, 2, 2)]
)
def test_convolution(stride: int, padding: int, dilation: int, groups: int, rng: np.random.Generator) -> None:
    x = sn.input("x", ("N", 4, 9, 7), "float64")
    w = sn.input("w", (6, 4 // groups, 3, 3), "float64")
    y = sn.conv2d(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)
    loss = sn.sum(sn.tanh(y) * sn.cos(y))
    gx, gw = sn.grad(loss, [x, w])
    values = {"x": rng.normal(size=(3, 4, 9, 7)), "w": 0.5 * rng.normal(size=(6, 4 // groups, 3, 3))}
    native = compiled([loss, y, gx, gw], [x, w], values)
    for got, wanted in zip(native, sn.evaluate([loss, y, gx, gw], values), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)
    small = {"x": values["x"][:1], "w": values["w"]}
    small_gx, small_gw = compiled([gx, gw], [x, w], small)
    np.testing.assert_allclose(small_gw, finite_difference(loss, w, small), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(small_gx, finite_difference(loss, x, small), rtol=1e-5, atol=1e-7)


def test_convolution_like_pytorch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    x, w = sn.input("x", ("N", 5, 11, 8), "float64"), sn.input("w", (7, 5, 3, 3), "float64")
    values = {"x": rng.normal(size=(2, 5, 11, 8)), "w": rng.normal(size=(7, 5, 3, 3))}
    y = sn.conv2d(x, w, stride=2, padding=1)
    loss = sn.sum(sn.square(y))
    native = compiled([y, *sn.grad(loss, [x, w])], [x, w], values)
    tx, tw = (torch.tensor(values[name], requires_grad=True) for name in ("x", "w"))
    ty = torch.nn.functional.conv2d(tx, tw, stride=2, padding=1)
    (ty**2).sum().backward()
    for got, wanted in zip(native, (ty.detach(), tx.grad, tw.grad), strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-11, atol=1e-11)


def recurrent(steps: int, width: int) -> tuple[sn.Expr, list[sn.Expr]]:
    """The loss of a tanh network over a sequence, and its leaves."""
    xs = sn.input("xs", (steps, "N", 4), "float64")
    h0 = sn.input("h0", ("N", width), "float64")
    U, V = sn.input("U", (4, width), "float64"), sn.input("V", (width, width), "float64")

    def cell(h: sn.Expr, x: sn.Expr) -> tuple[sn.Expr, sn.Expr]:
        new = sn.tanh(x @ U + h @ V)
        return new, sn.sum(new * new, axis=-1)

    norms, last = sn.scan(cell, init=h0, xs=xs)
    return sn.mean(norms) + sn.sum(last), [xs, h0, U, V]


def test_recurrent_network(rng: np.random.Generator) -> None:
    loss, leaves = recurrent(steps=5, width=3)
    gradients = sn.grad(loss, leaves)
    values = {
        "xs": rng.normal(size=(5, 2, 4)),
        "h0": rng.normal(size=(2, 3)),
        "U": 0.5 * rng.normal(size=(4, 3)),
        "V": 0.5 * rng.normal(size=(3, 3)),
    }
    native = compiled([loss, *gradients], leaves, values)
    for got, wanted in zip(native, sn.evaluate([loss, *gradients], values), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)
    for leaf, gradient in zip(leaves, native[1:], strict=True):
        np.testing.assert_allclose(gradient, finite_difference(loss, leaf, values), rtol=1e-5, atol=1e-7)


def test_recurrent_network_like_pytorch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    loss, leaves = recurrent(steps=7, width=6)
    shapes = {"xs": (7, 3, 4), "h0": (3, 6), "U": (4, 6), "V": (6, 6)}
    values = {name: 0.5 * rng.normal(size=shape) for name, shape in shapes.items()}
    native = compiled([loss, *sn.grad(loss, leaves)], leaves, values)
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    h, norms = tensors["h0"], []
    for x in tensors["xs"]:
        h = torch.tanh(x @ tensors["U"] + h @ tensors["V"])
        norms.append((h * h).sum(-1))
    wanted = torch.stack(norms).mean() + h.sum()
    wanted.backward()
    assert native[0] == pytest.approx(wanted.item(), rel=1e-12)
    for leaf, gradient in zip(leaves, native[1:], strict=True):
        np.testing.assert_allclose(gradient, tensors[leaf.name].grad.numpy(), rtol=1e-10, atol=1e-13)


def test_training_a_recurrent_and_a_convolutional_network(rng: np.random.Generator) -> None:
    """Both train as programs, and the native program is the reference interpreter's."""
    images, y = sn.input("x", ("N", 1, 8, 8)), sn.input("y", ("N",), "int64")
    K = sn.parameter("K", (4, 1, 3, 3), init=sn.init.uniform(-0.3, 0.3))
    W = sn.parameter("W", (256, 10), init=sn.init.uniform(-0.1, 0.1))
    hidden = sn.relu(sn.conv2d(images, K, padding=1))
    convolutional = sn.losses.cross_entropy(sn.reshape(hidden, (-1, 256)) @ W, y)

    xs, target = sn.input("x", (6, "N", 3)), sn.input("y", ("N",), "int64")
    U = sn.parameter("U", (3, 5), init=sn.init.uniform(-0.5, 0.5))
    V = sn.parameter("V", (5, 5), init=sn.init.uniform(-0.5, 0.5))
    R = sn.parameter("R", (5, 10), init=sn.init.uniform(-0.5, 0.5))
    start = sn.zeros((xs.shape[1], 5))
    _, last = sn.scan(lambda h, x: sn.tanh(x @ U + h @ V), init=start, xs=xs)
    recurrent = sn.losses.cross_entropy(last @ R, target)

    batches = {
        "convolutional": {"x": rng.normal(size=(7, 1, 8, 8)).astype(np.float32), "y": rng.integers(0, 10, 7)},
        "recurrent": {"x": rng.normal(size=(6, 7, 3)).astype(np.float32), "y": rng.integers(0, 10, 7)},
    }
    for name, loss in {"convolutional": convolutional, "recurrent": recurrent}.items():
        losses = {}
        for backend in ("llvm", "numpy"):
            prog = sn.compile(loss=loss, optimizer=sn.optim.Adam(lr=0.02), batch={"N": 8}, backend=backend)
            losses[backend] = [float(prog.step(**batches[name])["loss"]) for _ in range(8)]
        np.testing.assert_allclose(losses["llvm"], losses["numpy"], rtol=2e-4, err_msg=name)
        assert losses["llvm"][-1] < losses["llvm"][0]
