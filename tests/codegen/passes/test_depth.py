"""Kernels on the same images go image by image: which do, what shrinks, and that results stay what they were."""

from __future__ import annotations

import numpy as np
import pytest

from codegen.loops.grammar import Item, Kernel, Program, Sequence
from codegen.loops.interpret import run
from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.loops.verify import verify
from codegen.passes.compare import compare, random_memory
from codegen.passes.depth import DEPTH
from codegen.passes.memory import MEMORY, local_bytes
from codegen.passes.schedule import SCHEDULE
from symnet.errors import CompilerBug
from tests.codegen.llvm.native import Native

NORMALISE = """\
program p
  dim N <= 9
  buffer x: f32[N, 300, 100] input
  buffer w: f32[100] parameter
  buffer h: f32[N, 300, 100] scratch
  buffer s: f32[N, 100] scratch
  buffer y: f32[N, 300] output
  buffer total: f32[100] output

  kernel h (n: N, i: 300, j: 100):
    h[n, i, j] = maximum(x[n, i, j], 0.0f) * w[j]

  kernel w (j: 100):
    total[j] = w[j] + 1.0f

  kernel s (m: N, k: 100):
    r = sum(i: 300) h[m, i, k]
    s[m, k] = r

  kernel y (n: N, i: 300):
    r = sum(j: 100) h[n, i, j] * s[n, j]
    y[n, i] = r

  kernel total (j: 100):
    r = sum(n: N) s[n, j]
    total[j] = total[j] + r
"""

ATTENTION = """\
program p
  dim N <= 11
  buffer q: f32[N, 4, 130, 16] input
  buffer k: f32[N, 4, 130, 16] input
  buffer scores: f32[N, 4, 130, 130] scratch
  buffer shares: f32[N, 4, 130, 130] scratch
  buffer y: f32[N, 130, 4, 16] output

  kernel scores (n: N, h: 4, i: 130, j: 130):
    acc = sum(c: 16) q[n, h, i, c] * k[n, h, j, c]
    scores[n, h, i, j] = 0.25f * acc

  kernel shares (n: N, h: 4, i: 130):
    m = max(j: 130) scores[n, h, i, j]
    s = sum(j_2: 130) exp(scores[n, h, i, j_2] - m)
    for j_3: 130:
      shares[n, h, i, j_3] = exp(scores[n, h, i, j_3] - m) / s

  kernel y (n: N, i: 130, h: 4, c: 16):
    acc = sum(j: 130) shares[n, h, i, j] * k[n, h, j, c]
    y[n, i, h, c] = acc
"""


def deep(text: str) -> Program:
    before = verify(parse(text))
    after = verify(DEPTH.run(before), before)
    assert show(parse(show(after))) == show(after)
    return after


def shape(items: tuple[Item, ...]) -> list[object]:
    """Kernels by name, loops as lists that begin with how many iterations they have."""
    return [one.name if isinstance(one, Kernel) else [one.axis.extent, *shape(one.items)] for one in items]  # type: ignore[union-attr]


def test_kernels_of_one_image_follow_each_other() -> None:
    """What belongs to no image comes before; what needs all images stays after."""
    program = deep(NORMALISE)
    assert shape(program.items) == ["w", ["N", "h", "s", "y"], "total"]
    assert program.buffers["h"].role == "local"
    assert program.buffers["h"].shape == (300, 100)
    assert program.buffers["s"].role == "scratch", "others want it of every image"
    compare(verify(parse(NORMALISE)), program, "depth")


def test_heads_go_one_by_one_inside_an_image() -> None:
    program = deep(ATTENTION)
    assert shape(program.items) == [["N", [4, "scores", "shares", "y"]]]
    assert {name: program.buffers[name].shape for name in ("scores", "shares")} == {
        "scores": (130, 130),
        "shares": (130, 130),
    }
    compare(verify(parse(ATTENTION)), program, "depth")


@pytest.mark.parametrize("text", [NORMALISE, ATTENTION])
def test_native_code_gives_the_same_for_any_number_of_threads(text: str) -> None:
    program = SCHEDULE.run(deep(text))
    sizes = {"N": program.dims["N"] - 2}
    memory = random_memory(program, sizes, np.random.default_rng(5))
    native, expected = Native(show(program)), {name: array.copy() for name, array in memory.items()}
    assert run(native.program, expected, sizes) == 0
    found = [native(memory, sizes, threads)[1] for threads in (1, 2, 3)]
    for name in (buffer.name for buffer in program.buffers.values() if buffer.role == "output"):
        assert len({one[name].tobytes() for one in found}) == 1
        np.testing.assert_allclose(found[0][name], expected[name], rtol=1e-4, atol=1e-4)


def test_local_buffers_lie_in_the_memory_of_a_thread() -> None:
    program = MEMORY.run(SCHEDULE.run(deep(ATTENTION)))
    assert local_bytes(program) % 4096 == 0
    assert 2 * 4 * 130 * 130 <= local_bytes(program) <= 2 * 4 * 130 * 130 + 3 * 4096
    placed = {name: buffer.offset for name, buffer in program.buffers.items() if buffer.role == "local"}
    assert placed["scores"] == 0
    assert placed["shares"] is not None
    assert placed["shares"] >= 4 * 130 * 130


@pytest.mark.parametrize(
    "change",
    [
        ("N <= 9", "N <= 7"),  # few images
        ("300", "30"),  # all of it fits into a cache
        ("h[m, i, k]", "h[0, i, k]"),  # another image is read
    ],
)
def test_what_stays_as_it_is(change: tuple[str, str]) -> None:
    changed = NORMALISE.replace(*change)
    assert changed != NORMALISE
    program = deep(changed)
    assert not any(isinstance(item, Sequence) for item in program.items[:3])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("    a[0, i] = x[n, i]", "share the buffer 'a'"),
        (
            "    c[n, i] = a[n, i]\n\n  kernel after (n: N, i: 8):\n    a[n, i] = t[i]",
            "is local, and this is no parallel",
        ),
    ],
)
def test_the_verifier_keeps_iterations_apart(line: str, message: str) -> None:
    text = f"""\
program p
  dim N <= 4
  buffer x: f32[N, 8] input
  buffer a: f32[N, 8] scratch
  buffer c: f32[N, 8] scratch
  buffer t: f32[8] local

  for n: N parallel:
    kernel first (i: 8):
      t[i] = x[n, i]

    kernel second (i: 8):
{line.replace("    ", "      ", 1)}
"""
    with pytest.raises(CompilerBug, match=message):
        verify(parse(text))
