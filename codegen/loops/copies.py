"""Questions about kernels that only copy."""

from __future__ import annotations

from codegen.loops.grammar import Affine, Axis, Index, Kernel, Load, Store
from symnet.expr.dtypes import BYTES

LANES = 16
"""Axes of a multiple of so many positions are whole vectors on every target."""


def exchanged(kernel: Kernel) -> tuple[Axis, Axis] | None:
    """Of a kernel that copies with two axes exchanged: the one along which it reads, and the one along which it writes.

    Both are whole vectors long; neighbours along the first lie side by side where they are read, along the second
    where they are written.
    """
    store = kernel.body[0] if len(kernel.body) == 1 else None
    if not isinstance(store, Store) or store.accumulate or not isinstance(store.value, Load):
        return None
    load = store.value
    if load.fill is not None or BYTES[load.dtype] < 4:
        return None
    along, across = _runs_along(load.index), _runs_along(store.index)
    axes = {axis.name: axis for axis in kernel.axes if isinstance(axis.extent, int) and axis.extent % LANES == 0}
    if along == across or along not in axes or across not in axes:
        return None
    return axes[along], axes[across]


def _runs_along(index: tuple[Index, ...]) -> str:
    """The axis along which elements at an index lie side by side; empty if there is none, or several."""
    if not index or not all(isinstance(part, Affine) for part in index):
        return ""
    forms = [part for part in index if isinstance(part, Affine)]
    found = [axis for axis, step in forms[-1].terms if step == 1]
    elsewhere = {axis for form in forms[:-1] for axis, _ in form.terms}
    return found[0] if len(found) == 1 and found[0] not in elsewhere else ""
