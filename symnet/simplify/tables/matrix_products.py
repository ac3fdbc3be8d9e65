"""Products of several matrices: in which order they are multiplied, what they have in common, what cancels.

A contraction is read as letters, as in einsum: what is written here of products of matrices holds for any plain
contraction (one letter an axis).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.contract import LETTERS, is_plain
from symnet.ops.contract import contract as contracted
from symnet.ops.leaves import number
from symnet.simplify.pattern import attributes, computed, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import reshaped
from symnet.simplify.vocabulary import contract, inverse, sum_, transpose

a, b, c, d, x = variables("a b c d x")
(P,) = attributes("P")

SMALLEST, LARGEST = 1, 4096
"""Named sizes for which an order of multiplications must be the better one."""


def letters_of(node: Expr) -> tuple[str, str, str] | None:
    """The letters of both operands and of the result of a plain contraction; None for any other node."""
    if node.op != "contract" or not is_plain(node.attrs["spec"]):
        return None
    operands, result = node.attrs["spec"].split("->")
    first, second = operands.split(",")
    return first, second, result


def renamed(text: str, names: Mapping[str, str]) -> str:
    return "".join(names[letter] for letter in text)


def moved(node: Expr, letters: str, wanted: str) -> Expr:
    """`node`, whose axes are `letters`, with its axes in the order `wanted`."""
    if letters == wanted:
        return node
    return make(lookup("transpose"), (node,), {"axes": tuple(letters.index(letter) for letter in wanted)})


# --- what two products have in common ------------------------------------------------------------------------------


@computed
def common_factor(node: Expr) -> Expr | None:
    """a c + b c as (a + b) c, for contractions that share an operand on any side (differences alike)."""
    left, right = node.args
    first, second = letters_of(left), letters_of(right)
    if first is None or second is None or left.shape != right.shape:
        return None
    for i in (0, 1):
        for j in (0, 1):
            if left.args[i] is right.args[j]:
                names = _matched(second[2] + second[j], first[2] + first[i])
                if names is None:
                    continue
                own, others = first[1 - i], renamed(second[1 - j], names)
                if sorted(own) != sorted(others) or "inverse" in (left.args[1 - i].op, right.args[1 - j].op):
                    continue  # (an inverse is better solved with than added to another)
                wanted = _upright(own, first[2]) if left.args[1 - i].op == right.args[1 - j].op == "contract" else own
                terms = moved(left.args[1 - i], own, wanted), moved(right.args[1 - j], others, wanted)
                sides = [(make(node.declaration, terms), wanted), (left.args[i], first[i])]
                (one, p), (two, q) = sides if i == 1 else sides[::-1]
                return contracted(one, two, f"{p},{q}->{first[2]}")
    return None


def _upright(letters: str, result: str) -> str:
    """The order of a factor's axes in which it needs no transpose: the row first that is one of the result."""
    kept = [letter for letter in letters if letter in result]
    if len(letters) != 2 or len(kept) != 1 or len(result) != 2:
        return letters
    summed = letters.replace(kept[0], "")
    return kept[0] + summed if kept[0] == result[0] else summed + kept[0]


def _matched(old: str, new: str) -> dict[str, str] | None:
    """The letters of `old` by those of `new` at the same places; None where they contradict each other."""
    names: dict[str, str] = {}
    for before, after in zip(old, new, strict=True):
        if names.setdefault(before, after) != after:
            return None
    return names if len(set(names.values())) == len(names) else None


Factor = tuple[Expr, bool]
Chain = tuple[tuple[int, ...], tuple[tuple[int, bool], ...]]


@computed
def same_product(left: Expr, right: Expr) -> bool:
    """Whether two products of the same matrices were only multiplied in another order."""
    chain = _chain(left)
    return chain is not None and chain == _chain(right)


def _chain(node: Expr) -> Chain | None:
    """The numbers and the factors (each with whether it is transposed) of a product of matrices, from left to right.

    They are given by their ids, which tell equal expressions.
    """
    numbers: list[int] = []
    factors: list[tuple[int, bool]] = []
    waiting: list[Factor] = [(node, False)]
    while waiting:
        item, turned = waiting.pop()
        if item.op == "multiply" and not item.args[0].shape and item.args[1].shape == item.shape:
            numbers.append(id(item.args[0]))
            waiting.append((item.args[1], turned))
            continue
        if item.op == "transpose" and len(item.shape) == 2:
            waiting.append((item.args[0], not turned))
            continue
        found = letters_of(item)
        sides = _sides(found) if found is not None and len(item.shape) == 2 else None
        if sides is None:
            factors.append((id(item), turned))
            continue
        order, flips = sides
        pair = [(item.args[k], flips[k] != turned) for k in order]
        waiting.extend(pair if turned else reversed(pair))
    return (tuple(sorted(numbers)), tuple(factors)) if len(factors) > 2 else None


