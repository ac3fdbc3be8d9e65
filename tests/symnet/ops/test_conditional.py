"""cond and switch: meaning, derivatives, native branches, laziness, text, formulas, mistakes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from codegen.loops.grammar import Branch
from codegen.loops.parse import parse
from codegen.loops.text import show
from symnet.errors import DTypeError, ShapeError, Unsupported, UsageError
from symnet.expr.node import Expr

x, y, w = (sn.input(name, shape, "float64") for name, shape in (("x", (4, 5)), ("y", ("N", 5)), ("w", (5, 3))))
pred, v = sn.input("pred", (), "bool"), sn.input("v", (6,), "float64")


def both(outputs: list[Expr], inputs: dict[Expr, np.ndarray]) -> str:
    """Native code and the interpreter agree whichever side is chosen; the loop program."""
    run = sn.function([pred, *inputs], outputs)
    for chosen in (True, False):
        found = run(chosen, *inputs.values())
        wanted = sn.evaluate(outputs, {pred: chosen, **inputs})
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    return str(run.source("loops"))


def test_values_and_derivatives_of_first_and_second_order(rng: np.random.Generator) -> None:
    value = sn.cond(pred, lambda a, m: sn.exp(a) @ m, lambda a, m: sn.broadcast_to(sn.sum(a * a), (4, 3)), x, w)
    loss = sn.sum(value**2)
    first = sn.grad(loss, [x, w])
    second = sn.grad(sn.sum(first[0] ** 2), x)
    moved = sn.jvp(value, x, sn.cos(x))
    source = both([value, *first, second, moved], {x: rng.normal(size=(4, 5)), w: rng.normal(size=(5, 3))})
    assert "if condition1:" in source
    assert "if not condition1:" in source


def test_several_results_in_any_form_and_captured_values(rng: np.random.Generator) -> None:
    result = sn.cond(
        sn.sum(y) > 0,
        lambda pair: {"a": pair["p"] * 2.0, "b": (w[0, 0], pair["q"])},
        lambda pair: {"a": -pair["p"], "b": (sn.sum(w), pair["q"] + 1)},
        {"p": y, "q": sn.constant(3)},
    )
    run = sn.function([y, w], [result["a"], *result["b"]])
    m = rng.normal(size=(5, 3))
    for sign in (1.0, -1.0):
        rows = sign * rng.uniform(0.1, 1, (3, 5))
        a, b, q = run(rows, m)
        np.testing.assert_allclose(a, 2 * rows if sign > 0 else -rows)
        np.testing.assert_allclose(b, m[0, 0] if sign > 0 else m.sum())
        assert q == (3 if sign > 0 else 4)


def test_only_the_chosen_side_runs(rng: np.random.Generator) -> None:
    """What one side alone needs is computed in it, however it was written; a check in it is asked only there."""
    costly = sn.tanh(x @ x.T)
    source = both([sn.cond(pred, lambda: costly, lambda: x @ x.T * 0.0)], {x: rng.normal(size=(4, 5))})
    assert source.index("tanh") > source.index("if condition1:")
    index = sn.input("index", (), "int64")
    picked = sn.function([pred, index, v], sn.cond(pred, lambda: v[index], lambda: v[0] * 0.0))
    assert picked(False, 99, np.ones(6)) == 0.0
    with pytest.raises(sn.errors.IndexOutOfRange):
        picked(True, 99, np.ones(6))


def test_shared_work_is_done_once_outside(rng: np.random.Generator) -> None:
    hidden = sn.tanh(x @ w)
    source = both([sn.cond(pred, lambda: sn.sum(hidden), lambda: sn.max(hidden))], {x: rng.normal(size=(4, 5)),
                  w: rng.normal(size=(5, 3))})  # fmt: skip
    assert source.count("tanh(") == 1


def test_in_a_loop_and_its_derivative(rng: np.random.Generator) -> None:
    def cell(level: Expr, value: Expr) -> tuple[Expr, Expr]:
        new = sn.cond(value > 0, lambda c: c * 0.5 + value, lambda c: sn.sin(c) - 1.0, level)
        return new, new

    start = sn.input("start", (), "float64")
    ys, _ = sn.scan(cell, start, v)
    outputs = [ys, *sn.grad(sn.sum(ys**2), [v, start])]
    values = {v: rng.normal(size=6), start: np.asarray(0.3)}
    run = sn.function([v, start], outputs)
    for one, other in zip(run(*values.values()), sn.evaluate(outputs, values), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
    assert "  for t: 6" in run.source("loops").replace("\n\n", "\n")


def test_a_loop_in_a_branch(rng: np.random.Generator) -> None:
    def total(a: Expr) -> Expr:
        return sn.scan(lambda c, row: sn.tanh(c + row), sn.zeros((5,), "float64"), a)[1]

    value = sn.cond(pred, total, lambda a: a[0], x)
    both([value, sn.grad(sn.sum(value**2), x)], {x: rng.normal(size=(4, 5))})


def test_nested_and_switch(rng: np.random.Generator) -> None:
    k = sn.input("k", (), "int32")
    functions: list[Callable[[Expr], Expr]] = [sn.exp, sn.negative, lambda a: a * a, sn.tanh, sn.cos]
    value = sn.switch(k, functions, v)
    run = sn.function([k, v], [value, sn.grad(sn.sum(value), v)])
    values = rng.normal(size=6)
    meanings = [np.exp, np.negative, np.square, np.tanh, np.cos]
    for index in range(-1, 7):
        found, _ = run(np.int32(index), values)
        np.testing.assert_allclose(found, meanings[min(max(index, 0), 4)](values), rtol=1e-12)


def test_threads_all_go_the_same_way(rng: np.random.Generator) -> None:
    """Branches with shared kernels, the condition computed in the program, with one thread and with two."""
    big = sn.input("big", (300, 300), "float64")
    value = sn.cond(sn.sum(big) > 0, lambda: sn.tanh(big @ big), lambda: big - 1.0)
    outputs = [value, sn.sum(value)]
    matrix = rng.normal(size=(300, 300))
    for sign in (1, -1):
        given = sign * (matrix + 0.01)
        one, two = (sn.function([big], outputs, threads=n)(given) for n in (1, 2))
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_allclose(
            two[0], np.tanh(given @ given) if given.sum() > 0 else given - 1.0, rtol=1e-9, atol=1e-9
        )


def test_a_training_program_with_a_choice(rng: np.random.Generator) -> None:
    flag = sn.input("flag", (), "bool")
    weight = sn.parameter("weight", (3,), init=sn.init.ones(), dtype="float64")
    loss = sn.cond(flag, lambda p: sn.sum(p**2), lambda p: sn.sum(p), weight)
    program = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1))
    program.step(flag=True)
    np.testing.assert_allclose(program.parameters["weight"], 0.8)
    program.step(flag=False)
    np.testing.assert_allclose(program.parameters["weight"], 0.7)


def test_text_of_graphs_and_loop_programs() -> None:
    value = sn.cond(pred, lambda a: sn.exp(a), lambda a: a * w[0, 0], x)
    gradient = sn.grad(sn.sum(value), x)
    assert sn.loads(sn.dumps(value)) is value
    assert sn.loads(sn.dumps(gradient)) is gradient
    run = sn.function([pred, x, w], value)
    run(True, np.zeros((4, 5)), np.zeros((5, 3)))
    text = run.source("loops")
    program = parse(text)
    assert show(program) == text
    sides = [item for item in program.items if isinstance(item, Branch)]
    assert [side.negated for side in sides] == [False, True]


def test_formulas() -> None:
    value = sn.cond(pred, lambda a: sn.exp(a), lambda a: a * a + 1, x)
    assert str(value) == "cond(pred, exp(x), x ⊙ x + 1)"
    assert str(sn.grad(sn.sum(value), x)) == "cond(pred, exp(x), 2 x)"
    first, second = sn.cond(pred, lambda a: (sn.exp(a), a), lambda a: (a + 1, -a), x)
    assert str(first + second) == "cond(pred, exp(x), x + 1) + cond(pred, x, −x)"
    assert "cond" in value.latex()
    assert value._repr_html_()


def test_mistakes_are_told() -> None:
    with pytest.raises(ShapeError, match="the condition is bool\\[4, 5\\], expected a scalar"):
        sn.cond(x > 0, lambda: x, lambda: x)
    with pytest.raises(ShapeError, match="result 0 is float64\\[4, 5\\] if true and float64\\[\\] if false"):
        sn.cond(pred, lambda: x, lambda: x[0, 0])
    with pytest.raises(DTypeError, match="if false; cast one of them"):
        sn.cond(pred, lambda: x, lambda: x > 0)
    with pytest.raises(UsageError, match="different forms"):
        sn.cond(pred, lambda: x, lambda: (x,))
    with pytest.raises(DTypeError, match="switch: the index is bool\\[\\], expected an integer scalar"):
        sn.switch(pred, [sn.exp], x)
    with pytest.raises(UsageError, match="got no branches"):
        sn.switch(sn.constant(0), [])
    layer = sn.nn.BatchNorm1d(5, dtype="float64")
    loss = sn.sum(sn.cond(pred, layer, lambda a: a * layer.weight[0], x))
    with pytest.raises(Unsupported, match="batch_norm inside a branch of cond"):
        sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1))
