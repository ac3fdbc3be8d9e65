"""A picture of a graph in layers, laid out by NetworkX and drawn by matplotlib: what there is without Graphviz."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any

import matplotlib.figure
import networkx  # type: ignore[import-untyped]
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Line
from matplotlib.transforms import Bbox

from symnet.expr.node import Expr
from symnet.expr.traverse import postorder, users

Point = Expr | tuple[Expr, Expr, int]
"""A node, or where an edge (from, to) passes a layer."""
SWEEPS = 6
WIDTH, HEIGHT = 1.3, 1.05
"""Inches for a node in its layer, and for a layer."""


def figure_of(
    roots: Sequence[Expr], label: Callable[[Expr], str], fill: Callable[[Expr], str]
) -> matplotlib.figure.Figure:
    """The graph of `roots`, which have a dark frame."""
    order = postorder(roots)
    layers = _layers(order, roots)
    ways = [_way(arg, node, layers) for node in order for arg in node.args]
    rows = _arranged(order, ways, layers)
    graph = networkx.Graph()
    graph.add_nodes_from(chain.from_iterable(rows))
    by_layer = {-place: row for place, row in enumerate(rows)}
    places = networkx.multipartite_layout(graph, subset_key=by_layer, align="horizontal")
    widest = max(map(len, rows))
    figure = matplotlib.figure.Figure(figsize=(max(3.0, WIDTH * widest), HEIGHT * (max(layers.values()) + 1)))
    axes = figure.subplots()
    axes.axis("off")
    boxes: dict[Point, Any] = {}
    for node in order:
        box = {"boxstyle": "round", "fc": fill(node), "ec": "#222222" if node in set(roots) else "#999999"}
        x, y = places[node]
        boxes[node] = axes.text(x, y, label(node), ha="center", va="center", fontsize=8, bbox=box, zorder=3)
    axes.set(xlim=_around(places, 0), ylim=_around(places, 1))
    figure.draw_without_rendering()  # the boxes know their sizes after that
    for way in ways:
        *line, before, end = (places[point] for point in way)
        line = [*line, before]
        if len(line) > 1:
            axes.add_patch(PathPatch(Line(line), fc="none", ec="#888888", lw=0.9, zorder=1))
        frame = boxes[way[-1]].get_bbox_patch()
        last, middle = axes.transData.transform([before, end])
        edge = _entry(last, middle, frame.get_window_extent())
        tip = axes.transData.inverted().transform(edge)
        style = {"arrowstyle": "-|>", "color": "#888888", "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (tip[0], tip[1]), before, arrowprops=style, zorder=2)
    return figure


def _entry(start: Sequence[float], end: Sequence[float], box: Bbox) -> tuple[float, float]:
    """Where the line from `start` to `end`, the middle of a box, meets its edge."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    inside = min(box.width / 2 / abs(dx) if dx else 1.0, box.height / 2 / abs(dy) if dy else 1.0, 1.0)
    return end[0] - inside * dx, end[1] - inside * dy


def _around(places: dict[Point, Sequence[float]], axis: int) -> tuple[float, float]:
    values = [float(place[axis]) for place in places.values()]
    margin = 0.06 * (max(values) - min(values)) or 1.0
    return min(values) - margin, max(values) + margin


def _way(source: Expr, target: Expr, layers: dict[Expr, int]) -> list[Point]:
    """From a node to one below it, through a point in every layer between them."""
    return [source, *((source, target, layer) for layer in range(layers[source] + 1, layers[target])), target]


def _arranged(order: Sequence[Expr], ways: Sequence[Sequence[Point]], layers: dict[Expr, int]) -> list[list[Point]]:
    """The points of each layer from left to right: each near the middle of those it is tied to above, then below."""
    rows: list[dict[Point, None]] = [{} for _ in range(max(layers.values()) + 1)]
    above: dict[Point, list[Point]] = {}
    below: dict[Point, list[Point]] = {}
    for node in order:
        rows[layers[node]][node] = None
    for way in ways:
        for first, second in pairwise(way):
            below.setdefault(first, []).append(second)
            above.setdefault(second, []).append(first)
            if isinstance(second, tuple):
                rows[second[2]][second] = None
    sorted_rows = [list(row) for row in rows]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        ties = above if down else below
        previous: dict[Point, float] = {}
        for row in sorted_rows if down else reversed(sorted_rows):
            wanted = {point: _middle(point, ties, previous, place / len(row)) for place, point in enumerate(row)}
            row.sort(key=wanted.__getitem__)
            previous.update((point, (place + 0.5) / len(row)) for place, point in enumerate(row))
    return sorted_rows


def _middle(point: Point, ties: dict[Point, list[Point]], known: dict[Point, float], otherwise: float) -> float:
    found = [known[tie] for tie in ties.get(point, ()) if tie in known]
    return sum(found) / len(found) if found else otherwise


def _layers(order: Sequence[Expr], roots: Sequence[Expr]) -> dict[Expr, int]:
    """How far down each node stands: below all of its operands; leaves right above what uses them first."""
    layer: dict[Expr, int] = {}
    for node in order:
        layer[node] = max((layer[arg] + 1 for arg in node.args), default=0)
    above = users(roots)
    for node in order:
        found = [layer[user] for user in above.get(node, ())]
        if not node.args and found:
            layer[node] = min(found) - 1
    return layer
