"""Loops: values, derivatives, and loops freed of what nobody reads."""

from __future__ import annotations

import numpy as np
import pytest

import symnet.ops as sn
from symnet.derive.forward import pushforward
from symnet.derive.reverse import pullback
from symnet.errors import DTypeError, ShapeError, SymnetError, UsageError
from symnet.expr.node import Expr
from symnet.expr.text import dumps, loads
from symnet.expr.traverse import postorder
from symnet.expr.verify import verify
from symnet.ops.tidy import tidy_loops

W = sn.input("w", (3, 3), "float64")
U = sn.input("u", (2, 3), "float64")
H = sn.input("h", ("N", 3), "float64")
XS = sn.input("xs", ("T", "N", 2), "float64")


def cell(h: Expr, x: Expr) -> tuple[Expr, Expr]:
    new = sn.tanh(h @ W + x @ U)
    return new, new * 2.0


def values(rng: np.random.Generator, steps: int = 5, batch: int = 4) -> dict[str, np.ndarray]:
    shapes = {"w": (3, 3), "u": (2, 3), "h": (batch, 3), "xs": (steps, batch, 2)}
    return {name: rng.normal(size=shape) * 0.7 for name, shape in shapes.items()}


def by_hand(v: dict[str, np.ndarray], reverse: bool) -> tuple[np.ndarray, np.ndarray]:
    h, ys = v["h"], np.zeros((len(v["xs"]), *v["h"].shape))
    for t in reversed(range(len(ys))) if reverse else range(len(ys)):
        h = np.tanh(h @ v["w"] + v["xs"][t] @ v["u"])
        ys[t] = 2 * h
    return ys, h


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_recurrent_network(steps: int, reverse: bool, rng: np.random.Generator) -> None:
    ys, last = sn.scan(cell, H, XS, reverse=reverse)
    assert ys.shape == ("T", "N", 3)
    assert last.shape == ("N", 3)
    v = values(rng, steps)
    for ours, theirs in zip(sn.evaluate([ys, last], v), by_hand(v, reverse), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_are_those_of_the_unrolled_loop(reverse: bool, rng: np.random.Generator) -> None:
    """First and second order, reverse and forward mode."""
    steps, v = 4, values(rng, 4)
    fixed = sn.input("xs", (steps, "N", 2), "float64")
    ys, last = sn.scan(cell, H, fixed, reverse=reverse)
    h, kept = H, {}
    for t in reversed(range(steps)) if reverse else range(steps):
        h, kept[t] = cell(h, fixed[t])
    unrolled = sn.stack([kept[t] for t in range(steps)])
    wrt = [W, U, H, fixed]
    losses = [sn.sum(sn.square(a)) + sn.sum(sn.sin(b)) for a, b in ((ys, last), (unrolled, h))]
    one = sn.ones((), "float64")
    first = [pullback([loss], [one], wrt) for loss in losses]
    for a, b in zip(*(sn.evaluate(g, v) for g in first), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    mixed = [sum(sn.sum(sn.sin(g) * 0.3) for g in gradients) for gradients in first]
    for a, b in zip(*(sn.evaluate(pullback([m], [one], wrt), v) for m in mixed), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    tangents = [sn.cos(node) for node in wrt]
    pair = [pushforward([a, b], wrt, tangents) for a, b in ((ys, last), (unrolled, h))]
    for a, b in zip(*(sn.evaluate(p, v) for p in pair), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_forms_of_carries(rng: np.random.Generator) -> None:
    x = sn.input("x", (6,), "float64")
    array = rng.normal(size=6)
    sums, total = sn.scan(lambda c, a: c + a, sn.zeros((), "float64"), x)
    np.testing.assert_allclose(sn.evaluate([sums, total], {"x": array})[0], np.cumsum(array))
    nothing, product = sn.scan(lambda c, a: (c * a, None), sn.ones((), "float64"), x)
    assert nothing is None
    np.testing.assert_allclose(sn.evaluate(product, {"x": array}), np.prod(array))
    ys, carry = sn.scan(
        lambda c, a: ({"n": c["n"] + 1, "s": [c["s"][0] * 0.5 + a["v"]]}, (c["n"], a["v"] * 2)),
        {"n": sn.constant(0), "s": [sn.zeros((), "float64")]},
        {"v": x},
    )
    assert sn.evaluate(ys[0], {"x": array}).tolist() == [0, 1, 2, 3, 4, 5]
    assert carry["n"].dtype == "int64"
    assert carry["s"][0].shape == ()
    fibonacci, _ = sn.scan(lambda c, _: ((c[1], c[0] + c[1]), c[0]), (sn.constant(0), sn.constant(1)), length=8)
    assert sn.evaluate(fibonacci).tolist() == [0, 1, 1, 2, 3, 5, 8, 13]


def test_captured_values_become_operands(rng: np.random.Generator) -> None:
    scale, x = sn.input("scale", (), "float64"), sn.input("x", ("T",), "float64")
    outside = sn.exp(scale) * 2.0
    ys, _ = sn.scan(lambda c, a: c * outside + a, sn.zeros((), "float64"), x)
    loop = ys.args[0]
    assert loop.args[0] is outside, "the largest part from outside is captured, and computed once"
    assert loop.attrs["consts"] == 1
    gradient = pullback([sn.sum(ys)], [sn.ones((), "float64")], [scale])[0]
    v = {"scale": np.array(-0.9), "x": rng.normal(size=7)}
    h = 1e-5
    slope = [float(np.sum(sn.evaluate(ys, {**v, "scale": v["scale"] + s}))) for s in (h, -h)]
    np.testing.assert_allclose(sn.evaluate(gradient, v), (slope[0] - slope[1]) / (2 * h), rtol=1e-7)


def test_loops_inside_loops(rng: np.random.Generator) -> None:
    x, w = sn.input("x", (3, 4), "float64"), sn.input("w", (), "float64")

    def outer(total: Expr, row: Expr) -> Expr:
        _, inner = sn.scan(lambda c, a: (sn.tanh(c * w + a * total), None), total, row)
        return inner

    ys, last = sn.scan(outer, sn.constant(0.3, "float64"), x)
    v = {"x": rng.normal(size=(3, 4)), "w": np.array(0.8)}
    t = 0.3
    for row in v["x"]:
        c = t
        for a in row:
            c = np.tanh(c * 0.8 + a * t)
        t = c
    np.testing.assert_allclose(sn.evaluate(last, v), t)
    verify([ys])
    assert loads(dumps(ys)) is ys
    gradients = pullback([sn.sum(ys)], [sn.ones((), "float64")], [x, w])
    verify(tidy_loops(gradients))
    found = sn.evaluate(gradients, v)
    for (name, array), gradient in zip(v.items(), found, strict=True):
        direction = rng.normal(size=array.shape)
        at = [float(np.sum(sn.evaluate(ys, {**v, name: array + s * direction}))) for s in (1e-5, -1e-5)]
        np.testing.assert_allclose(np.sum(gradient * direction), (at[0] - at[1]) / 2e-5, rtol=1e-6)


def loops(roots: list[Expr]) -> list[Expr]:
    return [node for node in postorder(roots) if node.op == "scan"]


def test_tidy_loops(rng: np.random.Generator) -> None:
    ys, last = sn.scan(cell, H, XS)
    loss = sn.mean(ys * ys) + sn.sum(last)
    roots = [loss, *pullback([loss], [sn.ones((), "float64")], [W, U])]
    tidy = tidy_loops(roots)
    verify(tidy)
    forward, backward = loops(tidy)
    assert len(loops(roots)) == 3, "the forward loop is made again with its carries kept"
    assert len(forward.attrs["body"].results) == 4, "the carry, what is kept, the carry before and after each step"
    assert len(backward.attrs["body"].results) == 3, "sums for w and u, and the carry; nothing for the slices"
    v = values(rng)
    for a, b in zip(sn.evaluate(roots, v), sn.evaluate(tidy, v), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    assert all(a is b for a, b in zip(tidy_loops(tidy), tidy, strict=True))


def test_the_reverse_loop_reads_what_is_dear() -> None:
    """Sums of products, with what is added to them, and results of the step are kept and not computed again."""
    rows, columns = sn.input("rows", ("T", "N", 3), "float64"), sn.input("columns", ("T", 3, "N"), "float64")

    def step(h: Expr, x: tuple[Expr, Expr]) -> tuple[Expr, Expr]:
        wide = sn.matmul(x[1], x[0])  # 3 x 3, from slices alone
        return sn.sin(h @ W + x[0]) * 0.5, sn.sum(wide * wide)

    ys, last = sn.scan(step, H, (rows, columns))
    loss = sn.sum(last * last) + sn.sum(ys)
    forward, backward = loops(tidy_loops(pullback([loss], [sn.ones((), "float64")], [W, rows, columns])))
    kept = [result.op for result in forward.attrs["body"].results]
    assert kept.count("contract") == 1, "wide, which is not added to anything"
    assert kept.count("add") == 1, "h W + x, which sin' needs"
    products = [node for node in postorder(backward.attrs["body"].results) if node.op == "contract"]
    assert len(products) == 4, "each of the two products has two cotangents, and none is computed again"


def test_what_is_much_larger_than_the_carries_is_not_kept() -> None:
    a = sn.input("a", ("T", 40, 2), "float64")
    _, last = sn.scan(lambda c, x: (c + sn.sum(sn.sin(x @ x.T)), None), sn.zeros((), "float64"), a)
    found = loops(tidy_loops(pullback([last], [sn.ones((), "float64")], [a])))
    assert all(result.shape != (40, 40) for loop in found for result in loop.attrs["body"].results)


def test_tidy_drops_what_is_unused() -> None:
    x, c = sn.input("x", ("T",)), sn.input("c", ())
    (a, b), (first, second) = sn.scan(
        lambda s, v: ((s[0] + v, s[1] * c), (s[0], s[1] * v)), (sn.zeros(()), sn.ones(())), x
    )
    (loop,) = loops(tidy_loops([first]))
    assert (loop.attrs["consts"], loop.attrs["carries"], len(loop.args)) == (0, 1, 2)
    (loop,) = loops(tidy_loops([b, second]))
    assert (loop.attrs["consts"], loop.attrs["carries"], len(loop.args)) == (1, 1, 3)
    (loop,) = loops(tidy_loops([a]))
    assert loop.attrs["carries"] == 1
    plain = sn.exp(x)
    assert tidy_loops([plain])[0] is plain


def test_a_step_keeps_its_type() -> None:
    """Narrower results are broadcast to the carry; other shapes and types are errors."""
    x = sn.input("x", (4, 3))
    _, last = sn.scan(lambda c, a: (sn.sum(a), None), sn.zeros((3,)), x)
    assert last.shape == (3,)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda x: sn.scan(lambda c, a: sn.concat([c, c]), x[0], x), ShapeError, r"carry 0 .*\[3\] .*\[6\]"),
        (lambda x: sn.scan(lambda c, a: c.astype("float64"), x[0], x), DTypeError, "carry 0.*float32.*float64"),
        (lambda x: sn.scan(lambda c, a: (c, c, c), x[0], x), UsageError, "another form"),
        (lambda x: sn.scan(lambda c, a: c, x[0]), ShapeError, "needs a `length`"),
        (lambda x: sn.scan(lambda c, a: c, x[0], (x, x[1:])), ShapeError, "4, 3; expected one length"),
        (lambda x: sn.scan(lambda c, a: c, x[0], x, length=5), ShapeError, "4, 5"),
        (lambda x: sn.scan(lambda c, a: c, x[0], x[0, 0]), ShapeError, "scalar"),
        (lambda x: sn.scan(lambda c, a: c, "x", x), DTypeError, "scan: init"),
    ],
)
def test_errors(make: object, error: type[SymnetError], message: str) -> None:
    with pytest.raises(error, match=message):
        make(sn.input("x", (4, 3)))  # type: ignore[operator]
