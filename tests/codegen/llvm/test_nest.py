"""Loop nests as machine code, against the interpreter: odd sizes, tails, all dtypes, NaN, one and two threads."""

from __future__ import annotations

import re
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest

from codegen.target import target
from symnet.expr.dtypes import SHORT
from tests.codegen.llvm.native import Native, agree

DTYPES = ("float32", "float64", "int32", "int64", "bool")
SPECIAL = {"float32": [np.nan, np.inf, -np.inf, 0.0, -0.0], "float64": [np.nan, np.inf, -np.inf, 0.0, -0.0]}
SCHEDULES = (
    "",
    "[vector=j]",
    "[parallel=1 vector=j]",
    "[parallel=2 vector=j]",
    "[parallel=2]",
    "[parallel=1 vector=i]",
)
ON_X86 = llvm.get_process_triple().startswith("x86_64")


def array(rng: np.random.Generator, dtype: str, shape: tuple[int, ...], special: bool = False) -> Any:
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith("int"):
        return rng.integers(-20, 20, shape).astype(dtype)
    values = rng.normal(size=shape) * 3
    if special:
        where = rng.random(shape) < 0.3
        values = np.where(where, rng.choice(SPECIAL[dtype], shape), values)
    return values.astype(dtype)


def unary(expression: str, dtype: str, out: str) -> str:
    return f"""\
program p
  dim N <= 41
  buffer x: {SHORT[dtype]}[N] input
  buffer w: {SHORT[dtype]}[N] input
  buffer o: {SHORT[out]}[N] output
  kernel k (j: N) [parallel=1 vector=j]:
    a = x[j]
    b = w[j]
    o[j] = {expression}
"""


FLOAT_EXPRESSIONS = {
    "a + b": 0.0, "a - b * a": 1e-6, "a / b": 0.0, "-a": 0.0, "abs(a)": 0.0, "sign(a)": 0.0, "floor(a)": 0.0,
    "ceil(a)": 0.0, "round(a)": 0.0, "mod(a, b)": 1e-6, "floordiv(a, b)": 0.0, "sqrt(a)": 0.0, "exp(a)": 1e-6,
    "expm1(a)": 1e-6, "log(a)": 1e-6, "log1p(a)": 1e-6, "tanh(a)": 1e-6, "erf(a)": 1e-6, "sin(a)": 1e-6,
    "cos(a)": 1e-6, "pow(a, b)": 1e-5, "minimum(a, b)": 0.0, "maximum(a, b)": 0.0, "where(a < b, a, b)": 0.0,
}  # fmt: skip
CONDITIONS = ("a == b", "a != b", "a < b", "a <= b", "a > b", "a >= b")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", [*FLOAT_EXPRESSIONS, *CONDITIONS, "isnan(a)", "logical_not(a < b)"])
def test_float_functions(expression: str, dtype: str, rng: np.random.Generator) -> None:
    out = dtype if expression in FLOAT_EXPRESSIONS else "bool"
    rtol = FLOAT_EXPRESSIONS.get(expression, 0.0)
    native = Native(unary(expression, dtype, out))
    for size in (1, 37):
        memory = {"x": array(rng, dtype, (size,), True), "w": array(rng, dtype, (size,), True)}
        memory["w"][::5] = memory["x"][::5]
        agree(native.program, memory, {"N": size}, rtol if dtype == "float32" else rtol * 1e-6, native)


INT_EXPRESSIONS = ("a + b", "a - b", "a * b", "-a", "abs(a)", "sign(a)", "mod(a, b)", "floordiv(a, b)",
                   "pow(a, abs(b))", "minimum(a, b)", "maximum(a, b)", "where(a < b, a, b)", "floor(a)")  # fmt: skip


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("expression", [*INT_EXPRESSIONS, *CONDITIONS])
def test_int_functions(expression: str, dtype: str, rng: np.random.Generator) -> None:
    out = dtype if expression in INT_EXPRESSIONS else "bool"
    lowest = np.iinfo(dtype).min
    x, w = array(rng, dtype, (37,)), array(rng, dtype, (37,))
    x[:4], w[:4] = [lowest, lowest, 5, lowest], [-1, 1, 0, 0]
    agree(unary(expression, dtype, out), {"x": x, "w": w}, {"N": 37})


