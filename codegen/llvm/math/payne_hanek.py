"""The reduction of huge arguments of sin and cos, one number at a time.

y = M 2^e with an integer M < 2^53. Of y * 2/pi only the last two integer bits (the quadrant) and the fraction matter,
so only a window of 192 bits of 2/pi counts, which begins where its bits times 2^e weigh 2. M times the window, modulo
2^192, has the quadrant in its two highest bits and 126 bits of the fraction after them in its highest 128; no float64
comes closer to a multiple of pi/2 than about 2^-61, so at least 64 of these are significant.
"""

from __future__ import annotations

from codegen.llvm.builder import LLVM_TYPE, constant, vector_type
from codegen.llvm.math.coefficients import HALF_PI, TWO_OVER_PI
from codegen.llvm.math.values import FORMATS
from symnet.expr.dtypes import SHORT

COLD = "nounwind noinline cold"
TABLE = "sn.two_over_pi"


def symbol(dtype: str, lanes: int) -> str:
    return f"sn.reduce_huge.{SHORT[dtype]}x{lanes}"


def reduce_float64() -> str:
    """`{double r, i64 quadrant}` of a float64 >= 2^-10; r is NaN for infinity."""
    high, low = (constant(part, "float64") for part in HALF_PI["float64"][:2])
    words = ", ".join(f"i64 {word}" for word in TWO_OVER_PI)
    loads = "\n".join(
        f"  %at{i} = getelementptr i64, ptr %start, i64 {i}\n  %word{i} = load i64, ptr %at{i}" for i in range(4)
    )
    windows = "\n".join(
        f"  %window{i} = call i64 @llvm.fshl.i64(i64 %word{i}, i64 %word{i + 1}, i64 %shift)" for i in range(3)
    )
    return f"""@{TABLE} = internal unnamed_addr constant [{len(TWO_OVER_PI)} x i64] [{words}]
define internal {{ double, i64 }} @{symbol("float64", 1)}(double %y) {COLD} {{
  %bits = bitcast double %y to i64
  %exponent = lshr i64 %bits, 52
  %fraction = and i64 %bits, {(1 << 52) - 1}
  %integer = or i64 %fraction, {1 << 52}
  %first = sub i64 %exponent, 1013                      ; e - 2 bits of 2/pi are skipped; the table begins with 64 zeros
  %word = lshr i64 %first, 6
  %shift = and i64 %first, 63
  %start = getelementptr i64, ptr @{TABLE}, i64 %word
{loads}
{windows}
  %top = mul i64 %integer, %window0                     ; the product modulo 2^192, its highest 128 bits
  %wide = zext i64 %integer to i128
  %wide1 = zext i64 %window1 to i128
  %wide2 = zext i64 %window2 to i128
  %wide.top = zext i64 %top to i128
  %product0 = shl i128 %wide.top, 64
  %product1 = mul i128 %wide, %wide1
  %product2 = mul i128 %wide, %wide2
  %carried = lshr i128 %product2, 64
  %sum = add i128 %product0, %product1
  %turns = add i128 %sum, %carried
  %quarter = lshr i128 %turns, 126                      ; the quadrant, rounded to nearest
  %next = lshr i128 %turns, 125
  %half = and i128 %next, 1
  %rounded = add i128 %quarter, %half
  %quadrant = trunc i128 %rounded to i64
  %signed = shl i128 %turns, 2                          ; the fraction in [-1/2, 1/2), in units of 2^-128
  %negative = icmp slt i128 %signed, 0
  %opposite = sub i128 0, %signed
  %size = select i1 %negative, i128 %opposite, i128 %signed
  %zeros.wide = call i128 @llvm.ctlz.i128(i128 %size, i1 false)
  %normal = shl i128 %size, %zeros.wide
  %high.bits = lshr i128 %normal, 75                    ; the leading 53 bits and the next 53 are exact float64
  %low.shifted = lshr i128 %normal, 22
  %high.integer = trunc i128 %high.bits to i64
  %low.long = trunc i128 %low.shifted to i64
  %low.integer = and i64 %low.long, {(1 << 53) - 1}
  %high = sitofp i64 %high.integer to double
  %low = sitofp i64 %low.integer to double
  %zeros = trunc i128 %zeros.wide to i64
  %scale.exponent = sub i64 {1023 - 53}, %zeros
  %scale.bits = shl i64 %scale.exponent, 52
  %scale = bitcast i64 %scale.bits to double
  %low.scaled = fmul double %low, {constant(2.0**-53, "float64")}
  %r0 = fmul double %high, {high}                       ; times pi/2
  %r1 = fmul double %high, {low}
  %r2 = fmul double %low.scaled, {high}
  %r12 = fadd double %r1, %r2
  %r012 = fadd double %r0, %r12
  %positive = fmul double %r012, %scale
  %reverse = fneg double %positive
  %r = select i1 %negative, double %reverse, double %positive
  %infinite = icmp eq i64 %exponent, 2047
  %r.or.nan = select i1 %infinite, double {constant(float("nan"), "float64")}, double %r
  %pair = insertvalue {{ double, i64 }} poison, double %r.or.nan, 0
  %result = insertvalue {{ double, i64 }} %pair, i64 %quadrant, 1
  ret {{ double, i64 }} %result
}}
"""


