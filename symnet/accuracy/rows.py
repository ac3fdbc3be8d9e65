"""Which functions of rows can lose digits: groups of scalar operations and reductions, cut out of the graph.

A row function is a float32 value computed from *sources* by element-wise operations, reductions over axes, and moves of
elements: what a chain (`chains.py`) is, but for the reductions. It is closed over inputs `s0`, `s1`, … of small
arrays, with the points at which it is examined as an axis behind the others: so broadcasting and the axes of reductions
are what they were. Sizes that do not matter become small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from symnet.accuracy.chains import (
    GROWS,
    POINTS,
    Groups,
    applied,
    belongs,
    chain_order,
    leaving_groups,
    of_shape,
)
from symnet.accuracy.domains import domain
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import ArrayValue, Expr, make
from symnet.expr.traverse import postorder
from symnet.ops.contract import is_plain
from symnet.ops.leaves import constant, dim, input
from symnet.ops.reduce import sum
from symnet.ops.scalar import multiply

LONGEST = 200
"""Row functions of more operations than this are left as they are, and those of more sources than `MOST_SOURCES`."""
MOST_SOURCES = 8
LARGEST_SIZE = 8
"""Axes of fixed size up to this are examined as they are, longer ones with `SAMPLED` elements."""
SAMPLED = 5
MOST_ELEMENTS = 64
"""A constant array of more elements than this is sampled."""
ALONG_AXES = frozenset(("axis", "axes", "keepdims", "correction"))
"""The settings of operations that reduce or work along axes, and do nothing else with shapes."""
MOVES = ("transpose", "gather", "scatter_add")
LOGARITHMS = ("weighted_logsumexp",)
"""Logarithms of what may be nearly 1."""
ADDED_UP = ("sum", "mean", "contract", "reshape", "negative")
"""What is done to terms at the end, whose digits do not count in training."""
SUMS = frozenset(("add", "subtract", "negative", "broadcast_to", "reshape", "stop_gradient", "transpose"))
"""Operations of which a source may be the result: what they make of any numbers is any number again."""


@dataclass(frozen=True, eq=False)
class Row:
    """`root`, a value of the graph, as the closed row function `closed` of `sources`.

    now    how the chains in it are computed by now, by nodes of `closed`
    sizes  how large the named sizes of `closed` are when it is examined
    dims   and what they are in the graph
    """

    root: Expr
    closed: Expr
    now: Mapping[Expr, Expr]
    sources: tuple[Expr, ...]
    domains: tuple[str, ...]
    sizes: Mapping[str, int]
    dims: Mapping[Dim, Dim]


class MendedChain(Protocol):
    """A chain that is computed in another way: closed, over these sources."""

    @property
    def after(self) -> Expr: ...
    @property
    def sources(self) -> tuple[Expr, ...]: ...


Mended = Callable[[Expr], MendedChain | None]
"""The mended chain that a node heads, if it does."""


def suspects(roots: Sequence[Expr], mended: Mended, training: bool = False) -> list[Row]:
    """The row functions of a graph in which digits may be lost: one for each value that leaves its group and has below
    it a suspicious operation on something reduced.

    training  what is added up in the end is looked at, not the sum: gradients and losses are as good as their terms
    """
    order = postorder(roots)
    inside = RowGroups(order)
    if not any(inside.suspicious.values()):
        return []
    leaving = leaving_groups(roots, order, inside.sources)
    if training:
        for node in reversed(order):
            if id(node) in leaving and node.op in ADDED_UP and id(node) in inside.sources:
                leaving.discard(id(node))
                leaving.update(map(id, node.args))
    found = (node for node in order if id(node) in leaving and inside.suspicious.get(id(node)))
    return [row for node in found if node.dtype == "float32" and (row := _cut(node, inside, mended)) is not None]


class RowGroups(Groups):
    """The same as for chains, with reductions and moves of elements among the operations of a group."""

    def __init__(self, order: Iterable[Expr]) -> None:
        nodes = list(order)
        self.reduced: set[int] = set()
        for node in nodes:
            if _works_along_axes(node) or any(id(arg) in self.reduced for arg in node.args):
                self.reduced.add(id(node))
        super().__init__(nodes)

    def belongs(self, node: Expr) -> bool:
        return belongs(node) or (node.dtype in ("float32", "bool") and _is_row_operation(node))

    def suspect(self, node: Expr) -> bool:
        return id(node) in self.reduced and (node.op in LOGARITHMS or super().suspect(node))

    def grows(self, node: Expr) -> bool:
        return node.op in GROWS or _works_along_axes(node)


def _is_row_operation(node: Expr) -> bool:
    if any(arg.dtype not in ("float32", "bool") for arg in node.args):
        return False
    if node.op == "dim":
        return True
    if node.op == "reshape":
        return _without_ones(node.shape) == _without_ones(node.args[0].shape)
    if node.op in ("slice", "place"):
        return all(isinstance(size, int) and size <= LARGEST_SIZE for size in _picked(node))
    return node.op == "transpose" or _works_along_axes(node)


def _works_along_axes(node: Expr) -> bool:
    """Whether a node is a reduction, an operation such as a softmax, or a sum of element-wise products."""
    if node.op == "contract":
        return _is_inner_product(node)
    attrs = node.attrs.keys()
    return bool(attrs & {"axis", "axes"}) and attrs <= ALONG_AXES and node.op not in MOVES


def _is_inner_product(node: Expr) -> bool:
    """Σ a ⊙ b over some of the axes: no product of matrices."""
    if not is_plain(node.attrs["spec"]):
        return False
    a, b, out = node.attrs["spec"].replace("->", ",").split(",")
    return a == b and len(set(a)) == len(a) and out == "".join(letter for letter in a if letter in out)


def _picked(node: Expr) -> list[Dim]:
    """The sizes of the axes of which a slice takes (a place fills) a part or another order, before and after."""
    axes = zip(node.attrs["start"], node.attrs["step"], node.shape, node.args[0].shape, strict=True)
    return [size for start, step, *pair in axes if (start, step) != (0, 1) or pair[0] != pair[1] for size in pair]


def _without_ones(shape: Shape) -> list[Dim]:
    return [size for size in shape if size != 1]


# --- closing ---------------------------------------------------------------------------------------------------------


class _Sizes:
    """New sizes for those of a group: short ones that something is reduced over stay, all others get names."""

    def __init__(self, order: Sequence[Expr]) -> None:
        self.new: dict[Dim, Dim] = {1: 1}
        self.sizes: dict[str, int] = {}
        self.counts: dict[float | str, Dim] = {}
        active = {size for node in order for size in _active(node)}
        for size in dict.fromkeys(size for node in order for size in node.shape):
            if isinstance(size, int) and size in active and size <= LARGEST_SIZE:
                self.new[size] = size
            elif size not in self.new:
                self._named(size, SAMPLED if size in active else 1)
        for node in order:
            self._count(node)
        for node in order:
            if node.op == "dim" and node.attrs["size"] not in self.counts and node.attrs["size"] not in self.new:
                self._named(node.attrs["size"], SAMPLED)

    def _named(self, size: Dim, sampled: int) -> None:
        name = f"A{len(self.sizes)}"
        self.new[size], self.sizes[name] = name, sampled

    def _count(self, node: Expr) -> None:
        """Numbers that are the count of what is averaged over (or one less), for sizes that are sampled."""
        if node.args and _works_along_axes(node) and "axes" in node.attrs:
            over = [node.args[0].shape[axis] for axis in node.attrs["axes"]]
            true, new = dims.product(over), dims.product(self.new[size] for size in over)
            for less in (0, 1):
                if not isinstance(new, int):
                    self.counts[dims.sub(true, less)] = dims.sub(new, less)

    def shape(self, shape: Shape) -> Shape:
        return (*(self.new[size] for size in shape), POINTS)


def _active(node: Expr) -> Iterator[Dim]:
    """The sizes of axes that an operation does something along."""
    if node.op in ("slice", "place"):
        yield from _picked(node)
    elif node.args and _works_along_axes(node):
        shape = node.args[0].shape
        if node.op == "contract":
            yield from shape
        else:
            axes = node.attrs["axes"] if "axes" in node.attrs else (node.attrs["axis"],)
            yield from (shape[axis] for axis in axes)


def _cut(root: Expr, inside: RowGroups, mended: Mended) -> Row | None:
    """The row function under a node; None where it is too long, or of too many sources."""
    order, boundary = chain_order(root, inside, LONGEST)
    if len(order) > LONGEST or not any(_works_along_axes(node) for node in order if id(node) in inside.sources):
        return None
    sources = _sources(root, order, inside)
    if len(sources) > MOST_SOURCES:
        return None
    order = postorder([root], [*boundary, *sources])
    known = set(map(id, sources))
    sizes = _Sizes([node for node in order if id(node) in inside.sources or id(node) in known])
    new: dict[int, Expr] = {
        id(source): input(f"s{i}", sizes.shape(source.shape), source.dtype) for i, source in enumerate(sources)
    }
    better = dict(new)
    now: dict[Expr, Expr] = {}
    for node in order:
        if id(node) in new:
            continue
        new[id(node)] = _closed(node, [new[id(arg)] for arg in node.args], sizes)
        chain = mended(node)
        if chain is not None and all(id(source) in better for source in chain.sources):
            value = applied(chain.after, [better[id(source)] for source in chain.sources])
            better[id(node)] = now[new[id(node)]] = of_shape(value, new[id(node)].shape)
        else:
            better[id(node)] = _closed(node, [better[id(arg)] for arg in node.args], sizes)
    back = {new_size: size for size, new_size in sizes.new.items()}
    return Row(root, new[id(root)], now, tuple(sources), tuple(map(row_domain, sources)), sizes.sizes, back)


def _sources(root: Expr, order: Sequence[Expr], inside: RowGroups) -> list[Expr]:
    """What the row function depends on: what does not belong to the group, but for numbers; and sums of such that
    nothing else in the group depends on."""
    users: dict[int, int] = {}
    for node in order:
        if id(node) in inside.sources:
            for arg in node.args:
                users[id(arg)] = users.get(id(arg), 0) + 1
    plain: dict[int, Expr] = {}
    for node in order:
        if id(node) not in inside.sources:
            if node.op != "constant" or node.shape:
                plain[id(node)] = node
        elif (
            node is not root
            and node.dtype == "float32"
            and node.op in SUMS
            and all(id(arg) in plain and users[id(arg)] == 1 and domain(arg) == "real" for arg in node.args)
        ):
            for arg in node.args:
                del plain[id(arg)]
            plain[id(node)] = node
    return list(plain.values())


def row_domain(source: Expr) -> str:
    """What is known of the elements of a source; see `domains.domain`. A short array of constants has its elements."""
    if source.op == "constant" and isinstance(source.attrs["value"], ArrayValue) and source.dtype == "float32":
        elements = source.attrs["value"].array.ravel()
        if elements.size <= MOST_ELEMENTS:
            return "values " + " ".join(map(repr, elements.tolist()))
    return "one-hot" if source.op == "one_hot" else domain(source)


def _closed(node: Expr, args: Sequence[Expr], sizes: _Sizes) -> Expr:
    """A node of the group over closed operands."""
    op, attrs = node.op, dict(node.attrs)
    if op == "constant":
        count = sizes.counts.get(attrs["value"]) if node.dtype == "float32" else None
        return node if count is None else dim(count, "float32")
    if op == "dim":
        size = attrs["size"]
        return dim(sizes.counts[size] if size in sizes.counts else sizes.new[size], "float32")
    if op == "contract":
        a, _, out = attrs["spec"].replace("->", ",").split(",")
        return sum(multiply(*args), tuple(i for i, letter in enumerate(a) if letter not in out))
    if "shape" in attrs:
        attrs["shape"] = sizes.shape(node.shape)
    if op == "transpose":
        attrs["axes"] = (*attrs["axes"], len(attrs["axes"]))
    if op in ("slice", "place"):
        attrs |= {"start": (*attrs["start"], 0), "step": (*attrs["step"], 1)}
    if op == "slice":
        attrs["size"] = sizes.shape(node.shape)
    return make(node.declaration, args, attrs)


def opened(closed: Expr, row: Row, sources: Sequence[Expr]) -> Expr:
    """A form of the closed row function with `sources` in the place of its inputs, and their shapes."""
    new: dict[int, Expr] = {}
    for node in postorder([closed]):
        if node.op == "input":
            new[id(node)] = sources[int(str(node.name)[1:])]
        else:
            new[id(node)] = _opened(node, [new[id(arg)] for arg in node.args], row)
    return new[id(closed)]


def _opened(node: Expr, args: Sequence[Expr], row: Row) -> Expr:
    op, attrs = node.op, dict(node.attrs)
    if op == "dim":
        size = _true_size(attrs["size"], row)
        return constant(float(size), node.dtype) if isinstance(size, int) else dim(size, node.dtype)
    if op == "constant":
        return node
    if "shape" in attrs:
        attrs["shape"] = tuple(row.dims[size] for size in node.shape[:-1])
    if op == "transpose":
        attrs["axes"] = attrs["axes"][:-1]
    if op in ("slice", "place"):
        attrs |= {"start": attrs["start"][:-1], "step": attrs["step"][:-1]}
    if op == "slice":
        attrs["size"] = tuple(row.dims[size] for size in node.shape[:-1])
    return make(node.declaration, args, attrs)


def _true_size(size: Dim, row: Row) -> Dim:
    """A polynomial of the names that closing gave, in the sizes of the graph."""
    total: Dim = 0
    for names, coefficient in dims.terms(size):
        total = dims.add(total, dims.mul(dims.product(row.dims[name] for name in names), coefficient))
    return total
