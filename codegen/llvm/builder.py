"""Writes the text of one LLVM function.

LLVM's own builder classes spend most of a compilation in Python; text is quicker to write, and what is generated can
be read as it stands. Values are strings ("%t3", "1.0"); types are strings ("i64", "<16 x float>").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from codegen.loops.grammar import Origin

LLVM_TYPE = {"float32": "float", "float64": "double", "int32": "i32", "int64": "i64", "bool": "i1"}
MEMORY_TYPE = {**LLVM_TYPE, "bool": "i8"}


def vector_type(dtype: str, lanes: int) -> str:
    """The register type for `lanes` values of `dtype` (the scalar type for one lane)."""
    return LLVM_TYPE[dtype] if lanes == 1 else f"<{lanes} x {LLVM_TYPE[dtype]}>"


def constant(value: float | int | bool, dtype: str) -> str:
    """A scalar constant as LLVM writes it; floats in hexadecimal, so that no digit is lost."""
    if dtype == "bool":
        return "true" if value else "false"
    if dtype in ("int32", "int64"):
        return str(int(value))
    number = float(value)
    if dtype == "float32":  # a float constant is written as the double of the same value
        try:
            number = struct.unpack("f", struct.pack("f", number))[0]
        except OverflowError:
            number = float("inf") if number > 0 else float("-inf")
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"


def splat(value: float | int | bool, dtype: str, lanes: int) -> str:
    """A constant in every lane."""
    scalar = constant(value, dtype)
    if lanes == 1:
        return scalar
    return "<" + ", ".join([f"{LLVM_TYPE[dtype]} {scalar}"] * lanes) + ">"


MARK = "  ;@"
"""What comes before the number of a `Mark`, behind an instruction."""


@dataclass(frozen=True)
class Mark:
    """An origin that is written behind every instruction that stems from it, as a comment: `;@3`."""

    number: int


class FunctionText:
    """One function under construction: straight-line emission plus structured loops and branches."""

    def __init__(
        self,
        name: str,
        parameters: Sequence[tuple[str, str]],
        returns: str = "void",
        linkage: str = "internal",
        attributes: str = "nounwind",
    ) -> None:
        """`parameters` are (type, name) pairs, the type with its attributes ("ptr noalias", "x")."""
        signature = ", ".join(f"{kind} %{parameter}" for kind, parameter in parameters)
        self.name = name
        self._head = f"{' '.join(filter(None, ('define', linkage, returns)))} @{name}({signature}) {attributes} {{"
        self._lines: list[str | list[str]] = ["entry:"]
        self._count = 0
        self._mark = ""
        self.label = "entry"

    def fresh(self, stem: str = "t") -> str:
        """A name not used before in this function, without the percent sign."""
        self._count += 1
        return f"{stem}{self._count}"

    @contextmanager
    def stemming_from(self, origin: Origin) -> Iterator[None]:
        """What is emitted inside is marked with the origin, if that is a `Mark`."""
        before = self._mark
        self._mark = f"{MARK}{origin.number}" if isinstance(origin, Mark) else ""
        yield
        self._mark = before

    def value(self, instruction: str, stem: str = "t") -> str:
        """Emit an instruction that gives a value; returns the value's name."""
        name = f"%{self.fresh(stem)}"
        self._lines.append(f"  {name} = {instruction}{self._mark}")
        return name

    def do(self, instruction: str) -> None:
        """Emit an instruction that gives nothing."""
        self._lines.append(f"  {instruction}{self._mark}")

    def place(self) -> list[str]:
        """Mark this spot of the present block; `value_at` puts instructions there later (say, before a loop)."""
        spot: list[str] = []
        self._lines.append(spot)
        return spot

    def value_at(self, place: list[str], instruction: str, stem: str = "t") -> str:
        """Like `value`, but emitted at the spot that `place` marked."""
        name = f"%{self.fresh(stem)}"
        place.append(f"  {name} = {instruction}{self._mark}")
        return name

    def start(self, label: str) -> None:
        """Begin the basic block `label`; the one before must be terminated."""
        self._lines.append(f"{label}:")
        self.label = label

    @contextmanager
    def loop(self, start: str, stop: str, step: str = "1", stem: str = "i") -> Iterator[str]:
        """`for (i64 i = start; i < stop; i += step)`; gives the name of i. Runs zero times when start >= stop."""
        head, body, done = (self.fresh(f"{stem}.{part}") for part in ("head", "body", "done"))
        before = self.label
        index, following = f"%{self.fresh(stem)}", f"%{self.fresh(stem)}"
        self.do(f"br label %{head}")
        self.start(head)
        phi_at = len(self._lines)
        self._lines.append("")  # the phi, once the latch is known
        condition = self.value(f"icmp slt i64 {index}, {stop}")
        self.do(f"br i1 {condition}, label %{body}, label %{done}")
        self.start(body)
        yield index
        self._lines.append(f"  {following} = add nsw i64 {index}, {step}{self._mark}")
        phi = f"{index} = phi i64 [ {start}, %{before} ], [ {following}, %{self.label} ]"
        self._lines[phi_at] = f"  {phi}{self._mark}"
        self.do(f"br label %{head}")
        self.start(done)

    @contextmanager
    def when(self, condition: str, stem: str = "if") -> Iterator[None]:
        """Emit what is inside to run only if the i1 `condition` holds."""
        then, done = self.fresh(f"{stem}.then"), self.fresh(f"{stem}.done")
        self.do(f"br i1 {condition}, label %{then}, label %{done}")
        self.start(then)
        yield
        self.do(f"br label %{done}")
        self.start(done)

    def text(self) -> str:
        """The whole function; the last block must have been terminated (see `finish`)."""
        lines = (line for part in self._lines for line in ((part,) if isinstance(part, str) else part))
        return "\n".join([self._head, *lines, "}"]) + "\n"

    def finish(self, returns: str = "void") -> str:
        """Terminate with `ret` and give the text."""
        self.do(f"ret {returns}")
        return self.text()