@pytest.mark.parametrize("out", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_casts(dtype: str, out: str, rng: np.random.Generator) -> None:
    memory = {"x": array(rng, dtype, (37,)), "w": array(rng, dtype, (37,))}
    agree(unary(f"{SHORT[out]}(a)", dtype, out), memory, {"N": 37})


@pytest.mark.parametrize("expression", [*CONDITIONS, "logical_and(a, b)", "logical_or(a, b)", "maximum(a, b)",
                                        "minimum(a, b)", "where(a, b, a)", "logical_not(a)"])  # fmt: skip
def test_bool_functions(expression: str, rng: np.random.Generator) -> None:
    memory = {"x": array(rng, "bool", (37,)), "w": array(rng, "bool", (37,))}
    agree(unary(expression, "bool", "bool"), memory, {"N": 37})


MAP = """\
program p
  dim N <= 9
  dim M <= 40
  buffer x: {t}[N, M] input
  buffer t: {t}[M, N] input
  buffer b: {t}[M] input
  buffer s: f64[] hyper
  buffer o: {t}[N, M] output
  buffer v: {t}[M, N] output
  kernel k (i: N, j: M) {schedule}:
    c = {t}(s[])
    y = x[i, j] + t[j, i] * c + b[j]
    o[i, j] = y
    v[j, i] = y + {t}(@(2*i - j + 3))
"""


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("dtype", DTYPES[:4])
def test_maps_under_every_schedule(dtype: str, schedule: str, rng: np.random.Generator) -> None:
    native = Native(MAP.format(t=SHORT[dtype], schedule=schedule))
    for sizes in ({"N": 7, "M": 37}, {"N": 9, "M": 40}, {"N": 1, "M": 1}, {"N": 0, "M": 5}, {"N": 5, "M": 0}):
        n, m = sizes["N"], sizes["M"]
        memory = {
            "x": array(rng, dtype, (n, m)), "t": array(rng, dtype, (m, n)), "b": array(rng, dtype, (m,)),
            "s": np.asarray(3.0),
        }  # fmt: skip
        agree(native.program, memory, sizes, 8e-6 if dtype == "float32" else 1e-13, native)


REDUCE = """\
program p
  dim N <= 9
  buffer x: {t}[N, {m}] input
  buffer rows: {r}[N] output
  buffer columns: {r}[{m}] output
  buffer whole: {r}[] output
  kernel rows (i: N) [parallel=1 {v}=j]:
    a = {reducer}(j: {m}) x[i, j]
    rows[i] = a
  kernel columns (j: {m}) [parallel=1 {v}=j]:
    a = {reducer}(i: N) x[i, j]
    columns[j] = a
"""
WHOLE = """\
  kernel whole () [{v}=j]:
    a = {reducer}(i: N, j: {m}) x[i, j]
    whole[] = a
"""


@pytest.mark.parametrize("vector", ["vector", "scalar"])
@pytest.mark.parametrize("reducer", ["sum", "prod", "max", "min", "argmax", "argmin"])
@pytest.mark.parametrize("dtype", DTYPES[:4])
def test_reductions(dtype: str, reducer: str, vector: str, rng: np.random.Generator) -> None:
    for columns in (1, 7, 16, 133):
        positions = reducer.startswith("arg")
        text = REDUCE if positions else REDUCE + WHOLE
        text = text.format(
            t=SHORT[dtype], r="i64" if positions else SHORT[dtype], reducer=reducer, m=columns,
            v="vector" if vector == "vector" else "xvector",
        ).replace(" xvector=j", "").replace("[xvector=j]", "")  # fmt: skip
        native = Native(text)
        for special in (False, True):
            x = array(rng, dtype, (9, columns), special and not reducer.startswith(("sum", "prod")))
            x[:, ::3] = x[0, 0]  # ties
            if reducer == "prod" and dtype.startswith("float"):
                x = np.exp(x * 0.05).astype(dtype)
            for rows in (9, 4, 1):
                rtol = {"float32": 3e-5, "float64": 1e-12}.get(dtype, 0.0)
                agree(native.program, {"x": x[:rows].copy()}, {"N": rows}, rtol, native)


@pytest.mark.parametrize("vector", ["[vector=j]", ""])
def test_any_and_all(vector: str, rng: np.random.Generator) -> None:
    for columns in (5, 64, 131):
        text = REDUCE + WHOLE
        for reducer in ("any", "all"):
            filled = text.format(t="bool", r="bool", reducer=reducer, m=columns, v="vector")
            filled = filled if vector else filled.replace(" vector=j", "").replace("[vector=j]", "")
            for x in (np.zeros((6, columns), bool), np.ones((6, columns), bool), rng.random((6, columns)) < 0.03):
                agree(filled, {"x": x}, {"N": 6})


@pytest.mark.parametrize(("reducer", "expected"), [("sum", 0.0), ("prod", 1.0), ("max", -np.inf), ("min", np.inf)])
def test_reductions_of_nothing(reducer: str, expected: float) -> None:
    native = Native((REDUCE + WHOLE).format(t="f32", r="f32", reducer=reducer, m=3, v="vector"))
    _, got = native({"x": np.zeros((0, 3), np.float32)}, {"N": 0})
    assert got["whole"] == expected
    assert np.all(got["columns"] == expected)


@pytest.mark.parametrize("reducer", ["max", "min", "argmax", "argmin"])
def test_nan_wins(reducer: str) -> None:
    """NaN at any place, one or several, in full vectors and in the tail."""
    positions = reducer.startswith("arg")
    text = REDUCE.format(t="f32", r="i64" if positions else "f32", reducer=reducer, m=83, v="vector")
    x = np.tile(np.linspace(-4, 4, 83, dtype=np.float32), (9, 1))
    for row, places in enumerate([[0], [82], [5, 6], [64], [63, 64, 82], [17], [], [1, 2, 3], [80]]):
        x[row, places] = np.nan
    agree(text, {"x": x}, {"N": 9})


SOFTMAX = """\
program rows
  dim N <= 7
  buffer z: {t}[N, {m}] input
  buffer y: i64[N] input
  buffer p: {t}[N, {m}] output
  buffer loss: {t}[N] output
  buffer weights: {t}[N] output
  check 0: 'y: class out of range'
  kernel range (n: N) [parallel=1 vector=n]:
    check logical_and(y[n] >= 0, y[n] < {m}) else 0
  kernel softmax (n: N) [parallel=1 vector=j]:
    m = max(j: {m}) z[n, j]
    s = sum(k: {m}):
      e = exp(z[n, k] - m)
      yield e
    for i: {m}:
      p[n, i] = exp(z[n, i] - m) / s
    loss[n] = m + log(s) - z[n, {{y[n]}}]
  kernel picked (n: N) [parallel=1 vector=n]:
    weights[n] = p[n, {{y[n]}}]
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [1, 10, 37])
def test_softmax_and_gather(classes: int, dtype: str, rng: np.random.Generator) -> None:
    native = Native(SOFTMAX.format(t=SHORT[dtype], m=classes))
    for rows in (7, 3, 0):
        memory = {"z": array(rng, dtype, (rows, classes)), "y": rng.integers(0, classes, rows)}
        agree(native.program, memory, {"N": rows}, 1e-6 if dtype == "float32" else 1e-14, native)


def test_a_failed_check_stops_the_program(rng: np.random.Generator) -> None:
    native = Native(SOFTMAX.format(t="f32", m=5))
    memory = {"z": array(rng, "float32", (7, 5)), "y": np.array([0, 1, 2, 3, 4, 5, 0])}
    for threads in (1, 2):
        code, got = native(memory, {"N": 7}, threads)
        assert code == 1
        assert np.all(got["p"].view(np.uint32) == 0xA5A5A5A5), "something was written after the check failed"
        assert native({**memory, "y": np.zeros(7, np.int64)}, {"N": 7}, threads)[0] == 0, "the status was not cleared"


GUARDED = """\
program conv
  dim N <= 50
  buffer x: f32[N, 3] input
  buffer w: f32[5] input
  buffer o: f32[N, 3] output
  buffer r: f32[N] output
  buffer u: bool[N] output
  buffer b: bool[N] input
  kernel conv (i: N, c: 3) {schedule}:
    t = sum(k: 5) x[i + k - 2, c else -1.5f] * w[k]
    o[i, c] = t
  kernel mirror (i: N) [parallel=1 vector=i]:
    r[i] = x[N - i - 1, 1] + x[2*i - 3, 2 else 0.5f]
    u[i] = b[i - 1 else true]
"""


@pytest.mark.parametrize("schedule", ["", "[vector=i]", "[parallel=1 vector=c]", "[parallel=2 vector=i]", "[vector=k]"])
def test_guarded_loads(schedule: str, rng: np.random.Generator) -> None:
    native = Native(GUARDED.format(schedule=schedule))
    for size in (41, 50, 16, 1):
        memory = {
            "x": array(rng, "float32", (size, 3)), "w": array(rng, "float32", (5,)), "b": array(rng, "bool", (size,)),
        }  # fmt: skip
        agree(native.program, memory, {"N": size}, 2e-6, native)


RUNNING = """\
program scan
  buffer x: f64[6, 21] input
  buffer down: f64[6, 21] output
  buffer along: f64[6, 21] output
  buffer last: f64[6] output
  kernel down (j: 21) [parallel=1 vector=j]:
    c = sum(i: 6):
      yield x[i, j]
      each:
        down[i, j] = c
  kernel along (i: 6) [parallel=1 vector=j]:
    c = max(reversed j: 21):
      yield x[i, j] * 2.0
      each:
        along[i, j] = c + x[i, j]
    last[i] = c
"""


def test_running_values(rng: np.random.Generator) -> None:
    agree(RUNNING, {"x": array(rng, "float64", (6, 21))}, {}, 1e-14)


ACCUMULATE = """\
program scatter
  dim N <= 40
  buffer i: i64[N] input
  buffer g: {t}[N, 5] input
  buffer table: {t}[7, 5] output
  buffer counts: {t}[7] output
  buffer total: {t}[] output
  kernel zero (a: 7, b: 5) [parallel=1 vector=b]:
    table[a, b] = {zero}
    counts[a] = {zero}
  kernel nothing ():
    total[] = {zero}
  kernel rows (n: N, c: 5) [vector=c]:
    table[{{i[n]}}, c] += g[n, c]
  kernel counts (n: N) [vector=n]:
    counts[{{i[n]}}] += g[n, 0]
    total[] += g[n, 1]
"""


@pytest.mark.parametrize(("dtype", "zero"), [("float32", "0.0f"), ("float64", "0.0"), ("int64", "0"), ("int32", "0i")])
def test_accumulating_stores(dtype: str, zero: str, rng: np.random.Generator) -> None:
    text = ACCUMULATE.format(t=SHORT[dtype], zero=zero).replace(
        "    counts[a] =", "  kernel zeros (a: 7):\n    counts[a] ="
    )
    text = text.replace("  kernel zeros", "  kernel zeros", 1).replace("      kernel", "  kernel")
    native = Native(text)
    for size in (40, 17, 1):
        memory = {"i": rng.integers(0, 7, size), "g": array(rng, dtype, (size, 5))}
        agree(native.program, memory, {"N": size}, 1e-6, native)


SEQUENCE = """\
program steps
  dim T <= 6
  buffer x: f32[T, 19] input
  buffer h: f32[T, 19] output
  buffer state: f32[19] scratch
  buffer sum: f32[] output
  kernel start (j: 19) [parallel=1 vector=j]:
    state[j] = 0.25f
  for t: T{reversed}:
    kernel step (j: 19) [parallel=1 vector=j]:
      h[t, j] = tanh(x[t, j] + state[18 - j])
    kernel carry (j: 19) [parallel=1 vector=j]:
      state[j] = h[t, j] * 0.5f + f32(@(t))
  kernel total () [vector=j]:
    s = sum(j: 19) state[j]
    sum[] = s
"""


@pytest.mark.parametrize("reverse", ["", " reversed"])
def test_sequences(reverse: str, rng: np.random.Generator) -> None:
    native = Native(SEQUENCE.replace("{reversed}", reverse))
    for steps in (6, 1, 0):
        agree(native.program, {"x": array(rng, "float32", (steps, 19))}, {"T": steps}, 2e-6, native)


NESTED = """\
program nested
  dim N <= 6
  buffer x: f32[N, 11, 23] input
  buffer o: f32[N, 23] output
  buffer m: f32[N, 11] output
  kernel k (i: N) [parallel=1 vector=j]:
    for a: 11:
      top = max(j: 23) x[i, a, j]
      m[i, a] = top * 2.0f
    for c: 23:
      s = sum(r: 11):
        d = x[i, r, c] - m[i, r]
        q = sum(b: 3) d * f32(@(b + 1))
        yield q * q
      o[i, c] = sqrt(s)
"""


def test_loops_in_loops(rng: np.random.Generator) -> None:
    native = Native(NESTED)
    for size in (6, 5):
        agree(native.program, {"x": array(rng, "float32", (size, 11, 23))}, {"N": size}, 1e-5, native)


IN_PLACE = """\
program adam
  buffer g: f32[5, 13] input
  buffer p: f32[5, 13] parameter
  buffer m: f32[5, 13] state
  buffer v: f32[5, 13] state
  buffer t: f64[] state
  buffer lr: f64[] hyper
  kernel count ():
    t[] = t[] + 1.0
  kernel adam (i: 5, j: 13) [parallel=2 vector=j]:
    a = 0.9f * m[i, j] + 0.1f * g[i, j]
    b = 0.999f * v[i, j] + 0.001f * g[i, j] * g[i, j]
    m[i, j] = a
    v[i, j] = b
    s = f32(lr[] / (1.0 - pow(0.9, t[])))
    r = f32(1.0 / sqrt(1.0 - pow(0.999, t[])))
    p[i, j] = p[i, j] - s * a / (sqrt(b) * r + 1e-8f)
"""


def adam_memory(rng: np.random.Generator) -> dict[str, Any]:
    shape = (5, 13)
    memory = {name: array(rng, "float32", shape) for name in ("g", "p", "m")}
    return {**memory, "v": abs(array(rng, "float32", shape)), "t": np.asarray(3.0), "lr": np.asarray(1e-3)}


def test_updates_in_place(rng: np.random.Generator) -> None:
    agree(IN_PLACE, adam_memory(rng), {}, 2e-6)


def test_what_does_not_depend_on_the_loop_is_before_it() -> None:
    """The powers of the bias correction are computed once, not for each element; rows of the map are one axis."""
    native = Native(IN_PLACE)
    body = native.text[native.text.index("@adam.adam(") :]
    body = body[: body.index("\n}")]
    assert body.count("call double @sn.pow.f64x1") == 2
    assert max(body.rindex("@sn.pow"), body.rindex("fdiv contract double")) < body.index(".head")
    assert body.count("phi i64") == 1, "one loop over all 65 elements"


@pytest.mark.skipif(not ON_X86, reason="names x86 levels")
@pytest.mark.parametrize("name", ["x86-64-v2", "x86-64-v3"])
def test_other_vector_widths(name: str, rng: np.random.Generator) -> None:
    machine = target(name)
    memory = {"z": array(rng, "float32", (7, 10)), "y": rng.integers(0, 10, 7)}
    native = Native(SOFTMAX.format(t="f32", m=10), machine)
    agree(native.program, memory, {"N": 7}, 1e-6, native)
    native = Native(IN_PLACE, machine)
    agree(native.program, adam_memory(rng), {}, 2e-6, native)
    native = Native((REDUCE + WHOLE).format(t="f32", r="f32", reducer="max", m=33, v="vector"), machine)
    agree(native.program, {"x": array(rng, "float32", (9, 33), True)}, {"N": 9}, 0.0, native)


def test_equal_kernels_are_compiled_once(rng: np.random.Generator) -> None:
    """Whatever their buffers, axes and enclosing loops are called; but not where memory is shared in another way."""
    text = """\
program twins
  buffer x: f32[3, 40] input
  buffer a: f32[3, 40] output
  buffer b: f32[3, 40] output
  buffer c: f32[3, 40] output
  buffer d: f32[3, 40] state
  for t: 3:
    kernel first (j: 40) [parallel=1 vector=j]:
      v = x[t, j] * f32(@(t))
      a[t, j] = v + 2.0f
  for s: 3 reversed:
    kernel second (n: 40) [parallel=1 vector=n]:
      w = a[s, n] * f32(@(s))
      b[s, n] = w + 2.0f
    kernel third (n: 40) [parallel=1 vector=n]:
      w = a[s, n] * f32(@(s))
      c[s, n] = w + -2.0f
  for s: 3:
    kernel fourth (n: 40) [parallel=1 vector=n]:
      w = d[s, n] * f32(@(s))
      d[s, n] = w + 2.0f
"""
    native = Native(text)
    assert re.findall(r"^define internal void @twins\.(\w+)\(", native.text, re.M) == ["first", "third", "fourth"]
    memory = {"x": array(rng, "float32", (3, 40)), "d": array(rng, "float32", (3, 40))}
    agree(native.program, memory, {}, 1e-6, native)
