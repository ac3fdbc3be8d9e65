"""How each operation is written: a table from its name to a form, given the forms of its operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from symnet.explain import linear_algebra
from symnet.explain.contraction import as_row, contraction, transposed
from symnet.explain.identifiers import axis_letter, axis_letters, symbol
from symnet.explain.notation import (
    Big,
    Call,
    Extent,
    Fence,
    Form,
    Index,
    Indicator,
    Level,
    Negative,
    Number,
    Position,
    Power,
    Product,
    Quotient,
    Range,
    Relation,
    Root,
    Sum,
    Symbol,
    Transposed,
    Vector,
    binding,
)
from symnet.expr import dims, dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import ArrayValue, Expr

Writer = Callable[[Expr, Sequence[Form]], Form]


def form_of(node: Expr, args: Sequence[Form]) -> Form:
    """The form of `node`, whose operands are written as `args`. An unknown operation is written name(arguments)."""
    writer = _TABLE.get(node.op)
    return writer(node, args) if writer is not None else Call(node.op, tuple(args))


def number(value: float | int | bool) -> Number:
    """A number as people write it."""
    if isinstance(value, bool):
        return Number(str(value))
    text = f"{value:.9g}" if isinstance(value, float) else str(value)
    mantissa, _, exponent = text.partition("e")
    text = f"{mantissa}e{int(exponent)}" if exponent else text
    return Number(text.replace("inf", "∞").replace("-", "−"))


def is_number(node: Expr) -> bool:
    """Whether a node holds one number (all its axes have size 1), maybe repeated by broadcasting."""
    while node.op in ("broadcast_to", "reshape", "cast"):
        node = node.args[0]
    return all(dim == 1 for dim in node.shape)


# --- leaves ------------------------------------------------------------------------------------------------------


def _named(node: Expr, args: Sequence[Form]) -> Form:
    return symbol(str(node.name))


def _constant(node: Expr, args: Sequence[Form]) -> Form:
    value = node.attrs["value"]
    if not isinstance(value, ArrayValue):
        return _root(value) or number(value)
    array = value.array
    if array.size and (array == array.flat[0]).all():
        plain = number(array.flat[0].item())
        return Number(plain.text, bold=bool(array.shape))
    if array.ndim == 1 and array.size <= 4:
        return Vector(tuple(number(entry) for entry in array.tolist()))
    return Call("array", (_extent(array.shape),))


def _root(value: float | int | bool) -> Root | None:
    """The square root of a small whole number, if `value` is one to the digits of its type: √8, and not 2.82842712."""
    if not isinstance(value, float) or value.is_integer() or not 1.0 < value < _LARGEST_ROOT:
        return None
    whole = round(value * value)
    return Root(Number(str(whole))) if value in (math.sqrt(whole), float(np.float32(math.sqrt(whole)))) else None


_LARGEST_ROOT = 64.0


def _iota(node: Expr, args: Sequence[Form]) -> Form:
    size = node.attrs["size"]
    return Symbol(axis_letter(size, 1))


def _dim(node: Expr, args: Sequence[Form]) -> Form:
    return dimension(node.attrs["size"])


def dimension(dim: Dim) -> Form:
    """The size of an axis as a formula: N, or the polynomial 2 N T + 1."""
    if isinstance(dim, int):
        return number(dim)
    terms = []
    for names, coefficient in dims.terms(dim):
        factors: list[Form] = [symbol(name) for name in names]
        if abs(coefficient) != 1 or not names:
            factors.insert(0, number(abs(coefficient)))
        terms.append((factors[0] if len(factors) == 1 else Product("scale", tuple(factors)), coefficient > 0))
    return terms[0][0] if len(terms) == 1 and terms[0][1] else Sum(tuple(terms))


def _extent(shape: Shape) -> Form:
    return Extent(tuple(map(dimension, shape)))


def _arg(node: Expr, args: Sequence[Form]) -> Form:
    return Symbol("a", str(node.attrs["index"]))


# --- scalar functions --------------------------------------------------------------------------------------------


def _add(node: Expr, args: Sequence[Form]) -> Form:
    return Sum(((args[0], True), (args[1], True)))


def _subtract(node: Expr, args: Sequence[Form]) -> Form:
    return Sum(((args[0], True), (args[1], False)))


def _negative(node: Expr, args: Sequence[Form]) -> Form:
    if isinstance(args[0], Number) and binding(args[0]) == Level.ATOM:
        return Number(f"−{args[0].text}", args[0].bold)
    return Negative(args[0])


def _multiply(node: Expr, args: Sequence[Form]) -> Form:
    if node.args[1].op == "rsqrt" and isinstance(args[1], Quotient):  # x · 1/√y is x / √y
        return Quotient(args[0], args[1].denominator, scalar=args[1].scalar)
    scalars = [is_number(arg) for arg in node.args]
    if any(scalars):
        first, second = args if scalars[0] else (args[1], args[0])
        return _scaled(first, second)
    if _is_outer(*node.args):
        return Product("matrix", (args[0], as_row(args[1])))
    if _is_outer(*reversed(node.args)):
        return Product("matrix", (args[1], as_row(args[0])))
    return Product("hadamard", tuple(args))


def _is_outer(column: Expr, row: Expr) -> bool:
    """Whether a column meets a row, so that their product is the matrix of all products."""
    is_column = len(column.shape) == 2 and column.shape[0] != 1 and column.shape[1] == 1
    return is_column and len(row.shape) in (1, 2) and row.shape[-1] != 1 and row.shape[:-1] in ((), (1,))


def _scaled(factor: Form, body: Form) -> Form:
    """A number times the rest; of two numbers the one that is written in digits comes first."""
    if isinstance(body, Number) and not body.bold:
        factor, body = body, factor
    if factor == Number("−1"):
        return Negative(body)
    if isinstance(body, Number) and isinstance(factor, Number):
        return Product("dot", (factor, body))
    return Product("scale", (factor, body))


def _divide(node: Expr, args: Sequence[Form]) -> Form:
    return Quotient(args[0], args[1], scalar=is_number(node.args[1]))


def _power(node: Expr, args: Sequence[Form]) -> Form:
    return Power(args[0], args[1], hadamard=_is_matrix(node.args[0]))


def _is_matrix(node: Expr) -> bool:
    """Whether juxtaposition would mean a matrix product."""
    return sum(dim != 1 for dim in node.shape) >= 2


def _square(node: Expr, args: Sequence[Form]) -> Form:
    return Power(args[0], Number("2"), hadamard=_is_matrix(node))


def _one_over(form: Form, node: Expr) -> Form:
    return Quotient(Number("1"), form, scalar=is_number(node))


def _cast(node: Expr, args: Sequence[Form]) -> Form:
    source, target = node.args[0].dtype, node.attrs["dtype"]
    if source == "bool":
        return Indicator(args[0])
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
        opposite = _opposite(condition)
        return Indicator(opposite) if _is_constant(node.args[2], 1) else _masked(node.args[2], other, opposite, node)
    return Call("where", (condition, chosen, other))


def _masked(value: Expr, form: Form, condition: Form, node: Expr) -> Form:
    if is_number(value):
        return Product("scale", (form, Indicator(condition)))
    return Product("scale" if is_number(node) else "hadamard", (form, Indicator(condition)))


_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _opposite(condition: Form) -> Form:
    """Not the condition. (With nan both `<` and `>=` are false: equalities alone are turned round.)"""
    if isinstance(condition, Relation) and condition.sign in ("==", "!="):
        return Relation(_OPPOSITE[condition.sign], condition.left, condition.right)
    return Call("not", (condition,))


def _is_constant(node: Expr, value: float) -> bool:
    while node.op in ("broadcast_to", "reshape", "cast"):
        node = node.args[0]
    if node.op != "constant":
        return False
    held = node.attrs["value"]
    return bool((held.array == value).all()) if isinstance(held, ArrayValue) else held == value


def _function(name: str) -> Writer:
    return lambda node, args: Call(name, tuple(args))


def _relation(sign: str) -> Writer:
    def writer(node: Expr, args: Sequence[Form]) -> Form:
        left, right = args
        if left == right and isinstance(right, Symbol) and node.args[0] is not node.args[1]:
            right = Symbol(f"{right.base}′", right.sub)  # positions along two axes of the same name
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
    return _scaled(factor, value) if is_number(weight) else Product("hadamard", (factor, value))


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


# --- reductions and what acts along axes -------------------------------------------------------------------------


def _along(node: Expr, axes: Sequence[int]) -> str:
    """The subscript of a function that acts along some axes: none when it takes them all."""
    operand = node.args[0]
    rest = [axis for axis in range(len(operand.shape)) if axis not in axes and operand.shape[axis] != 1]
    return ",".join(axis_letters(operand, axes)) if rest else ""


def _big(sign: str) -> Writer:
    """Σ over some axes; over all of them it has no index, unless that is the one named axis of a vector (the batch)."""

    def writer(node: Expr, args: Sequence[Form]) -> Form:
        operand, axes = node.args[0], node.attrs["axes"]
        named = len(operand.shape) == 1 and isinstance(operand.shape[0], str)
        subscript = ",".join(axis_letters(operand, axes)) if named else _along(node, axes)
        return Big(sign, tuple(subscript.split(",")) if subscript else (), args[0])

    return writer


def _reduction(name: str) -> Writer:
    return lambda node, args: Call(name, tuple(args), _along(node, node.attrs["axes"]))


def _norm(node: Expr, args: Sequence[Form]) -> Form:
    return Fence("‖", "‖", args[0], _along(node, node.attrs["axes"]))


def _unit(node: Expr, args: Sequence[Form]) -> Form:
    return Quotient(args[0], _norm(node, args), scalar=not _along(node, node.attrs["axes"]))


def _along_axis(name: str) -> Writer:
    return lambda node, args: Call(name, tuple(args), _along(node, (node.attrs["axis"],)))


def _softmax(name: str) -> Writer:
    """Along the last axis, as usual, nothing is said."""

    def writer(node: Expr, args: Sequence[Form]) -> Form:
        axis = node.attrs["axis"]
        last = axis == len(node.shape) - 1
        return Call(name, tuple(args), "" if last else axis_letter(node.shape[axis], axis))

    return writer


def _cumsum(node: Expr, args: Sequence[Form]) -> Form:
    name = "revcumsum" if node.attrs["reverse"] else "cumsum"
    return Call(name, tuple(args), _along(node, (node.attrs["axis"],)))


# --- moving values -----------------------------------------------------------------------------------------------


def _reshape(node: Expr, args: Sequence[Form]) -> Form:
    """Axes of size 1 are not written; any other reshape is."""
    operand = node.args[0]
    if [dim for dim in operand.shape if dim != 1] == [dim for dim in node.shape if dim != 1]:
        if operand.op == "iota":
            axis = next((axis for axis, dim in enumerate(node.shape) if dim != 1), 0)
            return Symbol(axis_letter(operand.attrs["size"], axis))
        return args[0]
    return Call("reshape", (args[0], _extent(node.shape)))


def _transpose(node: Expr, args: Sequence[Form]) -> Form:
    axes = node.attrs["axes"]
    rank = len(axes)
    if axes == (*range(rank - 2), rank - 1, rank - 2):
        return transposed(args[0])
    if isinstance(args[0], Transposed) and axes == tuple(range(rank)):
        return args[0]
    return Call("transpose", (args[0], *(Number(str(axis)) for axis in axes)))


def _broadcast_to(node: Expr, args: Sequence[Form]) -> Form:
    """Broadcasting is not written, but a constant array is set in bold: 𝟎, 𝟏."""
    if isinstance(args[0], Number):
        return Number(args[0].text, bold=any(dim != 1 for dim in node.shape))
    return args[0]


def _slice(node: Expr, args: Sequence[Form]) -> Form:
    operand = node.args[0]
    parts = [
        _range(start, step, size, whole)
        for start, step, size, whole in zip(
            node.attrs["start"], node.attrs["step"], node.attrs["size"], operand.shape, strict=True
        )
    ]
    while parts and parts[-1] == Range():
        parts.pop()
    return Index(args[0], tuple(parts)) if parts else args[0]


def _range(start: Dim, step: int, size: Dim, whole: Dim) -> Form:
    """One axis of a slice, as in NumPy: nothing where it takes the whole axis, one position where it takes one."""
    if size == 1 and whole != 1:
        return Symbol(_signed(start))
    last = dims.add(start, dims.mul(dims.sub(size, 1), step))
    stop = dims.add(last, 1 if step > 0 else -1)
    begins = start == (0 if step > 0 else dims.sub(whole, 1))
    ends = stop == (whole if step > 0 else -1)
    return Range("" if begins else _signed(start), "" if ends else _signed(stop), "" if step == 1 else _signed(step))


def _signed(dim: Dim) -> str:
    return str(dim).replace("-", "−")


def _place(node: Expr, args: Sequence[Form]) -> Form:
    """The operand in its place among the fill value: place(x, 1:4 of 7)."""
    operand = node.args[0]
    parts = []
    for start, step, size, whole in zip(
        node.attrs["start"], node.attrs["step"], operand.shape, node.attrs["shape"], strict=True
    ):
        part = _range(start, step, size, whole)
        parts.append(Symbol(":") if part == Range() else part)
    fill = node.attrs["fill"]
    extra = () if fill == 0 else (number(fill),)
    return Call("place", (args[0], Index(_extent(node.shape), tuple(parts)), *extra))


def _windows(node: Expr, args: Sequence[Form]) -> Form:
    """The places that windows read, x[:, 2j+l−1]: j counts the windows, l the elements of one."""
    return _seen(node, args[0], _all_letters(node)[-2 * len(node.attrs["size"]) :])


def _all_letters(node: Expr) -> list[str]:
    """An index letter for every axis, empty for those of size 1."""
    return ["" if dim == 1 else axis_letter(dim, axis) for axis, dim in enumerate(node.shape)]


def _seen(node: Expr, operand: Form, letters: Sequence[str]) -> Form:
    """What the windows of a node see; `letters` are those of the positions, then of the offsets."""
    rank = len(node.attrs["size"])
    parts: list[Form] = [Range()] * (len(node.args[0].shape) - rank)
    for axis in range(rank):
        steps = ((node.attrs["stride"][axis], letters[axis]), (node.attrs["dilation"][axis], letters[rank + axis]))
        terms = [f"{'' if step == 1 else step}{letter}" for step, letter in steps if letter]
        start = node.attrs["start"][axis]
        shift = f"{start:+d}".replace("-", "−") if start else ""
        text = "+".join(terms) + shift if terms else _signed(start)
        parts.append(Symbol(text) if text.isalpha() else Position(text))
    return Index(operand, tuple(parts))


def _pool(name: str) -> Writer:
    """The reduction of a window over its offsets: max over l of x[:, 2j+l−1]."""

    def writer(node: Expr, args: Sequence[Form]) -> Form:
        rank = len(node.attrs["size"])
        letters = _all_letters(node)[-rank:]
        free = [letter for letter in "lmpqrst" if letter not in letters]
        offsets = [letter if size > 1 else "" for letter, size in zip(free, node.attrs["size"], strict=False)]
        return Call(name, (_seen(node, args[0], [*letters, *offsets]),), ",".join(filter(None, offsets)))

    return writer


def _concat(node: Expr, args: Sequence[Form]) -> Form:
    return Call("concat", tuple(args), axis_letter(node.shape[node.attrs["axis"]], node.attrs["axis"]))


def _gather(node: Expr, args: Sequence[Form]) -> Form:
    return Index(args[0], _positions(node.attrs["axes"], args[1:]))


def _positions(axes: Sequence[int], indices: Sequence[Form]) -> tuple[Form, ...]:
    parts: list[Form] = [Range()] * (max(axes) + 1)
    for axis, index in zip(axes, indices, strict=True):
        parts[axis] = index
    return tuple(parts)


def _scatter_add(node: Expr, args: Sequence[Form]) -> Form:
    target = _extent(node.shape)
    return Call("scatter", (args[0], Index(target, _positions(node.attrs["axes"], args[1:]))))


def _contract(node: Expr, args: Sequence[Form]) -> Form:
    return contraction(node, args[0], args[1])


# --- random numbers and normalisation ------------------------------------------------------------------------------


def _drawn(name: str) -> Writer:
    """Random numbers by what they are and how many: ε = normal(N×3)."""
    return lambda node, args: Call(name, (_extent(node.shape),))


def _dropped(node: Expr, args: Sequence[Form]) -> Form:
    """dropout(x, 0.5, ξ): which elements are dropped follows from ξ."""
    return Call(node.op.replace("_", ""), (args[0], number(node.attrs["p"]), args[1]))


def _normalized(node: Expr, args: Sequence[Form]) -> Form:
    """The operand, scale and shift; running statistics have no part in the value."""
    given = node.attrs.get("given")
    count = len(args) if given is None else 1 + sum(name in ("weight", "bias") for name in given)
    return Call(node.op.replace("_", ""), tuple(args[:count]))


def _over_axes(name: str) -> Writer:
    return lambda node, args: Call(name, tuple(args), _along(node, node.attrs["axes"]))


# --- loops -------------------------------------------------------------------------------------------------------


def _scan(node: Expr, args: Sequence[Form]) -> Form:
    from symnet.explain.loops import loop

    return loop(node, args)


def _cond(node: Expr, args: Sequence[Form]) -> Form:
    from symnet.explain.loops import choice

    return choice(node, args)


def _item(node: Expr, args: Sequence[Form]) -> Form:
    """The results of a loop by their place: the final carries, then what it stacked; of a choice the two values."""
    if node.args[0].op == "cond":
        from symnet.explain.loops import chosen

        return chosen(node, args[0])
    return Index(args[0], (Number(str(node.attrs["index"])),))


_TABLE: dict[str, Writer] = {
    **dict.fromkeys(("input", "parameter", "state", "hyper"), _named),
    "constant": _constant,
    "iota": _iota,
    "dim": _dim,
    "arg": _arg,
    "random_bits": _drawn("bits"),
    "random_step": lambda node, args: args[0],
    "require": lambda node, args: args[0],
    "standard_uniform": _drawn("uniform"),
    "standard_normal": _drawn("normal"),
    "dropout": _dropped,
    "alpha_dropout": _dropped,
    **dict.fromkeys(("batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm"), _normalized),
    "standardize": _over_axes("standardize"),
    "scale_to_unit": _over_axes("scale_to_unit"),
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
    "rsqrt": lambda node, args: _one_over(Root(args[0]), node),
    "reciprocal": lambda node, args: _one_over(args[0], node),
    "sigmoid": _function("σ"),
    "log_sigmoid": _function("logσ"),
    "huber": _huber,
    "log_cosh": _function("logcosh"),
    "xlogy": _xlogy,
    "bernoulli_nll": _bernoulli_nll,
    "bernoulli_logit_nll": _bernoulli_logit_nll,
    "bernoulli_logit_slope": lambda node, args: Sum(((Call("σ", (args[0],)), True), (args[1], False))),
    "clip": _clip,
    "maximum": _function("max"),
    "minimum": _function("min"),
    "equal": _relation("=="),
    "not_equal": _relation("!="),
    "less": _relation("<"),
    "less_equal": _relation("<="),
    "greater": _relation(">"),
    "greater_equal": _relation(">="),
    "logical_and": _relation("and"),
    "logical_or": _relation("or"),
    "logical_not": _function("not"),
    "where": _where,
    "cast": _cast,
    "sum": _big("Σ"),
    "prod": _big("∏"),
    **{name: _reduction(name) for name in ("max", "min", "any", "all", "mean", "var", "logsumexp")},
    **{name: _along_axis(name) for name in ("argmax", "argmin")},
    "usually": lambda node, args: args[0],
    "abbreviated": lambda node, args: args[0],
    "norm": _norm,
    "unit": _unit,
    "softmax": _softmax("softmax"),
    "log_softmax": _softmax("logsoftmax"),
    "one_hot": _one_hot,
    **linear_algebra.TABLE,
    "contract": _contract,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "slice": _slice,
    "place": _place,
    "windows": _windows,
    "max_pool": _pool("max"),
    "argmax_pool": _pool("argmax"),
    "concat": _concat,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "cumsum": _cumsum,
    "scan": _scan,
    "cond": _cond,
    "each_member": lambda node, args: form_of(node.attrs["body"].results[0], args),
    "item": _item,
    "stop_gradient": _function("stop"),
    "elementwise": lambda node, args: Call(str(node.attrs["function"]), tuple(args)),
}
