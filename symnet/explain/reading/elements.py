"""Elements as they are read: indices, arrays by their entries, and sums over axes, indices and steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.explain.alignment import align, squeezed
from symnet.explain.identifiers import letters
from symnet.explain.reading.document import LETTERS, bound, counts, key, names, sequence, timed, walk
from symnet.explain.reading.grammar import Tree, dimension
from symnet.explain.reading.values import Array, Lazy, Operand
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape

if TYPE_CHECKING:
    from symnet.explain.reading.reader import Reader


def reduced(reader: Reader, function: Callable[..., Any], array: Array, subscript: str) -> Array:
    """A reduction over the axes with these letters (all without any), which keep their places with size 1."""
    own = letters(array.shape)
    names = LETTERS.findall(subscript)
    axes = tuple(own.index(name) for name in names) if names else tuple(range(len(array.shape)))
    value = np.asarray(function(array.value, axis=axes, keepdims=True))
    shape = tuple(1 if axis in axes else dim for axis, dim in enumerate(array.shape))
    return Array(value, shape) if squeezed(shape) else Array(value.reshape(()), ())


def big(reader: Reader, tree: Tree) -> Operand:
    """Σ over axes; over the steps of a loop where the body has values at step t; over indices of the body."""
    body, function = tree.tree(1), np.sum if tree.kind == "Σ" else np.prod
    names = LETTERS.findall(tree.text(0))
    ranges = {name: found for name in names if (found := _range_of(reader, name, body)) is not None}
    if names and len(ranges) == len(names):
        store = reader.times if _is_time(reader, names[0], body) else reader.indices
        outer = dict(store)
        terms = []
        with reader.steady(fixed_parts(body, names)):
            for values in product(*(range(*ranges[name]) for name in names)):
                store.update(zip(names, values, strict=True))
                terms.append(reader.array(body))
        _restore(store, outer)
        return Array(np.asarray(function([term.value for term in terms], axis=0)), terms[0].shape, terms[0].row)
    return reduced(reader, function, reader.array(body), tree.text(0))


def _is_time(reader: Reader, letter: str, body: Tree) -> bool:
    return any(counts(key(name), letter) and _length(reader, key(name), letter) is not None for name in names(body))


def _length(reader: Reader, own: str, letter: str) -> int | None:
    if not timed(own, letter):  # of a loop around
        ends = [
            dims.evaluate(dimension(text), reader.sizes)
            for (base, counted), loop in reader.lengths.items()
            if counted == letter and own.startswith(base)
            for text in (loop.first, loop.last)
        ]
        return max(ends, default=None)
    base = sequence(reader.at_times(own), letter)[0]
    if base in reader.steps and base in reader.shapes:
        return dims.evaluate(reader.shapes[base][0], reader.sizes)
    if base in reader.steps:
        return max(reader.steps[base])
    for store in (reader.given, reader.found):
        if base in store and own not in store:
            return len(store[base].value)
    return None


def _range_of(reader: Reader, letter: str, body: Tree) -> tuple[int, int] | None:
    """What a letter counts: the steps of a loop from 1, the positions of an axis from 0; None: it is an axis."""
    if letter in reader.times:
        return None
    lengths = [_length(reader, key(name), letter) for name in names(body) if counts(key(name), letter)]
    known = [length for length in lengths if length is not None]
    if known:
        return 1, min(known) + 1
    size = _counted(reader, letter, body)
    return None if size is None else (0, dims.evaluate(size, reader.sizes))


def _counted(reader: Reader, letter: str, body: Tree) -> Dim | None:
    """The size of the axis that a letter is a position of, somewhere in a formula."""
    for tree in _free(letter, body):
        if tree.kind == "index":
            for axis, part in enumerate(tree.trees()[1:]):
                if part == Tree("name", (letter,)):
                    return reader.squeeze(reader.whole(tree.tree(0))).shape[axis]
    return None


def _free(letter: str, body: Tree) -> Iterable[Tree]:
    """The parts of a formula in which a letter is not that of brackets or a sum inside."""
    stack = [body]
    while stack:
        tree = stack.pop()
        if letter in bound(tree):
            continue
        yield tree
        stack.extend(tree.trees())


def fixed_parts(body: Tree, counted: Iterable[str]) -> set[int]:
    """The parts of a formula, by `id`, that are the same at all values of the indices or times `counted`.

    Of each such part only the whole is named, not what it is made of.
    """
    free: dict[int, set[str]] = {}
    for tree in reversed(list(walk(body))):
        own = _mentioned(tree).union(*(free[id(part)] for part in tree.trees()))
        free[id(tree)] = own - bound(tree)
    fixed: set[int] = set()
    stack = [(body, frozenset(counted))]
    while stack:
        tree, letters = stack.pop()
        if not free[id(tree)] & letters and tree.parts and tree.trees():
            fixed.add(id(tree))
        else:
            stack.extend((part, letters | bound(tree)) for part in tree.trees())
    return fixed


def _mentioned(tree: Tree) -> set[str]:
    """The letters of an index, and a name with those behind it: hₜ has t."""
    if tree.kind == "position":
        return set(LETTERS.findall(tree.text(0)))
    if tree.kind == "name":
        return {tree.text(0), *LETTERS.findall(key(tree.text(0)).partition("_")[2])}
    return set()


def entries(reader: Reader, tree: Tree) -> Operand:
    """The array with the body's value at each value of the indices behind the brackets."""
    body = tree.tree(0)
    parts, bounds = _indices(tree.text(1))
    names = [part for part in parts if part != ":"]
    if not all(LETTERS.fullmatch(name) for name in names):
        return Lazy("the result of a sum over shifted places", lambda shape: _spread(reader, body, parts, shape))
    sizes = [bounds[name] if name in bounds else _counted(reader, name, body) for name in names]
    known = [size for size in sizes if size is not None]
    if len(known) == len(sizes):
        return _filled(reader, body, parts, known)

    def resolve(shape: Shape) -> Array:
        return _filled(reader, body, parts, [dim for part, dim in zip(parts, shape, strict=False) if part != ":"])

    return Lazy(f"the range of {tree.text(1)}", resolve)


