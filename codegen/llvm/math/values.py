"""Formulas over vector values: Python operators that write LLVM instructions.

`x * y + 1.0` on values multiplies and adds in every lane. Nothing is ever contracted, reassociated or approximated
behind the formula's back: each operator is one IEEE operation, rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.llvm.builder import FunctionText, constant, vector_type


@dataclass(frozen=True)
class Format:
    """A binary floating-point format and the numbers that formulas need to take it apart."""

    dtype: str
    integer: str
    mantissa: int  # bits after the leading one
    width: int

    @property
    def bias(self) -> int:
        return (1 << (self.width - self.mantissa - 2)) - 1

    @property
    def sign(self) -> int:
        """The sign bit, as a signed integer."""
        return -(1 << (self.width - 1))

    @property
    def one(self) -> int:
        """The bits of 1.0."""
        return self.bias << self.mantissa

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0 ** (1 - self.bias)

    @property
    def rounder(self) -> float:
        """Adding this rounds a small number to an integer, and leaves that integer in the low bits of the sum."""
        return 1.5 * 2.0**self.mantissa


FORMATS = {"float32": Format("float32", "int32", 23, 32), "float64": Format("float64", "int64", 52, 64)}
_INTEGER_OF = {"float32": "int32", "float64": "int64"}
_FLOAT_OF = {"int32": "float32", "int64": "float64"}


@dataclass(frozen=True)
class Value:
    """A number in every lane: its name in the text, its dtype, and the function that computes it."""

    name: str
    dtype: str
    body: Body

    # --- arithmetic (floats and integers; integers wrap around) ---

    def __add__(self, other: Operand) -> Value:
        return self.body.binary("add", self, other)

    def __sub__(self, other: Operand) -> Value:
        return self.body.binary("sub", self, other)

    def __mul__(self, other: Operand) -> Value:
        return self.body.binary("mul", self, other)

    def __truediv__(self, other: Operand) -> Value:
        return self.body.binary("div", self, other)

    def __radd__(self, other: float) -> Value:
        return self.body.splat(other, self.dtype) + self

    def __rsub__(self, other: float) -> Value:
        return self.body.splat(other, self.dtype) - self

    def __rmul__(self, other: float) -> Value:
        return self.body.splat(other, self.dtype) * self

    def __rtruediv__(self, other: float) -> Value:
        return self.body.splat(other, self.dtype) / self

    def __neg__(self) -> Value:
        return self.body.emit(f"fneg {self.typed}", self.dtype)

    # --- bits (integers and bools) ---

    def __and__(self, other: Operand) -> Value:
        return self.body.plain("and", self, other)

    def __or__(self, other: Operand) -> Value:
        return self.body.plain("or", self, other)

    def __xor__(self, other: Operand) -> Value:
        return self.body.plain("xor", self, other)

    def __lshift__(self, count: int) -> Value:
        return self.body.plain("shl", self, count)

    def __rshift__(self, count: int) -> Value:
        """The logical shift: zeros come in from the left."""
        return self.body.plain("lshr", self, count)

    # --- comparisons of floats, false where an operand is NaN ---

    def __lt__(self, other: Operand) -> Value:
        return self.body.compare("olt", self, other)

    def __le__(self, other: Operand) -> Value:
        return self.body.compare("ole", self, other)

    def __gt__(self, other: Operand) -> Value:
        return self.body.compare("ogt", self, other)

    def __ge__(self, other: Operand) -> Value:
        return self.body.compare("oge", self, other)

    def equals(self, other: Operand) -> Value:
        return self.body.compare("oeq", self, other)

    # --- the rest ---

    @property
    def typed(self) -> str:
        """The operand as an instruction writes it: type and name."""
        return f"{vector_type(self.dtype, self.body.lanes)} {self.name}"

    def bits(self) -> Value:
        """A float's bits as an integer of the same width."""
        return self.body.convert("bitcast", self, _INTEGER_OF[self.dtype])

    def as_float(self) -> Value:
        """An integer's bits as a float of the same width."""
        return self.body.convert("bitcast", self, _FLOAT_OF[self.dtype])

    def to(self, dtype: str) -> Value:
        """The same number as the other float dtype, rounded to nearest."""
        return self.body.convert("fptrunc" if dtype == "float32" else "fpext", self, dtype)

    def clamped(self, low: float, high: float) -> Value:
        """The number, or the nearest end where it lies outside; NaN stays NaN."""
        below = select(self < low, low, self)
        return select(below > high, high, below)


