"""Products of arrays as users write them, made of contractions: einsum of any form, matmul, dot, outer, tensordot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops.coerce import arity, axis_of, operands, show
from symnet.ops.contract import LETTERS, contract
from symnet.ops.diagonals import diagonal
from symnet.ops.leaves import Operand, input, iota
from symnet.ops.reduce import sum
from symnet.ops.scalar import cast, equal, multiply
from symnet.ops.shape import reshape, transpose

__all__ = [
    "dot", "einsum", "inner", "matmul", "outer", "tensordot", "trace", "vdot", "vecdot",
]  # fmt: skip


def einsum(spec: str, *arrays: Operand) -> Expr:
    """Einstein's summation in every form NumPy has: repeated letters, "...", the result left out, any number of arrays.

    Three and more arrays are contracted from left to right.
    """
    nodes = operands("einsum", arrays, "number")
    inputs, output = _read(spec, nodes)
    terms = [_own_axes(spec, letters, node) for letters, node in zip(inputs, nodes, strict=True)]
    _check_sizes(spec, terms, output)
    terms = [_squeeze(letters, node, terms, i) for i, (letters, node) in enumerate(terms)]
    while len(terms) > 1:
        later = set(output).union(*(letters for letters, _ in terms[2:]))
        terms = [_pair(*terms[0], *terms[1], later), *terms[2:]]
    letters, node = terms[0]
    return _arrange(letters, _sum_out(letters, node, set(output)), output, spec)


def _read(spec: str, nodes: Sequence[Expr]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with "..." turned into letters of its own."""
    if not isinstance(spec, str):
        raise UsageError(f"einsum: the first argument is {type(spec).__name__}, expected text such as 'ij,jk->ik'")
    text = spec.replace(" ", "")
    left, arrow, right = text.partition("->")
    written = left.split(",")
    if len(written) != len(nodes):
        raise UsageError(f"einsum: {spec!r} names {len(written)} arrays, got {len(nodes)}")
    hidden = [
        _hidden(spec, letters, node, position)
        for position, (letters, node) in enumerate(zip(written, nodes, strict=True))
    ]
    # The axes under "..." broadcast: they align from the right, as letters that the text does not use.
    row = "".join([letter for letter in LETTERS if letter not in text][: max(hidden)])
    inputs = [letters.replace("...", row[len(row) - count :]) for letters, count in zip(written, hidden, strict=True)]
    if not arrow:
        every = "".join(written).replace(".", "")
        return inputs, row + "".join(sorted(c for c in set(every) if every.count(c) == 1))
    if row and "..." not in right:
        raise UsageError(f"einsum: the result of {spec!r} has no '...', but its arrays have axes under it")
    output = right.replace("...", row)
    if len(set(output)) != len(output):
        raise UsageError(f"einsum: the result of {spec!r} repeats a letter")
    if strange := [c for c in output if not any(c in letters for letters in inputs)]:
        raise UsageError(f"einsum: the letter {strange[0]!r} of the result of {spec!r} is in no array")
    return inputs, output


def _hidden(spec: str, letters: str, node: Expr, position: int) -> int:
    """How many axes of an operand its "..." stands for."""
    named = letters.replace("...", "", 1)
    if not all(letter in LETTERS for letter in named):
        raise UsageError(f"einsum: cannot read {letters!r} in {spec!r}: expected letters and at most one '...'")
    count = node.ndim - len(named)
    if count < 0 or (count and named == letters):
        raise ShapeError(
            f"einsum: {letters!r} names {len(named)} axes, but array {position} is {dims.show(node.shape)}"
        )
    return count


Term = tuple[str, Expr]


def _own_axes(spec: str, letters: str, node: Expr) -> Term:
    """Repeated letters of one array become its diagonal."""
    while repeated := next((c for c in letters if letters.count(c) > 1), None):
        first = letters.index(repeated)
        second = letters.index(repeated, first + 1)
        if node.shape[first] != node.shape[second]:
            raise ShapeError(
                f"einsum: the letter {repeated!r} of {spec!r} is {node.shape[first]} and {node.shape[second]} in one "
                "array; expected equal sizes"
            )
        node = diagonal(node, axis1=first, axis2=second)
        letters = letters[:first] + letters[first + 1 : second] + letters[second + 1 :] + repeated
    return letters, node