def _indices(text: str) -> tuple[list[str], dict[str, Dim]]:
    """The indices behind brackets, and the ranges that are told: i<5."""
    parts = text.split(",") if re.search("[,:<]", text) else LETTERS.findall(text)
    bounds = {name: dimension(size) for name, _, size in (part.partition("<") for part in parts) if size}
    return [part.partition("<")[0] for part in parts], bounds


def _filled(reader: Reader, body: Tree, parts: Sequence[str], sizes: Sequence[Dim]) -> Array:
    names = [part for part in parts if part != ":"]
    counts = [dims.evaluate(size, reader.sizes) for size in sizes]
    found: list[Array] = []
    outer = dict(reader.indices)
    with reader.steady(fixed_parts(body, names)):
        for values in product(*map(range, counts)):
            reader.indices.update(zip(names, values, strict=True))
            found.append(reader.array(body))
    _restore(reader.indices, outer)
    inner = reader.squeeze(found[0]).shape
    value = np.stack([one.value for one in found]).reshape(*counts, *dims.evaluate_shape(inner, reader.sizes))
    order, letters_left, colons = [], 0, len(names)
    for part in parts:
        if part == ":":
            order.append(colons)
            colons += 1
        else:
            order.append(letters_left)
            letters_left += 1
    order += range(colons, value.ndim)
    whole = (*sizes, *inner)
    return Array(value.transpose(order), tuple(whole[axis] for axis in order))


def _spread(reader: Reader, body: Tree, parts: Sequence[str], shape: Shape) -> Array:
    """The body's values added up at places that are sums of indices; what falls outside is dropped."""
    names = list(dict.fromkeys(name for part in parts for name in LETTERS.findall(part)))
    result = np.zeros(dims.evaluate_shape(shape, reader.sizes))
    ranges = [_range_of(reader, name, body) for name in names]
    outer = dict(reader.indices)
    for values in product(*(range(*one) for one in ranges if one is not None)):
        reader.indices.update(zip(names, values, strict=True))
        place = tuple(position(reader, part) for part in parts)
        if all(0 <= at < size for at, size in zip(place, result.shape, strict=True)):
            result[place] += reader.array(body).value
    _restore(reader.indices, outer)
    return Array(result, shape)


def _restore(store: dict[str, int], outer: dict[str, int]) -> None:
    """Indices mean again what they mean outside of the brackets."""
    store.clear()
    store.update(outer)


def position(reader: Reader, text: str) -> int:
    """The value of 2j+k−1."""
    total = 0
    for sign, factor, letter, number in re.findall(r"([+−]?)(?:(\d*)([^\W\d]′*)|(\d+))", text):
        value = int(number) if number else int(factor or 1) * reader.indices[letter]
        total += -value if sign == "−" else value
    return total


