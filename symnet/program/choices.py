"""What the front doors may be told besides expressions."""

from __future__ import annotations

from symnet.errors import UsageError, nearest

ACCURACIES = ("auto", "strict", "off")


def check_accuracy(choice: object, where: str) -> str:
    """The `accuracy=` of a front door."""
    if choice not in ACCURACIES:
        raise UsageError(
            f"{where}: accuracy is {choice!r}, expected 'auto', 'strict' or 'off'{nearest(str(choice), ACCURACIES)}"
        )
    return str(choice)