def reduce_float32() -> str:
    """`{float r, i32 quadrant}` of a float32, by way of float64."""
    return f"""define internal {{ float, i32 }} @{symbol("float32", 1)}(float %y) {COLD} {{
  %wide = fpext float %y to double
  %pair = call {{ double, i64 }} @{symbol("float64", 1)}(double %wide)
  %r.wide = extractvalue {{ double, i64 }} %pair, 0
  %quadrant.wide = extractvalue {{ double, i64 }} %pair, 1
  %r = fptrunc double %r.wide to float
  %quadrant = trunc i64 %quadrant.wide to i32
  %first = insertvalue {{ float, i32 }} poison, float %r, 0
  %result = insertvalue {{ float, i32 }} %first, i32 %quadrant, 1
  ret {{ float, i32 }} %result
}}
"""


def reduce_lanes(dtype: str, lanes: int, limit: float) -> str:
    """`{r, quadrant}` of a vector: those given, replaced in the lanes where y is above the limit."""
    integer = FORMATS[dtype].integer
    number, index = LLVM_TYPE[dtype], LLVM_TYPE[integer]
    numbers, indices = vector_type(dtype, lanes), vector_type(integer, lanes)
    pair, pairs = f"{{ {number}, {index} }}", f"{{ {numbers}, {indices} }}"
    return f"""define internal {pairs} @{symbol(dtype, lanes)}({numbers} %y, {numbers} %r, {indices} %q) {COLD} {{
entry:
  br label %lane
lane:
  %i = phi i64 [ 0, %entry ], [ %following, %next ]
  %rs = phi {numbers} [ %r, %entry ], [ %rs.next, %next ]
  %qs = phi {indices} [ %q, %entry ], [ %qs.next, %next ]
  %number = extractelement {numbers} %y, i64 %i
  %huge = fcmp ogt {number} %number, {constant(limit, dtype)}
  br i1 %huge, label %reduce, label %next
reduce:
  %one = call {pair} @{symbol(dtype, 1)}({number} %number)
  %one.r = extractvalue {pair} %one, 0
  %one.q = extractvalue {pair} %one, 1
  %rs.put = insertelement {numbers} %rs, {number} %one.r, i64 %i
  %qs.put = insertelement {indices} %qs, {index} %one.q, i64 %i
  br label %next
next:
  %rs.next = phi {numbers} [ %rs, %lane ], [ %rs.put, %reduce ]
  %qs.next = phi {indices} [ %qs, %lane ], [ %qs.put, %reduce ]
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, {lanes}
  br i1 %more, label %lane, label %done
done:
  %first = insertvalue {pairs} poison, {numbers} %rs.next, 0
  %result = insertvalue {pairs} %first, {indices} %qs.next, 1
  ret {pairs} %result
}}
"""
