"""Pictures of graphs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import symnet as sn
from symnet.errors import DTypeError, FileError, Unsupported, UsageError
from symnet.expr.traverse import postorder


def _expression() -> sn.Expr:
    x, W = sn.input("x", ("N", 4)), sn.parameter("W1", (4, 3))
    return sn.name('a "quoted" name', sn.relu(x @ W + 1.0))


def test_dot_has_every_node_and_edge(tmp_path: Path) -> None:
    expression = _expression()
    text = sn.draw(expression, tmp_path / "graph.dot").read_text()
    nodes = postorder([expression])
    assert text.startswith("digraph {")
    assert text.count(" -> n") == sum(len(node.args) for node in nodes)
    assert text.count("[label=") == len(nodes) + sum(len(node.args) for node in nodes if len(node.args) > 1)
    assert "W₁\\nparameter\\nf32[4, 3]" in text
    assert 'a \\"quoted\\" name' in text


def test_several_expressions_share_a_picture(tmp_path: Path) -> None:
    x = sn.input("x", (3,))
    text = sn.draw([sn.sin(x), sn.cos(x)], tmp_path / "graph.gv").read_text()
    assert text.count("peripheries=2") == 2
    assert text.count("input") == 1


def test_loops_can_be_drawn(tmp_path: Path) -> None:
    ys, _ = sn.scan(lambda h, x: h + x, init=sn.input("h", (2,)), xs=sn.input("xs", (5, 2)))
    assert "scan" in sn.draw(ys, tmp_path / "loop.dot").read_text()


def test_svg_needs_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("dot"):
        assert "<svg" in sn.draw(_expression(), tmp_path / "graph.svg").read_text()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unsupported, match=r"needs Graphviz's program 'dot'.*or write 'graph\.dot'"):
        sn.draw(_expression(), tmp_path / "graph.svg")


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"suffix '\.jpg', expected"):
        sn.draw(_expression(), tmp_path / "graph.jpg")
    with pytest.raises(DTypeError, match="draw: got int"):
        sn.draw([1], tmp_path / "graph.dot")
    with pytest.raises(FileError, match="cannot write"):
        sn.draw(_expression(), tmp_path / "nowhere" / "graph.dot")
