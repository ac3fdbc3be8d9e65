"""The scalar functions of the loop program as LLVM instructions, on one value or in lanes.

Arithmetic and comparisons are instructions, rounding and the like intrinsics, and the transcendental functions calls of
the polynomials in `codegen.llvm.math`. The fast-math flags are `contract` (a product and a sum may become one fused
operation) and, for maximum and minimum, `nsz`: infinities, NaN and the order of operations are as written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codegen.llvm.math import UNARY, symbol
from codegen.llvm.scope import Scope, Value, const
from symnet.errors import Unsupported
from symnet.expr.dtypes import is_float, is_int

MATH = tuple(UNARY)
"""The functions of one operand that are calls of `codegen.llvm.math`."""

_FLOAT_ARITHMETIC = {"add": "fadd contract", "sub": "fsub contract", "mul": "fmul contract", "div": "fdiv contract"}
_INT_ARITHMETIC = {"add": "add", "sub": "sub", "mul": "mul"}
_FLOAT_ORDER = {"equal": "oeq", "not_equal": "une", "less": "olt", "less_equal": "ole", "greater": "ogt",
                "greater_equal": "oge"}  # fmt: skip
_SIGNED_ORDER = {"equal": "eq", "not_equal": "ne", "less": "slt", "less_equal": "sle", "greater": "sgt",
                 "greater_equal": "sge"}  # fmt: skip
_LOGIC = {"logical_and": "and", "logical_or": "or"}
_ROUNDING = {"floor": "floor", "ceil": "ceil", "round": "roundeven", "sqrt": "sqrt"}


def apply(scope: Scope, fn: str, args: Sequence[Value], dtype: str) -> Value:
    """`fn` of the operands, a value of `dtype`."""
    kind = args[0].dtype
    if fn in _FLOAT_ORDER:
        return compare(scope, fn, args[0], args[1])
    if fn in _LOGIC:
        return scope.operate(_LOGIC[fn], args[0], args[1])
    if fn in _FLOAT_ARITHMETIC and is_float(kind):
        return scope.operate(_FLOAT_ARITHMETIC[fn], args[0], args[1])
    if fn in _INT_ARITHMETIC and is_int(kind):
        return scope.operate(_INT_ARITHMETIC[fn], args[0], args[1])
    if fn in _ROUNDING:
        return args[0] if is_int(kind) and fn != "sqrt" else intrinsic(scope, _ROUNDING[fn], args)
    if fn in MATH or (fn == "pow" and is_float(kind)):
        return helper(scope, fn, args)
    if fn in _OTHERS:
        return _OTHERS[fn](scope, args, dtype)
    raise Unsupported(f"the LLVM backend has no {fn} of {kind}; cast to a float type first")


def intrinsic(scope: Scope, name: str, args: Sequence[Value], flags: str = "") -> Value:
    """The LLVM intrinsic `name` at the type of its operands."""
    args = scope.unify(*args)
    value = args[0]
    letter = ("f" if is_float(value.dtype) else "i") + str({"float32": 32, "int32": 32}.get(value.dtype, 64))
    suffix = letter if value.lanes == 1 else f"v{value.lanes}{letter}"
    return scope.call(f"@llvm.{name}.{suffix}", args, value.dtype, flags)


def helper(scope: Scope, name: str, args: Sequence[Value]) -> Value:
    """A call of a generated math function, which the module then has to contain."""
    args = scope.unify(*args)
    value = args[0]
    scope.helpers.add((name, value.dtype, value.lanes))
    return scope.call(f"@{symbol(name, value.dtype, value.lanes)}", args, value.dtype)


def compare(scope: Scope, fn: str, a: Value, b: Value) -> Value:
    """A comparison of two values of equal dtype; False where a NaN is involved, except `not_equal`."""
    if is_float(a.dtype):
        return scope.operate(f"fcmp {_FLOAT_ORDER[fn]}", a, b, "bool")
    order = _SIGNED_ORDER[fn]
    return scope.operate(f"icmp {order.replace('s', 'u') if a.dtype == 'bool' else order}", a, b, "bool")


def extreme(scope: Scope, fn: str, a: Value, b: Value) -> Value:
    """`maximum` or `minimum`; NaN in either operand gives NaN. Which of two zeros comes out is left open."""
    if a.dtype == "bool":
        return scope.operate("or" if fn == "maximum" else "and", a, b)
    if is_int(a.dtype):
        return intrinsic(scope, "smax" if fn == "maximum" else "smin", (a, b))
    return intrinsic(scope, fn, (a, b), flags="nsz ")


def isnan(scope: Scope, value: Value) -> Value:
    if not is_float(value.dtype):
        return const(False, "bool")
    return scope.operate("fcmp uno", value, value, "bool")


def cast(scope: Scope, value: Value, dtype: str) -> Value:
    """Conversion as NumPy does it: floats truncate to integers, anything but zero is True."""
    source = value.dtype
    if source == dtype:
        return value
    if dtype == "bool":
        return compare(scope, "not_equal", value, const(0, source))
    if source == "bool" and is_float(dtype):
        return scope.select(value, const(1.0, dtype), const(0.0, dtype))
    if source == "bool":
        opcode = "zext"
    elif is_float(source):
        opcode = "fptosi" if is_int(dtype) else "fpext" if dtype == "float64" else "fptrunc"
    else:
        opcode = "sitofp" if is_float(dtype) else "sext" if dtype == "int64" else "trunc"
    kind = Value("", dtype, value.lanes).type
    result = scope.emit(f"{opcode} {value.typed} to {kind}", (value,), dtype, value.lanes)
    if opcode == "fptosi":  # out of range is some value, as in NumPy, and not poison
        result = scope.emit(f"freeze {result.typed}", (result,), dtype, value.lanes)
    return result


def _negative(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    (a,) = args
    if is_float(a.dtype):
        return scope.emit(f"fneg {a.typed}", (a,), a.dtype, a.lanes)
    return scope.operate("sub", const(0, a.dtype), a)


def _absolute(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    (a,) = args
    if is_float(a.dtype):
        return intrinsic(scope, "fabs", args)
    return extreme(scope, "maximum", a, _negative(scope, args, dtype))


def _sign(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    """1, -1, 0 for both zeros, NaN for NaN."""
    (a,) = args
    zero, one, minus = const(0, a.dtype), const(1, a.dtype), const(-1, a.dtype)
    rest = scope.select(compare(scope, "equal", a, zero), zero, a)
    negative = scope.select(compare(scope, "less", a, zero), minus, rest)
    return scope.select(compare(scope, "greater", a, zero), one, negative)


def _mod(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    return _float_divmod(scope, *args)[1] if is_float(dtype) else _int_divmod(scope, *args)[1]


def _floordiv(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    return _float_divmod(scope, *args)[0] if is_float(dtype) else _int_divmod(scope, *args)[0]


def _int_divmod(scope: Scope, a: Value, b: Value) -> tuple[Value, Value]:
    """Quotient rounded down and remainder with the divisor's sign; division by zero gives zeros, as in NumPy."""
    zero, one = const(0, a.dtype), const(1, a.dtype)
    by_zero = compare(scope, "equal", b, zero)
    by_minus = compare(scope, "equal", b, const(-1, a.dtype))  # the most negative number / -1 would trap
    safe = scope.select(by_zero, one, scope.select(by_minus, one, b))
    quotient, remainder = scope.operate("sdiv", a, safe), scope.operate("srem", a, safe)
    differ = scope.operate("xor", compare(scope, "less", remainder, zero), compare(scope, "less", safe, zero))
    inexact = scope.operate("and", compare(scope, "not_equal", remainder, zero), differ)
    quotient = scope.select(inexact, scope.operate("sub", quotient, one), quotient)
    remainder = scope.select(inexact, scope.operate("add", remainder, safe), remainder)
    quotient = scope.select(by_minus, scope.operate("sub", zero, a), quotient)
    return scope.select(by_zero, zero, quotient), remainder


