"""A text of equations: what each name is defined as, which of them make a loop, and the order to read them in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from symnet.explain.reading.grammar import SUBSCRIPTS, Tree, parse


def key(name: str) -> str:
    """A name with its subscript as plain text after an underscore: W_1 for W₁ and h_t−1 for hₜ₋₁."""
    base = re.match(r"[^₀-₉₊₋₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ_]*", name)
    assert base is not None
    rest = name[base.end() :]
    small = "".join(SUBSCRIPTS.get(c, c) for c in rest)
    plain = re.sub(r"_\{([^}]*)\}|_", lambda match: match[1] or "", small)
    if name.startswith("∂"):
        return name
    return f"{base[0]}_{plain}" if plain else base[0]


@dataclass(eq=False)
class Loop:
    """The equations of a loop, in order, with the loops inside it, and the steps it counts."""

    lines: list[tuple[str, Tree] | Loop]
    letter: str
    first: str
    last: str
    outer: Loop | None = None

    def equations(self) -> list[tuple[str, Tree]]:
        """Its equations and those of the loops inside."""
        found = []
        for line in self.lines:
            found += line.equations() if isinstance(line, Loop) else [line]
        return found

    @property
    def whole(self) -> Loop:
        """The outermost loop around it."""
        return self if self.outer is None else self.outer.whole


@dataclass
class Document:
    """The equations of a text by the keys of their left sides; `loops` by those of the values at their steps."""

    equations: dict[str, Tree] = field(default_factory=dict)
    loops: dict[str, Loop] = field(default_factory=dict)


def equations(text: str) -> Document:
    """The equations of a text as it is printed; the first line without a left side is called `result`."""
    document = Document()
    pending: list[tuple[str, Tree] | Loop] = []
    for line in text.partition("\nwith\n")[0].splitlines():
        if line.strip() == "where":
            continue
        left, right = _sides(line.strip())
        name, tree = key(left), parse(right)
        ends: list[Tree] = []
        while tree.kind == "steps":
            ends.insert(0, tree)
            tree = tree.tree(0)
        pending.append((name, tree))
        for end in ends:
            pending.append(_loop(end, pending))
    for one in pending:
        if isinstance(one, Loop):
            document.loops.update(_sequences(one))
        else:
            document.equations[one[0]] = one[1]
    return document


def _loop(end: Tree, pending: list[tuple[str, Tree] | Loop]) -> Loop:
    """The loop whose steps `end` counts: the last of the pending equations with its letter, which are taken away."""
    loop = Loop([], end.text(1), end.text(2), end.text(3))
    while pending and _runs_in(pending[-1], loop.letter):
        loop.lines.insert(0, pending.pop())
    for line in loop.lines:
        if isinstance(line, Loop):
            line.outer = loop
    return loop


def _runs_in(line: tuple[str, Tree] | Loop, letter: str) -> bool:
    """Whether an equation, or those of a loop, are for each value of a letter."""
    if isinstance(line, Loop):
        return line.letter != letter and all(counts(name, letter) for name, _ in line.equations())
    return counts(line[0], letter)


def _sequences(loop: Loop) -> dict[str, Loop]:
    """What has values at the steps of a loop, and of those inside it."""
    found: dict[str, Loop] = {}
    for line in loop.lines:
        if isinstance(line, Loop):
            found.update(_sequences(line))
        elif timed(line[0], loop.letter):
            found[sequence(line[0], loop.letter)[0]] = loop
    return found


def counts(name: str, letter: str) -> bool:
    """Whether a subscript of a name is a letter, or the step before or after: h_t−1, h_t,m."""
    return timed(name, letter) or re.search(rf"_(.*,)?{letter}([+−]1)?,", name) is not None


def _sides(line: str) -> tuple[str, str]:
    """Left and right of an equation: the left side is one name."""
    match = re.match(r"(∂\S+|[^\s=(]+(?:_\{[^}]*\})?) = ", line)
    return (match[1], line[match.end() :]) if match else ("result", line)


def timed(name: str, letter: str) -> bool:
    return re.search(rf"(_|,|\d){letter}([+−]1)?\Z", name) is not None


def sequence(name: str, letter: str) -> tuple[str, int]:
    """The sequence and the shift of a name with a time: (h, −1) for h_t−1."""
    match = re.match(rf"(.*?)(?:_|,)?{letter}([+−]1)?\Z", name)
    assert match is not None
    base = match[1]
    return base, int((match[2] or "0").replace("−", "-"))


def _belongs(name: str, base: str, letter: str) -> bool:
    """Whether a name is a sequence, or its value at some step."""
    if timed(name, letter):
        return sequence(name, letter)[0] == base
    return name == base or re.match(rf"{re.escape(base)}[_,][^_,]+\Z", name) is not None


def walk(tree: Tree) -> Iterable[Tree]:
    stack = [tree]
    while stack:
        one = stack.pop()
        yield one
        stack.extend(one.trees())


def names(tree: Tree) -> list[str]:
    return [one.text(0) for one in walk(tree) if one.kind == "name"]


LETTERS = re.compile(r"[^\W\d]′*")


def bound(tree: Tree) -> set[str]:
    """The letters that a sum, or brackets with indices, give values to."""
    if tree.kind in ("Σ", "∏"):
        return set(LETTERS.findall(tree.text(0)))
    return set(LETTERS.findall(tree.text(1))) if tree.kind == "entries" else set()


def free_names(tree: Tree) -> list[str]:
    """The names in a formula without those that count the indices of brackets."""
    found: dict[str, None] = {}
    stack = [(tree, frozenset[str]())]
    while stack:
        one, letters = stack.pop()
        if one.kind == "name" and one.text(0) not in letters:
            found[one.text(0)] = None
        if one.kind == "index" and one.tree(0).kind == "name":  # an array, in k[i, k] too
            found[one.tree(0).text(0)] = None
        letters |= bound(one)
        stack.extend((part, letters) for part in reversed(one.trees()))
    return list(found)


def ordered(document: Document) -> list[str | Loop]:
    """The equations and loops of a document, each after those that it mentions."""
    bases = list(document.loops)
    times = {loop.letter for loop in document.loops.values()}
    order: list[str | Loop] = []
    seen: set[int | str] = set()

    def needs(unit: str | Loop) -> list[str | Loop]:
        trees = [tree for _, tree in unit.equations()] if isinstance(unit, Loop) else [document.equations[unit]]
        found: list[str | Loop] = []
        for name in dict.fromkeys(key(name) for tree in trees for name in free_names(tree)):
            if name in document.equations:
                found.append(name)
                continue
            found += [loop.whole for base, loop in document.loops.items() if _belongs(name, base, loop.letter)]
            found += [
                base for one in times if timed(name, one) and (base := sequence(name, one)[0]) in document.equations
            ]
        if isinstance(unit, Loop):
            starts = [base for base in bases if document.loops[base].whole is unit]
            found += [
                name for name in document.equations if any(re.match(rf"{re.escape(b)}[_,]", name) for b in starts)
            ]
        return found

    stack: list[tuple[str | Loop, bool]] = [(name, False) for name in document.equations]
    while stack:
        unit, done = stack.pop()
        mark = unit if isinstance(unit, str) else id(unit)
        if done:
            order.append(unit)
        elif mark not in seen:
            seen.add(mark)
            stack.append((unit, True))
            stack += [(one, False) for one in needs(unit) if one is not unit]
    return order
