"""The cache of compiled libraries: hits, damage, folders that cannot be used; and what its key depends on."""

from __future__ import annotations

import ctypes
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codegen
import symnet as sn
from codegen import cache, pipeline
from codegen.fingerprint import fingerprint
from codegen.spec import Entry, Module
from symnet.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYMNET_CACHE", str(tmp_path / "cache"))
    cache._warned.clear()
    return tmp_path / "cache"


def module(scale: float = 2.0, name: str = "x", capacity: int = 8) -> Module:
    x = sn.input(name, ("N", 3))
    return Module("m", (Entry("call", {"out": sn.exp(x) * scale}),), {"N": capacity})


def test_second_time_nothing_is_lowered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = codegen.build(module())
    monkeypatch.setattr(pipeline, "compile_entry", lambda *_: pytest.fail("lowered again"))
    second = codegen.build(module())
    assert second.metadata == first.metadata
    assert len(list(folder.glob("*.symnet"))) == 1


def test_a_damaged_file_is_compiled_again(folder: Path) -> None:
    codegen.build(module())
    (file,) = folder.glob("*.symnet")
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:100], b"", whole[:60] + bytes([whole[60] ^ 1]) + whole[61:]):
        file.write_bytes(damaged)
        cache._warned.clear()
        with pytest.warns(RuntimeWarning, match="damaged; compiling it again"):
            codegen.build(module())
        assert file.read_bytes() == whole


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path(place.split("/x")[0]).parent.exists():
        pytest.skip(f"no {place} here")
    monkeypatch.setenv("SYMNET_CACHE", place)
    with pytest.warns(RuntimeWarning, match="set SYMNET_CACHE to a folder that can be written"):
        codegen.build(module())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codegen.build(module(3.0))  # one warning is enough


def test_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMNET_CACHE", "off")
    codegen.build(module())
    assert not folder.exists()
    assert not Path("off").exists()


def test_old_files_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 250)
    monkeypatch.setattr(cache, "PRUNE_EVERY", 1)
    for number in range(4):
        cache.write(f"k{number}", {}, bytes(60))
        os.utime(folder / f"k{number}.symnet", (number, number))
    cache.write("k4", {}, bytes(60))
    assert sorted(path.stem for path in folder.iterdir()) == ["k3", "k4"]


@pytest.mark.parametrize(
    "other",
    [
        module(3.0),
        module(name="y"),
        module(capacity=9),
        Module("m", (Entry("run", module().entries[0].outputs),), {"N": 8}),
    ],
)
def test_the_key_depends_on_the_program(other: Module) -> None:
    assert fingerprint(module()) == fingerprint(module())
    assert fingerprint(module()) != fingerprint(other)
    assert fingerprint(module(), "x") != fingerprint(module(), "y")


def test_the_key_does_not_depend_on_initial_values() -> None:
    def with_parameter(init: Any) -> Module:
        w = sn.parameter("w", (3,), init=init)
        return Module("m", (Entry("call", {"out": w * 2.0}),))

    one, two = with_parameter(np.zeros(3, np.float32)), with_parameter(np.ones(3, np.float32))
    assert fingerprint(one) == fingerprint(two)


def test_constants_are_part_of_the_key() -> None:
    def with_constant(value: float) -> Module:
        c = sn.constant(np.full(300, value, np.float32))
        return Module("m", (Entry("call", {"out": sn.input("x", (300,)) * c}),))

    assert fingerprint(with_constant(1.0)) != fingerprint(with_constant(2.0))


def test_texts_of_the_stages() -> None:
    library = codegen.build(module())
    assert "kernel" in library.source("loops")
    assert "define i32 @sn_call(" in library.source("llvm")
    assert "sn_call:" in library.source("asm")
    with pytest.raises(UsageError, match="did you mean 'llvm'"):
        library.source("lvm")


def test_dump_writes_every_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codegen.build(module())
    monkeypatch.setenv("SYMNET_DUMP", str(tmp_path / "dump"))
    codegen.build(module())  # although the cache has it
    kinds = {path.suffix for path in (tmp_path / "dump").iterdir()}
    assert kinds == {".loops", ".ll", ".s"}


def test_profile_counts_cycles_of_each_kernel() -> None:
    x = sn.input("x", ("N", 300))
    library = codegen.build(Module("m", (Entry("call", {"out": sn.sum(sn.exp(x))}),), {"N": 8}), profile=True)
    (kernel,) = library.metadata["entries"]["call"]["kernels"]
    assert (kernel["flops"], kernel["functions"], kernel["bytes"]) == ("300*N", "300*N", "1200*N + 4")
    array = np.ones((8, 300), np.float32)
    arena, sync = np.zeros(4096, np.uint8), np.zeros(1024, np.uint8)
    values = {
        "arena": arena.ctypes.data,
        "sync": sync.ctypes.data,
        "local": 0,
        "input:x": array.ctypes.data,
        "dim:N": 8,
    }
    table = (ctypes.c_int64 * 5)(*(values[name] for name in library.metadata["table"]))
    entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(library.address("call"))
    assert entry(table, 0, 1) == 0
    spent, whole = library.cycles("call")
    assert 0 < spent < whole < 1e9
    assert library.cycles("call") == [0, 0], "asking starts anew"
    with pytest.raises(UsageError, match="profile=True"):
        codegen.build(module()).cycles("call")


def test_unknown_entries_and_backends() -> None:
    with pytest.raises(UsageError, match="no entry 'step'"):
        codegen.compile(module(), only=("step",))
    with pytest.raises(UsageError, match="no backend 'llvmm'; did you mean 'llvm'"):
        codegen.compile(module(), backend="llvmm")
