"""Compiled libraries on disk: an object file and its metadata in one file, under a hash of all they depend on.

The folder is SYMNET_CACHE, else the platform's place for such things; SYMNET_CACHE=off does without. Nothing here may
stop a program from running: a folder that cannot be written and a file that is damaged lead to one warning and a fresh
compilation.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MAGIC = b"symnet 1\n"
DIGEST = 32
SUFFIX = ".symnet"
LIMIT = 1 << 30
"""Bytes the folder may hold; beyond that the files used longest ago are removed."""
PRUNE_EVERY = 64
"""One new file in so many has the folder looked through, which takes long where it holds thousands."""

_warned: set[str] = set()


def folder() -> Path:
    """Where compiled code is kept."""
    if chosen := os.environ.get("SYMNET_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "symnet"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "symnet" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "symnet"


def read(key: str) -> tuple[dict[str, Any], bytes] | None:
    """The metadata and object stored under a key, or None."""
    if _off():
        return None
    path = _path(key)
    try:
        data = path.read_bytes()
    except OSError:
        return None
    content = _checked(data)
    if content is None:
        _warn(f"the compiled program in {path} is damaged; compiling it again", key)
        return None
    with contextlib.suppress(OSError):  # a folder that may only be read serves as well
        os.utime(path)
    return content


def write(key: str, metadata: Mapping[str, Any], image: bytes) -> None:
    """Store; other processes see the whole file or none."""
    if _off():
        return
    import tempfile

    path = _path(key)
    about = json.dumps(metadata).encode()
    body = len(about).to_bytes(8, "little") + about + image
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(MAGIC + hashlib.sha256(body).digest() + body)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        if zlib.crc32(key.encode()) % PRUNE_EVERY == 0:
            _prune(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        _warn(
            f"cannot keep compiled programs in {folder()} ({reason}); set SYMNET_CACHE to a folder that can be written",
            "folder",
        )


def writable() -> bool:
    """Whether what is stored now is there afterwards."""
    if _off():
        return False
    place = folder()
    with contextlib.suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
    return os.access(place, os.W_OK | os.X_OK)


def remembers(key: str) -> bool:
    """Whether `remembered` has something under this key."""
    return not _off() and _path(_name(key)).exists()


def remembered(key: str, make: Callable[[], Any]) -> Any:
    """What `make` gives, plain JSON data, kept under a key (any text)."""
    name = _name(key)
    found = read(name)
    if found is not None:
        return found[0]["data"]
    data = make()
    write(name, {"data": data}, b"")
    return data


def _name(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=20).hexdigest()


def _checked(data: bytes) -> tuple[dict[str, Any], bytes] | None:
    """The parts of a file's content, or None where it is not what was written."""
    start = len(MAGIC) + DIGEST
    body = data[start:]
    if data[: len(MAGIC)] != MAGIC or hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
        return None
    size = int.from_bytes(body[:8], "little")
    metadata: dict[str, Any] = json.loads(body[8 : 8 + size])
    return metadata, body[8 + size :]


def _prune(place: Path) -> None:
    """Remove the files that were not used for longest, as far as the folder is above `LIMIT`."""
    with os.scandir(place) as entries:
        found = [(entry.stat(), entry.path) for entry in entries if entry.name.endswith(SUFFIX)]
    total = sum(status.st_size for status, _ in found)
    for status, path in sorted(found, key=lambda item: item[0].st_mtime):
        if total <= LIMIT:
            return
        Path(path).unlink(missing_ok=True)
        total -= status.st_size


def _path(key: str) -> Path:
    return folder() / f"{key}{SUFFIX}"


def _off() -> bool:
    return os.environ.get("SYMNET_CACHE", "").lower() == "off"


def _warn(message: str, about: str) -> None:
    """Once for each thing a warning is about."""
    if about not in _warned:
        _warned.add(about)
        warnings.warn(message, RuntimeWarning, stacklevel=2)