def _sides(letters: tuple[str, str, str]) -> tuple[tuple[int, int], tuple[bool, bool]] | None:
    """Which operand of a product of two matrices stands on the left, and which ones are transposed."""
    first, second, result = letters
    shared = set(first) & set(second)
    if len(first) != 2 or len(second) != 2 or len(shared) != 1 or shared & set(result):
        return None
    (k,) = shared
    order = (0, 1) if result[0] in first else (1, 0)
    texts = (first, second)
    left, right = texts[order[0]], texts[order[1]]
    flips = {order[0]: left[1] != k, order[1]: right[0] != k}
    return order, (flips[0], flips[1])


# --- the order of multiplications --------------------------------------------------------------------------------


@computed
def reordered(node: Expr, position: int) -> Expr | None:
    """(a b) c as a (b c) or (a c) b, whichever takes least, where that is less for every named size."""
    outer, inner = letters_of(node), letters_of(node.args[position])
    if outer is None or inner is None:
        return None
    fresh = iter(letter for letter in LETTERS if letter not in "".join(outer))
    names = dict(zip(inner[2], outer[position], strict=True))
    for letter in dict.fromkeys(inner[0] + inner[1]):
        if letter not in names:
            names[letter] = next(fresh)
    product, other = node.args[position], node.args[1 - position]
    texts = [renamed(inner[0], names), renamed(inner[1], names), outer[1 - position]]
    nodes = [*product.args, other]
    sizes = {letter: dim for text, part in zip(texts, nodes, strict=True) for letter, dim in _sizes(text, part)}
    best: Expr | None = None
    least = [_work(texts[0] + texts[1], sizes, n) + _work(outer[0] + outer[1], sizes, n) for n in (SMALLEST, LARGEST)]
    for kept in (0, 1):
        pair = texts[1 - kept] + texts[2]
        between = "".join(letter for letter in dict.fromkeys(pair) if letter in texts[kept] + outer[2])
        if len(between) > max(2, len(outer[position])):
            continue
        work = [_work(pair, sizes, n) + _work(between + texts[kept], sizes, n) for n in (SMALLEST, LARGEST)]
        if all(new < old for new, old in zip(work, least, strict=True)):
            least = work
            joined = contracted(nodes[1 - kept], other, f"{texts[1 - kept]},{texts[2]}->{between}")
            best = contracted(nodes[kept], joined, f"{texts[kept]},{between}->{outer[2]}")
    return best


def _sizes(text: str, node: Expr) -> Iterable[tuple[str, Dim]]:
    return zip(text, node.shape, strict=True)


def _work(letters: str, sizes: Mapping[str, Dim], named: int) -> int:
    """The products of a contraction over these letters, when all named sizes are `named`."""
    total = 1
    for letter in set(letters):
        size = sizes[letter]
        total *= size if isinstance(size, int) else dims.evaluate(size, dict.fromkeys(dims.names(size), named))
    return total


@computed
def outer_last(node: Expr, left: Expr, right: Expr, position: int) -> Expr | None:
    """(u vᵀ) c as u (vᵀ c): a product whose factors have no axis in common meets c with the one that c shares."""
    letters = letters_of(node)
    if letters is None:
        return None
    shape = node.args[position].shape
    whole, other, result = letters[position], letters[1 - position], letters[2]
    own = [_varying(part, shape, whole) for part in (left, right)]
    if set(own[0]) & set(own[1]) or len(own[0]) + len(own[1]) != len(whole):
        return None
    for kept, met in ((0, 1), (1, 0)):
        if set(own[kept]) & set(other) or not set(own[kept]) <= set(result):
            continue
        factors = [reshaped(part, tuple(d for d in part.shape if d != 1)) for part in (left, right)]
        rest = "".join(letter for letter in result if letter not in own[kept])
        inner = contracted(factors[met], node.args[1 - position], f"{own[met]},{other}->{rest}")
        sides = [(factors[kept], own[kept]), (inner, rest)]
        placed = [_placed(part, text, result, node) for part, text in sides]
        return make(lookup("multiply"), placed)
    return None


def _varying(part: Expr, shape: Sequence[Dim], letters: str) -> str:
    """The letters of the axes along which an operand varies."""
    missing = len(shape) - len(part.shape)
    return "".join(letters[i + missing] for i, dim in enumerate(part.shape) if dim != 1)


def _placed(part: Expr, own: str, result: str, node: Expr) -> Expr:
    """An array of the axes `own` as it meets the others of `result`."""
    ordered = "".join(letter for letter in result if letter in own)
    shape = tuple(dim if letter in own else 1 for letter, dim in zip(result, node.shape, strict=True))
    return reshaped(moved(part, own, ordered), shape)


@computed
def transposed_product(node: Expr, a: Expr, b: Expr, axes: tuple[int, ...]) -> Expr | None:
    """Σ a ⊙ bᵀ over all elements, as a contraction that reads b as it stands."""
    if a.shape != node.args[0].shape or node.attrs["keepdims"] or len(node.attrs["axes"]) != len(a.shape):
        return None
    letters = LETTERS[: len(a.shape)]
    stored = ["" for _ in letters]
    for letter, axis in zip(letters, axes, strict=True):
        stored[axis] = letter
    return contracted(a, b, f"{letters},{''.join(stored)}->")


