"""The text form: exact, readable, and errors that show the place."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import symnet.ops as sn
from symnet.errors import UsageError
from symnet.expr.node import Expr
from symnet.expr.text import dumps, listing, loads


def example() -> Expr:
    x = sn.input("x", ("N", 3))
    w = sn.parameter("W", (3, 2), init="normal(std=0.1)")
    return sn.name("z", sn.relu(x @ w) * 0.5 - 1e-30)


def test_it_reads_like_this() -> None:
    assert dumps(example()) == (
        '%0 = input{dtype="float32", name="x", shape=("N", 3)} : f32[N, 3]\n'
        '%1 = parameter{dtype="float32", init="normal(std=0.1)", name="W", shape=(3, 2), trainable=true, uid=none}'
        " : f32[3, 2]\n"
        '%2 = contract(%0, %1){shape=(), sizes=(), spec="ab,bc->ac"} : f32[N, 2]\n'
        "%3 = relu(%2) : f32[N, 2]\n"
        '%4 = constant{dtype="float32", value=0.5} : f32[]\n'
        "%5 = multiply(%3, %4) : f32[N, 2]\n"
        '%6 = constant{dtype="float32", value=1e-30} : f32[]\n'
        '%7 = subtract(%5, %6) : f32[N, 2] as "z"\n'
        "return %7\n"
    )
    assert listing([example(), example()]) == (
        "x = input : f32[N, 3]\n"
        "W = parameter{trainable=true} : f32[3, 2]\n"
        '%1 = contract(x, W){spec="ab,bc->ac"} : f32[N, 2]\n'
        "%2 = relu(%1) : f32[N, 2]\n"
        "%3 = multiply(%2, 0.5) : f32[N, 2]\n"
        "z = subtract(%3, 1e-30) : f32[N, 2]\n"
        "return [z, z]\n"
    )


def test_structures() -> None:
    e = example()
    assert loads(dumps(e)) is e
    for group in ([e, e.args[0]], (e,), (e, e), {"a": e, 'b "quoted"\n': e.args[0]}, [], {}):
        back = loads(dumps(group))
        assert type(back) is type(group)
        pairs = (
            zip(back.values(), group.values(), strict=True)
            if isinstance(group, dict)
            else zip(back, group, strict=True)
        )
        assert all(a is b for a, b in pairs)
        assert not isinstance(group, dict) or list(back) == list(group)


@pytest.mark.parametrize(
    "value",
    [0.1, -0.0, 0.0, 1e-320, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), 2**62, -5, True, False],
    ids=repr,
)
def test_numbers_are_exact(value: float) -> None:
    node = sn.constant(value, "float64" if isinstance(value, float) else None)
    assert loads(dumps(node)) is node


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool"])
@pytest.mark.parametrize("shape", [(3,), (0,), (2, 3), (17,), (5, 0, 2), (4, 5)])
def test_arrays_are_exact(shape: tuple, dtype: str, rng: np.random.Generator) -> None:
    array = (rng.normal(size=shape) * 1e3).astype(dtype)
    if dtype.startswith("float") and array.size > 1:
        array.ravel()[0] = -0.0
    node = sn.constant(array)
    assert loads(dumps(node)) is node
    if dtype.startswith("float") and array.size > 1:
        array.ravel()[1:3] = [np.nan, -np.inf][: array.size - 1]
        assert loads(dumps(sn.constant(array))) is sn.constant(array)


def test_names_of_any_kind() -> None:
    for name in ["x y", 'quote"', "back\\slash", "ζ₁", "line\nbreak", "%0", "return"]:
        node = sn.name(name, sn.input(name, (2,)) * 2.0)
        assert loads(dumps(node)) is node
        assert node.name == name


def test_labels_survive_in_another_process() -> None:
    script = (
        "import sys; from symnet.expr.text import *; e = loads(sys.stdin.read()); sys.stdout.write(dumps(e) + e.name)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], input=dumps(example()), text=True, capture_output=True, check=True
    )
    assert result.stdout == dumps(example()) + "z"


def test_pickle_and_copy() -> None:
    e = example()
    assert pickle.loads(pickle.dumps(e)) is e
    assert copy.copy(e) is copy.deepcopy(e) is e


def test_deep_graphs() -> None:
    node = sn.input("x", (2,))
    for _ in range(5000):
        node = node + 1.0
    assert loads(dumps(node)) is node


def test_names_in_listings_are_distinct() -> None:
    a, b = sn.parameter("w", (2,), uid=1), sn.parameter("w", (2,), uid=2)
    assert listing(a * b).splitlines()[-2] == "%1 = multiply(w, w_2) : f32[2]"
    assert "uid" not in listing(a * b)


CONSTANT = '%0 = constant{dtype="float32", value='
HEAD = '%0 = input{dtype="float32", name="x", shape=("N", 3)} : f32[N, 3]\n'


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "expected a node or 'return', got 'the end of the text'"),
        (HEAD, 2, 1, "expected a node or 'return'"),
        (HEAD + "return %1", 2, 8, "%1 is not defined before"),
        (HEAD + "%1 = sine(%0) : f32[N, 3]\nreturn %1", 2, 6, "there is no operation 'sine'; did you mean 'sin'"),
        (HEAD + "%1 = sin(%0) : f32[N, 4]\nreturn %1", 2, 16, r"sin gives f32\[N, 3\], the text says f32\[N, 4\]"),
        (HEAD + "%1 = sin(%0, %0) : f32[N, 3]\nreturn %1", 2, 6, "sin: got 2 operands, expected 1"),
        (HEAD + "%1 = sin(%0 %0) : f32[N, 3]\nreturn %1", 2, 13, "expected ',' or '\\)', got '%0'"),
        (HEAD + HEAD + "return %0", 2, 1, "%0 is defined twice"),
        (HEAD + "%1 = sum(%0){axes=(0,)} : f32[3]\nreturn %1", 2, 6, "sum: the attribute 'keepdims' is missing"),
        (HEAD + "%1 = sum(%0){axes=(7,), keepdims=false} : f32[3]\nreturn %1", 2, 6, r"sum: axes \(7,\) do not exist"),
        (HEAD + "%1 = sin(%0) $ f32\nreturn %1", 2, 14, r"cannot read '\$'"),
        (HEAD + "return %0 %0", 2, 11, "expected nothing after the result"),
        (CONSTANT + 'array(f32[3], [1.0])} : f32[3]\nreturn %0', 1, 52, "1 elements do not"),
        (CONSTANT + 'array(f99[3], [1.0])} : f32[3]\nreturn %0', 1, 44, "unknown data type"),
        (CONSTANT + 'array(f32[3], "!")} : f32[3]\nreturn %0', 1, 52, "cannot read the array"),
        ('%0 = input{dtype="float32", name="x', 1, 34, "cannot read"),
    ],
)  # fmt: skip
def test_errors_show_the_place(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        loads(text)
    first, shown, mark = str(caught.value).split("\n")
    assert first.startswith(f"line {line}, column {column}: ")
    assert shown == "  " + (text.split("\n")[line - 1] if text else "")
    assert mark == " " * (column + 1) + "^"
