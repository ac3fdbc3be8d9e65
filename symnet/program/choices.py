"""What the front doors may be told besides expressions."""

from __future__ import annotations

import math

from symnet.errors import Unsupported, UsageError, nearest

ACCURACIES = ("auto", "strict", "off")
PRECISIONS = ("float32", "highest", "bf16")
TUNING_SECONDS = 30.0
"""What `tune=True` allows."""


def check_accuracy(choice: object, where: str) -> str:
    """The `accuracy=` of a front door."""
    if choice not in ACCURACIES:
        raise UsageError(
            f"{where}: accuracy is {choice!r}, expected 'auto', 'strict' or 'off'{nearest(str(choice), ACCURACIES)}"
        )
    return str(choice)


def check_precision(choice: object, where: str, dtype: str | None = None) -> str:
    """The `precision=` of a front door, which computes in `dtype` if that is said."""
    if choice == "tf32":
        raise Unsupported(
            f"{where}: precision='tf32' is for graphics processors; expected 'float32', or 'bf16', which rounds further"
        )
    if choice not in PRECISIONS:
        raise UsageError(
            f"{where}: precision is {choice!r}, expected 'float32', 'highest' or 'bf16'"
            f"{nearest(str(choice), PRECISIONS)}"
        )
    if choice == "bf16" and dtype == "float64":
        raise UsageError(f"{where}: precision='bf16' is of float32 products; leave out dtype='float64', or precision")
    return str(choice)


def tuning_seconds(choice: object, backend: str, where: str) -> float:
    """The `tune=` of a front door in seconds; 0: nothing is tuned."""
    if choice is False:
        return 0.0
    if isinstance(choice, bool):
        seconds = TUNING_SECONDS
    elif isinstance(choice, (int, float)) and math.isfinite(choice) and choice > 0:
        seconds = float(choice)
    else:
        raise UsageError(f"{where}: tune is {choice!r}, expected True, False or a positive number of seconds")
    if backend != "llvm":
        raise UsageError(f"{where}: the backend {backend!r} has nothing to tune; use backend='llvm', or tune=False")
    return seconds
