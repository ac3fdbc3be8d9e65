"""Matching patterns and building replacements.

A pattern is compiled once into nested functions: matching is most of what simplification costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symnet.errors import CompilerBug
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.leaves import number
from symnet.simplify.folding import ARITHMETIC, fold, is_number
from symnet.simplify.pattern import Apply, Attr, Call, Const, Family, Number, Rest, Term, Var, show

Bindings = dict[str, Any]
Matcher = Callable[[Expr, Bindings, frozenset[int]], bool]


class Refused(Exception):
    """A computed part of a replacement has no value for what was matched: the rule does not apply."""


def compile_pattern(pattern: Term) -> Matcher:
    """A function (node, bindings, opaque) -> bool that matches and fills in the bindings.

    `opaque` holds the ids of nodes that match variables only: what is under them must stay as it is.
    """
    if isinstance(pattern, Var):
        return _match_variable(pattern.name)
    if isinstance(pattern, Const):
        return _match_constant(pattern.name)
    if isinstance(pattern, Number):
        return _match_number(pattern.value)
    if isinstance(pattern, Apply):
        return _match_apply(pattern)
    raise CompilerBug(f"a pattern cannot contain the computed part {show(pattern)}")


def _match_variable(name: str) -> Matcher:
    def match(node: Expr, env: Bindings, opaque: frozenset[int]) -> bool:
        return env.setdefault(name, node) is node

    return match


def _match_constant(name: str) -> Matcher:
    def match(node: Expr, env: Bindings, opaque: frozenset[int]) -> bool:
        return node.op == "constant" and not node.shape and env.setdefault(name, node) is node

    return match


def _match_number(value: float | int | bool) -> Matcher:
    def match(node: Expr, env: Bindings, opaque: frozenset[int]) -> bool:
        return node.op == "constant" and not node.shape and bool(node.attrs["value"] == value)

    return match


def _match_apply(pattern: Apply) -> Matcher:
    family = pattern.op if isinstance(pattern.op, Family) else None
    op = None if family else pattern.op
    rest = pattern.args[-1].name if pattern.args and isinstance(pattern.args[-1], Rest) else None
    matchers = [compile_pattern(arg) for arg in (pattern.args if rest is None else pattern.args[:-1])]
    count = len(matchers)
    if any(isinstance(value, Term) and not isinstance(value, Attr) for _, value in pattern.attrs):
        raise CompilerBug(f"the attributes of the pattern {show(pattern)} are computed: name them and add a condition")
    wanted = [
        (name, value.name, None) if isinstance(value, Attr) else (name, None, value) for name, value in pattern.attrs
    ]

    def match(node: Expr, env: Bindings, opaque: frozenset[int]) -> bool:
        if family is None:
            if node.op != op:
                return False
        else:
            first = env.setdefault(family.name, node)
            if node.op not in family.ops or first.op != node.op:
                return False
        if id(node) in opaque or len(node.args) < count or (rest is None and len(node.args) != count):
            return False
        if rest is not None and env.setdefault(rest, node.args[count:]) != node.args[count:]:
            return False
        for name, variable, value in wanted:
            actual = node.attrs[name]
            if variable is not None:
                if env.setdefault(variable, actual) != actual:
                    return False
            elif actual != value:
                return False
        for matcher, arg in zip(matchers, node.args, strict=False):  # noqa: SIM110 (a generator here costs time)
            if not matcher(arg, env, opaque):
                return False
        return True

    return match


# --- building ----------------------------------------------------------------------------------------------------


def build(template: Term, env: Mapping[str, Any], dtype: str) -> Expr:
    """The node that `template` stands for; a number that meets no expression takes `dtype`. Raises `Refused`."""
    value = _value(template, env, dtype)
    return value if isinstance(value, Expr) else number(value, dtype)


def _value(template: Term, env: Mapping[str, Any], dtype: str) -> Any:
    if isinstance(template, (Var, Const)):
        return env[template.name]
    if isinstance(template, Number):
        return template.value
    if isinstance(template, Call):
        return evaluate(template, env)
    if isinstance(template, Apply):
        args: list[Any] = []
        for arg in template.args:
            args.extend(env[arg.name] if isinstance(arg, Rest) else [_value(arg, env, dtype)])
        valued = args[1:] if template.op == "where" else args
        met = next((arg.dtype for arg in valued if isinstance(arg, Expr)), dtype)
        nodes = [arg if isinstance(arg, Expr) else number(arg, met) for arg in args]
        attrs = {name: evaluate(attr, env) for name, attr in template.attrs}
        if isinstance(template.op, Family):
            matched: Expr = env[template.op.name]
            return make(matched.declaration, nodes, {**matched.attrs, **attrs})
        node = make(lookup(template.op), nodes, attrs)
        folded = fold(node) if template.op in ARITHMETIC and all(map(is_number, nodes)) else None
        return node if folded is None else folded
    raise CompilerBug(f"{show(template)} is not an expression")


def evaluate(part: Any, env: Mapping[str, Any]) -> Any:
    """The value of a computed part, an attribute or a condition; raises `Refused` when it has none."""
    if isinstance(part, Call):
        value = part.function(*(evaluate(arg, env) for arg in part.args))
        if value is None:
            raise Refused
        return value
    if isinstance(part, Const):
        return env[part.name].attrs["value"]
    if isinstance(part, (Var, Attr, Rest)):
        return env[part.name]
    if isinstance(part, Number):
        return part.value
    if isinstance(part, Apply):
        return build(part, env, "float32")
    return part
