"""Contractions: every size, layout, dtype, epilogue and target against the interpreter, with 1 and 2 threads."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from codegen.llvm.contract import emit_contract
from codegen.llvm.contract.choose import STACK, plan
from codegen.llvm.contract.merge import merge
from codegen.llvm.contract.plan import Plan
from codegen.llvm.contract.problem import contraction
from codegen.llvm.microkernel import Ahead
from codegen.loops.grammar import Kernel, Program
from codegen.loops.parse import parse
from codegen.target import target
from symnet.errors import Unsupported
from symnet.expr import dims as dimension
from tests.codegen.llvm.native import Native, agree
from tests.codegen.llvm.random_contractions import RandomContraction

Array = np.ndarray[Any, np.dtype[Any]]
TOLERANCE = {"f32": 3e-4, "f64": 1e-10, "i32": 0.0, "i64": 0.0}


def product(
    rows: int | str,
    inner: int | str,
    cols: int | str,
    layout: str = "NN",
    dtype: str = "f32",
    epilogue: str = "C[r, c] = acc",
    buffers: str = "",
    dims: str = "",
    schedule: str = "",
) -> str:
    """C = A B as a loop program; `layout` says for A and B whether they are stored transposed."""
    a, b = ("r, k", f"{rows}, {inner}"), ("k, c", f"{inner}, {cols}")
    if layout[0] == "T":
        a = ("k, r", f"{inner}, {rows}")
    if layout[1] == "T":
        b = ("c, k", f"{cols}, {inner}")
    return f"""program t
{dims}
  buffer A: {dtype}[{a[1]}] input
  buffer B: {dtype}[{b[1]}] input
{buffers}
  buffer C: {dtype}[{rows}, {cols}] output

  kernel gemm (r:{rows}, c:{cols}) [contract rows=r cols=c inner=k parallel=2 {schedule}]:
    acc = sum(k:{inner}) A[{a[0]}] * B[{b[0]}]
    {epilogue}