def _float_divmod(scope: Scope, a: Value, b: Value) -> tuple[Value, Value]:
    """As NumPy's divmod: the exact remainder first, then a quotient that fits it."""
    zero, one = const(0.0, a.dtype), const(1.0, a.dtype)
    remainder = scope.operate("frem", a, b)
    nonzero = compare(scope, "not_equal", remainder, zero)
    differ = scope.operate("xor", compare(scope, "less", b, zero), compare(scope, "less", remainder, zero))
    adjust = scope.operate("and", nonzero, differ)
    adjusted = scope.select(adjust, scope.operate("fadd", remainder, b), remainder)
    modulus = scope.select(nonzero, adjusted, intrinsic(scope, "copysign", (zero, b)))
    exact = scope.operate("fdiv", scope.operate("fsub", a, remainder), b)
    exact = scope.select(adjust, scope.operate("fsub", exact, one), exact)
    floor = intrinsic(scope, "floor", (exact,))
    above = compare(scope, "greater", scope.operate("fsub", exact, floor), const(0.5, a.dtype))
    floor = scope.select(above, scope.operate("fadd", floor, one), floor)
    ratio = scope.operate("fdiv", a, b)
    quotient = scope.select(
        compare(scope, "not_equal", exact, zero), floor, intrinsic(scope, "copysign", (zero, ratio))
    )
    by_zero = compare(scope, "equal", b, zero)
    return scope.select(by_zero, ratio, quotient), scope.select(by_zero, remainder, modulus)