# --- inverses of products ----------------------------------------------------------------------------------------


@computed
def cancelled(node: Expr, position: int) -> Expr | None:
    """b (a b)⁻¹ as a⁻¹, and (a b)⁻¹ a as b⁻¹, for square a and b, however they are stored; a number stays in front."""
    scale, inverted, turned = _inverse_in(node.args[position])
    outer = letters_of(node)
    if inverted is None or outer is None or len(outer[0]) != 2 or len(outer[1]) != 2:
        return None
    product, other = inverted.args[0], node.args[1 - position]
    inner = letters_of(product)
    if inner is None or _sides(inner) is None or len({*product.shape, *other.shape}) != 1:
        return None
    # The inverse of what has the axes (row, column) has the axes (column, row).
    names = dict(zip(inner[2], outer[position] if turned else outer[position][::-1], strict=True))
    for k in (0, 1):
        free, shared = sorted(inner[k], key=lambda letter: letter not in inner[2])
        text = outer[1 - position]
        matches = product.args[k] is other and text[inner[k].index(free)] == names[free] not in outer[2]
        if matches:
            names[shared] = text[inner[k].index(shared)]
            left = renamed(inner[1 - k], names)[::-1]
            found = moved(make(lookup("inverse"), (product.args[1 - k],)), left, outer[2])
            return found if scale is None else make(lookup("multiply"), (scale, found))
    return None


def _inverse_in(node: Expr) -> tuple[Expr | None, Expr | None, bool]:
    """The number in front, the inverse and whether it is transposed, of s X⁻¹ or s X⁻ᵀ for one matrix X."""
    scale, turned = None, False
    if node.op == "multiply" and not node.args[0].shape:
        scale, node = node.args
    if node.op == "transpose":
        (node,), turned = node.args, True
    return scale, node if node.op == "inverse" and len(node.shape) == 2 else None, turned


@computed
def twice(node: Expr) -> Expr:
    return make(lookup("multiply"), (number(2.0, node.dtype), node))


@computed
def operand_of(node: Expr, position: int) -> Expr:
    return node.args[position]


SUMS = [
    rule("common-matrix-sum", contract(a, b) + contract(c, d), common_factor(this), when_cheaper=True, in_chains=True,
         reason="a common factor comes out: A C + B C is (A + B) C"),
    rule("common-matrix-difference", contract(a, b) - contract(c, d), common_factor(this), when_cheaper=True,
         in_chains=True, reason="a common factor comes out: A C − B C is (A − B) C"),
    rule("same-matrix-product", contract(a, b) + contract(c, d), twice(operand_of(this, 0)),
         condition=same_product(operand_of(this, 0), operand_of(this, 1)), in_chains=True,
         reason="products of the same matrices in the same order are equal, whichever is multiplied first"),
]  # fmt: skip

ORDER = [
    rule("product-order", contract(contract(a, b), c), reordered(this, 0), when_cheaper=True,
         reason="matrix products are associative, and this order takes fewer multiplications"),
    rule("product-order-right", contract(c, contract(a, b)), reordered(this, 1), when_cheaper=True,
         reason="matrix products are associative, and this order takes fewer multiplications"),
    rule("outer-product-times", contract(a * b, c), outer_last(this, a, b, 0), when_cheaper=True,
         reason="u (vᵀ C) takes fewer multiplications than (u vᵀ) C"),
    rule("times-outer-product", contract(c, a * b), outer_last(this, a, b, 1), when_cheaper=True,
         reason="(C u) vᵀ takes fewer multiplications than C (u vᵀ)"),
    rule("sum-of-product-with-transpose", sum_(a * transpose(b, axes=P)), transposed_product(this, a, b, P),
         reason="a contraction reads its operands in any order of axes"),
]  # fmt: skip

CANCEL = [
    rule("inverse-of-product-times", contract(inverse(x), c), cancelled(this, 0), kind=stabilising,
         reason="(A B)⁻¹ A is B⁻¹, and no product has to be inverted"),
    rule("times-inverse-of-product", contract(c, inverse(x)), cancelled(this, 1), kind=stabilising,
         reason="B (A B)⁻¹ is A⁻¹, and no product has to be inverted"),
    rule("scaled-inverse-of-product-times", contract(a * b, c), cancelled(this, 0), kind=stabilising,
         reason="(A B)⁻¹ A is B⁻¹, and no product has to be inverted"),
    rule("times-scaled-inverse-of-product", contract(c, a * b), cancelled(this, 1), kind=stabilising,
         reason="B (A B)⁻¹ is A⁻¹, and no product has to be inverted"),
]  # fmt: skip

RULES = [*SUMS, *ORDER, *CANCEL]
