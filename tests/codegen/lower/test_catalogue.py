"""Every operation of the catalogue, on its own samples: naive and optimised loop program against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet.ops  # noqa: F401  (fills the registry)
from codegen.loops.grammar import Program
from symnet.expr.op import REGISTRY
from symnet.simplify.expand import expand_definitions

LOWERED = [name for name, op in REGISTRY.items() if op.samples is not None]


@pytest.mark.parametrize("name", LOWERED)
def test_samples(name: str, agrees: Callable[..., Program], rng: np.random.Generator) -> None:
    samples = REGISTRY[name].samples
    assert samples is not None
    for node in samples(rng):
        if node.dtype != "tuple":
            agrees({"out": node})


def test_definitions_end_in_what_is_lowered(rng: np.random.Generator) -> None:
    """What `expand` leaves of any operation is in the tables of lowering, or a scan."""
    from codegen.lower.entry import ROLES, TABLE
    from symnet.expr.traverse import postorder

    known = {*TABLE, *ROLES, "scan", "cond", "arg"}
    for op in REGISTRY.values():
        for node in op.samples(rng) if op.samples else ():
            left = {part.op for part in postorder(expand_definitions([node]))} - known
            assert not left, f"{op.name} leaves {left}"
