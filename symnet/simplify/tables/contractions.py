"""Sums of products: what moves into the specification of a contraction, and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence

from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.contract import LETTERS, Indices, format_spec, is_plain, parse_spec, renamed
from symnet.simplify.facts import scalar_shaped
from symnet.simplify.pattern import Family, attributes, computed, this, variables
from symnet.simplify.rule import rule
from symnet.simplify.shapes import Axes, reshaped
from symnet.simplify.vocabulary import broadcast_to, contract, one_hot, sum_, transpose

a, b, s, y = variables("a b s y")
A, K, P = attributes("A K P")


product = Family("contract", frozenset(("contract",)))
"""A contraction with the same specification on both sides of a rule."""


@computed
def inside(node: Expr) -> Expr:
    """The operand of a node with one."""
    return node.args[0]


def contraction(a: Expr, b: Expr, parts: Sequence[Indices], like: Expr, shape: Shape | None = None) -> Expr:
    """The contraction with these axes and the sizes of the letters of `like`."""
    if is_plain(like.attrs["spec"]):
        return make(lookup("contract"), (a, b), {"spec": format_spec(parts, True), "sizes": (), "shape": ()})
    old = dict(like.attrs["sizes"])
    sizes = tuple((new, old[name]) for name, new in renamed(parts).items())
    attrs = {"spec": format_spec(parts, False), "sizes": sizes, "shape": like.shape if shape is None else shape}
    return make(lookup("contract"), (a, b), attrs)


def _permuted(indices: Indices, permutation: Axes) -> Indices:
    """The axes of an array whose transposition by `permutation` has the axes `indices`."""
    return tuple(indices[permutation.index(i)] for i in range(len(indices)))


@computed
def with_transposed_first(node: Expr, a: Expr, permutation: Axes) -> Expr:
    first, second, result = parse_spec(node.attrs["spec"])
    return contraction(a, node.args[1], (_permuted(first, permutation), second, result), node)


@computed
def with_transposed_second(node: Expr, b: Expr, permutation: Axes) -> Expr:
    first, second, result = parse_spec(node.attrs["spec"])
    return contraction(node.args[0], b, (first, _permuted(second, permutation), result), node)


@computed
def with_transposed_result(node: Expr, permutation: Axes) -> Expr:
    first, second, result = parse_spec(node.attrs["spec"])
    shape = tuple(node.shape[p] for p in permutation)
    a, b = node.args
    return contraction(a, b, (first, second, tuple(result[p] for p in permutation)), node, shape)


@computed
def with_summed_result(node: Expr, axes: Axes, keepdims: bool) -> Expr | None:
    """The sum over `axes` of a plain contraction: their letters are summed as well, if both operands have them."""
    spec = node.attrs["spec"]
    if not is_plain(spec) or keepdims:
        return None
    first, second, result = parse_spec(spec)
    if any(result[i] not in first or result[i] not in second for i in axes):
        return None
    a, b = node.args
    return contraction(a, b, (first, second, tuple(x for i, x in enumerate(result) if i not in axes)), node)


@computed
def product_summed(a: Expr, b: Expr, axes: Axes, node: Expr) -> Expr | None:
    """The sum of a product in which both factors vary along axes of their own: a contraction.

    None if the product is no larger than one of its factors, which the sum then reads element by element.
    """
    shape = node.args[0].shape
    if a.shape == shape or b.shape == shape or node.attrs["keepdims"]:
        return None
    letters = [_letters(x, shape) for x in (a, b)]
    for i, dim in enumerate(shape):
        inside = [LETTERS[i] in own for own in letters]
        if dim != 1 and (not any(inside) or (i in axes and not all(inside))):
            return None
    result = "".join(LETTERS[i] for i, dim in enumerate(shape) if i not in axes and dim != 1)
    operands = [reshaped(x, tuple(d for d in x.shape if d != 1)) for x in (a, b)]
    if any(len(own) != len(x.shape) for own, x in zip(letters, operands, strict=True)):
        return None
    parts = parse_spec(f"{letters[0]},{letters[1]}->{result}")
    made = make(lookup("contract"), operands, {"spec": format_spec(parts, True), "sizes": (), "shape": ()})
    return reshaped(made, node.shape)


def _letters(x: Expr, shape: Shape) -> str:
    """The letters of the axes of `shape` along which `x` varies."""
    missing = len(shape) - len(x.shape)
    return "".join(LETTERS[i + missing] for i, dim in enumerate(x.shape) if dim != 1)


@computed
def without_repeated(node: Expr, x: Expr, position: int) -> Expr | None:
    """A plain contraction with an operand that repeats `x`: without the letters along which it is repeated.

    A letter that is then left in the other operand alone is summed there.
    """
    if not is_plain(node.attrs["spec"]):
        return None
    parts = [list(part) for part in parse_spec(node.attrs["spec"])]
    whole = node.args[position].shape
    full = reshaped(x, (1,) * (len(whole) - len(x.shape)) + x.shape)
    repeated = [i for i, dim in enumerate(whole) if full.shape[i] == 1 and dim != 1]
    if not repeated:
        return None
    gone = [parts[position][i] for i in repeated]
    other, result = parts[1 - position], parts[2]
    # A letter that the other operand lacks is one of the result, which is then repeated along it instead.
    left = [letter for letter in result if letter not in gone or letter in other]
    shape = tuple(dim if letter in left else 1 for letter, dim in zip(result, node.shape, strict=True))
    kept = [i for i in range(len(whole)) if i not in repeated]
    parts[position] = [parts[position][i] for i in kept]
    operands = list(node.args)
    operands[position] = reshaped(x, tuple(whole[i] for i in kept))
    summed = tuple(i for i, letter in enumerate(other) if letter in gone and letter not in result)
    if summed:
        attrs = {"axes": summed, "keepdims": False}
        operands[1 - position] = make(lookup("sum"), (operands[1 - position],), attrs)
        parts[1 - position] = [letter for i, letter in enumerate(other) if i not in summed]
    made = ",".join("".join(str(letter) for letter in part) for part in parts[:2])
    spec = format_spec(parse_spec(f"{made}->{''.join(map(str, left))}"), True)
    return reshaped(make(lookup("contract"), operands, {"spec": spec, "sizes": (), "shape": ()}), shape)


@computed
def as_product(node: Expr) -> Expr | None:
    """A plain contraction that sums nothing: a product of its operands, each with its axes in place."""
    spec = node.attrs["spec"]
    if not is_plain(spec):
        return None
    first, second, result = parse_spec(spec)
    if any(letter not in result for letter in (*first, *second)):
        return None
    factors = []
    for x, own in zip(node.args, (first, second), strict=True):
        order = tuple(own.index(letter) for letter in result if letter in own)
        moved = x if order == tuple(range(len(order))) else make(lookup("transpose"), (x,), {"axes": order})
        shape = tuple(dim if letter in own else 1 for letter, dim in zip(result, node.shape, strict=True))
        factors.append(reshaped(moved, shape))
    return make(lookup("multiply"), factors)


@computed
def without_unit_index(node: Expr) -> Expr | None:
    """A plain contraction without the indices of size 1 that it sums, and without those of a matrix's one row."""
    if not is_plain(node.attrs["spec"]):
        return None
    first, second, result = parse_spec(node.attrs["spec"])
    sizes = dict(zip((*first, *second), (*node.args[0].shape, *node.args[1].shape), strict=True))
    units = {letter for letter, dim in sizes.items() if dim == 1 and (letter not in result or len(result) == 2)}
    if not units:
        return None
    parts = [tuple(letter for letter in part if letter not in units) for part in (first, second, result)]
    a, b = (reshaped(x, tuple(sizes[i] for i in part)) for x, part in zip(node.args, parts, strict=False))
    return reshaped(contraction(a, b, parts, node), node.shape)


