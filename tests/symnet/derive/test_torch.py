"""Derivatives of first and second order against PyTorch, at ordinary points and at kinks."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from tests.symnet.derive.graphs import Values, evaluate

torch = pytest.importorskip("torch")
F = torch.nn.functional

CLASSES = [0, 1, 3, 3, 2]

# name: (ours, PyTorch's), as functions of the leaves x [5, 4], w [4, 4] and v [4].
PAIRS = {
    "layer": (
        lambda x, w, v: sn.sum(sn.gelu(x @ w + v) * sn.silu(x)),
        lambda x, w, v: (F.gelu(x @ w + v) * F.silu(x)).sum(),
    ),
    "layer_norm": (
        lambda x, w, v: sn.sum(
            sn.sin((x - sn.mean(x, -1, keepdims=True)) / sn.sqrt(sn.var(x, -1, keepdims=True) + 1e-5) * v) @ w
        ),
        lambda x, w, v: (torch.sin(F.layer_norm(x, (4,), v)) @ w).sum(),
    ),
    "attention": (
        lambda x, w, v: sn.sum(sn.softmax((x @ w) @ x.T / 2.0, axis=-1) @ x * v),
        lambda x, w, v: (torch.softmax((x @ w) @ x.T / 2.0, dim=-1) @ x * v).sum(),
    ),
    "convolution": (
        lambda x, w, v: sn.sum(sn.tanh(sn.conv2d(x[None, None], w[None, None, :3, :2], stride=(1, 2), padding=1)) ** 3),
        lambda x, w, v: (F.conv2d(x[None, None], w[None, None, :3, :2], stride=(1, 2), padding=1).tanh() ** 3).sum(),
    ),
    "cross_entropy": (
        lambda x, w, v: -sn.mean(sn.log_softmax(x @ w, -1)[sn.arange(5), sn.constant(CLASSES)]),
        lambda x, w, v: F.cross_entropy(x @ w, torch.tensor(CLASSES)),
    ),
    "powers": (
        lambda x, w, v: sn.sum((x**2 + 1.0) ** sn.tanh(v) + sn.prod(w, axis=0) * sn.cumsum(v, axis=0)),
        lambda x, w, v: ((x**2 + 1.0) ** torch.tanh(v) + w.prod(0) * v.cumsum(0)).sum(),
    ),
}  # fmt: skip

# One operand at a kink, with ties.
KINKS = {
    "relu": (sn.relu, torch.relu),
    "absolute": (sn.abs, torch.abs),
    "max": (lambda a: sn.max(a, axis=-1), lambda a: torch.amax(a, dim=-1)),
    "min": (lambda a: sn.min(a, axis=0), lambda a: torch.amin(a, dim=0)),
    "maximum": (lambda a: sn.maximum(a, a[::-1]), lambda a: torch.maximum(a, a.flip(0))),
    "minimum": (lambda a: sn.minimum(a, 0.0), lambda a: torch.minimum(a, torch.zeros((), dtype=a.dtype))),
    "sign": (lambda a: sn.sign(a) * a, lambda a: torch.sign(a) * a),
    "round": (lambda a: sn.round(a) * a, lambda a: torch.round(a) * a),
}


def _leaves() -> list[sn.Expr]:
    return [sn.input("x", (5, 4), "float64"), sn.input("w", (4, 4), "float64"), sn.input("v", (4,), "float64")]


def _tensors(values: Values) -> list[torch.Tensor]:
    return [torch.tensor(values[name], requires_grad=True) for name in ("x", "w", "v")]


@pytest.mark.parametrize("simplify", [False, True], ids=["plain", "simplified"])
@pytest.mark.parametrize("name", PAIRS)
def test_first_and_second_order(name: str, simplify: bool, rng: np.random.Generator) -> None:
    ours, theirs = PAIRS[name]
    leaves = _leaves()
    values = {leaf.name: rng.normal(size=leaf.shape) for leaf in leaves}
    directions = [rng.normal(size=leaf.shape) for leaf in leaves]
    loss = ours(*leaves)
    gradients = sn.grad(loss, leaves, simplify=simplify)
    products = sn.hvp(loss, leaves, [sn.constant(d) for d in directions], simplify=simplify)
    found = evaluate([*gradients, *products], values)

    tensors = _tensors(values)
    first = torch.autograd.grad(theirs(*tensors), tensors, create_graph=True, materialize_grads=True)
    along = sum((g * torch.tensor(d)).sum() for g, d in zip(first, directions, strict=True))
    second = torch.autograd.grad(along, tensors, materialize_grads=True)
    for mine, theirs_ in zip(found, [*first, *second], strict=True):
        np.testing.assert_allclose(mine, theirs_.detach().numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("simplify", [False, True], ids=["plain", "simplified"])
@pytest.mark.parametrize("name", KINKS)
def test_the_subgradient_is_that_of_pytorch(name: str, simplify: bool) -> None:
    ours, theirs = KINKS[name]
    at = np.array([[0.0, -1.0, 2.0, 2.0], [0.5, 0.0, 0.0, 2.0], [0.0, -1.0, -3.0, 2.0]])
    weights = np.arange(1.0, 13.0).reshape(3, 4)
    a = sn.input("a", (3, 4), "float64")
    output = ours(a)
    cotangent = weights.ravel()[: int(np.prod(output.shape))].reshape(output.shape)
    (found,) = evaluate([sn.vjp(output, a, sn.constant(cotangent), simplify=simplify)], {"a": at})

    tensor = torch.tensor(at, requires_grad=True)
    theirs(tensor).backward(torch.tensor(cotangent))
    np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["layer", "attention", "powers"])
def test_whole_jacobian_and_hessian(name: str, rng: np.random.Generator) -> None:
    ours, theirs = PAIRS[name]
    leaves = _leaves()
    values = {leaf.name: rng.normal(size=leaf.shape) for leaf in leaves}
    blocks = sn.hessian(ours(*leaves), leaves)
    expected = torch.autograd.functional.hessian(theirs, tuple(t.detach() for t in _tensors(values)))
    for row, expected_row in zip(blocks, expected, strict=True):
        for block, expected_block in zip(evaluate(row, values), expected_row, strict=True):
            np.testing.assert_allclose(block, expected_block.numpy(), rtol=1e-8, atol=1e-10)