"""


def memory(program: str | Program, sizes: Mapping[str, int] | None = None, seed: int = 0) -> dict[str, Array]:
    """Random contents for everything that must be given; named dimensions at their sizes."""
    rng = np.random.default_rng(seed)
    program = parse(program) if isinstance(program, str) else program
    result: dict[str, Array] = {}
    for buffer in program.buffers.values():
        if buffer.role in ("output", "scratch") or buffer.view_of:
            continue
        shape = dimension.evaluate_shape(buffer.shape, sizes or {})
        values = rng.standard_normal(shape) if buffer.dtype.startswith("float") else rng.integers(-9, 9, shape)
        result[buffer.name] = np.asarray(values).astype(buffer.dtype)
    return result


def check(text: str, sizes: Mapping[str, int] | None = None, dtype: str = "f32", seed: int = 0) -> dict[str, Array]:
    return agree(text, memory(text, sizes, seed), sizes or {}, rtol=TOLERANCE[dtype])


def planned(text: str, name: str = "native") -> Plan:
    program = parse(text)
    kernel = next(item for item in program.items if isinstance(item, Kernel))
    return plan(merge(contraction(kernel, program)), target(name))


def text_of(text: str, name: str = "native") -> str:
    """The LLVM text of the first kernel."""
    program = parse(text)
    kernel = next(item for item in program.items if isinstance(item, Kernel))
    return emit_contract(kernel, program, target(name)).text


# --- sizes and layouts -------------------------------------------------------------------------------------------

SIZES = [1, 2, 3, 5, 7, 13, 14, 15, 16, 17, 31, 32, 33, 64, 100]


@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
def test_odd_sizes(layout: str) -> None:
    """Sizes around vectors and tiles, mixed; each program holds many kernels to save compilations."""
    rng = np.random.default_rng(7)
    cases = [(n, n, n) for n in (1, 2, 3, 7, 14, 16, 17)] + [(257, 33, 15), (13, 100, 257), (100, 257, 3), (5, 0, 20)]
    cases += [tuple(int(n) for n in rng.choice(SIZES, 3)) for _ in range(14)]
    check(together([product(*case, layout) for case in cases]))


@pytest.mark.parametrize("dtype", ["f64", "i32", "i64"])
def test_dtypes(dtype: str) -> None:
    cases = [(1, 1, 1), (17, 33, 31), (64, 16, 10), (5, 100, 64), (30, 7, 100)]
    texts = [product(*case, layout, dtype) for case, layout in itertools.product(cases, ("NN", "NT", "TN"))]
    check(together(texts), dtype=dtype)


@pytest.mark.parametrize("name", ["x86-64-v3", "x86-64-v2"])
def test_other_targets(name: str) -> None:
    cases = [(17, 33, 31), (64, 16, 10), (5, 100, 64), (6, 7, 8)]
    text = together([product(*case, layout) for case, layout in itertools.product(cases, ("NN", "NT", "TN"))])
    agree(text, memory(text), {}, rtol=3e-4, native=Native(text, target(name)))


def together(texts: list[str]) -> str:
    """Programs of one kernel each as one program; buffers and kernels are numbered."""
    buffers, kernels = [], []
    for number, text in enumerate(texts):
        text = re.sub(r"\b([ABC])\b(?=[\[:])", rf"\g<1>{number}", text)
        lines = text.replace("kernel gemm", f"kernel gemm{number}").splitlines()
        buffers += [line for line in lines if line.startswith("  buffer")]
        start = next(at for at, line in enumerate(lines) if line.startswith("  kernel"))
        kernels += ["", *lines[start:]]
    return "\n".join(["program t", *buffers, *kernels]) + "\n"


@pytest.mark.parametrize("layout", ["NN", "NT", "TN"])
@pytest.mark.parametrize("end", ["front", "back"])
def test_nothing_outside_is_read(layout: str, end: str) -> None:
    """Inputs that begin or end at a page that may not be touched."""
    for rows, inner, cols in ((17, 33, 31), (5, 40, 10), (30, 3, 50), (64, 17, 33)):
        text = product(rows, inner, cols, layout)
        given = {name: beside_a_guard(array, end) for name, array in memory(text).items()}
        agree(text, given, {}, rtol=3e-4)


def beside_a_guard(array: Array, end: str) -> Array:
    """A copy of the array directly after or before a page without access."""
    page = mmap.PAGESIZE
    pages = -(-array.nbytes // page) * page
    block = np.frombuffer(mmap.mmap(-1, pages + 2 * page), np.uint8)
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for guard in (0, page + pages):
        assert protect(block.ctypes.data + guard, page, 0) == 0
    start = page if end == "front" else page + pages - array.nbytes
    inside = block[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    inside[...] = array
    return inside


# --- runtime sizes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("named", ["rows", "inner", "cols", "all"])
def test_fewer_than_the_capacity(named: str, layout: str) -> None:
    """A named dimension at every size from nothing to its capacity, on each side of the product."""
    sizes = dict.fromkeys(("rows", "inner", "cols"), 21) | ({named: "N"} if named != "all" else {})
    names: dict[str, int | str] = {key: f"N{key}" for key in sizes} if named == "all" else dict(sizes)
    dims = "".join(f"\n  dim {name} <= 40" for name in names.values() if isinstance(name, str))
    text = product(names["rows"], names["inner"], names["cols"], layout, dims=dims)
    native = Native(text)
    for size in (0, 1, 2, 13, 16, 27, 39, 40):
        bound = {name: size + 3 * at for at, name in enumerate(n for n in names.values() if isinstance(n, str))}
        bound = {name: min(size, 40) for name, size in bound.items()}
        agree(text, memory(text, bound, size), bound, rtol=3e-4, native=native)


# --- epilogues and prologues -------------------------------------------------------------------------------------

EPILOGUES = {
    "bias and relu": ("b: f32[{cols}] parameter", "C[r, c] = maximum(acc + b[c], 0.0f)"),
    "row bias": ("b: f32[{rows}] parameter", "C[r, c] = acc * b[r]"),
    "two stores": (
        "b: f32[{cols}] parameter; D: f32[{rows}, {cols}] output",
        "z = acc + b[c]; C[r, c] = tanh(z); D[r, c] = where(z > 0.0f, 1.0f, 0.0f)",
    ),
    "in place": (
        "lr: f64[] hyper; W: f32[{rows}, {cols}] parameter",
        "W[r, c] = W[r, c] - f32(lr[]) * acc; C[r, c] = acc",
    ),
    "adam": (
        "W: f32[{rows}, {cols}] parameter; m: f32[{rows}, {cols}] state; v: f32[{rows}, {cols}] state",
        "m2 = 0.9f * m[r, c] + acc; v2 = 0.9f * abs(v[r, c]) + acc * acc; m[r, c] = m2; v[r, c] = v2; "  # noqa: ISC004
        "W[r, c] = W[r, c] - 0.01f * m2 / (sqrt(v2) + 0.1f); C[r, c] = acc",
    ),
    "transposed": ("D: f32[{cols}, {rows}] output", "D[c, r] = acc; C[r, c] = acc"),
    "positions": ("", "C[r, c] = acc + f32(@(2*r + c))"),
}  # fmt: skip


@pytest.mark.parametrize("name", EPILOGUES)
def test_epilogues(name: str) -> None:
    buffers, statements = EPILOGUES[name]
    epilogue = statements.replace("; ", "\n    ")
    cases = [(64, 30, 48, "NN"), (13, 7, 21, "TN"), (29, 300, 100, "NT"), (5, 9, 3, "NN")]
    for number, (rows, inner, cols, layout) in enumerate(cases):
        filled = buffers.format(rows=rows, cols=cols).split("; ")
        declared = "\n".join(f"  buffer {one}" for one in filled if one)
        check(product(rows, inner, cols, layout, epilogue=epilogue, buffers=declared), seed=number)


def test_accumulating_store() -> None:
    """Rows are added up by one thread, in their order; the columns may be shared."""
    check("""program t
  buffer A: f32[33, 40] input
  buffer B: f32[40, 50] input
  buffer C: f32[33, 50] output
  buffer s: f32[50] state

  kernel gemm (c:50, r:33) [contract rows=r cols=c inner=k parallel=1]:
    acc = sum(k:40) A[r, k] * B[k, c]
    C[r, c] = acc
    s[c] += acc
