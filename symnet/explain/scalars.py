"""How scalar functions are written: sums, products, quotients, choices, and the terms of losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symnet.explain.contraction import over, product, transposed
from symnet.explain.leaves import Writer, is_number, number
from symnet.explain.notation import (
    Call,
    Fence,
    Form,
    Index,
    Indicator,
    Level,
    Negative,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Root,
    Sum,
    Symbol,
    Transposed,
    binding,
)
from symnet.explain.parentheses import unsigned
from symnet.expr import dtypes
from symnet.expr.node import ArrayValue, Expr
from symnet.simplify.symmetry import holds_identity


def _add(node: Expr, args: Sequence[Form]) -> Form:
    return Sum(((_repeated(node, args, 0), True), (_repeated(node, args, 1), True)))


def _subtract(node: Expr, args: Sequence[Form]) -> Form:
    return Sum(((_repeated(node, args, 0), True), (_repeated(node, args, 1), False)))


def _repeated(node: Expr, args: Sequence[Form], i: int) -> Form:
    """A term of a sum, repeated where it is said that it is: u 𝟏ᵀ, 𝟏 vᵀ."""
    ones, form = Number("1", bold=True), args[i]
    if isinstance(form, Index) or not is_repeated(node, i):
        return form
    column = node.args[i].shape == (node.shape[0], 1)
    return product(form, Transposed(ones)) if column else product(ones, transposed(form))


def is_repeated(node: Expr, i: int) -> bool:
    """Whether a term of a sum is a product A v beside a matrix, or a row beside the identity: written as a matrix.

    Of other rows and columns (a bias, a mean) nothing is said: x W + b.
    """
    if node.op not in ("add", "subtract") or len(node.shape) != 2:
        return False
    if not all(isinstance(dim, int) and dim != 1 for dim in node.shape):
        return False
    shape = node.args[i].shape
    row = shape in ((node.shape[1],), (1, node.shape[1]))
    inner = node.args[i].args[0] if node.args[i].op == "reshape" else node.args[i]
    made = inner.op == "contract" or (inner.op == "sum" and inner.args[0].op == "multiply")
    return (shape == (node.shape[0], 1) and made) or (row and holds_identity(node.args[1 - i]))


def _negative(node: Expr, args: Sequence[Form]) -> Form:
    if isinstance(args[0], Number) and binding(args[0]) == Level.ATOM:
        return Number(f"−{args[0].text}", args[0].bold)
    negative, bare = unsigned(args[0])
    return bare if negative else Negative(args[0])


def _multiply(node: Expr, args: Sequence[Form]) -> Form:
    if node.args[1].op == "rsqrt" and isinstance(args[1], Quotient):  # x · 1/√y is x / √y
        return Quotient(args[0], args[1].denominator, scalar=args[1].scalar)
    scalars = [is_number(arg) for arg in node.args]
    if any(scalars):
        first, second = args if scalars[0] else (args[1], args[0])
        return scaled(first, second)
    if _is_outer(*node.args):
        return product(args[0], transposed(args[1]))
    if _is_outer(*reversed(node.args)):
        return product(args[1], transposed(args[0]))
    return hadamard(*args)


def hadamard(left: Form, right: Form) -> Form:
    """left ⊙ right with its sign in front; a / d where the other factor is 1 / d."""
    (minus, left), (less, right) = unsigned(left), unsigned(right)
    whole: Form = Product("hadamard", (left, right))
    for factor, other in ((right, left), (left, right)):
        if isinstance(factor, Quotient) and factor.numerator == Number("1"):
            whole = over(other, factor.denominator, factor.scalar)
            break
    return Negative(whole) if minus != less else whole


def is_outer(node: Expr) -> bool:
    """Whether a node is the product of a column and a row, written u vᵀ."""
    return node.op == "multiply" and (_is_outer(*node.args) or _is_outer(*reversed(node.args)))


def _is_outer(column: Expr, row: Expr) -> bool:
    """Whether a column meets a row, so that their product is the matrix of all products."""
    is_column = len(column.shape) == 2 and column.shape[0] != 1 and column.shape[1] == 1
    return is_column and len(row.shape) in (1, 2) and row.shape[-1] != 1 and row.shape[:-1] in ((), (1,))


def scaled(factor: Form, body: Form) -> Form:
    """A number times the rest; of two numbers the one that is written in digits comes first."""
    if (isinstance(body, Number) and not body.bold) or (_is_fraction(body) and not isinstance(factor, Number)):
        factor, body = body, factor
    (minus, factor), (less, body) = unsigned(factor), unsigned(body)
    whole = _multiple(factor, body)
    return Negative(whole) if minus != less else whole


def _is_fraction(form: Form) -> bool:
    return isinstance(form, Quotient) and isinstance(form.numerator, Number) and isinstance(form.denominator, Number)


def _multiple(factor: Form, body: Form) -> Form:
    """A number times the rest, neither of them negative; a fraction of 1 divides, and numbers go above the bar."""
    if factor == Number("1"):
        return body
    if isinstance(body, Number) and isinstance(factor, Number):
        return Product("dot", (factor, body))
    if isinstance(factor, Quotient) and factor.scalar and factor.numerator == Number("1"):
        return over(body, factor.denominator, scalar=True)
    if isinstance(factor, Number) and isinstance(body, Quotient) and body.numerator == Number("1"):
        return over(factor, body.denominator, body.scalar)
    if isinstance(factor, Number) and isinstance(body, Quotient) and body.scalar:
        return over(_multiple(factor, body.numerator), body.denominator, scalar=True)
    return Product("scale", (factor, body))


def _divide(node: Expr, args: Sequence[Form]) -> Form:
    return over(args[0], args[1], scalar=is_number(node.args[1]))


def _power(node: Expr, args: Sequence[Form]) -> Form:
    return Power(args[0], args[1], hadamard=_is_matrix(node.args[0]))


def _is_matrix(node: Expr) -> bool:
    """Whether juxtaposition would mean a matrix product."""
    return sum(dim != 1 for dim in node.shape) >= 2


def _square(node: Expr, args: Sequence[Form]) -> Form:
    return Power(args[0], Number("2"), hadamard=_is_matrix(node))


def _squared(node: Expr, form: Form) -> Form:
    """form², of numbers and fractions worked out: ‖x‖² / 6 for ‖x‖ / √6."""
    form = unsigned(form)[1]
    if isinstance(form, Root):
        return form.body
    if isinstance(form, Quotient):
        return Quotient(_squared(node, form.numerator), _squared(node, form.denominator), form.scalar)
    if isinstance(form, Number) and not form.bold:
        exact = float(form.text.replace("−", "-")) ** 2
        value = float(f"{exact:.9g}")
        if math.isclose(value, exact, rel_tol=1e-15):
            return number(value)
    return Power(form, Number("2"), hadamard=_is_matrix(node))


def _one_over(form: Form, node: Expr) -> Form:
    return Quotient(Number("1"), form, scalar=is_number(node))


def _cast(node: Expr, args: Sequence[Form]) -> Form:
    source, target = node.args[0].dtype, node.attrs["dtype"]
    if source == "bool":
        return Symbol("I") if holds_identity(node) else Indicator(args[0])
    if target == "bool":
        return Relation("!=", args[0], Number("0"))
    if dtypes.is_float(source) and dtypes.is_int(target):
        return Call("trunc", (args[0],))
    return args[0]


def _where(node: Expr, args: Sequence[Form]) -> Form:
    """A choice between a value and 0 is the value times an indicator."""
    condition, chosen, other = args
    if any(_is_constant(value, limit) for value in node.args[1:] for limit in (math.inf, -math.inf)):
        return Call("where", (condition, chosen, other))
    if _is_constant(node.args[2], 0):
        if _is_constant(node.args[1], 1):
            return Indicator(condition)
        return _masked(node.args[1], chosen, condition, node)
    if _is_constant(node.args[1], 0):
        opposite = _opposite(condition, node.args[0])
        return Indicator(opposite) if _is_constant(node.args[2], 1) else _masked(node.args[2], other, opposite, node)
    return Call("where", (condition, chosen, other))


def _masked(value: Expr, form: Form, condition: Form, node: Expr) -> Form:
    if is_number(value):
        return Product("scale", (form, Indicator(condition)))
    return Product("scale", (form, Indicator(condition))) if is_number(node) else hadamard(form, Indicator(condition))


_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _opposite(condition: Form, node: Expr) -> Form:
    """Not the condition. (With nan both `<` and `>=` are false: of floats equalities alone are turned round.)"""
    whole = bool(node.args) and not dtypes.is_float(node.args[0].dtype)
    if isinstance(condition, Relation) and condition.sign in _OPPOSITE and (whole or condition.sign in ("==", "!=")):
        return Relation(_OPPOSITE[condition.sign], condition.left, condition.right)
    return Call("not", (condition,))


def _is_constant(node: Expr, value: float) -> bool:
    while node.op in ("broadcast_to", "reshape", "cast"):
        node = node.args[0]
    if node.op != "constant":
        return False
    held = node.attrs["value"]
    return bool((held.array == value).all()) if isinstance(held, ArrayValue) else held == value


def _relation(sign: str) -> Writer:
    return lambda node, args: Relation(sign, *args)


def _compared(sign: str, shifted: str) -> Writer:
    """Of whole numbers t − 1 < n is t ≤ n, and t − 1 ≥ n is t > n."""

    def writer(node: Expr, args: Sequence[Form]) -> Form:
        left, right = args
        if isinstance(left, Sum) and left.terms[1:] == ((Number("1"), False),) and dtypes.is_int(node.args[0].dtype):
            return Relation(shifted, left.terms[0][0], right)
        return Relation(sign, left, right)

    return writer


def _one_hot(node: Expr, args: Sequence[Form]) -> Form:
    """The one-hot vectors of all classes in order are the identity matrix."""
    classes = node.args[0]
    if classes.op == "iota" and classes.attrs["size"] == node.attrs["classes"]:
        return Symbol("I")
    return Call("onehot", tuple(args))


def _clip(node: Expr, args: Sequence[Form]) -> Form:
    """A limit that is infinite is none."""
    x, low, high = args
    if _is_constant(node.args[2], float("inf")):
        return Call("max", (low, x))
    return Call("min", (high, x)) if _is_constant(node.args[1], float("-inf")) else Call("clip", (x, low, high))


def _weighted(weight: Expr, factor: Form, value: Form) -> Form:
    """A product with the number or the array `weight`, written as `factor`."""
    return scaled(factor, value) if is_number(weight) else Product("hadamard", (factor, value))


def _huber(node: Expr, args: Sequence[Form]) -> Form:
    """The usual limit of 1 is not written."""
    return Call("huber", (args[0],) if _is_constant(node.args[1], 1) else tuple(args))


def _xlogy(node: Expr, args: Sequence[Form]) -> Form:
    return _weighted(node.args[0], args[0], Call("log", (args[1],)))


def _bernoulli_nll(node: Expr, args: Sequence[Form]) -> Form:
    """−t log(p) − (1 − t) log(1 − p)."""
    (p, t), one = args, Number("1", bold=False)
    not_p, not_t = (Sum(((one, True), (form, False))) for form in (p, t))
    hit, miss = (_weighted(node.args[1], weight, Call("log", (form,))) for weight, form in ((t, p), (not_t, not_p)))
    return Sum(((Negative(hit), True), (miss, False)))


def _bernoulli_logit_nll(node: Expr, args: Sequence[Form]) -> Form:
    x, t = args
    return Sum(((Call("softplus", (x,)), True), (_multiply(node, (t, x)), False)))


def _fence(left: str, right: str) -> Writer:
    return lambda node, args: Fence(left, right, args[0])


TABLE: dict[str, Writer] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negative": _negative,
    "absolute": _fence("|", "|"),
    "floor": _fence("⌊", "⌋"),
    "ceil": _fence("⌈", "⌉"),
    "floor_divide": lambda node, args: Fence("⌊", "⌋", _divide(node, args)),
    "mod": _relation("mod"),
    "power": _power,
    "square": _square,
    "sqrt": lambda node, args: Root(args[0]),
    "hypot": lambda node, args: Root(Sum(tuple((_squared(*pair), True) for pair in zip(node.args, args, strict=True)))),
    "rsqrt": lambda node, args: _one_over(Root(args[0]), node),
    "reciprocal": lambda node, args: _one_over(args[0], node),
    "huber": _huber,
    "xlogy": _xlogy,
    "bernoulli_nll": _bernoulli_nll,
    "bernoulli_logit_nll": _bernoulli_logit_nll,
    "bernoulli_logit_slope": lambda node, args: Sum(((Call("σ", (args[0],)), True), (args[1], False))),
    "clip": _clip,
    "equal": _relation("=="),
    "not_equal": _relation("!="),
    "less": _compared("<", "<="),
    "less_equal": _relation("<="),
    "greater": _relation(">"),
    "greater_equal": _compared(">=", ">"),
    "logical_and": _relation("and"),
    "logical_or": _relation("or"),
    "where": _where,
    "cast": _cast,
    "one_hot": _one_hot,
    "elementwise": lambda node, args: Call(str(node.attrs["function"]), tuple(args)),
}