def _check_sizes(spec: str, terms: Sequence[Term], output: str) -> None:
    sizes: dict[str, Dim] = {}
    for letters, node in terms:
        for letter, size in zip(letters, node.shape, strict=True):
            known = sizes.get(letter, 1)
            if 1 not in (known, size) and known != size:
                raise ShapeError(
                    f"einsum: the letter {letter!r} of {spec!r} is {known} and {size}; expected equal sizes"
                )
            sizes[letter] = size if known == 1 else known


def _squeeze(letters: str, node: Expr, terms: Sequence[Term], position: int) -> Term:
    """An axis of size 1 that meets a longer one elsewhere is dropped: it repeats."""
    longer = {
        c
        for other, (names, array) in enumerate(terms)
        if other != position
        for c, size in zip(names, array.shape, strict=True)
        if size != 1
    }
    kept = [i for i, c in enumerate(letters) if node.shape[i] != 1 or c not in longer]
    return "".join(letters[i] for i in kept), reshape(node, tuple(node.shape[i] for i in kept))


def _sum_out(letters: str, node: Expr, kept: set[str]) -> Expr:
    axes = tuple(i for i, c in enumerate(letters) if c not in kept)
    return sum(node, axes) if axes else node


def _pair(a_letters: str, a: Expr, b_letters: str, b: Expr, later: set[str]) -> Term:
    """Two arrays contracted over the letters that nothing after them needs."""
    a, a_letters = _sum_out(a_letters, a, later | set(b_letters)), _kept(a_letters, later | set(b_letters))
    b, b_letters = _sum_out(b_letters, b, later | set(a_letters)), _kept(b_letters, later | set(a_letters))
    result = "".join(c for c in dict.fromkeys(a_letters + b_letters) if c in later)
    return result, contract(a, b, f"{a_letters},{b_letters}->{result}")


def _kept(letters: str, kept: set[str]) -> str:
    return "".join(c for c in letters if c in kept)


def _arrange(letters: str, node: Expr, output: str, spec: str) -> Expr:
    letters = _kept(letters, set(output))
    return transpose(node, [letters.index(c) for c in output])


def matmul(a: Operand, b: Operand) -> Expr:
    """NumPy's `a @ b`: matrices in the last two axes, the axes before them broadcast; vectors gain and lose an axis."""
    left, right = operands("matmul", (a, b), "number")
    if not left.ndim or not right.ndim:
        raise ShapeError("matmul: an operand is a scalar, expected at least one axis (use * to scale)")
    inner = (left.shape[-1], right.shape[-2 if right.ndim > 1 else -1])
    if inner[0] != inner[1]:
        raise ShapeError(
            f"matmul: {dims.show(left.shape)} @ {dims.show(right.shape)}: the last axis of the first is {inner[0]}, "
            f"the {'second last' if right.ndim > 1 else 'only'} axis of the second is {inner[1]}; expected equal sizes"
        )
    if left.ndim == right.ndim == 2:
        return contract(left, right, "ij,jk->ik")
    rank = max(left.ndim, right.ndim, 2) - 2
    row, column = ("i" if left.ndim > 1 else ""), ("k" if right.ndim > 1 else "")
    batch = LETTERS[11 : 11 + rank]
    first = batch[rank - max(left.ndim - 2, 0) :] + row + "j"
    second = batch[rank - max(right.ndim - 2, 0) :] + "j" + column
    dims.broadcast(left.shape[:-2], right.shape[:-2])
    return einsum(f"{first},{second}->{batch}{row}{column}", left, right)


def dot(a: Operand, b: Operand) -> Expr:
    """NumPy's dot: a product of scalars, vectors or matrices; over the last axis of `a` and the second last of `b`."""
    left, right = operands("dot", (a, b), "number")
    if not left.ndim or not right.ndim:
        return multiply(left, right)
    return tensordot(left, right, ((left.ndim - 1,), (max(right.ndim - 2, 0),)))


def vecdot(a: Operand, b: Operand, axis: int = -1) -> Expr:
    """The sum of products along one axis, the others broadcast."""
    left, right = operands("vecdot", (a, b), "number")
    shape = dims.broadcast(left.shape, right.shape)
    place = axis_of("vecdot", axis, len(shape))
    letters = LETTERS[: len(shape)]
    names = [letters[len(shape) - node.ndim :] for node in (left, right)]
    return einsum(f"{names[0]},{names[1]}->{letters[:place]}{letters[place + 1 :]}", left, right)


