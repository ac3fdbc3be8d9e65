"""Long sums with few results in two stages."""

from __future__ import annotations

import pytest

from codegen.loops.grammar import kernels
from codegen.passes.split import SPLIT
from tests.codegen.passes.test_passes import through

SUM = """\
program sums
  dim N <= 64
  buffer x: f64[{shape}] input
  buffer m: f64[{channels}] input
  buffer s: f64[{channels}] output

  kernel total (c: {channels}):
    r = sum(n: N, i: 11, j: 9):
      d = x[{index}] - m[c]
      yield d * d
    s[c] = r
"""


def parts(shape: str, index: str, channels: int) -> list[tuple[object, ...]]:
    program = through(SUM.format(shape=shape, index=index, channels=channels), SPLIT)
    assert len(list(kernels(program.items))) == 1 + ("total_parts" in program.buffers)
    return [buffer.shape for name, buffer in program.buffers.items() if name == "total_parts"]


@pytest.mark.parametrize("channels", [1, 7, 32, 255])
def test_sums_of_channels_are_taken_by_images_where_channels_lie_side_by_side(channels: int) -> None:
    assert parts(f"N, 11, 9, {channels}", "n, i, j, c", channels) == [("N", channels)]


def test_many_channels_are_shared_out_themselves() -> None:
    assert parts("N, 11, 9, 256", "n, i, j, c", 256) == []


def test_sums_of_channels_that_lie_apart() -> None:
    assert parts("N, 7, 11, 9", "n, c, i, j", 7) == [(7, "N")]
    assert parts("N, 32, 11, 9", "n, c, i, j", 32) == []


def test_short_sums_stay_whole() -> None:
    text = SUM.format(shape="N, 11, 9, 16", index="n, i, j, c", channels=16).replace("N <= 64", "N <= 41")
    assert "total_parts" not in through(text, SPLIT).buffers
