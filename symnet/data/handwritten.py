"""The data that comes with symnet: real handwritten digits, small enough to ship (licence: DIGITS-LICENSE.md).

images, labels = sn.data.digits()                       # float32 [1797, 64] in [0, 1], int64 [1797]
(x, y), (x_test, y_test) = sn.data.digits_split()       # 1,437 to train on, 360 held out, always the same ones
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["digits", "digits_split"]

Digits = tuple[NDArray[np.float32], NDArray[np.int64]]

HELD_OUT = 360
SPLIT_SEED = 0

_FILE = Path(__file__).with_name("digits.npz")


@lru_cache(maxsize=1)
def _stored() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    with np.load(_FILE) as arrays:
        return arrays["images"], arrays["labels"]


def digits() -> Digits:
    """The UCI handwritten digits: images float32 [1797, 64] and labels int64 [1797].

    Pixels are scaled from 0..16 to [0, 1]; `images.reshape(-1, 8, 8)` are the pictures. The caller owns the arrays.
    """
    images, labels = _stored()
    return (images.reshape(len(images), -1) / np.float32(16)).astype(np.float32), labels.astype(np.int64)


def digits_split() -> tuple[Digits, Digits]:
    """`(train images, train labels), (test images, test labels)`: 1,437 and 360 examples.

    The split is part of the data set, not of an experiment, so figures from different runs and seeds compare: the
    permutation that `numpy.random.RandomState(0)` gives (NumPy keeps that generator's stream for good), its last 360
    entries held out.
    """
    images, labels = digits()
    order = np.random.RandomState(SPLIT_SEED).permutation(len(labels))
    train, test = order[:-HELD_OUT], order[-HELD_OUT:]
    return (images[train], labels[train]), (images[test], labels[test])
