"""IDX files, the format of MNIST and of data sets made like it (Fashion-MNIST, EMNIST).

A file begins with two zero bytes, a code for the type of its elements and the number of axes; then comes the size of
each axis as a big-endian 32-bit number; then the elements, big-endian, in C order.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symnet.data.files import find, read
from symnet.errors import FileError

__all__ = ["mnist", "read_idx"]

KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CLASSES = 47
"""The most classes of a data set in this form (EMNIST)."""

Set = tuple[NDArray[np.float32], NDArray[np.int64]]


def read_idx(path: str | Path) -> NDArray[Any]:
    """The array in an IDX file (which may be gzipped), in this machine's byte order; `FileError` if it is none."""
    path = Path(path)
    content = read(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in KINDS or not content[3]:
        raise FileError(f"{path}: not an IDX file: it begins with {content[:4].hex(' ') or 'nothing'}")
    kind, axes = np.dtype(KINDS[content[2]]), content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise FileError(f"{path}: the file ends within the sizes of its {axes} axes")
    shape = struct.unpack(f">{axes}I", content[4:start])
    wanted = start + math.prod(shape) * kind.itemsize
    if len(content) != wanted:
        raise FileError(f"{path}: elements of {list(shape)} need a file of {wanted} bytes, this one has {len(content)}")
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))


def mnist(folder: str | Path) -> tuple[Set, Set]:
    """`(train images, train labels), (test images, test labels)` from the four files of MNIST in a folder.

    Images are float32 [n, 1, 28, 28] from 0 to 1, labels int64 [n]. The files have the names they are published under,
    `train-images-idx3-ubyte` and so on, possibly with `.gz`; Fashion-MNIST has the same.
    """
    return _part(folder, "train"), _part(folder, "t10k")


def _part(folder: str | Path, part: str) -> Set:
    paths = [
        find(folder, (f"{part}-{what}-{kind}-ubyte", f"{part}-{what}.{kind}-ubyte"), "mnist")
        for what, kind in (("images", "idx3"), ("labels", "idx1"))
    ]
    images, labels = map(read_idx, paths)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise FileError(f"{paths[0]}: expected images, bytes with 3 axes, got {images.dtype} with {images.ndim}")
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise FileError(f"{paths[1]}: expected labels, bytes with 1 axis, got {labels.dtype} with {labels.ndim}")
    if len(images) != len(labels):
        raise FileError(f"{paths[1]}: {len(labels)} labels for {len(images)} images in {paths[0].name}")
    if labels.size and labels.max() >= CLASSES:
        raise FileError(f"{paths[1]}: the label {labels.max()} is no class")
    return images[:, None].astype(np.float32) / np.float32(255), labels.astype(np.int64)
