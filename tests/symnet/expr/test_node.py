"""Nodes, functions, walks and the verifier."""

from __future__ import annotations

import gc
import weakref

import pytest

import symnet.ops as sn
from symnet.errors import CompilerBug, DTypeError, UnknownName
from symnet.expr import node as nodes
from symnet.expr.function import Function
from symnet.expr.node import Expr, make, rebuild
from symnet.expr.op import lookup
from symnet.expr.traverse import leaves, postorder, rewrite, substitute, users
from symnet.expr.verify import verify
from symnet.ops.leaves import arg


def test_what_nobody_refers_to_is_forgotten() -> None:
    node = sn.exp(sn.input("only here", (3,)))
    reference = weakref.ref(node)
    before = len(nodes._nodes)
    del node
    gc.collect()
    assert reference() is None
    assert len(nodes._nodes) < before


def test_deep_graphs_are_released_without_recursion() -> None:
    node = sn.input("deep", (1,))
    for _ in range(100_000):
        node = node + 1.0
    del node
    gc.collect()


def test_walks() -> None:
    x, y = sn.input("x", (3,)), sn.input("y", (3,))
    s = x + y
    root = s * s + sn.exp(x)
    order = postorder([root])
    place = {id(node): i for i, node in enumerate(order)}
    assert len(order) == len(place) == 6
    assert all(place[id(a)] < place[id(node)] for node in order for a in node.args)
    assert [n.op for n in postorder([root], [s])] == ["add", "multiply", "input", "exp", "add"]
    assert [node.name for node in leaves([root], "input")] == ["x", "y"]
    assert len(users([root])[s]) == 2
    swapped = substitute([root], {x: y, y: x})[0]
    assert swapped is (y + x) * (y + x) + sn.exp(y)
    doubled = rewrite([root], lambda n: n * 2.0 if n.op == "exp" else n)[0]
    assert doubled is s * s + sn.exp(x) * 2.0


def test_rebuilding_keeps_names() -> None:
    x = sn.input("x", (3,))
    h = sn.name("hidden", sn.exp(x))
    assert rebuild(h, [x]) is h
    assert rebuild(h, [x * 3.0]).name == "hidden"


def test_functions_are_closed() -> None:
    a, b = arg(0, (2,), "float32"), arg(1, (2,), "float32")
    f = Function([a, b], [a * b + 1.0])
    assert f == Function([a, b], [a * b + 1.0])
    assert hash(f) == hash(Function([a, b], [a * b + 1.0]))
    x = sn.input("x", (2,))
    assert f(x, x)[0] is x * x + 1.0
    with pytest.raises(CompilerBug, match="from outside"):
        Function([a], [a * x])
    with pytest.raises(CompilerBug, match="in order"):
        Function([b], [b])
    with pytest.raises(CompilerBug, match="2 parameters got 1"):
        f(x)


def test_make_refuses_what_is_no_expression() -> None:
    with pytest.raises(DTypeError, match="exp: operand 0 is float"):
        make(lookup("exp"), [1.0])  # type: ignore[list-item]
    with pytest.raises(UnknownName, match="did you mean 'exp'"):
        lookup("expp")


def broken(node: Expr, **changes: object) -> Expr:
    """A copy of a node with fields that its operation does not infer."""
    copy = object.__new__(Expr)
    for slot in ("op", "args", "attrs", "shape", "dtype", "_key", "_label"):
        object.__setattr__(copy, slot, changes.get(slot, getattr(node, slot)))
    return copy


def test_verifier() -> None:
    x = sn.input("x", ("N", 3))
    good = sn.sum(sn.exp(x) @ sn.parameter("w", (3, 2)))
    verify([good])
    for node, message in [
        (broken(sn.exp(x), shape=("N", 4)), r"exp : f32\[N, 4\]: its operation infers float32\[N, 3\]"),
        (broken(sn.exp(x), dtype="float64"), "infers float32"),
        (broken(sn.exp(x), op="unheard of"), "not declared"),
        (broken(x, attrs={"name": "x", "shape": ("N", 3), "dtype": "float32", "extra": {}}), "'extra' holds dict"),
        (arg(0, (2,), "float32") * 2.0, r"arg\[0\] is used outside"),
    ]:
        with pytest.raises(CompilerBug, match=message):
            verify([node], "after a pass")
