"""How reductions are written, and what moves the elements of arrays."""

from __future__ import annotations

from collections.abc import Sequence

from symnet.explain import windows
from symnet.explain.alignment import squeezed
from symnet.explain.contraction import contraction, summed_product, transposed
from symnet.explain.identifiers import axis_letters, letters
from symnet.explain.leaves import Writer, extent, number
from symnet.explain.notation import (
    Big,
    Call,
    Entries,
    Fence,
    Form,
    Index,
    Inverse,
    Number,
    Product,
    Quotient,
    Range,
    Relation,
    Symbol,
    Transposed,
)
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr

# --- reductions and what acts along axes -------------------------------------------------------------------------


def along(node: Expr, axes: Sequence[int]) -> str:
    """The subscript of a function that acts along some axes: none when it takes them all."""
    operand = node.args[0]
    rest = [axis for axis in range(len(operand.shape)) if axis not in axes and operand.shape[axis] != 1]
    return ",".join(axis_letters(operand, axes)) if rest else ""


def _big(sign: str) -> Writer:
    """Σ over some axes; over all of them it has no index, unless that is the one named axis of a vector (the batch)."""

    def writer(node: Expr, args: Sequence[Form]) -> Form:
        operand, axes = node.args[0], node.attrs["axes"]
        if _is_idle(node):
            return args[0]
        as_product = summed_product(node, args[0]) if sign == "Σ" else None
        if as_product is not None:
            return as_product
        named = len(operand.shape) == 1 and isinstance(operand.shape[0], str)
        subscript = ",".join(axis_letters(operand, axes)) if named else along(node, axes)
        return Big(sign, tuple(subscript.split(",")) if subscript else (), args[0])

    return writer


def _reduction(name: str) -> Writer:
    """A function along axes; of a variance also what is taken from the number of elements, where that is not 0."""

    def writer(node: Expr, args: Sequence[Form]) -> Form:
        if _is_idle(node) and name in ("max", "min", "mean", "logsumexp", "any", "all"):
            return args[0] if node.args[0].dtype == node.dtype else Relation("!=", args[0], Number("0"))
        less = node.attrs.get("correction", 0)
        return Call(name, (*args, *([number(less)] if less else [])), along(node, node.attrs["axes"]))

    return writer


def _is_idle(node: Expr) -> bool:
    """Whether a node reduces axes of size 1 only."""
    return all(node.args[0].shape[axis] == 1 for axis in node.attrs["axes"])


def _norm(node: Expr, args: Sequence[Form]) -> Form:
    if _is_idle(node):
        return Fence("|", "|", args[0])
    return Fence("‖", "‖", args[0], along(node, node.attrs["axes"]))


def _unit(node: Expr, args: Sequence[Form]) -> Form:
    return Quotient(args[0], _norm(node, args), scalar=not along(node, node.attrs["axes"]))


def _along_axis(name: str) -> Writer:
    return lambda node, args: Call(name, tuple(args), along(node, (node.attrs["axis"],)))


def _softmax(name: str) -> Writer:
    """Along the last axis, as usual, nothing is said."""

    def writer(node: Expr, args: Sequence[Form]) -> Form:
        axis = node.attrs["axis"]
        if node.shape[axis] == 1:
            return Number("0" if name.startswith("log") else "1", bold=True)
        last = axis == len(node.shape) - 1
        return Call(name, tuple(args), "" if last else letters(node.shape)[axis])

    return writer


def _cumsum(node: Expr, args: Sequence[Form]) -> Form:
    if node.shape[node.attrs["axis"]] == 1:
        return args[0]
    name = "revcumsum" if node.attrs["reverse"] else "cumsum"
    return Call(name, tuple(args), along(node, (node.attrs["axis"],)))


# --- moving values -----------------------------------------------------------------------------------------------


def _reshape(node: Expr, args: Sequence[Form]) -> Form:
    """Axes of size 1 are not written; any other reshape is."""
    operand = node.args[0]
    if [dim for dim in operand.shape if dim != 1] == [dim for dim in node.shape if dim != 1]:
        return args[0]
    first, *rest = operand.shape or (1,)
    if node.shape == (first, dims.product(rest)):
        return Call("flat", (args[0],))
    return Call("reshape", (args[0], extent(node.shape)))


