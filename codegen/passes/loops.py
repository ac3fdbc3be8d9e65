"""Loops: inner loops of a kernel that run over the same range become one."""

from __future__ import annotations

from dataclasses import replace

from codegen.loops.grammar import (
    Check,
    Kernel,
    Let,
    Loop,
    Program,
    Reduce,
    Ref,
    Stmt,
    loads,
    scalars_of,
    statements,
    stores,
    subscalars,
)
from codegen.passes.core import Pass, map_kernels, storage, with_items
from codegen.passes.merge import legal, merge, positional_axes


def join_loops(program: Program) -> Program:
    return with_items(program, map_kernels(program.items, lambda kernel: _joined(program, kernel)))


def _joined(program: Program, kernel: Kernel) -> Kernel:
    if sum(isinstance(stmt, Loop) for stmt in kernel.body) < 2:
        return kernel
    body: list[Stmt] = []
    for stmt in kernel.body:
        if not (isinstance(stmt, Loop) and _join_earlier(program, kernel, body, stmt)):
            body.append(stmt)
    return kernel if len(body) == len(kernel.body) else replace(kernel, body=tuple(body))


def _join_earlier(program: Program, kernel: Kernel, body: list[Stmt], loop: Loop) -> bool:
    """Merge a loop into one before it, when what stands between them lets the later one move up."""
    for position in range(len(body) - 1, -1, -1):
        earlier = body[position]
        if isinstance(earlier, Loop):
            first, second = Kernel("first", earlier.axes, earlier.body), Kernel("second", loop.axes, loop.body)
            matching = positional_axes(first, second)
            if matching and legal(program, first, second, matching):
                outer = tuple(axis.name for axis in kernel.axes)
                merged = merge(program, outer, first, second, matching)
                body[position] = Loop(merged.axes, merged.body)
                return True
        if _in_the_way(program, earlier, loop):
            return False
    return False


def _in_the_way(program: Program, stmt: Stmt, loop: Loop) -> bool:
    """Whether a loop cannot move before a statement: it uses what the statement binds, or both touch the same bytes."""
    if isinstance(stmt, Check):
        return True
    inside = list(statements(loop.body))
    if isinstance(stmt, (Let, Reduce)):
        used = {n.name for s in inside for scalar in scalars_of(s) for n in subscalars(scalar) if isinstance(n, Ref)}
        if stmt.name in used:
            return True
    written = {storage(program, s.buffer) for s in stores((stmt,))}
    touched = written | {storage(program, load.buffer) for load in loads((stmt,))}
    stored = {storage(program, s.buffer) for s in stores((loop,))}
    read = {storage(program, load.buffer) for load in loads((loop,))}
    return bool(written & (read | stored) or touched & stored)


LOOPS = Pass("loops", "join the inner loops of a kernel that run over the same range", join_loops)
