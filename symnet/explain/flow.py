"""How the gradient flows: its size at every layer on the way back from the loss, and at every parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet import ops
from symnet.explain import text
from symnet.explain.naming import Names, find_layers, name_layers, name_leaves
from symnet.explain.surface import at_point
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves, postorder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symnet.program.program import Program


@dataclass(frozen=True)
class Part:
    """One value and the derivative of the loss by it.

    name   as in formulas: z₁, h₁, W₁
    label  what else it is called: the parameter's name
    kind   "layer" or "parameter"
    size   root of the mean of the squares of the derivative's elements
    norm   root of the sum of their squares
    ratio  norm of the derivative over that of the value itself
    """

    name: str
    label: str
    kind: str
    size: float
    norm: float
    ratio: float


@dataclass(frozen=True, eq=False)
class Flow:
    """The layers, then the parameters, each in the order of computation: from the input to the loss."""

    parts: list[Part]

    @property
    def layers(self) -> list[Part]:
        return [part for part in self.parts if part.kind == "layer"]

    @property
    def parameters(self) -> list[Part]:
        return [part for part in self.parts if part.kind == "parameter"]

    def __str__(self) -> str:
        width = max((len(part.name) for part in self.parts), default=0)
        lines = [f"{'':{width}}  {'norm':>10}  {'size':>10}  {'norm / value':>12}"]
        for part in self.parts:
            note = "" if part.label == part.name else f"   {part.label}"
            lines.append(f"{part.name:{width}}  {part.norm:10.3e}  {part.size:10.3e}  {part.ratio:12.3e}{note}")
        return "\n".join(lines)

    __repr__ = __str__

    def plot(self, path: str | Path | None = None) -> Figure:
        """Two rows of bars, on a logarithmic scale: the size of the gradient at the layers and at the parameters."""
        from symnet.program.checkpoint import as_path
        from symnet.train.plots import COLOURS, blank, save

        target = None if path is None else as_path(path, "flow")
        both = (("layers", self.layers), ("parameters", self.parameters))
        groups = [(title, parts) for title, parts in both if parts]
        longest = max((len(parts) for _, parts in groups), default=1)
        figure, axes = blank(max(6.0, 1.5 + 0.38 * longest), 2.4 * max(1, len(groups)), nrows=max(1, len(groups)))
        for one, (title, parts), colour in zip(np.ravel(axes), groups, COLOURS, strict=False):
            sizes = np.array([part.size for part in parts])
            places = np.arange(len(parts))
            one.bar(places, sizes, color=colour, width=0.7)
            if np.any(sizes > 0):
                one.set_yscale("log")
                one.set_ylim(sizes[sizes > 0].min() / 3, sizes.max() * 3)
            one.set_xticks(places, [part.name for part in parts], rotation=90 if len(parts) > 14 else 0, fontsize=8)
            one.set_ylabel("size of the gradient", fontsize=9)
            one.tick_params(axis="y", which="both", labelsize=8)
            one.set_title(f"at the {title}, from the input to the loss", fontsize=9, loc="left")
            one.grid(axis="x", visible=False)
        if target is not None:
            save(figure, target)
        return figure


def flow(loss: Expr | Program, values: Mapping[str, Any]) -> Flow:
    """The size of ∂loss/∂v for every layer's value v and every parameter, at a point.

    `loss` and `values` are as for `sn.explain.surface`: an expression with arrays for all that it depends on, or a
    compiled program (as it is evaluated) with arrays for its inputs.
    """
    from symnet.derive import grad
    from symnet.program import function

    expression, given = at_point(loss, values, "flow")
    names = Names()
    name_leaves(names, [expression])
    layers = find_layers(expression)
    name_layers(names, layers)
    trained = [leaf for leaf in leaves([expression], "parameter") if leaf.attrs["trainable"]]
    inner = [node for node in postorder([expression]) if node in layers.z or node in layers.h]
    nodes = [*inner, *trained]
    if not nodes:
        return Flow([])
    results = []
    for node, derivative in zip(nodes, grad(expression, nodes), strict=True):
        results += [_squares(derivative, "mean"), _squares(derivative, "sum"), _squares(node, "sum")]
    numbers = [float(np.asarray(value)) for value in function(list(given), results)(*given.values())]
    parts = []
    for place, node in enumerate(nodes):
        mean, total, own = np.sqrt(numbers[3 * place : 3 * place + 3])
        name = text.write(names.forms[node])
        label = str(node.name) if node.name is not None else name
        kind = "parameter" if node.op == "parameter" else "layer"
        parts.append(Part(name, label, kind, float(mean), float(total), float(total / own) if own else np.inf))
    return Flow(parts)


def _squares(value: Expr, how: str) -> Expr:
    squares = ops.square(ops.cast(value, "float64"))
    return ops.mean(squares) if how == "mean" else ops.sum(squares)
