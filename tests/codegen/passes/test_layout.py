"""Layout, borders, operands: convolutions over channels that lie side by side, read in place with zeros around them."""

from __future__ import annotations

import pytest

from codegen.loops.grammar import Kernel, Load, Program, kernels, loads
from codegen.passes import operands as passes_operands
from codegen.passes.borders import BORDERS
from codegen.passes.dead import DEAD
from codegen.passes.layout import LAYOUT
from codegen.passes.operands import OPERANDS
from tests.codegen.passes.test_passes import count, through

CONVOLUTION = """\
program convolution
  dim N <= 3
  buffer x: f64[N, 9, 8, 7] input
  buffer w: f64[10, 9, 3, 3] parameter
  buffer v: f64[10, 10, 3, 3] parameter
  buffer h: f64[N, 10, 8, 7] scratch
  buffer r: f64[N, 10, 8, 7] scratch
  buffer y: f64[N, 10, {rows}, 4] output

  kernel first (n: N, k: 10, i: 8, j: 7):
    acc = sum(c: 9, u: 3, v: 3) x[n, c, i + u - 1, j + v - 1 else 0.0] * w[k, c, u, v]
    h[n, k, i, j] = acc

  kernel relu (n: N, k: 10, i: 8, j: 7):
    r[n, k, i, j] = maximum(h[n, k, i, j], 0.0)

  kernel second (n: N, k: 10, i: {rows}, j: 4):
    acc = sum(c: 10, u: 3, v: 3) r[n, c, 2*i + u - 1, 2*j + v - {left} else 0.0] * v[k, c, u, v]
    y[n, k, i, j] = acc
"""


def convolution(rows: int = 4, left: int = 1) -> str:
    return CONVOLUTION.format(rows=rows, left=left)


def operands_of(program: Program, name: str) -> list[Load]:
    (kernel,) = (one for one in kernels(program.items) if one.name == name)
    return list(loads(kernel.body[:1]))


def test_channels_of_scratch_go_last() -> None:
    program = through(convolution(), LAYOUT)
    shapes = {name: buffer.shape for name, buffer in program.buffers.items()}
    assert shapes["h"] == shapes["r"] == ("N", 8, 7, 10), "the one beside it in another kernel follows"
    assert shapes["x"] == ("N", 9, 8, 7)
    assert shapes["y"] == ("N", 10, 4, 4)


def test_arrays_seen_under_another_shape_stay() -> None:
    text = convolution().replace("  buffer y:", "  buffer flat: f64[N, 560] scratch view r\n  buffer y:")
    shapes = {name: buffer.shape for name, buffer in through(text, LAYOUT).buffers.items()}
    assert shapes["r"] == ("N", 10, 8, 7)
    assert shapes["h"] == ("N", 8, 7, 10)


def test_scratch_gets_room_for_the_zeros_around_it() -> None:
    program = through(convolution(), BORDERS)
    assert program.buffers["r"].shape == ("N", 10, 9, 9), "with a stride of 2, not beyond the last of 8 rows"
    assert program.buffers["x"].shape == ("N", 9, 8, 7), "an input stays as it is"
    (r, _) = operands_of(program, "second")
    assert r.fill is None
    assert [item.name for item in kernels(program.items)] == ["first", "r_zeros", "relu", "second"]
    assert count(through(convolution(), LAYOUT, BORDERS)) == 4


def test_one_border_serves_all_readers() -> None:
    """A reader that reaches further decides; those that stay inside read past the border."""
    text = convolution()
    again = text[text.index("  kernel second") :].replace("second", "third").replace("y[n", "z[n")
    text = text.replace("  buffer y:", "  buffer z: f64[N, 10, 4, 4] output\n  buffer y:")
    program = through(text + "\n" + again.replace("u - 1,", "u - 2,"), BORDERS)
    assert program.buffers["r"].shape == ("N", 10, 10, 9)
    inner = text + "\n" + again.replace("2*i + u - 1, 2*j + v - 1 else 0.0", "2*i, j + v")
    assert through(inner, BORDERS).buffers["r"].shape == ("N", 10, 9, 9)


def test_arrays_surrounded_by_other_values_get_no_border() -> None:
    """One reader wants ones beyond the edges, another zeros."""
    text = convolution()
    again = text[text.index("  kernel second") :].replace("second", "third").replace("y[n", "z[n")
    text = text.replace("  buffer y:", "  buffer z: f64[N, 10, 4, 4] output\n  buffer y:")
    program = through(text + "\n" + again.replace("else 0.0", "else 1.0"), BORDERS)
    assert program.buffers["r"].shape == ("N", 10, 8, 7)


def test_arrays_seen_under_another_shape_get_no_border() -> None:
    text = convolution().replace("  buffer y:", "  buffer flat: f64[N, 560] scratch view r\n  buffer y:")
    assert through(text, BORDERS).buffers["r"].shape == ("N", 10, 8, 7)


