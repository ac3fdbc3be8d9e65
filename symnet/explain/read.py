"""Formulas read back: what a text says, computed in NumPy from the text alone.

The proof that a formula is the program: it is parsed (`grammar.py`) and evaluated here, in float64, by the rules of the
notation that docs/formulas.md tells, without the graph it was written from. What the text does not say is given: the
values of inputs, parameters and random draws, the sizes of named dimensions, and the shapes of the symbols.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from symnet.errors import ShapeError, UnknownName, UsageError
from symnet.explain.alignment import align, squeezed, visible
from symnet.explain.grammar import SUBSCRIPTS, Tree, dimension, parse
from symnet.explain.identifiers import letters
from symnet.explain.reading import FUNCTIONS, REDUCTIONS, Array, Lazy, Operand, scalar_function, windowed
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape

_LETTERS = re.compile(r"[^\W\d]′*")
_POSITIONS = "ijklmpq"


def key(name: str) -> str:
    """A name with its subscript as plain text after an underscore: W_1 for W₁ and h_t−1 for hₜ₋₁."""
    base = re.match(r"[^₀-₉₊₋₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ_]*", name)
    assert base is not None
    rest = name[base.end() :]
    small = "".join(SUBSCRIPTS.get(c, c) for c in rest)
    plain = re.sub(r"_\{([^}]*)\}|_", lambda match: match[1] or "", small)
    if name.startswith("∂"):
        return name
    return f"{base[0]}_{plain}" if plain else base[0]


@dataclass
class Loop:
    """The equations of a loop, in order, and the steps it counts."""

    lines: list[tuple[str, Tree]]
    letter: str
    first: str
    last: str


@dataclass
class Document:
    """The equations of a text by the keys of their left sides; `loops` by those of the values at their steps."""

    equations: dict[str, Tree] = field(default_factory=dict)
    loops: dict[str, Loop] = field(default_factory=dict)


def equations(text: str) -> Document:
    """The equations of a text as it is printed; the first line without a left side is called `result`."""
    document = Document()
    pending: list[tuple[str, Tree]] = []
    for line in text.partition("\nwith\n")[0].splitlines():
        if line.strip() == "where":
            continue
        left, right = _sides(line.strip())
        name, tree = key(left), parse(right)
        if tree.kind == "steps":
            letter = tree.text(1)
            lines = [(name, tree.tree(0))]
            while pending and _timed(pending[-1][0], letter):
                lines.insert(0, pending.pop())
            loop = Loop(lines, letter, tree.text(2), tree.text(3))
            document.loops.update((_sequence(one, letter)[0], loop) for one, _ in lines)
        else:
            pending.append((name, tree))
    document.equations.update(pending)
    return document


def _sides(line: str) -> tuple[str, str]:
    """Left and right of an equation: the left side is one name."""
    match = re.match(r"(∂\S+|[^\s=(]+(?:_\{[^}]*\})?) = ", line)
    return (match[1], line[match.end() :]) if match else ("result", line)


def _timed(name: str, letter: str) -> bool:
    return re.search(rf"(_|,|\d){letter}([+−]1)?\Z", name) is not None


def _sequence(name: str, letter: str) -> tuple[str, int]:
    """The sequence and the shift of a name with a time: (h, −1) for h_t−1."""
    match = re.match(rf"(.*?)(?:_|,)?{letter}([+−]1)?\Z", name)
    assert match is not None
    base = match[1]
    return base, int((match[2] or "0").replace("−", "-"))


class Reader:
    """Values of the names in a text.

    values  arrays by symbol (as it is printed)      sizes   of named dimensions
    shapes  of symbols, given and defined; those of given values may be left out
    """

    def __init__(self, values: Mapping[str, Any], shapes: Mapping[str, Shape], sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)
        self.shapes = {key(name): shape for name, shape in shapes.items()}
        self.given = {
            key(name): Array(np.asarray(value), self.shapes.get(key(name), np.shape(value)))
            for name, value in values.items()
        }
        self.found: dict[str, Array] = {}
        self.steps: dict[str, dict[int, Array]] = {}
        self.times: dict[str, int] = {}
        self.indices: dict[str, int] = {}
        self.bounds: dict[str, str] = {}
        self.sequences: set[str] = set()

    def read(self, text: str) -> dict[str, np.ndarray]:
        """The value of every name that the text defines, by its key."""
        document = equations(text)
        self.sequences = set(document.loops)
        for unit in _ordered(document):
            if isinstance(unit, Loop):
                self._run(unit)
            elif unit not in self.given:
                self._define(unit, self.evaluate(document.equations[unit]))
        return {name: array.value for name, array in self.found.items()}

    def _define(self, name: str, value: Operand) -> None:
        array = self.conform(value, self.shape_of(name))
        time = re.match(r"(.*?)(?:_|,)([^_,]+)\Z", name)
        self.found[name] = array
        if time and time[1] in self.sequences:
            index = self._time(time[2])
            if index is not None:
                self.steps.setdefault(time[1], {})[index] = array

    def _time(self, text: str) -> int | None:
        """The step that a subscript means: a number, or a sum of named dimensions."""
        try:
            return dims.evaluate(dimension(text), self.sizes)
        except (UnknownName, ShapeError, ValueError):
            return None

    def _run(self, loop: Loop) -> None:
        first, last = (dims.evaluate(dimension(text), self.sizes) for text in (loop.first, loop.last))
        for step in range(first, last + 1) if first <= last else range(first, last - 1, -1):
            self.times[loop.letter] = step
            for name, tree in loop.lines:
                base, shift = _sequence(name, loop.letter)
                value = self.conform(self.evaluate(tree), self.shape_of(name))
                self.steps.setdefault(base, {})[step + shift] = value
        del self.times[loop.letter]

    def shape_of(self, name: str) -> Shape | None:
        """The shape of a name, of a value at a step also by the others of its sequence."""
        if name in self.shapes:
            return self.shapes[name]
        base = re.match(r"(.*?)(?:_|,)([^_,]+)\Z", name)
        if base is None:
            return None
        own = re.compile(rf"{re.escape(base[1])}[_,]\w([+−]1)?\Z")
        return next((shape for other, shape in self.shapes.items() if own.match(other)), None)

    def conform(self, value: Operand, shape: Shape | None) -> Array:
        """A value in the shape that its name has: resolved, and broadcast where that is not written."""
        if isinstance(value, Lazy):
            if shape is None:
                raise UsageError(f"the shape of {value.what} is not known from the formula alone")
            value = value.resolve(shape)
        if shape is None or value.shape == shape:
            return value
        if squeezed(value.shape) == squeezed(shape):
            return Array(value.value.reshape(dims.evaluate_shape(shape, self.sizes)), shape)
        frame, (own, _) = align([value.shape, shape])
        if frame != shape:
            raise ShapeError(f"a value {dims.show(value.shape)} is called by a name of shape {dims.show(shape)}")
        full = value.value.reshape(dims.evaluate_shape(own, self.sizes))
        return Array(np.broadcast_to(full, dims.evaluate_shape(shape, self.sizes)), shape)

    # --- names ---------------------------------------------------------------------------------------------------

    def name(self, name: str) -> Operand:
        own = key(name)
        for store in (self.given, self.found):
            if own in store:
                return store[own]
        timed = self._at_time(own)
        if timed is not None:
            return timed
        if own in self.steps:
            return self._stacked(own)
        if name in self.indices:
            return Array(np.asarray(self.indices[name]), ())
        if name in self.sizes:
            return Array(np.asarray(float(self.sizes[name])), ())
        if name == "I":
            return Lazy("I", lambda shape: self._identity(shape))
        if name in ("True", "False"):
            return Array(np.asarray(name == "True"), ())
        if name == "nan":
            return Array(np.asarray(np.nan), ())
        if _LETTERS.fullmatch(name):
            return Lazy(name, lambda shape: self._positions(name, shape))
        raise UnknownName(f"the formula mentions {name}, which it does not define and which has no value")

    def _at_time(self, own: str) -> Array | None:
        for letter, step in self.times.items():
            if _timed(own, letter):
                base, shift = _sequence(own, letter)
                if step + shift in self.steps.get(base, {}):
                    return self.steps[base][step + shift]
                for store in (self.given, self.found):
                    if f"{base}_{step + shift}" in store:
                        return store[f"{base}_{step + shift}"]
                    if base in store:
                        whole = store[base]
                        return Array(whole.value[step + shift - 1], whole.shape[1:])
        match = re.match(r"(.*?)(?:_|,)([^_,]+)\Z", own)
        index = self._time(match[2]) if match else None
        if match and index is not None and index in self.steps.get(match[1], {}):
            return self.steps[match[1]][index]
        return None

    def _stacked(self, own: str) -> Array:
        """The values at the steps 1, 2, … as one array."""
        steps = self.steps[own]
        length = max(steps) if 0 not in steps or own in self.shapes else max(steps)
        lead = self.shapes[own][0] if own in self.shapes else length
        count = dims.evaluate(lead, self.sizes)
        return Array(np.stack([steps[step].value for step in range(1, count + 1)]), (lead, *steps[1].shape))

    def _identity(self, shape: Shape) -> Array:
        size = shape[-1]
        return Array(np.eye(dims.evaluate(size, self.sizes)), (size, size))

    def _positions(self, letter: str, shape: Shape) -> Array:
        """0, 1, 2, … along the axis of `shape` that has this letter."""
        own = letters(shape)
        if letter not in own:
            raise UnknownName(f"{letter} is no symbol and no axis of {dims.show(shape)}, whose axes are {own}")
        axis = own.index(letter)
        places = np.arange(dims.evaluate(shape[axis], self.sizes))
        column = places.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        return Array(np.broadcast_to(column, dims.evaluate_shape(shape, self.sizes)), shape)

    # --- trees ---------------------------------------------------------------------------------------------------

    def evaluate(self, tree: Tree) -> Operand:
        found: Operand = getattr(self, f"_{_METHODS[tree.kind]}")(tree)
        return found

    def array(self, tree: Tree) -> Array:
        value = self.evaluate(tree)
        if isinstance(value, Lazy):
            raise UsageError(f"the shape of {value.what} is not known where it stands")
        return value

    def _number(self, tree: Tree) -> Operand:
        text = tree.text(0).replace("−", "-").replace("∞", "inf")
        return Array(np.asarray(float(text)), ())

    def _name(self, tree: Tree) -> Operand:
        return self.name(tree.text(0))

    def elementwise(self, function: Callable[..., Any], *operands: Operand) -> Operand:
        """A function of aligned operands; positions and one-hot vectors take the shape of the arrays they meet."""
        arrays = [one for one in operands if isinstance(one, Array)]
        waiting = [one for one in operands if isinstance(one, Lazy)]
        frame, shapes = align([one.shape for one in arrays])
        if waiting and not squeezed(frame):
            what = " and ".join(one.what for one in waiting)
            return Lazy(what, lambda shape: self._met(function, operands, shape))
        if waiting:
            return self._met(function, operands, frame)
        values = [
            one.value.reshape(dims.evaluate_shape(shape, self.sizes)) for one, shape in zip(arrays, shapes, strict=True)
        ]
        return Array(np.asarray(function(*values)), frame)

    def _met(self, function: Callable[..., Any], operands: Sequence[Operand], shape: Shape) -> Array:
        found = self.elementwise(function, *(one.resolve(shape) if isinstance(one, Lazy) else one for one in operands))
        assert isinstance(found, Array)
        return found

    def _sum(self, tree: Tree) -> Operand:
        signs = [part for part in tree.parts if isinstance(part, str)]
        terms = [self.evaluate(term) for term in tree.trees()]

        def total(*values: Any) -> Any:
            result = values[0] if signs[0] == "+" else -values[0]
            for sign, value in zip(signs[1:], values[1:], strict=True):
                result = result + value if sign == "+" else result - value
            return result

        return self.elementwise(total, *terms)

    def _relation(self, tree: Tree) -> Operand:
        function = {
            "=": np.equal, "≠": np.not_equal, "<": np.less, ">": np.greater, "≤": np.less_equal,
            "≥": np.greater_equal, "∧": np.logical_and, "∨": np.logical_or, "mod": np.mod,
        }[tree.kind]  # fmt: skip
        return self.elementwise(function, *(self.evaluate(part) for part in tree.trees()))

    def _negative(self, tree: Tree) -> Operand:
        return self.elementwise(np.negative, self.evaluate(tree.tree(0)))

    def _hadamard(self, tree: Tree) -> Operand:
        return self.elementwise(np.multiply, self.evaluate(tree.tree(0)), self.evaluate(tree.tree(1)))

    def _quotient(self, tree: Tree) -> Operand:
        return self.elementwise(np.divide, self.evaluate(tree.tree(0)), self.evaluate(tree.tree(1)))

    def _indicator(self, tree: Tree) -> Operand:
        return self.elementwise(lambda condition: condition.astype(float), self.evaluate(tree.tree(0)))

    def _root(self, tree: Tree) -> Operand:
        return self.elementwise(np.sqrt, self.evaluate(tree.tree(0)))

    def _fence(self, tree: Tree) -> Operand:
        function = {"|": np.abs, "⌊": np.floor, "⌈": np.ceil}[tree.kind]
        return self.elementwise(function, self.evaluate(tree.tree(0)))

    def _norm(self, tree: Tree) -> Operand:
        return self._reduced(REDUCTIONS["norm"], self.array(tree.tree(0)), tree.text(1))

    def _power(self, tree: Tree) -> Operand:
        base, exponent = self.evaluate(tree.tree(0)), self.evaluate(tree.tree(1))
        matrix = isinstance(base, Array) and len(squeezed(base.shape)) >= 2
        if matrix and not tree.text(2):
            assert isinstance(base, Array)
            assert isinstance(exponent, Array)
            return Array(np.linalg.matrix_power(base.value, int(exponent.value)), base.shape)
        return self.elementwise(np.power, base, exponent)

    def _inverse(self, tree: Tree) -> Operand:
        base = self.array(tree.tree(0))
        if len(squeezed(base.shape)) < 2:
            return self.elementwise(np.reciprocal, base)
        return Array(np.linalg.inv(base.value), base.shape)

    # --- products ------------------------------------------------------------------------------------------------

    def squeeze(self, array: Array) -> Array:
        shape = squeezed(array.shape)
        return Array(array.value.reshape(dims.evaluate_shape(shape, self.sizes)), shape, array.row)

    def _transposed(self, tree: Tree) -> Operand:
        array = self.array(tree.tree(0))
        axes = visible(array.shape)
        if len(axes) < 2:
            return Array(array.value, array.shape, row=not array.row)
        order = list(range(len(array.shape)))
        order[axes[-1]], order[axes[-2]] = axes[-2], axes[-1]
        return Array(array.value.transpose(order), tuple(array.shape[axis] for axis in order))

    def _times(self, tree: Tree) -> Operand:
        left, right = self.evaluate(tree.tree(0)), self.evaluate(tree.tree(1))
        if isinstance(left, Lazy) or isinstance(right, Lazy):
            return self.elementwise(np.multiply, left, right)
        if not squeezed(left.shape) or not squeezed(right.shape):
            scaled = self.elementwise(np.multiply, left, right)
            assert isinstance(scaled, Array)
            return Array(scaled.value, scaled.shape, row=left.row or right.row)
        return self._matrix_product(self.squeeze(left), self.squeeze(right))

    def _matrix_product(self, left: Array, right: Array) -> Array:
        """Rows times columns, on the last two axes; a vector is a column, its transpose a row."""
        one, other = len(left.shape) == 1, len(right.shape) == 1
        if one and other and right.row and not left.row:
            return Array(np.outer(left.value, right.value), (*left.shape, *right.shape))
        if one and other:
            return Array(np.dot(left.value, right.value), ())
        stacks = (left.shape[:-2], right.shape[:-2])
        lead = max(stacks, key=len)
        if any(stack not in ((), lead) for stack in stacks):
            raise ShapeError(f"no product of {dims.show(left.shape)} and {dims.show(right.shape)}")
        value = np.matmul(left.value, right.value)
        if one:
            return Array(value, (*lead, right.shape[-1]), row=left.row)
        return Array(value, (*lead, left.shape[-2], *(() if other else right.shape[-1:])))

    def _dot(self, tree: Tree) -> Operand:
        left, right = self.array(tree.tree(0)), self.array(tree.tree(1))
        if not squeezed(left.shape) or not squeezed(right.shape):
            return self.elementwise(np.multiply, left, right)
        return Array(np.dot(left.value.ravel(), right.value.ravel()), ())

    def _kron(self, tree: Tree) -> Operand:
        left, right = self.array(tree.tree(0)), self.array(tree.tree(1))
        shape = tuple(map(dims.mul, left.shape, right.shape))
        return Array(np.kron(left.value, right.value), shape)

    def _convolved(self, tree: Tree) -> Operand:
        return windowed(tree.kind, self.array(tree.tree(0)), self.array(tree.tree(1)), tree.text(2), self.sizes)

    # --- along axes ----------------------------------------------------------------------------------------------

    def _reduced(self, function: Callable[..., Any], array: Array, subscript: str) -> Array:
        """A reduction over the axes with these letters (all without any), which keep their places with size 1."""
        own = letters(array.shape)
        names = _LETTERS.findall(subscript)
        axes = tuple(own.index(name) for name in names) if names else tuple(range(len(array.shape)))
        value = np.asarray(function(array.value, axis=axes, keepdims=True))
        shape = tuple(1 if axis in axes else dim for axis, dim in enumerate(array.shape))
        return Array(value, shape) if squeezed(shape) else Array(value.reshape(()), ())

    def _big(self, tree: Tree) -> Operand:
        """Σ over axes; over the steps of a loop where the body has values at step t; over indices of the body."""
        body, function = tree.tree(1), np.sum if tree.kind == "Σ" else np.prod
        names = _LETTERS.findall(tree.text(0))
        ranges = {name: found for name in names if (found := self._range(name, body)) is not None}
        if names and len(ranges) == len(names):
            store = self.times if self._is_time(names[0], body) else self.indices
            terms = []
            for values in product(*(range(*ranges[name]) for name in names)):
                store.update(zip(names, values, strict=True))
                terms.append(self.array(body))
            for name in names:
                del store[name]
            return Array(np.asarray(function([term.value for term in terms], axis=0)), terms[0].shape, terms[0].row)
        return self._reduced(function, self.array(body), tree.text(0))

    def _is_time(self, letter: str, body: Tree) -> bool:
        return any(_timed(key(name), letter) and self._length(key(name), letter) is not None for name in _names(body))

    def _length(self, own: str, letter: str) -> int | None:
        base = _sequence(own, letter)[0]
        if base in self.steps and base in self.shapes:
            return dims.evaluate(self.shapes[base][0], self.sizes)
        if base in self.steps:
            return max(self.steps[base])
        for store in (self.given, self.found):
            if base in store and own not in store:
                return len(store[base].value)
        return None

    def _range(self, letter: str, body: Tree) -> tuple[int, int] | None:
        """What a letter counts: the steps of a loop from 1, the positions of an axis from 0; None: it is an axis."""
        if letter in self.times or letter in self.indices:
            return None
        lengths = [self._length(key(name), letter) for name in _names(body) if _timed(key(name), letter)]
        known = [length for length in lengths if length is not None]
        if known:
            return 1, min(known) + 1
        size = self._counted(letter, body)
        return None if size is None else (0, dims.evaluate(size, self.sizes))

    def _counted(self, letter: str, body: Tree) -> Dim | None:
        """The size of the axis that a letter is a position of, somewhere in a formula, or that is told: i<5."""
        if letter in self.bounds:
            return dimension(self.bounds[letter])
        for tree in _walk(body):
            if tree.kind == "index":
                for axis, part in enumerate(tree.trees()[1:]):
                    if part == Tree("name", (letter,)):
                        inner = self.array(tree.tree(0))
                        return inner.shape[axis]
        return None

    def _entries(self, tree: Tree) -> Operand:
        """The array with the body's value at each value of the indices behind the brackets."""
        body, indices = tree.tree(0), tree.text(1)
        parts = indices.split(",") if re.search("[,:<]", indices) else _LETTERS.findall(indices)
        self.bounds.update(dict(part.split("<") for part in parts if "<" in part))
        parts = [part.partition("<")[0] for part in parts]
        names = [part for part in parts if _LETTERS.fullmatch(part)]
        plain = len(names) == len([part for part in parts if part != ":"])
        if not plain:
            return Lazy("the result of a sum over shifted places", lambda shape: self._spread(body, parts, shape))
        sizes = [self._counted(name, body) for name in names]
        if any(size is None for size in sizes):
            return Lazy(f"the range of {indices}", lambda shape: self._filled(body, parts, shape))
        return self._filled(body, parts, None)

    def _filled(self, body: Tree, parts: Sequence[str], shape: Shape | None) -> Array:
        names = [part for part in parts if part != ":"]
        if shape is None:
            sizes = [size for name in names if (size := self._counted(name, body)) is not None]
        else:
            sizes = [dim for part, dim in zip(parts, shape, strict=False) if part != ":"]
        counts = [dims.evaluate(size, self.sizes) for size in sizes]
        found: list[Array] = []
        for values in product(*map(range, counts)):
            self.indices.update(zip(names, values, strict=True))
            found.append(self.array(body))
        for name in names:
            del self.indices[name]
        inner = self.squeeze(found[0]).shape
        value = np.stack([one.value for one in found]).reshape(*counts, *dims.evaluate_shape(inner, self.sizes))
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

    def _spread(self, body: Tree, parts: Sequence[str], shape: Shape) -> Array:
        """The body's values added up at places that are sums of indices; what falls outside is dropped."""
        names = list(dict.fromkeys(name for part in parts for name in _LETTERS.findall(part)))
        result = np.zeros(dims.evaluate_shape(shape, self.sizes))
        ranges = [self._range(name, body) for name in names]
        for values in product(*(range(*one) for one in ranges if one is not None)):
            self.indices.update(zip(names, values, strict=True))
            place = tuple(self.position(part) for part in parts)
            if all(0 <= at < size for at, size in zip(place, result.shape, strict=True)):
                result[place] += self.array(body).value
        for name in names:
            del self.indices[name]
        return Array(result, shape)

    def position(self, text: str) -> int:
        """The value of 2j+k−1."""
        total = 0
        for sign, factor, letter, number in re.findall(r"([+−]?)(?:(\d*)([^\W\d]′*)|(\d+))", text):
            value = int(number) if number else int(factor or 1) * self.indices[letter]
            total += -value if sign == "−" else value
        return total

    # --- elements ------------------------------------------------------------------------------------------------

    def _index(self, tree: Tree) -> Operand:
        whole = self.squeeze(self.array(tree.tree(0)))
        own = letters(whole.shape)
        selectors: list[Any] = []
        shape: list[Dim] = []
        arrays: list[Array] = []
        for axis, part in enumerate(tree.trees()[1:]):
            if part.kind == "range":
                selected, size = self._slice(part, whole.shape[axis])
                selectors.append(selected)
                shape.append(size)
                continue
            if part.kind == "position":
                at = self.position(part.text(0))
                if not 0 <= at < whole.value.shape[axis]:
                    return Array(np.zeros(()), ())
                selectors.append(at)
                continue
            selectors.append(part)
        rest = whole.shape[len(selectors) :]
        values = [self.evaluate(s) if isinstance(s, Tree) else s for s in selectors]
        arrays = [value for value in values if isinstance(value, Array) and squeezed(value.shape)]
        frame = align([one.shape for one in arrays])[0]
        picked: list[Any] = []
        for axis, value in enumerate(values):
            if isinstance(value, Lazy):
                value = self._along(value, own[axis], whole.shape[axis], frame)
            if isinstance(value, Array):
                value = self._as_index(value, frame, whole.value.shape[axis])
            picked.append(value)
        if not any(isinstance(value, np.ndarray) and value.ndim for value in picked):
            return self._element(whole, picked, (*shape, *rest))
        result = whole.value[tuple(picked)]
        places = [axis for axis, value in enumerate(picked) if not isinstance(value, slice)]
        together = places == list(range(places[0], places[-1] + 1))
        before = sum(isinstance(value, slice) for value in picked[: places[0]]) if together else 0
        return Array(result, (*shape[:before], *frame, *shape[before:], *rest))

    def _element(self, whole: Array, picked: Sequence[Any], sizes: Shape) -> Array:
        """Slices; at a position an axis of size 1 stays in the place of the axis."""
        kept = tuple(one if isinstance(one, slice) else slice(int(one), int(one) + 1) for one in picked)
        left = iter(sizes)
        shape = tuple(next(left) if isinstance(one, slice) else 1 for one in picked)
        value = whole.value[kept]
        return Array(value, (*shape, *left)) if sizes else Array(value.reshape(()), ())

    def _along(self, value: Lazy, letter: str, size: Dim, frame: Shape) -> Array:
        """Positions in an index: those of the other indices' axis with this letter, else of the axis itself."""
        if squeezed(frame):
            return value.resolve(frame)
        return value.resolve((size,)) if value.what == letter else value.resolve((value.what.strip("′").upper(),))

    def _as_index(self, value: Array, frame: Shape, count: int) -> Any:
        if not squeezed(value.shape):
            at = int(value.value)
            return at
        _, (mine, _) = align([value.shape, frame])
        return value.value.reshape(dims.evaluate_shape(mine, self.sizes)).astype(int)

    def places(self, part: Tree, size: Dim) -> slice:
        """The places along an axis that a part of an index means."""
        if part.kind == "range":
            return self._slice(part, size)[0]
        at = int(self.array(part).value)
        return slice(at, at + 1)

    def _slice(self, part: Tree, size: Dim) -> tuple[slice, Dim]:
        start, stop, step = (dimension(text) if text.strip() else None for text in map(part.text, range(3)))
        ends = [None if end is None else dims.evaluate(end, self.sizes) for end in (start, stop, step)]
        chosen = slice(*ends)
        if step is None:
            return chosen, dims.sub(size if stop is None else stop, 0 if start is None else start)
        count = len(range(*chosen.indices(dims.evaluate(size, self.sizes))))
        return chosen, size if count == dims.evaluate(size, self.sizes) else count

    def _vector(self, tree: Tree) -> Operand:
        values = [self.array(part).value for part in tree.trees()]
        stacked = np.stack(values)
        return Array(stacked, stacked.shape)

    def _call(self, tree: Tree) -> Operand:
        function, _, subscript = key(tree.text(0)).partition("_")
        arguments = tree.trees()
        named = FUNCTIONS.get(function)
        if named is not None:
            return named(self, subscript, arguments)
        if function == "var" and len(arguments) == 2:  # n less 1 in the place of n
            less = int(self.array(arguments[1]).value)
            spread = lambda x, axis, keepdims: np.var(x, axis=axis, keepdims=keepdims, ddof=less)  # noqa: E731
            return self._reduced(spread, self.array(arguments[0]), subscript)
        if function in REDUCTIONS and len(arguments) == 1:
            return self._reduced(REDUCTIONS[function], self.array(arguments[0]), subscript)
        apply = scalar_function(key(tree.text(0)))
        return self.elementwise(apply, *map(self.evaluate, arguments))


