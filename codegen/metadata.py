"""What a caller must know of compiled entries: where things are in the arena, what an entry takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from codegen.costs import Costs, costs
from codegen.loops.grammar import PERSISTENT, Apply, Buffer, Check, Const, Load, Program, Scalar, kernels, statements
from codegen.lower import bind
from codegen.passes.memory import local_bytes
from codegen.spec import Module
from symnet.expr import dims as dimension
from symnet.expr.dtypes import BYTES
from symnet.expr.node import Expr

FORMAT = 5
"""Number of the form of the metadata; part of the cache's key."""


def metadata(module: Module, programs: Mapping[str, Program]) -> dict[str, Any]:
    """The metadata of these programs, as plain JSON data.

    format   number of this format                       arena  bytes of the arena, at the capacities
    local    bytes that each thread needs beside it, from the start of a page
    dims     named dimension -> capacity                 hyper  names of the hyperparameters (float64 scalars)
    buffers  [{name, buffer, dtype, shape, role, offset, init}]: inputs, and what a caller reads or writes in the
             arena; `name` is the user's (an output's: that of its buffer), `buffer` the loop program's
    entries  name -> {inputs, outputs (name -> buffer), checks (messages), bounds, symbol, parallel, parallel_repeated,
             outputs_apart, kernels}; bounds: for each check, [input, size] if it fails only where an element of the
             input is outside [0, size), else None; `outputs_apart` says whether other threads than the first write
             outputs; `parallel` says whether more than one thread pays for one call, `parallel_repeated`
             in a loop over batches; kernels: [{name, note, shared, runs, flops, products, functions, bytes, dtype}] in
             the order in which they run: `shared` says whether several threads run it, the others are its
             `codegen.costs.Costs`
    """
    binding = bind(module)
    leaves = {buffer.name: node for node, buffer in binding.leaves.items()}
    buffers: dict[str, Buffer] = {}
    arena = 0
    entries: dict[str, Any] = {}
    for name, program in programs.items():
        for buffer in program.buffers.values():
            if buffer.role in (*PERSISTENT, "hyper", "input", "output") and buffer.view_of is None:
                buffers[buffer.name] = buffer
            if buffer.offset is not None and buffer.role != "local":
                arena = max(arena, buffer.offset + _bytes(buffer, program.dims))
        outputs = next(entry.outputs for entry in module.entries if entry.name == name)
        entries[name] = {
            "inputs": [_name(b, leaves) for b in program.buffers.values() if b.role == "input" and b.view_of is None],
            "outputs": {output: binding.outputs[name, output] for output in outputs},
            "checks": list(program.checks),
            "bounds": _bounds(program, leaves),
            "symbol": f"sn_{name}",
            "parallel": False,
            "parallel_repeated": False,
            "outputs_apart": False,
            "kernels": _kernels(program),
        }
    return {
        "format": FORMAT,
        "module": module.name,
        "arena": arena,
        "local": max(map(local_bytes, programs.values()), default=0),
        "dims": dict(module.capacity),
        "hyper": [_name(buffer, leaves) for buffer in buffers.values() if buffer.role == "hyper"],
        "buffers": [_about(buffer, leaves) for buffer in buffers.values()],
        "entries": entries,
    }


def _name(buffer: Buffer, leaves: Mapping[str, Expr]) -> str:
    """What the user calls it."""
    leaf = leaves.get(buffer.name)
    return buffer.name if leaf is None or leaf.name is None else leaf.name


def _about(buffer: Buffer, leaves: Mapping[str, Expr]) -> dict[str, Any]:
    init = leaves[buffer.name].attrs.get("init") if buffer.name in leaves else None
    return {
        "name": _name(buffer, leaves),
        "buffer": buffer.name,
        "dtype": buffer.dtype,
        "shape": list(buffer.shape),
        "role": buffer.role,
        "offset": buffer.offset,
        "init": init if isinstance(init, str) else None,
    }


def _kernels(program: Program) -> list[dict[str, Any]]:
    known: Mapping[str, Costs] = costs(program)
    return [
        {"name": kernel.name, "note": kernel.note, "shared": False, **asdict(known[kernel.name])}
        for kernel in kernels(program.items)
    ]


def _bounds(program: Program, leaves: Mapping[str, Expr]) -> list[tuple[str, int] | None]:
    """For each check what is enough for it to hold, where that is said of the elements of an input alone."""
    found: dict[int, set[tuple[str, int] | None]] = {}
    for kernel in kernels(program.items):
        for stmt in statements(kernel.body):
            if isinstance(stmt, Check):
                found.setdefault(stmt.code, set()).add(_bound(stmt.condition, program, leaves))
    alone = {code: bounds.pop() for code, bounds in found.items() if len(bounds) == 1}
    return [alone.get(code) for code in range(len(program.checks))]


def _bound(condition: Scalar, program: Program, leaves: Mapping[str, Expr]) -> tuple[str, int] | None:
    """(input, size) of `0 <= input[…] < size`."""
    match condition:
        case Apply(
            "logical_and",
            (Apply("greater_equal", (value, Const(0))), Apply("less", (same, Const(int(size))))),
        ) if same == value:
            while isinstance(value, Apply) and value.fn == "cast" and value.args[0].dtype in ("int32", "int64"):
                (value,) = value.args
            if isinstance(value, Load) and value.fill is None:
                buffer = program.buffers[program.buffers[value.buffer].view_of or value.buffer]
                if buffer.role == "input":
                    return _name(buffer, leaves), size
    return None


def _bytes(buffer: Buffer, sizes: Mapping[str, int]) -> int:
    total = BYTES[buffer.dtype]
    for size in dimension.evaluate_shape(buffer.shape, sizes):
        total *= size
    return total