def test_what_lies_beyond_the_edges_is_copied_once() -> None:
    program = through(convolution(), OPERANDS)
    assert program.buffers["x_border"].shape == ("N", 9, 10, 9)
    (x, _) = operands_of(program, "first")
    assert x.buffer == "x_border"
    assert x.fill is None
    assert program.buffers["r_border"].shape == ("N", 10, 9, 9), "with a stride of 2, not beyond the last of 8 rows"


def test_a_copy_serves_all_who_reach_equally_far() -> None:
    text = convolution()
    again = text[text.index("  kernel first") : text.index("  kernel relu")]
    both = text + again.replace("first", "third").replace("h[n", "z[n")
    both = both.replace("  buffer y:", "  buffer z: f64[N, 10, 8, 7] output\n  buffer y:")
    program = through(both, OPERANDS)
    assert [name for name in program.buffers if name.startswith("x_border")] == ["x_border"]


def test_a_copy_is_made_again_of_what_has_changed() -> None:
    text = convolution().replace("x: f64[N, 9, 8, 7] input", "x: f64[N, 9, 8, 7] state")
    again = text[text.index("  kernel first") : text.index("  kernel relu")]
    change = "\n  kernel change (n: N, c: 9, i: 8, j: 7):\n    x[n, c, i, j] = x[n, c, i, j] + 1.0\n\n"
    both = text + change + again.replace("first", "third").replace("h[n", "z[n")
    both = both.replace("  buffer y:", "  buffer z: f64[N, 10, 8, 7] output\n  buffer y:")
    program = through(both, OPERANDS)
    assert sorted(name for name in program.buffers if name.startswith("x_border")) == ["x_border", "x_border_2"]


def test_few_products_are_not_worth_a_copy() -> None:
    text = convolution().replace("k: 10", "k: 1").replace("[N, 10,", "[N, 1,").replace("[10, ", "[1, ")
    text = text.replace("c: 10", "c: 1").replace("[1, 10,", "[1, 1,")
    assert "r_border" not in through(text, OPERANDS).buffers


def test_columns_come_side_by_side() -> None:
    """After the layout pass the results' channels are the columns, which a filter [K, C, 3, 3] has far apart."""
    wide = convolution().replace("[N, 9, 8, 7]", "[N, 9, 30, 20]").replace("[N, 10, 8, 7]", "[N, 10, 30, 20]")
    wide = wide.replace("i: 8, j: 7", "i: 30, j: 20")
    program = through(wide, LAYOUT, OPERANDS, DEAD)
    (_, w) = operands_of(program, "first")
    assert program.buffers[w.buffer].shape == (9, 3, 3, 10)
    assert count(program) == 5


RECURRENCE = """\
program recurrence
  dim N <= 6
  buffer w: f64[96, 40] parameter
  buffer h: f64[131, N, 40] output
  buffer z: f64[130, N, 96] scratch

  kernel start (n: N, j: 40):
    h[0, n, j] = 0.5

  for t: 130:
    kernel gates (n: N, i: 96):
      acc = sum(j: 40) h[t, n, j] * w[i, j]
      z[t, n, i] = acc
    kernel carry (n: N, j: 40):
      h[t + 1, n, j] = tanh(z[t, n, j] + z[t, n, j + 56])
"""


def test_weights_of_a_recurrence_are_copied_once_before_its_steps() -> None:
    program = through(RECURRENCE, OPERANDS)
    names = [item.name if isinstance(item, Kernel) else "steps" for item in program.items]
    assert names == ["start", "w_columns", "steps"]
    assert program.buffers["w_columns"].shape == (3, 40, 32), "in panels of 32 columns"


def test_large_weights_with_columns_side_by_side_come_in_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way, back through the steps, their columns are contiguous, but rows lie far apart."""
    text = RECURRENCE.replace("w: f64[96, 40]", "w: f64[40, 96]").replace("w[i, j]", "w[j, i]")
    text = text.replace("96", "128").replace("j + 56", "j + 88")
    assert "w_columns" not in through(text, OPERANDS).buffers, "they are small"
    monkeypatch.setattr(passes_operands, "LARGE", 40 * 128 * 8)
    assert through(text, OPERANDS).buffers["w_columns"].shape == (4, 40, 32)


def test_weights_that_the_steps_change_are_copied_in_each_if_at_all() -> None:
    changing = RECURRENCE.replace("w: f64[96, 40] parameter", "w: f64[96, 40] state").replace(
        "    kernel carry", "    kernel change (i: 96, j: 40):\n      w[i, j] = 0.99 * w[i, j]\n\n    kernel carry"
    )
    program = through(changing, OPERANDS)
    assert not any(name.startswith("w_columns") for name in program.buffers)


def test_contractions_in_order_stay_as_they_are() -> None:
    text = """\
program product
  buffer a: f64[64, 80] input
  buffer b: f64[80, 96] input
  buffer c: f64[64, 96] output

  kernel gemm (r: 64, c: 96):
    acc = sum(k: 80) a[r, k] * b[k, c]
    c[r, c] = acc
"""
    program = through(text, LAYOUT, OPERANDS)
    assert all(isinstance(item, Kernel) for item in program.items)
    assert count(program) == 1
