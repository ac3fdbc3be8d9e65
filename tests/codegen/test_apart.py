"""Compiling in a child process: the parent finds all in the cache, and nothing that goes wrong there is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import symnet as sn
from codegen import apart, cache, link

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYMNET_CACHE", str(tmp_path))
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread()])  # runners of tests have their own
    return tmp_path


def stored() -> object:
    return cache.remembered("who", lambda: os.getpid())


@LINUX
def test_the_child_fills_the_cache() -> None:
    assert not cache.remembers("who")
    assert apart.fill(stored)
    assert cache.remembers("who")
    assert stored() not in (None, os.getpid())


@LINUX
@pytest.mark.parametrize("way", ["error", "warning", "death", "interrupt"])
def test_what_goes_wrong_in_the_child_is_left_to_the_parent(way: str, capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        if way == "error":
            raise ValueError(way)
        if way == "warning":
            warnings.warn(way, RuntimeWarning, stacklevel=1)
            stored()
        if way == "death":
            os.kill(os.getpid(), signal.SIGKILL)
        raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert not apart.fill(work)
    assert not cache.remembers("who")
    assert "Traceback" not in capfd.readouterr().err


@LINUX
def test_a_child_has_no_children() -> None:
    def work() -> None:
        if not apart.fill(stored):
            cache.remembered("none", lambda: True)

    assert apart.fill(work)
    assert cache.remembers("none")
    assert not cache.remembers("who")


@pytest.mark.parametrize("why", ["threads", "no cache", "a cache that can only be read", "checks"])
def test_where_it_is_not_done(why: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    match why:
        case "threads":
            other = threading.Thread(name="other")
            monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread(), other])
        case "no cache":
            monkeypatch.setenv("SYMNET_CACHE", "off")
        case "a cache that can only be read":
            monkeypatch.setattr(os, "access", lambda place, mode: False)
        case "checks":
            monkeypatch.setenv("SYMNET_CHECK", "2")
    assert not apart.fill(stored)
    assert not list(own_cache.iterdir())


PROGRAM = """
import sys
import numpy as np
import symnet as sn

x, y = sn.input("x", ("N", 5)), sn.input("y", ("N",), "int64")
model = sn.nn.Linear(5, 3)
loss = sn.losses.cross_entropy(model(x), y)
program = sn.compile(loss=loss, optimizer=sn.optim.Adam(lr=0.1), outputs={"z": model(x)}, batch={"N": 4})
data = {"x": np.ones((9, 5), np.float32), "y": np.arange(9) % 3}
history = program.fit(data, epochs=2, metrics=["accuracy"], progress=False)
print(history.losses, "codegen.passes.inline" in sys.modules)
"""


@LINUX
def test_a_program_has_the_same_bits_wherever_it_is_compiled(own_cache: Path) -> None:
    """And where it is compiled in a child, the passes are not even imported here."""
    found = {}
    for way, value in {"child": str(own_cache / "child"), "here": "off"}.items():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env={**os.environ, "SYMNET_CACHE": value}, capture_output=True, text=True
        )
        assert not done.stderr
        found[way] = done.stdout.rpartition(" ")
    assert found["child"][0] == found["here"][0]
    assert (found["child"][2], found["here"][2]) == ("False\n", "True\n")


@LINUX
def test_a_library_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules compiled by several processes are, byte for byte, those that one compiles."""
    x, w = sn.input("x", ("N", 7)), sn.input("w", (7, 5))
    y = sn.tanh(x @ w)
    single, several = (sn.function([x, w], [y, sn.sum(y), sn.exp(x)]) for _ in range(2))
    rng = np.random.default_rng(0)
    given = rng.normal(size=(9, 7)).astype("float32"), rng.normal(size=(7, 5)).astype("float32")
    monkeypatch.setenv("SYMNET_CACHE", "off")
    monkeypatch.setattr("codegen.llvm.module.TOGETHER", 1)
    made: list[list[bytes]] = []
    monkeypatch.setattr(link, "linked", lambda objects, all_of=link.linked: made.append(objects) or all_of(objects))
    expected = single(*given)
    monkeypatch.setattr(apart, "processes", lambda: 3)
    found = several(*given)
    assert len(made[0]) > 3
    assert made[0] == made[1]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@LINUX
def test_shared_work_is_done_where_a_process_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "processes", lambda: 3)

    def work(number: int) -> bytes:
        if apart.inside():
            os._exit(1)
        return bytes([number])

    assert apart.shared(50, work)() == [bytes([number]) for number in range(50)]


@LINUX
def test_work_beside_others() -> None:
    long = b"symnet" * 100_000  # more than a pipe holds
    waits = [apart.beside(lambda n=n: long[n:]) for n in range(3)]
    assert [wait() for wait in waits] == [long[n:] for n in range(3)]

    def only_here() -> bytes:
        if apart._inside:
            raise ValueError
        return b"here"

    assert apart.beside(only_here)() == b"here"
