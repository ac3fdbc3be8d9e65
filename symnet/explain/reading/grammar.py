"""The grammar of formulas in text: from a line to a tree.

docs/formulas.md tells the grammar. A tree is a `Tree(kind, parts)`; the parts are trees, and strings where a name, a
subscript or a shape stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from symnet.errors import UsageError
from symnet.explain.notation import BAR, HAT
from symnet.expr import dims
from symnet.expr.dims import Shape

SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", "0123456789+−()aehijklmnoprstuvxβγρφχ", strict=True))
SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺⁽⁾ⁿⁱᵗ", "0123456789−+()nit", strict=True))
BOLD = dict(zip("𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "0123456789", strict=True))
_RELATIONS = {"=", "≠", "≤", "≥", "<", ">"}
_FENCES = {"|": "|", "‖": "‖", "⌊": "⌋", "⌈": "⌉"}
# Which argument is a shape.
_SHAPED = {
    "reshape": 1, "repeat": 1, "pad": 1, "scatter": 1, "normal": 0, "uniform": 0, "bits": 0, "constant": 0,
}  # fmt: skip
_NUMBER = re.compile(r"\d+(\.\d+)?(e−?\d+)?")


@dataclass(frozen=True)
class Tree:
    """A formula: what it is, and its parts."""

    kind: str
    parts: tuple[object, ...] = ()

    def tree(self, index: int) -> Tree:
        part = self.parts[index]
        assert isinstance(part, Tree)
        return part

    def text(self, index: int) -> str:
        part = self.parts[index]
        assert isinstance(part, str)
        return part

    def trees(self) -> list[Tree]:
        return [part for part in self.parts if isinstance(part, Tree)]


def parse(text: str) -> Tree:
    """The tree of one formula; `UsageError` with the place where it is none."""
    parser = _Parser(text)
    tree = parser.stepwise()
    parser.skip()
    if parser.at < len(text):
        raise parser.error("nothing more")
    return tree


def extent(text: str) -> Shape:
    """The shape that is written 2 N×3, (N + 1)×2 or, for a number, 1."""
    if text == "1":
        return ()
    return tuple(dimension(part) for part in text.split("×"))


def dimension(text: str) -> dims.Dim:
    """The size that is written 2 N + 1."""
    plain = text.strip().removeprefix("(").removesuffix(")").replace("−", "-")
    return dims.canonical(int(plain) if plain.isdigit() else re.sub(r"(?<=\w) (?=\w)", "*", plain))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    # --- characters ----------------------------------------------------------------------------------------------

    def error(self, expected: str) -> UsageError:
        return UsageError(
            f"cannot read the formula at position {self.at}, {self.text[self.at : self.at + 20]!r}: "
            f"expected {expected}, in {self.text!r}"
        )

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def skip(self) -> None:
        while self.peek() == " ":
            self.at += 1

    def sees(self, sign: str) -> bool:
        """Whether `sign` comes next, maybe after spaces, which are then skipped."""
        position = self.at
        self.skip()
        if self.text.startswith(sign, self.at):
            return True
        self.at = position
        return False

    def take(self, sign: str) -> bool:
        found = self.sees(sign)
        self.at += len(sign) * found
        return found

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.error(repr(sign))

    # --- from the loosest to the tightest ------------------------------------------------------------------------

    def stepwise(self) -> Tree:
        """body,  t = 1 … T; of a loop that ends with one inside it, body,  m = 1 … M,  t = 1 … T"""
        body = self.expression()
        while self.take(",  "):
            index = self.name()
            self.expect("=")
            first, _, last = self.text[self.at :].partition(",  ")[0].partition("…")
            self.at += len(first) + len(last) + 1
            body = Tree("steps", (body, index, first.strip(), last.strip()))
        return body

    def expression(self) -> Tree:
        return self.chain(lambda: self.chain(self.comparison, "∧"), "∨")

    def chain(self, part: Callable[[], Tree], sign: str) -> Tree:
        tree = part()
        while self.take(sign):
            tree = Tree(sign, (tree, part()))
        return tree

    def comparison(self) -> Tree:
        tree = self.sum()
        self.skip()
        if self.peek() in _RELATIONS and self.peek():
            sign = self.peek()
            self.at += 1
            return Tree(sign, (tree, self.sum()))
        if self.take("mod "):
            return Tree("mod", (tree, self.postfix()))
        return tree

    def sum(self) -> Tree:
        terms = [("−" if self.take("−") else "+", self.big())]
        while True:
            if self.take("+ "):
                terms.append(("+", self.big()))
            elif self.take("− "):
                terms.append(("−", self.big()))
            else:
                break
        if len(terms) == 1:
            sign, tree = terms[0]
            return tree if sign == "+" else Tree("negative", (tree,))
        return Tree("sum", tuple(part for term in terms for part in term))

    def big(self) -> Tree:
        self.skip()
        if self.peek() and self.peek() in "Σ∏":
            sign = self.peek()
            self.at += 1
            letters = self.subscript()
            return Tree(sign, (letters, self.big()))
        return self.product()

    def product(self) -> Tree:
        tree = self.postfix()
        while True:
            for sign in ("⊙", "·", "⊗", "∗ᵀ", "∗", "⋆", "/"):
                if self.take(sign):
                    settings = self.subscript() if sign in "∗ᵀ⋆" else ""
                    tree = Tree(sign, (tree, self.postfix(), settings))
                    break
            else:
                if not self.begins_factor():
                    return tree
                tree = Tree("times", (tree, self.postfix()))

    def begins_factor(self) -> bool:
        """Whether another factor stands right behind a space."""
        if self.peek() != " ":
            return False
        following = self.text[self.at + 1 : self.at + 2]
        if self.text.startswith(("mod ", "with ", "…"), self.at + 1):
            return False
        return following.isalnum() or (bool(following) and following in "(∂√∞[‖⌊⌈|")

    # --- atoms and what follows them -----------------------------------------------------------------------------

    def postfix(self) -> Tree:
        tree = self.atom()
        while True:
            here = self.peek()
            if here == "ᵀ":
                self.at += 1
                tree = Tree("transposed", (tree,))
            elif self.text.startswith("⁻ᵀ", self.at):
                self.at += 2
                tree = Tree("transposed", (Tree("inverse", (tree,)),))
            elif here == "[":
                tree = Tree("index", (tree, *self.index_parts()))
            elif here in SUPERSCRIPTS or here in ("^", "∘"):
                tree = self.power(tree)
            else:
                return tree

    def power(self, base: Tree) -> Tree:
        each = self.text.startswith(("∘", "^∘"), self.at)
        raised = self.peek() == "^"
        self.at += each + raised
        if raised:
            exponent = self.parenthesised() if self.peek() == "(" else self.atom()
        else:
            start = self.at
            while self.peek() in SUPERSCRIPTS:
                self.at += 1
            digits = "".join(SUPERSCRIPTS[c] for c in self.text[start : self.at])
            exponent = parse(digits)
        if exponent == Tree("negative", (Tree("number", ("1",)),)) and not each:
            return Tree("inverse", (base,))
        return Tree("power", (base, exponent, "∘" if each else ""))

    def index_parts(self) -> tuple[Tree, ...]:
        """What stands between brackets: positions and ranges."""
        self.expect("[")
        parts = []
        while True:
            self.skip()
            match = re.match(r"([^,:\[\]()]*):([^,:\[\]()]*)(?::([^,\[\]()]*))?(?=[,\]])", self.text[self.at :])
            if match:
                self.at += match.end()
                parts.append(Tree("range", tuple(part or "" for part in match.groups())))
            else:
                parts.append(self.position() or self.expression())
            if self.take("]"):
                return tuple(parts)
            self.expect(",")

    def position(self) -> Tree | None:
        """A sum of letters without spaces, 2j+k−1; None where something else stands."""
        match = re.match(r"−?(\d*[^\W\d]′*|\d+)([+−](\d*[^\W\d]′*|\d+))+(?=[,\]])", self.text[self.at :])
        if match is None:
            return None
        self.at += match.end()
        return Tree("position", (match[0],))

    def atom(self) -> Tree:
        self.skip()
        here = self.peek()
        if here == "(":
            return self.parenthesised()
        if here == "[":
            return Tree("vector", self.index_parts())
        if here == "√":
            self.at += 1
            return Tree("root", (self.atom(),))
        if here == "∞":
            self.at += 1
            return Tree("number", ("∞",))
        if here and here in BOLD:
            return self.bold()
        if here in _FENCES:
            return self.fence()
        if here == "∂":
            return self.partial()
        match = _NUMBER.match(self.text, self.at)
        if match:
            self.at = match.end()
            if match[0] == "1" and self.peek() == "[":
                (condition,) = self.index_parts()
                return Tree("indicator", (condition,))
            return Tree("number", (match[0],))
        if here == "∛":
            self.at += 1
            return self.call(here)
        name = self.name()
        if self.text.startswith("⁻¹(", self.at):  # the inverse of a function
            self.at += 2
            return self.call(f"{name}⁻¹")
        return self.call(name) if self.peek() == "(" else Tree("name", (name,))

    def parenthesised(self) -> Tree:
        self.expect("(")
        tree = self.expression()
        self.expect(")")
        if self.peek() in SUBSCRIPTS or self.peek() == "_":
            return Tree("entries", (tree, self.subscript()))
        return tree

    def bold(self) -> Tree:
        start = self.at
        while self.peek() in BOLD or self.peek() in (".", "e", "−"):
            self.at += 1
        return Tree("bold", ("".join(BOLD.get(c, c) for c in self.text[start : self.at]),))

    def fence(self) -> Tree:
        left = self.peek()
        self.at += 1
        body = self.expression()
        self.expect(_FENCES[left])
        return Tree(left, (body, self.subscript()))

    def partial(self) -> Tree:
        """∂L/∂W is the name of a value."""
        start = self.at
        self.expect("∂")
        self.name()
        self.expect("/∂")
        if self.peek() == "∂":
            self.partial()
        elif self.peek() == "(":
            self.parenthesised()
        else:
            self.name()
        return Tree("name", (self.text[start : self.at],))

    def call(self, function: str) -> Tree:
        """function(arguments); shapes among them are read as such."""
        self.expect("(")
        arguments: list[Tree] = []
        while not self.take(")"):
            if arguments:
                self.expect(",")
            self.skip()
            shaped = _SHAPED.get(function) == len(arguments)
            arguments.append((self.extent() if shaped else None) or self.expression())
        return Tree("call", (function, *arguments))

    def extent(self) -> Tree | None:
        """A shape with ×, maybe with the places in it that are meant; None where something else stands."""
        size = r"(?:\([^()]*\)|[\w ]+)"
        match = re.match(rf"{size}(?:×{size})+(?=[,)\[])|{size}(?=\[)", self.text[self.at :])
        if match is None or ("×" not in match[0] and not re.fullmatch(r"[\d]+|[A-Z]", match[0])):
            return None
        self.at += match.end()
        places = self.index_parts() if self.peek() == "[" else ()
        return Tree("extent", (match[0], *places))

    # --- names ---------------------------------------------------------------------------------------------------

    def name(self) -> str:
        start = self.at
        while self.peek() and (_is_letter(self.peek()) or self.peek() in (BAR, HAT)):
            self.at += 1
        if self.at == start:
            raise self.error("a name or a number")
        while self.peek() == "′":
            self.at += 1
        number = re.compile("⁽[⁰¹²³⁴⁵⁶⁷⁸⁹]+⁾").match(self.text, self.at)  # of a layer
        if number:
            self.at = number.end()
        self.subscript()
        return self.text[start : self.at]

    def subscript(self) -> str:
        """The subscript that stands here, as plain text: n,j for ₙⱼ and for _{n,j}; empty if there is none."""
        start = self.at
        while self.peek() in SUBSCRIPTS or (self.peek() == "′" and self.at > start):
            self.at += 1
        small = "".join(SUBSCRIPTS.get(c, c) for c in self.text[start : self.at])
        if self.peek() != "_":
            return small
        if self.text.startswith("_{", self.at):
            end = self.text.find("}", self.at)
            inner = self.text[self.at + 2 : end]
            self.at = end + 1
            return small + inner
        start = self.at + 1
        self.at += 1
        while self.peek() and (_is_letter(self.peek()) or self.peek() in ("_", "′")):
            self.at += 1
        if self.at == start:
            raise self.error("a subscript")
        return small + self.text[start : self.at]


def _is_letter(character: str) -> bool:
    signs = (*SUBSCRIPTS, *SUPERSCRIPTS, *BOLD, "ᵀ", "Σ", "∏", "_")
    return character.isalnum() and character not in signs
