"""One native function for a whole entry: every thread calls it and runs its share of every kernel.

    i32 @sn_ENTRY(ptr table, i64 tid, i64 n)

`table` is an array of 8-byte slots (see `Slots`): the arena, the sync area, inputs, large outputs, sizes of this call.
The function calls each kernel, which finds this thread's static share of it, loops where kernels repeat, and meets the
other threads where `codegen.llvm.sharing` says that data crosses. It returns 0, or 1 + the code of a check that failed;
then nothing that outlives the call has been written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from codegen.llvm.builder import FunctionText, Mark
from codegen.llvm.kernel import Call
from codegen.llvm.runtime_ir import SYNC_OFFSETS
from codegen.llvm.sharing import Sharing
from codegen.loops.grammar import Branch, Item, Kernel, Program, Sequence, kernels
from codegen.passes.memory import local_bytes
from symnet.errors import CompilerBug
from symnet.expr import dims as dimension
from symnet.expr.dims import Dim


@dataclass(frozen=True)
class Slots:
    """The table of a library: slot 0 the arena, slot 1 the sync area, slot 2 the memory that threads have of their own,
    one after the other, then a slot for each input, each output that is not in the arena, and each dimension."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dims: tuple[str, ...]

    ARENA = 0
    SYNC = 1
    LOCAL = 2
    FIRST = 3

    def names(self, inputs_as: Mapping[str, str]) -> list[str]:
        """What each slot holds, as metadata tells it; `inputs_as` gives the user's name of an input's buffer."""
        inputs, outputs = [f"input:{inputs_as[name]}" for name in self.inputs], [f"output:{n}" for n in self.outputs]
        return ["arena", "sync", "local", *inputs, *outputs, *(f"dim:{name}" for name in self.dims)]

    @property
    def count(self) -> int:
        return self.FIRST + len(self.inputs) + len(self.outputs) + len(self.dims)

    def input(self, name: str) -> int:
        return self.FIRST + self.inputs.index(name)

    def output(self, name: str) -> int:
        return self.FIRST + len(self.inputs) + self.outputs.index(name)

    def dim(self, name: str) -> int:
        return self.FIRST + len(self.inputs) + len(self.outputs) + self.dims.index(name)


def slots(programs: Iterable[Program]) -> Slots:
    """A table that serves all these entries."""
    inputs: dict[str, None] = {}
    outputs: dict[str, None] = {}
    dims: dict[str, None] = {}
    for program in programs:
        own = [buffer for buffer in program.buffers.values() if buffer.view_of is None]
        inputs.update((b.name, None) for b in own if b.role == "input")
        outputs.update((b.name, None) for b in own if b.role == "output" and b.offset is None)
        dims.update(dict.fromkeys(program.dims))
    return Slots(tuple(inputs), tuple(outputs), tuple(dims))


def constant_name(program: Program, buffer: str) -> str:
    """The global that holds a constant buffer."""
    return f"@c.{program.name}.{buffer}"


def emit_constants(program: Program) -> str:
    """The constants of a program as globals, byte by byte."""
    lines = []
    for name, value in program.constants.items():
        data = np.ascontiguousarray(value).tobytes()
        text = "".join(f"\\{byte:02x}" for byte in data)
        lines.append(f'{constant_name(program, name)} = internal constant [{len(data)} x i8] c"{text}", align 64')
    return "\n".join(lines) + "\n"


def profile_name(entry: str) -> str:
    """The exported array of cycle counters of an entry compiled with `profile`."""
    return f"sn_profile_{entry}"


def emit_entry(
    program: Program,
    calls: Mapping[str, Call],
    table: Slots,
    sharing: Sharing,
    profile: bool = False,
    marked: bool = False,
    meets: bool = False,
) -> str:
    """The function of an entry. `calls` tell for each kernel which function to call, and with what.

    With `profile`, the processor cycles thread 0 spends in kernel number k (in the order of the text) are added to
    element k of the exported array `sn_profile_ENTRY` of int64, those of the whole entry to one more element. With
    `meets` too, all threads meet after every kernel, so that the time of a kernel is that of the slowest thread. With
    `marked`, the lines that call kernel number k have the mark k.
    """
    return _Entry(program, calls, table, sharing, profile, marked, meets).emit()


