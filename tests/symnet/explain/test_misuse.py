"""What cannot be explained, drawn or reported says so, says what to do, and leaves no file behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, FileError, ShapeError, SymnetError, UnknownName, Unsupported, UsageError

x, y, k = sn.input("x", ("N", 3)), sn.input("y", ("N",)), sn.input("k", ("N",), "int64")
W, b = sn.parameter("W", (3,)), sn.parameter("b", ())
LOSS = sn.mean((x @ W + b - y) ** 2)
DATA = {"x": np.ones((4, 3), "float32"), "y": np.ones(4, "float32")}


@lru_cache(maxsize=None)
def program(backend: str = "llvm") -> sn.Program:
    return sn.compile(LOSS, sn.optim.SGD(lr=0.1), batch={"N": 4}, backend=backend)


def surface(**changes: Any) -> object:
    return sn.explain.surface(program(), changes.pop("values", DATA), **{"points": 3, **changes})


EXPLAIN: dict[str, tuple[Callable[[], object], type[SymnetError], str]] = {
    "nothing": (lambda: sn.explain(None), DTypeError, "the loss is NoneType, expected an expression"),
    "a number": (lambda: sn.explain(3.0), DTypeError, "a number has no formula"),
    "a module": (lambda: sn.explain(sn.nn.Linear(3, 2)), DTypeError, "call the module on an sn.input"),
    "a class": (lambda: sn.explain(sn.optim.Adam), DTypeError, "the class Adam"),
    "no wrt": (lambda: sn.explain(LOSS), UsageError, r"wrt=weight\); it depends on: W, b, x, y"),
    "a vector": (lambda: sn.explain(x @ W, W), ShapeError, r"shape \[N\], expected a scalar: reduce it first"),
    "whole numbers": (lambda: sn.explain(sn.sum(k), x), DTypeError, "the loss is int64"),
    "by whole numbers": (lambda: sn.explain(LOSS, k), DTypeError, "wrt .*'k'.* is int64"),
    "not in it": (lambda: sn.explain(LOSS, sn.parameter("V", (3,))), UsageError, "does not depend on.*'V'.*: W, b"),
    "no variable": (lambda: sn.explain(LOSS, []), UsageError, "wrt is empty"),
    "unknown name": (lambda: sn.explain(LOSS, "w"), UnknownName, "nothing that is named 'w'; known: W, b"),
    "an array": (lambda: sn.explain(LOSS, np.ones(3)), DTypeError, "the sn.input or sn.parameter that they"),
    "a dictionary": (lambda: sn.explain(LOSS, {"W": W}), DTypeError, r"wrt=list\(….values\(\)\)"),
    "no level": (lambda: sn.explain(LOSS, W, level="Brief"), UsageError, "did you mean 'brief'"),
    "an optimizer by": (lambda: sn.explain(sn.optim.Adam(), W), UsageError, "wrt is for losses"),
    "a program by": (lambda: sn.explain(program(), wrt="w"), UnknownName, "known: W, b, x, y"),
    "a seed": (lambda: sn.explain(LOSS, W).verify(-1), UsageError, "verify: seed is -1, expected a whole number"),
    "values": (lambda: sn.explain(LOSS, W).evaluate([1]), DTypeError, "evaluate: the values are a list"),
    "too few values": (lambda: sn.explain(LOSS, W).flow(DATA), UnknownName, "no value for the parameter 'W'"),
    "no values": (lambda: surface(values=None), DTypeError, "expected a mapping from names"),
    "no array": (lambda: surface(values={**DATA, "x": "six"}), DTypeError, "input 'x' is a str, expected an array"),
    "another shape": (lambda: surface(values={**DATA, "x": np.ones((4, 5))}), ShapeError, "axis 1 of x is 5"),
    "other sizes": (lambda: surface(values={**DATA, "y": np.ones(3)}), ShapeError, "axis 0 of y is 3, expected 4"),
    "endless": (lambda: surface(span=float("inf")), UsageError, "span is inf"),
    "no span": (lambda: surface(span="1"), UsageError, "span is '1'"),
    "half a point": (lambda: surface(points=2.5), UsageError, "points is 2.5"),
    "no directions": (lambda: surface(directions=(1, 2)), DTypeError, "a direction is a int"),
    "no seed": (lambda: surface(seed="x"), UsageError, "surface: seed is 'x'"),
    "a class to flow": (lambda: sn.explain.flow(sn.nn.Linear, DATA), DTypeError, "flow: the loss is the class Linear"),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPLAIN)
def test_explain(case: str) -> None:
    call, error, message = EXPLAIN[case]
    with pytest.raises(error, match=message):
        call()


def reported(path: Path, subject: object = None, **options: Any) -> object:
    return sn.report(program() if subject is None else subject, path / "page.html", **options)  # type: ignore[arg-type]


WRITING: dict[str, tuple[Callable[[Path], object], type[SymnetError], str]] = {
    "no path": (lambda p: sn.report(program(), None), DTypeError, "report: expected the path of a file"),  # type: ignore[arg-type]
    "a folder": (lambda p: sn.report(program(), p), FileError, "cannot write the report .*directory"),
    "no folder": (lambda p: sn.report(program(), p / "a" / "b.html"), FileError, "there is no folder"),
    "another kind": (lambda p: sn.report(program(), p / "a.pdf"), UsageError, r"'\.pdf', but a report is a page"),
    "a module": (lambda p: reported(p, sn.nn.Linear(3, 2)), UsageError, r"compiled program \(sn.compile\)"),
    "a vector": (lambda p: reported(p, x @ W), ShapeError, "expected a scalar"),
    "nothing trained": (lambda p: reported(p, sn.mean(x)), UsageError, "no trainable parameter"),
    "title": (lambda p: reported(p, title=3), DTypeError, "title is int"),
    "measure": (lambda p: reported(p, measure="yes"), DTypeError, "measure is 'yes', expected True"),
    "measure a loss": (lambda p: reported(p, LOSS, measure=True), UsageError, "measure is for compiled programs"),
    "an input is missing": (lambda p: reported(p, measure={"x": DATA["x"]}), UnknownName, "missing input y"),
    "too many": (lambda p: reported(p, measure={"x": np.ones((9, 3), "float32"), "y": np.ones(9, "float32")}),
                 ShapeError, "compiled for at most 4"),
    "no machine code": (lambda p: reported(p, program("numpy")), Unsupported, "backend='llvm'"),
    "derivation": (lambda p: sn.explain(LOSS, W).to_html(p / "a" / "b.html"), FileError, "there is no folder"),
    "nothing to draw": (lambda p: sn.draw([], p / "a.dot"), UsageError, "nothing to draw"),
    "no file": (lambda p: sn.draw(LOSS, 5), DTypeError, "draw: expected the path of a file, got int"),  # type: ignore[arg-type]
    "suffix": (lambda p: sn.draw(LOSS, p / "a"), UsageError, r"expected \.svg, \.png, \.pdf or \.dot"),
    "mixed": (lambda p: sn.draw([LOSS, 3], p / "a.dot"), DTypeError, "got int"),  # type: ignore[list-item]
    "draw a module": (lambda p: sn.draw(sn.nn.Linear(3, 2), p / "a.dot"), DTypeError, "call the module"),  # type: ignore[arg-type]
    "a picture of it": (lambda p: sn.explain.flow(program(), DATA).plot(3), DTypeError, "flow: expected the path"),  # type: ignore[arg-type]
    "a picture's kind": (lambda p: sn.explain.flow(program(), DATA).plot(p / "a.xyz"), FileError, "'xyz'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRITING)
def test_writing(case: str, tmp_path: Path) -> None:
    call, error, message = WRITING[case]
    with pytest.raises(error, match=message):
        call(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    path.write_text("the one before", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        with pytest.raises(FileError, match="No space left"):
            sn.report(LOSS, path)
    assert path.read_text(encoding="utf-8") == "the one before"
    sn.report(LOSS, path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [found.name for found in tmp_path.iterdir()] == ["page.html"]
