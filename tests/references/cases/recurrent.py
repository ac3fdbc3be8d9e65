"""RNN, LSTM and GRU and their cells: every argument, states given and not, one sequence, padded batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.references.case import Arrays, Case
from tests.references.layers import layer_case

T, N, I, H = 4, 2, 3, 4


def _case(
    layer: str, *, given: bool = False, single: bool = False, steps: int = T, batch: int = N, **settings: Any
) -> Case:
    """A layer on [T, N, I]; with its states when `given`; on one sequence [T, I] when `single`."""
    lead = settings.get("num_layers", 1) * (2 if settings.get("bidirectional") else 1)
    sizes = {"h0": settings.get("proj_size", 0) or H, "c0": H}
    states = (["h0", "c0"] if layer == "LSTM" else ["h0"]) if given else []

    def inputs(rng: np.random.Generator) -> Arrays:
        shape: tuple[int, ...] = (batch, steps, I) if settings.get("batch_first") else (steps, batch, I)
        middle: tuple[int, ...] = (batch,)
        if single:
            shape, middle = (steps, I), ()
        return {
            "x": rng.normal(size=shape),
            **{name: rng.normal(size=(lead, *middle, sizes[name])) for name in states},
        }

    def call(module: Any, arrays: dict[str, Any]) -> Any:
        if not states:
            return module(arrays["x"])
        found = tuple(arrays[name] for name in states)
        return module(arrays["x"], found if layer == "LSTM" else found[0])

    noted = [*(["one sequence"] if single else []), *(["states given"] if given else [])]
    noted += [f"T={steps}"] * (steps != T) + [f"N={batch}"] * (batch != N)
    return layer_case(layer, I, H, inputs=inputs, call=call, note=", ".join(noted), **settings)


def _cell(layer: str, *, given: bool, single: bool = False, **settings: Any) -> Case:
    states = (["h", "c"] if layer == "LSTMCell" else ["h"]) if given else []
    lead = () if single else (N,)

    def inputs(rng: np.random.Generator) -> Arrays:
        return {"x": rng.normal(size=(*lead, I)), **{name: rng.normal(size=(*lead, H)) for name in states}}

    def call(module: Any, arrays: dict[str, Any]) -> Any:
        if not states:
            return module(arrays["x"])
        found = tuple(arrays[name] for name in states)
        return module(arrays["x"], found if layer == "LSTMCell" else found[0])

    note = f"{'one row' if single else 'rows'}, state {'given' if given else 'absent'}"
    return layer_case(layer, I, H, inputs=inputs, call=call, note=note, **settings)


def _padded(layer: str, **settings: Any) -> Case:
    """lengths= beside torch's packed sequences."""
    lengths = [3, 4, 1]

    def inputs(rng: np.random.Generator) -> Arrays:
        shape = (len(lengths), T, I) if settings.get("batch_first") else (T, len(lengths), I)
        return {"x": rng.normal(size=shape), "lengths": np.array(lengths)}

    def call(module: Any, arrays: dict[str, Any]) -> Any:
        if type(module).__module__.startswith("symnet"):
            return module(arrays["x"], lengths=arrays["lengths"])
        from torch.nn.utils import rnn

        how = settings.get("batch_first", False)
        packed = rnn.pack_padded_sequence(arrays["x"], arrays["lengths"], batch_first=how, enforce_sorted=False)
        output, state = module(packed)
        return rnn.pad_packed_sequence(output, batch_first=how)[0], state

    return layer_case(layer, I, H, inputs=inputs, call=call, note="padded", **settings)


def _kinds() -> list[tuple[str, dict[str, Any]]]:
    return [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {})]


_GRID: list[Callable[[str, dict[str, Any]], Case]] = [
    lambda layer, how: _case(layer, **how),
    lambda layer, how: _case(layer, given=True, **how),
    lambda layer, how: _case(layer, bias=False, batch_first=True, **how),
    lambda layer, how: _case(layer, num_layers=2, bidirectional=True, given=True, **how),
    lambda layer, how: _case(layer, single=True, bidirectional=True, **how),
    lambda layer, how: _case(layer, single=True, given=True, num_layers=2, **how),
    lambda layer, how: _padded(layer, bidirectional=True, num_layers=2, **how),
]

CASES = [
    *(make(layer, how) for layer, how in _kinds() for make in _GRID),
    *(_case(layer, num_layers=3, batch_first=True, given=True) for layer in ("LSTM", "GRU")),
    *(_case(layer, steps=1, batch=1, bidirectional=True) for layer in ("RNN", "LSTM", "GRU")),
    *(_case(layer, bidirectional=True, batch_first=True, bias=False, given=True) for layer in ("RNN", "LSTM", "GRU")),
    _case("LSTM", proj_size=2),
    _case("LSTM", proj_size=3, num_layers=2, bidirectional=True, given=True, bias=False),
    _case("LSTM", proj_size=1, batch_first=True, single=True),
    _padded("LSTM", proj_size=2, batch_first=True),
    _padded("GRU", batch_first=True, bias=False),
    *(
        _cell(layer, given=given, **how)
        for layer, how in (("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {}))
        for given in (True, False)
    ),
    *(_cell(layer, given=True, bias=False) for layer in ("RNNCell", "LSTMCell", "GRUCell")),
    *(_cell(layer, given=True, single=True) for layer in ("RNNCell", "LSTMCell", "GRUCell")),
]