def _transpose(node: Expr, args: Sequence[Form]) -> Form:
    axes = node.attrs["axes"]
    rank = len(axes)
    if axes == (*range(rank - 2), rank - 1, rank - 2):
        return Transposed(args[0]) if _is_plain_product(args[0]) else transposed(args[0])
    if isinstance(args[0], Transposed) and axes == tuple(range(rank)):
        return args[0]
    return _permuted(args[0], node.args[0].shape, axes)


def _permuted(form: Form, shape: Shape, axes: Sequence[int]) -> Form:
    """The array with its axes in another order, (x[i, j, k])ₖᵢⱼ; axes of size 1 do not matter."""
    own = letters(shape)
    order = [own[axis] for axis in axes if own[axis]]
    plain = [letter for letter in own if letter]
    if order == plain:
        return form
    if order == [*plain[:-2], plain[-1], plain[-2]]:
        return transposed(form)
    if isinstance(form, Entries) and list(form.indices) == plain:
        return Entries(form.body, tuple(order))
    return Entries(Index(form, tuple(map(Symbol, plain))), tuple(order))


def _is_plain_product(form: Form) -> bool:
    """A product of matrices without inverses, whose transpose is left as users write it: (A B)ᵀ."""
    return isinstance(form, Product) and form.kind == "matrix" and not any(isinstance(f, Inverse) for f in form.factors)


def _broadcast_to(node: Expr, args: Sequence[Form]) -> Form:
    """Broadcasting is not written, but a constant array is set in bold: 𝟎, 𝟏."""
    if isinstance(args[0], Number):
        return Number(args[0].text, bold=any(dim != 1 for dim in node.shape))
    return args[0]


def _slice(node: Expr, args: Sequence[Form]) -> Form:
    operand = node.args[0]
    parts = [
        _range(start, step, size, whole)
        for start, step, size, whole in zip(
            node.attrs["start"], node.attrs["step"], node.attrs["size"], operand.shape, strict=True
        )
        if whole != 1
    ]
    while parts and parts[-1] == Range():
        parts.pop()
    return Index(args[0], tuple(parts)) if parts else args[0]


def _range(start: Dim, step: int, size: Dim, whole: Dim) -> Form:
    """One axis of a slice, as in NumPy: nothing where it takes the whole axis, one position where it takes one."""
    if size == 1 and whole != 1:
        return Symbol(_signed(start))
    last = dims.add(start, dims.mul(dims.sub(size, 1), step))
    stop = dims.add(last, 1 if step > 0 else -1)
    begins = start == (0 if step > 0 else dims.sub(whole, 1))
    ends = stop == (whole if step > 0 else -1)
    return Range("" if begins else _signed(start), "" if ends else _signed(stop), "" if step == 1 else _signed(step))


def _signed(dim: Dim) -> str:
    return str(dim).replace("-", "−")


def _place(node: Expr, args: Sequence[Form]) -> Form:
    """The operand in its places in an array that has the fill value elsewhere: pad(x, 7[1:4])."""
    operand = node.args[0]
    parts = []
    for start, step, size, whole in zip(
        node.attrs["start"], node.attrs["step"], operand.shape, node.attrs["shape"], strict=True
    ):
        part = _range(start, step, size, whole)
        parts.append(Symbol(":") if part == Range() else part)
    fill = node.attrs["fill"]
    extra = () if fill == 0 else (number(fill),)
    return Call("pad", (args[0], Index(extent(node.shape), tuple(parts)), *extra))


def _concat(node: Expr, args: Sequence[Form]) -> Form:
    """Parts with one element along the axis are stacked."""
    axis = node.attrs["axis"]
    if all(arg.shape[axis] == 1 for arg in node.args):
        last = all(dim == 1 for dim in node.shape[axis + 1 :])
        return Call("stack", tuple(args), "" if last else letters(node.shape)[axis])
    return Call("concat", tuple(args), "" if axis == len(node.shape) - 1 else letters(node.shape)[axis])