_METHODS = {
    "number": "number", "name": "name", "sum": "sum", "negative": "negative", "⊙": "hadamard", "/": "quotient",
    "indicator": "indicator", "root": "root", "power": "power", "inverse": "inverse", "transposed": "transposed",
    "times": "times", "·": "dot", "⊗": "kron", "∗": "convolved", "∗ᵀ": "convolved", "⋆": "convolved", "Σ": "big",
    "∏": "big", "entries": "entries", "index": "index", "vector": "vector", "call": "call", "‖": "norm",
    **dict.fromkeys("|⌊⌈", "fence"),
    **dict.fromkeys(("=", "≠", "<", ">", "≤", "≥", "∧", "∨", "mod"), "relation"),
}  # fmt: skip


def _belongs(name: str, base: str, letter: str) -> bool:
    """Whether a name is a sequence, or its value at some step."""
    if _timed(name, letter):
        return _sequence(name, letter)[0] == base
    return name == base or re.match(rf"{re.escape(base)}[_,][^_,]+\Z", name) is not None


def _walk(tree: Tree) -> Iterable[Tree]:
    stack = [tree]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(one.trees())


def _names(tree: Tree) -> list[str]:
    return [one.text(0) for one in _walk(tree) if one.kind == "name"]


def _ordered(document: Document) -> list[str | Loop]:
    """The equations and loops of a document, each after those that it mentions."""
    bases = list(document.loops)
    order: list[str | Loop] = []
    seen: set[int | str] = set()

    def needs(unit: str | Loop) -> list[str | Loop]:
        trees = [tree for _, tree in unit.lines] if isinstance(unit, Loop) else [document.equations[unit]]
        found: list[str | Loop] = []
        for name in dict.fromkeys(key(name) for tree in trees for name in _names(tree)):
            if name in document.equations:
                found.append(name)
                continue
            found += [loop for base, loop in document.loops.items() if _belongs(name, base, loop.letter)]
        if isinstance(unit, Loop):
            starts = [base for base in bases if document.loops[base] is unit]
            found += [name for name in document.equations if any(re.match(rf"{re.escape(b)}[_,]", name) for b in starts)]
        return found

    stack: list[tuple[str | Loop, bool]] = [(name, False) for name in document.equations]
    while stack:
        unit, done = stack.pop()
        mark = unit if isinstance(unit, str) else id(unit)
        if done:
            order.append(unit)
        elif mark not in seen:
            seen.add(mark)
            stack.append((unit, True))
            stack += [(one, False) for one in needs(unit) if one is not unit]
    return order
