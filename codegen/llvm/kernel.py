"""A kernel as LLVM text, with what the driver must know to call it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelText:
    """`void @name(ptr buffers…, i64 dims…, [ptr status,] i64 lo, i64 hi)` and `i64 @name.parts(i64 dims…)`.

    buffers     names of the buffers, in the order of the pointer parameters
    dims        named dimensions and enclosing sequence axes, in the order of the i64 parameters
    helpers     (function, dtype, lanes) of the math functions the text calls
    has_checks  whether a status pointer (i32, written with 1 + code of a failed check) follows the dims
    """

    name: str
    text: str
    buffers: tuple[str, ...]
    dims: tuple[str, ...]
    helpers: frozenset[tuple[str, str, int]]
    has_checks: bool = False