def _int_power(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    """Repeated squaring over the bits of the exponent; wraps as NumPy does. Negative exponents give 0 (or ±1)."""
    base, exponent = scope.unify(*args)
    bits = 32 if dtype == "int32" else 64
    zero, one = const(0, dtype), const(1, dtype)
    odd = compare(scope, "not_equal", scope.operate("and", exponent, one), zero)
    is_one = compare(scope, "equal", base, one)
    is_minus = compare(scope, "equal", base, const(-1, dtype))
    sign = scope.select(odd, const(-1, dtype), one)
    inverse = scope.select(is_one, one, scope.select(is_minus, sign, zero))
    result, square, left = one, base, exponent
    for _ in range(bits - 1):
        bit = compare(scope, "not_equal", scope.operate("and", left, one), zero)
        result = scope.select(bit, scope.operate("mul", result, square), result)
        square = scope.operate("mul", square, square)
        left = scope.operate("lshr", left, one)
    return scope.select(compare(scope, "less", exponent, zero), inverse, result)


def _bf16(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    """The nearest bfloat16, ties to even: half of what is cut off is added to the bits, a little less where the last of
    those that stay is 0. A NaN stays (it could be rounded to infinity), subnormal numbers are zeros."""
    (a,) = args
    integer = Value("", "int32", a.lanes).type
    bits = scope.emit(f"bitcast {a.typed} to {integer}", (a,), "int32", a.lanes)
    last = scope.operate("and", scope.operate("lshr", bits, const(16, "int32")), const(1, "int32"))
    raised = scope.operate("add", scope.operate("add", bits, const(0x7FFF, "int32")), last)
    exponent = scope.operate("and", bits, const(0x7F800000, "int32"))
    tiny = compare(scope, "equal", exponent, const(0, "int32"))
    zero = scope.operate("and", bits, const(-1 << 31, "int32"))
    rounded = scope.select(tiny, zero, scope.operate("and", raised, const(-1 << 16, "int32")))
    number = scope.emit(f"bitcast {rounded.typed} to {a.type}", (rounded,), dtype, a.lanes)
    return scope.select(isnan(scope, a), a, number)


def _where(scope: Scope, args: Sequence[Value], dtype: str) -> Value:
    return scope.select(*args)


_OTHERS: dict[str, Callable[[Scope, Sequence[Value], str], Value]] = {
    "neg": _negative,
    "abs": _absolute,
    "sign": _sign,
    "mod": _mod,
    "floordiv": _floordiv,
    "pow": _int_power,
    "where": _where,
    "bf16": _bf16,
    "cast": lambda scope, args, dtype: cast(scope, args[0], dtype),
    "isnan": lambda scope, args, dtype: isnan(scope, args[0]),
    "logical_not": lambda scope, args, dtype: scope.operate("xor", args[0], const(True, "bool")),
    "copysign": lambda scope, args, dtype: intrinsic(scope, "copysign", args),
    "minimum": lambda scope, args, dtype: extreme(scope, "minimum", *args),
    "maximum": lambda scope, args, dtype: extreme(scope, "maximum", *args),
}
