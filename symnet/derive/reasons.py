"""Sentences for the steps of a derivation: why the derivative of each operation is what it is."""

from __future__ import annotations

from symnet.expr.node import Expr


def chain_reason(node: Expr, operand: int) -> str:
    """Why `node` contributes what it does to its operand number `operand`."""
    reason = node.declaration.reason
    if not reason:
        from_definition = node.declaration.pullback is None and node.declaration.define is not None
        return f"by the definition of {node.op}" if from_definition else f"the derivative of {node.op}"
    return reason if isinstance(reason, str) else reason[min(operand, len(reason) - 1)]
