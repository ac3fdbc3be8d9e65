"""Contraction: sums of products of two arrays. Matrix products, batched ones, convolutions and the gradients of all of
these are contractions.

    out[f_out(i)] += A[f_a(i)] · B[f_b(i)]     over all values of the index letters i

In the plain form (`"ab,cb->ac"`) every axis is one letter, as in einsum. In the affine form axes are sums of letters
with integer coefficients (`"a b c+d-1 e+f-1, g b d f -> a g c e"` is a 3×3 convolution with padding 1); `sizes` then
says how far each letter runs, `shape` is the shape of the result, and what falls outside any of the three arrays is
dropped. The gradient with respect to an operand is a contraction with that operand and the result exchanged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.expr.work import elements
from symnet.ops.coerce import arity, same_dtype
from symnet.ops.leaves import input

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Index:
    """One axis of a contraction: `sum(coefficient · letter) + offset`."""

    terms: tuple[tuple[str, int], ...]
    offset: int = 0

    def __str__(self) -> str:
        text = "".join(
            f"{'-' if c < 0 else '+'}{letter if abs(c) == 1 else f'{abs(c)}*{letter}'}" for letter, c in self.terms
        )
        return text.removeprefix("+") + f"{self.offset:+d}" * bool(self.offset) if text else str(self.offset)

    @property
    def letters(self) -> tuple[str, ...]:
        return tuple(letter for letter, _ in self.terms)


Indices = tuple[Index, ...]
_TERM = re.compile(r"([+-]?)(?:(\d+)\*)?([A-Za-z])|([+-]?\d+)")


@lru_cache(maxsize=4096)
def parse_spec(spec: str) -> tuple[Indices, Indices, Indices]:
    """The axes of the first operand, the second operand and the result."""
    match = re.fullmatch(r"([^,>]*),([^,>]*)->([^,>]*)", spec)
    if not match:
        raise UsageError(f"cannot read the contraction {spec!r}: expected 'first,second->result'")
    plain = is_plain(spec)
    first, second, result = (_parse_indices(spec, part, plain) for part in match.groups())
    return first, second, result


def is_plain(spec: str) -> bool:
    """Whether every axis is a single letter (einsum's notation)."""
    return " " not in spec


def _parse_indices(spec: str, part: str, plain: bool) -> Indices:
    indices = []
    for text in part if plain else part.split():
        terms, offset, position = [], 0, 0
        while position < len(text):
            match = _TERM.match(text, position)
            if not match:
                raise UsageError(f"cannot read the index {text!r} of the contraction {spec!r}")
            position = match.end()
            if match[4]:
                offset += int(match[4])
            else:
                terms.append((match[3], int(match[2] or 1) * (-1 if match[1] == "-" else 1)))
        indices.append(Index(tuple(terms), offset))
    return tuple(indices)


def format_spec(parts: Sequence[Indices], plain: bool) -> str:
    """The text of a contraction, its letters renamed a, b, c, … in order of appearance."""
    names: dict[str, str] = {}
    for part in parts:
        for index in part:
            for letter in index.letters:
                names.setdefault(letter, LETTERS[len(names)])
    texts = [
        [str(Index(tuple((names[letter], c) for letter, c in index.terms), index.offset)) for index in part]
        for part in parts
    ]
    if plain:
        first, second, result = ("".join(text) for text in texts)
        return f"{first},{second}->{result}"
    first, second, result = (" ".join(text) for text in texts)
    return f"{first}, {second} -> {result}"


@lru_cache(maxsize=4096)
def canonical_spec(spec: str) -> str:
    """The same contraction with its letters named in order of appearance."""
    return format_spec(parse_spec(spec), is_plain(spec))


def renamed(parts: Sequence[Indices]) -> dict[str, str]:
    """How `format_spec` renames the letters."""
    letters = dict.fromkeys(letter for part in parts for index in part for letter in index.letters)
    return dict(zip(letters, LETTERS, strict=False))


def contract(a: Expr, b: Expr, spec: str, sizes: Mapping[str, Dim] | None = None, shape: Shape = ()) -> Expr:
    """The contraction of two expressions (the module's text says how `spec` reads); its letters are renamed."""
    if is_plain(spec):
        return make(CONTRACT, (a, b), {"spec": canonical_spec(spec), "sizes": (), "shape": ()})
    names = renamed(parse_spec(spec))
    given = dict(sizes or {})
    if missing := [letter for letter in names if letter not in given]:
        raise UsageError(f"contract: no sizes for the letters {', '.join(missing)} of {spec!r}")
    canonical = tuple((new, given[old]) for old, new in names.items())
    return make(CONTRACT, (a, b), {"spec": canonical_spec(spec), "sizes": canonical, "shape": tuple(shape)})


# --- the type rule -----------------------------------------------------------------------------------------------


def _infer(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 2)
    dtype = same_dtype(args)
    if dtype not in (*dtypes.FLOATS, *dtypes.INTS):
        raise DTypeError(f"the operands are {dtype}, expected numbers (cast first)")
    spec = attrs["spec"]
    parts = parse_spec(spec)
    for position, (indices, node) in enumerate(zip(parts, args, strict=False)):
        if len(indices) != node.ndim:
            raise ShapeError(
                f"{spec!r} has {len(indices)} axes for operand {position}, which is {dims.show(node.shape)}"
            )
    if canonical_spec(spec) != spec:
        raise UsageError(f"{spec!r} is not in canonical form {canonical_spec(spec)!r}")
    if is_plain(spec):
        return _infer_plain(args, spec, parts), dtype
    declared, used = [letter for letter, _ in attrs["sizes"]], list(renamed(parts))
    if declared != used:
        raise UsageError(f"sizes are given for the letters {declared}, but {spec!r} has {used}")
    if len(attrs["shape"]) != len(parts[2]):
        raise ShapeError(f"{spec!r} has {len(parts[2])} axes for a result of shape {dims.show(attrs['shape'])}")
    return attrs["shape"], dtype


def _infer_plain(args: Sequence[Expr], spec: str, parts: Sequence[Indices]) -> Shape:
    sizes: dict[str, Dim] = {}
    for position, (indices, node) in enumerate(zip(parts, args, strict=False)):
        letters = [index.terms[0][0] for index in indices]
        if len(set(letters)) != len(letters):
            raise UsageError(f"{spec!r} repeats a letter within operand {position} (sn.einsum takes the diagonal)")
        for letter, size in zip(letters, node.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ShapeError(
                    f"the letter {letter!r} of {spec!r} is {sizes[letter]} and {size} in "
                    f"{dims.show(args[0].shape)} and {dims.show(args[1].shape)}; expected equal sizes"
                )
    result = [index.terms[0][0] for index in parts[2]]
    counts = [letter for indices in parts for index in indices for letter in index.letters]
    for letter in dict.fromkeys(counts):
        if counts.count(letter) < 2 or (letter in result and letter not in sizes):
            raise UsageError(f"the letter {letter!r} of {spec!r} occurs only once (sn.einsum sums it beforehand)")
    if len(set(result)) != len(result):
        raise UsageError(f"{spec!r} repeats a letter in the result")
    return tuple(sizes[letter] for letter in result)


# --- the meaning -------------------------------------------------------------------------------------------------


def _numpy(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> np.ndarray:
    spec = node.attrs["spec"]
    if is_plain(spec):
        return np.asarray(np.einsum(spec, *arrays, optimize=True), node.dtype)
    parts = parse_spec(spec)
    ranges = {letter: dims.evaluate(size, sizes) for letter, size in node.attrs["sizes"]}
    out = np.zeros(dims.evaluate_shape(node.shape, sizes), node.dtype)
    looped = _looped(parts, ranges)
    for values in product(*(range(ranges[letter]) for letter in looped)):
        _add_slices((*arrays, out), parts, dict(zip(looped, values, strict=True)), ranges)
    return out


def _looped(parts: Sequence[Indices], ranges: Mapping[str, int]) -> list[str]:
    """Letters to loop over one value at a time, so that every axis keeps at most one free letter, each free letter at
    most one axis of every array, and what remains are strided slices."""
    looped: set[str] = set()
    for indices in parts:
        seen: set[str] = set()
        for index in indices:
            free = sorted((letter for letter in index.letters if letter not in looped), key=lambda x: (ranges[x], x))
            looped.update(free[:-1])
            looped.update(set(free[-1:]) & seen)
            seen.update(free)
    return sorted(looped)


def _add_slices(
    arrays: Sequence[np.ndarray], parts: Sequence[Indices], fixed: Mapping[str, int], ranges: Mapping[str, int]
) -> None:
    """Adds the products for one choice of the looped letters, in the region where all three indices exist."""
    low, high = dict.fromkeys(ranges, 0), dict(ranges)
    for array, indices in zip(arrays, parts, strict=True):
        for length, index in zip(array.shape, indices, strict=True):
            offset, free = _split(index, fixed)
            if free is None:
                if not 0 <= offset < length:
                    return
                continue
            letter, c = free
            # 0 <= offset + c·i < length, solved for i
            first, last = (-(offset // c), (length - 1 - offset) // c)
            if c < 0:
                first, last = (-((length - 1 - offset) // -c), offset // -c)
            low[letter], high[letter] = max(low[letter], first), min(high[letter], last + 1)
    if any(low[x] >= high[x] for x in ranges if x not in fixed):
        return
    views, letters = [], []
    for array, indices in zip(arrays, parts, strict=True):
        view, names = _view(array, indices, fixed, low, high)
        views.append(view)
        letters.append(names)
    # A letter of the result that is in no operand repeats what was found; one that is in no array at all counts.
    summed = [letter for letter in letters[2] if letter in letters[0] + letters[1]]
    found = np.einsum(f"{letters[0]},{letters[1]}->{''.join(summed)}", *views[:2])
    found = np.expand_dims(found, [axis for axis, letter in enumerate(letters[2]) if letter not in summed])
    unseen = [letter for letter in ranges if letter not in fixed and letter not in "".join(letters)]
    views[2] += np.asarray(found * prod(high[letter] - low[letter] for letter in unseen), arrays[2].dtype)


def _split(index: Index, fixed: Mapping[str, int]) -> tuple[int, tuple[str, int] | None]:
    offset, free = index.offset, None
    for letter, c in index.terms:
        if letter in fixed:
            offset += c * fixed[letter]
        else:
            free = (letter, c)
    return offset, free


def _view(
    array: np.ndarray, indices: Indices, fixed: Mapping[str, int], low: Mapping[str, int], high: Mapping[str, int]
) -> tuple[np.ndarray, str]:
    key: list[int | slice] = []
    names = ""
    for index in indices:
        offset, free = _split(index, fixed)
        if free is None:
            key.append(offset)
            continue
        letter, c = free
        names += letter
        stop = offset + c * high[letter]
        key.append(slice(offset + c * low[letter], None if stop < 0 else stop, c))
    return array[(*key, ...)], names


# --- derivatives -------------------------------------------------------------------------------------------------


def _pullback(node: Expr, g: Expr) -> list[Expr | None]:
    (a, b), (fa, fb, out) = node.args, parse_spec(node.attrs["spec"])
    return [_transposed(node, g, b, (out, fb, fa), a.shape), _transposed(node, a, g, (fa, out, fb), b.shape)]


def _transposed(node: Expr, left: Expr, right: Expr, parts: tuple[Indices, Indices, Indices], shape: Shape) -> Expr:
    if is_plain(node.attrs["spec"]):
        return contract(left, right, format_spec(parts, True))
    names = renamed(parts)
    sizes = {names[letter]: size for letter, size in node.attrs["sizes"]}
    return contract(left, right, format_spec(parts, False), sizes, shape)


def _samples(rng: np.random.Generator) -> list[Expr]:
    def f(name: str, *shape: Dim) -> Expr:
        return input(name, shape, "float64")

    convolution: dict[str, Dim] = {"a": "N", "b": 2, "c": 5, "d": 3, "e": 3, "f": 2, "g": 4}
    return [
        contract(f("x", "N", 3), f("w", 5, 3), "nk,ok->no"),
        contract(f("x", 2, 3, 4), f("y", 2, 4, 5), "bij,bjk->bik"),
        contract(f("x", 3), f("y", 5), "i,j->ji"),
        contract(f("x", 3, 4), f("y", 4, 3), "ij,ji->"),
        contract(input("k", (3, 4), "int64"), input("l", (4,), "int64"), "ij,j->i"),
        contract(input("k", (3, 4)), input("l", (4, 7)), "ij,jk->ik"),
        contract(
            f("x", "N", 2, 5, 7), f("w", 4, 2, 3, 2), "a b c+d-1 2*e+f-1, g b d f -> a g c e", convolution,
            ("N", 4, 5, 3),
        ),
        contract(f("x", 9), f("w", 3), "-2*a-b+8, b -> a", {"a": 4, "b": 3}, (4,)),
    ]  # fmt: skip


def _cost(node: Expr) -> float:
    """A product and a sum for each combination of the indices of the specification."""
    if node.attrs["sizes"]:
        return 2.0 * elements(tuple(size for _, size in node.attrs["sizes"]))
    operands = node.attrs["spec"].split("->")[0].split(",")
    extent = {
        letter: dim
        for letters, arg in zip(operands, node.args, strict=True)
        for letter, dim in zip(letters, arg.shape, strict=True)
    }
    return 2.0 * elements(tuple(extent.values()))


CONTRACT = register(
    Op(
        name="contract",
        kind="primitive",
        infer=_infer,
        numpy=_numpy,
        pullback=_pullback,
        linear=(0, 1),
        samples=_samples,
        cost=_cost,
        finite=True,
        reason=(
            "a sum of products is linear in its first factor: the cotangent meets the second",
            "a sum of products is linear in its second factor: the first meets the cotangent",
        ),
        doc="Sums of products of two arrays: matrix products, batched ones, convolutions, and their gradients.",
    )
)
