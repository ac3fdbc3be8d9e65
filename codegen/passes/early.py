"""Early: parameters are updated as soon as their gradients are there, while what these are made of is in the caches.

    forward, backward of layer 2, of layer 1,                 forward, backward of layer 2, update of layer 2,
    update of layer 2, of layer 1                  becomes    backward of layer 1, update of layer 1

A gradient of weights is a product of two large arrays, one of which was written a moment before. When all updates wait
for the end of the backward pass, the other layers have driven it out of the caches by then, and it has kept its memory.
What only updates read goes along with them.
"""

from __future__ import annotations

from codegen.loops.grammar import Program, conditions
from codegen.passes.core import Effects, Pass, capacity, effects, with_items
from symnet.expr.dtypes import BYTES

FAR = 4 << 20
"""Bytes of scratch up to which everything stays in caches that are near, and kernels on the same rows stay together."""

PERSISTENT = ("parameter", "state")


def early(program: Program) -> Program:
    if scratch_bytes(program) <= FAR:
        return program
    all_effects = [effects(program, item) for item in program.items]
    moving = _moving(program, all_effects)
    written: dict[str, int] = {}  # by storage, the slot after which it has its present value
    touched: dict[str, int] = {}  # and the slot of whoever reads or writes it last
    slots: list[tuple[int, bool, int]] = []
    for number, own in enumerate(all_effects):
        slot = number
        if number in moving:
            needs = [written.get(name, 0) for name in own.reads] + [touched.get(name, 0) for name in own.writes]
            slot = max(needs, default=0)
        slots.append((slot, number in moving, number))
        for name in own.writes:
            written[name] = max(slot, written.get(name, 0))
        for name in own.reads | own.writes:
            touched[name] = max(slot, touched.get(name, 0))
    order = [number for _, _, number in sorted(slots)]
    if order == sorted(order):
        return program
    return with_items(program, tuple(program.items[number] for number in order))


def scratch_bytes(program: Program) -> int:
    """The size of all scratch arrays at capacity."""
    total = 0
    for buffer in program.buffers.values():
        if buffer.role == "scratch" and buffer.view_of is None:
            size = BYTES[buffer.dtype]
            for dim in buffer.shape:
                size *= capacity(program, dim)
            total += size
    return total


def _moving(program: Program, all_effects: list[Effects]) -> set[int]:
    """The numbers of the items that write nothing but what persists, and of those whose results only they read."""

    def of_role(name: str, *roles: str) -> bool:
        return name in program.buffers and program.buffers[name].role in roles

    updates = {
        number
        for number, own in enumerate(all_effects)
        if own.writes and all(of_role(name, *PERSISTENT) for name in own.writes)
    }
    elsewhere = set(conditions(program.items))
    for number, own in enumerate(all_effects):
        if number not in updates:
            elsewhere |= own.reads - own.writes
    helpers = {
        number
        for number, own in enumerate(all_effects)
        if own.writes and all(of_role(name, "scratch") and name not in elsewhere for name in own.writes)
    }
    return updates | helpers


EARLY = Pass("early", "update parameters as soon as their gradients are there", early)
