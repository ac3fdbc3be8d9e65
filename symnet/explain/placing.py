"""Operands in their places: formulas say no more about axes than needed, and never less.

Broadcasting and axes of size 1 are not written, so a reader has to find out which axes meet (`alignment.py`). Here it
is checked, for every operation, that the reader finds what the graph means. Where not, the operands are written with
their indices, (x[i] + y[j])ᵢⱼ; and what an operation needs in full, though only a part of it is written, is repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symnet.errors import ShapeError
from symnet.explain import text
from symnet.explain.alignment import align, squeezed, visible
from symnet.explain.identifiers import letters
from symnet.explain.leaves import dimension, extent, is_named
from symnet.explain.linear_algebra import is_scaled_identity
from symnet.explain.notation import Call, Convolution, Entries, Form, Index, Negative, Number, Product, Sum, Symbol
from symnet.explain.operations import form_of
from symnet.explain.scalars import is_outer, is_repeated
from symnet.expr.dims import Shape
from symnet.expr.node import Expr

# Operations whose form is that of their operand.
_SAME = ("cast", "stop_gradient", "require", "random_step")
_CHOICES = ("usually", "abbreviated")
_WITH_ONES = ("kron", "windows", "overlap_add", "max_pool", "argmax_pool", "unpool")  # axes of size 1 count
_AS_THEY_ARE = ("slice", "softmax", "log_softmax", "cumsum", "reshape", "place", *_WITH_ONES[1:])
_REDUCTIONS = ("sum", "prod", "max", "min", "any", "all", "mean", "var", "logsumexp", "norm")


@dataclass(frozen=True)
class Reading:
    """How a reader takes a form.

    shape    its shape, as the reader finds it: not broadcast, with axes of size 1 for what was summed over
    axes     for each written axis of it the axis of the value that it is
    lazy     whether it takes its size from what it meets (one-hot vectors, positions)
    terms    of a sum or an element-wise product, those of its terms
    """

    shape: Shape
    axes: tuple[int, ...]
    lazy: bool = False
    terms: tuple[Reading, ...] = ()

    def moved(self, axes: Sequence[int]) -> Reading:
        """The same of a value whose axis k is the axis axes[k] of this one's."""
        new = tuple(axes[axis] for axis in self.axes)
        return Reading(self.shape, new, self.lazy, tuple(term.moved(axes) for term in self.terms))


Placed = tuple[Form, Reading]


def named(node: Expr) -> Reading:
    """The reading of a name, whose shape is known."""
    return Reading(node.shape, visible(node.shape))


def placed(node: Expr, operands: Sequence[Placed]) -> Placed:
    """The form of an operation, whose operands are written so that they are read as they are meant."""
    if node.op in _SAME or (node.op == "broadcast_to" and not isinstance(operands[0][0], Number)):
        form, reading = form_of(node, [form for form, _ in operands]), operands[0][1]
        shift = node.ndim - node.args[0].ndim
        return form, reading.moved(range(shift, shift + node.args[0].ndim)) if shift else reading
    if node.op in _CHOICES:
        return form_of(node, [form for form, _ in operands]), operands[0][1]
    if node.op == "reshape" and squeezed(node.shape) == squeezed(node.args[0].shape):
        return form_of(node, [operands[0][0]]), operands[0][1].moved(_same_axes(node.args[0].shape, node.shape))
    if node.op == "iota" and not is_named(node.attrs["size"]):
        return form_of(node, ()), named(node)
    if node.op in ("iota", "one_hot"):
        operands = [_full(operand, arg) for operand, arg in zip(operands, node.args, strict=True)]
        return form_of(node, [form for form, _ in operands]), Reading(node.shape, visible(node.shape), lazy=True)
    if node.declaration.kind == "scalar" and node.args:
        return _elementwise(node, operands)
    if is_scaled_identity(node):
        return form_of(node, [operands[0][0]]), Reading(squeezed(node.shape), visible(node.shape))
    full = [_full(operand, arg) for operand, arg in zip(operands, node.args, strict=True)]
    if node.op == "diag" and len(squeezed(node.args[0].shape)) > 1:  # of each vector of a stack
        stack = letters(squeezed(node.args[0].shape))[:-1]
        body = Call("diag", (Index(full[0][0], tuple(map(Symbol, stack))),))
        return Entries(body, stack), Reading(squeezed(node.shape), visible(node.shape))
    if node.op in _WITH_ONES or (node.op == "contract" and node.attrs["sizes"]):
        full = [_with_ones(operand, arg) for operand, arg in zip(full, node.args, strict=True)]
    form = form_of(node, [form for form, _ in full])
    if node.op in _REDUCTIONS:
        return form, _reduced(node, full[0][1])
    if isinstance(form, Number) or not squeezed(node.shape):
        return form, Reading((), ())
    if node.op in _AS_THEY_ARE or isinstance(form, Convolution):
        return form, named(node)
    return form, Reading(squeezed(node.shape), visible(node.shape))