def inner(a: Operand, b: Operand) -> Expr:
    """NumPy's inner: the sums of products over the last axis of both; a product where one is a scalar."""
    left, right = operands("inner", (a, b), "number")
    if not left.ndim or not right.ndim:
        return multiply(left, right)
    return tensordot(left, right, ((left.ndim - 1,), (right.ndim - 1,)))


def vdot(a: Operand, b: Operand) -> Expr:
    """The sum of the products of all elements, of arrays with as many elements, row by row."""
    left, right = operands("vdot", (a, b), "number")
    if left.shape == right.shape:
        return sum(multiply(left, right)) if left.ndim != 1 else tensordot(left, right, 1)
    return tensordot(reshape(left, (-1,)), reshape(right, (-1,)), 1)


def outer(a: Operand, b: Operand) -> Expr:
    """The products of every element of one vector with every element of another (flattened, if they are no vectors)."""
    left, right = operands("outer", (a, b), "number")
    return contract(reshape(left, (-1,)), reshape(right, (-1,)), "i,j->ij")


def tensordot(a: Operand, b: Operand, axes: int | Sequence[object] = 2) -> Expr:
    """Contraction over the last `axes` of `a` with the first of `b`, or over two lists of axes."""
    left, right = operands("tensordot", (a, b), "number")
    if isinstance(axes, int):
        over_left, over_right = list(range(left.ndim - axes, left.ndim)), list(range(axes))
    else:
        over_left, over_right = (
            [axis_of("tensordot", x, node.ndim) for x in (given if isinstance(given, (tuple, list)) else (given,))]
            for given, node in zip(axes, (left, right), strict=True)
        )
    if len(over_left) != len(over_right) or (over_left and min(over_left) < 0):
        raise ShapeError(f"tensordot: axes {axes!r} do not fit {dims.show(left.shape)} and {dims.show(right.shape)}")
    first = list(LETTERS[: left.ndim])
    second = list(LETTERS[left.ndim : left.ndim + right.ndim])
    for i, j in zip(over_left, over_right, strict=True):
        second[j] = first[i]
    kept = [c for i, c in enumerate(first) if i not in over_left] + [
        c for j, c in enumerate(second) if j not in over_right
    ]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", left, right)


# --- trace -------------------------------------------------------------------------------------------------------


def trace(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expr:
    """The sum of a diagonal, NumPy's `trace` (`sn.linalg.trace` takes that of the last two axes, as the array API)."""
    (node,) = operands("trace", (x,), "number")
    first, second = axis_of("trace", axis1, node.ndim), axis_of("trace", axis2, node.ndim)
    if offset or first == second or node.shape[first] != node.shape[second]:
        return sum(diagonal(node, offset, first, second), -1)
    rest = [a for a in range(node.ndim) if a not in (first, second)]
    return make(TRACE, (transpose(node, [*rest, first, second]),))


def _infer_trace(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    if args[0].ndim < 2 or args[0].shape[-1] != args[0].shape[-2]:
        raise ShapeError(f"got {show(args[0])}, expected square matrices in the last two axes")
    return args[0].shape[:-2], args[0].dtype


def _pull_trace(node: Expr, g: Expr) -> list[Expr | None]:
    shape = node.args[0].shape
    index = iota(shape[-1])
    identity = cast(equal(reshape(index, (-1, 1)), index), node.dtype)
    return [multiply(reshape(g, (*g.shape, 1, 1)), identity)]


TRACE = register(
    Op(
        name="trace",
        kind="composite",
        infer=_infer_trace,
        define=lambda node: sum(diagonal(node.args[0], axis1=-2, axis2=-1), -1),
        pullback=_pull_trace,
        linear=(0,),
        samples=lambda rng: [
            trace(input("x", (3, 3), "float64")),
            trace(input("x", (2, "N", "N"), "float64"), axis1=1, axis2=2),
            trace(input("k", (3, 3), "int64")),
        ],
        reason="each element of the diagonal counts once",
        notation="tr",
        doc="The sum of the diagonal of square matrices in the last two axes.",
    )
)
