"""What one step of a recurrent layer is: the formulas of RNN, LSTM and GRU, and the layers that are one step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from symnet import ops
from symnet.errors import DTypeError, ShapeError, UsageError, nearest
from symnet.expr import dims
from symnet.expr.dims import Shape
from symnet.expr.node import Expr
from symnet.nn import init
from symnet.nn.linear_functions import linear
from symnet.nn.module import Module, Parameter

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]

State = tuple[Expr, ...]
NONLINEARITIES: dict[str, Callable[[Expr], Expr]] = {"tanh": ops.tanh, "relu": ops.relu}


@dataclass(frozen=True)
class Weights:
    """The parameters of one cell, as torch.nn calls them; biases and the projection may be absent."""

    weight_ih: Expr
    weight_hh: Expr
    bias_ih: Expr | None = None
    bias_hh: Expr | None = None
    weight_hr: Expr | None = None

    def of_input(self, x: Expr) -> Expr:
        """x W_ihᵀ + b_ih."""
        return linear(x, self.weight_ih, self.bias_ih)

    def of_input_with_both_biases(self, x: Expr) -> Expr:
        """x W_ihᵀ + b_ih + b_hh, for the cells that add everything up."""
        if self.bias_ih is None or self.bias_hh is None:
            return self.of_input(x)
        return linear(x, self.weight_ih, self.bias_ih + self.bias_hh)

    def of_hidden(self, h: Expr) -> Expr:
        """h W_hhᵀ."""
        return linear(h, self.weight_hh)

    def of_hidden_with_bias(self, h: Expr) -> Expr:
        """h W_hhᵀ + b_hh."""
        return linear(h, self.weight_hh, self.bias_hh)

    def projected(self, h: Expr) -> Expr:
        """h W_hrᵀ, or h itself without a projection."""
        return h if self.weight_hr is None else linear(h, self.weight_hr)


@dataclass(frozen=True)
class Cell:
    """What makes a kind of recurrent layer.

    gates   how many blocks of hidden_size rows the weights have
    states  how many arrays are carried from step to step; the first is the output
    inputs  (weights, x) -> the inputs' part of all gates
    step    (weights, the inputs' part, state) -> the next state
    """

    gates: int
    states: int
    inputs: Callable[[Weights, Expr], Expr]
    step: Callable[[Weights, Expr, State], State]


# --- the formulas ------------------------------------------------------------------------------------------------


def rnn_cell(nonlinearity: str) -> Cell:
    """The cell of an RNN with "tanh" or "relu"."""
    if nonlinearity not in NONLINEARITIES:
        raise UsageError(f"there is no nonlinearity {nonlinearity!r}{nearest(nonlinearity, NONLINEARITIES)}")
    return Cell(1, 1, Weights.of_input_with_both_biases, partial(_rnn_step, nonlinearity))


def _rnn_step(nonlinearity: str, weights: Weights, inputs: Expr, state: State) -> State:
    """h′ = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu in the place of tanh."""
    (h,) = state
    return (NONLINEARITIES[nonlinearity](inputs + weights.of_hidden(h)),)


def _lstm_step(weights: Weights, inputs: Expr, state: State) -> State:
    """(s_i, s_f, s_g, s_o) = W_ih x + b_ih + W_hh h + b_hh;
    i = σ(s_i);  f = σ(s_f);  g = tanh(s_g);  o = σ(s_o);  c′ = f c + i g;  h′ = o tanh(c′)."""
    h, c = state
    s_i, s_f, s_g, s_o = _split(ops.name("s", inputs + weights.of_hidden(h)), 4)
    i, f = ops.name("i", ops.sigmoid(s_i)), ops.name("f", ops.sigmoid(s_f))
    g, o = ops.name("g", ops.tanh(s_g)), ops.name("o", ops.sigmoid(s_o))
    c = f * c + i * g
    return weights.projected(o * ops.tanh(c)), c


def _gru_step(weights: Weights, inputs: Expr, state: State) -> State:
    """r = σ(x_r + h_r);  z = σ(x_z + h_z);  n = tanh(x_n + r h_n);  h′ = (1 - z) n + z h,
    with (x_r, x_z, x_n) = W_ih x + b_ih and (h_r, h_z, h_n) = W_hh h + b_hh."""
    (h,) = state
    x_r, x_z, x_n = _split(inputs, 3)
    h_r, h_z, h_n = _split(ops.name("s", weights.of_hidden_with_bias(h)), 3)
    r, z = ops.name("r", ops.sigmoid(x_r + h_r)), ops.name("u", ops.sigmoid(x_z + h_z))
    n = ops.name("n", ops.tanh(x_n + r * h_n))
    return ((1.0 - z) * n + z * h,)


LSTM_CELL = Cell(4, 2, Weights.of_input_with_both_biases, _lstm_step)
GRU_CELL = Cell(3, 1, Weights.of_input, _gru_step)


def _split(x: Expr, parts: int) -> list[Expr]:
    return ops.split(x, parts, axis=-1)


# --- cells -------------------------------------------------------------------------------------------------------


class _CellModule(Module):
    """One step as a layer: x [N, input_size] or [input_size], and the state of that form (zeros if not given)."""

    weight_ih: Expr
    weight_hh: Expr
    bias_ih: Expr | None
    bias_hh: Expr | None
    cell: Cell

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, bias: bool, dtype: object) -> None:
        check_sizes(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.cell, self.input_size, self.hidden_size, self.bias = cell, input_size, hidden_size, bias
        for name, node in cell_parameters(cell.gates, input_size, hidden_size, hidden_size, bias, 0, dtype).items():
            setattr(self, name, node)
        if not bias:
            self.bias_ih = self.bias_hh = None

    def _next(self, input: Any, given: Sequence[Any] | None) -> State:
        layer, x = type(self).__name__, ops.constant(input)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{layer}: expected an input [N, {self.input_size}] or [{self.input_size}], got {dims.show(x.shape)}"
            )
        shape = (*x.shape[:-1], self.hidden_size)
        state = state_of(layer, given, [shape] * self.cell.states, x.dtype)
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return self.cell.step(weights, self.cell.inputs(weights, x), state)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}{'' if self.bias else ', bias=False'}"


class RNNCell(_CellModule):
    """h′ = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu in the place of tanh; called as `cell(x, h)`."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *,
        dtype: object = "float32",
    ) -> None:  # fmt: skip
        super().__init__(rnn_cell(nonlinearity), input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Expr:
        return self._next(input, None if hx is None else [hx])[0]

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(_CellModule):
    """(i, f, g, o) = W_ih x + b_ih + W_hh h + b_hh;  c′ = σ(f) c + σ(i) tanh(g);  h′ = σ(o) tanh(c′).

    Called as `cell(x, (h, c))`; gives (h′, c′).
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: object = "float32") -> None:
        super().__init__(LSTM_CELL, input_size, hidden_size, bias, dtype)

    def forward(self, input: Any, hx: Any = None) -> tuple[Expr, Expr]:
        h, c = self._next(input, pair_of("LSTMCell", hx))
        return h, c


class GRUCell(_CellModule):
    """r = σ(x_r + h_r);  z = σ(x_z + h_z);  n = tanh(x_n + r h_n);  h′ = (1 - z) n + z h,
    with (x_r, x_z, x_n) = W_ih x + b_ih and (h_r, h_z, h_n) = W_hh h + b_hh; called as `cell(x, h)`."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: object = "float32") -> None:
        super().__init__(GRU_CELL, input_size, hidden_size, bias, dtype)

    def forward(self, input: Any, hx: Any = None) -> Expr:
        return self._next(input, None if hx is None else [hx])[0]


# --- what they share ---------------------------------------------------------------------------------------------


def cell_parameters(
    gates: int, input_size: int, hidden_size: int, output_size: int, bias: bool, proj_size: int, dtype: object
) -> dict[str, Expr]:
    """The parameters of one cell by torch.nn's names, uniform within ±1 / √hidden_size."""
    bound = 1.0 / math.sqrt(hidden_size)
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih": (gates * hidden_size, input_size),
        "weight_hh": (gates * hidden_size, output_size),
    }
    if bias:
        shapes |= {"bias_ih": (gates * hidden_size,), "bias_hh": (gates * hidden_size,)}
    if proj_size:
        shapes["weight_hr"] = (proj_size, hidden_size)
    return {name: Parameter(shape, init.uniform(-bound, bound), dtype) for name, shape in shapes.items()}


def check_sizes(layer: str, **sizes: object) -> None:
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise UsageError(f"{layer}: {name} is a whole number from 1, got {size!r}")


def pair_of(layer: str, hx: Any) -> Sequence[Any] | None:
    if hx is not None and not (isinstance(hx, (tuple, list)) and len(hx) == 2):
        raise DTypeError(f"{layer}: the state is a pair (h, c), got {type(hx).__name__}")
    return hx


def state_of(layer: str, given: Sequence[Any] | None, shapes: Sequence[Shape], dtype: str) -> State:
    """The state that was given, or zeros."""
    if given is None:
        return tuple(ops.zeros(shape, dtype=dtype) for shape in shapes)
    state = tuple(map(ops.constant, given))
    for node, shape in zip(state, shapes, strict=True):
        if node.shape != shape or node.dtype != dtype:
            raise ShapeError(
                f"{layer}: got a state {node.dtype}{dims.show(node.shape)}, expected {dtype}{dims.show(shape)} "
                "as the input has it"
            )
    return state
