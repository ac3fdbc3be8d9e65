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


@dataclass
class Loop:
    """The equations of a loop, in order, and the steps it counts."""

    lines: list[tuple[str, Tree]]
    letter: str
    first: str
    last: str


@dataclass
class Document:
    """The equations of a text by the keys of their left sides; `loops` by those of the values at their steps."""

    equations: dict[str, Tree] = field(default_factory=dict)
    loops: dict[str, Loop] = field(default_factory=dict)


def equations(text: str) -> Document:
    """The equations of a text as it is printed; the first line without a left side is called `result`."""
    document = Document()
    pending: list[tuple[str, Tree]] = []
    for line in text.partition("\nwith\n")[0].splitlines():
        if line.strip() == "where":
            continue
        left, right = _sides(line.strip())
        name, tree = key(left), parse(right)
        if tree.kind == "steps":
            letter = tree.text(1)
            lines = [(name, tree.tree(0))]
            while pending and timed(pending[-1][0], letter):
                lines.insert(0, pending.pop())
            loop = Loop(lines, letter, tree.text(2), tree.text(3))
            document.loops.update((sequence(one, letter)[0], loop) for one, _ in lines)
        else:
            pending.append((name, tree))
    document.equations.update(pending)
    return document


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


def ordered(document: Document) -> list[str | Loop]:
    """The equations and loops of a document, each after those that it mentions."""
    bases = list(document.loops)
    times = {loop.letter for loop in document.loops.values()}
    order: list[str | Loop] = []
    seen: set[int | str] = set()

    def needs(unit: str | Loop) -> list[str | Loop]:
        trees = [tree for _, tree in unit.lines] if isinstance(unit, Loop) else [document.equations[unit]]
        found: list[str | Loop] = []
        for name in dict.fromkeys(key(name) for tree in trees for name in names(tree)):
            if name in document.equations:
                found.append(name)
                continue
            found += [loop for base, loop in document.loops.items() if _belongs(name, base, loop.letter)]
            found += [
                base for one in times if timed(name, one) and (base := sequence(name, one)[0]) in document.equations
            ]
        if isinstance(unit, Loop):
            starts = [base for base in bases if document.loops[base] is unit]
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
