"""The loss and the metrics of a whole data set, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from symnet.errors import UsageError
from symnet.program.rows import joined
from symnet.runtime.arrays import Array
from symnet.train.metrics.base import Chosen, Figure, Value, Whole
from symnet.train.sources import Pace

if TYPE_CHECKING:
    from symnet.program.program import Program
    from symnet.train.sources import Source

PIECE_BYTES = 1 << 22
"""How much the outputs for one piece of the rows may take, if that is more than one batch."""

Piece = tuple[Mapping[str, Array], Mapping[str, Array], int]
"""Outputs, inputs, rows."""


def evaluate(program: Program, source: Source, chosen: Sequence[Chosen], with_loss: bool) -> dict[str, Value]:
    """The figures (and the loss first) of all rows, with their inference meaning.

    Rows are evaluated in pieces of bounded size and forgotten, unless a plain function is among the metrics, or
    what is asked for does not follow from pieces: then all rows that lie in memory are evaluated at once. The loss of
    an iterable of batches is put together from that of each batch, weighted by its rows if it is a mean.
    """
    figures = [figure for figure in chosen if isinstance(figure, Figure)]
    functions = [figure for figure in chosen if isinstance(figure, Whole)]
    needed = {figure.output for figure in figures} | ({"loss"} if with_loss else set())
    joins = program.joins("evaluate")
    together = bool(functions) or any(joins.get(name) == "whole" for name in needed)
    data = source.everything() if together else None
    pace = Pace()
    pieces = [(data, program.rows_of(data))] if data is not None else source.pieces(pace)
    for figure in figures:
        figure.metric.reset()
    losses: list[Array] = []
    counts: list[int] = []
    kept: list[Piece] = []
    for inputs, rows in pieces:
        outputs = program.evaluate(**inputs)
        if "whole" not in joins.values():
            pace.steps = max(1, pace.steps * PIECE_BYTES // sum(value.nbytes for value in outputs.values()))
        losses.append(outputs["loss"])
        counts.append(rows)
        for figure in figures:
            figure.update(outputs, inputs)
        if functions:
            kept.append((outputs, inputs, rows))
    if program.joins("evaluate") != joins:  # the data has made the program exact: pieces count in another way there
        return evaluate(program, source, chosen, with_loss)
    if not counts:
        raise UsageError("fit: there is no batch to evaluate")
    found: dict[str, Value] = {}
    if with_loss:
        join = joins.get("loss", "mean")
        found["loss"] = float(joined(losses, counts, "mean" if join == "whole" else join))
    outputs, inputs = _put_together(program, kept) if functions else ({}, {})
    for one in chosen:
        value = one.metric.result() if isinstance(one, Figure) else one.function(outputs, inputs)
        found[one.name] = value if isinstance(value, np.ndarray) and value.ndim else float(value)
    return found


def _put_together(program: Program, kept: Sequence[Piece]) -> tuple[dict[str, Array], dict[str, Array]]:
    """All outputs (but the loss) and inputs of consecutive pieces."""
    joins = program.joins("evaluate")
    counts = [rows for _, _, rows in kept]
    outputs: dict[str, Array] = {}
    for name in program.outputs:
        pieces = [found[name] for found, _, _ in kept]
        join = joins.get(name, "whole")
        if len(pieces) > 1 and join == "whole":
            raise UsageError(
                f"fit: the output {name!r} depends on all rows together, and the data comes in batches: a function as "
                "a metric cannot be computed; give the data as arrays"
            )
        outputs[name] = pieces[0] if len(pieces) == 1 else joined(pieces, counts, join)
    first = kept[0][1]
    batched = program.batched
    inputs = {name: np.concatenate([data[name] for _, data, _ in kept]) if name in batched and len(kept) > 1
              else np.asarray(first[name]) for name in first}  # fmt: skip
    return outputs, inputs
