"""Registers: what a kernel stored and reads again in the same iteration comes from a register."""

from __future__ import annotations

from dataclasses import replace

from codegen.loops.grammar import (
    Affine,
    Const,
    Index,
    Kernel,
    Let,
    Load,
    Loop,
    Program,
    Reduce,
    Ref,
    Scalar,
    Stmt,
    Store,
    loads,
    statements,
    stores,
)
from codegen.loops.rewrite import map_scalar
from codegen.passes.core import Pass, map_kernels, storage, with_items

Known = dict[tuple[str, tuple[Index, ...]], Scalar]


def forward(program: Program) -> Program:
    return with_items(program, map_kernels(program.items, lambda kernel: _forwarded(program, kernel)))


def _forwarded(program: Program, kernel: Kernel) -> Kernel:
    stored = {store.buffer for store in stores(kernel.body)}
    again = {load.buffer for load in loads(kernel.body)} & stored
    return replace(kernel, body=_Forwarding(program, kernel, again).block(kernel.body, {})) if again else kernel


class _Forwarding:
    def __init__(self, program: Program, kernel: Kernel, again: set[str]) -> None:
        self.program, self.again = program, again
        self.taken = {stmt.name for stmt in statements(kernel.body) if isinstance(stmt, (Let, Reduce))}

    def block(self, body: tuple[Stmt, ...], known: Known) -> tuple[Stmt, ...]:
        """The block with loads replaced by what is `known` to be in a register; adds what it stores."""
        result: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, Let):
                result.append(Let(stmt.name, self.scalar(stmt.value, known), stmt.origin))
            elif isinstance(stmt, Store):
                result += self.store(stmt, known)
            elif isinstance(stmt, Loop):
                result.append(Loop(stmt.axes, self.block(stmt.body, dict(known)), stmt.origin))
                self.forget(stmt.body, known)
            elif isinstance(stmt, Reduce):
                inner = dict(known)
                block = self.block(stmt.body, inner)
                value = self.scalar(stmt.value, inner)
                result.append(replace(stmt, body=block, value=value, each=self.block(stmt.each, dict(known))))
                self.forget(stmt.each, known)
            else:
                result.append(replace(stmt, condition=self.scalar(stmt.condition, known)))
        return tuple(result)

    def scalar(self, scalar: Scalar, known: Known) -> Scalar:
        def visit(node: Scalar) -> Scalar:
            return known.get((node.buffer, node.index), node) if isinstance(node, Load) and not node.fill else node

        return map_scalar(scalar, visit) if known else scalar

    def store(self, stmt: Store, known: Known) -> list[Stmt]:
        index = tuple(i if isinstance(i, Affine) else self.scalar(i, known) for i in stmt.index)
        value = self.scalar(stmt.value, known)
        before: list[Stmt] = []
        if stmt.buffer in self.again and not stmt.accumulate and not isinstance(value, (Ref, Const)):
            name = self.fresh(stmt.buffer)
            before.append(Let(name, value, stmt.origin))
            value = Ref(name, value.dtype)
        stmt = Store(stmt.buffer, index, value, stmt.accumulate, stmt.origin)
        self.forget((stmt,), known)
        if not stmt.accumulate:
            known[stmt.buffer, index] = value
        return [*before, stmt]

    def forget(self, body: tuple[Stmt, ...], known: Known) -> None:
        """Drop what stores in a block may overwrite."""
        written = {storage(self.program, store.buffer) for store in stores(body)}
        for key in [key for key in known if storage(self.program, key[0]) in written]:
            del known[key]

    def fresh(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name


REGISTERS = Pass("registers", "keep what is stored and read again in registers", forward)