""")


@pytest.mark.parametrize("parallel", [0, 1, 2, 3])
def test_shared_axes(parallel: int) -> None:
    check(f"""program t
  buffer A: f32[3, 33, 40] input
  buffer B: f32[3, 40, 50] input
  buffer C: f32[33, 3, 50] output

  kernel gemm (b:3, r:33, c:50) [contract batch=b rows=r cols=c inner=k parallel={parallel}]:
    acc = sum(k:40) A[b, r, k] * B[b, k, c]
    C[r, b, c] = acc
""")


PROLOGUES = {
    "mask on the rows": "A[n, h] * where(z[n, h] > 0.0f, 1.0f, 0.0f) * B[n, o]",
    "function of the columns": "A[n, h] * exp(B[n, o])",
    "both": "tanh(A[n, h]) * (B[n, o] - B[0, o])",
    "gathered": "A[n, h] * E[{y[n]}, o]",
    "shifted": "A[n, h] * B[n - 1 else 0.0f, o]",
}


@pytest.mark.parametrize("name", PROLOGUES)
def test_prologues(name: str) -> None:
    value = PROLOGUES[name]
    for h, o, n in ((33, 20, 17), (16, 64, 32), (5, 3, 40)):
        text = f"""program t
  buffer A: f32[{n}, {h}] input
  buffer z: f32[{n}, {h}] input
  buffer B: f32[{n}, {o}] input
  buffer E: f32[10, {o}] input
  buffer y: i64[{n}] input
  buffer W: f32[{h}, {o}] parameter

  kernel dW (h:{h}, o:{o}) [contract rows=h cols=o inner=n parallel=2]:
    acc = sum(n:{n}) {value}
    W[h, o] = W[h, o] - 0.5f * acc
"""
        given = memory(text)
        given["y"] = np.abs(given["y"])
        agree(text, given, {}, rtol=3e-4)


def test_steps_and_reversals() -> None:
    """Operands read backwards, and with steps, along rows, columns and the sum."""
    check("""program t
  buffer A: f32[60, 40] input
  buffer B: f32[40, 70] input
  buffer C: f32[30, 35] output
  buffer D: f32[30, 70] output
  buffer E: f32[30, 70] output

  kernel steps (r:30, c:35) [contract rows=r cols=c inner=k parallel=2]:
    acc = sum(k:20) A[2*r + 1, 2*k] * B[2*k + 1, 2*c]
    C[r, c] = acc
  kernel backwards (r:30, c:70) [contract rows=r cols=c inner=k parallel=2]:
    acc = sum(k:40) A[-r + 29, k] * B[-k + 39, c]
    D[-r + 29, c] = acc
  kernel columns (r:30, c:70) [contract rows=r cols=c inner=k parallel=2]:
    acc = sum(k:40) A[r, -k + 39] * B[k, -c + 69]
    E[r, -c + 69] = acc
