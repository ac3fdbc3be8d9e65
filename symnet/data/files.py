"""Reading the files of data sets: plain or compressed, with errors that say what is wrong with them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from symnet.errors import FileError


def read(path: Path) -> bytes:
    """The content of a file, decompressed if it is a gzip file, whatever its name."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise FileError(f"{path}: cannot be read: {reason}") from error


def find(folder: str | Path, names: Sequence[str], what: str) -> Path:
    """The first of these files in a folder, there or with .gz behind its name, or in a folder inside it."""
    root = Path(folder)
    if not root.is_dir():
        raise FileError(f"{what}: {root} is no folder")
    wanted = [f"{name}{suffix}" for name in names for suffix in ("", ".gz")]
    places = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    for place in places:
        for name in wanted:
            if (place / name).is_file():
                return place / name
    raise FileError(f"{what}: {root} has none of the files {', '.join(wanted)}")
