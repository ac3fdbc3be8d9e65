"""Pictures of graphs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import symnet as sn
from symnet.errors import DTypeError, FileError, Unsupported, UsageError
from symnet.expr.traverse import postorder
from tests.symnet.explain.programs import digits_mlp


def _expression() -> sn.Expr:
    x, W = sn.input("x", ("N", 4)), sn.parameter("W1", (4, 3))
    return sn.name('a "quoted" name', sn.relu(x @ W + 1.0))


def test_dot_has_every_node_and_edge(tmp_path: Path) -> None:
    expression = _expression()
    text = sn.draw(expression, tmp_path / "graph.dot").read_text()
    nodes = postorder([expression])
    assert text.startswith("digraph {")
    assert text.count(" -> n") == sum(len(node.args) for node in nodes)
    assert text.count('fillcolor="#') == len([node for node in nodes if not node.args])
    assert "W₁\\nparameter\\nf32[4, 3]" in text
    assert "x W₁\\nf32[N, 3]" in text  # what an operation does, in names
    assert "a_{quoted,name}\\nrelu(" in text  # a name that could be read as something else gets a symbol


def test_a_derivation_is_drawn_with_its_gradients(tmp_path: Path) -> None:
    loss, wrt = digits_mlp()
    text = sn.draw(sn.explain(loss, wrt), tmp_path / "graph.dot").read_text()
    assert text.count("peripheries=2") == 1 + len(wrt)
    for line in ("L\\n", "∂L/∂W₁\\nδ₁ᵀ x\\nf32[32, 64]", "δ₂\\n· / N\\nf32[N, 10]", "h₁\\nrelu(z₁)"):
        assert f'label="{line}' in text


def test_a_program_is_drawn_as_its_loss(tmp_path: Path) -> None:
    x, w = sn.input("x", ("N", 2)), sn.parameter("w", (2,))
    program = sn.compile(sn.mean(sn.square(x @ w)), sn.optim.SGD(lr=0.1), batch={"N": 2}, backend="numpy")
    assert "x w\\nf32[N]" in sn.draw(program, tmp_path / "graph.dot").read_text()


def test_several_expressions_share_a_picture(tmp_path: Path) -> None:
    x = sn.input("x", (3,))
    text = sn.draw([sn.sin(x), sn.cos(x)], tmp_path / "graph.gv").read_text()
    assert text.count("peripheries=2") == 2
    assert text.count("input") == 1


def test_loops_can_be_drawn(tmp_path: Path) -> None:
    ys, _ = sn.scan(lambda h, x: h + x, init=sn.input("h", (2,)), xs=sn.input("xs", (5, 2)))
    assert "scan" in sn.draw(ys, tmp_path / "loop.dot").read_text()


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_lays_out(tmp_path: Path) -> None:
    assert "<svg" in sn.draw(_expression(), tmp_path / "graph.svg").read_text()


def test_without_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("networkx")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    loss, wrt = digits_mlp()
    assert "<svg" in sn.draw(sn.explain(loss, wrt), tmp_path / "graph.svg").read_text()
    assert sn.draw(loss, tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.delitem(sys.modules, "symnet.explain.layered")
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(Unsupported, match=r"needs Graphviz's program 'dot'.*or write 'graph\.dot'"):
        sn.draw(loss, tmp_path / "graph.svg")


def test_layers_have_every_edge_and_no_order_by_chance() -> None:
    pytest.importorskip("networkx")
    layered = pytest.importorskip("symnet.explain.layered")
    loss, wrt = digits_mlp()
    roots = [loss, *sn.grad(loss, wrt)]
    figure = layered.figure_of(roots, lambda node: node.op, lambda node: "white")
    arrows = [text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None) is not None]
    assert len(arrows) == sum(len(node.args) for node in postorder(roots))
    layers = layered._layers(postorder(roots), roots)
    for node in postorder(roots):
        assert all(layers[arg] < layers[node] for arg in node.args)
    places = [[text.get_position() for text in figure.axes[0].texts]]
    again = layered.figure_of(roots, lambda node: node.op, lambda node: "white")
    places.append([text.get_position() for text in again.axes[0].texts])
    assert places[0] == places[1]


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"suffix '\.jpg', expected"):
        sn.draw(_expression(), tmp_path / "graph.jpg")
    with pytest.raises(DTypeError, match="draw: got int"):
        sn.draw([1], tmp_path / "graph.dot")
    with pytest.raises(FileError, match="cannot write"):
        sn.draw(_expression(), tmp_path / "nowhere" / "graph.dot")
