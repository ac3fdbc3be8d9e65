"""CIFAR-10 and CIFAR-100 in their binary version: records of label bytes and 3·32·32 bytes of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symnet.data.files import find, read
from symnet.errors import FileError, UsageError

__all__ = ["cifar10", "cifar100"]

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32

Set = tuple[NDArray[np.float32], NDArray[np.int64]]


def cifar10(folder: str | Path) -> tuple[Set, Set]:
    """`(train images, train labels), (test images, test labels)` from `data_batch_1.bin` to `_5.bin`, `test_batch.bin`.

    Images are float32 [n, 3, 32, 32] (red, green, blue) from 0 to 1, labels int64 [n], 0 to 9. The files may lie in the
    folder or in one inside it, and be gzipped.
    """
    train = [find(folder, [f"data_batch_{number}.bin"], "cifar10") for number in range(1, 6)]
    test = find(folder, ["test_batch.bin"], "cifar10")
    return _records(train, labels=1, which=0, classes=10), _records([test], labels=1, which=0, classes=10)


def cifar100(folder: str | Path, labels: str = "fine") -> tuple[Set, Set]:
    """`(train images, train labels), (test images, test labels)` from `train.bin` and `test.bin`.

    labels  "fine": 0 to 99; "coarse": the 20 groups of them
    """
    if labels not in ("fine", "coarse"):
        raise UsageError(f"cifar100: labels is {labels!r}, expected 'fine' or 'coarse'")
    which, classes = (1, 100) if labels == "fine" else (0, 20)
    train, test = (find(folder, [name], "cifar100") for name in ("train.bin", "test.bin"))
    return _records([train], 2, which, classes), _records([test], 2, which, classes)


def _records(paths: Sequence[Path], labels: int, which: int, classes: int) -> Set:
    """The images of some files and one of the label bytes of each."""
    size = labels + PIXELS
    parts: list[NDArray[np.uint8]] = []
    for path in paths:
        content = read(path)
        if not content or len(content) % size:
            raise FileError(f"{path}: expected records of {size} bytes, got {len(content)} bytes in all")
        parts.append(np.frombuffer(content, np.uint8).reshape(-1, size))
        if parts[-1][:, which].max() >= classes:
            raise FileError(f"{path}: the label {parts[-1][:, which].max()} is no class, expected 0 to {classes - 1}")
    records = np.concatenate(parts)
    images = records[:, labels:].reshape(-1, *SHAPE).astype(np.float32) / np.float32(255)
    return images, records[:, which].astype(np.int64)