def _gather(node: Expr, args: Sequence[Form]) -> Form:
    """Axes of size 1 have no position, as they are not written."""
    shape = node.args[0].shape
    places = {axis: sum(dim != 1 for dim in shape[:axis]) for axis in node.attrs["axes"] if shape[axis] != 1}
    forms = _index_forms(node.args[1:], args[1:])
    indices = [index for axis, index in zip(node.attrs["axes"], forms, strict=True) if axis in places]
    if not places:
        return args[0]
    form = Index(args[0], _positions(list(places.values()), indices))
    return _indices_first(form, node, list(places.values()))


def _indices_first(form: Form, node: Expr, places: Sequence[int]) -> Form:
    """The axes of the indices come first in the graph, and in a formula where the indices stand."""
    count = len(squeezed(node.shape)) - len(squeezed(node.args[0].shape)) + len(places)
    first = places[0]
    if first == 0 or count == 0 or list(places) != list(range(first, places[-1] + 1)):
        return form
    shape = squeezed(node.shape)
    stands = (*shape[count : count + first], *shape[:count], *shape[count + first :])
    order = [*range(first, first + count), *range(first), *range(first + count, len(shape))]
    return _permuted(form, stands, order)


def _index_forms(indices: Sequence[Expr], forms: Sequence[Form]) -> list[Form]:
    """Positions along an axis of the other indices have its letter: x[n, y]."""
    whole = dims.broadcast(*(index.shape for index in indices))
    own = letters(whole)
    others = [index for index in indices if _iota_axis(index) is None and squeezed(index.shape) == squeezed(whole)]
    result = []
    for index, form in zip(indices, forms, strict=True):
        axis = _iota_axis(index)
        letter = "" if axis is None else own[axis + len(whole) - len(index.shape)]
        result.append(Symbol(letter) if letter and others else form)
    return result


def _iota_axis(node: Expr) -> int | None:
    """The axis along which a node holds positions, if it holds nothing else."""
    inner = node
    while inner.op in ("reshape", "cast"):
        inner = inner.args[0]
    if inner.op != "iota" or len(squeezed(node.shape)) != 1:
        return None
    return next(axis for axis, dim in enumerate(node.shape) if dim != 1)


def _positions(axes: Sequence[int], indices: Sequence[Form]) -> tuple[Form, ...]:
    parts: list[Form] = [Range()] * (max(axes) + 1)
    for axis, index in zip(axes, indices, strict=True):
        parts[axis] = index
    return tuple(parts)


def _scatter_add(node: Expr, args: Sequence[Form]) -> Form:
    """Rows added up at the places of indices, as with a table that is looked up: onehot(y)ᵀ u."""
    axes, index = node.attrs["axes"], node.args[1]
    rows = len(squeezed(index.shape))
    if axes == (0,) and rows in (1, 2) and len(node.shape) in (1, 2) and node.shape[0] != 1:
        hot = Transposed(Call("onehot", (args[1],), str(node.shape[0])))
        if rows == 1 or len(node.shape) == 2:
            product = Product("matrix", (hot, args[0]))
            return product if rows == 1 else Big("Σ", letters(squeezed(index.shape))[:1], product)
    indices = _index_forms(node.args[1:], args[1:])
    return Call("scatter", (args[0], Index(extent(node.shape), _positions(node.attrs["axes"], indices))))


def _contract(node: Expr, args: Sequence[Form]) -> Form:
    return contraction(node, args[0], args[1])


TABLE: dict[str, Writer] = {
    "sum": _big("Σ"),
    "prod": _big("∏"),
    **{name: _reduction(name) for name in ("max", "min", "any", "all", "mean", "var", "logsumexp")},
    **{name: _along_axis(name) for name in ("argmax", "argmin")},
    "norm": _norm,
    "unit": _unit,
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("logsoftmax"),
    "cumsum": _cumsum,
    "contract": _contract,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "slice": _slice,
    "place": _place,
    **windows.TABLE,
    "concat": _concat,
    "gather": _gather,
    "scatter_add": _scatter_add,
}
