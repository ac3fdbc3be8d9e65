"""The pass on whole graphs, and at the front doors: functions, programs, `sn.accuracy`."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.accuracy import improved
from symnet.accuracy.improve import Finding
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.expr.verify import verify
from symnet.ops.exactly import evaluate
from tests.symnet.explain.examples import EXAMPLES, losses

x = sn.input("x", ("N",))
SMALL = np.array([1e-4, -3e-3, 0, 0.2, 2], "float32")


def bend(v: Expr) -> Expr:
    """v² + v³/6 − …, which no rule of simplification makes stable."""
    return sn.exp(v) - sn.cos(v) - v


def test_a_mended_chain_stands_where_it_stood() -> None:
    matrix, row = sn.input("A", ("N", 3)), sn.input("b", (3,))
    product = sn.name("z", matrix @ sn.constant(np.eye(3, dtype="float32")) - row)
    versine = sn.name("v", 1 - sn.cos(product))
    loss = sn.mean(versine) + sn.sum(sn.broadcast_to(row - sn.sin(row), (4, 3)))
    (after,) = improved([loss])
    verify([after])
    assert after is not loss
    assert "v" in [node.name for node in postorder([after])]
    values = {"A": np.full((2, 3), 1e-4, "float32"), "b": np.zeros(3, "float32")}
    np.testing.assert_allclose(sn.evaluate(after, values), 5e-9, rtol=1e-5)
    assert sn.evaluate(loss, values) == 0


def test_what_is_below_a_chain_is_mended_too() -> None:
    inner = sn.sum(1 - sn.cos(x))
    outer = sn.sqrt(inner + x) - sn.sqrt(x)
    (after,) = improved([outer])
    values = {"x": np.float32([1e-3, 2e6])}
    true = [float(v) for v in evaluate([outer], values, {"N": 2})[0]]
    np.testing.assert_allclose(sn.evaluate(after, values), true, rtol=1e-5)


def test_bodies_of_loops() -> None:
    _, last = sn.scan(lambda total, item: total + (1 - sn.cos(item)), init=sn.constant(0.0), xs=x[:4])
    findings: list[Finding] = []
    (after,) = improved([last], findings=findings)
    assert findings
    values = {"x": np.full(4, 1e-4, "float32")}
    np.testing.assert_allclose(sn.evaluate(after, values), 4 * 5e-9, rtol=1e-5)


def test_graphs_without_suspects_are_the_same_objects() -> None:
    y = sn.input("y", ("N",), "float64")
    roots = [sn.mean(sn.square(x)), 1 - sn.cos(y), sn.softmax(x) * 2]
    assert all(a is b for a, b in zip(improved(roots), roots, strict=True))


def test_functions() -> None:
    f = bend(x)
    slope = sn.grad(sn.sum(f / (x * x)), x)
    inputs, outputs = [x], [f, slope]
    true = evaluate(outputs, {"x": SMALL[[0, 1, 3, 4]]}, {"N": 4})
    auto, off = sn.function(inputs, outputs), sn.function(inputs, outputs, accuracy="off")
    for got, wanted in zip(auto(SMALL[[0, 1, 3, 4]]), true, strict=True):
        np.testing.assert_allclose(got, [float(v) for v in wanted], rtol=1e-5)
    assert abs(off(SMALL)[0][0] / 1.00001667e-8 - 1) > 0.1
    np.testing.assert_allclose([values[2] for values in auto(SMALL)], [0, 1 / 6], rtol=1e-6)
    numpy = sn.function(inputs, outputs, backend="numpy")
    np.testing.assert_allclose(auto(SMALL), numpy(SMALL), rtol=1e-6)


def test_programs_mend_value_and_gradient() -> None:
    w = sn.parameter("w", (5,), init=sn.init.constant(1e-4))
    loss = sn.mean(bend(w)) * 1e8
    wanted = 1 + 1e-4 / 6, 1e8 * (2e-4 + 1e-8 / 2) / 5
    program = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=1.0))
    np.testing.assert_allclose(program.evaluate()["loss"], wanted[0], rtol=1e-5)
    np.testing.assert_allclose(program.gradients()["w"], wanted[1], rtol=1e-5)
    off = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=1.0), accuracy="off")
    assert abs(off.evaluate()["loss"] / wanted[0] - 1) > 1e-3


NN = sn.nn
IN = {"x": sn.input("x", ("N", 6)), "y": sn.input("y", ("N",), "int64"), "s": sn.input("s", ("N", 3, 6))}


@pytest.mark.parametrize(
    "layers",
    [
        [NN.ReLU()], [NN.Tanh()], [NN.GELU()], [NN.SiLU()], [NN.Mish()], [NN.ELU()], [NN.Softplus()], [NN.Sigmoid()],
        [NN.BatchNorm1d(5), NN.GELU()], [NN.LayerNorm(5), NN.Tanh()], [NN.RMSNorm(5), NN.SiLU()], [NN.Dropout(0.1)],
    ],
    ids=lambda layers: "-".join(type(layer).__name__ for layer in layers),
)  # fmt: skip
def test_training_leaves_ordinary_networks_alone(layers: list[sn.nn.Module]) -> None:
    model = NN.Sequential(NN.Linear(6, 5), *layers, NN.Linear(5, 4))
    _stays(sn.losses.cross_entropy(model(IN["x"]), IN["y"]), model.parameters())


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_training_leaves_recurrent_networks_alone(name: str) -> None:
    model = getattr(NN, name)(6, 4, batch_first=True)
    _stays(sn.mean(sn.square(model(IN["s"])[0])), model.parameters())


def test_training_leaves_transformers_alone() -> None:
    model = NN.TransformerEncoderLayer(6, 2, 8, batch_first=True, activation="gelu")
    _stays(sn.mean(sn.square(model(IN["s"]))), model.parameters())


@pytest.mark.parametrize("example", EXAMPLES)
def test_training_leaves_the_examples_alone(example: str) -> None:
    for loss, parameters in losses(example):
        _stays(loss, parameters)


def _stays(loss: Expr, parameters: list[Expr]) -> None:
    roots = [sn.simplify(loss), *sn.grad(loss, parameters)]
    findings: list[Finding] = []
    after = improved(roots, training=True, findings=findings)
    changed = [finding.verdict for finding in findings if finding.verdict.treatments]
    assert all(a is b for a, b in zip(after, roots, strict=True)), changed


def test_the_report_tells_what_where_and_how() -> None:
    report = sn.accuracy([bend(x), sn.mean(x * 2)])
    (chain,) = report.chains
    assert chain.mended
    assert chain.error > 1e5 > 100 > chain.error_after
    assert [step.rule for step in report.steps] == ["series"]
    (step,) = report.steps
    assert step.kind == "stabilising"
    text = str(report)
    assert "cos(x)" in text
    assert "series" in text
    assert "x = " in text
    values = {"x": np.float32([1e-4])}
    np.testing.assert_allclose(sn.evaluate(report.expressions[0], values), 1.00001667e-8, rtol=1e-5)
    assert report.expressions[1] is sn.simplify(sn.mean(x * 2))


def test_the_report_says_when_there_is_nothing_to_tell() -> None:
    assert str(sn.accuracy(sn.mean(x))) == "no chain of operations here can lose digits"
    assert str(sn.accuracy(x * x + 3 * x + 1)) == "1 of 1 chains looked at keeps its digits"


def test_what_stays_ill_is_said() -> None:
    tower = sn.exp(sn.exp(x))
    report = sn.accuracy(tower / (tower + sn.cos(x)))
    assert 0 < report.chains[-1].ill_after <= report.chains[-1].ill
    last = str(report).splitlines()[-1]
    assert "nothing here mends it" in last or "worth mending" in last


def test_training_reports_what_programs_do() -> None:
    saturated = sn.tanh(x) * 0 + (1 - sn.square(sn.tanh(x)))
    assert sn.accuracy(saturated).steps
    assert not sn.accuracy(saturated, training=True).steps


def test_errors() -> None:
    with pytest.raises(sn.UsageError, match=r"function: accuracy is 'of', .*did you mean 'off'"):
        sn.function([x], x, accuracy="of")
    with pytest.raises(sn.UsageError, match=r"compile: accuracy is None, expected 'auto', 'strict' or 'off'"):
        sn.compile(sn.sum(sn.parameter("w", (2,))), sn.optim.SGD(), accuracy=None)
    with pytest.raises(sn.DTypeError, match="accuracy: item 1 is int"):
        sn.accuracy([x, 3])
    with pytest.raises(sn.DTypeError, match="accuracy: got int"):
        sn.accuracy(3)
