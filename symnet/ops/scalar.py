"""The scalar functions: one declaration each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.work import elements
from symnet.ops.coerce import arity, operands, to_expr
from symnet.ops.leaves import Operand, input
from symnet.ops.scalar_op import ScalarOp, scalar

__all__ = [
    "absolute", "add", "cast", "ceil", "clip", "cos", "divide", "equal", "erf", "exp", "expm1", "floor",
    "floor_divide", "gelu", "gelu_tanh", "greater", "greater_equal", "isnan", "less", "less_equal", "log", "log1p",
    "log_sigmoid", "logical_and", "logical_not", "logical_or", "maximum", "minimum", "mod", "multiply", "negative",
    "not_equal", "power", "reciprocal", "relu", "round", "rsqrt", "sigmoid", "sign", "silu", "sin", "softplus",
    "sqrt", "square", "subtract", "tanh", "where",
]  # fmt: skip

_REAL = (-1e4, 1e4)
_POSITIVE = (1e-30, 1e30)
_TINY_OR_HUGE = (-1e30, 1e30)


def _cost_of_division(node: Expr) -> float:
    """A division by fewer numbers than there are results becomes a multiplication by their reciprocals."""
    results, divisors = elements(node.shape), elements(node.args[1].shape)
    if not node.args[1].shape:
        return results
    return 2.0 * results if divisors >= results > 1 else results + 2.0 * divisors + 1.0


# --- arithmetic --------------------------------------------------------------------------------------------------

add: ScalarOp = scalar(
    "add", np.add, arity=2, loop="add", formula=lambda sp, a, b: a + b, domain=(_TINY_OR_HUGE, _TINY_OR_HUGE),
    finite=True, sign="kept",
    reason="a sum passes its cotangent on to each term",
    doc="a + b",
)  # fmt: skip
subtract: ScalarOp = scalar(
    "subtract", np.subtract, arity=2, loop="sub", formula=lambda sp, a, b: a - b, domain=(_TINY_OR_HUGE, _TINY_OR_HUGE),
    finite=True,
    reason=(
        "a difference passes its cotangent on to its first term",
        "a difference passes the negative of its cotangent on to its second term",
    ),
    doc="a - b",
)  # fmt: skip
multiply: ScalarOp = scalar(
    "multiply", np.multiply, arity=2, loop="mul", formula=lambda sp, a, b: a * b, domain=(_REAL, _REAL),
    finite=True, sign="kept",
    reason=("∂(a·b)/∂a = b", "∂(a·b)/∂b = a"),
    doc="a · b, element by element",
)  # fmt: skip
divide: ScalarOp = scalar(
    "divide", np.divide, arity=2, loop="div", accepts="float", formula=lambda sp, a, b: a / b,
    domain=(_REAL, (1e-3, 1e4)),
    # (g / b) · (a / b): the quotients stay in range where b² would not.
    derivative=(lambda g, y, a, b: g / b, lambda g, y, a, b: negative(g / b * y)),
    cost=_cost_of_division, sign="kept",
    reason=("∂(a/b)/∂a = 1/b", "∂(a/b)/∂b = −a/b²"),
    doc="a / b; integers give float32",
)  # fmt: skip
floor_divide: ScalarOp = scalar(
    "floor_divide", np.floor_divide, arity=2, loop="floordiv", formula=lambda sp, a, b: sp.floor(a / b),
    domain=(_REAL, (1e-3, 1e4)), derivative=(None, None),
    cost=4.0,
    doc="a / b rounded down",
)  # fmt: skip
mod: ScalarOp = scalar(
    "mod", np.mod, arity=2, loop="mod", formula=lambda sp, a, b: a - b * sp.floor(a / b), domain=(_REAL, (1e-3, 1e4)),
    derivative=(lambda g, y, a, b: g, lambda g, y, a, b: negative(g * floor_divide(a, b))),
    cost=4.0,
    reason=("∂(a mod b)/∂a = 1", "∂(a mod b)/∂b = −⌊a/b⌋"),
    doc="the remainder of the division rounded down; it has the sign of b",
)  # fmt: skip
negative: ScalarOp = scalar(
    "negative",
    np.negative,
    loop="neg",
    formula=lambda sp, x: -x,
    domain=(_TINY_OR_HUGE,),
    doc="-x",
    finite=True,
    reason="(−x)′ = −1",
)
absolute: ScalarOp = scalar(
    "absolute", np.absolute, loop="abs", formula=lambda sp, x: sp.Abs(x), domain=(_TINY_OR_HUGE,),
    derivative=(lambda g, y, x: g * sign(x),), doc="|x|; its derivative at 0 is 0",
    finite=True, sign="nonnegative",
    kink="|x|′ is sign(x); at the kink x = 0 it is taken as 0",
)  # fmt: skip
sign: ScalarOp = scalar(
    "sign", np.sign, loop="sign", formula=lambda sp, x: sp.sign(x), domain=(_TINY_OR_HUGE,), derivative=(None,),
    finite=True,
    doc="-1, 0 or 1; its derivative is 0",
)  # fmt: skip
floor: ScalarOp = scalar(
    "floor", np.floor, loop="floor", accepts="float", formula=lambda sp, x: sp.floor(x), domain=(_REAL,),
    derivative=(None,), doc="rounded down; its derivative is 0",
    finite=True,
)  # fmt: skip
ceil: ScalarOp = scalar(
    "ceil", np.ceil, loop="ceil", accepts="float", formula=lambda sp, x: sp.ceiling(x), domain=(_REAL,),
    derivative=(None,), doc="rounded up; its derivative is 0",
    finite=True,
)  # fmt: skip
round: ScalarOp = scalar(
    "round", np.rint, loop="round", accepts="float", derivative=(None,),
    finite=True,
    doc="rounded to the nearest whole number, halves to the even one; its derivative is 0",
)  # fmt: skip
square: ScalarOp = scalar(
    "square", formula=lambda sp, x: x**2, domain=(_REAL,), finite=True, sign="nonnegative", reason="(x²)′ = 2·x",
    doc="x²",
)  # fmt: skip
reciprocal: ScalarOp = scalar(
    "reciprocal", accepts="float", formula=lambda sp, x: 1 / x, domain=((1e-3, 1e4),),
    derivative=(lambda g, y, x: negative(g * square(y)),), doc="1 / x",
    cost=2.0,
    reason="(1/x)′ = −1/x²",
)  # fmt: skip
sqrt: ScalarOp = scalar(
    "sqrt", np.sqrt, loop="sqrt", accepts="float", formula=lambda sp, x: sp.sqrt(x), domain=(_POSITIVE,),
    derivative=(lambda g, y, x: 0.5 * g / y,), doc="the square root; its derivative at 0 is inf",
    cost=4.0, sign="nonnegative",
    reason="(√x)′ = 1/(2·√x)",
)  # fmt: skip
rsqrt: ScalarOp = scalar(
    "rsqrt", accepts="float", formula=lambda sp, x: 1 / sp.sqrt(x), domain=((1e-8, 1e8),),
    derivative=(lambda g, y, x: -0.5 * g * (y * square(y)),), doc="1 / √x",
    cost=4.0, sign="nonnegative",
    reason="(1/√x)′ = −1/(2·x·√x)",
)  # fmt: skip


def _integer_powers(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    if np.issubdtype(p.dtype, np.integer) and np.any(p < 0):
        raise UsageError("power: integers cannot be raised to negative powers; cast the base to a float type")
    return np.asarray(np.power(x, p))


power: ScalarOp = scalar(
    "power", _integer_powers, arity=2, loop="pow", formula=lambda sp, x, p: x**p, domain=((1e-2, 1e2), (-4.0, 4.0)),
    # x⁰ has derivative 0 in x even at 0; 0ᵖ (p ≥ 0) has derivative 0 in p, and log sees no 0, so that no nan arises.
    derivative=(
        lambda g, y, x, p: _power_base(g, x, p),
        lambda g, y, x, p: _power_exponent(g, y, x),
    ),
    cost=24.0,
    reason=("∂(xᵃ)/∂x = a·xᵃ⁻¹", "∂(xᵃ)/∂a = xᵃ·log x"),
    doc="x raised to the power p",
)  # fmt: skip


def _power_base(g: Expr, x: Expr, p: Expr) -> Expr:
    """g · p · xᵖ⁻¹, with the exponent worked out when it is a number."""
    if p.op == "constant" and not p.shape:
        exponent = p.attrs["value"]
        if exponent == 0:
            return multiply(g, 0.0)
        lower = x if exponent == 2 else square(x) if exponent == 3 else power(x, exponent - 1)
        return g if exponent == 1 else g * (exponent * lower)
    return where(equal(p, 0), 0.0, g * (p * power(x, where(equal(p, 0), 1.0, p - 1.0))))


def _power_exponent(g: Expr, y: Expr, x: Expr) -> Expr:
    """g · xᵖ · log x, with the test for 0 left out when the base is another number."""
    if x.op == "constant" and not x.shape and x.attrs["value"] != 0:
        return g * (y * log(x))
    return where(equal(x, 0), 0.0, g * (y * log(where(equal(x, 0), 1.0, x))))


# --- exponential and trigonometric -------------------------------------------------------------------------------

exp: ScalarOp = scalar(
    "exp", np.exp, loop="exp", accepts="float", formula=lambda sp, x: sp.exp(x), domain=((-80.0, 80.0),),
    cost=8.0, sign="positive",
    reason="(exp x)′ = exp x",
    doc="e to the power x",
)  # fmt: skip
expm1: ScalarOp = scalar(
    "expm1", np.expm1, loop="expm1", accepts="float", formula=lambda sp, x: sp.exp(x) - 1, domain=((-80.0, 80.0),),
    derivative=(lambda g, y, x: g * exp(x),), doc="eˣ - 1, exact for small x",
    cost=9.0,
    reason="(exp x − 1)′ = exp x",
)  # fmt: skip
log: ScalarOp = scalar(
    "log", np.log, loop="log", accepts="float", formula=lambda sp, x: sp.log(x), domain=(_POSITIVE,),
    cost=9.0,
    reason="(log x)′ = 1/x",
    doc="the natural logarithm",
)  # fmt: skip
log1p: ScalarOp = scalar(
    "log1p", np.log1p, loop="log1p", accepts="float", formula=lambda sp, x: sp.log(1 + x), domain=((-0.99, 1e30),),
    cost=10.0,
    reason="log(1 + x)′ = 1/(1 + x)",
    doc="log(1 + x), exact for small x",
)  # fmt: skip
sin: ScalarOp = scalar(
    "sin",
    np.sin,
    loop="sin",
    accepts="float",
    formula=lambda sp, x: sp.sin(x),
    domain=(_REAL,),
    doc="sine",
    cost=12.0,
    finite=True,
    reason="sin′ = cos",
)
cos: ScalarOp = scalar(
    "cos",
    np.cos,
    loop="cos",
    accepts="float",
    formula=lambda sp, x: sp.cos(x),
    domain=(_REAL,),
    doc="cosine",
    cost=12.0,
    finite=True,
    reason="cos′ = −sin",
)
tanh: ScalarOp = scalar(
    "tanh", np.tanh, loop="tanh", accepts="float", formula=lambda sp, x: sp.tanh(x), domain=(_REAL,),
    cost=10.0, finite=True,
    reason="tanh′ = 1 − tanh²",
    doc="the hyperbolic tangent",
)  # fmt: skip


def _erf(x: np.ndarray) -> np.ndarray:
    return np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


erf: ScalarOp = scalar(
    "erf", _erf, loop="erf", accepts="float", formula=lambda sp, x: sp.erf(x), domain=(_REAL,),
    cost=12.0, finite=True,
    reason="erf′(x) = 2/√π·exp(−x²)",
    doc="the error function",
)  # fmt: skip

# --- activations -------------------------------------------------------------------------------------------------

sigmoid: ScalarOp = scalar(
    "sigmoid", accepts="float", formula=lambda sp, x: 1 / (1 + sp.exp(-x)), domain=(_REAL,),
    # σ(x)·σ(-x) keeps its digits where 1 - σ(x) has none left.
    derivative=(lambda g, y, x: g * (y * sigmoid(negative(x))),),
    cost=10.0, finite=True, sign="positive",
    reason="σ′ = σ·(1 − σ)",
    notation="σ",
    doc="1 / (1 + exp(-x))",
)  # fmt: skip
log_sigmoid: ScalarOp = scalar(
    "log_sigmoid", accepts="float", formula=lambda sp, x: sp.log(1 / (1 + sp.exp(-x))), domain=(_REAL,),
    stable=lambda x: minimum(x, 0.0) - log1p(exp(negative(absolute(x)))),
    derivative=(lambda g, y, x: g * sigmoid(negative(x)),),
    cost=18.0, finite=True,
    reason="(log σ(x))′ = 1 − σ(x) = σ(−x)",
    notation="logσ",
    doc="the logarithm of sigmoid(x)",
)  # fmt: skip
softplus: ScalarOp = scalar(
    "softplus", accepts="float", formula=lambda sp, x: sp.log(1 + sp.exp(x)), domain=(_REAL,),
    stable=lambda x: maximum(x, 0.0) + log1p(exp(negative(absolute(x)))),
    derivative=(lambda g, y, x: g * sigmoid(x),),
    cost=18.0, finite=True, sign="positive",
    reason="log(1 + exp x)′ = σ(x)",
    doc="log(1 + exp(x)), without overflow",
)  # fmt: skip
relu: ScalarOp = scalar(
    "relu", formula=lambda sp, x: sp.Max(x, 0), domain=(_TINY_OR_HUGE,),
    derivative=(lambda g, y, x: where(greater(x, 0), g, 0),),
    finite=True, sign="nonnegative",
    kink="relu′(z) is 1 for z > 0 and 0 for z < 0; at the kink z = 0 it is taken as 0",
    doc="the positive part of x; its derivative at 0 is 0",
)  # fmt: skip
gelu: ScalarOp = scalar(
    "gelu", accepts="float", formula=lambda sp, x: x * (1 + sp.erf(x / sp.sqrt(2))) / 2, domain=(_REAL,),
    cost=14.0, finite=True,
    reason="gelu(x) = x·Φ(x), so gelu′(x) = Φ(x) + x·φ(x)",
    doc="x · Φ(x), with the normal distribution function",
)  # fmt: skip
gelu_tanh: ScalarOp = scalar(
    "gelu_tanh", accepts="float",
    formula=lambda sp, x: x * (1 + sp.tanh(sp.sqrt(2 / sp.pi) * (x + sp.Rational(44715, 10**6) * x**3))) / 2,
    domain=(_REAL,),
    cost=14.0, finite=True,
    reason="the product rule on x·(1 + tanh u(x))/2",
    doc="gelu with a tanh in place of the error function",
)  # fmt: skip
silu: ScalarOp = scalar(
    "silu", accepts="float", formula=lambda sp, x: x / (1 + sp.exp(-x)), domain=(_REAL,),
    derivative=(lambda g, y, x: g * (sigmoid(x) * (1.0 + x * sigmoid(negative(x)))),),
    cost=11.0, finite=True,
    reason="(x·σ(x))′ = σ(x)·(1 + x·(1 − σ(x)))",
    doc="x · sigmoid(x)",
)  # fmt: skip

# --- choices -----------------------------------------------------------------------------------------------------

minimum: ScalarOp = scalar(
    "minimum", np.minimum, arity=2, loop="minimum", formula=lambda sp, a, b: sp.Min(a, b),
    domain=(_TINY_OR_HUGE, _TINY_OR_HUGE),
    derivative=(
        lambda g, y, a, b: where(equal(a, b), 0.5 * g, where(less(a, b), g, 0)),
        lambda g, y, a, b: where(equal(a, b), 0.5 * g, where(less(b, a), g, 0)),
    ),
    finite=True, sign="kept",
    kink="the smaller operand carries the derivative; where both are equal each gets half",
    notation="min",
    doc="the smaller one (nan if either is); a tie splits the derivative in half",
)  # fmt: skip
maximum: ScalarOp = scalar(
    "maximum", np.maximum, arity=2, loop="maximum", formula=lambda sp, a, b: sp.Max(a, b),
    domain=(_TINY_OR_HUGE, _TINY_OR_HUGE),
    derivative=(
        lambda g, y, a, b: where(equal(a, b), 0.5 * g, where(greater(a, b), g, 0)),
        lambda g, y, a, b: where(equal(a, b), 0.5 * g, where(greater(b, a), g, 0)),
    ),
    finite=True, sign="kept",
    kink="the larger operand carries the derivative; where both are equal each gets half",
    notation="max",
    doc="the larger one (nan if either is); a tie splits the derivative in half",
)  # fmt: skip
clip: ScalarOp = scalar(
    "clip", arity=3, formula=lambda sp, x, a, b: sp.Min(sp.Max(x, a), b), domain=(_REAL, (-1e4, -1.0), (1.0, 1e4)),
    derivative=(
        lambda g, y, x, a, b: where(logical_and(greater_equal(x, a), less_equal(x, b)), g, 0),
        lambda g, y, x, a, b: where(logical_and(less(x, a), less(a, b)), g, 0),
        lambda g, y, x, a, b: where(logical_or(greater(x, b), greater(a, b)), g, 0),
    ),
    reason="what is held at a limit does not follow its operand",
    doc="x held between a and b; at a bound the derivative in x is 1",
)  # fmt: skip


def _comparison(name: str, function: np.ufunc, relation: str) -> ScalarOp:
    return scalar(
        name, function, arity=2, loop=name, accepts="any", result="bool", derivative=(None, None),
        formula=lambda sp, a, b: getattr(sp, relation)(a, b), domain=(_REAL, _REAL),
        finite=True, doc=f"whether a is {name.replace('_', ' ')}{'' if 'equal' in name else ' than'} b",
    )  # fmt: skip


equal: ScalarOp = _comparison("equal", np.equal, "Eq")
not_equal: ScalarOp = _comparison("not_equal", np.not_equal, "Ne")
less: ScalarOp = _comparison("less", np.less, "Lt")
less_equal: ScalarOp = _comparison("less_equal", np.less_equal, "Le")
greater: ScalarOp = _comparison("greater", np.greater, "Gt")
greater_equal: ScalarOp = _comparison("greater_equal", np.greater_equal, "Ge")

logical_and: ScalarOp = scalar(
    "logical_and", np.logical_and, arity=2, loop="logical_and", accepts="bool", derivative=(None, None),
    finite=True,
    doc="a and b",
)  # fmt: skip
logical_or: ScalarOp = scalar(
    "logical_or", np.logical_or, arity=2, loop="logical_or", accepts="bool", derivative=(None, None),
    finite=True,
    doc="a or b",
)  # fmt: skip
logical_not: ScalarOp = scalar(
    "logical_not", np.logical_not, loop="logical_not", accepts="bool", derivative=(None,),
    finite=True,
    notation="not",
    doc="not a",
)  # fmt: skip
isnan: ScalarOp = scalar(
    "isnan", np.isnan, loop="isnan", accepts="float", result="bool", derivative=(None,),
    finite=True,
    doc="whether x is not a number",
)  # fmt: skip


def _infer_where(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 3)
    condition, a, b = args
    if condition.dtype != "bool":
        raise DTypeError(f"the condition is {condition.dtype}, expected bool (write a comparison, or cast)")
    if a.dtype != b.dtype:
        raise DTypeError(f"the choices are {a.dtype} and {b.dtype}; expected equal types (use cast)")
    return dims.broadcast(condition.shape, a.shape, b.shape), a.dtype


def _where_samples(rng: np.random.Generator) -> list[Expr]:
    condition = input("c", ("N", 1), "bool")
    return [
        where(condition, input("a", (3,), dtype), input("b", ("N", 3), dtype))
        for dtype in ("float64", "float32", "int64")
    ]


# What was not chosen gets a zero by selection, never by multiplication: 0 · inf would be nan.
WHERE: ScalarOp = scalar(
    "where", np.where, arity=3, loop="where", accepts="any", infer=_infer_where, samples=_where_samples,
    derivative=(None, lambda g, y, c, a, b: where(c, g, 0), lambda g, y, c, a, b: where(c, 0, g)),
    finite=True,
    reason="each element's cotangent goes to the branch it was taken from",
    doc="a where the condition holds, else b",
)  # fmt: skip


def where(condition: Operand, a: Operand, b: Operand) -> Expr:
    """`a` where `condition` (bool) holds, else `b`, element by element; what is not chosen leaves no trace."""
    test = to_expr(condition, "where")
    if type(a) is Expr and type(b) is Expr and a.dtype == b.dtype:
        return make(WHERE, (test, a, b))
    return make(WHERE, (test, *operands("where", (a, b))))


def _infer_cast(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    if args[0].dtype == "tuple":
        raise DTypeError(f"got the whole result of {args[0].op}, expected an array: take one of its items")
    return args[0].shape, dtypes.canonical(attrs["dtype"])


def _cast_samples(rng: np.random.Generator) -> list[Expr]:
    return [cast(input("x", ("N", 3), a), b) for a in dtypes.DTYPES for b in dtypes.DTYPES if a != b]


CAST: ScalarOp = scalar(
    "cast", loop="cast", accepts="any", infer=_infer_cast, numpy=lambda x: x, samples=_cast_samples,
    derivative=(lambda g, y, x: cast(g, x.dtype),), doc="the same values in another data type",
    finite=True,
    reason="a change of precision passes the cotangent on",
)  # fmt: skip


def cast(x: Operand, dtype: object) -> Expr:
    """`x` in another data type: floats to integers drop the fraction, numbers to bool compare with zero."""
    node, target = to_expr(x, "cast"), dtypes.canonical(dtype)
    return node if node.dtype == target else make(CAST, (node,), {"dtype": target})
