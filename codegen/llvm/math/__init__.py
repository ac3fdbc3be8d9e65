"""Mathematical functions as LLVM text, over vectors of any width, for any target.

LLVM calls scalar library functions for vector exp, log and the like; these are polynomial versions that stay in vector
registers. Errors are at most 2 units in the last place for float32 and 4 for float64 over the whole range, with C99's
results for infinities, NaN, subnormal numbers and signed zeros. A lane's result depends on that lane alone and not on
the number of lanes, so vector code and its scalar remainder agree to the bit. `tests/codegen/llvm/ulp_sweep.py`
measures both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from codegen.llvm.builder import vector_type
from codegen.llvm.math import power, trigonometric
from codegen.llvm.math.error_function import erf, erfc, erfcx
from codegen.llvm.math.exponential import exp, expm1, tanh
from codegen.llvm.math.gamma import digamma, lgamma, trigamma
from codegen.llvm.math.hyperbolic import cosh, sinh
from codegen.llvm.math.inverse import atan
from codegen.llvm.math.logarithm import log, log1p
from codegen.llvm.math.root import cbrt
from codegen.llvm.math.trigonometric import cos, sin, tan
from codegen.llvm.math.values import FORMATS, Body, Value
from symnet.errors import CompilerBug
from symnet.expr.dtypes import SHORT

Helper = tuple[str, str, int]
"""A function's name, dtype and lanes."""

UNARY: Mapping[str, Callable[[Value], Value]] = {
    "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "tanh": tanh, "erf": erf, "sin": sin, "cos": cos,
    "tan": tan, "atan": atan, "sinh": sinh, "cosh": cosh, "erfc": erfc, "erfcx": erfcx, "cbrt": cbrt,
    "lgamma": lgamma, "digamma": digamma, "trigamma": trigamma,
}  # fmt: skip
BINARY: Mapping[str, Callable[[Value, Value], Value]] = {"pow": power.power}
FUNCTIONS = (*UNARY, *BINARY)
"""The functions of the loop program that are defined here; they have the loop program's names."""

_SUPPORT = {"sin": "reduce_huge", "cos": "reduce_huge", "tan": "reduce_huge", "pow": "pow_special"}
"""What a function calls for the rare arguments that its fast way does not cover."""


def symbol(name: str, dtype: str, lanes: int) -> str:
    """The name of the LLVM function, without the at sign."""
    return f"sn.{name}.{SHORT[dtype]}x{lanes}"


def function(name: str, dtype: str, lanes: int, fma: bool = True) -> str:
    """The definition of `symbol(name, dtype, lanes)`: takes and gives `lanes` values (scalars for one lane).

    `fma` says that the target has fused multiply-add instructions; without them LLVM would call a library function, so
    the text then computes with products and sums only, to the same accuracy. What else the text calls is told by
    `dependencies`.
    """
    _check(name, dtype, lanes)
    if name == "reduce_huge":
        return trigonometric.reduce_huge(dtype, lanes)
    if name == "pow_special":
        return power.special_text(dtype, lanes, fma)
    attributes = "nounwind" if lanes == 1 else "nounwind alwaysinline"
    operands = [(dtype, operand) for operand in (("x",) if name in UNARY else ("x", "y"))]
    body = Body(symbol(name, dtype, lanes), operands, vector_type(dtype, lanes), lanes, fma, attributes)
    result = UNARY[name](*body.parameters) if name in UNARY else BINARY[name](*body.parameters)
    return body.finish(result.typed)


def dependencies(name: str, dtype: str, lanes: int) -> tuple[Helper, ...]:
    """Every other helper that the text of this one needs, directly or not."""
    _check(name, dtype, lanes)
    support = _SUPPORT.get(name, name)
    dtype = "float64" if name == "tan" else dtype
    needed = [(support, dtype, lanes)]
    if support == "reduce_huge":
        needed += [(support, dtype, 1), (support, "float64", 1)]
    return tuple(helper for helper in dict.fromkeys(needed) if helper != (name, dtype, lanes))


def definitions(helpers: Iterable[Helper], fma: bool = True) -> str:
    """The text of all these helpers and of what they need, each once, in a fixed order."""
    wanted = set(helpers)
    for helper in tuple(wanted):
        wanted.update(dependencies(*helper))
    return "\n".join(function(*helper, fma=fma) for helper in sorted(wanted))


def _check(name: str, dtype: str, lanes: int) -> None:
    if name not in (*FUNCTIONS, *_SUPPORT.values()) or dtype not in FORMATS or lanes < 1 or lanes & (lanes - 1):
        raise CompilerBug(f"no math function {name!r} for {lanes} lanes of {dtype}")
