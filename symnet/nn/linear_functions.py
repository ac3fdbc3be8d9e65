"""The functions of torch.nn.functional that are linear in each operand: linear and bilinear."""

from __future__ import annotations

from symnet import ops
from symnet.expr.node import Expr
from symnet.ops.leaves import Operand

__all__ = ["bilinear", "linear"]


def linear(input: Operand, weight: Operand, bias: Operand | None = None) -> Expr:
    """x Wᵀ + b: input [..., in], weight [out, in] -> [..., out]."""
    y = ops.einsum("...i,oi->...o", input, weight)
    return y if bias is None else y + bias


def bilinear(input1: Operand, input2: Operand, weight: Operand, bias: Operand | None = None) -> Expr:
    """yₒ = x₁ᵀ Wₒ x₂ + bₒ: input1 [..., in1], input2 [..., in2], weight [out, in1, in2] -> [..., out]."""
    y = ops.einsum("...i,oij,...j->...o", input1, weight, input2)
    return y if bias is None else y + bias