Operand = Value | float | int


class Body(FunctionText):
    """A function over vectors of `lanes` values under construction."""

    def __init__(
        self, name: str, parameters: Sequence[tuple[str, str]], returns: str, lanes: int, fma: bool, attributes: str
    ) -> None:
        """`parameters` are (dtype, name) pairs; `returns` is an LLVM type; `fma`: whether the target fuses a*b+c."""
        typed = [(vector_type(dtype, lanes), parameter) for dtype, parameter in parameters]
        super().__init__(name, typed, returns, attributes=attributes)
        self.lanes = lanes
        self.fma = fma
        self.parameters = [Value(f"%{parameter}", dtype, self) for dtype, parameter in parameters]

    def emit(self, instruction: str, dtype: str) -> Value:
        """An instruction that gives a vector of `dtype`."""
        return Value(self.value(instruction), dtype, self)

    def splat(self, number: Operand, dtype: str) -> Value:
        """A constant in every lane; values pass through."""
        if isinstance(number, Value):
            return number
        scalar = constant(number, dtype)
        return Value(scalar if self.lanes == 1 else f"splat ({vector_type(dtype, 1)} {scalar})", dtype, self)

    def binary(self, operation: str, left: Value, right: Operand) -> Value:
        """An arithmetic operation, in its float or integer form."""
        return self.plain(f"f{operation}" if left.dtype in _INTEGER_OF else operation, left, right)

    def plain(self, instruction: str, left: Value, right: Operand) -> Value:
        return self.emit(f"{instruction} {left.typed}, {self.splat(right, left.dtype).name}", left.dtype)

    def compare(self, condition: str, left: Value, right: Operand) -> Value:
        comparison = "fcmp" if left.dtype in _INTEGER_OF else "icmp"
        return self.emit(f"{comparison} {condition} {left.typed}, {self.splat(right, left.dtype).name}", "bool")

    def convert(self, instruction: str, value: Value, dtype: str) -> Value:
        return self.emit(f"{instruction} {value.typed} to {vector_type(dtype, self.lanes)}", dtype)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        """A call of `llvm.NAME` on operands of one float type."""
        first = operands[0]
        scalar = {"float32": "f32", "float64": "f64"}[first.dtype]
        suffix = scalar if self.lanes == 1 else f"v{self.lanes}{scalar}"
        arguments = ", ".join(operand.typed for operand in operands)
        return self.emit(f"call {vector_type(first.dtype, self.lanes)} @llvm.{name}.{suffix}({arguments})", first.dtype)


# --- functions of values ---------------------------------------------------------------------------------------------


def select(condition: Value, then: Operand, otherwise: Operand) -> Value:
    """`then` in the lanes where the condition holds, `otherwise` in the others."""
    body = condition.body
    model = then if isinstance(then, Value) else otherwise
    dtype = model.dtype if isinstance(model, Value) else "float64"
    left, right = body.splat(then, dtype), body.splat(otherwise, dtype)
    return body.emit(f"select {condition.typed}, {left.typed}, {right.typed}", dtype)


