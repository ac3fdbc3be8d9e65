"""What fusion makes of the programs it is for: how many kernels, what stays in memory, and the same results."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

import symnet as sn
from codegen.loops.grammar import Kernel, Program, Reduce, Sequence, kernels, loads, stores
from codegen.loops.parse import parse
from codegen.loops.text import show
from codegen.passes.compare import compare
from codegen.passes.core import contraction
from codegen.passes.fuse import ROWS
from symnet.derive import grad

Agrees = Callable[..., Program]


def mlp(sizes: tuple[int, ...], dtype: str = "float64") -> tuple[sn.Expr, list[sn.Expr]]:
    """The cross-entropy of a network with relu between its layers, and its parameters; softmax written out."""
    h = sn.input("x", ("N", sizes[0]), dtype)
    y = sn.input("y", ("N",), "int64")
    parameters = []
    for number, (a, b) in enumerate(itertools.pairwise(sizes), 1):
        w, c = sn.parameter(f"W{number}", (b, a), dtype), sn.parameter(f"b{number}", (b,), dtype)
        parameters += [w, c]
        h = h @ sn.transpose(w) + c
        if number < len(sizes) - 1:
            h = sn.maximum(h, 0.0)
    shifted = h - sn.stop_gradient(sn.max(h, axis=1, keepdims=True))
    log_sum = sn.log(sn.sum(sn.exp(shifted), axis=1, keepdims=True))
    return -sn.mean(sn.take_along_axis(shifted, y[:, None], axis=1) - log_sum), parameters


def sgd(parameters: list[sn.Expr], gradients: list[sn.Expr]) -> dict[sn.Expr, sn.Expr]:
    rate = sn.cast(sn.hyper("lr"), parameters[0].dtype)
    return {p: p - rate * g for p, g in zip(parameters, gradients, strict=True)}


def adam(parameters: list[sn.Expr], gradients: list[sn.Expr]) -> dict[sn.Expr, sn.Expr]:
    updates: dict[sn.Expr, sn.Expr] = {}
    count = sn.state("count", (), "float64")
    rate = sn.cast(sn.hyper("lr") / (1.0 - 0.9 ** (count + 1.0)), parameters[0].dtype)
    for p, g in zip(parameters, gradients, strict=True):
        m, v = sn.state(f"m_{p.name}", p.shape, p.dtype), sn.state(f"v_{p.name}", p.shape, p.dtype)
        updates[m], updates[v] = 0.9 * m + 0.1 * g, 0.999 * sn.abs(v) + 0.001 * g * g
        updates[p] = p - rate * updates[m] / (sn.sqrt(updates[v]) + 1e-8)
    return {**updates, count: count + 1.0}


def contractions(program: Program) -> list[Kernel]:
    return [kernel for kernel in kernels(program.items) if contraction(kernel) is not None]


@pytest.mark.parametrize("rule", [sgd, adam])
def test_mlp_step(rule: Callable[..., dict[sn.Expr, sn.Expr]], agrees: Agrees) -> None:
    loss, parameters = mlp((7, 5, 6, 3))
    gradients = grad(loss, parameters, simplify=False)
    program = agrees({"loss": loss}, rule(parameters, gradients), every=True)
    assert len(contractions(program)) == 3 + 3 + 2, show(program)
    for kernel in contractions(program):
        written = {program.buffers[store.buffer].role for store in stores(kernel.body)}
        if "parameter" in written:
            assert "scratch" not in written, "a gradient goes through memory"
    assert len(list(kernels(program.items))) <= 17, show(program)


def test_adam_updates_are_in_place(agrees: Agrees) -> None:
    loss, parameters = mlp((4, 3, 2))
    program = agrees({"loss": loss}, adam(parameters, grad(loss, parameters, simplify=False)))
    kept = {buffer.name for buffer in program.buffers.values() if buffer.role == "scratch"}
    weights = {p.shape for p in parameters if p.ndim == 2}
    assert not [name for name in kept if program.buffers[name].shape in weights], show(program)


def test_softmax_is_one_kernel_over_rows(agrees: Agrees) -> None:
    z = sn.input("z", ("N", 7), "float64")
    e = sn.exp(z - sn.max(z, axis=1, keepdims=True))
    program = agrees({"p": e / sn.sum(e, axis=1, keepdims=True)})
    (kernel,) = kernels(program.items)
    assert [axis.extent for axis in kernel.axes] == ["N"]
    assert set(program.buffers) == {"z", "p"}, "the exponentials are noted where the quotients will be"


def test_layer_norm_with_gradient_is_one_row_kernel_and_one_column_kernel(agrees: Agrees) -> None:
    x, target = sn.input("x", ("N", 6), "float64"), sn.input("target", ("N", 6), "float64")
    scale, offset = sn.parameter("scale", (6,), "float64"), sn.parameter("offset", (6,), "float64")
    mean = sn.mean(x, axis=1, keepdims=True)
    variance = sn.mean((x - mean) * (x - mean), axis=1, keepdims=True)
    y = (x - mean) / sn.sqrt(variance + 1e-5) * scale + offset
    loss = sn.sum((y - target) * (y - target))
    gradients = grad(loss, [x, scale, offset], simplify=False)
    program = agrees({"dx": gradients[0]}, {scale: scale - gradients[1], offset: offset - gradients[2]}, every=True)
    assert len(list(kernels(program.items))) <= 3, show(program)


def test_normalisation_over_the_leading_axis_keeps_contiguous_loops(agrees: Agrees) -> None:
    x = sn.input("x", ("N", 64), "float64")
    program = agrees({"y": (x - sn.mean(x, axis=0)) / sn.sqrt(sn.var(x, axis=0) + 1e-5)})
    for kernel in kernels(program.items):
        assert kernel.schedule.vector is not None, show(program)
        for load in loads(kernel.body):
            if load.buffer == "x":
                assert load.index[-1].terms[0][0] == kernel.schedule.vector  # type: ignore[union-attr]


def test_convolution_with_bias_and_activation_is_one_kernel(agrees: Agrees) -> None:
    x = sn.input("x", ("N", 2, 6, 5), "float64")
    w, b = sn.parameter("w", (3, 2, 3, 3), "float64"), sn.parameter("b", (3,), "float64")
    program = agrees({"y": sn.tanh(sn.conv2d(sn.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), w) + b[:, None, None])})
    (kernel,) = kernels(program.items)
    assert contraction(kernel) is not None
    assert any(load.fill is not None for load in loads(kernel.body)), "the padding is a guard, not a copy"


def test_activation_joins_through_a_reshape(agrees: Agrees) -> None:
    x, w = sn.input("x", ("N", 4), "float64"), sn.parameter("w", (4, 30), "float64")
    mask = sn.input("mask", ("N", 2, 3, 5), "float64")
    program = agrees({"y": sn.reshape(x @ w, ("N", 2, 3, 5)) * mask}, every=True)
    assert len(list(kernels(program.items))) == 1, show(program)


def test_concatenation_of_maps_is_one_kernel(agrees: Agrees) -> None:
    a = sn.input("a", ("N", 4), "float64")
    e = sn.exp(a)
    program = agrees({"y": sn.concat([e * 2.0, sn.tanh(e), e - 1.0], axis=1), "e": e})
    assert len(list(kernels(program.items))) == 1, show(program)


def test_exponentials_are_not_computed_twice(agrees: Agrees) -> None:
    x, w = sn.input("x", ("N", 5), "float64"), sn.parameter("w", (5, 4), "float64")
    e = sn.exp(x)
    program = agrees({"a": e @ w, "b": sn.sum(e, axis=0), "c": sn.max(e, axis=1)})
    assert show(program).count("exp(") == 1, show(program)


def test_shared_subexpressions_do_not_multiply(agrees: Agrees) -> None:
    x = sn.input("x", ("N", 5), "float64")
    for _ in range(40):
        x = x * 0.5 + x
    program = agrees({"y": x})
    assert len(list(kernels(program.items))) == 1
    assert len(show(program)) < 6000


def test_long_sums_are_taken_in_two_stages(agrees: Agrees) -> None:
    x = sn.input("x", ("N", 8, 640), "float64")
    program = agrees({"s": sn.sum(x * x)})
    first, last = kernels(program.items)
    assert [axis.extent for axis in first.axes] == ["N"]
    assert isinstance(last.body[0], Reduce)


def test_scratch_of_a_loop_is_reused(agrees: Agrees) -> None:
    """A carry that is only accumulated keeps one row, whatever the number of steps."""
    xs, w = sn.input("xs", ("T", 3, 4), "float64"), sn.parameter("w", (4, 4), "float64")
    ys, last = sn.scan(lambda h, x: (sn.tanh(h @ w) + x, sn.sum(h)), init=sn.input("h", (3, 4), "float64"), xs=xs)
    (dw,) = grad(sn.sum(last * last) + sn.sum(ys), [w], simplify=False)
    program = agrees({"dw": dw}, sizes={"T": 5}, every=True)
    for buffer in program.buffers.values():
        assert not (buffer.shape[1:] == (4, 4) and buffer.role == "scratch"), show(program)


def test_recurrent_contractions_leave_the_loop(agrees: Agrees) -> None:
    """x @ w for all steps before the loop, the gradients of the weights as sums over all steps after it."""
    xs, h = sn.input("xs", ("T", "N", 3), "float64"), sn.input("h", ("N", 5), "float64")
    w, u = sn.parameter("w", (3, 5), "float64"), sn.parameter("u", (5, 5), "float64")
    ys, _ = sn.scan(lambda h, x: (sn.tanh(h @ u + x @ w),) * 2, init=h, xs=xs)
    gradients = grad(sn.sum(ys * ys), [w, u])
    program = agrees({"dw": gradients[0], "du": gradients[1]}, every=True)
    loops = [item for item in program.items if isinstance(item, Sequence)]
    inside = [sum(contraction(k) is not None for k in kernels(loop.items)) for loop in loops]
    assert set(inside) == {1}, show(program)
    outside = [k for k in program.items if isinstance(k, Kernel) and contraction(k) is not None]
    assert sum("T" in [axis.extent for axis in k.axes] for k in outside) >= 1, show(program)
    sums = [k for k in outside if isinstance(k.body[0], Reduce) and k.body[0].axes[0].extent == "T"]
    assert len(sums) == 2, show(program)


def test_a_gather_stays_behind_its_check(agrees: Agrees) -> None:
    table, labels = sn.parameter("table", (2, 4), "float64"), sn.input("labels", ("T", "N"), "int64")
    w = sn.parameter("w", (4, 4), "float64")
    cell = lambda h, i: (h + sn.take(table, i + 0, axis=0) @ w, h)  # noqa: E731
    _, last = sn.scan(cell, init=sn.input("h", ("N", 4), "float64"), xs=labels)
    agrees({"last": last}, every=True)


def test_deep_programs_need_no_recursion(agrees: Agrees) -> None:
    x = sn.input("x", ("N", 3), "float64")
    for step in range(1500):
        x = sn.sin(x) if step % 3 else x + 0.1
    program = agrees({"y": x})
    assert 1 < len(list(kernels(program.items))) < 20, "kernels grow, but not without end"


def test_relu_keeps_its_result_alone(agrees: Agrees) -> None:
    x, w = sn.input("x", ("N", 4), "float64"), sn.parameter("w", (4, 5), "float64")
    v = sn.parameter("v", (5, 2), "float64")
    loss = sn.sum(sn.tanh(sn.relu(x @ w) @ v))
    gradients = grad(loss, [w, v], simplify=False)
    program = agrees({"dw": gradients[0], "dv": gradients[1]})
    kept = [buffer.name for buffer in program.buffers.values() if buffer.shape == ("N", 5) and buffer.role == "scratch"]
    assert len(kept) == 2, f"relu's result and its gradient, got {kept}\n{show(program)}"


def test_rows_join_across_what_can_come_earlier() -> None:
    """A sum that a row kernel needs, written after one that needs the rows, comes first."""
    program = parse(
        """\
program p
  dim N <= 40
  buffer x: f32[N, 7] input
  buffer m: f32[N] scratch
  buffer a: f32[] output
  buffer b: f32[] scratch
  buffer o: f32[N, 7] output
  kernel rows (i: N):
    r = max(j: 7) x[i, j]
    m[i] = r
  kernel after ():
    r = sum(i: N) m[i]
    a[] = r
  kernel before ():
    r = sum(i: N) x[i, 0]
    b[] = r
  kernel results (i: N, j: 7):
    o[i, j] = (x[i, j] - m[i]) * b[]
"""
    )
    joined = ROWS.run(program)
    assert [kernel.name for kernel in kernels(joined.items)] == ["before", "rows", "after"], show(joined)
    compare(program, joined, "rows")
