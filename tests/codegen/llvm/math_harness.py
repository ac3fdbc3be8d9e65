"""Compiles the math functions alone and measures them: shared by the tests and by `ulp_sweep`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np

from codegen.llvm import jit
from codegen.llvm import math as llvm_math
from codegen.llvm.builder import FunctionText, vector_type
from codegen.target import Target
from codegen.target import target as named_target

Array = np.ndarray[Any, np.dtype[Any]]
NATIVE = named_target()
ON_X86 = NATIVE.triple.startswith("x86_64")
TARGETS = (NATIVE, *(named_target(f"x86-64-v{level}") for level in ((2, 3) if ON_X86 else ())))
"""This machine and what it can stand in for; x86-64-v2 has no fused multiply-add."""

PRECISION = 160  # bits: enough for sums and roots of float64; mpmath reduces huge arguments of sin by itself
MANTISSA = {"float32": 23, "float64": 52}
SMALLEST_EXPONENT = {"float32": -126, "float64": -1022}


# --- compiling -------------------------------------------------------------------------------------------------------


def loop_text(name: str, dtype: str, lanes: int, target: Target) -> str:
    """`void @loop(ptr x.., ptr out, i64 vectors)`: the function over contiguous arrays."""
    arity = 1 if name in llvm_math.UNARY else 2
    kind = vector_type(dtype, lanes)
    pointers = [f"in{i}" for i in range(arity)] + ["out"]
    body = FunctionText("loop", [*(("ptr", pointer) for pointer in pointers), ("i64", "vectors")], linkage="")
    align = 4 if dtype == "float32" else 8
    with body.loop("0", "%vectors") as index:
        at = [body.value(f"getelementptr {kind}, ptr %{pointer}, i64 {index}") for pointer in pointers]
        operands = [body.value(f"load {kind}, ptr {pointer}, align {align}") for pointer in at[:-1]]
        arguments = ", ".join(f"{kind} {operand}" for operand in operands)
        result = body.value(f"call {kind} @{llvm_math.symbol(name, dtype, lanes)}({arguments})")
        body.do(f"store {kind} {result}, ptr {at[-1]}, align {align}")
    return body.finish() + llvm_math.definitions([(name, dtype, lanes)], target.fma)


def compiled(name: str, dtype: str, lanes: int, target: Target = NATIVE) -> Callable[..., Array]:
    """The function over arrays of any length (padded to whole vectors inside)."""
    library = jit.Loaded(jit.compile_object(loop_text(name, dtype, lanes, target), target), ["loop"])
    arity = 1 if name in llvm_math.UNARY else 2
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(library.addresses["loop"])

    def call(*arrays: Array, keep: jit.Loaded = library) -> Array:
        size = arrays[0].size
        vectors = -(-size // lanes)
        padded = [np.ones(vectors * lanes, dtype) for _ in arrays]
        for target, source in zip(padded, arrays, strict=True):
            target[:size] = source
        out = np.empty(vectors * lanes, dtype)
        native(*(array.ctypes.data for array in (*padded, out)), vectors)
        return out[:size]

    return call


# --- measuring -------------------------------------------------------------------------------------------------------

EXACT: dict[str, Callable[..., Any]] = {
    "exp": mp.exp, "expm1": mp.expm1, "log": mp.log, "log1p": mp.log1p, "tanh": mp.tanh, "erf": mp.erf,
    "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "atan": mp.atan, "sinh": mp.sinh, "cosh": mp.cosh,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)), "erfc": lambda x: mp.erfc(min(max(x, -100), 100)),
    "erfcx": lambda x: erfcx(x), "pow": mp.power,
    "lgamma": lambda x: mp.re(mp.loggamma(x)), "digamma": lambda x: mp.psi(0, x), "trigamma": lambda x: mp.psi(1, x),
}  # fmt: skip


def erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x), by its continued fraction where erfc would need too large an exponent."""
    if x < 100:
        return mp.exp(x * x) * mp.erfc(x)
    tail = x
    for k in range(40, 0, -1):
        tail = x + mp.mpf(k) / 2 / tail
    return 1 / (mp.sqrt(mp.pi) * tail)


GAMMA = ("lgamma", "digamma", "trigamma")
"""Functions that are reflected for negative arguments, where the terms of two of them cancel."""


def domain(name: str, values: tuple[Array, ...]) -> Array:
    """Where the function is defined and finite, but for overflow."""
    x = values[0]
    inside: Array = np.logical_and.reduce([np.isfinite(v) for v in values])
    if name in GAMMA:  # poles; and mpmath takes long for large negative numbers
        inside &= (x > -1e6) & (x != 0) & ~((x < 0) & (np.floor(np.where(inside, x, 0.5)) == x))
    if name == "log":
        inside &= x > 0
    elif name == "log1p":
        inside &= x > -1
    elif name == "pow":
        inside &= (x > 0) | ((x < 0) & (np.trunc(np.where(inside, values[1], 0.0)) == values[1]))
    return inside


def ulp_exact(name: str, got: Array, *arguments: Array) -> Array:
    """Errors in units in the last place against mpmath, for points where the function is finite (or overflows).

    The unit is that of the exact result's binade, at least the smallest subnormal; infinity counts as the power of
    two that comes after the largest number. Near the zeros of lgamma and digamma between the poles it is that of the
    function of 1 - x, which is one of the terms that cancel there.
    """
    dtype = str(got.dtype)
    top = mp.mpf(2) ** (-SMALLEST_EXPONENT[dtype] + 2)
    errors = np.empty(got.size)
    with mp.workprec(PRECISION):
        for i, values in enumerate(zip(*arguments, strict=True)):
            exact = EXACT[name](*(mp.mpf(float(value)) for value in values))
            number = mp.mpf(float(got[i]))
            number = mp.sign(number) * top if mp.isinf(number) else number
            exact = mp.sign(exact) * top if abs(exact) > top else exact
            size = abs(exact)
            if name in GAMMA and values[0] < 0 and dtype == "float64":
                size = max(size, abs(EXACT[name](1 - mp.mpf(float(values[0])))))
            exponent = int(mp.floor(mp.log(size, 2))) if size else -2000
            unit = mp.mpf(2) ** (max(exponent, SMALLEST_EXPONENT[dtype]) - MANTISSA[dtype])
            errors[i] = float(abs(number - exact) / unit)
    return errors


def ulp_against(got: Array, wide: Array) -> Array:
    """Errors of float32 results in units in the last place against float64 ones; NaN where just one of them is NaN."""
    top = 2.0**128
    exact = np.clip(wide.astype(np.float64), -top, top)
    number = np.clip(got.astype(np.float64), -top, top)
    exponent = np.maximum(np.frexp(exact)[1] - 1, SMALLEST_EXPONENT["float32"])
    errors: Array = np.abs(number - exact) / np.ldexp(1.0, exponent - MANTISSA["float32"])
    return np.where(np.isnan(number) & np.isnan(exact), 0.0, errors)
