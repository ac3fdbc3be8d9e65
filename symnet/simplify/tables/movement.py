"""Moves of elements: those that do nothing, those that follow one another, and those of values that do not vary."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.simplify.facts import array_shaped, scalar_shaped
from symnet.simplify.pattern import Family, Rest, attributes, computed, this, variables
from symnet.simplify.rule import rule
from symnet.simplify.shapes import compose, has_shape, moves_units_only, shape_of
from symnet.simplify.vocabulary import binary, broadcast_to, concat, place, reshape, slice_, transpose, unary, where

s, x, y, z = variables("s x y z")
P, Q, S, T = attributes("P Q S T")
A, B, F, U, V = attributes("A B F U V")
parts = Rest("parts")
move = Family("move", frozenset(("reshape", "transpose", "slice")))


@computed
def is_identity(permutation: tuple[int, ...]) -> bool:
    return permutation == tuple(range(len(permutation)))


@computed
def adds_leading_ones(x: Expr, shape: Shape) -> bool:
    """Whether `shape` is that of `x` with axes of size 1 before it, which broadcasting adds anyway."""
    extra = len(shape) - len(x.shape)
    return extra >= 0 and shape[extra:] == x.shape and all(dim == 1 for dim in shape[:extra])


@computed
def takes_all(start: tuple[Dim, ...], step: tuple[int, ...], x: Expr, size: Shape) -> bool:
    """Whether positions start + step·i, i < size, are all positions of `x` in order."""
    return (
        all(d == 0 for d in start)
        and size == x.shape
        and all(s == 1 or d == 1 for s, d in zip(step, size, strict=True))
    )


@computed
def start_after(inner: tuple[Dim, ...], step: tuple[int, ...], outer: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Where position `outer` of a slice lies in the array it was taken from."""
    return tuple(dims.add(a, dims.mul(b, s)) for a, s, b in zip(inner, step, outer, strict=True))


@computed
def steps_after(inner: tuple[int, ...], outer: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a * b for a, b in zip(inner, outer, strict=True))


@computed
def sliced_part(node: Expr, parts: tuple[Expr, ...], axis: int) -> Expr | None:
    """The slice of a concatenation that lies within one of its parts, taken from that part."""
    start, step, size = node.attrs["start"], node.attrs["step"], node.attrs["size"]
    first, count = start[axis], size[axis]
    offset: Dim = 0
    for part in parts:
        end = dims.add(offset, part.shape[axis])
        if all(isinstance(v, int) for v in (first, count, offset, end)):
            last = first + (count - 1) * step[axis]
            inside = count > 0 and offset <= min(first, last) and max(first, last) < end
        else:
            inside = first == offset and step[axis] == 1 and count == part.shape[axis]
        if inside:
            begin = (*start[:axis], dims.sub(first, offset), *start[axis + 1 :])
            return make(lookup("slice"), (part,), {"start": begin, "step": step, "size": size})
        offset = end
    return None


@computed
def joined_slices(parts: tuple[Expr, ...], axis: int) -> Expr | None:
    """A concatenation of which two neighbours are neighbouring slices of one array, with these taken at once."""
    for i, (a, b) in enumerate(pairwise(parts)):
        merged = _neighbours(a, b, axis)
        if merged is not None:
            rest = (*parts[:i], merged, *parts[i + 2 :])
            return merged if len(rest) == 1 else make(lookup("concat"), rest, {"axis": axis})
    return None


def _neighbours(a: Expr, b: Expr, axis: int) -> Expr | None:
    if a.op != "slice" or b.op != "slice" or a.args[0] is not b.args[0] or a.attrs["step"] != b.attrs["step"]:
        return None
    start, step, size = a.attrs["start"], a.attrs["step"], a.attrs["size"]
    after = (*start[:axis], dims.add(start[axis], dims.mul(size[axis], step[axis])), *start[axis + 1 :])
    if b.attrs["start"] != after:
        return None
    total = (*size[:axis], dims.add(size[axis], b.attrs["size"][axis]), *size[axis + 1 :])
    return make(lookup("slice"), a.args, {"start": start, "step": step, "size": total})


@computed
def placed_together(node: Expr) -> Expr | None:
    """The sum of two arrays placed side by side among zeros: both joined, placed once."""
    a, b = node.args
    together = _side_by_side(a, b)
    return together if together is not None else _side_by_side(b, a)


def _side_by_side(a: Expr, b: Expr) -> Expr | None:
    if a.attrs["step"] != b.attrs["step"] or set(a.attrs["step"]) != {1}:
        return None
    first, second, x, y = a.attrs["start"], b.attrs["start"], a.args[0], b.args[0]
    differing = [i for i, (p, q) in enumerate(zip(first, second, strict=True)) if p != q]
    if len(differing) != 1:
        return None
    axis = differing[0]
    fits = all(p == q for i, (p, q) in enumerate(zip(x.shape, y.shape, strict=True)) if i != axis)
    if not fits or dims.add(first[axis], x.shape[axis]) != second[axis]:
        return None
    both = make(lookup("concat"), (x, y), {"axis": axis})
    return both if both.shape == a.shape else make(lookup("place"), (both,), a.attrs)


@computed
def flat_parts(parts: tuple[Expr, ...], axis: int) -> tuple[Expr, ...] | None:
    """The parts of a concatenation with those that are concatenations along the same axis taken apart."""
    flat: list[Expr] = []
    for part in parts:
        flat.extend(part.args if part.op == "concat" and part.attrs["axis"] == axis else (part,))
    return tuple(flat) if len(flat) > len(parts) else None


@computed
def joined(parts: tuple[Expr, ...], axis: int) -> Expr:
    return make(lookup("concat"), parts, {"axis": axis})


