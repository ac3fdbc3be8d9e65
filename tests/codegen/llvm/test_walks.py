"""Operands read in place through loops inside loops: windows of images with borders, sums over parts of arrays."""

from __future__ import annotations

import re

import pytest

from codegen.llvm.contract import choose, emit
from codegen.llvm.contract.plan import Choice, Plan
from codegen.llvm.contract.problem import Contraction
from codegen.llvm.jit import assembly
from codegen.target import Target, target
from tests.codegen.llvm.native import Native
from tests.codegen.llvm.test_contract import check, planned, text_of


def windows(images: int | str, channels: int, features: int, height: int, width: int, stride: int) -> str:
    """A 3x3 convolution with channels last over images with borders, and the gradient of its filter."""
    dims = f"\n  dim {images} <= 6" if isinstance(images, str) else ""
    out = f"{(height - 3) // stride + 1}", f"{(width - 3) // stride + 1}"
    at = "n, {0}u + i, {0}v + j, c".format(f"{stride}*" if stride > 1 else "")
    return f"""program t{dims}
  buffer x: f32[{images}, {height}, {width}, {channels}] input
  buffer w: f32[3, 3, {channels}, {features}] input
  buffer g: f32[{images}, {out[0]}, {out[1]}, {features}] input
  buffer y: f32[{images}, {out[0]}, {out[1]}, {features}] output
  buffer dw: f32[3, 3, {channels}, {features}] output

  kernel forward (n:{images}, u:{out[0]}, v:{out[1]}, o:{features}) [contract rows=n,u,v cols=o inner=i,j,c parallel=4]:
    acc = sum(i:3, j:3, c:{channels}) x[{at}] * w[i, j, c, o]
    y[n, u, v, o] = acc
  kernel filter (i:3, j:3, c:{channels}, o:{features}) [contract rows=i,j,c cols=o inner=n,u,v parallel=4]:
    acc = sum(n:{images}, u:{out[0]}, v:{out[1]}) x[{at}] * g[n, u, v, o]
    dw[i, j, c, o] = acc
"""


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("channels", "features"), [(16, 32), (5, 33), (1, 16), (40, 7)])
def test_windows(channels: int, features: int, stride: int) -> None:
    check(windows(3, channels, features, 11, 8, stride))
    for images in (0, 2, 6):
        check(windows("N", channels, features, 7, 10, stride), {"N": images})


def test_windows_are_read_in_place() -> None:
    for stride in (1, 2):
        plan = planned(windows("N", 32, 64, 18, 18, stride))
        assert (plan.left_mode, plan.right_mode) == ("place", "place")
        assert [[axis.extent for axis in level.axes] for level in plan.levels] == [[3], [3, 32]], "j and c are one run"


def test_short_loops_are_written_out() -> None:
    """Channels first: for each channel, nine products of each sum without a loop."""
    text = """program t
  buffer x: f32[2, 6, 18, 18] input
  buffer w: f32[30, 6, 3, 3] input
  buffer y: f32[2, 30, 16, 16] output

  kernel forward (n:2, o:30, u:16, v:16) [contract batch=n rows=o cols=u,v inner=c,i,j parallel=4 vector=v]:
    acc = sum(c:6, i:3, j:3) w[o, c, i, j] * x[n, c, u + i, v + j]
    y[n, o, u, v] = acc
"""
    check(text)
    plan = planned(text)
    assert (plan.left_mode, plan.right_mode) == ("place", "place")
    assert len(plan.levels) == 3
    micro = text_of(text).split("define")[-1]
    assert micro.count("@llvm.fma") == 9 * plan.tile.rows * plan.tile.vectors
    assert "loop1" not in micro


CHANNELS_LAST = """program t
  buffer x: f32[2, 18, 18, 6] input
  buffer w: f32[3, 6, 3, 32] input
  buffer y: f32[2, 16, 16, 32] output

  kernel forward (n:2, u:16, v:16, o:32) [contract batch=n,u rows=v cols=o inner=i,c,j parallel=4 vector=o]:
    acc = sum(i:3, c:6, j:3) x[n, u + i, v + j, c] * w[i, c, j, o]
    y[n, u, v, o] = acc
"""


def test_written_out_windows_stay_in_the_registers() -> None:
    """Windows share elements; where registers are too few to keep them, LLVM must not, or sums go to memory."""
    machine = target("x86-64-v3")
    plan = planned(CHANNELS_LAST, machine.name)
    tile = plan.tile
    assert (plan.left_mode, len(plan.levels)) == ("place", 3)
    assert tile.rows * tile.vectors + tile.vectors + tile.rows > machine.registers, "else nothing is shown"
    written = assembly(Native(CHANNELS_LAST, machine=machine).text, machine)
    loop = written[written.index("forward.tile:") :].split("retq")[0]
    assert loop.count("vfmadd") == 9 // 3 * tile.rows * tile.vectors
    assert not re.search(r"vmovups\s+%ymm\d+, -?\d*\(%rsp\)", loop)


