"""Checkpoints: everything a run needs to go on, in one safetensors file, written so that it is whole or not there."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import DTypeError, FileError, ShapeError, UnknownName, nearest
from symnet.expr import dims
from symnet.runtime.arrays import Array, as_array
from symnet.runtime.keys import IncompatibleKeys

if TYPE_CHECKING:
    from symnet.program.program import Program

FORMAT = 1
ROLES = ("parameter", "state", "hyper")


def as_path(path: object, what: str) -> Path:
    """The path that a user gave, as a string or a Path."""
    if not isinstance(path, (str, os.PathLike)):
        raise DTypeError(f"{what}: expected the path of a file, got {type(path).__name__}")
    return Path(path)


def save(program: Program, path: Path) -> None:
    """Write `role/buffer name` -> array, and the rest as JSON in the file's metadata."""
    from safetensors.numpy import save as to_bytes

    instance = program.instance
    tensors = {f"{role}/{name}": instance.read(name) for role in ROLES for name in instance.names(role)}
    about = {"format": FORMAT, "seed": program.seed, "epochs_done": program.epochs_done}
    write_atomically(path, to_bytes(tensors, metadata={"symnet": json.dumps(about)}))


def load(program: Program, path: Path) -> None:
    """Check the whole file against the program first, then take it over."""
    tensors, about = _read(path)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise FileError(f"{path}: not a checkpoint of symnet (load_parameters reads plain safetensors files)")
    instance = program.instance
    wanted = {f"{role}/{name}": name for role in ROLES for name in instance.names(role)}
    missing, extra = wanted.keys() - tensors.keys(), tensors.keys() - wanted.keys()
    if missing or extra:
        raise FileError(
            f"{path}: this checkpoint is of another program: "
            f"missing {sorted(missing) or 'nothing'}, unknown {sorted(extra) or 'nothing'}"
        )
    values = {name: _fitting(program, name, tensors[key], str(path)) for key, name in wanted.items()}
    seed, epochs_done = about.get("seed"), about.get("epochs_done")
    if not isinstance(seed, int) or not isinstance(epochs_done, int):
        raise FileError(f"{path}: the seed and the number of epochs are missing from this checkpoint")
    with instance.lock:
        for name, value in values.items():
            instance.write(name, value)
        program.seed, program.epochs_done = seed, epochs_done


def load_parameters(program: Program, source: Mapping[str, object] | str | Path, strict: bool) -> IncompatibleKeys:
    """Names may be a subset of the program's parameters and buffers; others are an error if `strict`, else left out."""
    tensors: Mapping[str, object]
    if isinstance(source, Mapping):
        tensors, where = source, "load_parameters"
    else:
        read, about = _read(as_path(source, "load_parameters"))
        where = str(source)
        tensors = (
            {k.removeprefix("parameter/"): v for k, v in read.items() if k.startswith("parameter/")} if about else read
        )
    known = {**dict.fromkeys(program.parameters, program.parameters), **dict.fromkeys(program.buffers, program.buffers)}
    unexpected = [name for name in tensors if name not in known]
    if strict and unexpected:
        raise UnknownName(
            f"{where}: there is no parameter {unexpected[0]!r}{nearest(unexpected[0], known)} "
            "(strict=False leaves out what the program does not have)"
        )
    checked: list[tuple[Any, str, Array]] = []
    for name in tensors:
        if name not in known:
            continue
        current = known[name][name]
        array = as_array(name, tensors[name], current.dtype.name)
        if array.shape != current.shape:
            raise ShapeError(
                f"{where}: {name} has the shape {dims.show(array.shape)}, expected {dims.show(current.shape)}"
            )
        checked.append((known[name], name, array))
    for mapping, name, array in checked:
        mapping[name] = array
    return IncompatibleKeys([name for name in program.parameters if name not in tensors], unexpected)


def _fitting(program: Program, name: str, value: Array, where: str) -> Array:
    current = program.instance.read(name)
    if value.shape != current.shape or value.dtype != current.dtype:
        raise FileError(
            f"{where}: {name} is {value.dtype}{dims.show(value.shape)}, "
            f"expected {current.dtype}{dims.show(current.shape)}"
        )
    return value


def _read(path: Path) -> tuple[dict[str, Array], Any]:
    """The arrays of a file, and what symnet noted in it (None where it did not write the file)."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            about = (file.metadata() or {}).get("symnet")
            return {key: np.asarray(file.get_tensor(key)) for key in file.keys()}, json.loads(about) if about else None  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise FileError(f"{path}: not a readable safetensors file: {error}") from error


def write_atomically(path: Path, content: bytes, what: str = "") -> None:
    """Write beside the target, flush to the disk, then rename over it: a reader sees the old file or the new one.

    What is no file, such as /dev/stdout, is written to; `what` the content is stands in the error.
    """
    temporary = ""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(content)
            return
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise FileError(f"cannot write {what}{path}: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
