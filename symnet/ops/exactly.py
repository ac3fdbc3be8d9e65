"""Expressions evaluated with 50 digits: what rules, formulas and native code are held to.

Floats are arrays of mpmath numbers, integers and conditions NumPy arrays. The meaning of primitives is written here
again, from its mathematical definition, so that it does not share a mistake with the reference interpreter. A scalar
function without an entry is evaluated from its formula, a composite from its definition.

mpmath comes with SymPy, and is imported with this module only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from symnet.errors import UnknownName, Unsupported
from symnet.expr import dims
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.traverse import postorder
from symnet.ops.scalar_op import ScalarOp

__all__ = ["DIGITS", "evaluate", "number"]

DIGITS = 50
GUARD = 30
"""More digits are carried, so that cancellation does not eat those that are compared."""

Array = np.ndarray
Values = Mapping[Any, Any]
Sizes = Mapping[str, int]


def evaluate(
    roots: Sequence[Expr],
    values: Mapping[Any, Any],
    sizes: Mapping[str, int] | None = None,
    digits: int = DIGITS,
) -> list[Array]:
    """The values of the roots, to `digits` digits: object arrays of mpmath numbers for floats.

    values  of inputs, parameters and state, by name or by node; a node that is given is not looked into. Floats (or
            arrays of mpmath numbers) are taken as they are, not rounded to the type of the node.
    sizes   of named dimensions

    `UnknownName` where a value is missing, `Unsupported` for an operation that has no exact meaning (loops, random
    numbers).
    """
    given = {id(node): _given(node, value) for node, value in values.items() if isinstance(node, Expr)}
    named = {name: value for name, value in values.items() if not isinstance(name, Expr)}
    with mp.workdps(digits + GUARD):
        return _run(roots, given, named, sizes or {})


def _run(roots: Sequence[Expr], given: dict[int, Array], named: Values, sizes: Sizes) -> list[Array]:
    known = dict(given)
    boundary = [node for node in postorder(roots) if id(node) in given] if given else []
    for node in postorder(roots, boundary):
        if id(node) not in known:
            known[id(node)] = _value(node, [known[id(arg)] for arg in node.args], named, sizes)
    return [known[id(root)] for root in roots]


def _given(node: Expr, value: Any) -> Array:
    return _exact(value) if _is_float(node) else np.asarray(value)


def number(value: object) -> Any:
    """A float as an mpmath number, exactly."""
    return mpmath.mpf(value)


def _floats(function: Callable[..., Any]) -> Callable[..., Array]:
    def apply(*arrays: Array) -> Array:
        result = np.frompyfunc(lambda *v: _real(function, v), len(arrays), 1)(*arrays)
        return np.asarray(result, object)

    return apply


def _real(function: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    """nan outside the domain, where mpmath raises or turns complex."""
    if any(isinstance(v, mpmath.mpf) and mpmath.isnan(v) for v in values):
        return mpmath.nan
    try:
        result = function(*values)
    except (ZeroDivisionError, ValueError, OverflowError, MemoryError):
        return mpmath.nan
    return mpmath.nan if isinstance(result, mpmath.mpc) else mpmath.mpf(result)


HUGE = 4096
"""Numbers of more bits than this before the point are only added, multiplied and compared. mpmath's functions would
compute all those bits, in hours."""
SLOW = frozenset(("exp", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "erfc", "ncdf", "power", "gamma"))
AT_INFINITY: Mapping[str, Any] = {
    "exp": mpmath.inf, "expm1": mpmath.inf, "sinh": mpmath.inf, "cosh": mpmath.inf, "tanh": 1, "erf": 1, "erfc": 0,
    "ncdf": 1,
}  # fmt: skip
AT_MINUS_INFINITY: Mapping[str, Any] = {
    "exp": 0, "expm1": -1, "sinh": -mpmath.inf, "cosh": mpmath.inf, "tanh": -1, "erf": -1, "erfc": 2, "ncdf": 0,
}  # fmt: skip


def _bounded(name: str) -> Callable[..., Any]:
    """A function of mpmath, with its limit for huge numbers; nan where it has none."""
    function = getattr(mpmath, name)

    def apply(*values: Any) -> Any:
        huge = next((v for v in values if isinstance(v, mpmath.mpf) and _bits(v) > HUGE), None)
        if huge is None:
            return function(*values)
        return mpmath.mpf((AT_INFINITY if huge > 0 else AT_MINUS_INFINITY).get(name, mpmath.nan))

    return apply


def _bits(value: Any) -> int:
    _, mantissa, exponent, length = value._mpf_
    return int(exponent + length) if mantissa else 0


_exp = _bounded("exp")


def _divide(a: Any, b: Any) -> Any:
    if b == 0:
        return mpmath.nan if a == 0 else mpmath.sign(a) * mpmath.inf
    return a / b


def _log(x: Any) -> Any:
    return -mpmath.inf if x == 0 else mpmath.log(x)


def _power(x: Any, p: Any) -> Any:
    return mpmath.mpf(1) if p == 0 else _bounded("power")(x, p)


SCALAR: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": _divide,
    "negative": lambda a: -a,
    "absolute": abs,
    "sign": mpmath.sign,
    "floor": mpmath.floor,
    "ceil": mpmath.ceil,
    "round": mpmath.nint,
    "power": _power,
    "mod": lambda a, b: a - b * mpmath.floor(_divide(a, b)),
    "floor_divide": lambda a, b: mpmath.floor(_divide(a, b)),
    "sqrt": mpmath.sqrt,
    "rsqrt": lambda x: _divide(mpmath.mpf(1), mpmath.sqrt(x)),
    "reciprocal": lambda x: _divide(mpmath.mpf(1), x),
    "exp": _exp,
    "expm1": lambda x: _exp(x) - 1,
    "log": _log,
    "log1p": lambda x: _log(1 + x),
    "tanh": _bounded("tanh"),
    "sigmoid": lambda x: 1 / (1 + _exp(-x)),
    "log_sigmoid": lambda x: -mpmath.log(1 + _exp(-x)),
    "softplus": lambda x: mpmath.log(1 + _exp(x)),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "gelu": lambda x: x * _bounded("ncdf")(x),
    "erf": _bounded("erf"),
    "xlogy": lambda x, y: mpmath.mpf(0) if x == 0 else x * _log(y),
    "bernoulli_nll": lambda p, t: -t * _log(p) - (1 - t) * _log(1 - p),
    "sin": _bounded("sin"),
    "cos": _bounded("cos"),
    "minimum": min,
    "maximum": max,
    "lgamma": lambda x: _log_gamma(x),
    "trigamma": lambda x: _polygamma(1, x),
    "lgamma_step": lambda x, d: _log_gamma(x + d) - _log_gamma(x),
    "betaln": lambda a, b: _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b),
}


def _log_gamma(x: Any) -> Any:
    """log |Γ(x)|."""
    return mpmath.inf if mpmath.isinf(x) or (x <= 0 and mpmath.isint(x)) else mpmath.re(mpmath.loggamma(x))


def _polygamma(n: int, x: Any) -> Any:
    """The (n + 1)-th derivative of log Γ(x); reflected for x < 0, where mpmath would take |x| steps."""
    if x >= 0:
        return mpmath.psi(n, x)
    derivative = [mpmath.mpf(0), mpmath.mpf(1)]  # of cot(π x), as a polynomial of the cotangent c: c′ = −π (1 + c²)
    for _ in range(n):
        slope = [k * c for k, c in enumerate(derivative)][1:]
        derivative = [-(a + b) for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
    cotangent = mpmath.cospi(x) / mpmath.sinpi(x)
    return (-1) ** n * mpmath.psi(n, 1 - x) - mpmath.pi ** (n + 1) * mpmath.polyval(derivative[::-1], cotangent)


def _quadratic_root(a: Any, b: Any, c: Any) -> Any:
    root = mpmath.sqrt(b * b + a * c)
    return _divide(c, root - b) if b < 0 else _divide(b + root, a)


SCALAR |= {
    "sin_ratio": lambda x: mpmath.sinc(x),
    "sinh_ratio": lambda x: mpmath.sinh(x) / x if x else mpmath.mpf(1),
    "exprel": lambda x: mpmath.expm1(x) / x if x else mpmath.mpf(1),
    "log1p_ratio": lambda x: _log(1 + x) / x if x else mpmath.mpf(1),
    "quadratic_root": lambda a, b, c: _quadratic_root(a, b, c),
    "annuity": lambda r, n: (_power(1 + r, n) - 1) / r if r else n,
    "geometric": lambda x, n: (_power(x, n) - 1) / (x - 1) if x != 1 else n,
}
"""Functions with a value where their formula is 0/0."""
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
}


def _value(node: Expr, args: list[Array], values: Values, sizes: Sizes) -> Array:
    op, declaration = node.op, node.declaration
    if op in COMPARE:
        return np.asarray(np.frompyfunc(COMPARE[op], 2, 1)(*args), bool)
    if op in SCALAR and _is_float(node):
        return _floats(SCALAR[op])(*args)
    special = SPECIAL.get(op)
    if special is not None:
        return special(node, args, values, sizes)
    if not _is_float(node) and not any(_is_float(arg) for arg in node.args) and declaration.numpy is not None:
        return declaration.numpy(node, args, sizes)
    if isinstance(declaration, ScalarOp) and declaration.formula is not None and _is_float(node):
        formula = declaration.formula
        return _floats(lambda *numbers: _from_formula(formula, numbers))(*args)
    if declaration.define is not None:
        operands = {id(arg): value for arg, value in zip(node.args, args, strict=True)}
        return _run([declaration.define(node)], operands, values, sizes)[0]
    raise Unsupported(f"{op}: no exact meaning is known; evaluate it with sn.evaluate in float64")


def _from_formula(formula: Callable[..., Any], numbers: tuple[Any, ...]) -> Any:
    """The value of a formula; nan where an operand after the first, which may be an exponent, is huge."""
    huge = any(isinstance(v, mpmath.mpf) and _bits(v) > HUGE for v in numbers[1:])
    return mpmath.nan if huge else formula(_AS_SYMPY, *numbers)


class _AsSympy:
    """The names of SymPy that formulas use, with mpmath's meaning."""

    _OWN: Mapping[str, Any] = {
        "Abs": abs,
        "ceiling": mpmath.ceil,
        "log": lambda x: _log(x),
        "Max": lambda *values: max(values),
        "Min": lambda *values: min(values),
        "Piecewise": lambda *cases: next(value for value, holds in cases if holds),
        "Rational": lambda p, q: mpmath.mpf(p) / q,
    }

    def __getattr__(self, name: str) -> Any:
        if name in self._OWN:
            return self._OWN[name]
        return _bounded(name) if name in SLOW else getattr(mpmath, name)


