"""Names of values that are given beside the names that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from symnet.errors import DTypeError, UnknownName


class IncompatibleKeys(NamedTuple):
    """What did not match: names that were not given, and given names that are not known."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<all names match>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def compared(given: Mapping[str, object], known: Sequence[str], strict: bool, what: str) -> IncompatibleKeys:
    """Which names are missing or unexpected; with `strict` that is an error."""
    if not isinstance(given, Mapping):
        raise DTypeError(f"{what}: expected a mapping of names to arrays, got a {type(given).__name__}")
    found = IncompatibleKeys([name for name in known if name not in given], [n for n in given if n not in set(known)])
    if strict and (found.missing_keys or found.unexpected_keys):
        raise UnknownName(
            f"{what}: missing {', '.join(map(repr, found.missing_keys)) or 'nothing'}; "
            f"unexpected {', '.join(map(repr, found.unexpected_keys)) or 'nothing'}; "
            "pass strict=False to take what fits by name"
        )
    return found