@pytest.mark.parametrize("step", ["v + j", "v - j + 2", "2*v + j"])
def test_what_windows_share_is_read_once(step: str) -> None:
    """The places of a window follow each other in the loop over channels, forwards or backwards: every element of a
    row of pixels is read once for all of them, whatever the windows' stride."""
    text = CHANNELS_LAST.replace("v + j", step).replace("x: f32[2, 18, 18, 6]", "x: f32[2, 18, 34, 6]")
    check(text)
    machine = target("x86-64-v4")
    tile = planned(text, machine.name).tile
    written = assembly(Native(text, machine=machine).text, machine)
    loop = written[written.index("forward.tile:") :].split("retq")[0]
    pixels = 2 * tile.rows + 1 if step.startswith("2") else tile.rows + 2
    assert loop.count("vfmadd") == 3 * tile.rows * tile.vectors
    assert loop.count("{1to16}") + loop.count("vbroadcastss") == pixels, loop


def test_what_the_epilogue_of_windows_reads_is_fetched_ahead() -> None:
    """By the loop over channels, if it is long enough: a line of each array for every row of a tile."""
    text = """program t
  buffer x: f32[30, 34, 34, {0}] input
  buffer w: f32[3, {0}, 3, 32] input
  buffer z: f32[30, 32, 32, 32] input
  buffer y: f32[30, 32, 32, 32] output

  kernel forward (n:30, u:32, v:32, o:32) [contract batch=n,u rows=v cols=o inner=i,c,j parallel=4 vector=o]:
    acc = sum(i:3, c:{0}, j:3) x[n, u + i, v + j, c] * w[i, c, j, o]
    y[n, u, v, o] = z[n, u, v, o] + acc
"""
    check(text.format(32))
    assert text_of(text.format(32)).count("@llvm.prefetch") == 1
    assert "@llvm.prefetch" not in text_of(text.format(4))


def test_far_operands_are_cut_into_blocks() -> None:
    """A sum over more than the caches hold goes block by block, for the tiles of all shares that a thread has."""
    text = windows(64, 32, 32, 34, 34, 1)
    start, end = text.index("  kernel forward"), text.index("  kernel filter")
    plan = planned(text[:start] + text[end:])
    assert (plan.left_mode, plan.right_mode) == ("place", "place")
    assert not plan.depth.whole
    assert plan.shares >= 9, "what comes from memory serves all places of the filter"


@pytest.mark.parametrize(("channels", "features", "stride"), [(16, 32, 1), (21, 33, 2), (9, 16, 1)])
def test_shares_are_done_together(monkeypatch: pytest.MonkeyPatch, channels: int, features: int, stride: int) -> None:
    """The gradient of a filter, all places for each block of images; with edges of tiles, a last block that is shorter,
    and room for the sums of all shares or of four of eighteen or more."""
    text = windows("N", channels, features, 7, 9, stride)
    start, end = text.index("  kernel forward"), text.index("  kernel filter")
    of_c_and_o = 2  # of the pairs of a row axis, i, j, or c, and o
    tile = 5, -(-features // target("native").lanes("float32"))
    choice = Choice(of_c_and_o, "place", "place", *tile, split=0, chunk=2, row_tiles=2, col_tiles=1)
    made: list[Plan] = []

    def chosen(problem: Contraction, machine: Target, _: Choice | None) -> Plan:
        made.append(choose.plan(problem, machine, choice))
        return made[-1]

    monkeypatch.setattr(emit, "plan", chosen)
    check(text[:start] + text[end:], {"N": 5})
    monkeypatch.setattr(choose, "SUMS", 4 * 2 * 5 * tile[1] * target("native").vector_bytes)
    check(text[:start] + text[end:], {"N": 5})
    assert [plan.shares for plan in made] == [9 * -(-channels // 10), 4]
    assert (made[0].row.name, made[0].col.name, made[0].depth.blocks) == ("c", "o", 3)


def test_a_part_of_an_array() -> None:
    """Rows of a part are apart: the sum runs through them in a loop of its own."""
    check("""program t
  buffer a: f32[40, 9, 30] input
  buffer b: f32[9, 30, 50] input
  buffer y: f32[40, 33] output

  kernel part (r:40, s:33) [contract rows=r cols=s inner=i,k parallel=2]:
    acc = sum(i:7, k:21) a[r, i + 1, k + 4] * b[i + 2, k, s + 3]
    y[r, s] = acc
""")
