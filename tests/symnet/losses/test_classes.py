"""The classes: torch.nn's arguments and defaults, what they give is what the functions give, errors, formulas."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, SymnetError, UsageError
from symnet.losses.common import Loss

L = sn.losses
CLASSES = {name: value for name, value in vars(L).items() if inspect.isclass(value) and issubclass(value, Loss)}
x, y = sn.input("x", ("N", 3), "float64"), sn.input("y", ("N", 3), "float64")
z, labels = sn.input("z", ("N", 3), "float64"), sn.input("labels", ("N",), "int64")
lists, sign = sn.input("lists", ("N", 3), "int64"), sn.input("sign", ("N",))
share, rows = sn.input("share", (3,), "float64"), sn.input("rows", ("N", 3), "float64")
scores = sn.input("scores", (5, "N", 4))
spans, counts = sn.input("spans", ("N",), "int64"), sn.input("counts", ("N",), "int64")


def _mean_distance(a: sn.Expr, b: sn.Expr) -> sn.Expr:
    distance: sn.Expr = sn.mean(sn.absolute(a - b), axis=-1)
    return distance


GIVEN: list[tuple[Loss, Callable[..., sn.Expr], tuple[sn.Expr, ...], dict[str, Any]]] = [
    (L.L1Loss("sum"), L.l1_loss, (x, y), {"reduction": "sum"}),
    (L.MSELoss("none"), L.mse_loss, (x, y), {"reduction": "none"}),
    (L.SmoothL1Loss("sum", 0.5), L.smooth_l1_loss, (x, y), {"reduction": "sum", "beta": 0.5}),
    (L.HuberLoss("sum", 0.5), L.huber_loss, (x, y), {"reduction": "sum", "delta": 0.5}),
    (L.NLLLoss(share, 2, "sum"), L.nll_loss, (x, labels), {"weight": share, "ignore_index": 2, "reduction": "sum"}),
    (L.CrossEntropyLoss(share, 2, "sum", 0.1), L.cross_entropy, (x, labels),
     {"weight": share, "ignore_index": 2, "reduction": "sum", "label_smoothing": 0.1}),
    (L.PoissonNLLLoss(False, True, 0.1, "sum"), L.poisson_nll_loss, (x, y),
     {"log_input": False, "full": True, "eps": 0.1, "reduction": "sum"}),
    (L.GaussianNLLLoss(full=True, eps=0.1, reduction="sum"), L.gaussian_nll_loss, (x, y, z),
     {"full": True, "eps": 0.1, "reduction": "sum"}),
    (L.KLDivLoss("batchmean", True), L.kl_div, (x, y), {"reduction": "batchmean", "log_target": True}),
    (L.BCELoss(share, "sum"), L.binary_cross_entropy, (x, y), {"weight": share, "reduction": "sum"}),
    (L.BCEWithLogitsLoss(rows, "sum", share), L.binary_cross_entropy_with_logits, (x, y),
     {"weight": rows, "reduction": "sum", "pos_weight": share}),
    (L.HingeEmbeddingLoss(0.5, "sum"), L.hinge_embedding_loss, (x, y), {"margin": 0.5, "reduction": "sum"}),
    (L.MarginRankingLoss(0.5, "sum"), L.margin_ranking_loss, (x, y, z), {"margin": 0.5, "reduction": "sum"}),
    (L.CosineEmbeddingLoss(0.5, "sum"), L.cosine_embedding_loss, (x, y, sign), {"margin": 0.5, "reduction": "sum"}),
    (L.TripletMarginLoss(0.5, 1.0, 0.1, True, "sum"), L.triplet_margin_loss, (x, y, z),
     {"margin": 0.5, "p": 1.0, "eps": 0.1, "swap": True, "reduction": "sum"}),
    (L.TripletMarginWithDistanceLoss(distance_function=_mean_distance, margin=0.5, swap=True, reduction="sum"),
     L.triplet_margin_with_distance_loss, (x, y, z),
     {"distance_function": _mean_distance, "margin": 0.5, "swap": True, "reduction": "sum"}),
    (L.MultiMarginLoss(2, 0.5, share, "sum"), L.multi_margin_loss, (x, labels),
     {"p": 2, "margin": 0.5, "weight": share, "reduction": "sum"}),
    (L.MultiLabelMarginLoss("sum"), L.multilabel_margin_loss, (x, lists), {"reduction": "sum"}),
    (L.MultiLabelSoftMarginLoss(share, "sum"), L.multilabel_soft_margin_loss, (x, y),
     {"weight": share, "reduction": "sum"}),
    (L.SoftMarginLoss("sum"), L.soft_margin_loss, (x, y), {"reduction": "sum"}),
    (L.CTCLoss(1, "sum", True), L.ctc_loss, (scores, lists, spans, counts),
     {"blank": 1, "reduction": "sum", "zero_infinity": True}),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "function", "operands", "settings"), GIVEN, ids=lambda v: type(v).__name__)
def test_a_class_is_its_function_with_settings(
    loss: Loss, function: Callable[..., sn.Expr], operands: tuple[sn.Expr, ...], settings: dict[str, Any]
) -> None:
    """Settings by position in torch.nn's order; operands by position or by the function's names."""
    assert {name: getattr(loss, name) for name in settings} == settings
    if not isinstance(loss, L.CTCLoss):  # the cell of a loop is built anew
        assert loss(*operands) is function(*operands, **settings)
        names = list(inspect.signature(function).parameters)[: len(operands)]
        assert loss(**dict(zip(names, operands, strict=True))) is loss(*operands)
    assert repr(loss).startswith(f"{type(loss).__name__}(")
    for name, value in settings.items():
        assert f"{name}=" in repr(loss)
        assert isinstance(value, sn.Expr) or f"{name}={value!r}" in repr(loss)


def test_every_class_is_compared() -> None:
    assert {type(loss) for loss, *_ in GIVEN} == set(CLASSES.values())


@pytest.mark.parametrize("name", CLASSES)
def test_arguments_and_defaults_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    gone = ("size_average", "reduce")
    theirs = inspect.signature(getattr(torch.nn, name)).parameters
    ours = inspect.signature(CLASSES[name]).parameters
    assert list(ours) == [key for key in theirs if key not in gone]
    for key, parameter in ours.items():
        assert parameter.default == theirs[key].default
        assert parameter.kind == theirs[key].kind


@pytest.mark.parametrize("name", [function.__name__ for _, function, *_ in GIVEN])
def test_arguments_of_functions_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = inspect.signature(getattr(torch.nn.functional, name)).parameters
    ours = inspect.signature(getattr(L, name)).parameters
    assert list(ours) == [key for key in theirs if key not in ("size_average", "reduce")]
    for key, parameter in ours.items():
        assert parameter.default == theirs[key].default


BAD: list[tuple[type[SymnetError], str, Callable[[], object]]] = [
    (UsageError, r"no reduction 'batchmeen'; did you mean 'batchmean'", lambda: L.KLDivLoss("batchmeen")),
    (UsageError, r"no reduction 'batchmean'", lambda: L.MSELoss("batchmean")),
    (ShapeError, r"l1_loss: expected a target of the input's shape \[N, 3\], got \[N\]", lambda: L.l1_loss(x, sign)),
    (DTypeError, r"l1_loss: expected input and target of type float32 or float64", lambda: L.l1_loss(labels, labels)),
    (ShapeError, r"huber_loss: expected a weight of the input's shape", lambda: L.huber_loss(x, y, weight=share)),
    (UsageError, r"huber_loss: delta is positive, got 0", lambda: L.huber_loss(x, y, delta=0)),
    (UsageError, r"smooth_l1_loss: beta is not negative", lambda: L.smooth_l1_loss(x, y, beta=-1.0)),
    (UsageError, r"gaussian_nll_loss: var has negative entries", lambda: L.gaussian_nll_loss(x, y, -1.0)),
    (ShapeError, r"gaussian_nll_loss: expected var .*got \[3\]", lambda: L.gaussian_nll_loss(x, y, share)),
    (ShapeError, r"weight of shape \[2\] does not broadcast", lambda: L.binary_cross_entropy(x, y, weight=[1.0, 2.0])),
    (DTypeError, r"nll_loss: expected class indices", lambda: L.nll_loss(x, y)),
    (ShapeError, r"nll_loss: expected class indices of shape \[N\]", lambda: L.nll_loss(x, lists)),
    (UsageError, r"multi_margin_loss: p is 1 or 2, got 3", lambda: L.multi_margin_loss(x, labels, p=3)),
    (ShapeError, r"multi_margin_loss: expected a weight for each", lambda: L.multi_margin_loss(x, labels, weight=z)),
    (ShapeError, r"multilabel_margin_loss: .*shape \[N, 3\]", lambda: L.multilabel_margin_loss(x, labels)),
    (ShapeError, r"margin_ranking_loss: .*number of axes", lambda: L.margin_ranking_loss(x, y, sign)),
    (ShapeError, r"cosine_embedding_loss: expected inputs \[N, D\]", lambda: L.cosine_embedding_loss(x, y, x)),
    (UsageError, r"triplet_margin_loss: margin is positive, got 0", lambda: L.triplet_margin_loss(x, y, z, margin=0)),
    (ShapeError, r"triplet_margin_loss: .*number of axes", lambda: L.triplet_margin_loss(x, y, share)),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "act"), BAD, ids=[message for _, message, _ in BAD])
def test_what_does_not_fit_is_named(error: type[SymnetError], message: str, act: Callable[[], object]) -> None:
    with pytest.raises(error, match=message):
        act()


def test_a_class_index_out_of_range_is_an_error_when_it_runs() -> None:
    values = {"x": np.zeros((2, 3)), "labels": np.array([0, 3])}
    for loss in (L.multi_margin_loss(x, labels), L.nll_loss(x, labels)):
        with pytest.raises(IndexOutOfRange, match="3"):
            sn.evaluate(loss, values)


GRADIENTS = {
    "l1_loss": "sign(x − y) / (3 N)",
    "mse_loss": "(2 / (3 N)) (x − y)",
    "huber_loss": "clip(x − y, −1, 1) / (3 N)",
    "poisson_nll_loss": "(exp(x) − y) / (3 N)",
    "binary_cross_entropy_with_logits": "(σ(x) − y) / (3 N)",
    "multilabel_soft_margin_loss": "(σ(x) − y) / (3 N)",
    "soft_margin_loss": "−σ(−y ⊙ x) ⊙ y / (3 N)",
    "kl_div": "−y / (3 N)",
    "cross_entropy": "(softmax(x) − onehot(labels)) / N",
    "nll_loss": "−onehot₃(labels) / N",
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_read_as_in_a_book(name: str) -> None:
    target = labels if name in ("cross_entropy", "nll_loss") else y
    assert str(sn.grad(getattr(L, name)(x, target), x)) == GRADIENTS[name]


def test_formulas_read_as_in_a_book() -> None:
    assert str(L.mse_loss(x, y)) == "mean((x − y)∘²)"
    assert str(L.binary_cross_entropy(x, y)) == "mean(−y ⊙ log(x) − (1 − y) ⊙ log(1 − x))"
    assert str(L.binary_cross_entropy_with_logits(x, y)) == "mean(softplus(x) − y ⊙ x)"
    assert str(L.kl_div(x, y, "batchmean")) == "(Σ (y ⊙ log(y) − y ⊙ x)) / N"
    assert str(L.hinge_embedding_loss(x, y)) == "mean(x ⊙ 1[y ≠ −1] + max(0, 1 − x) ⊙ 1[y ≠ 1])"
    assert str(L.triplet_margin_loss(x, y, z)) == "mean(max(0, 1 + ‖x − y + 1e−6‖ⱼ − ‖x − z + 1e−6‖ⱼ))"
    assert str(sn.grad(L.binary_cross_entropy(sn.sigmoid(x), y), x)) == "(σ(x) − y) / (3 N)"


def test_the_adaptive_softmax_is_a_softmax(rng: np.random.Generator) -> None:
    """Probabilities sum to 1, the loss is that of log_prob, names are as in torch; reference values hold the rest."""
    layer = L.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 5], div_value=2.0)
    names = ["head.weight", "tail.0.0.weight", "tail.0.1.weight", "tail.1.0.weight", "tail.1.1.weight"]
    assert [name for name, _ in layer.named_parameters()] == names
    rows, target = sn.input("rows", ("N", 8)), sn.input("target", ("N",), "int64")
    values: dict[Any, Any] = {"rows": rng.normal(size=(4, 8)).astype(np.float32), "target": np.array([0, 9, 3, 4])}
    values |= {node: rng.normal(size=[int(d) for d in node.shape]).astype(np.float32) for node in layer.parameters()}
    log_p, (output, loss) = layer.log_prob(rows), layer(rows, target)
    log_p, output, loss = sn.evaluate([log_p, output, loss], values)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(output, log_p[np.arange(4), values["target"]])
    np.testing.assert_allclose(loss, -output.mean(), rtol=1e-6)
    with pytest.raises(UsageError, match=r"from 1 to n_classes - 1 = 9, got \[5, 2\]"):
        L.AdaptiveLogSoftmaxWithLoss(8, 10, [5, 2])
