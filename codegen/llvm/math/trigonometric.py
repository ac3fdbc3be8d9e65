"""sin and cos, and the reduction of their arguments.

|x| = k pi/2 + r. Up to `LIMIT`, pi/2 in three parts and fused multiply-adds give r to the last bit; larger arguments,
which are rare, go one by one through `payne_hanek`, which multiplies by as many bits of 2/pi as they need. The branch
is taken when any lane needs it, but only the lanes that need it use its result, so that a number's sine does not
depend on its neighbours.
"""

from __future__ import annotations

from codegen.llvm.builder import vector_type
from codegen.llvm.math import payne_hanek
from codegen.llvm.math.coefficients import COS, HALF_PI, SIN
from codegen.llvm.math.values import (
    FORMATS,
    Value,
    fused,
    magnitude,
    multiply_add,
    polynomial,
    select,
)

TWO_OVER_PI_FLOAT = 0.6366197723675814
LIMIT = {"float32": 2.0**17, "float64": 2.0**28}


def sin(x: Value) -> Value:
    r, quadrant = _reduce(x)
    sign = (x.bits() & FORMATS[x.dtype].sign) ^ _sign(quadrant)
    return (select(_odd(quadrant), _cos(r), _sin(r)).bits() ^ sign).as_float()


def cos(x: Value) -> Value:
    r, quadrant = _reduce(x)
    return (select(_odd(quadrant), _sin(r), _cos(r)).bits() ^ _sign(quadrant + 1)).as_float()


def _sin(r: Value) -> Value:
    square = r * r
    return multiply_add(r * square, polynomial(square, SIN[r.dtype]), r)


def _cos(r: Value) -> Value:
    square = r * r
    return multiply_add(square * square, polynomial(square, COS[r.dtype]), 1.0 - square * 0.5)


def _odd(quadrant: Value) -> Value:
    return quadrant.body.compare("ne", quadrant & 1, 0)


def _sign(quadrant: Value) -> Value:
    """The sign bit where the quadrant is 2 or 3 (modulo 4)."""
    form = FORMATS[{"int32": "float32", "int64": "float64"}[quadrant.dtype]]
    return (quadrant << (form.width - 2)) & form.sign


def _reduce(x: Value) -> tuple[Value, Value]:
    """r and the quadrant k (its low bits) of |x|."""
    rounder = FORMATS[x.dtype].rounder
    size = magnitude(x)
    shifted = multiply_add(size, TWO_OVER_PI_FLOAT, rounder)
    k, r = shifted - rounder, size
    for part in HALF_PI[x.dtype]:
        r = fused(k, -part, r)
    return _replace_huge(size, r, shifted.bits())


def _replace_huge(size: Value, r: Value, quadrant: Value) -> tuple[Value, Value]:
    """r and quadrant, computed anew in the lanes where |x| is above the limit, if there are any."""
    body, dtype, lanes = size.body, size.dtype, size.body.lanes
    huge = size > LIMIT[dtype]
    any_huge = huge.name if lanes == 1 else body.value(f"call i1 @llvm.vector.reduce.or.v{lanes}i1({huge.typed})")
    kinds = [vector_type(value.dtype, lanes) for value in (r, quadrant)]
    both = f"{{ {kinds[0]}, {kinds[1]} }}"
    arguments = size.typed if lanes == 1 else f"{size.typed}, {r.typed}, {quadrant.typed}"
    before, rare, join = body.label, body.fresh("huge"), body.fresh("reduced")
    body.do(f"br i1 {any_huge}, label %{rare}, label %{join}")
    body.start(rare)
    pair = body.value(f"call {both} @{payne_hanek.symbol(dtype, lanes)}({arguments})")
    late = [body.value(f"extractvalue {both} {pair}, {i}") for i in range(2)]
    body.do(f"br label %{join}")
    body.start(join)
    phis = [
        f"phi {kind} [ {early.name}, %{before} ], [ {other}, %{rare} ]"
        for kind, early, other in zip(kinds, (r, quadrant), late, strict=True)
    ]
    return body.emit(phis[0], r.dtype), body.emit(phis[1], quadrant.dtype)
