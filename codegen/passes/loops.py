"""Loops: inner loops of a kernel that run over the same range become one.

What a kernel does for each of its rows is put in an order in which data is read as few times as may be: sums over the
same range that read the same data come one after the other (they then run as one loop), and loops come last.
"""

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
from codegen.passes.core import Pass, contraction, map_kernels, storage, with_items
from codegen.passes.merge import legal, merge, positional_axes


def join_loops(program: Program) -> Program:
    return with_items(program, map_kernels(program.items, lambda kernel: _joined(program, kernel)))


def _joined(program: Program, kernel: Kernel) -> Kernel:
    if contraction(kernel) is not None:
        return kernel
    kernel = replace(kernel, body=_ordered(program, kernel.body))
    if sum(isinstance(stmt, Loop) for stmt in kernel.body) < 2:
        return kernel
    body: list[Stmt] = []
    for stmt in kernel.body:
        if not (isinstance(stmt, Loop) and _join_earlier(program, kernel, body, stmt)):
            body.append(stmt)
    return kernel if len(body) == len(kernel.body) else replace(kernel, body=tuple(body))


def _ordered(program: Program, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The statements with sums that go together beside each other and loops as late as they may be."""
    if sum(isinstance(stmt, (Loop, Reduce)) for stmt in body) < 2:
        return body
    before = [[i for i in range(j) if _in_the_way(program, body[i], body[j])] for j in range(len(body))]
    waiting, result, run = list(range(len(body))), list[int](), list[int]()
    while waiting:
        ready = [j for j in waiting if not set(before[j]) & set(waiting)]
        chosen = next((j for j in ready if run and _goes_with(body, before[j], run, j)), None)
        if chosen is None:
            chosen = min(ready, key=lambda j: (_turn(body[j]), j))
            run = []
        run = [*run, chosen] if isinstance(body[chosen], Reduce) else []
        waiting.remove(chosen)
        result.append(chosen)
    return tuple(body[i] for i in result)


def _turn(stmt: Stmt) -> int:
    return 2 if isinstance(stmt, Loop) else 1 if isinstance(stmt, Reduce) else 0


def _goes_with(body: tuple[Stmt, ...], before: list[int], run: list[int], number: int) -> bool:
    """Whether a statement is a sum over the range of those of a run, on data that they read, and needs none of them."""
    stmt, first = body[number], body[run[0]]
    if not isinstance(stmt, Reduce) or not isinstance(first, Reduce) or stmt.each or first.each:
        return False
    if [axis.extent for axis in stmt.axes] != [axis.extent for axis in first.axes] or set(before) & set(run):
        return False
    read = {load.buffer for i in run for load in loads((body[i],))}
    return any(load.buffer in read for load in loads((stmt,)))


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


def _in_the_way(program: Program, stmt: Stmt, later: Stmt) -> bool:
    """Whether a statement cannot move before another: it uses what that binds, or both touch the same bytes."""
    if isinstance(stmt, Check) or isinstance(later, Check):
        return True
    inside = list(statements((later,)))
    if isinstance(stmt, (Let, Reduce)):
        used = {n.name for s in inside for scalar in scalars_of(s) for n in subscalars(scalar) if isinstance(n, Ref)}
        if stmt.name in used:
            return True
    written = {storage(program, s.buffer) for s in stores((stmt,))}
    touched = written | {storage(program, load.buffer) for load in loads((stmt,))}
    stored = {storage(program, s.buffer) for s in stores((later,))}
    read = {storage(program, load.buffer) for load in loads((later,))}
    return bool(written & (read | stored) or touched & stored)


LOOPS = Pass("loops", "join the inner loops of a kernel that run over the same range", join_loops)
