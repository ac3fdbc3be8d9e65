"""From an entry (expressions) to a loop program: one kernel for each node, every value in a buffer of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from codegen.loops.grammar import PERSISTENT, Buffer, Program, Role
from codegen.lower import contract, index, loops, move, random, reduce, scalar, window
from codegen.lower.context import Lowering, Place, Value, slots
from codegen.lower.names import Names
from codegen.lower.prepare import prepare
from codegen.spec import Entry, Module
from symnet.errors import CompilerBug, Unsupported
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder

TABLE: Mapping[str, Callable[[Lowering, Expr], Value]] = {
    **scalar.TABLE,
    **reduce.TABLE,
    **contract.TABLE,
    **move.TABLE,
    **index.TABLE,
    **random.TABLE,
    **window.TABLE,
    "item": loops.item,
}
"""What every operation of a simplified, expanded graph becomes (leaves and scan apart)."""

ROLES: Mapping[str, Role] = {"parameter": "parameter", "state": "state", "hyper": "hyper", "input": "input"}


@dataclass(frozen=True)
class Binding:
    """How the expressions of a module appear in its programs.

    leaves   parameter, state, hyper and input nodes of all entries -> their buffers, persistent ones first and in the
             order in which every program of the module holds them
    outputs  (entry, output name) -> buffer name
    """

    leaves: Mapping[Expr, Buffer]
    outputs: Mapping[tuple[str, str], str]

    def buffers(self, entry: Entry) -> dict[str, Buffer]:
        """The buffers an entry's program begins with: all that persists, and the inputs the entry uses."""
        used = set(_nodes([entry]))
        return {b.name: b for leaf, b in self.leaves.items() if b.role != "input" or leaf in used}


def bind(module: Module) -> Binding:
    """Buffers for the leaves and names for the outputs of a module, the same for all of its entries."""
    names = Names(module.capacity)
    nodes = _nodes(module.entries)
    leaves: dict[Expr, Buffer] = {}
    for op, role in ROLES.items():
        for node in nodes:
            if node.op == op:
                name = names.fresh(node.name or op)
                leaves[node] = Buffer(name, node.dtype, node.shape, role)
    outputs = {(entry.name, name): names.fresh(name) for entry in module.entries for name in entry.outputs}
    return Binding(leaves, outputs)


def _nodes(entries: Sequence[Entry]) -> list[Expr]:
    roots: list[Expr] = []
    for entry in entries:
        roots += entry.outputs.values()
        roots += [node for pair in entry.updates for node in pair]
    return postorder(roots)


def lower(entry: Entry, module: Module) -> Program:
    """The naive program of an entry: outputs computed, then parameters and state overwritten with their new values.

    The graphs are simplified and expanded: `Unsupported` for an operation that is not in the tables.
    """
    binding = bind(module)
    lowering = Lowering(binding.buffers(entry), module.capacity)
    lowering.names.taken.update(binding.outputs.values())
    for leaf, buffer in binding.leaves.items():
        if buffer.name in lowering.buffers:
            lowering.values[leaf] = Place(buffer.name, slots(leaf.ndim))
    roots = prepare([*entry.outputs.values(), *(new for _, new in entry.updates)])
    outputs: list[tuple[Expr, Place]] = []
    for name, node in zip(entry.outputs, roots, strict=False):
        buffer_name = lowering.buffer(binding.outputs[entry.name, name], node.dtype, node.shape, "output")
        outputs.append((node, Place(buffer_name, slots(node.ndim))))
        lowering.targets.setdefault(node, outputs[-1][1])
    lower_all(lowering, roots)
    for node, place in outputs:
        if lowering.values[node] != place:
            lowering.copy(node, place)
    _update(lowering, [(old, new) for (old, _), new in zip(entry.updates, roots[len(outputs) :], strict=True)])
    items, checks = tuple(lowering.items), tuple(lowering.checks)
    return Program(entry.name, dict(module.capacity), lowering.buffers, items, checks, lowering.constants)


def _update(lowering: Lowering, updates: Sequence[tuple[Expr, Expr]]) -> None:
    """Overwrite parameters and state, after every new value exists apart from the old ones."""
    pairs = [(node, new) for node, new in updates if node is not new]
    places = [lowering.place(node) for node, _ in pairs]
    for node, new in pairs:
        if (node.shape, node.dtype) != (new.shape, new.dtype):
            raise CompilerBug(f"{node.name}: {node.dtype}{node.shape} cannot become {new.dtype}{new.shape}")
        value = lowering.value(new)
        if isinstance(value, Place) and lowering.buffers[value.buffer].role in PERSISTENT:
            name = lowering.buffer(lowering.names.fresh(f"{value.buffer}_old"), new.dtype, new.shape)
            lowering.copy(new, Place(name, slots(new.ndim)))
            lowering.values[new] = Place(name, slots(new.ndim))
    for place, (_, new) in zip(places, pairs, strict=True):
        lowering.copy(new, place)


def lower_all(lowering: Lowering, roots: Sequence[Expr]) -> None:
    """Lower every node under `roots` that is not lowered yet."""
    for node in postorder(roots):
        if node in lowering.values:
            continue
        lowering.node = node
        if node.op == "scan":
            lowering.values[node] = loops.scan(lowering, node, lower_all)
        elif node.op == "cond":
            lowering.values[node] = loops.cond(lowering, node, lower_all)
        elif node.op in TABLE:
            lowering.values[node] = TABLE[node.op](lowering, node)
        else:
            known = "expand composites with symnet.simplify.expand first"
            raise Unsupported(f"the operation {node.op!r} has no lowering to loops: {known}")
