"""Identifiers of loop programs: readable, unique, and never a word of the grammar."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from codegen.loops.grammar import FUNCTIONS, REDUCERS
from symnet.expr.dims import Dim
from symnet.expr.dtypes import DTYPES, SHORT

RESERVED = frozenset({
    *FUNCTIONS, *REDUCERS, *DTYPES, *SHORT.values(), "program", "dim", "buffer", "kernel", "for", "each", "yield",
    "check", "else", "view", "at", "reversed", "inf", "nan", "true", "false",
})  # fmt: skip

_LETTERS = "ijklmopqrsuvwabcdefgh"


def identifier(text: str) -> str:
    """`text` as an identifier: `layer.0.weight` stays, `0.weight` becomes `p0.weight`, `δ1` becomes `delta1`."""
    spelled = ""
    for character in unicodedata.normalize("NFKC", text):
        if character.isascii():
            spelled += character if character.isalnum() or character in "._" else "_"
        else:
            spelled += unicodedata.name(character, "_").lower().split()[-1]
    spelled = re.sub(r"[^A-Za-z0-9_.]", "_", spelled).strip(".").rstrip("_") or "value"
    return spelled if spelled[0].isalpha() or spelled[0] == "_" else f"p{spelled}"


class Names:
    """Hands out each identifier once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*RESERVED, *taken}
        self._next: dict[str, int] = {}

    def fresh(self, wanted: str) -> str:
        """`wanted` if it is still free, else `wanted_2`, `wanted_3`, …"""
        base = name = identifier(wanted)
        while name in self.taken:
            count = self._next[base] = self._next.get(base, 1) + 1
            name = f"{base}_{count}"
        self.taken.add(name)
        return name

    def numbered(self, base: str) -> str:
        """`base1`, `base2`, …"""
        while True:
            count = self._next[base] = self._next.get(base, 0) + 1
            if (name := f"{base}{count}") not in self.taken:
                self.taken.add(name)
                return name


class AxisNames:
    """Names for the axes of one kernel: `n` for a size `N`, else i, j, k, …; apart from dimensions and outer axes."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)

    def take(self, extent: Dim) -> str:
        wanted = extent.lower() if isinstance(extent, str) and extent.isidentifier() else ""
        candidates = [wanted] if wanted else []
        candidates += [c for c in _LETTERS if c != wanted]
        name = next((c for c in candidates if c not in self.taken and c not in RESERVED), None)
        count = 0
        while name is None:
            count += 1
            name = None if f"i{count}" in self.taken else f"i{count}"
        self.taken.add(name)
        return name
