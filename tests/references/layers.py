"""Cases of whole layers: a module of torch.nn and ours, made with the same arguments and parameters, called alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, native_results, symbols, tensors, torch_results


def layer_case(
    layer: str,
    *arguments: Any,
    inputs: Callable[[np.random.Generator], Arrays],
    call: Callable[[Any, dict[str, Any]], Any],
    note: str = "",
    inference: bool = False,
    wrt: Callable[[str], bool] = lambda name: True,
    rtol: float = 1e-9,
    scale: float = 1e-11,
    **settings: Any,
) -> Case:
    """`torch.nn.LAYER(*arguments, **settings)` beside `sn.nn.LAYER` in float64, by `call(module, given)`.

    (What sn.nn does not have is taken from sn.losses.)

    Results are what the call gives (nested tuples by their positions) and the gradients in every float input and every
    parameter for which `wrt` holds. With `inference` both are taken in evaluation.
    """
    shown = ", ".join([*map(repr, arguments), *(f"{key}={value!r}" for key, value in settings.items())])
    name = f"{layer}({shown}){' ' if note else ''}{note}{' in evaluation' if inference else ''}"

    def module() -> sn.nn.Module:
        home = sn.nn if hasattr(sn.nn, layer) else sn.losses
        made: sn.nn.Module = getattr(home, layer)(*arguments, **settings, dtype="float64")
        return made

    def arrays(rng: np.random.Generator) -> Arrays:
        """The inputs, and values for the parameters, whose start in torch is not ours to record."""
        given = inputs(rng)
        return {**given, **{key: rng.normal(0.0, 0.5, node.shape) for key, node in module().named_parameters()}}

    def peer(values: Arrays) -> Arrays:
        import torch

        theirs = getattr(torch.nn, layer)(*arguments, **settings, dtype=torch.float64).train(not inference)
        own = dict(theirs.named_parameters())
        with torch.no_grad():
            for key, parameter in own.items():
                parameter.copy_(torch.tensor(values[key]))
        given = tensors({key: value for key, value in values.items() if key not in own})
        outputs = flat(call(theirs, given))
        floats = {key: value for key, value in {**given, **own}.items() if value.requires_grad and wrt(key)}
        return torch_results(outputs, floats)

    def ours(values: Arrays) -> Arrays:
        made = module()
        own = dict(made.named_parameters())
        given = symbols({key: value for key, value in values.items() if key not in own})
        outputs = flat(call(made, given))
        if inference:
            outputs = {key: sn.inference(value) for key, value in outputs.items()}
        leaves = {**given, **own}
        floats = {key: node for key, node in leaves.items() if node.dtype == "float64" and wrt(key)}
        return native_results(outputs, floats, {node: values[key] for key, node in leaves.items()})

    return Case(name, arrays, peer, ours, rtol, scale)


def flat(result: Any) -> dict[str, Any]:
    """What a layer gives, by its position in nested tuples: "value", or "0", "1.0", "1.1" …; None is left out."""

    def walk(part: Any, path: str) -> Iterator[tuple[str, Any]]:
        if isinstance(part, Mapping):
            yield from part.items()
        elif isinstance(part, (tuple, list)):
            for position, inner in enumerate(part):
                yield from walk(inner, f"{path}.{position}" if path else str(position))
        elif part is not None:
            yield path or "value", part

    return dict(walk(result, ""))