class _Entry:
    def __init__(
        self,
        program: Program,
        calls: Mapping[str, Call],
        table: Slots,
        sharing: Sharing,
        profile: bool,
        marked: bool,
        meets: bool,
    ) -> None:
        self.program, self.calls, self.table = program, calls, table
        self.sharing, self.profile, self.marked, self.meets = sharing, profile, marked, meets
        parameters = [("ptr", "table"), ("i64", "tid"), ("i64", "n")]
        self.fn = FunctionText(f"sn_{program.name}", parameters, "i32", linkage="")
        self.values: dict[str, str] = {}  # dimensions and sequence axes
        self.kernels = 0
        self.alone = False  # inside a parallel loop, whose iterations a thread does by itself

    def emit(self) -> str:
        fn = self.fn
        begin = self._cycles() if self.profile else ""
        self.arena = self._slot(Slots.ARENA, "ptr")
        self.sync = self._slot(Slots.SYNC, "ptr")
        if own := local_bytes(self.program):
            place = fn.value(f"mul i64 %tid, {own}")
            self.local = fn.value(f"getelementptr i8, ptr {self._slot(Slots.LOCAL, 'ptr')}, i64 {place}", "local")
        self.status = fn.value(f"getelementptr i8, ptr {self.sync}, i64 {SYNC_OFFSETS['status']}", "status")
        self.several, self.main = fn.value("icmp sgt i64 %n, 1"), fn.value("icmp eq i64 %tid, 0")
        self.after = fn.value("add i64 %tid, 1")
        if self.sharing.repeats:
            self.found = fn.value("alloca i32", "found")
            fn.do(f"store i32 0, ptr {self.found}")
        for name in self.program.dims:
            self.values[name] = self._slot(self.table.dim(name), "i64")
        self._items(self.program.items)
        if not self.profile:
            return fn.finish("i32 0")
        self._count_since(begin)
        counters = f"@{profile_name(self.program.name)} = global [{self.kernels + 1} x i64] zeroinitializer, align 64\n"
        return fn.finish("i32 0") + counters

    def _slot(self, number: int, kind: str) -> str:
        place = self.fn.value(f"getelementptr i64, ptr %table, i64 {number}")
        return self.fn.value(f"load {kind}, ptr {place}, align 8")

    def _pointer(self, name: str) -> str:
        """The place of a buffer, worked out where it is used: if hundreds of them were alive from the start, finding
        registers for them would take LLVM longer than all else."""
        buffer = self.program.buffers[name]
        root = self.program.buffers[buffer.view_of or name]
        if root.role == "input":
            return self._slot(self.table.input(root.name), "ptr")
        if root.role == "output" and root.offset is None:
            return self._slot(self.table.output(root.name), "ptr")
        if root.role == "constant":
            return constant_name(self.program, root.name)
        if root.offset is None:
            raise CompilerBug(f"{self.program.name}: the buffer {root.name!r} has no place in the arena")
        base = self.local if root.role == "local" else self.arena
        return self.fn.value(f"getelementptr inbounds i8, ptr {base}, i64 {root.offset}", "b")

    def _items(self, items: tuple[Item, ...]) -> None:
        for item in items:
            if isinstance(item, Sequence) and item.parallel:
                self._parallel(item)
            elif isinstance(item, Sequence):
                self._sequence(item)
            elif isinstance(item, Branch):
                self._branch(item)
            else:
                with self.fn.stemming_from(Mark(self.kernels) if self.marked else None):
                    self._kernel(item)

    def _sequence(self, item: Sequence) -> None:
        fn, extent = self.fn, self._dim(item.axis.extent)
        with fn.loop("0", extent, stem="step") as counter:
            if item.reverse:
                last = fn.value(f"sub i64 {extent}, 1")
                counter = fn.value(f"sub i64 {last}, {counter}")
            self.values[item.axis.name] = counter
            self._items(item.items)
            del self.values[item.axis.name]

    def _parallel(self, item: Sequence) -> None:
        """Iterations shared among the threads; what is spent in their kernels is counted as in a kernel's shares."""
        fn, extent = self.fn, self._dim(item.axis.extent)
        name = next(kernel.name for kernel in kernels(item.items))
        shared = name in self.sharing.shared
        if name in self.sharing.barriers:
            self._meet()
        with ExitStack() as stack:
            if not shared:
                stack.enter_context(fn.when(self.main, "alone"))
            low, high = (self._share(extent, "%tid"), self._share(extent, self.after)) if shared else ("0", extent)
            self.values[item.axis.name] = stack.enter_context(fn.loop(low, high, stem="step"))
            self.alone = True
            self._items(item.items)
            self.alone = False
            del self.values[item.axis.name]
        if self.meets:
            self._meet()

    def _branch(self, item: Branch) -> None:
        """Every thread asks the condition."""
        fn = self.fn
        if item.condition in self.sharing.barriers:
            self._meet()
        asked = fn.value(f"load i8, ptr {self._pointer(item.condition)}, align 1")
        with fn.when(fn.value(f"icmp {'eq' if item.negated else 'ne'} i8 {asked}, 0"), "branch"):
            self._items(item.items)

    def _kernel(self, kernel: Kernel) -> None:
        fn, known = self.fn, self.calls[kernel.name]
        meets = self.meets and not self.alone
        if kernel.name in self.sharing.barriers and not self.alone:
            self._meet()
        begin = self._cycles() if meets else ""
        with ExitStack() as stack:
            shared = kernel.name in self.sharing.shared and not self.alone
            repeated = kernel.name in self.sharing.repeats
            if not shared and not self.alone and not repeated:
                stack.enter_context(fn.when(self.main, "alone"))
            arguments = [f"ptr {self._pointer(name)}" for name in known.buffers]
            arguments += [f"i64 {self.values[name]}" for name in known.dims]
            if known.has_checks:
                arguments.append(f"ptr {self.found if repeated else self.status}")
            arguments += ["i64 %tid", "i64 %n"] if shared else ["i64 0", "i64 1"]
            call = f"call void @{known.name}.share({', '.join(arguments)})"
            self._timed(call) if self.profile and not meets else fn.do(call)
        if meets:
            self._meet()
            self._count_since(begin)
        self.kernels += 1
        if repeated:
            self._leave_by_itself()
        elif known.has_checks:
            self._leave_if_failed()

    def _share(self, parts: str, thread: str) -> str:
        """Where the share of a thread begins."""
        product = self.fn.value(f"mul i64 {parts}, {thread}")
        return self.fn.value(f"udiv i64 {product}, %n")

    def _timed(self, call: str) -> None:
        begin = self._cycles()
        self.fn.do(call)
        self._count_since(begin)

    def _cycles(self) -> str:
        return self.fn.value("call i64 @llvm.readcyclecounter()")

    def _count_since(self, begin: str) -> None:
        """Add the cycles since `begin` to the counter of the present kernel (after the last one: of the entry)."""
        fn, end = self.fn, self._cycles()
        with fn.when(self.main, "count"):
            place = fn.value(f"getelementptr i64, ptr @{profile_name(self.program.name)}, i64 {self.kernels}")
            spent, total = fn.value(f"sub i64 {end}, {begin}"), fn.value(f"load i64, ptr {place}")
            fn.do(f"store i64 {fn.value(f'add i64 {total}, {spent}')}, ptr {place}")

    def _meet(self) -> None:
        with self.fn.when(self.several, "meet"):
            self.fn.do(f"call void @sn.barrier(ptr {self.sync}, i64 %n)")

    def _leave_by_itself(self) -> None:
        """A thread that ran a check itself knows that all others found what it did."""
        fn = self.fn
        status = fn.value(f"load i32, ptr {self.found}")
        with fn.when(fn.value(f"icmp ne i32 {status}, 0"), "failed"):
            fn.do(f"ret i32 {status}")
            fn.start(fn.fresh("unreached"))

    def _leave_if_failed(self) -> None:
        """All threads learn what the check found; when it failed, the status is cleared for the next call."""
        fn = self.fn
        self._meet()
        status = fn.value(f"load atomic i32, ptr {self.status} monotonic, align 4")
        failed = fn.value(f"icmp ne i32 {status}, 0")
        with fn.when(failed, "failed"):
            self._meet()
            with fn.when(self.main, "clear"):
                fn.do(f"store atomic i32 0, ptr {self.status} monotonic, align 4")
            fn.do(f"ret i32 {status}")
            fn.start(fn.fresh("unreached"))

    def _dim(self, dim: Dim) -> str:
        """The value of a dimension at the sizes of the call."""
        fn, total = self.fn, "0"
        for names, coefficient in dimension.terms(dim):
            term = str(coefficient)
            for name in names:
                term = self.values[name] if term == "1" else fn.value(f"mul i64 {term}, {self.values[name]}")
            total = term if total == "0" else fn.value(f"add i64 {total}, {term}")
        return total
