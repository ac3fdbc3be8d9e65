"""What a kernel's function takes: buffers, dimensions, positions of enclosing loops; and which buffers may overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.loops.grammar import (
    Affine,
    Axis,
    Check,
    Kernel,
    Loop,
    Program,
    Reduce,
    Stmt,
    Store,
    accesses,
    positions,
    statements,
)
from symnet.errors import CompilerBug
from symnet.expr import dims as dimension
from symnet.expr.dtypes import BYTES


@dataclass(frozen=True)
class Signature:
    """The parameters of a kernel's function.

    buffers    in order of first use                 stored  those the kernel writes
    dims       named dimensions, then enclosing sequence axes; `sequence` are the latter
    exclusive  buffers that share no memory with another one of the kernel, so that LLVM may assume as much
    """

    buffers: tuple[str, ...]
    stored: frozenset[str]
    dims: tuple[str, ...]
    sequence: tuple[str, ...]
    exclusive: frozenset[str]
    has_checks: bool

    @property
    def pointers(self) -> dict[str, str]:
        """Buffer -> the name of its pointer; numbered, so that equal kernels on other buffers give equal text."""
        return {buffer: f"%b{number}" for number, buffer in enumerate(self.buffers)}

    @property
    def values(self) -> dict[str, str]:
        """Dimension or sequence axis -> the name of its value."""
        return {name: f"%d{number}" for number, name in enumerate(self.dims)}

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """(type, name) of every parameter, as `FunctionText` wants them."""
        result = [(self._pointer_type(buffer), name[1:]) for buffer, name in self.pointers.items()]
        result += self.dim_parameters
        if self.has_checks:
            result.append(("ptr noalias", "status"))
        return [*result, ("i64", "lo"), ("i64", "hi")]

    @property
    def dim_parameters(self) -> list[tuple[str, str]]:
        return [("i64", name[1:]) for name in self.values.values()]

    def _pointer_type(self, buffer: str) -> str:
        words = ["ptr"]
        if buffer in self.exclusive:
            words.append("noalias")
        if buffer not in self.stored:
            words.append("readonly")
        return " ".join(words)


def signature(kernel: Kernel, program: Program) -> Signature:
    """What the function of `kernel` takes."""
    buffers: dict[str, None] = {}
    stored: set[str] = set()
    names: dict[str, None] = {}
    used: dict[str, None] = {}
    own = {axis.name for axis in axes_of(kernel)}
    for axis in axes_of(kernel):
        names.update(dict.fromkeys(sorted(dimension.names(axis.extent))))
    for access in accesses(kernel.body):
        buffers[access.buffer] = None
        if isinstance(access, Store):
            stored.add(access.buffer)
        for dim in program.buffers[access.buffer].shape:
            names.update(dict.fromkeys(sorted(dimension.names(dim))))
    for form in affine_forms(kernel.body):
        names.update(dict.fromkeys(sorted(dimension.names(form.offset))))
        used.update((axis, None) for axis, _ in form.terms if axis not in own)
    if clash := set(names) & set(used):
        raise CompilerBug(f"kernel {kernel.name}: {sorted(clash)} name both dimensions and axes")
    return Signature(
        tuple(buffers),
        _closure(program, tuple(buffers), stored),
        (*names, *used),
        tuple(used),
        _exclusive(program, tuple(buffers), stored),
        any(isinstance(stmt, Check) for stmt in statements(kernel.body)),
    )


def axes_of(kernel: Kernel) -> Iterator[Axis]:
    """The kernel's own axes and those of its inner loops and reductions."""
    yield from kernel.axes
    for stmt in statements(kernel.body):
        if isinstance(stmt, (Loop, Reduce)):
            yield from stmt.axes


def affine_forms(body: tuple[Stmt, ...]) -> Iterator[Affine]:
    """Every affine form of a block: indices of loads and stores, and positions used as values."""
    yield from (position.affine for position in positions(body))
    for access in accesses(body):
        yield from (part for part in access.index if isinstance(part, Affine))


def overlap(program: Program, first: str, second: str) -> bool:
    """Whether two buffers share memory: the same array under two shapes, or parts of the arena given to both."""
    roots = [program.buffers[program.buffers[name].view_of or name] for name in (first, second)]
    if roots[0].name == roots[1].name:
        return True
    if any(root.offset is None for root in roots):
        return False
    spans = []
    for root in roots:
        assert root.offset is not None
        size = BYTES[root.dtype]
        for extent in dimension.evaluate_shape(root.shape, program.dims):
            size *= extent
        spans.append((root.offset, root.offset + size))
    return spans[0][0] < spans[1][1] and spans[1][0] < spans[0][1]


def _closure(program: Program, buffers: tuple[str, ...], stored: set[str]) -> frozenset[str]:
    """The written buffers and all that share memory with one."""
    return frozenset(name for name in buffers if any(overlap(program, name, other) for other in stored))


def _exclusive(program: Program, buffers: tuple[str, ...], stored: set[str]) -> frozenset[str]:
    """Buffers that overlap no other one of the kernel, unless both are only read."""
    return frozenset(
        name
        for name in buffers
        if not any(
            other != name and (name in stored or other in stored) and overlap(program, name, other) for other in buffers
        )
    )
