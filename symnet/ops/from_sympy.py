"""SymPy formulas in our own operations. Imports SymPy: import this module only when a formula is at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy as sp

from symnet.errors import Unsupported
from symnet.expr.node import Expr
from symnet.ops import scalar as s
from symnet.ops.leaves import number

# --- functions that SymPy lacks, with derivatives that stay finite -----------------------------------------------


class Sigmoid(sp.Function):  # type: ignore[misc]
    def fdiff(self, argindex: int = 1) -> Any:
        return Sigmoid(self.args[0]) * Sigmoid(-self.args[0])


class Softplus(sp.Function):  # type: ignore[misc]
    def fdiff(self, argindex: int = 1) -> Any:
        return Sigmoid(self.args[0])


class Log1p(sp.Function):  # type: ignore[misc]
    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (1 + self.args[0])


class Expm1(sp.Function):  # type: ignore[misc]
    def fdiff(self, argindex: int = 1) -> Any:
        return sp.exp(self.args[0])


class Floor(sp.Function):  # type: ignore[misc]
    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


class Ceiling(sp.Function):  # type: ignore[misc]
    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


def stable(formula: Any) -> Any:
    """The formula with functions in place of what overflows or cancels: log(1 + eᵘ), 1/(1 + eᵘ), log(1 + u), eᵘ - 1."""
    u = sp.Wild("u")
    patterns = [
        (sp.exp(u) / (1 + sp.exp(u)), lambda u: Sigmoid(u)),
        (1 / (1 + sp.exp(u)), lambda u: Sigmoid(-u)),
        (sp.log(1 + sp.exp(u)), lambda u: Softplus(u)),
    ]
    for pattern, replacement in patterns:
        formula = formula.replace(pattern, replacement)
    formula = formula.replace(lambda e: isinstance(e, sp.log) and _plus_one(e.args[0]), lambda e: Log1p(e.args[0] - 1))
    formula = formula.replace(lambda e: e.is_Add and _cancelling(e) is not None, _with_expm1)
    formula = formula.replace(sp.Mod, lambda a, b: a - b * Floor(a / b))
    return formula.replace(sp.floor, Floor).replace(sp.ceiling, Ceiling)


def _cancelling(total: Any) -> Any:
    """The exponential in a sum c·eᵘ - c + …, or None."""
    terms = total.as_coefficients_dict()
    constant = terms.get(sp.S.One, 0)
    return next(
        (term for term, c in terms.items() if isinstance(term, sp.exp) and constant != 0 and c == -constant), None
    )


def _with_expm1(total: Any) -> Any:
    terms = total.as_coefficients_dict()
    power = _cancelling(total)
    return total - terms[power] * (power - 1) + terms[power] * Expm1(power.args[0])


def _plus_one(argument: Any) -> bool:
    return bool(argument.is_Add and sp.Integer(1) in argument.args)


# --- conversion --------------------------------------------------------------------------------------------------


class Converter:
    """Builds expressions of one data type from SymPy expressions whose symbols stand for given expressions."""

    def __init__(self, symbols: Mapping[Any, Expr], dtype: str) -> None:
        self.symbols: dict[Any, Expr] = dict(symbols)
        self.dtype = dtype

    def number(self, value: float) -> Expr:
        return number(value, self.dtype)

    def convert(self, e: Any, lead: Expr | None = None) -> Expr:
        """The expression for `e`, times `lead` if given; a factor goes into the branches of a choice, so that what is
        not chosen cannot make a nan."""
        if lead is not None:
            return self._scaled(e, lead)
        known: Expr | None = self.symbols.get(e)
        if known is not None:
            return known
        if e.is_number or e in (sp.oo, -sp.oo, sp.nan):
            return self.number(float(e))
        if e.is_Add:
            return self._add(e)
        if e.is_Mul:
            return self._mul(e)
        if isinstance(e, sp.Pow):
            return self._power(*e.as_base_exp())
        if isinstance(e, sp.Piecewise):
            return self._choose(e, None)
        if isinstance(e, (sp.Max, sp.Min)):
            return self._fold(s.maximum if isinstance(e, sp.Max) else s.minimum, e.args)
        if isinstance(e, sp.Heaviside):
            return self._heaviside(e, self.number(1.0))
        if isinstance(e, sp.DiracDelta):
            return self.number(0.0)
        for kind, function in _FUNCTIONS.items():
            if isinstance(e, kind):
                return function(*map(self.convert, e.args))
        if isinstance(e, (sp.tan, sp.cot, sp.sec, sp.csc)):
            return self.convert(e.rewrite(sp.cos, sp.sin) if isinstance(e, (sp.sec, sp.csc)) else _quotient(e))
        if isinstance(e, sp.functions.elementary.hyperbolic.HyperbolicFunction):
            return self.convert(e.rewrite(sp.exp))
        names = sorted(kind.__name__ for kind in _FUNCTIONS)
        raise Unsupported(
            f"the formula holds {type(e).__name__} ({e}); what can be used: arithmetic, {', '.join(names)}"
        )

    def _scaled(self, e: Any, lead: Expr) -> Expr:
        if isinstance(e, sp.Piecewise):
            return self._choose(e, lead)
        if isinstance(e, sp.Heaviside):
            return self._heaviside(e, lead)
        if isinstance(e, sp.DiracDelta):
            return self.number(0.0)
        if e.is_number:
            value = float(e)
            if value in (1.0, -1.0):
                return lead if value == 1.0 else s.negative(lead)
            return s.multiply(lead, self.number(value)) if value else self.number(0.0)
        choices = [f for f in e.args if isinstance(f, (sp.Piecewise, sp.Heaviside))] if e.is_Mul else []
        if choices:
            return self._scaled(choices[0], self._scaled(e / choices[0], lead))
        if e.is_Mul or isinstance(e, sp.Pow):
            return self._mul(e, lead)
        return s.multiply(lead, self.convert(e))

    def _add(self, e: Any) -> Expr:
        """A sum, its positive terms first so that negative ones are subtracted."""
        terms = sorted(e.as_ordered_terms(), key=lambda t: bool(t.could_extract_minus_sign()))
        total = self.convert(terms[0])
        for term in terms[1:]:
            if term.could_extract_minus_sign():
                total = s.subtract(total, self.convert(-term))
            else:
                total = s.add(total, self.convert(term))
        return total

    def _mul(self, e: Any, lead: Expr | None = None) -> Expr:
        """A product as numerator / denominator, with its number once."""
        factors = sp.Mul.make_args(e)
        above: list[Expr] = [] if lead is None else [lead]
        below: list[Expr] = []
        for factor in factors:
            if factor.is_number:
                continue
            base, exponent = factor.as_base_exp()
            if exponent.is_number and exponent.is_negative and not isinstance(factor, sp.exp):
                below.append(self._power(base, -exponent))
            else:
                above.append(self.convert(factor))
        value = float(sp.Mul(*(f for f in factors if f.is_number)))
        if not above:
            return s.divide(self.number(value), _product(below))
        result = _product(above)
        if value not in (1.0, -1.0):
            result = s.multiply(self.number(value), result)
        if below:
            result = s.divide(result, _product(below))
        return s.negative(result) if value == -1.0 else result

    def _power(self, base: Any, exponent: Any) -> Expr:
        if base == sp.E:
            return s.exp(self.convert(exponent))
        x = self.convert(base)
        if exponent == 1:
            return x
        if exponent == 2:
            return s.square(x)
        if exponent == 3:
            return s.multiply(x, s.square(x))
        if exponent == 4:
            return s.square(s.square(x))
        if exponent == sp.Rational(1, 2):
            return s.sqrt(x)
        if exponent == sp.Rational(-1, 2):
            return s.rsqrt(x)
        if exponent == -1:
            return s.reciprocal(x)
        return s.power(x, self.convert(exponent))

    def _fold(self, function: Callable[[Expr, Expr], Expr], args: Sequence[Any]) -> Expr:
        numbers_last = sorted(args, key=lambda a: (bool(a.is_number), sp.default_sort_key(a)))
        result = self.convert(numbers_last[0])
        for arg in numbers_last[1:]:
            result = function(result, self.convert(arg))
        return result

    def _heaviside(self, e: Any, lead: Expr) -> Expr:
        x = self.convert(e.args[0])
        half = s.multiply(lead, self.number(0.5)) if lead.op != "constant" else self.number(0.5)
        return s.where(s.equal(x, 0.0), half, s.where(s.greater(x, 0.0), lead, 0.0))

    def _choose(self, e: Any, lead: Expr | None) -> Expr:
        *cases, (last, condition) = e.args
        result = self.convert(last, lead)
        if condition not in (True, sp.true):
            cases, result = e.args, self.number(float("nan"))
        for value, test in reversed(cases):
            result = s.where(self.condition(test), self.convert(value, lead), result)
        return result

    def condition(self, e: Any) -> Expr:
        if e in (sp.true, sp.false):
            return number(bool(e), "bool")
        if isinstance(e, sp.Not):
            return s.logical_not(self.condition(e.args[0]))
        if isinstance(e, (sp.And, sp.Or)):
            parts = [self.condition(a) for a in sorted(e.args, key=sp.default_sort_key)]
            result = parts[0]
            for part in parts[1:]:
                result = (s.logical_and if isinstance(e, sp.And) else s.logical_or)(result, part)
            return result
        for kind, function in _RELATIONS.items():
            if isinstance(e, kind):
                return function(self.convert(e.lhs), self.convert(e.rhs))
        raise Unsupported(f"the formula holds the condition {e}; what can be used: comparisons joined by &, | and ~")


def _product(factors: Sequence[Expr]) -> Expr:
    result = factors[0]
    for factor in factors[1:]:
        result = s.multiply(result, factor)
    return result


def _quotient(e: Any) -> Any:
    (x,) = e.args
    return sp.sin(x) / sp.cos(x) if isinstance(e, sp.tan) else sp.cos(x) / sp.sin(x)


_FUNCTIONS: dict[Any, Callable[..., Expr]] = {
    sp.exp: s.exp, sp.log: s.log, sp.sin: s.sin, sp.cos: s.cos, sp.tanh: s.tanh, sp.erf: s.erf, sp.Abs: s.absolute,
    sp.sign: s.sign, sp.floor: s.floor, sp.ceiling: s.ceil, sp.Mod: s.mod, Sigmoid: s.sigmoid, Softplus: s.softplus,
    Log1p: s.log1p, Expm1: s.expm1, Floor: s.floor, Ceiling: s.ceil,
    sp.erfc: lambda x: s.subtract(1.0, s.erf(x)),
}  # fmt: skip
_RELATIONS: dict[Any, Callable[..., Expr]] = {
    sp.Eq: s.equal, sp.Ne: s.not_equal, sp.StrictLessThan: s.less, sp.LessThan: s.less_equal,
    sp.StrictGreaterThan: s.greater, sp.GreaterThan: s.greater_equal,
}  # fmt: skip


# --- derivatives -------------------------------------------------------------------------------------------------


def partial_formulas(formula: Any, symbols: Sequence[Any]) -> list[Any]:
    """The derivative of a stable formula with respect to each symbol."""
    return [sp.diff(formula, symbol) for symbol in symbols]