_AS_SYMPY = _AsSympy()


def _is_float(node: Expr) -> bool:
    return node.dtype in ("float32", "float64")


def _leaf(node: Expr, args: list[Array], values: Values, sizes: Sizes) -> Array:
    for name in (node.attrs["name"], node.name):
        if name in values:
            return _given(node, values[name])
    raise UnknownName(f"exactly: no value for the {node.op} {node.name!r}; given: {', '.join(map(str, values))}")


def _exact(array: Any) -> Array:
    return np.asarray(np.frompyfunc(_number, 1, 1)(np.asarray(array)), object)


def _number(value: Any) -> Any:
    return value if isinstance(value, mpmath.mpf) else mpmath.mpf(float(value))


def _constant(node: Expr, *_: Any) -> Array:
    value = node.attrs["value"]
    array = value.array if isinstance(value, ArrayValue) else np.asarray(value)
    return _exact(array) if _is_float(node) else array


def _cast(node: Expr, args: list[Array], *_: Any) -> Array:
    source = node.args[0]
    if _is_float(node):
        return np.asarray(args[0]) if _is_float(source) else _exact(args[0])
    if _is_float(source):
        return np.asarray(np.frompyfunc(int, 1, 1)(args[0]), node.dtype)
    return np.asarray(args[0]).astype(node.dtype)


