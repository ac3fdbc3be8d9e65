"""Matrices that are known to be their own transposes, the identity, and products of matrices as chains of factors."""

from __future__ import annotations

from dataclasses import dataclass

from symnet.expr.node import Expr
from symnet.ops.contract import is_plain, parse_spec
from symnet.simplify.pattern import computed

# --- products as chains of factors -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Factor:
    """A matrix, its inverse or its transpose in a product."""

    matrix: Expr
    inverted: bool
    turned: bool

    @property
    def key(self) -> tuple[int, bool, bool]:
        """Equal for equal factors (expressions are compared by identity)."""
        return id(self.matrix), self.inverted, self.turned and not is_symmetric(self.matrix)


def letters_of(node: Expr) -> tuple[str, str, str] | None:
    """The letters of both operands and of the result of a plain contraction; None for any other node."""
    if node.op != "contract" or not is_plain(node.attrs["spec"]):
        return None
    operands, result = node.attrs["spec"].split("->")
    first, second = operands.split(",")
    return first, second, result


def chain(node: Expr) -> tuple[list[Expr], list[Factor]]:
    """The numbers and the factors of a product of matrices, from left to right, however it is multiplied."""
    numbers: list[Expr] = []
    factors: list[Factor] = []
    waiting: list[tuple[Expr, bool] | Factor] = [(node, False)]
    while waiting:
        next_one = waiting.pop()
        if isinstance(next_one, Factor):
            factors.append(next_one)
            continue
        item, turned = next_one
        parts: list[tuple[Expr, bool] | Factor]
        sides = sides_of(item)
        if item.op == "multiply" and not item.args[0].shape and item.args[1].shape == item.shape:
            numbers.append(item.args[0])
            parts = [(item.args[1], turned)]
        elif item.op == "transpose" and len(item.shape) == 2:
            parts = [(item.args[0], not turned)]
        elif item.op in ("solve", "inverse") and len(item.shape) == 2:
            inverse = Factor(item.args[0], True, turned != item.attrs.get("transposed", False))
            parts = [inverse, *((right, turned) for right in item.args[1:])]
            parts = parts[::-1] if turned else parts
        elif sides is not None:
            parts = [(item.args[k], sides[1][k] != turned) for k in sides[0]]
            parts = parts[::-1] if turned else parts
        else:
            parts = [Factor(item, False, turned)]
        waiting.extend(reversed(parts))
    return numbers, factors


def sides_of(node: Expr) -> tuple[tuple[int, int], tuple[bool, bool]] | None:
    """Which operand of a product of two matrices stands on the left, and which ones are transposed."""
    letters = letters_of(node)
    if letters is None:
        return None
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


# --- symmetry ----------------------------------------------------------------------------------------------------


def holds_identity(node: Expr) -> bool:
    """Whether a node is the identity matrix: the one-hot vectors of all classes in order."""
    if node.op == "one_hot":
        positions, classes = node.args[0], node.attrs["classes"]
        return positions.op == "iota" and positions.attrs["size"] == classes
    if node.op == "cast" and node.args[0].op == "equal":
        rows, columns = node.args[0].args
        return rows.op == "reshape" and rows.args[0] is columns and columns.op == "iota" and rows.shape[-1] == 1
    return False


def is_symmetric(node: Expr) -> bool:
    """Whether matrices are known to be symmetric: inputs declared so, x xᵀ, x + xᵀ, x C xᵀ, the identity, sums and
    multiples of such, their inverses."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        declared = not part.shape or part.op == "diag" or part.attrs.get("symmetric")
        if declared or holds_identity(part) or _is_gram(part) or _is_with_transpose(part):
            continue
        inside = _palindrome(part)
        if inside is not None:
            waiting.extend(inside)
            continue
        repeated = part.op == "broadcast_to" and not part.args[0].shape
        if not repeated and part.op not in ("add", "subtract", "multiply", "divide", "negative", "inverse"):
            return False
        waiting.extend(part.args)
    return True


def _palindrome(node: Expr) -> list[Expr] | None:
    """What has to be symmetric so that a product of matrices is: it must read alike from both ends."""
    if node.op not in ("contract", "solve") or len(node.shape) != 2:
        return None
    factors = chain(node)[1]
    inside: list[Expr] = []
    for left, right in zip(factors[: (len(factors) + 1) // 2], reversed(factors), strict=False):
        if left.matrix is not right.matrix or left.inverted != right.inverted:
            return None
        if left.turned == right.turned:
            inside.append(left.matrix)
    return inside if len(factors) > 1 else None


def _is_with_transpose(node: Expr) -> bool:
    """Whether a node is x + xᵀ."""
    if node.op != "add":
        return False
    first, second = node.args
    return _is_transpose_of(first, second) or _is_transpose_of(second, first)


def _is_transpose_of(node: Expr, x: Expr) -> bool:
    rank = len(x.shape)
    exchanged = (*range(rank - 2), rank - 1, rank - 2)
    return rank >= 2 and node.op == "transpose" and node.args[0] is x and node.attrs["axes"] == exchanged


def _is_gram(node: Expr) -> bool:
    """Whether a node is x xᵀ or xᵀ x, for a matrix or a stack of them."""
    if node.op != "contract" or node.args[0] is not node.args[1] or not is_plain(node.attrs["spec"]):
        return False
    first, second, result = parse_spec(node.attrs["spec"])
    if len(result) < 2 or result[:-2] != tuple(index for index in result[:-2] if index in first and index in second):
        return False
    exchanged = {result[-2]: result[-1], result[-1]: result[-2]}
    return tuple(exchanged.get(index, index) for index in first) == second


@computed
def is_identity(node: Expr) -> bool:
    return holds_identity(node)


@computed
def symmetric(node: Expr) -> bool:
    return is_symmetric(node)
