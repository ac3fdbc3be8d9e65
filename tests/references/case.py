"""What a reference case is, and the few helpers that most cases are made of.

A case runs the same computation in a peer (PyTorch or Keras) and in symnet, on the same arrays. The peer's results are
recorded once (`record.py`); the tests compare with the record, or with `--peers` with the peer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import symnet as sn

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One comparison.

    name    unique in its family: what is called with which arguments, `huber_loss(delta=0.7, reduction="sum")`
    inputs  (generator) -> arrays; recorded with the results
    peer    (arrays) -> the peer's results by name; imports the peer when it is called
    ours    (arrays) -> symnet's results under the same names, from native code
    rtol    relative; `scale` times the largest magnitude of an array is what its elements may differ by besides
    """

    name: str
    inputs: Callable[[np.random.Generator], Arrays]
    peer: Callable[[Arrays], Arrays]
    ours: Callable[[Arrays], Arrays]
    rtol: float = 1e-9
    scale: float = 1e-11

    def check(self, ours: Mapping[str, Any], wanted: Mapping[str, Any], whose: str) -> None:
        """Every result has the shape and the numbers that are wanted; nan where nan is wanted, and nowhere else."""
        assert set(ours) == set(wanted), f"{self.name}: results {sorted(ours)}, {whose} {sorted(wanted)}"
        for name, value in wanted.items():
            mine, expected = np.asarray(ours[name]), np.asarray(value)
            where = f"{self.name}: {name} differs from {whose}"
            assert mine.shape == expected.shape, f"{where}: shape {mine.shape}, expected {expected.shape}"
            finite = np.abs(expected[np.isfinite(expected)]) if expected.size else expected
            atol = self.scale * float(finite.max()) if finite.size else 0.0
            np.testing.assert_allclose(mine, expected, rtol=self.rtol, atol=atol, equal_nan=True, err_msg=where)


def weights(shape: tuple[int, ...]) -> np.ndarray:
    """Fixed uneven numbers by which an output is weighted, so that its gradient is not that of a plain sum."""
    return np.cos(1.0 + np.arange(int(np.prod(shape, dtype=int)), dtype=np.float64)).reshape(shape)


def torch_results(outputs: Mapping[str, Any], wrt: Mapping[str, Any]) -> Arrays:
    """The outputs (tensors) and under "d NAME" the gradients of their weighted sum in the tensors `wrt`.

    A tensor that the outputs do not depend on has the gradient 0.
    """
    import torch

    total = sum(
        (torch.as_tensor(weights(tuple(value.shape)), dtype=value.dtype) * value).sum()
        for value in outputs.values()
        if value.requires_grad
    )
    tensors = list(wrt.values())
    found = torch.autograd.grad(total, tensors, allow_unused=True) if tensors else ()
    gradients = [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]
    return {
        **{name: value.detach().numpy() for name, value in outputs.items()},
        **{f"d {name}": g.detach().numpy() for name, g in zip(wrt, gradients, strict=True)},
    }


def native_results(
    outputs: Mapping[str, sn.Expr],
    wrt: Mapping[str, sn.Expr],
    values: Mapping[sn.Expr, Any],
    backend: str = "llvm",
) -> Arrays:
    """The same from one compiled function of the leaves in `values` (inputs, parameters, states)."""
    floats = [value for value in outputs.values() if value.dtype in ("float32", "float64")]
    gradients: list[sn.Expr] = []
    if wrt:
        total = sum((sn.sum(sn.constant(weights(value.shape), value.dtype) * value) for value in floats), 0.0)
        gradients = sn.grad(total, list(wrt.values()))
    run = sn.function(list(values), [*outputs.values(), *gradients], backend=backend)
    names = [*outputs, *(f"d {name}" for name in wrt)]
    return dict(zip(names, run(*values.values()), strict=True))


def symbols(arrays: Arrays) -> dict[str, sn.Expr]:
    """An input for every array, of its shape and type."""
    return {name: sn.input(name, array.shape, str(array.dtype)) for name, array in arrays.items()}


def tensors(arrays: Arrays) -> dict[str, Any]:
    """A torch tensor for every array; floats ask for gradients."""
    import torch

    return {name: torch.tensor(array, requires_grad=array.dtype.kind == "f") for name, array in arrays.items()}


def function_case(
    name: str,
    inputs: Callable[[np.random.Generator], Arrays],
    torch_run: Callable[[Any, dict[str, Any]], Any],
    ours_run: Callable[[dict[str, sn.Expr]], Any],
    **options: Any,
) -> Case:
    """A case of plain functions: `torch_run(torch, tensors)` and `ours_run(symbols)` give one value or a dictionary.

    Results are these values and the gradients in every float input.
    """

    def named(result: Any) -> dict[str, Any]:
        return result if isinstance(result, dict) else {"value": result}

    def floats(arrays: Arrays) -> list[str]:
        return [key for key, array in arrays.items() if array.dtype.kind == "f"]

    def peer(arrays: Arrays) -> Arrays:
        import torch

        given = tensors(arrays)
        return torch_results(named(torch_run(torch, given)), {key: given[key] for key in floats(arrays)})

    def ours(arrays: Arrays) -> Arrays:
        given = symbols(arrays)
        wrt = {key: given[key] for key in floats(arrays)}
        return native_results(named(ours_run(given)), wrt, {given[key]: arrays[key] for key in given})

    return Case(name, inputs, peer, ours, **options)
