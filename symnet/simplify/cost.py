"""What a node costs: an estimate of the arithmetic and memory traffic of computing it once.

Only the comparison of two ways to compute the same thing matters. Each operation declares its work (`Op.cost`); each
node costs a little whatever its size, so that of two equal ways the shorter one is cheaper.
"""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.expr.work import elements
from symnet.simplify.folding import is_number
from symnet.simplify.vocabulary import SCALAR_OPS

NODE = 1.0
SMALL = 0.02
"""A view, or the arithmetic of a single number."""
TIE = 0.1
"""Costs closer than this are equal: the rule decides."""


def cost(node: Expr) -> float:
    """The estimated cost of computing `node` from its operands."""
    op = node.op
    if op == "constant":
        return 2.0 * NODE + 0.2 * elements(node.shape) if node.shape else 0.0
    if not node.shape and op in SCALAR_OPS and all(map(is_number, node.args)):
        return 0.0
    if op == "negative" or (op == "broadcast_to" and not node.args[0].shape):
        return 0.0  # nearly always absorbed by a neighbour; nothing is stored
    if op == "reshape" or (not node.shape and op in SCALAR_OPS):
        return SMALL
    declared = node.declaration.cost
    if declared is None:
        declared = 1.0 if node.declaration.kind == "scalar" else 4.0
    if not isinstance(declared, (float, int)):
        return NODE + declared(node)
    if node.declaration.kind == "leaf" and not declared:
        return 0.0
    return NODE + declared * elements(node.shape)
