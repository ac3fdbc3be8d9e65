"""The two meanings of a graph, and the updates that a training step stores."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.expr.op import REGISTRY
from symnet.expr.traverse import postorder
from symnet.ops.meaning import collect_updates


def random_ops(*exprs: sn.Expr) -> set[str]:
    return {node.op for node in postorder(exprs)} & {"dropout", "alpha_dropout", "random_bits", "batch_norm"}


def test_inference_takes_what_a_user_has() -> None:
    x = sn.input("x", ("N", 3))
    y = sn.nn.functional.dropout(x, 0.5)
    assert sn.inference(y) is x
    assert sn.inference([y, x]) == [x, x]
    assert sn.inference({"y": y, "x": x}) == {"y": x, "x": x}
    assert sn.inference(sn.sum(sn.exp(y))) is sn.sum(sn.exp(x))
    with pytest.raises(sn.DTypeError, match="inference: got float"):
        sn.inference(1.0)  # type: ignore[call-overload]
    with pytest.raises(sn.DTypeError, match="inference: got str"):
        sn.inference(["x"])  # type: ignore[list-item]


REFUSES = {"each_member"}
"""Stands where an update would have no one value: it is there to say so."""


@pytest.mark.parametrize("name", sorted({n for n, op in REGISTRY.items() if op.inference or op.updates} - REFUSES))
def test_both_meanings_fit(name: str, rng: np.random.Generator) -> None:
    """What stands in a node's place has its shape and type; what is stored has those of the state."""
    declaration = REGISTRY[name]
    assert declaration.samples is not None
    for node in declaration.samples(rng):
        evaluated = sn.inference(node)
        assert (evaluated.shape, evaluated.dtype) == (node.shape, node.dtype)
        assert sn.inference(evaluated) is evaluated
        for state, value in declaration.updates(node) if declaration.updates else ():
            assert state.op == "state"
            assert any(state is operand for operand in node.args)
            assert (value.shape, value.dtype) == (state.shape, state.dtype)


def test_inference_inside_loops() -> None:
    norm = sn.nn.BatchNorm1d(3)
    xs, start = sn.input("xs", (4, "N", 3)), sn.input("h", ("N", 3))
    ys, last = sn.scan(lambda h, x: norm(h + x), start, xs)
    assert random_ops(*ys.args[0].attrs["body"].results) == {"batch_norm"}
    ys = sn.inference(ys)
    assert not random_ops(*ys.args[0].attrs["body"].results)
    with pytest.raises(sn.Unsupported, match="batch_norm inside the cell of a scan"):
        collect_updates([last])


def test_a_layer_used_twice_updates_twice(rng: np.random.Generator) -> None:
    norm = sn.nn.BatchNorm1d(2, momentum=0.25, dtype="float64")
    a, b = sn.input("a", (5, 2), "float64"), sn.input("b", (5, 2), "float64")
    updates = dict(collect_updates([norm(a), norm(b)]))
    assert set(updates) == set(norm.buffers())
    values = {"a": rng.normal(size=(5, 2)), "b": rng.normal(size=(5, 2)), "running_mean": [1.0, 2.0]}
    mean = sn.evaluate(updates[norm.running_mean], values)
    once = 0.75 * np.array([1.0, 2.0]) + 0.25 * values["a"].mean(0)
    np.testing.assert_allclose(mean, 0.75 * once + 0.25 * values["b"].mean(0), rtol=1e-14)
    assert sn.evaluate(updates[norm.num_batches_tracked], {"num_batches_tracked": 3}) == 5


def test_an_update_sees_new_state_and_old_operands() -> None:
    """Where a layer's input itself holds its buffer, that one is the value before the step."""
    norm = sn.nn.BatchNorm1d(2, momentum=0.5, dtype="float64")
    a = sn.input("a", (4, 2), "float64")
    first = norm(a)
    updates = dict(collect_updates([first, norm(first + norm.running_mean)]))
    values = {"a": np.arange(8.0).reshape(4, 2), "weight": np.ones(2), "bias": np.zeros(2)}
    values |= {"running_mean": [4.0, 8.0], "running_var": np.ones(2), "num_batches_tracked": 0}
    first_value = sn.evaluate(first, values)
    once = 0.5 * np.array([4.0, 8.0]) + 0.5 * values["a"].mean(0)
    twice = 0.5 * once + 0.5 * (first_value + np.array([4.0, 8.0])).mean(0)
    np.testing.assert_allclose(sn.evaluate(updates[norm.running_mean], values), twice, rtol=1e-14)


def test_the_step_is_counted_once_however_much_is_drawn() -> None:
    x = sn.input("x", ("N", 3))
    y = sn.nn.functional.dropout(sn.nn.functional.dropout(x) + sn.random.normal(("N", 3)))
    seed, step = sn.random.key()
    assert dict(collect_updates([y])) == {step: step + 1}
    assert collect_updates([sn.random.normal((3,), key=(seed, step))]) == []


def test_eval_builds_inference() -> None:
    x = sn.input("x", ("N", 3))
    net = sn.nn.Sequential(sn.nn.Dropout(), sn.nn.BatchNorm1d(3), sn.nn.Sequential(sn.nn.AlphaDropout(0.1)))
    assert net.training
    assert random_ops(net(x)) == {"dropout", "alpha_dropout", "random_bits", "batch_norm"}
    trained = net(x)
    assert net.eval() is net
    assert not net.training
    assert not net[2][0].training
    assert random_ops(net(x)) == set()
    assert net(x) is sn.inference(trained)
    net[1].train()
    assert random_ops(net(x)) == {"batch_norm"}
    assert net.train().training
    assert random_ops(net(x)) == random_ops(trained)
    with pytest.raises(sn.DTypeError, match="True or False"):
        net.train("yes")  # type: ignore[arg-type]
