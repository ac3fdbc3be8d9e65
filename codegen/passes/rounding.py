"""Rounding: large matrix products of numbers that are rounded to bfloat16 first, with float32 sums.

    y[n, o] = sum(i) x[n, i] * w[o, i]        becomes        y[n, o] = sum(i) bf16(x[n, i]) * bf16(w[o, i])

Arrays stay float32. It pays where each element is used often enough once it has been rounded, and only shapes decide,
so that all machines round the same products. Products with windows (convolutions), with a single column (which are
read once, as they lie) or of few elements stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

from codegen.loops.grammar import Affine, Apply, Axis, Kernel, Load, Program, Reduce, Scalar
from codegen.passes.core import Pass, contraction, map_kernels, volume, with_items

LEAST = 32
"""Rows, columns and products in a sum that a contraction must at least have, at the largest sizes."""


def rounding(program: Program) -> Program:
    return with_items(program, map_kernels(program.items, lambda kernel: _rounded(program, kernel)))


def _rounded(program: Program, kernel: Kernel) -> Kernel:
    roles, first = contraction(kernel), kernel.body[0] if kernel.body else None
    if roles is None:
        return kernel
    assert isinstance(first, Reduce)
    assert isinstance(first.value, Apply)
    own = {axis.name: axis for axis in (*kernel.axes, *first.axes)}
    long = all(_length(program, own, names) >= LEAST for names in (roles.rows, roles.cols, roles.inner))
    if not long or first.value.dtype != "float32" or not all(_is_matrix(one) for one in first.value.args):
        return kernel
    factors = tuple(Apply("bf16", (one,), one.dtype, first.value.origin) for one in first.value.args)
    return replace(kernel, body=(replace(first, value=replace(first.value, args=factors)), *kernel.body[1:]))


def _length(program: Program, own: dict[str, Axis], names: tuple[str, ...]) -> int:
    return volume(program, tuple(own[name] for name in names))


def _is_matrix(operand: Scalar) -> bool:
    """Whether a factor is read without windows or edges."""
    assert isinstance(operand, Load)
    moving = (part for part in operand.index if isinstance(part, Affine))
    return operand.fill is None and all(len(part.terms) <= 1 for part in moving)


ROUNDING = Pass("rounding", "round what large matrix products multiply to bfloat16", rounding, exact=False)
