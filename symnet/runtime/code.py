"""What a compiled library offers to the runtime: entries that work on one arena of memory.

`Code` is the protocol; native code (`symnet.runtime.native`) and the reference interpreter (`codegen.reference`)
implement it. The metadata, plain JSON data, says what is in the arena and what each entry wants and gives:

    buffers   [{name, dtype, shape, role, offset, init}]; the offset is in bytes from the start of the arena, None
              for inputs and large outputs, which are the caller's memory
    entries   name -> {inputs: [names], outputs: {name: buffer name}, checks: [messages], bounds: [[input, size]]}
             (a message that begins with "shape: " is that of a `ShapeError`, others are of an `IndexOutOfRange`; a
             check with bounds fails only where an element of the input is outside [0, size); else they are None)
    dims      named dimension -> the largest size this code was compiled for
    arena     bytes
    local     bytes that each thread needs beside the arena
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import IndexOutOfRange, ShapeError
from symnet.expr import dims
from symnet.expr.dims import Shape
from symnet.runtime.arrays import Array, Signature
from symnet.runtime.memory import Lent, Memory

if TYPE_CHECKING:
    from symnet.runtime.ready import Ready

SHAPE = "shape: "
"""What the message of a check on sizes begins with."""


class Code(ABC):
    """Entries over an arena."""

    metadata: Mapping[str, Any]

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self.metadata = metadata
        self.buffers: dict[str, Mapping[str, Any]] = {buffer["name"]: buffer for buffer in metadata["buffers"]}
        self._shapes: dict[str, Shape] = {name: tuple(buffer["shape"]) for name, buffer in self.buffers.items()}
        given = {n for n, about in self.buffers.items() if about["role"] == "output" and about["offset"] is None}
        self._given = {
            entry: {buffer: Lent() for buffer in about["outputs"].values() if buffer in given}
            for entry, about in metadata["entries"].items()
        }
        self._outputs = {entry: tuple(about["outputs"].items()) for entry, about in metadata["entries"].items()}
        self._seen: dict[str, tuple[Array, dict[str, int], dict[str, Array]]] = {}
        self._signatures: dict[str, Signature] = {
            entry: {name: (self._shapes[name], self.buffers[name]["dtype"]) for name in about["inputs"]}
            for entry, about in metadata["entries"].items()
        }

    def signature(self, entry: str) -> Signature:
        """The inputs that an entry wants."""
        return self._signatures[entry]

    @abstractmethod
    def call(
        self,
        entry: str,
        memory: Memory,
        inputs: Mapping[str, Array],
        sizes: Mapping[str, int],
        given: Mapping[str, Array] | None = None,
    ) -> int:
        """Run an entry once; 0, or 1 + the code of the check that failed (nothing persistent was changed then).

        `given` is the memory of the outputs that are not in the arena, by buffer name (`given_memory`); without it,
        these outputs are lost.
        """

    def ready(
        self,
        entry: str,
        memory: Memory,
        inputs: Mapping[str, Array],
        sizes: Mapping[str, int],
        lock: threading.RLock,
    ) -> Ready | None:
        """The entry for inputs of the shapes of these, if there is a shorter way to call it."""
        return None

    def given_memory(self, entry: str, sizes: Mapping[str, int]) -> dict[str, Array]:
        """Memory for the outputs of an entry that are not in the arena."""
        return {
            buffer: lent.array(dims.evaluate_shape(self._shapes[buffer], sizes), self.buffers[buffer]["dtype"])
            for buffer, lent in self._given[entry].items()
        }

    def run(
        self, entry: str, memory: Memory, inputs: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> dict[str, Array]:
        """Run an entry once; its outputs, which are the caller's. Raises an error when a check failed."""
        given = self.given_memory(entry, sizes) if self._given[entry] else {}
        if code := self.call(entry, memory, inputs, sizes, given):
            self.fail(entry, code)
        views = self._views(entry, memory, sizes)
        return {
            name: given[buffer] if buffer in given else views[buffer].copy() for name, buffer in self._outputs[entry]
        }

    def _views(self, entry: str, memory: Memory, sizes: Mapping[str, int]) -> dict[str, Array]:
        """The outputs of an entry that are in the arena; those of the last sizes are kept."""
        place, found = memory.bytes, self._seen.get(entry)
        if found is not None and found[0] is place and found[1] == sizes:
            return found[2]
        given = self._given[entry]
        views = {buffer: self.view(buffer, memory, sizes) for _, buffer in self._outputs[entry] if buffer not in given}
        self._seen[entry] = place, dict(sizes), views
        return views

    def forget_memory(self) -> None:
        """Let go of the memory of the calls before."""
        self._seen.clear()

    def bounds(self, entry: str) -> dict[str, int] | None:
        """Input -> a size; no check of the entry fails if all elements are in [0, size). None: that does not tell."""
        found: dict[str, int] = {}
        for bound in self.metadata["entries"][entry]["bounds"]:
            if bound is None:
                return None
            name, size = bound
            found[name] = min(size, found.get(name, size))
        return found

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