""")


# --- several axes in a role --------------------------------------------------------------------------------------


def test_merged_axes() -> None:
    """Axes that are neighbours everywhere become one, whose tiles are not cut at the ends of the inner one."""
    text = """program t
  dim N <= 6
  buffer x: f32[N, 5, 7, 11] input
  buffer W: f32[7, 11, 3, 8] input
  buffer b: f32[3, 8] parameter
  buffer y: f32[N, 5, 3, 8] output

  kernel f (n:N, t:5, h:3, o:8) [contract rows=n,t cols=h,o inner=i,j parallel=4]:
    acc = sum(i:7, j:11) x[n, t, i, j] * W[i, j, h, o]
    y[n, t, h, o] = acc + b[h, o]
"""
    chosen = planned(text)
    assert (chosen.row.extent, chosen.col.extent, len(chosen.inner), chosen.grid) == ("5*N", 24, 1, ())
    for n in (0, 1, 4, 6):
        check(text, {"N": n})


def test_axes_that_cannot_merge() -> None:
    check("""program t
  buffer x: f32[4, 9, 6] input
  buffer W: f32[6, 9, 5, 21] input
  buffer b: f32[21] parameter
  buffer y: f32[9, 21, 4, 5] output

  kernel f (n:4, t:9, h:5, o:21) [contract batch=t rows=n cols=h,o inner=i parallel=4]:
    acc = sum(i:6) x[n, t, i] * W[i, t, h, o]
    y[t, o, n, h] = acc + b[o]
""")


def test_roles_without_axes() -> None:
    """A vector times a matrix, a matrix times a vector, an inner and an outer product."""
    check("""program t
  buffer x: f32[37] input
  buffer w: f32[41] input
  buffer A: f32[37, 41] input
  buffer p: f32[41] output
  buffer q: f32[37] output
  buffer s: f32[] output
  buffer o: f32[37, 41] output

  kernel left (c:41) [contract cols=c inner=k parallel=1]:
    acc = sum(k:37) x[k] * A[k, c]
    p[c] = acc
  kernel right (r:37) [contract rows=r inner=k parallel=1]:
    acc = sum(k:41) A[r, k] * w[k]
    q[r] = acc
  kernel inner () [contract inner=k]:
    acc = sum(k:37) x[k] * q[k]
    s[] = acc
  kernel outer (r:37, c:41) [contract rows=r cols=c inner=k parallel=2]:
    acc = sum(k:1) x[r] * w[c]
    o[r, c] = acc
""")


def test_inside_a_sequence() -> None:
    """A kernel in a loop over kernels: positions of the loop are passed to it."""
    check("""program t
  dim T <= 5
  buffer x: f32[T, 6, 20] input
  buffer W: f32[20, 20] input
  buffer h: f32[T, 6, 20] output

  for s: T reversed:
    kernel f (n:6, o:20) [contract rows=n cols=o inner=i parallel=2]:
      acc = sum(i:20) x[s, n, i] * W[i, o]
      h[s, n, o] = acc
""", {"T": 4})  # fmt: skip


# --- convolutions ------------------------------------------------------------------------------------------------


def convolution(n: int | str, channels: int, features: int, size: int, stride: int, order: str) -> str:
    """A padded 3x3 convolution and the gradient of its weights, channels first or last, in gather form."""
    out = (size + 2 - 3) // stride + 1
    dims = f"\n  dim {n} <= 5" if isinstance(n, str) else ""
    at = f"{stride}*u + i - 1, {stride}*v + j - 1" if stride > 1 else "u + i - 1, v + j - 1"
    if order == "first":
        image, x, w, y = f"{n}, {channels}, {size}, {size}", f"n, c, {at}", "o, c, i, j", "n, o, u, v"
        shapes = f"{features}, {channels}, 3, 3", f"{n}, {features}, {out}, {out}"
    else:
        image, x, w, y = f"{n}, {size}, {size}, {channels}", f"n, {at}, c", "i, j, c, o", "n, u, v, o"
        shapes = f"3, 3, {channels}, {features}", f"{n}, {out}, {out}, {features}"
    return f"""program t{dims}
  buffer x: f32[{image}] input
  buffer w: f32[{shapes[0]}] parameter
  buffer b: f32[{features}] parameter
  buffer y: f32[{shapes[1]}] output
  buffer g: f32[{shapes[1]}] input
  buffer dw: f32[{shapes[0]}] output

  kernel forward (n:{n}, u:{out}, v:{out}, o:{features}) [contract rows=n,u,v cols=o inner=c,i,j parallel=4]:
    acc = sum(c:{channels}, i:3, j:3) x[{x} else 0.0f] * w[{w}]
    y[{y}] = maximum(acc + b[o], 0.0f)
  kernel weights (o:{features}, c:{channels}, i:3, j:3) [contract rows=o cols=c,i,j inner=n,u,v parallel=4]:
    acc = sum(n:{n}, u:{out}, v:{out}) g[{y}] * x[{x} else 0.0f]
    dw[{w}] = acc
