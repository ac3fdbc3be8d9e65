"""The table of named values of a report, and the table of formulas that it refers to."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace

from symnet.explain import mathml, text
from symnet.explain.notation import Form
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.report.model import Math, Role, Symbol

LEAF_ROLES: Mapping[str, Role] = {"input": "input", "parameter": "parameter", "state": "state", "hyper": "hyper"}
"""Operation -> role, of what has no formula."""


def parts_of(form: Form, names: Container[Form]) -> Iterator[Form]:
    """The parts of a formula that are in `names`, from the left; nothing inside these."""
    pending: list[object] = [form]
    while pending:
        part = pending.pop()
        if isinstance(part, Form) and part in names:
            yield part
        elif isinstance(part, Form):
            pending += reversed([getattr(part, field.name) for field in fields(part)])
        elif isinstance(part, tuple):
            pending += reversed(part)


class MathTable:
    """Formulas by number, each once."""

    def __init__(self) -> None:
        self.entries: list[Math] = []
        self._numbers: dict[Form | Math, int] = {}

    def add(self, form: Form) -> int:
        if form not in self._numbers:
            entry = Math(text.write(form), mathml.document(form))
            if entry not in self._numbers:
                self._numbers[entry] = len(self.entries)
                self.entries.append(entry)
            self._numbers[form] = self._numbers[entry]
        return self._numbers[form]


@dataclass(frozen=True)
class Entry:
    """A symbol, and the node it names."""

    symbol: Symbol
    node: Expr


class SymbolTable:
    """The symbols in order.

    by_node  which one a value of a formula is shown as
    also     (symbol, node) for other nodes that hold what a symbol stands for: the array of what a loop takes at step t
    inside   (symbol, node) for the nodes in the formula of a symbol that have no name
    """

    def __init__(self, math: MathTable) -> None:
        self.math = math
        self.entries: list[Entry] = []
        self.by_node: dict[Expr, int] = {}
        self.also: list[tuple[int, Expr]] = []
        self.inside: list[tuple[int, Expr]] = []
        self._by_name: dict[Form, int] = {}

    def add(self, node: Expr, name: Form, role: Role) -> int:
        """A new symbol, without a formula; the first one of a node is what others mean when they mention it."""
        number = len(self.entries)
        label = node.name if not node.args or (node.name and node.name != text.write(name)) else None
        symbol = Symbol(
            id=number,
            name=self.math.add(name),
            role=role,
            formula=None,
            op=node.op,
            label=label,
            shape=dims.show(node.shape),
            dtype=node.dtype,
            cluster=None,
            uses=(),
        )
        self.entries.append(Entry(symbol, node))
        self.by_node.setdefault(node, number)
        self._by_name.setdefault(name, number)
        return number

    def alias(self, name: Form, node: Expr) -> None:
        """Another name for the symbol of a node, if it has one."""
        if node in self.by_node:
            self._by_name.setdefault(name, self.by_node[node])

    def define(self, number: int, formula: Form, nodes: Iterable[Expr]) -> None:
        """Give a symbol its formula, of these `nodes`, once all that it mentions are symbols."""
        self.inside += ((number, node) for node in nodes)
        mentioned = dict.fromkeys(self.mentioned(formula))
        uses = tuple(used for used in mentioned if used != number)
        self.update(number, formula=self.math.add(formula), uses=uses, recurs=number in mentioned)

    def use(self, user: Expr, name: Form) -> None:
        """Note that a symbol needs another one, of this name, that its formula does not mention: hₜ needs h₀."""
        if user in self.by_node and name in self._by_name:
            symbol = self.entries[self.by_node[user]].symbol
            self.update(symbol.id, uses=tuple(dict.fromkeys((*symbol.uses, self._by_name[name]))))

    def named(self, name: Form) -> int | None:
        """The symbol of this name."""
        return self._by_name.get(name)

    def mentioned(self, form: Form) -> Iterator[int]:
        """The symbols whose names stand in a formula."""
        return (self._by_name[part] for part in parts_of(form, self._by_name))

    def update(self, number: int, **changes: object) -> None:
        entry = self.entries[number]
        self.entries[number] = replace(entry, symbol=replace(entry.symbol, **changes))  # type: ignore[arg-type]

    @property
    def symbols(self) -> list[Symbol]:
        return [entry.symbol for entry in self.entries]