def chosen(node: Expr, sides: Sequence[Expr], operands: Sequence[Placed]) -> Placed:
    """cond(condition, one value, the other), for the `sides` of a choice."""
    full = [
        operand[0] if isinstance(operand[0], Number) else _full(operand, side)[0]
        for operand, side in zip(operands, sides, strict=True)
    ]
    return Call("cond", tuple(full)), named(node)


def _same_axes(old: Shape, new: Shape) -> list[int]:
    """For each axis of `old` the axis of `new` that it is; axes of size 1 have none and are not asked for."""
    places = iter(visible(new))
    return [next(places) if dim != 1 else 0 for dim in old]


def _full(operand: Placed, node: Expr) -> Placed:
    """An operand of an operation that needs all of its axes: what is written without some of them is repeated."""
    form, reading = operand
    if reading.lazy and not isinstance(form, Symbol):
        form = _sized(form, node)
    if reading.axes == visible(node.shape) and not isinstance(form, Number):
        return form, reading
    if node.dtype == "tuple" or (isinstance(form, Number) and not squeezed(node.shape)):
        return form, reading
    if reading.axes == visible(node.shape):
        return form, reading
    return _repeated(form, reading, node), named(node)


def _repeated(form: Form, reading: Reading, node: Expr) -> Form:
    """A form with all axes of the node: repeat(x, 3×4) where a reader finds the new ones, else (x[i])_{i,j<4}."""
    try:
        frame, (own, _) = align([reading.shape, node.shape])
    except ShapeError:
        own, frame = (), ()
    if frame == node.shape and visible(own) == reading.axes:
        return Call("repeat", (form, extent(node.shape)))
    names = letters(node.shape)
    indices = tuple(Symbol(names[axis]) for axis in reading.axes)
    bounds = [
        names[axis] if axis in reading.axes else f"{names[axis]}<{text.write(dimension(node.shape[axis]))}"
        for axis in visible(node.shape)
    ]
    return Entries(Index(form, indices) if indices else form, tuple(bounds))


def _with_ones(operand: Placed, node: Expr) -> Placed:
    """An operand of which also the axes of size 1 count."""
    form, reading = operand
    if reading.shape == node.shape:
        return operand
    return Call("reshape", (form, extent(node.shape))), named(node)


def _with_size(operand: Placed, node: Expr) -> Placed:
    form = _sized(operand[0], node)
    return operand if form is operand[0] else (form, named(node))


def _sized(form: Form, node: Expr) -> Form:
    """A one-hot vector with its number of classes: onehot₅(y)."""
    if isinstance(form, Call) and form.function == "onehot" and not form.sub:
        return Call("onehot", form.arguments, str(node.shape[-1]))
    return form


def _reduced(node: Expr, reading: Reading) -> Reading:
    axes, operand = node.attrs["axes"], node.args[0]
    own = dict(zip(visible(reading.shape), reading.axes, strict=True))
    shape = tuple(1 if own.get(axis, -1) in axes else dim for axis, dim in enumerate(reading.shape))
    if not squeezed(shape):
        return Reading((), ())
    kept = [axis for axis in range(operand.ndim) if axis not in axes]
    place = {old: (old if node.attrs.get("keepdims") else kept.index(old)) for old in kept}
    return Reading(shape, tuple(place[own[axis]] for axis in visible(shape)))


# --- element by element ------------------------------------------------------------------------------------------


def _elementwise(node: Expr, operands: Sequence[Placed]) -> Placed:
    if not any(reading.axes and not reading.lazy for _, reading in operands):  # nothing that tells a size
        operands = [_with_size(operand, arg) for operand, arg in zip(operands, node.args, strict=True)]
    readings = []
    for (_, reading), arg in zip(operands, node.args, strict=True):
        shift = node.ndim - arg.ndim
        readings.append(reading.moved(range(shift, node.ndim)))
    whole = Reading(squeezed(node.shape), visible(node.shape))
    if is_outer(node) and not any(reading.lazy or not reading.axes for reading in readings):
        return form_of(node, [form for form, _ in operands]), whole
    readings = [whole if is_repeated(node, i) else reading for i, reading in enumerate(readings)]
    forms = [_letter(form, reading, node) for (form, _), reading in zip(operands, readings, strict=True)]
    form = form_of(node, forms)
    if isinstance(form, Sum) and node.ndim > 2 and any(isinstance(term, Convolution) for term in _summed(form)):
        readings = [_of_maps(reading, node) for reading in readings]
    terms = _terms(form, forms, readings)
    met = _met(terms, chain=isinstance(_bare(form), Product))
    if met is not None and all(reading.lazy for reading in readings if squeezed(reading.shape)) and squeezed(met.shape):
        return form, Reading(node.shape, visible(node.shape), lazy=True)
    if met is not None:
        kept = tuple(terms) if isinstance(_bare(form), (Sum, Product)) else ()
        return form, Reading(met.shape, met.axes, terms=kept)
    return _indexed(node, operands, readings)


