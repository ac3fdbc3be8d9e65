"""Names: every kernel is called after what it writes."""

from __future__ import annotations

from dataclasses import replace

from codegen.loops.grammar import Const, Kernel, Program, stores
from codegen.lower.names import Names
from codegen.passes.core import Pass, is_check, map_kernels, storage, with_items


def name_kernels(program: Program) -> Program:
    names = Names(program.dims)
    return with_items(program, map_kernels(program.items, lambda k: replace(k, name=names.fresh(_wanted(program, k)))))


def _wanted(program: Program, kernel: Kernel) -> str:
    """`update_W` for what overwrites W, `loss` for what writes that output, else what is written first.

    Checks, and what only fills an array before others write there, keep the names that they were made with.
    """
    if is_check(kernel) or all(isinstance(store.value, Const) for store in stores(kernel.body)):
        return kernel.name
    written = [program.buffers[storage(program, store.buffer)] for store in stores(kernel.body)]
    for role in ("parameter", "output", "state"):
        for buffer in written:
            if buffer.role == role:
                return buffer.name if role == "output" else f"update_{buffer.name}"
    return written[0].name


NAMES = Pass("names", "call every kernel after what it writes", name_kernels)
