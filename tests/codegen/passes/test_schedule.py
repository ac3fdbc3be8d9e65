"""What runs in vector lanes: long rows, also at a step; never a short window instead of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from codegen.loops.grammar import Program, kernels
from codegen.passes.schedule import SCHEDULE
from tests.codegen.passes.test_passes import through

Agrees = Callable[..., Program]

KERNEL = """\
program p
  dim N <= 64
  buffer x: f64[N, 40] input
  buffer t: f64[40, N] input
  buffer w: f64[3, 3] input
  buffer y: f64[N, 40] output
  buffer z: f64[N, 1] output
  kernel k ({axes}):
    {body}
"""


@pytest.mark.parametrize(
    ("axes", "body", "vector"),
    [
        ("n: N, i: 40", "y[n, i] = x[n, i]", "i"),
        ("n: N, i: 40", "y[n, i] = x[n, i] * t[i, n]", "i"),
        ("n: N, i: 20", "y[n, 2*i] = x[n, 2*i + 1]", "i"),
        ("n: N, i: 19", "r = max(l: 3) x[n, 2*i + l]\n    y[n, i] = r", "i"),
        ("n: N, i: 37", "r = sum(j: 3, l: 3) x[n, i + l] * w[j, l]\n    y[n, i] = r", "i"),
        ("n: N", "z[n, 0] = z[n, 0] + @(n)", "n"),  # an axis of size 1 behind it does not keep rows apart
        ("n: N", "r = sum(l: 40) x[n, l]\n    z[n, 0] = r", "l"),
        ("n: N, i: 8", "y[n, 5*i] = x[n, 5*i]", None),
    ],
)
def test_the_vector_axis(axes: str, body: str, vector: str | None) -> None:
    body = body.replace("z[n, 0] + @(n)", "f64(@(n))")
    (kernel,) = kernels(through(KERNEL.format(axes=axes, body=body), SCHEDULE).items)
    assert kernel.schedule.vector == vector


def contraction_of(program: Program) -> tuple[str, str | None, tuple[str, ...]]:
    (kernel,) = (kernel for kernel in kernels(program.items) if kernel.schedule.form == "contract")
    return kernel.axes[-1].name, kernel.schedule.vector, kernel.schedule.cols


def test_contractions(agrees: Agrees) -> None:
    """The gradient of a filter leaves it to the backend what runs in lanes: the rows of a filter are short."""
    x, w = sn.input("x", (2, 4, 12, 12), "float64"), sn.parameter("w", (5, 4, 3, 3), "float64")
    y = sn.conv2d(x, w, padding=1)
    last, vector, cols = contraction_of(agrees({"y": y}))
    assert last == vector == cols[-1]
    _, vector, _ = contraction_of(agrees({"dw": sn.grad(sn.sum(y), w)}))
    assert vector is None
    pooled = sn.grad(sn.sum(sn.square(sn.conv2d(sn.max_pool(x, (2, 2)), w))), x)
    columns = [k.schedule.cols[-1] for k in kernels(agrees({"dx": pooled}).items) if k.schedule.form == "contract"]
    assert len(columns) == 2


@pytest.mark.parametrize(("rows", "form"), [(1, "nest"), (2, "contract")])
def test_matrix_by_one_vector(rows: int, form: str, rng: np.random.Generator) -> None:
    """A matrix whose rows lie along the sum is read as it lies: no tile would use an element twice."""
    x, w = sn.input("x", (rows, 48)), sn.input("w", (64, 48))
    run = sn.function([x, w], x @ sn.transpose(w))
    one, two = (rng.normal(size=shape).astype(np.float32) for shape in ((rows, 48), (64, 48)))
    np.testing.assert_allclose(run(one, two), one @ two.T, rtol=1e-4, atol=1e-4)
    assert ("[contract" in run.source("loops")) == (form == "contract")