def _where(node: Expr, args: list[Array], *_: Any) -> Array:
    return np.where(*args)


def _reduce(function: Callable[..., Any]) -> Callable[..., Array]:
    def apply(node: Expr, args: list[Array], *_: Any) -> Array:
        axes, x = node.attrs["axes"], args[0]
        kept = [a for a in range(x.ndim) if a not in axes]
        rows = x.transpose([*kept, *axes]).reshape([*(x.shape[a] for a in kept), -1])
        result = np.empty(rows.shape[:-1], object)
        for index in np.ndindex(result.shape):
            result[index] = function(list(rows[index]), node)
        if node.attrs["keepdims"]:
            result = result.reshape([1 if a in axes else d for a, d in enumerate(x.shape)])
        return result if _is_float(node) else result.astype(node.dtype)

    return apply


def _variance(row: list[Any], node: Expr) -> Any:
    middle = sum(row) / len(row)
    return sum((v - middle) ** 2 for v in row) / (len(row) - node.attrs["correction"])


def _softmax(node: Expr, args: list[Array], *_: Any) -> Array:
    powers = _floats(_exp)(args[0])
    return _floats(_divide)(powers, np.sum(powers, axis=node.attrs["axis"], keepdims=True))


def _argument(pick: Callable[..., Any]) -> Callable[..., Array]:
    def apply(node: Expr, args: list[Array], *_: Any) -> Array:
        axis = node.attrs["axis"]
        result = np.apply_along_axis(lambda row: pick(range(len(row)), key=lambda i: row[i]), axis, args[0])
        return np.expand_dims(result, axis) if node.attrs["keepdims"] else result

    return apply


