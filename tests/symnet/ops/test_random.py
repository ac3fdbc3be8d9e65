"""Random numbers: known answers of Philox, streams, distributions, and where the numbers come from."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import symnet as sn
from symnet.ops import philox

KNOWN = [  # philox4x32-10 of the Random123 distribution's kat_vectors: counter, key, words
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def key() -> tuple[sn.Expr, sn.Expr]:
    return sn.input("seed", (), "int64"), sn.input("step", (), "int64")


@pytest.mark.parametrize(("counter", "given", "words"), KNOWN)
def test_known_answers(
    counter: tuple[int, int, int, int], given: tuple[int, int], words: tuple[int, int, int, int]
) -> None:
    assert tuple(int(word) for word in philox.block(counter, given)) == words


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_elements_are_the_words_of_blocks(backend: str) -> None:
    """Element i is word i mod 4 of block i // 4; the key is the seed, the counter block, stream and step."""
    seed, step = key()
    x = sn.input("x", ("N",))
    drawn = sn.function([x, seed, step], [sn.random.bits(("N", 5), key=(seed, step), stream=77), x], backend=backend)
    seed_value, step_value = 0x0123_4567_89AB_CDEF, 0x0000_0009_8000_0001
    got = drawn(np.zeros(3, "float32"), seed_value, step_value)[0]
    halves = (seed_value & 0xFFFFFFFF, seed_value >> 32)
    wanted = [
        int(philox.block((i // 4, 77, step_value & 0xFFFFFFFF, step_value >> 32), halves)[i % 4]) for i in range(15)
    ]
    assert got.ravel().tolist() == wanted


def test_streams_are_numbered_in_the_order_of_definition() -> None:
    first, second = sn.random.bits((3,)), sn.random.bits((3,))
    assert first is not second
    found = sn.random.numbered([sn.cast(second, "float32"), second, first])
    assert [found[0].args[0].attrs["stream"], found[1].attrs["stream"], found[2].attrs["stream"]] == [1, 1, 0]
    assert sn.random.numbered(found)[1] is found[1]
    pinned = sn.random.bits((3,), stream=0)
    assert sn.random.numbered([pinned, sn.random.bits((3,))])[1].attrs["stream"] == 1


def test_numbers_do_not_depend_on_what_else_was_defined() -> None:
    def build() -> tuple[sn.Expr, sn.Expr]:
        x = sn.input("x", ("N", 4))
        h = sn.nn.functional.dropout(x, 0.5)
        return x, sn.nn.functional.dropout(h * 2.0, 0.25)

    x, once = build()
    values = {"x": np.ones((6, 4), "float32"), "random.seed": 5, "random.step": 2}
    before = sn.evaluate(once, values)
    sn.random.normal((100,))
    sn.nn.functional.dropout(x, 0.1)
    assert (sn.evaluate(build()[1], values) == before).all()
    program = (
        "import symnet as sn, numpy as np; x = sn.input('x', ('N', 4)); h = sn.nn.functional.dropout(x, 0.5);"
        "y = sn.nn.functional.dropout(h * 2.0, 0.25);"
        "print(sn.evaluate(y, {'x': np.ones((6, 4), 'float32'), 'random.seed': 5, 'random.step': 2}).tolist())"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == str(before.tolist())


def test_evaluate_and_function_draw_alike() -> None:
    x = sn.input("x", ("N",), "float64")
    y = x + sn.random.normal(("N",), dtype="float64") * sn.random.uniform(("N",), dtype="float64")
    compiled = sn.function([x, *sn.random.key()], y)(np.zeros(50), 3, 4)
    values = {"x": np.zeros(50), "random.seed": 3, "random.step": 4}
    np.testing.assert_allclose(compiled, sn.evaluate(y, values), rtol=1e-12)
    assert (sn.evaluate(y, {"x": np.zeros(50)}) != compiled).any()


def test_a_function_asks_for_the_key() -> None:
    x = sn.input("x", ("N",))
    with pytest.raises(sn.UnknownName, match=r"random\.seed"):
        sn.function([x], sn.nn.functional.dropout(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype: str) -> None:
    n = 200_000
    draws = {
        "uniform": sn.random.uniform((n,), dtype=dtype),
        "between": sn.random.uniform((n,), -2.0, 0.5, dtype=dtype),
        "normal": sn.random.normal((n,), dtype=dtype),
        "moved": sn.random.normal((n,), 3.0, 0.25, dtype=dtype),
        "coin": sn.random.bernoulli(0.3, (n,), dtype=dtype),
    }
    found = sn.evaluate(draws, {"random.seed": 11, "random.step": 1})
    for name, values in found.items():
        assert values.dtype == dtype, name
        assert np.isfinite(values).all(), name
    for name, mean, std, low, high in (
        ("uniform", 0.5, 12**-0.5, 0.0, 1.0),
        ("between", -0.75, 2.5 * 12**-0.5, -2.0, 0.5),
        ("normal", 0.0, 1.0, -9.0, 9.0),
        ("moved", 3.0, 0.25, 0.0, 6.0),
        ("coin", 0.3, 0.21**0.5, 0.0, 1.0),
    ):
        values = found[name].astype("float64")
        assert abs(values.mean() - mean) < 5 * std / n**0.5, name
        assert abs(values.std() / std - 1) < 0.01, name
        assert values.min() >= low, name
        assert values.max() <= high, name
    assert found["uniform"].max() < 1
    sorted_uniform = np.sort(found["uniform"].astype("float64"))
    assert np.abs(sorted_uniform - np.arange(n) / n).max() < 1.95 / n**0.5  # Kolmogorov-Smirnov at 0.1 %
    pairs = np.corrcoef([found["uniform"], found["between"], found["normal"]])
    assert np.abs(pairs - np.eye(3)).max() < 5 / n**0.5


def test_uniform_never_rounds_to_one() -> None:
    largest = {sn.random.STANDARD_UNIFORM}  # the operation itself, on the largest words
    (op,) = largest
    from symnet.expr.node import make

    high = sn.constant(np.array([2**24 - 1]), "int32")
    assert sn.evaluate(make(op, (high,), {"dtype": "float32"}))[0] == np.float32(1 - 2.0**-24)
    words = [sn.constant(np.array([2**bits - 1]), "int32") for bits in (27, 26)]
    assert sn.evaluate(make(op, words, {"dtype": "float64"}))[0] == 1 - 2.0**-53
    assert sn.evaluate(make(op, words, {"dtype": "float32"}))[0] == np.float32(1 - 2.0**-24)


def test_derivatives_flow_through_mean_and_deviation(rng: np.random.Generator) -> None:
    """The reparameterisation of a variational autoencoder."""
    mu, rho = sn.input("mu", (7,), "float64"), sn.input("rho", (7,), "float64")
    z = sn.random.normal((7,), mu, sn.exp(rho), "float64")
    loss = sn.random.numbered(sn.sum(sn.square(z)))
    values = {"mu": rng.normal(size=7), "rho": rng.normal(size=7)}
    z_value = sn.evaluate(z, values)
    by_mean, by_rho = sn.evaluate(sn.grad(loss, [mu, rho]), values)
    np.testing.assert_allclose(by_mean, 2 * z_value, rtol=1e-12)
    np.testing.assert_allclose(by_rho, 2 * z_value * (z_value - values["mu"]), rtol=1e-12)


def test_mistakes() -> None:
    with pytest.raises(sn.SymnetError, match="1 to 32"):
        sn.random.bits((3,), 33)
    with pytest.raises(sn.SymnetError, match=r"expected a seed and a step"):
        sn.random.bits((3,), key=4)
    with pytest.raises(sn.SymnetError, match="seed is float32"):
        sn.random.bits((3,), key=(0.5, 1))
    with pytest.raises(sn.SymnetError, match="stream is -1"):
        sn.random.bits((3,), stream=-1)
    with pytest.raises(sn.SymnetError, match="float32 or float64"):
        sn.random.normal((3,), dtype="int64")
    with pytest.raises(sn.SymnetError, match="2\\^34"):
        philox.words(0, 0, 0, 2**34, 31)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_draws_for_each_step(reverse: bool, rng: np.random.Generator) -> None:
    """In the cell of a scan, drawn for all steps at once; the same bits forward and backward."""
    shared = sn.random.normal((3,), dtype="float64")
    xs, w = sn.input("xs", (5, 3), "float64"), sn.input("w", (3,), "float64")

    def cell(h: sn.Expr, x: sn.Expr) -> tuple[sn.Expr, sn.Expr]:
        h = sn.nn.functional.dropout(sn.tanh(h * w + x), 0.5) + 0.1 * shared
        return h, h

    ys, _ = sn.scan(cell, sn.zeros((3,), "float64"), xs, reverse=reverse)
    ys = sn.random.numbered(ys)
    loss = sn.sum(sn.square(ys))
    run = sn.function([xs, w, *sn.random.key()], [ys, loss, sn.grad(loss, w)])
    at, weight, along, small = rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=3), 1e-6
    kept = run(at, weight, 3, 9)[0]
    dropped = np.isclose(kept, 0.1 * sn.evaluate(shared, {"random.seed": 3, "random.step": 9}))
    assert len({tuple(row) for row in dropped.tolist()}) > 1
    up, down = (run(at, weight + sign * small * along, 3, 9)[1] for sign in (1, -1))
    slope = run(at, weight, 3, 9)[2]
    np.testing.assert_allclose((up - down) / (2 * small), np.sum(slope * along), rtol=1e-6)


@pytest.mark.parametrize(("written", "computed"), [("float32", "float64"), ("float64", "float32")])
def test_a_program_in_another_type_draws(written: str, computed: str) -> None:
    w = sn.parameter("w", (), written, init=1.0)
    drawn = sn.random.normal((2000,), dtype=written) * sn.random.uniform((2000,), dtype=written)
    prog = sn.compile(
        loss=sn.mean(sn.square(drawn)) * w, optimizer=sn.optim.SGD(lr=0.0), outputs={"drawn": drawn}, dtype=computed
    )
    sample = prog.predict("drawn")
    assert sample.dtype == computed
    assert abs(sample.mean()) < 0.1
    assert abs(sample.var() - 1 / 3) < 0.05
    assert (prog.predict("drawn") == sample).all()
    loss = prog.step()["loss"]
    np.testing.assert_allclose(loss, np.mean(sample**2), rtol=1e-5)
    assert (prog.predict("drawn") != sample).all()
    prog.buffers["random.step"] = np.int64(0)
    assert (prog.predict("drawn") == sample).all()


def test_a_loop_may_draw_with_a_key_of_its_own() -> None:
    seed, start = sn.input("seed", (), "int64"), sn.input("start", (3,), "float64")

    def cell(h: sn.Expr, step: sn.Expr) -> tuple[sn.Expr, sn.Expr]:
        h = 0.5 * h + sn.random.uniform((3,), dtype="float64", key=(seed, step))
        return h, h

    ys, _ = sn.scan(cell, start, sn.arange(5))
    got = sn.function([start, seed], ys)(np.zeros(3), 7)
    np.testing.assert_allclose(got, sn.evaluate(ys, {"start": np.zeros(3), "seed": 7}), rtol=1e-14)
    h = np.zeros(3)
    for step in range(5):
        drawn = sn.random.uniform((3,), dtype="float64", key=(sn.constant(7), sn.constant(step)))
        h = 0.5 * h + sn.evaluate(drawn)
        np.testing.assert_allclose(got[step], h, rtol=1e-14)
