"""Entries: outputs, updates, checks, names, views; loops over kernels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from codegen.loops.grammar import Program, Sequence
from codegen.loops.interpret import run
from codegen.lower import bind, lower
from codegen.lower.names import Names, identifier
from codegen.pipeline import Options, compile_entry, compile_module
from codegen.spec import Entry, Module
from symnet.derive import grad
from symnet.errors import Unsupported


def test_outputs_that_compute_nothing(agrees: Callable[..., Program]) -> None:
    x = sn.input("x", ("N", 4))
    y = sn.tanh(x)
    agrees({"same": x, "again": x, "flat": sn.reshape(x, ("4*N",)), "y": y, "y2": y, "one": sn.constant(1.0)})


def test_updates_read_old_values(agrees: Callable[..., Program]) -> None:
    a, b, c = (sn.state(name, (5, 3)) for name in "abc")
    agrees({"sum": a + b}, {a: b, b: a, c: sn.transpose(sn.reshape(c, (3, 5))) + a})


def test_update_that_needs_the_old_value_elsewhere(agrees: Callable[..., Program]) -> None:
    w = sn.parameter("w", (4, 4), "float64")
    x = sn.input("x", ("N", 4), "float64")
    agrees({"y": (x @ w) @ w}, {w: w @ w})
    agrees({"y": x @ w}, {w: w - sn.transpose(w)})


def test_check_stops_before_anything_persistent_is_written() -> None:
    x, i, w = sn.input("x", ("N", 4)), sn.input("labels", ("N",), "int64"), sn.state("w", (4,))
    module = Module("m", (Entry("e", {"out": sn.take(x, i, axis=1)}, ((w, w + 1.0),)),), {"N": 5})
    program = compile_entry(module.entries[0], module)
    given = {"x": np.zeros((2, 4), np.float32), "labels": np.array([0, 4]), "w": np.zeros(4, np.float32)}
    code = run(program, given, {"N": 2})
    assert code == 1
    assert "labels" in program.checks[code - 1]
    assert "[0, 4)" in program.checks[code - 1]
    assert not given["w"].any()


def test_indices_known_to_fit_are_not_checked() -> None:
    x = sn.input("x", ("N", 4))
    y = sn.input("y", ("N",), "int64")
    out = sn.take_along_axis(x, y[:, None], axis=1)
    entry = Entry("e", {"out": out})
    program = lower(entry, Module("m", (entry,), {"N": 5}))
    assert len(program.checks) == 1


def test_persistent_memory_is_the_same_in_every_entry() -> None:
    w, b, s = sn.parameter("w", (3, 4)), sn.parameter("b", (4,)), sn.state("s")
    x, lr = sn.input("x", ("N", 3)), sn.cast(sn.hyper("lr"), "float32")
    step = Entry("step", {"loss": sn.sum(x @ w + b)}, ((w, w - lr), (s, s + 1.0)))
    predict = Entry("predict", {"y": x @ w})
    programs = compile_module(Module("m", (step, predict), {"N": 8}))
    for name in ("w", "b", "s", "lr"):
        assert programs["step"].buffers[name] == programs["predict"].buffers[name]
    assert "x" in programs["predict"].buffers


def test_names_stay_readable_and_unique() -> None:
    assert [identifier(n) for n in ("layer.0.weight", "0.weight", "δ1", "a b")] == [
        "layer.0.weight",
        "p0.weight",
        "delta1",
        "a_b",
    ]
    names = Names(["N"])
    assert [names.fresh("w"), names.fresh("w"), names.fresh("N"), names.fresh("sum")] == ["w", "w_2", "N_2", "sum_2"]
    module = Module("m", (Entry("e", {"x": sn.input("x", (2,)) + 1.0}),), {})
    assert set(bind(module).outputs.values()).isdisjoint({buffer.name for buffer in bind(module).leaves.values()})


def test_operation_without_lowering() -> None:
    entry = Entry("e", {"y": sn.softmax(sn.input("x", (3,)))})
    with pytest.raises(Unsupported, match="expand"):
        lower(entry, Module("m", (entry,), {}))


def _recurrent(reverse: bool) -> tuple[dict[str, sn.Expr], list[sn.Expr]]:
    xs = sn.input("xs", ("T", "N", 3), "float64")
    w, u = sn.parameter("w", (3, 5), "float64"), sn.parameter("u", (5, 5), "float64")

    def cell(h: sn.Expr, x: sn.Expr) -> tuple[sn.Expr, sn.Expr]:
        new = sn.tanh(h @ u + x @ w)
        return new, new * 2.0

    ys, last = sn.scan(cell, init=sn.input("h0", ("N", 5), "float64"), xs=xs, reverse=reverse)
    return {"ys": ys, "last": last}, [w, u]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 4])
def test_scan_and_its_gradient(reverse: bool, steps: int, agrees: Callable[..., Program]) -> None:
    outputs, parameters = _recurrent(reverse)
    loss = sn.sum(outputs["ys"] * outputs["ys"]) + sn.sum(outputs["last"])
    gradients = grad(loss, parameters, simplify=False)
    program = agrees({**outputs, "dw": gradients[0], "du": gradients[1]}, sizes={"T": steps, "N": 2}, every=True)
    assert any(isinstance(item, Sequence) for item in program.items)


def test_scan_step_is_one_kernel_without_copies() -> None:
    outputs, _ = _recurrent(False)
    module = Module("m", (Entry("e", outputs),), {"T": 4, "N": 2})
    program = compile_entry(module.entries[0], module, Options())
    (loop,) = (item for item in program.items if isinstance(item, Sequence))
    assert len(loop.items) <= 2, "x @ w, then one kernel for the rest"


def test_loop_invariant_work_stays_outside(agrees: Callable[..., Program]) -> None:
    a = sn.input("a", (4, 4), "float64")
    xs = sn.input("xs", (3, 4), "float64")
    ys, _ = sn.scan(lambda h, x: (h + x, h @ sn.exp(a)), init=sn.input("h", (4,), "float64"), xs=xs)
    program = agrees({"ys": ys}, passes=())
    (loop,) = (item for item in program.items if isinstance(item, Sequence))
    inside = [kernel.name for kernel in loop.items if not isinstance(kernel, Sequence)]
    assert not any("exp" in name for name in inside)


def test_nested_scans_and_reshapes_inside(agrees: Callable[..., Program]) -> None:
    xs = sn.input("xs", (3, 2, 6), "float64")

    def inner(h: sn.Expr, x: sn.Expr) -> tuple[sn.Expr, sn.Expr]:
        return h * 0.5 + x, sn.reshape(h, (6,))

    def outer(h: sn.Expr, x: sn.Expr) -> tuple[sn.Expr, sn.Expr]:
        ys, last = sn.scan(inner, init=h, xs=sn.reshape(x, (2, 3, 2)))
        return last, sn.transpose(ys)

    ys, last = sn.scan(outer, init=sn.input("h", (3, 2), "float64"), xs=xs, reverse=True)
    agrees({"ys": ys, "last": last}, every=True)
