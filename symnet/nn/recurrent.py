"""Recurrent layers: RNN, LSTM and GRU over sequences.

A layer is one `scan` a direction: what the inputs give to all steps is one matrix product before the loop, and a step
is the formula of the cell. Gradients are scans as well, run the other way.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from symnet import ops
from symnet.errors import ShapeError, Unsupported, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Shape
from symnet.expr.node import Expr
from symnet.nn.dropout_functions import dropout
from symnet.nn.module import Module
from symnet.nn.recurrent_cells import (
    GRU_CELL,
    LSTM_CELL,
    Cell,
    State,
    Weights,
    cell_parameters,
    check_sizes,
    pair_of,
    rnn_cell,
    state_of,
)

__all__ = ["GRU", "LSTM", "RNN"]


class _Recurrent(Module):
    """Layers of cells over sequences.

    x        [T, N, input_size]; [N, T, input_size] when batch_first; [T, input_size] for one sequence
    hx       the state at the start, [layers · directions, N, hidden_size] (without N for one sequence); zeros if absent
    lengths  [N] integers: how many steps of each sequence count. The rest is padding: outputs there are 0, and a state
             (also of the reverse direction) is that of the sequence alone, as with torch's packed sequences.

    Gives the outputs of the last layer, [T, N, directions · hidden_size], and the state at the end, of the form of hx.
    """

    def __init__(
        self, cell: Cell, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool,
        dropout: float, bidirectional: bool, proj_size: int, dtype: object,
    ) -> None:  # fmt: skip
        layer = type(self).__name__
        check_sizes(layer, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not isinstance(proj_size, int) or not 0 <= proj_size < hidden_size:
            raise UsageError(f"{layer}: proj_size is from 0 (no projection) to hidden_size - 1, got {proj_size!r}")
        if isinstance(dropout, bool) or not 0.0 <= dropout <= 1.0:
            raise UsageError(f"{layer}: dropout is a probability, got {dropout!r}")
        if dropout and num_layers == 1:
            warnings.warn(f"{layer}: dropout={dropout} acts between layers, and num_layers is 1", stacklevel=3)
        self.cell, self.input_size, self.hidden_size, self.num_layers = cell, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        self.output_size = proj_size or hidden_size
        for index in range(num_layers):
            size = input_size if index == 0 else self.output_size * len(self._directions)
            for suffix in self._directions:
                made = cell_parameters(cell.gates, size, hidden_size, self.output_size, bias, proj_size, dtype)
                for name, node in made.items():
                    setattr(self, f"{name}_l{index}{suffix}", node)

    @property
    def _directions(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def _run(self, input: Any, given: Sequence[Any] | None, lengths: Any) -> tuple[Expr, list[Expr]]:
        """The outputs, and the final value of each state."""
        x, single = self._sequences(input)
        state = self._start(x, given, single)
        counts = self._counts(x, lengths, single)
        finals: list[State] = []
        for index in range(self.num_layers):
            if index:
                x = dropout(x, self.dropout, self.training)
            outputs = []
            for suffix in self._directions:
                start = tuple(part[len(finals)] for part in state)
                output, final = self._scan(self._weights(f"_l{index}{suffix}"), x, start, counts, bool(suffix))
                outputs.append(output)
                finals.append(final)
            x = outputs[0] if len(outputs) == 1 else ops.concat(outputs, axis=-1)
        ends = [ops.stack(parts) for parts in zip(*finals, strict=True)]
        if single:
            return x[:, 0], [end[:, 0] for end in ends]
        return (ops.swapaxes(x, 0, 1) if self.batch_first else x), ends

    def _scan(self, weights: Weights, x: Expr, start: State, counts: Expr | None, reverse: bool) -> tuple[Expr, State]:
        """One direction of one layer: x [T, N, size] -> outputs [T, N, output_size], final state."""
        slices = {"inputs": self.cell.inputs(weights, x)}
        if counts is not None:
            slices["inside"] = ops.cast(ops.arange(x.shape[0]), counts.dtype)[:, None, None] < counts[:, None]

        def cell(state: State, at: dict[str, Expr]) -> tuple[State, Expr]:
            new = self.cell.step(weights, at["inputs"], state)
            if counts is None:
                return new, new[0]
            kept = tuple(ops.where(at["inside"], after, before) for after, before in zip(new, state, strict=True))
            return kept, ops.where(at["inside"], new[0], 0.0)

        outputs, final = ops.scan(cell, start, slices, reverse=reverse)
        return outputs, final

    def _weights(self, suffix: str) -> Weights:
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else [])]
        names += ["weight_hr"] if self.proj_size else []
        return Weights(**{name: getattr(self, name + suffix) for name in names})

    def _sequences(self, input: Any) -> tuple[Expr, bool]:
        """The input as [T, N, input_size], and whether it was one sequence."""
        layer = type(self).__name__
        if type(input).__name__ == "PackedSequence":
            raise Unsupported(f"{layer}: got a PackedSequence; give the padded array and lengths=[N] instead")
        x = ops.constant(input)
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            form = "N, T" if self.batch_first else "T, N"
            raise ShapeError(
                f"{layer}: expected an input [{form}, {self.input_size}] or [T, {self.input_size}], "
                f"got {dims.show(x.shape)}"
            )
        if x.ndim == 2:
            return x[:, None], True
        return (ops.swapaxes(x, 0, 1) if self.batch_first else x), False

    def _start(self, x: Expr, given: Sequence[Any] | None, single: bool) -> State:
        lead: Shape = (self.num_layers * len(self._directions), *(() if single else (x.shape[1],)))
        sizes = (self.output_size, self.hidden_size)[: self.cell.states]
        state = state_of(type(self).__name__, given, [(*lead, size) for size in sizes], x.dtype)
        return tuple(part[:, None] for part in state) if single else state

    def _counts(self, x: Expr, lengths: Any, single: bool) -> Expr | None:
        if lengths is None:
            return None
        counts = ops.constant(lengths)
        if counts.dtype not in dtypes.INTS or counts.shape != (() if single else (x.shape[1],)):
            form = "one integer" if single else f"integers [{x.shape[1]}]"
            raise ShapeError(
                f"{type(self).__name__}: lengths are {counts.dtype}{dims.show(counts.shape)}, expected {form}"
            )
        return ops.reshape(counts, (1,)) if single else counts

    def extra_repr(self) -> str:
        settings = {
            "proj_size": (self.proj_size, 0), "num_layers": (self.num_layers, 1), "bias": (self.bias, True),
            "batch_first": (self.batch_first, False), "dropout": (self.dropout, 0.0),
            "bidirectional": (self.bidirectional, False),
        }  # fmt: skip
        shown = [f", {name}={value}" for name, (value, default) in settings.items() if value != default]
        return f"{self.input_size}, {self.hidden_size}{''.join(shown)}"


class RNN(_Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or relu in the place of tanh.

    `rnn(x, h0)` gives (outputs, h_n): x [T, N, input_size] ([N, T, input_size] when batch_first; [T, input_size] for
    one sequence), outputs [T, N, directions · hidden_size], h0 (zeros if absent) and h_n [layers · directions, N,
    hidden_size]. `lengths=` [N] says how many steps of each sequence count: outputs at the others are 0, and states are
    those of the sequence alone. dropout acts on the outputs of all layers but the last.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *, dtype: object = "float32",
    ) -> None:  # fmt: skip
        cell = rnn_cell(nonlinearity)
        super().__init__(cell, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None, *, lengths: Any = None) -> tuple[Expr, Expr]:
        output, (h,) = self._run(input, None if hx is None else [hx], lengths)
        return output, h


class LSTM(_Recurrent):
    """(i, f, g, o) = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh;  c_t = σ(f) c_{t-1} + σ(i) tanh(g);  h_t = σ(o) tanh(c_t).

    `lstm(x, (h0, c0))` gives (outputs, (h_n, c_n)), of the forms that `RNN` tells. With a proj_size the output of a
    step is W_hr h_t, of that size.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, *, dtype: object = "float32",
    ) -> None:  # fmt: skip
        super().__init__(
            LSTM_CELL, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, dtype
        )

    def forward(self, input: Any, hx: Any = None, *, lengths: Any = None) -> tuple[Expr, tuple[Expr, Expr]]:
        output, (h, c) = self._run(input, pair_of("LSTM", hx), lengths)
        return output, (h, c)


class GRU(_Recurrent):
    """r = σ(x_r + h_r);  z = σ(x_z + h_z);  n = tanh(x_n + r h_n);  h_t = (1 - z) n + z h_{t-1},
    with (x_r, x_z, x_n) = W_ih x_t + b_ih and (h_r, h_z, h_n) = W_hh h_{t-1} + b_hh.

    `gru(x, h0)` gives (outputs, h_n), of the forms that `RNN` tells.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, *, dtype: object = "float32",
    ) -> None:  # fmt: skip
        super().__init__(
            GRU_CELL, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, dtype
        )

    def forward(self, input: Any, hx: Any = None, *, lengths: Any = None) -> tuple[Expr, Expr]:
        output, (h,) = self._run(input, None if hx is None else [hx], lengths)
        return output, h
