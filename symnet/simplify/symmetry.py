"""Matrices that are known to be their own transposes, and the identity: conditions of rules."""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.ops.contract import is_plain, parse_spec
from symnet.simplify.pattern import computed


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
    """Whether matrices are known to be symmetric: inputs declared so, x xᵀ, x + xᵀ, the identity, sums and multiples of
    such, their inverses."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        declared = not part.shape or part.op == "diag" or part.attrs.get("symmetric")
        if declared or holds_identity(part) or _is_gram(part) or _is_with_transpose(part):
            continue
        repeated = part.op == "broadcast_to" and not part.args[0].shape
        if not repeated and part.op not in ("add", "subtract", "multiply", "divide", "negative", "inverse"):
            return False
        waiting.extend(part.args)
    return True


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