@computed
def row_picked(node: Expr, y: Expr, x: Expr, position: int) -> Expr | None:
    """A product with one-hot vectors that sums their classes alone: rows of the other operand."""
    spec = node.attrs["spec"]
    if not is_plain(spec):
        return None
    parts = parse_spec(spec)
    marks, other, result = parts[position], parts[1 - position], parts[2]
    wanted = (*marks[:-1], *(letter for letter in other if letter != marks[-1]))
    if marks[-1] not in other or marks[-1] in result or any(letter in other for letter in marks[:-1]):
        return None
    picked = make(lookup("gather"), (x, y), {"axes": (other.index(marks[-1]),)})
    order = tuple(wanted.index(letter) for letter in result)
    return picked if order == tuple(range(len(order))) else make(lookup("transpose"), (picked,), {"axes": order})


RULES = [
    rule("contract-transposed-first", contract(transpose(a, axes=P), b), with_transposed_first(this, a, P),
         reason="a contraction reads its operands in any order of axes"),
    rule("contract-transposed-second", contract(a, transpose(b, axes=P)), with_transposed_second(this, b, P),
         reason="a contraction reads its operands in any order of axes"),
    rule("transposed-contract", transpose(contract(a, b), axes=P), with_transposed_result(inside(this), P),
         reason="a contraction writes its result in any order of axes"),
    rule("sum-of-contract", sum_(contract(a, b), axes=A, keepdims=K), with_summed_result(inside(this), A, K),
         reason="summing an axis of the result is summing its index as well"),
    rule("sum-of-products", sum_(a * b, axes=A), product_summed(a, b, A, this),
         reason="a sum of products of two arrays with axes of their own is a contraction"),
    rule("contract-repeated-first", contract(broadcast_to(a), b), without_repeated(this, a, 0),
         reason="what does not vary along an index does not need it"),
    rule("contract-repeated-second", contract(a, broadcast_to(b)), without_repeated(this, b, 1),
         reason="what does not vary along an index does not need it"),
    rule("contract-unit-index", contract(a, b), without_unit_index(this),
         reason="a sum over one place is what stands there"),
    rule("contract-without-sum", contract(a, b), as_product(this), reason="no index is summed, so it is a product"),
    rule("contract-negative-first", product(-a, b), -product(a, b),
         reason="a sign comes out of a sum of products"),
    rule("contract-negative-second", product(a, -b), -product(a, b),
         reason="a sign comes out of a sum of products"),
    rule("contract-scaled-first", product(s * a, b), s * product(a, b), condition=scalar_shaped(s),
         reason="a number comes out of a sum of products"),
    rule("contract-scaled-second", product(a, s * b), s * product(a, b), condition=scalar_shaped(s),
         reason="a number comes out of a sum of products"),
    rule("contract-divided-first", product(a / s, b), product(a, b) / s, condition=scalar_shaped(s),
         reason="a number comes out of a sum of products"),
    rule("contract-divided-second", product(a, b / s), product(a, b) / s, condition=scalar_shaped(s),
         reason="a number comes out of a sum of products"),
    rule("contract-one-hot-first", contract(one_hot(y), b), row_picked(this, y, b, 0),
         reason="a product with a one-hot vector picks a row",
         assumption="every index is a class (checked at run time)"),
    rule("contract-one-hot-second", contract(a, one_hot(y)), row_picked(this, y, a, 1),
         reason="a product with a one-hot vector picks a row",
         assumption="every index is a class (checked at run time)"),
]  # fmt: skip
