"""Keras in float64. By default it computes some operations in float32 even on float64 tensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def keras_in_float64() -> Iterator[Any]:
    """Keras as a module, with float64 as its type throughout.

    `set_floatx` decides what numbers become; what two operands become follows from a table that has float64 only for
    TensorFlow. The entry that it has there is put in for the time of the block.
    """
    import keras
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE as promoted

    before = keras.config.floatx(), promoted["float64"]
    keras.config.set_floatx("float64")
    promoted["float64"] = "float64"
    try:
        yield keras
    finally:
        keras.config.set_floatx(before[0])
        promoted["float64"] = before[1]
