"""Images: object files linked where they are compiled, and loaded without LLVM."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codegen
import symnet as sn
from codegen.link import linked
from codegen.llvm import jit
from codegen.llvm.module import LibraryText
from codegen.loops.parse import parse
from codegen.passes.memory import MEMORY
from codegen.passes.schedule import SCHEDULE
from codegen.spec import Entry, Module
from codegen.target import target
from symnet.errors import CompilerBug
from symnet.runtime.image import Image, function

LINUX = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="images are of ELF for x86-64"
)

PROGRAM = """\
program p
  buffer x: f64[100] input
  buffer y: f64[100] output

  kernel y (i: 100):
    y[i] = exp(x[i]) + 1.5
"""


def objects() -> list[bytes]:
    program = MEMORY.run(SCHEDULE.run(parse(PROGRAM)))
    return jit.compile_units(LibraryText({"p": program}, target()), target())()


def module(scale: float) -> Module:
    x = sn.input("x", ("N", 30))
    return Module("m", (Entry("call", {"out": sn.sum(sn.exp(x * scale))}),), {"N": 8})


def mapped() -> list[str]:
    """Anonymous memory of this process that can be executed."""
    rows = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    return [row[1] for row in rows if "x" in row[1] and len(row) == 5]


@LINUX
def test_an_image_is_code_that_is_not_written_and_data_that_is_not_run() -> None:
    found = linked(objects())
    assert found is not None
    about, content = found
    ends = about["ends"]
    assert ends == sorted(ends)
    assert all(end % 4096 == 0 for end in ends)
    assert len(content) <= ends[-1]
    before = mapped()
    image = Image(about, content, ["sn_p", "sn_run"])
    assert image.addresses["sn_run"] != image.addresses["sn_p"]
    assert sorted(mapped()) == sorted([*before, "r-xp"])
    another = Image(about, content, ["sn_p"])
    assert another.addresses["sn_p"] != image.addresses["sn_p"], "an image may be loaded twice"
    del image, another
    gc.collect()
    assert mapped() == before, "and is given back"


@LINUX
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:40],
        lambda data: b"\xcf\xfa\xed\xfe" + data[4:],  # another format
        lambda data: data[:18] + b"\xb7\x00" + data[20:],  # another machine
        lambda data: data[: len(data) // 2],
    ],
)
def test_what_is_not_known_is_left_to_llvm(damage: Any) -> None:
    first, *others = objects()
    assert linked([damage(first), *others]) is None
    assert linked([first, first, *others]) is None, "everything twice"


def test_functions_that_no_process_has() -> None:
    assert function("memcpy") != 0
    with pytest.raises(
        CompilerBug, match="compiled code calls 'no_such_function': expected a function of the C library"
    ):
        function("no_such_function")


def test_several_libraries_at_once() -> None:
    x = np.linspace(-1, 1, 8 * 30, dtype=np.float32).reshape(8, 30)
    for scale in (0.5, 2.0):
        found = sn.function([inputs := sn.input("x", ("N", 30))], sn.sum(sn.exp(inputs * scale)))(x)
        np.testing.assert_allclose(found, np.exp(x * scale).sum(), rtol=1e-5)
        assert codegen.build(module(scale)).functions["sn_call"]


@LINUX
def test_a_process_that_finds_its_program_does_without_the_compiler(tmp_path: Path) -> None:
    """And has the same bits as the process that compiled."""
    script = """
import sys
import numpy as np
import symnet as sn
x, y = sn.input("x", ("N", 20)), sn.input("y", ("N",), dtype="int64")
model = sn.nn.Sequential(sn.nn.Linear(20, 16), sn.nn.Tanh(), sn.nn.Linear(16, 5))
program = sn.compile(loss=sn.losses.cross_entropy(model(x), y), optimizer=sn.optim.Adam(), batch={"N": 8}, seed=3)
rng = np.random.default_rng(0)
for _ in range(3):
    loss = program.step(x=rng.normal(size=(8, 20)).astype("f4"), y=rng.integers(0, 5, 8))["loss"]
print(loss.tobytes().hex(), "llvmlite" in sys.modules)
"""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "SYMNET_CACHE": str(tmp_path), "PYTHONPATH": str(root)}
    runs = [
        subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    first, second = (run.stdout.split() for run in runs)
    assert first[0] == second[0]
    assert second[1] == "False"