@computed
def all_same_number(parts: tuple[Expr, ...]) -> Any:
    """The scalar that all parts repeat."""
    first = parts[0]
    if first.op != "broadcast_to" or first.args[0].shape:
        return None
    same = all(part.op == "broadcast_to" and part.args[0] is first.args[0] for part in parts)
    return first.args[0] if same else None


@computed
def unit_steps(step: tuple[int, ...]) -> bool:
    return set(step) <= {1}


NOTHING = [
    rule("reshape-to-itself", reshape(x, shape=S), x, condition=has_shape(x, S), reason="the shape is that already"),
    rule("transpose-to-itself", transpose(x, axes=P), x, condition=is_identity(P), reason="the axes keep their order"),
    rule("broadcast-to-itself", broadcast_to(x, shape=S), x, condition=has_shape(x, S),
         reason="the shape is that already"),
    rule("slice-of-all", slice_(x, start=S, step=T, size=U), x, condition=takes_all(S, T, x, U),
         reason="every element is taken, in order"),
    rule("place-over-all", place(x, start=S, step=T, shape=U), x, condition=takes_all(S, T, x, U),
         reason="nothing is left to fill"),
    rule("concat-of-one", concat(x), x, reason="there is nothing to join it to"),
]  # fmt: skip

TWICE = [
    rule("reshape-twice", reshape(reshape(x), shape=S), reshape(x, shape=S), reason="only the last shape counts"),
    rule("transpose-twice", transpose(transpose(x, axes=P), axes=Q), transpose(x, axes=compose(P, Q)),
         reason="permutations compose"),
    rule("transpose-of-unit-axes", transpose(x, axes=P), reshape(x, shape=shape_of(this)),
         condition=moves_units_only(P, x), reason="only axes of size 1 move, so the elements keep their order"),
    rule("broadcast-twice", broadcast_to(broadcast_to(x), shape=S), broadcast_to(x, shape=S),
         reason="only the last shape counts"),
    rule("broadcast-of-leading-ones", broadcast_to(reshape(x, shape=T), shape=S), broadcast_to(x, shape=S),
         condition=adds_leading_ones(x, T), reason="broadcasting adds leading axes itself"),
    rule("slice-twice", slice_(slice_(x, start=S, step=T), start=U, step=V, size=B),
         slice_(x, start=start_after(S, T, U), step=steps_after(T, V), size=B),
         reason="positions in positions compose"),
    rule("slice-of-placed", slice_(place(x, start=S, step=T), start=S, step=T, size=U), x, condition=has_shape(x, U),
         reason="what was placed is taken back"),
    rule("slice-of-concat", slice_(concat(parts, axis=A)), sliced_part(this, parts, A),
         reason="the slice lies within one part"),
    rule("concat-of-slices", concat(parts, axis=A), joined_slices(parts, A),
         reason="neighbouring slices are one slice"),
    rule("concat-of-concat", concat(parts, axis=A), joined(flat_parts(parts, A), A), reason="joining is associative"),
    rule("place-twice", place(place(x, start=S, step=T, fill=F), start=U, step=V, shape=B, fill=F),
         place(x, start=start_after(U, V, S), step=steps_after(V, T), shape=B, fill=F),
         condition=unit_steps(V), reason="positions in positions compose, and all around is filled alike"),
    rule("sum-of-neighbours", place(x, fill=0) + place(y, fill=0), placed_together(this),
         reason="where one is placed the other is 0", in_chains=True),
]  # fmt: skip

REPEATED = [
    rule("move-of-number", move(broadcast_to(x)), broadcast_to(x, shape=shape_of(this)), condition=scalar_shaped(x),
         reason="equal elements are the same in any order"),
    rule("reshape-of-scalar", reshape(x, shape=S), broadcast_to(x, shape=S), condition=scalar_shaped(x),
         reason="one number under another shape is the number, repeated once"),
    rule("sign-comes-out", move(-x), -move(x), condition=array_shaped(x),
         reason="a sign does not care where elements are"),
    rule("number-comes-out", move(s * x), s * move(x), condition=scalar_shaped(s),
         reason="a number does not care where elements are"),
    rule("divisor-comes-out", move(x / s), move(x) / s, condition=scalar_shaped(s),
         reason="a number does not care where elements are"),
    rule("concat-of-number", concat(parts), broadcast_to(all_same_number(parts), shape=shape_of(this)),
         reason="equal elements joined to equal elements"),
    rule("unary-of-repeated", unary(broadcast_to(x)), unary(x), reason="equal operands give equal results"),
    rule("binary-of-repeated", binary(broadcast_to(x), y), binary(x, y), reason="operations broadcast by themselves"),
    rule("binary-with-repeated", binary(y, broadcast_to(x)), binary(y, x), reason="operations broadcast by themselves"),
    rule("where-repeated", where(broadcast_to(x), y, z), where(x, y, z), reason="operations broadcast by themselves"),
    rule("where-of-repeated", where(x, broadcast_to(y), z), where(x, y, z),
         reason="operations broadcast by themselves"),
    rule("where-or-repeated", where(x, y, broadcast_to(z)), where(x, y, z),
         reason="operations broadcast by themselves"),
    rule("binary-of-leading-ones", binary(reshape(x, shape=S), y), binary(x, y), condition=adds_leading_ones(x, S),
         reason="broadcasting adds leading axes itself"),
    rule("binary-with-leading-ones", binary(y, reshape(x, shape=S)), binary(y, x), condition=adds_leading_ones(x, S),
         reason="broadcasting adds leading axes itself"),
]  # fmt: skip

RULES = [*NOTHING, *TWICE, *REPEATED]
