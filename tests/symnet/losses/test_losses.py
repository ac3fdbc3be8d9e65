"""Losses against PyTorch's: values and gradients in float64, for all settings."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, UsageError
from symnet.expr.traverse import postorder
from symnet.ops.usually import in_short

REDUCTIONS = ["none", "mean", "sum"]


def _agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def _compare(loss: sn.Expr, values: dict[str, Any], theirs: Any, wrt: dict[str, Any]) -> None:
    """Value and gradient of the (weighted sum of the) loss; `wrt` maps our inputs' names to tensors."""
    _agree(sn.evaluate(loss, values), theirs.detach().numpy())
    factors = np.random.default_rng(0).normal(size=tuple(theirs.shape))
    theirs.mul(theirs.new_tensor(factors)).sum().backward()
    inputs = {node.name: node for node in postorder([loss]) if node.op == "input"}
    total = sn.sum(loss * sn.input("factors", loss.shape, dtype="float64"))
    values = {**values, "factors": factors}
    for name, tensor in wrt.items():
        _agree(sn.evaluate(sn.grad(total, inputs[name]), values), tensor.grad.numpy())


@pytest.mark.parametrize("shape", [("N", 5), (5,), ("N", 5, 3), ("N", 5, 2, 3)])
@pytest.mark.parametrize("probabilities", [False, True])
def test_cross_entropy_is_pytorchs(shape: tuple[int | str, ...], probabilities: bool, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    axis = 0 if len(shape) == 1 else 1
    sizes = [7 if d == "N" else d for d in shape]
    logits, class_weight = rng.normal(0, 3, sizes), rng.uniform(0.5, 2, 5)
    if probabilities:
        target, target_shape = rng.dirichlet(np.ones(5), [s for a, s in enumerate(sizes) if a != axis]), shape
        target = np.ascontiguousarray(np.moveaxis(np.asarray(target), -1, axis))
    else:
        target_shape = shape[:axis] + shape[axis + 1 :]
        target = rng.integers(0, 5, [s for a, s in enumerate(sizes) if a != axis])
    x = sn.input("x", shape, dtype="float64")
    y = sn.input("y", target_shape, dtype="float64" if probabilities else "int64")
    ignoring = [None] if probabilities else [None, 2, -100]
    for reduction, weight, smoothing, ignore in itertools.product(
        REDUCTIONS, [None, class_weight], [0.0, 0.1], ignoring
    ):
        given = np.array(target)
        if ignore is not None and given.ndim:
            given.flat[::3] = ignore
        tensor = torch.tensor(logits, requires_grad=True)
        theirs = torch.nn.CrossEntropyLoss(
            weight=None if weight is None else torch.from_numpy(weight),
            reduction=reduction,
            label_smoothing=smoothing,
            **({} if ignore is None else {"ignore_index": ignore}),
        )(tensor, torch.from_numpy(given))
        loss = sn.losses.CrossEntropyLoss(weight, ignore, reduction, smoothing)(x, y)
        _compare(loss, {"x": logits, "y": given}, theirs, {"x": tensor})


def test_everything_ignored_is_nan_for_the_mean_and_0_for_the_sum() -> None:
    x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",), dtype="int64")
    values = {"x": np.ones((2, 3), np.float32), "y": np.full(2, -100)}
    assert np.isnan(sn.evaluate(sn.losses.cross_entropy(x, y, ignore_index=-100), values))
    assert sn.evaluate(sn.losses.cross_entropy(x, y, ignore_index=-100, reduction="sum"), values) == 0


def test_a_class_outside_the_range_is_an_error_unless_it_is_the_ignored_one() -> None:
    x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",), dtype="int64")
    for wrong in (3, -1, -99):
        values = {"x": np.ones((2, 3), np.float32), "y": np.array([0, wrong])}
        with pytest.raises(IndexOutOfRange, match=str(wrong)):
            sn.evaluate(sn.losses.cross_entropy(x, y), values)
        loss = sn.losses.cross_entropy(x, y, ignore_index=wrong)
        assert sn.evaluate(loss, values) == pytest.approx(np.log(3))
    values = {"x": np.ones((2, 3), np.float32), "y": np.array([0, -100])}
    assert sn.evaluate(sn.losses.cross_entropy(x, y), values) == pytest.approx(np.log(3))
    with pytest.raises(IndexOutOfRange, match="-100"):
        sn.evaluate(sn.losses.cross_entropy(x, y, ignore_index=None), values)


def test_the_documented_number() -> None:
    loss = sn.losses.cross_entropy(sn.constant([[0.2, 0.8]], dtype="float64"), np.array([1]))
    assert sn.evaluate(loss, {}) == pytest.approx(0.437488, abs=5e-7)


def test_cross_entropy_is_finite_for_any_logits() -> None:
    logits = np.array([[2900.0, -2900.0], [-200.0, 0.0], [0.0, 88.0], [-1e30, 1e30]], np.float32)
    x, y = sn.input("x", ("N", 2)), sn.input("y", ("N",), dtype="int64")
    loss = sn.losses.cross_entropy(x, y)
    values = {"x": logits, "y": np.array([1, 0, 0, 0])}
    assert np.isfinite(sn.evaluate(loss, values))
    np.testing.assert_allclose(
        4 * sn.evaluate(sn.grad(loss, x), values), [[1, -1], [-1, 1], [-1, 1], [-1, 1]], atol=1e-6
    )


def test_the_plain_loss_has_the_textbook_gradient() -> None:
    """∂L/∂z = (softmax(z) - onehot(y)) / N: nothing is written for weights or ignored targets that are not there."""
    z, y = sn.input("z", ("N", 10)), sn.input("y", ("N",), dtype="int64")
    (gradient,) = in_short([sn.grad(sn.losses.cross_entropy(z, y), z)])
    assert {node.op for node in postorder([gradient])} <= {
        "input", "softmax", "one_hot", "subtract", "divide", "dim", "multiply", "reciprocal", "constant",
    }  # fmt: skip
    assert [node.op for node in postorder([gradient])].count("softmax") == 1


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_mse_loss_is_pytorchs(reduction: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    a, b = rng.normal(size=(2, 7, 3))
    x, y = sn.input("x", ("N", 3), dtype="float64"), sn.input("y", ("N", 3), dtype="float64")
    left, right = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    theirs = torch.nn.MSELoss(reduction=reduction)(left, right)
    _compare(sn.losses.MSELoss(reduction)(x, y), {"x": a, "y": b}, theirs, {"x": left, "y": right})


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("with_weight", [False, True])
@pytest.mark.parametrize("with_pos_weight", [False, True])
def test_bce_with_logits_is_pytorchs(
    reduction: str, with_weight: bool, with_pos_weight: bool, rng: np.random.Generator
) -> None:
    torch = pytest.importorskip("torch")
    logits = np.concatenate([rng.normal(0, 3, (7, 3)), [[-800.0, 0.0, 800.0]]])
    target = np.concatenate([rng.random((7, 3)), [[1.0, 0.5, 0.0]]])
    weight, pos_weight = rng.uniform(0.5, 2, (8, 1)), rng.uniform(0.5, 2, 3)
    tensor = torch.tensor(logits, requires_grad=True)
    theirs = torch.nn.BCEWithLogitsLoss(
        weight=torch.from_numpy(weight) if with_weight else None,
        pos_weight=torch.from_numpy(pos_weight) if with_pos_weight else None,
        reduction=reduction,
    )(tensor, torch.from_numpy(target))
    x, y = sn.input("x", (8, 3), dtype="float64"), sn.input("y", (8, 3), dtype="float64")
    loss = sn.losses.BCEWithLogitsLoss(
        weight=weight if with_weight else None,
        pos_weight=pos_weight if with_pos_weight else None,
        reduction=reduction,
    )(x, y)
    _compare(loss, {"x": logits, "y": target}, theirs, {"x": tensor})


def test_settings_take_the_type_of_the_logits() -> None:
    x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",), dtype="int32")
    t = sn.input("t", ("N", 3))
    for loss in (
        sn.losses.cross_entropy(x, y, weight=np.ones(3)),
        sn.losses.cross_entropy(x, y, weight=[1, 2, 3], label_smoothing=0.1, ignore_index=1),
        sn.losses.cross_entropy(x, t, weight=np.ones(3), label_smoothing=0.1),
        sn.losses.binary_cross_entropy_with_logits(x, t, weight=np.ones(3), pos_weight=np.ones(3)),
    ):
        assert loss.dtype == "float32"
        assert all(node.dtype != "float64" for node in postorder([sn.simplify(loss)]))


def test_operands_that_do_not_fit_are_named() -> None:
    x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",), dtype="int64")
    with pytest.raises(ShapeError, match=r"class indices of shape \[N\] for an input \[N, 3\], got \[N, 3\]"):
        sn.losses.cross_entropy(x, sn.input("y", ("N", 3), dtype="int64"))
    with pytest.raises(ShapeError, match=r"probabilities of the logits' shape \[N, 3\], got \[N\]"):
        sn.losses.cross_entropy(x, sn.input("y", ("N",)))
    with pytest.raises(ShapeError, match=r"a weight for each class, \[3\], got \[4\]"):
        sn.losses.cross_entropy(x, y, weight=np.ones(4, np.float32))
    with pytest.raises(ShapeError, match="scalar"):
        sn.losses.cross_entropy(sn.input("x", ()), y)
    with pytest.raises(DTypeError, match=r"logits of type float32 or float64, got int64"):
        sn.losses.cross_entropy(y, y)
    with pytest.raises(UsageError, match="did you mean 'mean'"):
        sn.losses.CrossEntropyLoss(reduction="means")
    with pytest.raises(UsageError, match=r"between 0 and 1, got 1\.5"):
        sn.losses.cross_entropy(x, y, label_smoothing=1.5)
    with pytest.raises(UsageError, match="probabilities"):
        sn.losses.cross_entropy(x, x, ignore_index=1)
    with pytest.raises(ShapeError, match=r"mse_loss: expected a target of the input's shape \[N, 1\], got \[N\]"):
        sn.losses.mse_loss(sn.input("x", ("N", 1)), sn.input("t", ("N",)))
    with pytest.raises(ShapeError, match=r"pos_weight of shape \[4\] does not broadcast"):
        sn.losses.binary_cross_entropy_with_logits(x, x, pos_weight=np.ones(4))


@pytest.mark.parametrize("wrong", [1.5, True, "0"])
def test_ignore_index_is_an_integer(wrong: object) -> None:
    z, y = sn.input("z", ("N", 4)), sn.input("y", ("N",), dtype="int64")
    for loss in (sn.losses.CrossEntropyLoss(ignore_index=wrong), sn.losses.NLLLoss(ignore_index=wrong)):
        with pytest.raises(sn.DTypeError, match="ignore_index"):
            loss(z, y)
