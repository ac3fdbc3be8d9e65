"""Formulas read back: what a text says, computed in NumPy from the text alone.

The proof that a formula is the program: it is parsed (`grammar.py`) and evaluated here, in float64, by the rules of the
notation that docs/formulas.md tells, without the graph it was written from. What the text does not say is given: the
values of inputs, parameters and random draws, the sizes of named dimensions, and the shapes of the symbols.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from symnet.errors import ShapeError, UnknownName, UsageError
from symnet.explain.alignment import align, squeezed, visible
from symnet.explain.identifiers import letters
from symnet.explain.reading import elements, products
from symnet.explain.reading.document import LETTERS, Loop, equations, key, ordered, sequence, timed
from symnet.explain.reading.functions import FUNCTIONS, REDUCTIONS, scalar_function
from symnet.explain.reading.grammar import Tree, dimension
from symnet.explain.reading.values import Array, Lazy, Operand
from symnet.expr import dims
from symnet.expr.dims import Shape


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
        self.sequences: set[str] = set()
        self.lengths: dict[tuple[str, str], Loop] = {}  # of the loops around that of a sequence
        self.fixed: dict[int, Operand | None] = {}

    def read(self, text: str) -> dict[str, np.ndarray]:
        """The value of every name that the text defines, by its key."""
        document = equations(text)
        self.sequences = set(document.loops)
        self.lengths = {(base, outer.letter): outer for base, loop in document.loops.items() for outer in _around(loop)}
        for unit in ordered(document):
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
            for line in loop.lines:
                if isinstance(line, Loop):
                    self._run(line)
                else:
                    self._store(line[0], self.conform(self.evaluate(line[1]), self.shape_of(line[0])), loop.letter)
        del self.times[loop.letter]

    def _store(self, name: str, value: Array, letter: str) -> None:
        """A value of a step: of a loop, or the first of a loop inside it, as h_t,0."""
        own = self.at_times(name)
        if timed(name, letter):
            base, shift = sequence(own, letter)
            self.steps.setdefault(base, {})[self.times[letter] + shift] = value
            return
        base, _, last = own.rpartition(",")
        self.steps.setdefault(base, {})[dims.evaluate(dimension(last), self.sizes)] = value

    def at_times(self, own: str) -> str:
        """A key with the steps of the loops around in the place of their letters: h_3,m for h_t,m."""
        base, _, sub = own.partition("_")
        *front, last = sub.split(",")
        return f"{base}_{','.join([*map(self._counted, front), last])}" if front else own

    def _counted(self, part: str) -> str:
        letter, shift = part[:1], part[1:]
        if letter not in self.times or shift not in ("", "+1", "−1"):
            return part
        return str(self.times[letter] + (int(shift.replace("−", "-")) if shift else 0))

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
        for counted in (self.indices, self.times):
            if name in counted:
                return Array(np.asarray(counted[name]), ())
        own = self.at_times(key(name))
        for store in (self.given, self.found):
            if own in store:
                return store[own]
        timed = self._at_time(own)
        if timed is not None:
            return timed
        if own in self.steps:
            return self._stacked(own, own)
        if name in self.sizes:
            return Array(np.asarray(float(self.sizes[name])), ())
        if name == "I":
            return Lazy("I", lambda shape: self._identity(shape))
        if name in ("True", "False"):
            return Array(np.asarray(name == "True"), ())
        if name == "π":
            return Array(np.asarray(np.pi), ())
        if name == "nan":
            return Array(np.asarray(np.nan), ())
        if LETTERS.fullmatch(name):
            return Lazy(name, lambda shape: self._positions(name, shape))
        raise UnknownName(f"the formula mentions {name}, which it does not define and which has no value")

    def _at_time(self, own: str) -> Array | None:
        for letter, step in self.times.items():
            if timed(own, letter):
                base, shift = sequence(own, letter)
                if step + shift in self.steps.get(base, {}):
                    return self.steps[base][step + shift]
                for store in (self.given, self.found):
                    if base in store:
                        whole = store[base]
                        return Array(whole.value[step + shift - 1], whole.shape[1:])
                    if f"{base}_{step + shift}" in store:
                        return store[f"{base}_{step + shift}"]
                if f"{base}_{step + shift}" in self.steps:
                    return self._stacked(f"{base}_{step + shift}", own)
                around = re.fullmatch(r"(.*)_(\d+)", base)  # a row of the array that another loop takes a slice of
                if around and around[1] in self.given:
                    whole = self.given[around[1]]
                    return Array(whole.value[int(around[2]) - 1, step + shift - 1], whole.shape[2:])
        match = re.match(r"(.*?)(?:_|,)([^_,]+)\Z", own)
        index = self._time(match[2]) if match else None
        if match and index is not None and index in self.steps.get(match[1], {}):
            return self.steps[match[1]][index]
        return None

    def _stacked(self, own: str, name: str) -> Array:
        """The values at the steps 1, 2, … as one array, whose shape is that of `name`."""
        steps = self.steps[own]
        lead = self.shapes[name][0] if name in self.shapes else max(steps)
        count = dims.evaluate(lead, self.sizes)
        return Array(np.stack([steps[step].value for step in range(1, count + 1)]), (lead, *steps[1].shape))

    def _identity(self, shape: Shape) -> Array:
        """I along the last two axes that are written."""
        if len(visible(shape)) < 2:  # beside a matrix of equal rows, of which one is held
            shape = (shape[-1], shape[-1])
        *_, rows, columns = visible(shape)
        kept = tuple(dim if axis in (rows, columns) else 1 for axis, dim in enumerate(shape))
        whole = np.eye(dims.evaluate(shape[columns], self.sizes))
        return Array(whole.reshape(dims.evaluate_shape(kept, self.sizes)), kept)

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
        if id(tree) not in self.fixed:
            return _KINDS[tree.kind](self, tree)
        held = self.fixed[id(tree)]
        if held is None:
            held = self.fixed[id(tree)] = _KINDS[tree.kind](self, tree)
        return held

    @contextmanager
    def steady(self, parts: Iterable[int]) -> Iterator[None]:
        """While indices count: these parts of the formula (by `id`) do not depend on them and are computed once."""
        outer = self.fixed
        self.fixed = {**outer, **dict.fromkeys(parts)}
        yield
        self.fixed = outer

    def array(self, tree: Tree) -> Array:
        value = self.evaluate(tree)
        if isinstance(value, Lazy):
            raise UsageError(f"the shape of {value.what} is not known where it stands")
        return value

    def whole(self, tree: Tree) -> Array:
        """The array of which elements are taken: in k[i, k] the array k, whatever the index of this name counts."""
        if tree.kind != "name" or tree.text(0) not in self.indices:
            return self.array(tree)
        counted = self.indices.pop(tree.text(0))
        value = self.array(tree)
        self.indices[tree.text(0)] = counted
        return value

    def squeeze(self, array: Array) -> Array:
        shape = squeezed(array.shape)
        return Array(array.value.reshape(dims.evaluate_shape(shape, self.sizes)), shape, array.row)

    def elementwise(self, function: Callable[..., Any], *operands: Operand) -> Operand:
        """A function of aligned operands; positions and one-hot vectors take the shape of the arrays they meet."""
        arrays = [one for one in operands if isinstance(one, Array)]
        waiting = [one for one in operands if isinstance(one, Lazy)]
        frame, shapes = align([one.shape for one in arrays], any(one.repeated for one in arrays))
        if waiting and not squeezed(frame):
            what = " and ".join("a formula with I" if one.what == "I" else one.what for one in waiting)
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

    def _number(self, tree: Tree) -> Operand:
        text = tree.text(0).replace("−", "-").replace("∞", "inf")
        return Array(np.asarray(float(text)), ())

    def _name(self, tree: Tree) -> Operand:
        return self.name(tree.text(0))

    def _sum(self, tree: Tree) -> Operand:
        signs = [part for part in tree.parts if isinstance(part, str)]
        terms = [self.evaluate(term) for term in tree.trees()]
        maps = next((one for part, one in zip(tree.trees(), terms, strict=True) if part.kind in ("∗", "∗ᵀ", "⋆")), None)
        if isinstance(maps, Array) and len(maps.shape) > 2:
            terms = [_of_maps(term, len(maps.shape)) for term in terms]

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
        return self.elementwise(products.factor_of(tree), self.evaluate(tree.tree(0)), self.evaluate(tree.tree(1)))

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
        return elements.reduced(self, REDUCTIONS["norm"], self.array(tree.tree(0)), tree.text(1))

    def _call(self, tree: Tree) -> Operand:
        function, _, subscript = key(tree.text(0)).partition("_")
        arguments = tree.trees()
        named = FUNCTIONS.get(function)
        if named is not None:
            return named(self, subscript, arguments)
        if function == "var" and len(arguments) == 2:  # n less 1 in the place of n
            less = int(self.array(arguments[1]).value)
            spread = lambda x, axis, keepdims: np.var(x, axis=axis, keepdims=keepdims, ddof=less)  # noqa: E731
            return elements.reduced(self, spread, self.array(arguments[0]), subscript)
        if function in REDUCTIONS and len(arguments) == 1:
            return elements.reduced(self, REDUCTIONS[function], self.array(arguments[0]), subscript)
        apply = scalar_function(key(tree.text(0)))
        return self.elementwise(apply, *map(self.evaluate, arguments))


def _of_maps(term: Operand, rank: int) -> Operand:
    """A vector beside a convolution has a number for each of its maps, which lie along axis 1."""
    if isinstance(term, Lazy) or len(squeezed(term.shape)) != 1:
        return term
    return Array(term.value.reshape(1, -1, *(1,) * (rank - 2)), (1, *squeezed(term.shape), *(1,) * (rank - 2)))


def _around(loop: Loop) -> list[Loop]:
    """The loops in whose steps a loop runs."""
    found = []
    while loop.outer is not None:
        loop = loop.outer
        found.append(loop)
    return found


_KINDS: dict[str, Callable[[Reader, Tree], Operand]] = {
    "number": Reader._number, "bold": Reader._number, "name": Reader._name, "sum": Reader._sum,
    "negative": Reader._negative, "⊙": Reader._hadamard, "/": Reader._quotient, "indicator": Reader._indicator,
    "root": Reader._root, "‖": Reader._norm, "call": Reader._call, **dict.fromkeys("|⌊⌈", Reader._fence),
    **dict.fromkeys(("=", "≠", "<", ">", "≤", "≥", "∧", "∨", "mod"), Reader._relation),
    "times": products.times, "·": products.dot, "⊗": products.kron, "transposed": products.transposed,
    "inverse": products.inverse, "power": products.power,
    **dict.fromkeys(("∗", "∗ᵀ", "⋆"), products.convolved),
    "Σ": elements.big, "∏": elements.big, "entries": elements.entries, "index": elements.index,
    "vector": elements.vector,
}  # fmt: skip
