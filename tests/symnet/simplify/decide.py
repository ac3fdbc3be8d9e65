"""How each rule is shown to be an equation: by SymPy, in exact fractions, or with 50 digits at random points.

SymPy is asked about rules of smooth scalar functions, for all values of their variables at once. Fractions decide rules
of arithmetic and of moves of elements. What neither decides is compared with 50 digits, in `test_rules.py`.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.op import lookup
from symnet.expr.traverse import leaves
from symnet.ops.scalar_op import ScalarOp
from symnet.simplify.pattern import Apply, Attr, Call, Const, Number, Term, Var
from symnet.simplify.rule import Rule
from tests.symnet.simplify import rationally
from tests.symnet.simplify.samples import samples

SIZES = {"N": 3}
POINTS = 3
SECONDS = 4


class Undecided(Exception):
    """The method does not apply to the rule."""


class Wrong(AssertionError):
    """The two sides differ."""


# --- SymPy ---------------------------------------------------------------------------------------------------------


def by_sympy(rule: Rule) -> None:
    """Return if SymPy finds the sides of `rule` to be equal; raise `Undecided` otherwise."""
    symbols = {name: sp.Symbol(name, real=True, **asked) for name, asked in _domains(rule).items()}
    left, right = _in_sympy(rule.pattern, symbols), _in_sympy(rule.replacement, symbols)
    with time_limit(SECONDS):
        for form in (lambda e: e, lambda e: e.rewrite(sp.exp), lambda e: sp.expand_log(e.rewrite(sp.exp))):
            difference = form(left) - form(right)
            if difference == 0 or sp.simplify(difference) == 0:
                return
    raise Undecided


def _domains(rule: Rule) -> dict[str, dict[str, bool]]:
    """What the conditions of a rule say of its variables, as SymPy's assumptions."""
    found: dict[str, dict[str, bool]] = {}

    def visit(part: Term) -> None:
        if isinstance(part, (Var, Const)):
            found.setdefault(part.name, {})
        elif isinstance(part, Apply):
            for arg in part.args:
                visit(arg)

    visit(rule.pattern)
    known = {"positive": {"positive": True}, "nonnegative": {"nonnegative": True}, "nonzero": {"zero": False},
             "finite": {}, "floating": {}, "scalar_shaped": {}, "array_shaped": {}}  # fmt: skip
    for call in rule.condition:
        name = call.function.__name__
        if name not in known or len(call.args) != 1 or not isinstance(call.args[0], (Var, Const)):
            raise Undecided
        found.get(call.args[0].name, {}).update(known[name])
    return found


def _in_sympy(part: Term, symbols: dict[str, Any]) -> Any:
    if isinstance(part, (Var, Const)):
        return symbols[part.name]
    if isinstance(part, Number):
        if isinstance(part.value, bool) or not np.isfinite(part.value):
            raise Undecided
        return sp.Rational(Fraction(part.value).limit_denominator(10**6))
    if not isinstance(part, Apply) or not isinstance(part.op, str):
        raise Undecided
    op = lookup(part.op)
    if not isinstance(op, ScalarOp) or op.formula is None or any(isinstance(v, (Attr, Call)) for _, v in part.attrs):
        raise Undecided
    value = op.formula(sp, *(_in_sympy(arg, symbols) for arg in part.args))
    if not isinstance(value, sp.Expr) or value.has(sp.Piecewise, sp.floor, sp.nan, sp.oo, sp.zoo):
        raise Undecided
    return value


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """`Undecided` when the block takes longer."""

    def stop(*_: object) -> None:
        raise Undecided

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# --- fractions -----------------------------------------------------------------------------------------------------


def by_fractions(rule: Rule, rng: np.random.Generator) -> int:
    """How many elements were compared; `Undecided` where a side is not rational, `Wrong` where they differ."""
    from tests.symnet.simplify.test_rules import apply_rule

    compared = 0
    for node in samples(rule, rng):
        new = apply_rule(rule, node)
        assert new is not None
        for _ in range(POINTS):
            try:
                before, after = rationally.evaluate([node, new], draw(node, rng), SIZES)
            except rationally.Irrational:
                raise Undecided from None
            except ZeroDivisionError:
                continue
            if before.shape != after.shape or (before != after).any():
                raise Wrong(f"{rule}: {before} became {after}")
            compared += before.size
    if not compared:
        raise Undecided
    return compared


def draw(node: Expr, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Fractions of whole numbers up to a million, class indices below 4, conditions."""
    values: dict[str, np.ndarray] = {}
    for leaf in leaves([node], "input"):
        shape = dims.evaluate_shape(leaf.shape, SIZES)
        if leaf.dtype == "bool":
            values[leaf.attrs["name"]] = np.asarray(rng.random(shape) < 0.5)
        elif leaf.dtype == "int64":
            values[leaf.attrs["name"]] = np.asarray(rng.integers(0, 4, shape))
        else:
            above, below = (rng.integers(1, 10**6, shape) for _ in range(2))
            sign = rng.choice([-1, 1], shape)
            fractions = np.frompyfunc(lambda s, a, b: Fraction(int(s) * int(a), int(b)), 3, 1)(sign, above, below)
            array = np.asarray(fractions, object)
            symmetric = leaf.attrs.get("symmetric")
            values[leaf.attrs["name"]] = array + np.swapaxes(array, -1, -2) if symmetric else array
    return values


# --- either ------------------------------------------------------------------------------------------------------


def method(rule: Rule, rng: np.random.Generator) -> str:
    """The strongest method that decides `rule`: "sympy", "fractions" or "digits"."""
    for name, decide in (("sympy", lambda: by_sympy(rule)), ("fractions", lambda: by_fractions(rule, rng))):
        try:
            decide()
        except Undecided:
            continue
        return name
    return "digits"