"""


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize(("channels", "features", "size", "stride"), [(3, 8, 9, 1), (16, 20, 12, 2), (5, 33, 6, 1)])
def test_convolutions(channels: int, features: int, size: int, stride: int, order: str) -> None:
    check(convolution(3, channels, features, size, stride, order))
    if stride == 1:
        text = convolution("N", channels, features, size, stride, order)
        for n in (0, 2, 5):
            check(text, {"N": n})


@pytest.mark.parametrize("order", ["first", "last"])
def test_blocks_over_several_axes(order: str) -> None:
    """A sum over three axes that is cut at each of them: whole images, rows of an image, parts of a row."""
    for size, images in ((5, 40), (20, 7), (70, 2)):
        check(convolution(images, 4, 17, size, 1, order))


def test_convolution_input_gradient() -> None:
    """The gradient of the image: correlation with the flipped weights, guarded on the other side."""
    place = "u - i + 1, v - j + 1"
    forms = {"first": (f"n, o, {place}", "n, c, u, v"), "last": (f"n, {place}, o", "n, u, v, c")}
    for order, index in forms.items():
        shape = "4, 8, 9, 9" if order == "first" else "4, 9, 9, 8"
        result = "4, 5, 9, 9" if order == "first" else "4, 9, 9, 5"
        check(f"""program t
  buffer g: f32[{shape}] input
  buffer w: f32[8, 5, 3, 3] parameter
  buffer dx: f32[{result}] output

  kernel image (n:4, u:9, v:9, c:5) [contract rows=n,u,v cols=c inner=o,i,j parallel=4]:
    acc = sum(o:8, i:3, j:3) g[{index[0]} else 0.0f] * w[o, c, i, j]
    dx[{index[1]}] = acc