def _one_hot(node: Expr, args: list[Array], values: Values, sizes: Sizes) -> Array:
    classes = np.arange(dims.evaluate(node.attrs["classes"], sizes))
    marks = np.asarray(args[0])[..., None] == classes
    return _exact(marks) if _is_float(node) else marks.astype(node.dtype)


def _broadcast(node: Expr, args: list[Array], values: Values, sizes: Sizes) -> Array:
    return np.broadcast_to(args[0], dims.evaluate_shape(node.shape, sizes))


def _through_numpy(node: Expr, args: list[Array], values: Values, sizes: Sizes) -> Array:
    """Moves of elements do not care what the elements are."""
    assert node.declaration.numpy is not None
    return node.declaration.numpy(node, args, sizes)


def _cumsum(node: Expr, args: list[Array], *_: Any) -> Array:
    turn = np.flip if node.attrs["reverse"] else lambda x, axis: x
    axis = node.attrs["axis"]
    return turn(np.cumsum(turn(args[0], axis), axis), axis)


def _place(node: Expr, args: list[Array], values: Values, sizes: Sizes) -> Array:
    shape = dims.evaluate_shape(node.shape, sizes)
    result = np.full(shape, number(node.attrs["fill"]), object)
    where = [
        [dims.evaluate(start, sizes) + step * i for i in range(count)]
        for start, step, count in zip(node.attrs["start"], node.attrs["step"], args[0].shape, strict=True)
    ]
    result[np.ix_(*where)] = args[0]
    return result


def _scatter(node: Expr, args: list[Array], values: Values, sizes: Sizes) -> Array:
    result = np.full(dims.evaluate_shape(node.shape, sizes), number(0), object)
    axes = node.attrs["axes"]
    moved = result.transpose([*axes, *(a for a in range(result.ndim) if a not in axes)])
    updates, *index = args
    for position, picks in enumerate(np.broadcast(*index)):
        at = np.unravel_index(position, np.broadcast(*index).shape) if np.broadcast(*index).shape else ()
        moved[picks] = moved[picks] + updates[at]
    return result


def _contract(node: Expr, args: list[Array], values: Values, sizes: Sizes) -> Array:
    if node.attrs["sizes"]:
        raise Unsupported("contract: no exact meaning is written for its affine form (convolutions)")
    return np.asarray(np.einsum(node.attrs["spec"], *args), object)


# --- linear algebra ----------------------------------------------------------------------------------------------


def _each_matrix(function: Callable[..., Any]) -> Callable[..., Array]:
    """A function of one matrix (and a right side, and the attributes) for stacks of them."""

    def apply(node: Expr, args: list[Array], *_: Any) -> Array:
        lead = args[0].shape[:-2]
        results = [function(node.attrs, *(arg[index] for arg in args)) for index in np.ndindex(lead)]
        whole = np.empty((len(results), *np.shape(results[0])), object)
        for place, result in enumerate(results):
            whole[place] = result
        return whole.reshape((*lead, *np.shape(results[0])))

    return apply


