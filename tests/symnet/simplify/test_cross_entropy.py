"""The softmax cross-entropy, however it is spelled, becomes the stable program with the gradient of the textbook."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from symnet.expr.node import Expr
from symnet.expr.trace import Trace
from symnet.expr.traverse import postorder
from symnet.ops.leaves import input
from symnet.ops.loss_terms import bernoulli_logit_slope

CLASSES = 7
Loss = Callable[[Expr, Expr, Expr], Expr]


def shares(z: Expr) -> Expr:
    return sn.exp(z) / sn.sum(sn.exp(z), axis=1, keepdims=True)


def largest(z: Expr) -> Expr:
    return sn.max(z, axis=1, keepdims=True)


def shifted_shares(z: Expr, shift: Expr) -> Expr:
    return sn.exp(z - shift) / sn.sum(sn.exp(z - shift), axis=1, keepdims=True)


def one_hot(y: Expr) -> Expr:
    return sn.one_hot(y, CLASSES)


def rows(z: Expr) -> Expr:
    return sn.arange(z.shape[0])


def size(z: Expr) -> Expr:
    return sn.dim(z.shape[0], "float32")


SPELLINGS: dict[str, Callable[[Expr, Expr], Expr]] = {
    "indexed": lambda z, y: -sn.mean(sn.log(shares(z))[rows(z), y]),
    "indexed, then log": lambda z, y: -sn.mean(sn.log(shares(z)[rows(z), y])),
    "take_along_axis": lambda z, y: -sn.mean(sn.log(sn.take_along_axis(shares(z), y[:, None], axis=-1))),
    "softmax()": lambda z, y: sn.mean(-sn.log(sn.take_along_axis(sn.softmax(z), y[:, None], axis=-1))),
    "log_softmax()": lambda z, y: -sn.mean(sn.log_softmax(z)[rows(z), y]),
    "one_hot * log": lambda z, y: -sn.mean(sn.sum(one_hot(y) * sn.log(shares(z)), axis=1)),
    "one_hot * log, sum over all": lambda z, y: -sn.sum(one_hot(y) * sn.log(shares(z))) / size(z),
    "log of selected": lambda z, y: -sn.mean(sn.log(sn.sum(one_hot(y) * shares(z), axis=1))),
    "log of sum of exp": lambda z, y: sn.mean(sn.log(sn.sum(sn.exp(z), axis=1)) - z[rows(z), y]),
    "logsumexp()": lambda z, y: sn.mean(sn.logsumexp(z, axis=1) - z[rows(z), y]),
    "logits minus log of sum": lambda z, y: (
        -sn.mean((z - sn.log(sn.sum(sn.exp(z), axis=1, keepdims=True)))[rows(z), y])
    ),
    "shifted by the maximum": lambda z, y: -sn.mean(sn.log(shifted_shares(z, largest(z)))[rows(z), y]),
    "shifted, no gradient": lambda z, y: -sn.mean(sn.log(shifted_shares(z, sn.stop_gradient(largest(z))))[rows(z), y]),
    "log-sum-exp trick": lambda z, y: sn.mean(
        sn.log(sn.sum(sn.exp(z - largest(z)), axis=1)) + sn.squeeze(largest(z), 1) - z[rows(z), y]
    ),
    "log softmax trick": lambda z, y: (
        -sn.mean((z - largest(z) - sn.log(sn.sum(sn.exp(z - largest(z)), axis=1, keepdims=True)))[rows(z), y])
    ),
    "sum over N": lambda z, y: -sn.sum(sn.log(shares(z))[rows(z), y]) / size(z),
    "sum times 1/N": lambda z, y: -(1.0 / size(z)) * sn.sum(sn.log(shares(z))[rows(z), y]),
    "sum without keepdims": lambda z, y: -sn.mean(sn.log(sn.exp(z) / sn.sum(sn.exp(z), axis=1)[:, None])[rows(z), y]),
    "ratio of picked": lambda z, y: -sn.mean(sn.log(sn.exp(z)[rows(z), y] / sn.sum(sn.exp(z), axis=1))),
    "exp of picked": lambda z, y: -sn.mean(sn.log(sn.exp(z[rows(z), y]) / sn.sum(sn.exp(z), axis=1))),
    "rows of an identity": lambda z, y: -sn.sum(sn.eye(CLASSES)[y] * sn.log(shares(z))) / size(z),
    "where": lambda z, y: (
        -sn.mean(sn.sum(sn.where(sn.equal(y[:, None], sn.arange(CLASSES)), sn.log(shares(z)), 0.0), axis=1))
    ),
    "double where": lambda z, y: (
        -sn.mean(
            sn.sum(
                sn.where(
                    sn.equal(y[:, None], sn.arange(CLASSES)),
                    sn.log(sn.where(sn.equal(y[:, None], sn.arange(CLASSES)), shares(z), 1.0)),
                    0.0,
                ),
                axis=1,
            )
        )
    ),
}


@pytest.mark.parametrize("batch", [5, "N"], ids=str)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_gradient_is_that_of_the_textbook(spelling: str, batch: int | str) -> None:
    z, y = input("z", (batch, CLASSES)), input("y", (batch,), "int64")
    gradient = sn.grad(SPELLINGS[spelling](z, y), z)
    expected = (sn.softmax(z) - sn.one_hot(y, CLASSES)) / (float(batch) if isinstance(batch, int) else size(z))
    assert gradient is expected, [node.op for node in postorder([gradient])]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_program_is_stable(spelling: str, rng: np.random.Generator) -> None:
    """Neither exp nor log of what may overflow is left; the value is right where every hand-written form fails."""
    z, y = input("z", ("N", CLASSES)), input("y", ("N",), "int64")
    loss = sn.simplify(SPELLINGS[spelling](z, y))
    assert {"exp", "log"}.isdisjoint(node.op for node in postorder([loss]))
    logits = (rng.normal(size=(5, CLASSES)) * 1000).astype("float32")
    labels = rng.integers(0, CLASSES, 5)
    exact = np.asarray(logits, np.float64)
    expected = np.mean(np.logaddexp.reduce(exact, axis=1) - exact[np.arange(5), labels])
    np.testing.assert_allclose(sn.evaluate(loss, {"z": logits, "y": labels}), expected, rtol=1e-6, atol=1e-12)
    gradient = sn.evaluate(sn.grad(SPELLINGS[spelling](z, y), z), {"z": logits, "y": labels})
    assert np.isfinite(gradient).all()


def test_the_trace_tells_both_halves() -> None:
    """The simplification of the loss and that of its derivative, in one derivation."""
    z, y = input("z", ("N", CLASSES)), input("y", ("N",), "int64")
    trace = Trace()
    sn.grad(SPELLINGS["indexed"](z, y), z, trace=trace)
    rules = [step.rule for step in trace.steps]
    assert rules.index("softmax") < rules.index("log-softmax") < rules.index("chain rule")
    assert rules.index("chain rule") < rules.index("scatter-one-a-row")


def test_masked_logits_stay_finite() -> None:
    """Classes ruled out by -inf have probability 0 and gradient 0, not nan."""
    z, y, mask = input("z", (3, 4), "float64"), input("y", (3,), "int64"), input("mask", (3, 4), "bool")
    allowed = np.array([[True, True, False, True], [False, True, True, False], [True, False, False, False]])
    values = {"z": np.arange(12.0).reshape(3, 4), "y": np.array([1, 2, 0]), "mask": allowed}
    for p in (sn.softmax(sn.where(mask, z, -np.inf)), shares(sn.where(mask, z, -np.inf)), masked_shares(z, mask)):
        loss = -sn.mean(sn.log(p)[np.arange(3), y])
        value, gradient = sn.evaluate(list(sn.value_and_grad(loss, z)), values)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        assert (gradient[~allowed] == 0).all()


def masked_shares(z: Expr, mask: Expr) -> Expr:
    powers = sn.where(mask, sn.exp(z), 0.0)
    return powers / sn.sum(powers, axis=1, keepdims=True)


LOGIT_LOSSES: dict[str, Callable[[Expr, Expr], Expr]] = {
    "by hand": lambda z, t: -sn.mean(t * sn.log(1 / (1 + sn.exp(-z))) + (1 - t) * sn.log(1 - 1 / (1 + sn.exp(-z)))),
    "sigmoid()": lambda z, t: -sn.mean(t * sn.log(sn.sigmoid(z)) + (1 - t) * sn.log(1 - sn.sigmoid(z))),
    "two terms": lambda z, t: sn.mean(-t * sn.log(sn.sigmoid(z)) - (1 - t) * sn.log(1 - sn.sigmoid(z))),
    "softplus by hand": lambda z, t: sn.mean(sn.log(1 + sn.exp(z)) - t * z),
}


@pytest.mark.parametrize("spelling", LOGIT_LOSSES)
def test_binary_cross_entropy_of_logits(spelling: str) -> None:
    z, t = input("z", (5,)), input("t", (5,))
    loss = LOGIT_LOSSES[spelling](z, t)
    assert sn.grad(loss, z) is bernoulli_logit_slope(z, t) / 5.0
    assert str(sn.grad(loss, z)) == "(σ(z) − t) / 5"
    values = {"z": np.array([-200, -1, 0, 3, 200], "float32"), "t": np.array([0, 1, 0.5, 1, 1], "float32")}
    assert np.isfinite(sn.evaluate(sn.simplify(loss), values))


def test_branches_that_are_not_taken_send_no_nan() -> None:
    """d/dx of where(x > 0, log x, 0) at 0 is 0, though log has no derivative there."""
    x = input("x", (3,), "float64")
    for loss in (
        sn.sum(sn.where(x > 0, sn.log(x), 0.0)),
        sn.sum(sn.where(x > 0, sn.sqrt(x) * sn.log(x), 0.0)),
        sn.sum(sn.where(x > 0, x / sn.sqrt(x), 0.0)),
    ):
        gradient = sn.evaluate(sn.grad(loss, x), {"x": np.array([-1.0, 0.0, 2.0])})
        assert np.isfinite(gradient).all(), gradient
        assert (gradient[:2] == 0).all()
