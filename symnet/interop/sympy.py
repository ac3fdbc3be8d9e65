"""Scalar formulas to SymPy and back.

`to_sympy` takes what acts element by element: a symbol stands for one element of each input. `from_sympy` builds an
expression from a formula and what its symbols stand for. SymPy itself is imported when one of them is called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from symnet.errors import DTypeError, SymnetError, UnknownName, Unsupported, UsageError, nearest
from symnet.expr import dtypes
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.traverse import postorder
from symnet.ops.scalar_op import ScalarOp
from symnet.ops.usually import in_short

__all__ = ["from_sympy", "to_sympy"]

_LEAVES = ("input", "parameter", "state", "hyper")
_SAME = ("broadcast_to", "stop_gradient")
"""What does not change the value of an element."""
_COMPARISONS = {
    "equal": "Eq", "not_equal": "Ne", "less": "Lt", "less_equal": "Le", "greater": "Gt", "greater_equal": "Ge",
    "logical_and": "And", "logical_or": "Or", "logical_not": "Not",
}  # fmt: skip


def to_sympy(expr: Expr, symbols: Mapping[Expr, Any] | None = None) -> Any:
    """The expression as a SymPy formula of one element.

    Inputs, parameters and state become real symbols (integer ones where they are whole numbers) of their names;
    `symbols` may give others, and may stand for inner values that have no formula: `{sn.sum(x): Symbol("s")}`.

    `Unsupported` names an operation that does not act element by element; a choice becomes a Piecewise.
    """
    if not isinstance(expr, Expr):
        raise DTypeError(f"to_sympy: got {type(expr).__name__}, expected an expression")
    (root,) = in_short([expr])
    known: dict[Expr, Any] = {}
    for node, symbol in (symbols or {}).items():
        if not isinstance(node, Expr):
            raise DTypeError(f"to_sympy: symbols has the key {node!r}, expected expressions as keys")
        known[node] = symbol
    return _formula(root, known)


def _formula(root: Expr, given: Mapping[Expr, Any]) -> Any:
    known = dict(given)
    names: dict[str, Expr] = {}
    for node in postorder([root], given):
        if node in known:
            continue
        if node.op in _LEAVES or node.op == "arg":
            known[node] = _symbol(node, names)
        elif node.declaration.kind == "composite" and node.declaration.define is not None and node.op != "polygamma":
            known[node] = _through_definition(node, known)
        else:
            known[node] = _operation(node, [known[arg] for arg in node.args])
    return known[root]


def _symbol(node: Expr, names: dict[str, Expr]) -> Any:
    import sympy as sp

    name = str(node.name) if node.op != "arg" else f"arg{node.attrs['index']}"
    if names.setdefault(name, node) is not node:
        raise UsageError(f"to_sympy: two values are named {name!r}; give one another symbol, symbols={{node: …}}")
    return sp.Symbol(name, integer=True) if node.dtype in dtypes.INTS else sp.Symbol(name, real=True)


def _through_definition(node: Expr, known: Mapping[Expr, Any]) -> Any:
    """A composite by what it is made of, if all of that acts element by element."""
    assert node.declaration.define is not None
    try:
        return _formula(node.declaration.define(node), {arg: known[arg] for arg in node.args})
    except Unsupported:
        raise _not_scalar(node) from None


def _operation(node: Expr, args: list[Any]) -> Any:
    import sympy as sp

    declaration = node.declaration
    if node.op == "constant":
        return _number(node)
    if node.op in _SAME or (node.op == "reshape" and all(dim == 1 for dim in node.args[0].shape)):
        return args[0]
    if node.op == "where":
        condition, chosen, other = args
        return sp.Piecewise((chosen, condition), (other, True))
    if node.op in _COMPARISONS:
        return getattr(sp, _COMPARISONS[node.op])(*args)
    if node.op == "cast":
        return _cast(node, args[0])
    if node.op == "elementwise":
        body = node.attrs["body"]
        return _formula(body.results[0], dict(zip(body.parameters, args, strict=True)))
    if isinstance(declaration, ScalarOp) and declaration.formula is not None:
        return declaration.formula(sp, *args)
    if node.op == "polygamma":
        return sp.polygamma(node.attrs["order"], *args)
    raise _not_scalar(node)


def _number(node: Expr) -> Any:
    import sympy as sp

    value = node.attrs["value"]
    if isinstance(value, ArrayValue):
        if value.array.size != 1:
            raise Unsupported("to_sympy: an array of numbers is no number; give it a symbol, symbols={node: …}")
        value = value.array.item()
    if isinstance(value, bool):
        return sp.true if value else sp.false
    if isinstance(value, int) or (math.isfinite(value) and value == int(value)):
        return sp.Integer(int(value))
    if value == math.pi:
        return sp.pi
    return sp.Float(value, 17) if math.isfinite(value) else {math.inf: sp.oo, -math.inf: -sp.oo}.get(value, sp.nan)


def _cast(node: Expr, value: Any) -> Any:
    import sympy as sp

    source = node.args[0].dtype
    if source == "bool":
        return sp.Piecewise((1, value), (0, True))
    if node.dtype == "bool":
        return sp.Ne(value, 0)
    if dtypes.is_float(source) and node.dtype in dtypes.INTS:
        return sp.sign(value) * sp.floor(sp.Abs(value))
    return value


def _not_scalar(node: Expr) -> Unsupported:
    return Unsupported(
        f"to_sympy: {node.op!r} does not act element by element; give its result a symbol, symbols={{node: …}}"
    )


def from_sympy(formula: Any, symbols: Mapping[Any, Expr]) -> Expr:
    """The expression that a SymPy formula is, where its symbols stand for `symbols`: expressions of one data type.

    Symbols may be given by name. What overflows or cancels as written, log(1 + exp(x)) say, is computed by functions
    that do not. `Unsupported` names a function that has no counterpart, `UnknownName` a symbol that stands for nothing.
    """
    import sympy as sp

    from symnet.ops.from_sympy import stable

    value = sp.sympify(formula)
    if not isinstance(value, sp.Expr):
        raise DTypeError(f"from_sympy: got {type(value).__name__}, expected a formula that is a number")
    given = {str(name): node for name, node in symbols.items()}
    for name, node in given.items():
        if not isinstance(node, Expr) or not dtypes.is_float(node.dtype):
            what = node.dtype if isinstance(node, Expr) else type(node).__name__
            raise DTypeError(f"from_sympy: the symbol {name!r} stands for {what}, expected a floating-point expression")
    kinds = {node.dtype for node in given.values()}
    if len(kinds) > 1:
        raise DTypeError(f"from_sympy: the symbols stand for {' and '.join(sorted(kinds))}, expected one data type")
    for symbol in value.free_symbols:
        if symbol.name not in given:
            raise UnknownName(f"from_sympy: the symbol {symbol.name!r} stands for nothing{nearest(symbol.name, given)}")
    real = {symbol: sp.Symbol(symbol.name, real=True) for symbol in value.free_symbols}
    meaning = {symbol: given[symbol.name] for symbol in real.values()}
    try:
        result: Expr = _converter(meaning, kinds.pop() if kinds else "float64").convert(stable(value.subs(real)))
    except SymnetError as error:
        raise type(error)(f"from_sympy: {error}") from None
    return result


def _converter(symbols: Mapping[Any, Expr], dtype: str) -> Any:
    """As for a function of a user's own, with all functions that symnet has."""
    import sympy as sp

    from symnet import ops
    from symnet.ops.from_sympy import Converter

    names = (
        "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "erfinv", "gamma",
        "beta", "factorial",
    )  # fmt: skip
    functions = {getattr(sp, name): getattr(ops, name) for name in names}
    functions[sp.loggamma] = ops.lgamma

    class Wider(Converter):
        def convert(self, e: Any, lead: Expr | None = None) -> Expr:
            if lead is None and isinstance(e, sp.polygamma) and e.args[0].is_Integer and not e.is_number:
                return ops.polygamma(int(e.args[0]), self.convert(e.args[1]))
            function = functions.get(type(e)) if lead is None and e not in self.symbols and not e.is_number else None
            return super().convert(e, lead) if function is None else function(*map(self.convert, e.args))

    return Wider(symbols, dtype)