def _gauss(a: Array, b: Array) -> tuple[Array, Any]:
    """The solution of a x = b, and the determinant of a."""
    a, b, det = a.copy(), b.copy(), mpmath.mpf(1)
    for k in range(len(a)):
        pivot = k + max(range(len(a) - k), key=lambda i: abs(a[k + i, k]))
        if not a[pivot, k]:
            return np.full(b.shape, mpmath.nan), mpmath.mpf(0)
        if pivot != k:
            a[[k, pivot]], b[[k, pivot]], det = a[[pivot, k]], b[[pivot, k]], -det
        det *= a[k, k]
        b[k], a[k] = b[k] / a[k, k], a[k] / a[k, k]
        for i in range(len(a)):
            if i != k:
                b[i], a[i] = b[i] - a[i, k] * b[k], a[i] - a[i, k] * a[k]
    return b, det


def _determinant(a: Array) -> Any:
    return _gauss(a, a[:, :0])[1]


def _triangular(attrs: Mapping[str, Any], t: Array, b: Array) -> Array:
    t = np.tril(t) if attrs["lower"] else np.triu(t)
    if attrs["unit"]:
        np.fill_diagonal(t, number(1))
    return _gauss(t.T if attrs["transposed"] else t, b)[0]


SPECIAL: dict[str, Callable[..., Array]] = {
    "input": _leaf,
    "parameter": _leaf,
    "state": _leaf,
    "hyper": _leaf,
    "constant": _constant,
    "dim": lambda node, args, values, sizes: (
        _exact(dims.evaluate(node.attrs["size"], sizes))
        if _is_float(node)
        else np.asarray(dims.evaluate(node.attrs["size"], sizes))
    ),
    "iota": lambda node, args, values, sizes: np.arange(dims.evaluate(node.attrs["size"], sizes)),
    "cast": _cast,
    "where": _where,
    "isnan": lambda node, args, values, sizes: np.asarray(np.frompyfunc(mpmath.isnan, 1, 1)(args[0]), bool),
    "sum": _reduce(lambda row, node: sum(row, number(0) if _is_float(node) else 0)),
    "prod": _reduce(lambda row, node: np.prod(np.asarray(row, object))),
    "max": _reduce(lambda row, node: max(row)),
    "min": _reduce(lambda row, node: min(row)),
    "any": _reduce(lambda row, node: any(row)),
    "all": _reduce(lambda row, node: all(row)),
    "mean": _reduce(lambda row, node: sum(row) / len(row)),
    "var": _reduce(_variance),
    "logsumexp": _reduce(lambda row, node: _log(sum(map(_exp, row)))),
    "usually": lambda node, args, values, sizes: args[1],
    "abbreviated": lambda node, args, values, sizes: args[1],
    "norm": _reduce(lambda row, node: mpmath.sqrt(sum(value * value for value in row))),
    "softmax": _softmax,
    "log_softmax": lambda node, args, values, sizes: _floats(_log)(_softmax(node, args)),
    "argmax": _argument(max),
    "argmin": _argument(min),
    "one_hot": _one_hot,
    "reshape": _through_numpy,
    "transpose": _through_numpy,
    "broadcast_to": _broadcast,
    "slice": _through_numpy,
    "concat": _through_numpy,
    "cumsum": _cumsum,
    "gather": _through_numpy,
    "stop_gradient": _through_numpy,
    "inverse": _each_matrix(lambda attrs, a: _gauss(a, _exact(np.eye(len(a))))[0]),
    "solve": _each_matrix(lambda attrs, a, b: _gauss(a.T if attrs["transposed"] else a, b)[0]),
    "solve_triangular": _each_matrix(_triangular),
    "det": _each_matrix(lambda attrs, a: _determinant(a)),
    "det_sign": _each_matrix(lambda attrs, a: mpmath.sign(_determinant(a))),
    "logabsdet": _each_matrix(lambda attrs, a: _log(abs(_determinant(a)))),
    "logdet": _each_matrix(lambda attrs, a: _real(_log, (_determinant(a),))),
    "trace": _each_matrix(lambda attrs, a: sum(np.diagonal(a))),
    "polygamma": lambda node, args, *_: _floats(lambda x: _polygamma(node.attrs["order"], x))(*args),
    "place": _place,
    "scatter_add": _scatter,
    "contract": _contract,
}