def _summed(form: Sum) -> list[Form]:
    """The terms of a sum, and of the sums in it."""
    found: list[Form] = []
    for term, _ in form.terms:
        found += _summed(term) if isinstance(term, Sum) else [term]
    return found


def _of_maps(reading: Reading, node: Expr) -> Reading:
    """How a vector beside a convolution is read: a number for each of its maps, which lie along axis 1."""
    if len(squeezed(reading.shape)) != 1 or reading.lazy:
        return reading
    shape = (1, *squeezed(reading.shape), *(1,) * (node.ndim - 2))
    return Reading(shape, reading.axes)


def _letter(form: Form, reading: Reading, node: Expr) -> Form:
    """Positions along a named axis have its letter in the result: t and t′ along two axes of the size T."""
    if reading.lazy and isinstance(form, Symbol) and len(reading.axes) == 1:
        return Symbol(letters(node.shape)[reading.axes[0]])
    return form


def _terms(form: Form, forms: Sequence[Form], readings: Sequence[Reading]) -> list[Reading]:
    """The readings of what stands side by side: sums in sums and products in products have no parentheses."""
    result, form = [], _bare(form)
    for operand, reading in zip(map(_bare, forms), readings, strict=True):
        joins = isinstance(form, Sum) and isinstance(operand, Sum)
        joins = joins or (isinstance(form, Product) and isinstance(operand, Product) and operand.kind == form.kind)
        result += list(reading.terms) if joins and reading.terms else [reading]
    return result


def _bare(form: Form) -> Form:
    """A product without the sign in front of it."""
    return form.body if isinstance(form, Negative) and isinstance(form.body, Product) else form


def _met(terms: Sequence[Reading], chain: bool) -> Reading | None:
    """How the terms meet for a reader: all at once in a sum, one after another in a product; None: not as meant."""
    if not chain:
        return _aligned(terms)
    whole: Reading | None = terms[0]
    for term in terms[1:]:
        whole = None if whole is None else _aligned([whole, term])
    return whole


def _aligned(terms: Sequence[Reading]) -> Reading | None:
    arrays = [term for term in terms if squeezed(term.shape) and not term.lazy]
    lazy = [term for term in terms if squeezed(term.shape) and term.lazy]
    try:
        frame, shapes = align([term.shape for term in arrays])
    except ShapeError:
        return None
    meaning: dict[int, int] = {}
    for term, shape in zip(arrays, shapes, strict=True):
        for place, axis in zip(visible(shape), term.axes, strict=True):
            if meaning.setdefault(place, axis) != axis:
                return None
    axes = tuple(meaning[place] for place in visible(frame))
    if list(axes) != sorted(axes) or len(set(axes)) != len(axes):
        return None
    if lazy and arrays:
        return Reading(frame, axes) if all(_fits(term, frame, axes) for term in lazy) else None
    return Reading(frame, axes) if arrays else (lazy[0] if lazy else Reading((), ()))


def _fits(term: Reading, frame: Shape, axes: Sequence[int]) -> bool:
    """Whether a one-hot vector or a position means the axes of the frame that a reader takes it to mean."""
    return set(term.axes) <= set(axes) and (not term.axes or term.axes[-1] == axes[-1] or len(term.axes) < len(axes))


def _indexed(node: Expr, operands: Sequence[Placed], readings: Sequence[Reading]) -> Placed:
    """The entries of the result, made of the entries of the operands."""
    own = letters(node.shape)
    bounds: dict[str, str] = {}
    forms: list[Form] = []
    for (form, _), reading, arg in zip(operands, readings, node.args, strict=True):
        indices = tuple(Symbol(own[axis]) for axis in reading.axes)
        form = _sized(form, arg)
        if isinstance(form, Call) and form.function == "range":
            (index,) = indices
            bounds[index.base] = f"{index.base}<{text.write(form.arguments[0])}"
            forms.append(index)
        elif isinstance(form, Entries) and indices == tuple(map(Symbol, form.indices)):
            forms.append(form.body)
        else:
            forms.append(Index(form, indices) if indices else form)
    body = form_of(node, forms)
    whole = Reading(squeezed(node.shape), visible(node.shape))
    return Entries(body, tuple(bounds.get(letter, letter) for letter in own if letter)), whole