def corrected(values: Sequence[Value], where: Value, callee: str, arguments: Sequence[Value]) -> list[Value]:
    """`values`, or what `callee` gives for `arguments` if the condition holds in any lane.

    The callee takes care to change only those lanes. It should be rarely needed: a call is made, behind a branch.
    """
    body, lanes = where.body, where.body.lanes
    anywhere = where.name if lanes == 1 else body.value(f"call i1 @llvm.vector.reduce.or.v{lanes}i1({where.typed})")
    kinds = [vector_type(value.dtype, lanes) for value in values]
    all_kinds = f"{{ {', '.join(kinds)} }}"
    before, rare, join = body.label, body.fresh("rare"), body.fresh("join")
    body.do(f"br i1 {anywhere}, label %{rare}, label %{join}")
    body.start(rare)
    pack = body.value(f"call {all_kinds} @{callee}({', '.join(argument.typed for argument in arguments)})")
    others = [body.value(f"extractvalue {all_kinds} {pack}, {i}") for i in range(len(values))]
    body.do(f"br label %{join}")
    body.start(join)
    return [
        body.emit(f"phi {kind} [ {value.name}, %{before} ], [ {other}, %{rare} ]", value.dtype)
        for kind, value, other in zip(kinds, values, others, strict=True)
    ]


def magnitude(x: Value) -> Value:
    return x.body.intrinsic("fabs", x)


def with_sign_of(size: Value, sign: Value) -> Value:
    """|size| with the sign bit of `sign`."""
    return size.body.intrinsic("copysign", size, sign)


def multiply_add(a: Value, b: Operand, c: Operand) -> Value:
    """a * b + c, rounded once where the target fuses and twice elsewhere: for where either is accurate enough."""
    if not a.body.fma:
        return a * b + c
    return a.body.intrinsic("fma", a, a.body.splat(b, a.dtype), a.body.splat(c, a.dtype))


def fused(a: Value, b: Operand, c: Operand) -> Value:
    """a * b + c as if rounded once (nearly so where the target does not fuse): for where the formula needs it."""
    if a.body.fma:
        return multiply_add(a, b, c)
    left, right, summand = a, a.body.splat(b, a.dtype), a.body.splat(c, a.dtype)
    if a.dtype == "float32":
        return (left.to("float64") * right.to("float64") + summand.to("float64")).to("float32")
    product, product_error = two_product(left, right)
    total, total_error = two_sum(product, summand)
    return total + (total_error + product_error)


def two_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """a + b rounded, and what the rounding lost (Knuth)."""
    total = a + b
    from_b = total - a
    return total, (a - (total - from_b)) + (b - from_b)


def fast_two_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """The same for |a| >= |b| or a = 0 (Dekker)."""
    total = a + b
    return total, (a - total) + b


def two_product(a: Value, b: Value) -> tuple[Value, Value]:
    """a * b rounded, and what the rounding lost; float64 only, below 2^990 where the target does not fuse."""
    product = a * b
    if a.body.fma:
        return product, multiply_add(a, b, -product)
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return product, (((a_high * b_high - product) + a_high * b_low) + a_low * b_high) + a_low * b_low


def _halves(x: Value) -> tuple[Value, Value]:
    """A float64 as a sum of two numbers of at most 26 bits (Veltkamp), whose products are exact."""
    scaled = x * (2.0**27 + 1.0)
    high = scaled - (scaled - x)
    return high, x - high


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """Sum of coefficients[i] * x^i, in 1, 2 or 4 interleaved Horner chains, to keep the chains short."""
    ways = 1 if len(coefficients) <= 5 else 2 if len(coefficients) <= 12 else 4
    square = x * x if ways > 1 else x
    step = square * square if ways == 4 else square
    sums = [_horner(step, coefficients[way::ways]) for way in range(ways)]
    pairs = [multiply_add(x, sums[i + 1], sums[i]) for i in range(0, ways - 1, 2)]
    if ways == 4:
        return multiply_add(square, pairs[1], pairs[0])
    return pairs[0] if pairs else x.body.splat(sums[0], x.dtype)


def _horner(x: Value, coefficients: Sequence[float]) -> Operand:
    result: Operand = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = multiply_add(x, result, coefficient)
    return result


def power_of_two(k: Value) -> Value:
    """2^k for a float k that is an integer with 2^k a normal number."""
    form = FORMATS[k.dtype]
    return ((k + (form.rounder + form.bias)).bits() << form.mantissa).as_float()
