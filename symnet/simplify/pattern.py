"""The language in which rules are written: expressions with holes.

    x, y, z = variables("x y z")          stand for any expression
    c, d = constants("c d")               stand for any scalar constant
    I = Rest("I")                         stands for all remaining operands
    A, S = attributes("A S")              stand for the value of an attribute

    log(softmax(z, axis=A))               a pattern, or the template of a replacement
    x * 1                                 a Python number stands for a scalar constant of that value
    compose(p, q)                         in a template: a value computed from what was matched (see `computed`)

A variable that occurs twice must match the same node, which is the same as an equal expression because nodes are
hash-consed. Attributes that a pattern does not mention may have any value. `this` is the node that is being replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import product
from typing import Any

COMMUTATIVE = frozenset(
    ("add", "multiply", "minimum", "maximum", "equal", "not_equal", "logical_and", "logical_or")
)  # fmt: skip

_INFIX = {"add": ("+", 1), "subtract": ("-", 1), "multiply": ("*", 2), "divide": ("/", 2)}


class Term:
    """A pattern or template."""

    __slots__ = ()

    def __add__(self, other: TermLike) -> Apply:
        return Apply("add", (self, term(other)))

    def __radd__(self, other: TermLike) -> Apply:
        return Apply("add", (term(other), self))

    def __sub__(self, other: TermLike) -> Apply:
        return Apply("subtract", (self, term(other)))

    def __rsub__(self, other: TermLike) -> Apply:
        return Apply("subtract", (term(other), self))

    def __mul__(self, other: TermLike) -> Apply:
        return Apply("multiply", (self, term(other)))

    def __rmul__(self, other: TermLike) -> Apply:
        return Apply("multiply", (term(other), self))

    def __truediv__(self, other: TermLike) -> Apply:
        return Apply("divide", (self, term(other)))

    def __rtruediv__(self, other: TermLike) -> Apply:
        return Apply("divide", (term(other), self))

    def __neg__(self) -> Apply:
        return Apply("negative", (self,))

    def __str__(self) -> str:
        return show(self)


@dataclass(frozen=True, slots=True)
class Var(Term):
    """Any expression."""

    name: str

    __str__ = Term.__str__


@dataclass(frozen=True, slots=True)
class Const(Term):
    """Any scalar constant. In an expression it is the node, in a computed part its Python value."""

    name: str

    __str__ = Term.__str__


@dataclass(frozen=True, slots=True)
class Rest(Term):
    """All operands that remain, as a tuple; the last operand of an operation that takes any number."""

    name: str

    __str__ = Term.__str__


@dataclass(frozen=True, slots=True)
class Attr(Term):
    """The value of an attribute."""

    name: str

    __str__ = Term.__str__


@dataclass(frozen=True, slots=True)
class Number(Term):
    """A scalar constant of this value; in a template it takes the data type of what it meets."""

    value: float | int | bool

    __str__ = Term.__str__


@dataclass(frozen=True, slots=True)
class Family:
    """One of several operations: `f = Family("f", ops)`, then `f(x)` matches any of them and builds the same one.

    What is built has the attributes of what was matched, but for those that the template states.
    """

    name: str
    ops: frozenset[str]

    def __call__(self, *args: TermLike, **attrs: Any) -> Apply:
        return Apply(self, tuple(map(term, args)), tuple(attrs.items()))


@dataclass(frozen=True, slots=True)
class Apply(Term):
    """An operation applied to terms."""

    op: str | Family
    args: tuple[Term, ...]
    attrs: tuple[tuple[str, Any], ...] = ()

    __str__ = Term.__str__


@dataclass(frozen=True, slots=True)
class Call(Term):
    """A Python function of what was matched: a condition, an attribute, a number or a node."""

    function: Callable[..., Any]
    args: tuple[Any, ...]

    __str__ = Term.__str__


TermLike = Term | float | int | bool

this = Var("this")
"""The node that the rule is about to replace (its shape, its data type, its attributes)."""


def term(value: TermLike) -> Term:
    return value if isinstance(value, Term) else Number(value)


def variables(names: str) -> Iterator[Var]:
    return (Var(name) for name in names.split())


def constants(names: str) -> Iterator[Const]:
    return (Const(name) for name in names.split())


def attributes(names: str) -> Iterator[Attr]:
    return (Attr(name) for name in names.split())


def operation(op: str) -> Callable[..., Apply]:
    """The constructor of terms of `op`: operands by position, attributes by keyword."""

    def build(*args: TermLike, **attrs: Any) -> Apply:
        return Apply(op, tuple(map(term, args)), tuple(attrs.items()))

    build.__name__ = op
    return build


def computed(function: Callable[..., Any]) -> Callable[..., Call]:
    """Make `function` usable in rules: applied to terms it gives a term, evaluated when the rule is tried.

    It gets nodes for variables, Python values for constants and attributes. Returning None refuses the rule.
    """

    @wraps(function)
    def lifted(*args: Any) -> Call:
        return Call(function, args)

    return lifted


# --- variants ----------------------------------------------------------------------------------------------------


def orientations(pattern: Apply) -> list[Apply]:
    """The pattern with the operands of its commutative operations in every order, without repetitions."""
    choices = [orientations(arg) if isinstance(arg, Apply) else [arg] for arg in pattern.args]
    found: dict[Apply, None] = {}
    for args in product(*choices):
        found[Apply(pattern.op, args, pattern.attrs)] = None
        ops = pattern.op.ops if isinstance(pattern.op, Family) else {pattern.op}
        if len(args) == 2 and ops <= COMMUTATIVE:
            found[Apply(pattern.op, args[::-1], pattern.attrs)] = None
    return list(found)


def renamed(pattern: Term) -> str:
    """The text of a pattern with its names replaced by numbers, in the order in which they occur."""
    names: dict[str, str] = {}

    def rename(part: Any) -> Any:
        if isinstance(part, (Var, Const, Attr, Rest)):
            return type(part)(names.setdefault(part.name, f"{type(part).__name__}{len(names)}"))
        if isinstance(part, Apply):
            return Apply(
                part.op, tuple(map(rename, part.args)), tuple((name, rename(value)) for name, value in part.attrs)
            )
        return part

    return show(rename(pattern))


def head_ops(pattern: Term) -> frozenset[str] | None:
    """The operations a node may have to match `pattern`; None: any."""
    if isinstance(pattern, Apply):
        return pattern.op.ops if isinstance(pattern.op, Family) else frozenset((pattern.op,))
    if isinstance(pattern, (Const, Number)):
        return frozenset(("constant",))
    return None


def weight(pattern: Term) -> int:
    """How much a pattern asks for: 2 for an operation (1 for one of several) and for a number, 1 for any constant and
    for each further occurrence of a variable."""
    found, stack, seen = 0, [pattern], set[str]()
    while stack:
        part = stack.pop()
        if isinstance(part, Apply):
            found += 1 if isinstance(part.op, Family) else 2
            stack.extend(part.args)
        elif isinstance(part, Number):
            found += 2
        elif isinstance(part, (Const, Var)):
            found += isinstance(part, Const) + (part.name in seen)
            seen.add(part.name)
    return found


# --- text --------------------------------------------------------------------------------------------------------


def show(part: Any, strength: int = 0) -> str:
    """The text of a term, as it is written in a table."""
    if isinstance(part, (Var, Const, Attr)):
        return part.name
    if isinstance(part, Rest):
        return f"*{part.name}"
    if isinstance(part, Number):
        return repr(part.value)
    if isinstance(part, Call):
        return f"{part.function.__name__}({', '.join(map(show, part.args))})"
    if not isinstance(part, Apply):
        return repr(part)
    name = part.op.name if isinstance(part.op, Family) else part.op
    if name in _INFIX:
        sign, level = _INFIX[name]
        text = f"{show(part.args[0], level)} {sign} {show(part.args[1], level + 1)}"
        return f"({text})" if strength > level else text
    if name == "negative":
        return f"-{show(part.args[0], 3)}"
    return f"{name}({', '.join([*map(show, part.args), *_show_attrs(part.attrs)])})"


def _show_attrs(attrs: Sequence[tuple[str, Any]]) -> list[str]:
    return [f"{name}={show(value)}" for name, value in attrs]


def variables_of(part: Any) -> frozenset[str]:
    """The names of variables, constants, attributes and families in a term."""
    if isinstance(part, (Var, Const, Attr, Rest)):
        return frozenset((part.name,))
    if isinstance(part, Apply):
        own = frozenset((part.op.name,)) if isinstance(part.op, Family) else frozenset[str]()
        inner = [*part.args, *(value for _, value in part.attrs)]
        return own.union(*map(variables_of, inner))
    if isinstance(part, Call):
        return frozenset[str]().union(*map(variables_of, part.args))
    return frozenset()


def operations_of(part: Any) -> frozenset[str]:
    """The names of the operations that a term contains (all those of a family)."""
    if not isinstance(part, Apply):
        return frozenset()
    own = part.op.ops if isinstance(part.op, Family) else frozenset((part.op,))
    return own.union(*map(operations_of, part.args))
