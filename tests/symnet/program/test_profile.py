"""`profile`: its counts, what must hold of its figures, and that nothing changes. No time is compared with a number."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.program import profiling
from symnet.runtime.profile import Counted, Machine, make
from tests.symnet.program.conftest import data
from tests.symnet.program.test_program import program


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "SECONDS", 0.01)


def mlp(threads: int | None = 1) -> tuple[sn.Program, dict[str, np.ndarray]]:
    x, y = sn.input("x", ("N", 96)), sn.input("y", ("N",), "int64")
    model = sn.nn.Sequential(sn.nn.Linear(96, 64), sn.nn.ReLU(), sn.nn.Linear(64, 10))
    loss = sn.losses.cross_entropy(model(x), y)
    prog = sn.compile(loss=loss, optimizer=sn.optim.Adam(), batch={"N": 64}, threads=threads)
    rng = np.random.default_rng(0)
    return prog, {"x": rng.normal(size=(48, 96)).astype(np.float32), "y": rng.integers(0, 10, 48)}


@pytest.mark.parametrize("threads", [1, 2])
def test_products_take_two_flops_a_term(threads: int) -> None:
    prog, batch = mlp(threads)
    profile = prog.profile(**batch)
    found = sorted(kernel.products for kernel in profile.kernels if kernel.products)
    hidden, out = 2 * 48 * 96 * 64, 2 * 48 * 64 * 10
    assert found == sorted([hidden, out, out, hidden, out])  # forward; ∂h; ∂W1, ∂W2
    assert all(kernel.flops >= kernel.products for kernel in profile.kernels)
    weights = next(kernel for kernel in profile.kernels if kernel.name == "update_p0.weight")
    assert 0 <= weights.functions - 2 * 96 * 64 <= 4, "Adam divides once and takes one root; a few are of numbers"
    assert weights.bytes >= 4 * (6 * 96 * 64 + 48 * (96 + 64)), "weight, m and v in and out"


@pytest.mark.parametrize("entry", ["step", "gradients", "evaluate", "predict_logits"])
def test_figures_fit_together(entry: str) -> None:
    prog, batch = program(optimizer=sn.optim.Adam()), data(5)
    if entry == "predict_logits":
        del batch["y"]
    profile = prog.profile(entry, **batch)
    assert profile.entry == entry
    assert profile.sizes == {"N": 5}
    assert profile.calls >= profiling.LEAST
    assert [kernel.number for kernel in profile.kernels] == list(range(len(profile.kernels)))
    assert sum(kernel.share for kernel in profile.kernels) == pytest.approx(1)
    assert sum(kernel.time for kernel in profile.kernels) == pytest.approx(profile.total)
    assert profile.flops == sum(kernel.flops for kernel in profile.kernels) > 0
    for kernel in profile.kernels:
        assert kernel.gflops * kernel.time == pytest.approx(kernel.flops * 1e-3, rel=1e-6) or kernel.time < 1e-3
        assert kernel.of_peak == pytest.approx(kernel.gflops * 1e9 / profile.machine.flops[kernel.dtype])
        assert kernel.of_bandwidth == pytest.approx(kernel.gbs * 1e9 / profile.machine.bandwidth)
        assert kernel.bound in ("compute", "memory", "latency")
        assert (kernel.runs, kernel.threads) == (1, 1)


def test_kernels_are_part_of_the_call() -> None:
    """The counters of a call are nested, whatever the times are."""
    prog, batch = mlp()
    prog.profile(**batch)
    arrays = {name: np.ascontiguousarray(array) for name, array in batch.items()}
    calls, tick = profiling._run(prog._profiled["step"], "step", prog.instance.snapshot(), arrays, {"N": 48})
    assert tick > 0
    for *kernels, whole in calls:
        assert min(kernels) >= 0
        assert 0 < sum(kernels) <= whole


@pytest.mark.parametrize("count", [profiling.LEAST, 12, 13, 2000])
def test_disturbances_do_not_count(count: int) -> None:
    steady = [10, 14] * count
    disturbed = [*steady[: count - count // 5], *[10**9] * (count // 5)]
    assert len(disturbed) == count
    assert 10 <= profiling._middle(disturbed) <= 14
    assert profiling._middle([7] * count) == 7


def test_nothing_changes() -> None:
    """Every bit of what persists, and the training that follows."""
    profiled, other = (program(optimizer=sn.optim.Adam(lr=0.01)) for _ in range(2))
    for prog in (profiled, other):
        prog.step(**data(8))
    before = {name: profiled.instance.read(name).tobytes() for name in profiled.instance.persistent}
    memory = profiled.instance.memory.bytes.copy()
    profiled.profile(**data(7, seed=1))
    profiled.profile("gradients", **data(7, seed=1))
    assert before == {name: profiled.instance.read(name).tobytes() for name in profiled.instance.persistent}
    np.testing.assert_array_equal(profiled.instance.memory.bytes, memory)
    assert profiled.step(**data(8))["loss"].tobytes() == other.step(**data(8))["loss"].tobytes()


def test_it_is_compiled_once() -> None:
    prog = program()
    calls: list[str] = []
    compile_entry = prog._compile

    def counted(entry: str, profile: bool = False) -> object:
        calls.append(entry)
        return compile_entry(entry, profile)

    prog._compile = counted
    for rows in (3, 8):
        prog.profile(**data(rows))
    assert calls == ["step"]


def test_errors() -> None:
    prog = program()
    with pytest.raises(sn.Unsupported, match=r"numpy backend.*backend='llvm'"):
        program("numpy").profile(**data(4))
    with pytest.raises(sn.UnknownName, match=r"no entry 'steps'; did you mean 'step'"):
        prog.profile("steps", **data(4))
    with pytest.raises(sn.UnknownName, match="missing input y"):
        prog.profile(x=data(4)["x"])
    with pytest.raises(sn.ShapeError, match="compiled for at most 8"):
        prog.profile(**data(9))
    bad = data(4)
    bad["y"][1] = 3
    with pytest.raises(sn.IndexOutOfRange):
        prog.profile(**bad)
    assert prog.profile(**data(4)).total > 0, "an error leaves nothing behind"


def test_functions() -> None:
    a, b = sn.input("a", ("M", 40), "float64"), sn.input("b", (40, 24), "float64")
    f = sn.function([a, b], [sn.exp(a @ b), sn.sum(a)])
    rng = np.random.default_rng(1)
    for rows in (5, 9):
        left, right = rng.normal(size=(rows, 40)), rng.normal(size=(40, 24))
        profile = f.profile(left, right)
        assert profile.sizes == {"M": rows}
        assert sum(kernel.products for kernel in profile.kernels) == 2 * rows * 40 * 24
        assert sum(kernel.functions for kernel in profile.kernels) == rows * 24
        assert set(profile.machine.flops) == {"float64"}
        np.testing.assert_allclose(f(left, right)[0], np.exp(left @ right), rtol=1e-12)
    with pytest.raises(sn.Unsupported, match="numpy backend"):
        sn.function([a], a + 1, backend="numpy").profile(left)
    with pytest.raises(sn.UsageError, match="takes 2 arrays"):
        f.profile(left)


def test_loops_count_their_runs() -> None:
    xs, h = sn.input("xs", ("T", 4, 6)), sn.input("h", (4, 6))
    w = sn.input("w", (6, 6))
    f = sn.function([xs, h, w], sn.scan(lambda h, x: (sn.tanh(x + h @ w),) * 2, init=h, xs=xs)[0])
    rng = np.random.default_rng(2)
    profile = f.profile(*(rng.normal(size=s).astype(np.float32) for s in ((5, 4, 6), (4, 6), (6, 6))))
    (product,) = (kernel for kernel in profile.kernels if kernel.products)
    assert (product.runs, product.products) == (5, 5 * 2 * 4 * 6 * 6)
    assert "5 × " in str(profile)


MACHINE = Machine(2, {"float32": 200e9}, 100e9, 3 << 20)


def counted(time: float, flops: int = 0, functions: int = 0, size: int = 0, threads: int = 2) -> Counted:
    return Counted("k", "note <&>", 1, threads, time, flops, flops // 2, functions, size, "float32")


@pytest.mark.parametrize(
    ("kernel", "bound"),
    [
        (counted(10, flops=1_000_000, size=100_000), "compute"),  # half of the peak
        (counted(10, flops=400_000, size=100_000), "latency"),  # a fifth of it
        (counted(10, flops=400_000, threads=1), "compute"),  # of one thread two fifths
        (counted(10, flops=600_000, size=900_000), "memory"),  # 30 % and 90 %
        (counted(10, functions=20_000, size=100_000), "compute"),
        (counted(10), "latency"),
        (counted(0.0), "latency"),
    ],
)
def test_the_rule_of_bounds(kernel: Counted, bound: str) -> None:
    (found,) = make("step", {}, 11, [kernel], 12.0, MACHINE).kernels
    assert found.bound == bound


def test_the_table() -> None:
    kernels = [counted(10, flops=1_000_000, size=100_000), counted(30, size=2_500_000, functions=96)]
    profile = make("step", {"N": 64}, 11, kernels, 42.0, MACHINE)
    assert profile.total == 40
    text = str(profile)
    assert text.splitlines()[0] == "step, N = 64: 2 threads, 11 calls"
    assert "200 GFLOP/s in float32" in text
    table = [line for line in text.splitlines() if "note" in line or "kernels" in line]
    assert [line.split()[0] for line in table] == ["1", "0", "kernels"], "the longest first"
    assert [line.index("%") for line in table[:2]] == [table[2].index("%")] * 2, "columns stand under each other"
    assert all(words in table[1] for words in ("25.0%", "1.00 M", "100.0", "50%", "compute"))
    assert "goes into waiting" not in text
    assert "52% of the time goes into waiting" in str(make("step", {}, 11, kernels, 83.0, MACHINE))
    page = profile._repr_html_()
    assert "note &lt;&amp;&gt;" in page
    assert page.count("<tr>") == 1 + 2 + 3
