"""What a compiled library offers to the runtime: entries that work on one arena of memory.

`Code` is the protocol; native code (`symnet.runtime.native`) and the reference interpreter (`codegen.reference`)
implement it. The metadata, plain JSON data, says what is in the arena and what each entry wants and gives:

    buffers   [{name, dtype, shape, role, offset, init}]; the offset is in bytes from the start of the arena
    entries   name -> {inputs: [buffer names], outputs: {name: buffer name}, checks: [messages]}
             (a message that begins with "shape: " is that of a `ShapeError`, others are of an `IndexOutOfRange`)
    dims      named dimension -> the largest size this code was compiled for
    arena     bytes
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from symnet.errors import IndexOutOfRange, ShapeError
from symnet.expr import dims
from symnet.expr.dims import Shape
from symnet.runtime.arrays import Array, Signature
from symnet.runtime.memory import Memory

SHAPE = "shape: "
"""What the message of a check on sizes begins with."""


class Code(ABC):
    """Entries over an arena."""

    metadata: Mapping[str, Any]

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self.metadata = metadata
        self.buffers: dict[str, Mapping[str, Any]] = {buffer["name"]: buffer for buffer in metadata["buffers"]}
        self._shapes: dict[str, Shape] = {name: tuple(buffer["shape"]) for name, buffer in self.buffers.items()}
        self._signatures: dict[str, Signature] = {
            entry: {name: (self._shapes[name], self.buffers[name]["dtype"]) for name in about["inputs"]}
            for entry, about in metadata["entries"].items()
        }

    def signature(self, entry: str) -> Signature:
        """The inputs that an entry wants."""
        return self._signatures[entry]

    @abstractmethod
    def call(self, entry: str, memory: Memory, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> int:
        """Run an entry once; 0, or 1 + the code of the check that failed (nothing persistent was changed then)."""

    def run(
        self, entry: str, memory: Memory, inputs: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> dict[str, Array]:
        """Run an entry once and copy its outputs; raises an error when a check failed."""
        if code := self.call(entry, memory, inputs, sizes):
            self.fail(entry, code)
        return {
            name: self.view(buffer, memory, sizes).copy()
            for name, buffer in self.metadata["entries"][entry]["outputs"].items()
        }

    def fail(self, entry: str, code: int, where: str = "") -> None:
        check = str(self.metadata["entries"][entry]["checks"][code - 1])
        error = ShapeError if check.startswith(SHAPE) else IndexOutOfRange
        raise error(f"{entry}: {where}{check.removeprefix(SHAPE)}")

    def view(self, buffer: str, memory: Memory, sizes: Mapping[str, int]) -> Array:
        """The memory of a buffer in the arena at these sizes."""
        about = self.buffers[buffer]
        return memory.view(about["offset"], dims.evaluate_shape(self._shapes[buffer], sizes), about["dtype"])

    def epoch(
        self,
        entry: str,
        memory: Memory,
        data: Mapping[str, Array],
        fixed: Mapping[str, Array],
        rows: Array,
        batch: int,
        dim: str,
    ) -> tuple[dict[str, Array], int]:
        """Run an entry over batches of `batch` rows taken from `data` in the order of `rows` (int64).

        `fixed` are the inputs without a batch axis, `dim` the dimension of the batch axis. Returns every output of
        every batch that ran, stacked, and 0 or 1 + the code of the check that stopped it. The shapes of the outputs do
        not depend on the batch. Backends override this with a native loop.
        """
        outputs = self.metadata["entries"][entry]["outputs"]
        kept: dict[str, list[Array]] = {name: [] for name in outputs}
        for start in range(0, len(rows), batch):
            chosen = rows[start : start + batch]
            inputs = {**{name: np.ascontiguousarray(array[chosen]) for name, array in data.items()}, **fixed}
            sizes = {**self.sizes_of(entry, inputs), dim: len(chosen)}
            if code := self.call(entry, memory, inputs, sizes):
                return {name: np.asarray(values) for name, values in kept.items()}, code
            for name, buffer in outputs.items():
                kept[name].append(self.view(buffer, memory, sizes).copy())
        return {name: np.asarray(values) for name, values in kept.items()}, 0

    def sizes_of(self, entry: str, inputs: Mapping[str, Array]) -> dict[str, int]:
        """The named dimensions as these (already checked) inputs have them."""
        return {
            dim: size
            for name, (shape, _) in self.signature(entry).items()
            for dim, size in zip(shape, inputs[name].shape, strict=True)
            if isinstance(dim, str) and dim.isidentifier()
        }
