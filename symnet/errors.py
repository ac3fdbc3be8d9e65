"""Every error symnet raises on purpose.

Three kinds are kept apart: a mistake in what the user wrote (most classes here), a known limit of the compiler
(`Unsupported`), and a fault of the compiler itself (`CompilerBug`). Each also derives from the built-in exception that
a Python programmer would expect, so `except ValueError` works without knowing symnet.

A message says what was expected, what came, where, and what to do about it.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CompilerBug",
    "DTypeError",
    "FileError",
    "IndexOutOfRange",
    "NotFinite",
    "ShapeError",
    "SymnetError",
    "UnknownName",
    "Unsupported",
    "UsageError",
    "nearest",
]


class SymnetError(Exception):
    """Base class of every error raised by symnet and codegen."""


class ShapeError(SymnetError, ValueError):
    """Shapes, axes or named dimensions that do not fit together."""


class DTypeError(SymnetError, TypeError):
    """A data type (or a kind of Python value) that is not accepted there."""


class UsageError(SymnetError, ValueError):
    """A value that has the right type but not a permitted content."""


class UnknownName(SymnetError, KeyError):
    """A name that is not one of the names known there."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class IndexOutOfRange(SymnetError, IndexError):
    """An index (a class label, a row number) outside the axis it selects from."""


class NotFinite(SymnetError, ValueError):
    """NaN or infinity where the caller asked for a check.

    report  from `fit(check_finite=True)`: what happened, as data (`symnet.train.debug.BadStep`)
    """

    report: Any = None


class FileError(SymnetError, OSError):
    """A file that cannot be read or written, or does not hold what it should."""


class Unsupported(SymnetError, NotImplementedError):
    """Something meaningful that the compiler does not do (yet); the message says what does work."""


class CompilerBug(SymnetError, RuntimeError):
    """A broken invariant inside the compiler: never the user's fault."""


def nearest(name: str, known: object) -> str:
    """`"; did you mean 'x'?"` when one of the `known` names resembles `name`, else the list of names."""
    import difflib

    names = [str(k) for k in known]  # type: ignore[attr-defined]
    close = difflib.get_close_matches(str(name), names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"; known: {shown}" if names else "; there are none"
