"""What the chain rule visits, records and refuses."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.derive.reverse import ChainStep, pullback
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr.trace import Trace
from symnet.expr.traverse import postorder


def _leaves() -> tuple[sn.Expr, sn.Expr]:
    return sn.input("x", (3,), "float64"), sn.input("y", (3,), "float64")


def test_a_loss_that_does_not_depend_has_zeros() -> None:
    x, y = _leaves()
    gradient = sn.grad(sn.sum(x * x), y)
    assert gradient.shape == (3,)
    assert gradient.dtype == "float64"
    np.testing.assert_array_equal(sn.evaluate(gradient, {}), np.zeros(3))


def test_nothing_flows_through_stop_gradient_and_whole_numbers() -> None:
    x, _ = _leaves()
    loss = sn.sum(sn.stop_gradient(x) * x) + sn.sum(sn.cast(sn.argmax(x), "float64"))
    np.testing.assert_array_equal(sn.evaluate(sn.grad(loss, x), {"x": np.array([1.0, 2.0, 3.0])}), [1.0, 2.0, 3.0])


def test_inner_values_are_variables_and_functions_at_once() -> None:
    x, _ = _leaves()
    h = sn.sin(x)
    by_h, by_x = sn.grad(sn.sum(h * h), [h, x], simplify=False)
    at = np.array([0.3, -1.0, 2.0])
    np.testing.assert_allclose(sn.evaluate(by_h, {"x": at}), 2 * np.sin(at))
    np.testing.assert_allclose(sn.evaluate(by_x, {"x": at}), 2 * np.sin(at) * np.cos(at))


def test_gradient_is_the_same_graph_every_time() -> None:
    x, y = _leaves()
    loss = sn.sum(sn.tanh(x * y) + x * sn.exp(y))
    first = sn.grad(loss, [x, y], simplify=False)
    assert all(a is b for a, b in zip(first, sn.grad(loss, [x, y], simplify=False), strict=True))


def test_only_what_lies_on_a_path_is_visited() -> None:
    x, y = _leaves()
    trace = Trace()
    sn.grad(sn.sum(sn.sin(x) * sn.exp(y)), x, simplify=False, trace=trace)
    assert {step.before.op for step in trace.steps} == {"sum", "multiply", "sin"}
    assert [step.rule for step in trace.steps] == ["chain rule"] * 3
    assert all(isinstance(step, ChainStep) and step.reason for step in trace.steps)


def test_a_choice_at_a_kink_is_a_step_of_its_own_kind() -> None:
    x, _ = _leaves()
    trace = Trace()
    sn.grad(sn.sum(sn.relu(x)), x, simplify=False, trace=trace)
    kinds = {step.before.op: step.kind for step in trace.steps}
    assert kinds == {"sum": "chain", "relu": "subgradient"}


def test_composites_without_a_pullback_go_through_their_definition() -> None:
    a = sn.input("a", (4,), "float64")
    node = sn.logsumexp(a)
    (through,) = pullback([node], [sn.constant(1.0, "float64")], [a])
    at = np.array([0.0, 1.0, -2.0, 0.5])
    np.testing.assert_allclose(sn.evaluate(through, {"a": at}), np.exp(at) / np.exp(at).sum())


def test_thousands_of_nodes_deep_without_recursion() -> None:
    x = sn.input("x", (2,), "float64")
    node = x
    for _ in range(5000):
        node = sn.sin(node)
    assert len(postorder([sn.grad(sn.sum(node), x, simplify=False)])) > 10_000


def test_value_and_grad_gives_both() -> None:
    x, y = _leaves()
    value, (by_x, by_y) = sn.value_and_grad(sn.sum(x * y), [x, y])
    at = {"x": np.array([1.0, 2.0, 3.0]), "y": np.array([4.0, 5.0, 6.0])}
    found = sn.evaluate([value, by_x, by_y], at)
    assert found[0] == 32
    np.testing.assert_array_equal(found[1], at["y"])
    np.testing.assert_array_equal(found[2], at["x"])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x, k: sn.grad(x, x), ShapeError, r"the loss has shape \[3\], expected a scalar"),
        (lambda x, k: sn.grad(sn.sum(k), x), DTypeError, "the loss is int64"),
        (lambda x, k: sn.grad(sn.sum(x), k), DTypeError, r"wrt \(input 'k'\) is int64"),
        (lambda x, k: sn.grad(sn.sum(x), [x, k]), DTypeError, r"wrt\[1\]"),
        (lambda x, k: sn.grad(sn.sum(x), b"x"), DTypeError, "wrt is bytes"),
        (lambda x, k: sn.grad(sn.sum(x), [x, 3.0]), DTypeError, r"wrt\[1\] is float"),
        (lambda x, k: sn.grad(2.0, x), DTypeError, "the loss is float"),
        (lambda x, k: sn.vjp(x, x, [x, x]), UsageError, "2 cotangents for 1 outputs"),
        (lambda x, k: sn.jvp(x, x, sn.sum(x)), ShapeError, "tangent 0 is"),
        (lambda x, k: sn.hvp(sn.sum(x), x, sn.cast(x, "float32")), DTypeError, "vector 0 is float32"),
    ],
)
def test_mistakes_are_told(make, error, message) -> None:
    x, k = sn.input("x", (3,), "float64"), sn.input("k", (3,), "int64")
    with pytest.raises(error, match=message):
        make(x, k)


def test_inner_values_stay_variables_for_the_next_order() -> None:
    x, _ = _leaves()
    h = sn.sin(x) * 1.0 + 0.0
    first = sn.grad(sn.sum(h**3), h)
    second = sn.grad(sn.sum(first), h)
    at = np.array([0.3, -1.0, 2.0])
    np.testing.assert_allclose(sn.evaluate(second, {"x": at}), 6 * np.sin(at))


def test_by_itself_and_twice() -> None:
    x, _ = _leaves()
    loss = sn.sum(x * x)
    itself, first, second = sn.grad(loss, [loss, x, x])
    assert first is second
    assert sn.evaluate(itself, {}) == 1


def test_by_a_hyperparameter() -> None:
    """A training step can be differentiated with respect to its learning rate."""
    lr = sn.hyper("lr")
    w, x = sn.input("w", (3,)), sn.input("x", (3,))
    new = w - sn.cast(lr, "float32") * sn.grad(sn.sum((w * x) ** 2), w)
    slope = sn.grad(sn.sum(new * x), lr)
    assert slope.dtype == "float64"
    at = {"w": np.array([1.0, 2.0, 3.0], "float32"), "x": np.array([2.0, 1.0, -1.0], "float32")}
    np.testing.assert_allclose(sn.evaluate(slope, at), -np.sum(2 * at["w"] * at["x"] ** 3))
