"""Parameters, state and hyperparameters in memory, and the code that works on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from symnet.errors import DTypeError, ShapeError, UnknownName, UsageError, nearest
from symnet.expr import dims
from symnet.runtime.arrays import Array, as_array
from symnet.runtime.code import Code
from symnet.runtime.lock import lock
from symnet.runtime.memory import Lent, Memory

if TYPE_CHECKING:
    from symnet.runtime.ready import Ready


class Instance:
    """One arena, and entries compiled for it.

    Every `Code` that is attached lays out the persistent buffers (parameters, state, hyperparameters) in the same way
    at the start of the arena; outputs and scratch follow, and may overlap between entries. Whoever runs an entry or
    looks into the memory holds the `lock`. `ready` has the entries that were called twice with the same sizes.
    """

    def __init__(self) -> None:
        self.memory, self.lock, self._copies = Memory(), lock(), Lent()
        self.codes: dict[str, Code] = {}
        self.ready: dict[str, Ready] = {}
        self._called: dict[str, Mapping[str, int]] = {}
        self.persistent: dict[str, Mapping[str, Any]] = {}

    def attach(self, code: Code) -> None:
        """Add the entries of `code`; grows the arena when they need more."""
        persistent = {b["name"]: b for b in code.metadata["buffers"] if b["role"] in ("parameter", "state", "hyper")}
        with self.lock:
            for known in self.codes.values():
                known.forget_memory()
            self.ready.clear()
            self._called.clear()
            self.memory.reserve(code.metadata["arena"], keep=self.persistent_bytes())
            self.persistent.update(persistent)
            self.codes.update(dict.fromkeys(code.metadata["entries"], code))

    def replace(self, code: Code) -> None:
        """Drop all code for `code`, which may lay out what persists in another way; the values stay."""
        with self.lock:
            values = {name: self.read(name) for name in self.persistent}
            self.codes.clear()
            self.persistent.clear()
            self.attach(code)
            for name, value in values.items():
                self.write(name, value)

    def run(self, entry: str, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> dict[str, Array]:
        """The outputs of an entry on checked inputs. A second call with the same sizes makes the next ones quick."""
        with self.lock:
            code = self.codes[entry]
            results = code.run(entry, self.memory, arrays, sizes)
            if self._called.get(entry) != sizes:
                self._called[entry] = sizes
            elif ready := code.ready(entry, self.memory, arrays, sizes, self.lock):
                self.ready[entry] = ready
            return results

    def snapshot(self) -> Array:
        """A copy of the bytes of all that persists, the start of the arena, on memory that is used again."""
        with self.lock:
            persistent = self.memory.bytes[: self.persistent_bytes()]
            copy = self._copies.array(persistent.shape, "uint8")
            copy[...] = persistent
            return copy

    def restore(self, snapshot: Array) -> None:
        """Make all that persists what it was."""
        with self.lock:
            self.memory.bytes[: snapshot.size] = snapshot

    def persistent_bytes(self) -> int:
        """How many bytes from the start of the arena hold what persists."""
        return max((b["offset"] + self._view(b).nbytes for b in self.persistent.values()), default=0)

    def _view(self, buffer: Mapping[str, Any]) -> Array:
        return self.memory.view(buffer["offset"], tuple(buffer["shape"]), buffer["dtype"])

    def names(self, role: str) -> list[str]:
        return [name for name, buffer in self.persistent.items() if buffer["role"] == role]

    def read(self, name: str) -> Array:
        """A copy of a persistent buffer, read-only: assigning to it would not reach the program."""
        with self.lock:
            value = self._view(self.persistent[name]).copy()
        value.flags.writeable = False
        return value

    def write(self, name: str, value: object) -> None:
        """Replace a persistent buffer; the shape and dtype must be its own."""
        buffer = self.persistent[name]
        array, shape = as_array(name, value, buffer["dtype"]), tuple(buffer["shape"])
        if array.shape != shape:
            raise ShapeError(f"{name}: expected the shape {dims.show(shape)}, got {dims.show(array.shape)}")
        with self.lock:
            self._view(buffer)[...] = array


class Persistent(MutableMapping[str, Array]):
    """`prog.parameters`, `prog.buffers`: a mapping from names to arrays. Reading copies; assigning writes."""

    def __init__(self, instance: Instance, names: Mapping[str, str], what: str) -> None:
        """`names` maps the user's names to buffer names."""
        self._instance, self._names, self._what = instance, dict(names), what

    def __getitem__(self, name: str) -> Array:
        return self._instance.read(self._buffer(name))

    def __setitem__(self, name: str, value: object) -> None:
        self._instance.write(self._buffer(name), value)

    def __delitem__(self, name: str) -> None:
        raise UsageError(f"a program's {self._what}s cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def _buffer(self, name: str) -> str:
        if name not in self._names:
            raise UnknownName(f"there is no {self._what} {name!r}{nearest(name, self._names)}")
        return self._names[name]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {dims.show(self[name].shape)}" for name in self._names)
        return f"<{self._what}s: {shown or 'none'}>"


class Hyper(MutableMapping[str, Any]):
    """`prog.hyper`: hyperparameters by the optimizer's argument names. Assigning takes effect at the next step.

    One that was given as a list or an array has a number for each member of an ensemble, and is an array here.

    What a parameter group set for itself has the group's name before it ("head.lr"); `names` gives all of a kind.
    """

    def __init__(
        self,
        instance: Instance,
        parts: Mapping[str, tuple[str, ...]],
        kinds: Mapping[str, type],
        absent: Mapping[str, Any] | None = None,
    ) -> None:
        """`parts` maps a name to its float64 buffers: several for a tuple such as `betas`.

        absent  the optimizer's hyperparameters that its formula does not use, with their values
        """
        self._instance, self._parts, self._kinds = instance, dict(parts), dict(kinds)
        self._absent = dict(absent or {})

    def names(self, setting: str) -> list[str]:
        """The names under which a setting occurs: the common one, if a group uses it, and those of groups.

        `for name in prog.hyper.names("lr"): prog.hyper[name] *= 0.1`
        """
        return [name for name in self._parts if name == setting or name.endswith(f".{setting}")]

    def __getitem__(self, name: str) -> Any:
        buffers = self._buffers(name)
        if self._kinds[name] is np.ndarray:
            return self._instance.read(*buffers).copy()
        values = [float(self._instance.read(buffer)) for buffer in buffers]
        return tuple(values) if self._kinds[name] is tuple else values[0]

    def __setitem__(self, name: str, value: object) -> None:
        buffers = self._buffers(name)
        if self._kinds[name] is np.ndarray:
            self._instance.write(buffers[0], self._fitting(name, value))
            return
        values = np.atleast_1d(_numbers(name, value))
        if values.shape != (len(buffers),) or (self._kinds[name] is tuple) != (np.ndim(value) == 1):  # type: ignore[arg-type]
            wanted = f"{len(buffers)} numbers" if self._kinds[name] is tuple else "a number"
            raise ShapeError(f"the hyperparameter {name!r} is {wanted}, got {value!r}")
        for buffer, number in zip(buffers, values, strict=True):
            self._instance.write(buffer, number)

    def _fitting(self, name: str, value: object) -> Array:
        """The numbers of all members; one number is that of each."""
        numbers, shape = _numbers(name, value), self[name].shape
        if numbers.shape not in ((), shape):
            raise ShapeError(
                f"the hyperparameter {name!r} has {shape[0]} numbers, one for each member, got {value!r}; "
                "expected as many, or one for all"
            )
        return np.broadcast_to(numbers, shape)

    def __delitem__(self, name: str) -> None:
        raise UsageError("hyperparameters cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def _buffers(self, name: str) -> tuple[str, ...]:
        if name in self._absent and (own := self.names(name)):
            raise UnknownName(f"no parameter group uses the common {name!r}; known: {', '.join(map(repr, own))}")
        if name in self._absent:
            raise UnknownName(
                f"the hyperparameter {name!r} is not in this program: its update was compiled with "
                f"{name}={self._absent[name]!r}, which leaves it out; compile with another value to change it later"
            )
        if name not in self._parts:
            raise UnknownName(f"there is no hyperparameter {name!r}{nearest(name, self._parts)}")
        return self._parts[name]

    def __repr__(self) -> str:
        return repr(dict(self))


def _numbers(name: str, value: object) -> Array:
    """The value of a hyperparameter as float64; None, text and complex numbers are none."""
    try:
        array = np.asarray(value)
    except ValueError:  # a list of unequal parts
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"the hyperparameter {name!r} is set to {value!r}, expected a number")
    return array.astype(np.float64)


class Compile(Protocol):
    """Gives the code of an entry, for the program's capacity or another; with `profile`, one that counts what each
    kernel takes."""

    def __call__(self, entry: str, profile: bool = False, capacity: Mapping[str, int] | None = None) -> Code: ...
