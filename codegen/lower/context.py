"""The state of lowering one entry: buffers, kernels, and where the value of every node is found.

The value of a node is either a place (a buffer with an affine map from the node's axes to the buffer's) or inline (a
function from an index to a scalar, for what needs no memory: constants, positions, sizes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from codegen.loops.grammar import (
    Affine,
    Axis,
    Buffer,
    Const,
    Index,
    Item,
    Kernel,
    Load,
    Role,
    Scalar,
    Stmt,
    Store,
)
from codegen.loops.rewrite import axis_index, combine, compose, map_scalar, scalar_from, stemming_from
from codegen.lower.names import AxisNames, Names
from symnet.errors import CompilerBug
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr

ZERO = Affine()


@dataclass(frozen=True)
class Place:
    """`buffer[index]`, where `index` is written in the pseudo-axes `#0`, `#1`, … of the node (see `slot`)."""

    buffer: str
    index: tuple[Affine, ...]


@dataclass(frozen=True)
class Inline:
    """A value computed where it is read."""

    at: Callable[[tuple[Index, ...]], Scalar]


Value = Place | Inline


def slot(axis: int) -> str:
    """The pseudo-axis that stands for axis number `axis` of a node in a `Place`."""
    return f"#{axis}"


def slots(rank: int) -> tuple[Affine, ...]:
    return tuple(axis_index(slot(axis)) for axis in range(rank))


def moved(place: Place, index: Sequence[Affine]) -> Place:
    """`place` read at `index`, itself written in the pseudo-axes of the new node."""
    forms = {slot(axis): form for axis, form in enumerate(index)}
    return Place(place.buffer, tuple(compose(i, forms) for i in place.index))


class Lowering:
    """Collects the buffers and kernels of one entry; the tables of `codegen.lower` work on it."""

    def __init__(self, buffers: Mapping[str, Buffer], capacity: Mapping[str, int]) -> None:
        self.capacity = capacity
        self.buffers: dict[str, Buffer] = dict(buffers)
        self.names = Names((*buffers, *capacity))
        self.kernel_names = Names(capacity)
        self.items: list[Item] = []
        self.outer: tuple[Axis, ...] = ()
        self.values: dict[Expr, Value | tuple[Value, ...]] = {}
        self.targets: dict[Expr, Place] = {}
        self.checks: list[str] = []
        self.checked: set[tuple[Expr, Dim]] = set()
        self.constants: dict[str, object] = {}
        self.node: Expr | None = None
        """What is being lowered: the origin of the kernels that are made."""

    # --- places --------------------------------------------------------------------------------------------------

    def buffer(self, name: str, dtype: str, shape: Shape, role: Role = "scratch", view_of: str | None = None) -> str:
        """A new buffer; `name` is already unique."""
        self.buffers[name] = Buffer(name, dtype, shape, role, view_of)
        return name

    def name_of(self, node: Expr) -> str:
        return self.names.fresh(node.name) if node.name else self.names.numbered(node.op)

    def target(self, node: Expr) -> Place:
        """Where the value of `node` is to be written: the place asked for, else a buffer of its own."""
        if (place := self.targets.pop(node, None)) is not None:
            return place
        return Place(self.buffer(self.name_of(node), node.dtype, node.shape), slots(node.ndim))

    def constant(self, node: Expr, array: np.ndarray) -> Place:
        """Read-only data of the program."""
        name = self.buffer(self.name_of(node), node.dtype, node.shape, "constant")
        self.constants[name] = array
        return Place(name, slots(node.ndim))

    def value(self, node: Expr) -> Value:
        found = self.values[node]
        if isinstance(found, tuple):
            raise CompilerBug(f"the tuple {node.op} is used as an array")
        return found

    def place(self, node: Expr) -> Place:
        """The value of `node` in memory, written there first if it was inline."""
        found = self.value(node)
        if isinstance(found, Inline):
            name = self.buffer(self.name_of(node), node.dtype, node.shape)
            self.copy(node, Place(name, slots(node.ndim)))
            found = self.values[node] = Place(name, slots(node.ndim))
        return found

    # --- reading -------------------------------------------------------------------------------------------------

    def read_value(self, value: Value, index: Sequence[Index], dtype: str, fill: Const | None = None) -> Scalar:
        if isinstance(value, Inline):
            if fill is not None:
                raise CompilerBug("a guarded read of a value without memory")
            return value.at(tuple(index))
        parts = {slot(axis): part for axis, part in enumerate(index)}
        return Load(value.buffer, tuple(combine(form, parts) for form in value.index), dtype, fill)

    def read(self, node: Expr, index: Sequence[Index]) -> Scalar:
        """The element of `node` at `index`."""
        value = self.value(node)
        found = self.read_value(value, index, node.dtype)
        return map_scalar(found, lambda part: scalar_from(part, node)) if isinstance(value, Inline) else found

    def read_guarded(self, node: Expr, index: Sequence[Index], fill: Const) -> Scalar:
        """The element at `index`, or `fill` where that is outside the node."""
        place = self.whole(node)
        return self.read_value(place, index, node.dtype, fill)

    def broadcast(self, node: Expr, index: Sequence[Index]) -> Scalar:
        """The element of `node` that NumPy's broadcasting puts at `index` of a result with at least its axes."""
        own = index[len(index) - node.ndim :]
        return self.read(node, [ZERO if dim == 1 else i for dim, i in zip(node.shape, own, strict=True)])

    def whole(self, node: Expr) -> Place:
        """A place where leaving the axes of the node means leaving the buffer, as guards need it."""
        place = self.place(node)
        found = dict(zip(place.index, self.buffers[place.buffer].shape, strict=True))
        varying = sum(any(axis.startswith("#") for axis, _ in form.terms) for form in place.index)
        if varying == node.ndim and all(found.get(s) == d for s, d in zip(slots(node.ndim), node.shape, strict=True)):
            return place
        copy = Place(self.buffer(self.names.fresh(f"{place.buffer}_copy"), node.dtype, node.shape), slots(node.ndim))
        self.copy(node, copy)
        return copy

    # --- kernels -------------------------------------------------------------------------------------------------

    def axis_names(self) -> AxisNames:
        return AxisNames((*self.capacity, *(axis.name for axis in self.outer)))

    def grid(self, shape: Shape, names: AxisNames | None = None) -> tuple[tuple[Axis, ...], tuple[Affine, ...]]:
        """Axes over `shape` (none for a size of 1) and the index of the element at their position."""
        names = names or self.axis_names()
        axes: list[Axis] = []
        index: list[Affine] = []
        for dim in shape:
            if dim == 1:
                index.append(ZERO)
            else:
                axes.append(Axis(names.take(dim), dim))
                index.append(axis_index(axes[-1].name))
        return tuple(axes), tuple(index)

    def kernel(self, name: str, axes: tuple[Axis, ...], body: Sequence[Stmt], note: str = "") -> None:
        self.items.append(Kernel(self.kernel_names.fresh(name), axes, stemming_from(body, self.node), note=note))

    def store(self, place: Place, index: Sequence[Index], value: Scalar, accumulate: bool = False) -> Store:
        parts = {slot(axis): part for axis, part in enumerate(index)}
        return Store(place.buffer, tuple(combine(form, parts) for form in place.index), value, accumulate)

    def map(self, node: Expr, element: Callable[[tuple[Affine, ...]], Scalar]) -> Place:
        """A kernel that writes `element(index)` at every index of `node`."""
        target = self.target(node)
        axes, index = self.grid(node.shape)
        self.kernel(target.buffer, axes, [self.store(target, index, element(index))], node.op)
        return target

    def fill(self, place: Place, shape: Shape, value: Const) -> None:
        axes, index = self.grid(shape)
        self.kernel(f"{place.buffer}_fill", axes, [self.store(place, index, value)], "fill")

    def copy(self, node: Expr, target: Place) -> None:
        """A kernel that writes the value of `node` to another place."""
        axes, index = self.grid(node.shape)
        body = stemming_from([self.store(target, index, self.read(node, index))], node)
        self.kernel(f"{target.buffer}_copy", axes, body, "copy")

    # --- checks --------------------------------------------------------------------------------------------------

    def check(self, message: str) -> int:
        """The code of a new check with this message."""
        self.checks.append(message)
        return len(self.checks) - 1

    def within(self, items: list[Item], *axes: Axis) -> Scope:
        """`with lowering.within(items, axis):` kernels go to `items`, repeated along `axis` if it is given."""
        return Scope(self, items, axes)


class Scope:
    def __init__(self, lowering: Lowering, items: list[Item], axes: tuple[Axis, ...]) -> None:
        self.lowering, self.items, self.axes = lowering, items, axes

    def __enter__(self) -> None:
        self.saved = (self.lowering.items, self.lowering.outer)
        self.lowering.items, self.lowering.outer = self.items, (*self.lowering.outer, *self.axes)

    def __exit__(self, *_: object) -> None:
        self.lowering.items, self.lowering.outer = self.saved