""")


# --- anything ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(8))
def test_random_contractions(number: int, rng: np.random.Generator) -> None:
    machine = target(str(rng.choice(["native", "native", "x86-64-v3", "x86-64-v2"])))
    for _ in range(5):
        drawn = RandomContraction(rng)
        native = Native(drawn.text, machine)
        for missing in (0, 3, 100) if drawn.dims else (0,):
            sizes = {name: max(0, size - missing) for name, size in drawn.dims.items()}
            try:
                given = memory(drawn.text, sizes, number)
                agree(drawn.text, given, sizes, rtol=10 * TOLERANCE[drawn.dtype], native=native)
            except AssertionError as error:
                raise AssertionError(f"{drawn.text}\n{machine.name}, sizes {sizes}: {error}") from error


# --- large, and plans --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["NN", "NT", "TN"])
def test_blocks_of_k(layout: str) -> None:
    """Sizes that are packed and summed in several blocks of k, whose leftovers differ."""
    text = product(70, 4096, 160, layout)
    check(text, seed=3)
    blocked = product(130, 1025, 1024, layout)
    check(blocked, seed=4)


def test_what_is_packed() -> None:
    """Operands are read in place unless that is impossible, or slow: the rows of one lie on one line of the cache."""
    plain = planned(product(64, 784, 250))
    assert (plain.left_mode, plain.right_mode, plain.depth.whole) == ("place", "place", True)
    gradient = planned(product(784, 64, 250, "TN"))
    assert gradient.left_mode == "place"
    transposed = planned(product(64, 784, 256, "NT"))
    assert transposed.right_mode == "along k"
    assert planned(product(2048, 2048, 2048)).right_mode == "along columns"


def test_long_sums_are_cut() -> None:
    """A long sum into few results is made in blocks of k, with what is packed for many tiles."""
    for text in (product(1024, 8192, 256, "TN"), product(256, 4096, 4096), product(256, 4096, 4096, "NT")):
        chosen = planned(text)
        assert not chosen.depth.whole, text
        assert chosen.row_tiles * chosen.col_tiles >= 16, text


def test_long_sums_of_nothing() -> None:
    """Where blocks of k are planned and there is no k, or only some, every result is stored all the same."""
    update = "P[r, c] = P[r, c] - f32(0.1) * (acc + V[r, c])\n    C[r, c] = acc"
    state = "  buffer P: f32[1024, 256] parameter\n  buffer V: f32[1024, 256] state"
    text = product(1024, "K", 256, "TN", epilogue=update, buffers=state, dims="  dim K <= 8192", schedule="vector=c")
    assert not planned(text).depth.whole
    # rows of the next tile by either microkernel, what the epilogue reads by that of the last block alone, and two
    # rows of what is packed next, of eight lines each
    assert [text_of(text).count(f"@llvm.prefetch.p0(ptr {where}") for where in ("%t", "%p")] == [2 + 3, 2 * 8]


@pytest.mark.parametrize("layout", ["NN", "NT"])
def test_what_is_packed_next_is_fetched(layout: str) -> None:
    """Where it comes from afar, every tile asks for its part, in runs of whole lines."""
    text = product(256, 4096, 4096, layout, schedule="vector=c")
    chosen, size = planned(text), 4
    assert chosen.right_mode != "place"
    assert not chosen.depth.whole
    block = chosen.depth.chunk * chosen.col_tiles * chosen.tile.columns
    tiles = chosen.row_tiles * chosen.col_tiles
    assert text_of(text).count("@llvm.prefetch.p0(ptr %p") * tiles * 64 == block * size


@pytest.mark.parametrize("name", ["native", "x86-64-v3", "x86-64-v2"])
def test_stack_is_bounded(name: str) -> None:
    """The stack that a call uses stays under the documented bound, whatever the sizes and layouts."""
    rng = np.random.default_rng(11)
    for _ in range(150):
        rows, inner, cols = (int(2 ** rng.uniform(0, 13)) for _ in range(3))
        layout, dtype = rng.choice(["NN", "NT", "TN", "TT"]), rng.choice(["f32", "f64"])
        text = product(rows, inner, cols, layout, dtype)
        used = sum(int(size) for size in re.findall(r"alloca \[(\d+) x i8\]", text_of(text, name)))
        assert used <= STACK, f"{rows} x {inner} x {cols} {layout} {dtype}: {used} bytes"


@pytest.mark.parametrize("inner", [3, 40, 130])
def test_what_the_epilogue_reads_is_fetched_ahead(inner: int) -> None:
    """Arrays larger than the second-level cache, read or written row by row after the sums; small ones are not worth
    it."""
    update = "P[r, c] = P[r, c] - f32(0.1) * (acc + V[r, c])\n    C[r, c] = acc"
    for rows, cols, layout in ((700, 500, "TN"), (701, 517, "NN")):
        state = f"  buffer P: f32[{rows}, {cols}] parameter\n  buffer V: f32[{rows}, {cols}] state"
        text = product(rows, inner, cols, layout, epilogue=update, buffers=state)
        assert text_of(text).count("@llvm.prefetch") == 3
        check(text, seed=inner)
    small = product(70, inner, 50, "TN", epilogue=update, buffers=state.replace("701, 517", "70, 50"))
    assert "@llvm.prefetch" not in text_of(small)


def test_lines_are_fetched_once_each() -> None:
    """Counting down from the last k, every line of a tile has its turn."""
    for steps, lines in ((256, 28), (100, 7), (20, 28), (28, 28), (1, 3)):
        ahead = Ahead(3, tuple(64 * line for line in range(lines)), steps)
        asked = [ahead.table[todo >> ahead.shift] for todo in range(steps, 0, -1)]
        assert len(set(asked)) >= min(lines, steps) - 1, (steps, lines)
        assert set(asked) <= set(ahead.offsets)


def test_given_tile() -> None:
    check(product(40, 50, 96, schedule="tile=5x48"))
    with pytest.raises(Unsupported, match="a tile of 50 x 16; expected at most 40 rows"):
        Native(product(40, 50, 96, schedule="tile=50x16"))


def test_equal_structure_gives_equal_text() -> None:
    """Kernels that differ in names of buffers and axes only have the same text, so that they are compiled once."""
    for layout in ("NN", "NT", "TN"):
        one = product(40, 50, 96, layout)
        other = re.sub(r"\bA\b", "left", re.sub(r"\bB\b", "right", re.sub(r"\bk\b", "i", re.sub(r"\br\b", "m", one))))
        assert one != other
        assert text_of(one) == text_of(other)
