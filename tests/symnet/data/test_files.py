"""Readers of IDX and CIFAR files, on files that are written here, whole and damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn

KINDS = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, KINDS[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 7), (3, 0)])
def test_idx(kind: str, shape: tuple[int, ...], tmp_path: Path, rng: np.random.Generator) -> None:
    array = (rng.normal(size=shape) * 60).astype(kind)
    for name, content in (("a", idx(array)), ("a.gz", gzip.compress(idx(array)))):
        (tmp_path / name).write_bytes(content)
        found = sn.data.read_idx(tmp_path / name)
        assert found.dtype == array.dtype
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, array)
        assert found.flags.writeable


GOOD = idx(np.arange(12, dtype="uint8").reshape(3, 4))
BAD_IDX: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not an IDX file: it begins with nothing"),
    "magic": (b"\x01" + GOOD[1:], "not an IDX file: it begins with 01 00 08 02"),
    "type": (GOOD[:2] + b"\x0a" + GOOD[3:], "not an IDX file"),
    "no axes": (GOOD[:3] + b"\0", "not an IDX file"),
    "sizes": (GOOD[:9], "ends within the sizes of its 2 axes"),
    "short": (GOOD[:-1], r"elements of \[3, 4\] need a file of 24 bytes, this one has 23"),
    "long": (GOOD + b"\0", "need a file of 24 bytes, this one has 25"),
    "compressed": (gzip.compress(GOOD)[:-9], "cannot be read"),
    "damaged": (gzip.compress(GOOD)[:12] + b"\xff\xff" + gzip.compress(GOOD)[14:], "cannot be read"),
    "text": (b"<html>404</html>", "not an IDX file: it begins with 3c 68 74 6d"),
}


@pytest.mark.parametrize("case", BAD_IDX)
def test_bad_idx(case: str, tmp_path: Path) -> None:
    content, words = BAD_IDX[case]
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(sn.FileError, match=words):
        sn.data.read_idx(tmp_path / "bad")
    with pytest.raises(sn.FileError, match="cannot be read: No such file"):
        sn.data.read_idx(tmp_path / "missing")


def write_mnist(folder: Path, zipped: bool = False, **changed: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    parts = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (7, 28, 28)).astype("uint8"),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 7).astype("uint8"),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (3, 28, 28)).astype("uint8"),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 3).astype("uint8"),
    } | {name.replace("_", "-"): value for name, value in changed.items()}
    for name, array in parts.items():
        (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    return parts


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("inside", ["", "MNIST/"])
def test_mnist(zipped: bool, inside: str, tmp_path: Path) -> None:
    (tmp_path / inside).mkdir(exist_ok=True)
    parts = write_mnist(tmp_path / inside, zipped)
    (images, labels), (test_images, test_labels) = sn.data.mnist(tmp_path)
    assert (images.shape, images.dtype, labels.dtype) == ((7, 1, 28, 28), np.float32, np.int64)
    np.testing.assert_array_equal(images[:, 0], parts["train-images-idx3-ubyte"] / np.float32(255))
    np.testing.assert_array_equal(labels, parts["train-labels-idx1-ubyte"])
    assert test_images.shape == (3, 1, 28, 28)
    np.testing.assert_array_equal(test_labels, parts["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"train_labels_idx1_ubyte": np.zeros(6, "uint8")}, "6 labels for 7 images in train-images-idx3-ubyte"),
        ({"train_labels_idx1_ubyte": np.zeros((7, 1), "uint8")}, "expected labels, bytes with 1 axis"),
        ({"train_labels_idx1_ubyte": np.full(7, 200, "uint8")}, "the label 200 is no class"),
        ({"t10k_images_idx3_ubyte": np.zeros((3, 784), "uint8")}, "bytes with 3 axes, got uint8 with 2"),
        ({"t10k_images_idx3_ubyte": np.zeros((3, 28, 28), "float32")}, "expected images, bytes with 3 axes"),
    ],
)
def test_bad_mnist(changed: Any, words: str, tmp_path: Path) -> None:
    write_mnist(tmp_path, **changed)
    with pytest.raises(sn.FileError, match=words):
        sn.data.mnist(tmp_path)


def test_missing_files(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(sn.FileError, match=r"none of the files t10k-labels-idx1-ubyte, t10k-labels-idx1-ubyte\.gz"):
        sn.data.mnist(tmp_path)
    for reader in (sn.data.mnist, sn.data.cifar10, sn.data.cifar100):
        with pytest.raises(sn.FileError, match="is no folder"):
            reader(tmp_path / "no")


def cifar(count: int, labels: int, classes: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    records = rng.integers(0, 256, (count, labels + 3072)).astype("uint8")
    records[:, :labels] = rng.integers(0, classes, (count, labels))
    return records


def test_cifar10(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    parts = [cifar(4, 1, 10, seed) for seed in range(6)]
    for number, part in enumerate(parts[:5], 1):
        (folder / f"data_batch_{number}.bin").write_bytes(part.tobytes())
    (folder / "test_batch.bin").write_bytes(parts[5].tobytes())
    (images, labels), (test_images, test_labels) = sn.data.cifar10(tmp_path)
    assert (images.shape, images.dtype, labels.dtype) == ((20, 3, 32, 32), np.float32, np.int64)
    np.testing.assert_array_equal(labels, np.concatenate([part[:, 0] for part in parts[:5]]))
    np.testing.assert_array_equal(test_labels, parts[5][:, 0])
    np.testing.assert_array_equal((test_images * 255).round().astype("uint8").reshape(4, -1), parts[5][:, 1:])
    (folder / "data_batch_3.bin").write_bytes(parts[2].tobytes()[:-1])
    with pytest.raises(sn.FileError, match=r"data_batch_3.bin: expected records of 3073 bytes, got 12291"):
        sn.data.cifar10(tmp_path)
    parts[2][1, 0] = 10
    (folder / "data_batch_3.bin").write_bytes(parts[2].tobytes())
    with pytest.raises(sn.FileError, match="the label 10 is no class, expected 0 to 9"):
        sn.data.cifar10(tmp_path)


def test_cifar100(tmp_path: Path) -> None:
    parts = cifar(5, 2, 20), cifar(3, 2, 20, 1)
    for name, part in zip(("train.bin", "test.bin"), parts, strict=True):
        (tmp_path / name).write_bytes(part.tobytes())
    for labels, which in (("fine", 1), ("coarse", 0)):
        (images, found), (_, test) = sn.data.cifar100(tmp_path, labels)
        assert images.shape == (5, 3, 32, 32)
        np.testing.assert_array_equal(found, parts[0][:, which])
        np.testing.assert_array_equal(test, parts[1][:, which])
    with pytest.raises(sn.UsageError, match="'fine' or 'coarse'"):
        sn.data.cifar100(tmp_path, "both")
    (tmp_path / "train.bin").write_bytes(b"")
    with pytest.raises(sn.FileError, match="got 0 bytes"):
        sn.data.cifar100(tmp_path)
