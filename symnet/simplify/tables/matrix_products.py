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
from symnet.expr.traverse import postorder
from symnet.ops.contract import LETTERS
from symnet.ops.contract import contract as contracted
from symnet.ops.leaves import number
from symnet.ops.linalg.products import multi_dot
from symnet.simplify.cost import cost
from symnet.simplify.pattern import attributes, computed, constants, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import reshaped
from symnet.simplify.symmetry import Factor, chain, letters_of, sides_of
from symnet.simplify.vocabulary import contract, inverse, sum_, transpose

a, b, c, d, x = variables("a b c d x")
(n,) = constants("n")
(P,) = attributes("P")

SMALLEST, LARGEST = 1, 4096
"""Named sizes for which an order of multiplications must be the better one."""


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
    return _common_factor(node)


def _common_factor(node: Expr) -> Expr | None:
    left, right = node.args
    if left is right or is_same_product(left, right):
        return None
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


@computed
def same_product(left: Expr, right: Expr) -> bool:
    """Whether two products of the same matrices were only multiplied in another order."""
    return is_same_product(left, right)


def is_same_product(left: Expr, right: Expr) -> bool:
    if "contract" not in (left.op, right.op):
        return False
    (numbers, factors), (others, compared) = chain(left), chain(right)
    if len(factors) < 3 or len(factors) != len(compared):
        return False
    same = sorted(map(id, numbers)) == sorted(map(id, others))
    return same and all(one.key == other.key for one, other in zip(factors, compared, strict=True))


@computed
def common_ends(node: Expr) -> Expr | None:
    """A B D + A C D as A (B + C) D, for products of matrices that begin or end alike (differences alike).

    Where one operand is the same, as it stands, `common_factor` takes it out.
    """
    if node.args[0] is node.args[1] or is_same_product(*node.args) or _common_factor(node) is not None:
        return None
    (numbers, first), (others, second) = (chain(term) for term in node.args)
    if not all(len(term.shape) == 2 for term in node.args) or sorted(map(id, numbers)) != sorted(map(id, others)):
        return None
    most = min(len(first), len(second)) - 1
    before, after = _alike(first, second, most), _alike(first[::-1], second[::-1], most)
    taken = [(i, j) for i in range(before, -1, -1) for j in range(min(after, most - i), -1, -1) if i or j]
    found = [_between_ends(node, first, second, i, j) for i, j in taken]
    if not found:
        return None
    whole = min(found, key=lambda product: sum(map(cost, postorder([product]))))
    for scale in numbers:
        whole = make(lookup("multiply"), (scale, whole))
    return whole


def _between_ends(node: Expr, first: list[Factor], second: list[Factor], before: int, after: int) -> Expr:
    """The sum (or difference) of two products, with so many factors in front and behind taken out."""
    middles = [factors[before : len(factors) - after] for factors in (first, second)]
    total = make(node.declaration, [_product(part) for part in middles])
    ends = [first[:before], first[len(first) - after :]]
    sides = [[_product(end)] if end else [] for end in ends]
    return multi_dot([*sides[0], total, *sides[1]])


def _alike(first: Sequence[Factor], second: Sequence[Factor], most: int) -> int:
    """How many factors at the beginning are equal, up to so many."""
    count = 0
    while count < most and first[count].key == second[count].key:
        count += 1
    return count


def _product(factors: Sequence[Factor]) -> Expr:
    nodes = []
    for factor in factors:
        node = make(lookup("inverse"), (factor.matrix,)) if factor.inverted else factor.matrix
        turned = factor.key[2]
        nodes.append(make(lookup("transpose"), (node,), {"axes": (1, 0)}) if turned else node)
    return nodes[0] if len(nodes) == 1 else multi_dot(nodes)


# --- the order of multiplications --------------------------------------------------------------------------------


@computed
def reordered(node: Expr, position: int) -> Expr | None:
    """(a b) c as a (b c) or (a c) b, whichever takes least, where that is less for every named size.

    Of a product of two products the first is taken apart if that helps, else the second.
    """
    if position == 1 and node.args[0].op == "contract" and _reordered(node, 0) is not None:
        return None
    return _reordered(node, position)


def _reordered(node: Expr, position: int) -> Expr | None:
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
    return _outer_last(node, left, right, position)


def is_outer_product(node: Expr, position: int) -> bool:
    """Whether an operand of a contraction is a product u vᵀ, of which one factor alone meets the other operand."""
    operand = node.args[position]
    if operand.op != "multiply":
        return False
    left, right = operand.args
    return _outer_last(node, left, right, position) is not None


def _outer_last(node: Expr, left: Expr, right: Expr, position: int) -> Expr | None:
    letters = letters_of(node)
    if letters is None:
        return None
    shape = node.args[position].shape
    whole, other, result = letters[position], letters[1 - position], letters[2]
    own = [_varying(part, shape, whole) for part in (left, right)]
    if set(own[0]) & set(own[1]) or len(own[0]) + len(own[1]) != len(whole) or not all(own):
        return None  # (a number comes out by itself)
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


@computed
def quadratic_form(node: Expr, u: Expr, v: Expr, c: Expr) -> Expr | None:
    """Σ (u vᵀ) ⊙ C over all elements, for a column u and a row v, as uᵀ (C v)."""
    if len(c.shape) != 2 or node.attrs["keepdims"] or node.attrs["axes"] != (0, 1):
        return None
    sides = _varying(u, c.shape, "ij"), _varying(v, c.shape, "ij")
    if sides == ("j", "i"):
        u, v = v, u
    elif sides != ("i", "j"):
        return None
    left, right = (reshaped(part, (c.shape[axis],)) for axis, part in enumerate((u, v)))
    return contracted(left, contracted(c, right, "ij,j->i"), "i,i->")


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
    if inner is None or sides_of(product) is None or len({*product.shape, *other.shape}) != 1:
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
def second_factor(node: Expr) -> Expr:
    return node.args[1]


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
    rule("common-ends-sum", contract(a, b) + contract(c, d), common_ends(this), when_cheaper=True, in_chains=True,
         reason="common factors come out: A B D + A C D is A (B + C) D"),
    rule("common-ends-difference", contract(a, b) - contract(c, d), common_ends(this), when_cheaper=True,
         in_chains=True, reason="common factors come out: A B D − A C D is A (B − C) D"),
    rule("same-matrix-product", contract(a, b) + contract(c, d), twice(operand_of(this, 0)),
         condition=same_product(operand_of(this, 0), operand_of(this, 1)), in_chains=True,
         reason="products of the same matrices in the same order are equal, whichever is multiplied first"),
    rule("multiple-of-same-matrix-product", n * contract(a, b) + contract(c, d), (n + 1) * operand_of(this, 1),
         condition=same_product(second_factor(operand_of(this, 0)), operand_of(this, 1)), in_chains=True,
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
    rule("sum-of-outer-product-times", sum_((a * b) * c), quadratic_form(this, a, b, c), when_cheaper=True,
         reason="Σ uᵢ vⱼ Cᵢⱼ is uᵀ C v"),
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