def index(reader: Reader, tree: Tree) -> Operand:
    whole = reader.squeeze(reader.whole(tree.tree(0)))
    own = letters(whole.shape)
    selectors: list[Any] = []
    shape: list[Dim] = []
    arrays: list[Array] = []
    for axis, part in enumerate(tree.trees()[1:]):
        if part.kind == "range":
            selected, size = _slice_of(reader, part, whole.shape[axis])
            selectors.append(selected)
            shape.append(size)
            continue
        if part.kind == "position":
            at = position(reader, part.text(0))
            if not 0 <= at < whole.value.shape[axis]:
                return Array(np.zeros(()), ())
            selectors.append(at)
            continue
        selectors.append(part)
    rest = whole.shape[len(selectors) :]
    values = [reader.evaluate(s) if isinstance(s, Tree) else s for s in selectors]
    if not any(isinstance(value, Array) and squeezed(value.shape) for value in values):
        values = [
            _along(reader, value, own[axis], whole.shape[axis], ()) if isinstance(value, Lazy) else value
            for axis, value in enumerate(values)
        ]
    arrays = [value for value in values if isinstance(value, Array) and squeezed(value.shape)]
    frame = align([one.shape for one in arrays])[0]
    picked: list[Any] = []
    for axis, value in enumerate(values):
        if isinstance(value, Lazy):
            value = _along(reader, value, own[axis], whole.shape[axis], frame)
        if isinstance(value, Array):
            value = _as_index(reader, value, frame, whole.value.shape[axis])
        picked.append(value)
    if not any(isinstance(value, np.ndarray) and value.ndim for value in picked):
        return _element(reader, whole, picked, (*shape, *rest))
    result = whole.value[tuple(picked)]
    places = [axis for axis, value in enumerate(picked) if not isinstance(value, slice)]
    together = places == list(range(places[0], places[-1] + 1))
    before = sum(isinstance(value, slice) for value in picked[: places[0]]) if together else 0
    return Array(result, (*shape[:before], *frame, *shape[before:], *rest))


def _element(reader: Reader, whole: Array, picked: Sequence[Any], sizes: Shape) -> Array:
    """Slices; at a position an axis of size 1 stays in the place of the axis."""
    kept = tuple(one if isinstance(one, slice) else slice(int(one), int(one) + 1) for one in picked)
    left = iter(sizes)
    shape = tuple(next(left) if isinstance(one, slice) else 1 for one in picked)
    value = whole.value[kept]
    return Array(value, (*shape, *left)) if sizes else Array(value.reshape(()), ())


def _along(reader: Reader, value: Lazy, letter: str, size: Dim, frame: Shape) -> Array:
    """Positions in an index: those of the other indices' axis with this letter, else of the axis itself."""
    if squeezed(frame):
        return value.resolve(frame)
    return value.resolve((size,)) if value.what == letter else value.resolve((value.what.strip("′").upper(),))


def _as_index(reader: Reader, value: Array, frame: Shape, count: int) -> Any:
    if not squeezed(value.shape):
        return int(value.value.item())
    _, (mine, _) = align([value.shape, frame])
    return value.value.reshape(dims.evaluate_shape(mine, reader.sizes)).astype(int)


def places(reader: Reader, part: Tree, size: Dim) -> slice:
    """The places along an axis that a part of an index means."""
    if part.kind == "range":
        return _slice_of(reader, part, size)[0]
    at = int(reader.array(part).value.item())
    return slice(at, at + 1)


def _slice_of(reader: Reader, part: Tree, size: Dim) -> tuple[slice, Dim]:
    start, stop, step = (dimension(text) if text.strip() else None for text in map(part.text, range(3)))
    ends = [None if end is None else dims.evaluate(end, reader.sizes) for end in (start, stop, step)]
    chosen = slice(*ends)
    if step is None:
        return chosen, dims.sub(size if stop is None else stop, 0 if start is None else start)
    count = len(range(*chosen.indices(dims.evaluate(size, reader.sizes))))
    return chosen, size if count == dims.evaluate(size, reader.sizes) else count


def vector(reader: Reader, tree: Tree) -> Operand:
    values = [reader.array(part).value for part in tree.trees()]
    stacked = np.stack(values)
    return Array(stacked, stacked.shape)
