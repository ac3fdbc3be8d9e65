"""`precision="bf16"`: what is rounded, what is not, and that training does not notice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symnet as sn

Array = np.ndarray[Any, np.dtype[Any]]


def network(batch: int = 32, **options: Any) -> Any:
    x, y = sn.input("x", ("N", 64)), sn.input("y", ("N",), dtype="int64")
    model = sn.nn.Sequential(sn.nn.Linear(64, 48), sn.nn.ReLU(), sn.nn.Linear(48, 10))
    logits = model(x)
    return sn.compile(
        loss=sn.losses.cross_entropy(logits, y), optimizer=sn.optim.Adam(lr=3e-3), outputs={"logits": logits},
        batch={"N": batch}, seed=4, **options,
    )  # fmt: skip


def losses(program: Any, steps: int, seed: int = 0, batch: int = 32) -> Array:
    (images, labels), _ = sn.data.digits_split()
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(steps):
        chosen = rng.integers(0, len(images), batch)
        found.append(float(program.step(x=images[chosen], y=labels[chosen])["loss"]))
    return np.array(found)


def test_a_network_learns_as_in_float32() -> None:
    """The curves of both differ by less than a tenth of what other data make of one."""
    one, other, rounded = (
        losses(network(precision=precision), 150, seed).reshape(-1, 30).mean(1)
        for precision, seed in (("float32", 0), ("float32", 1), ("bf16", 0))
    )
    assert rounded[-1] < 0.3 * rounded[0]
    assert np.abs(rounded - one).max() < 0.1 * np.abs(other - one).max()
    assert (rounded != one).any()


def test_what_is_rounded() -> None:
    """The products of the first layer, not those of the second, whose results have ten columns."""
    lines = network(precision="bf16").source("loops").splitlines()
    assert [line.strip() for line in lines if "bf16" in line] == [
        "acc = sum(j: 64) bf16(x[n, j]) * bf16(p0.weight[i, j])",
        "acc = sum(n: N) bf16(where6[n, i]) * bf16(x[n, j])",
    ]
    for other in (network(), network(batch=31, precision="bf16")):
        assert "bf16" not in other.source("loops")


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_parameters_and_gradients_are_those_of_the_rounded_product(backend: str) -> None:
    """d(sum c (x w)) / dw = x' c, of rounded x and c, as float32; and the parameter keeps its digits."""
    rng = np.random.default_rng(3)
    x, c = sn.input("x", (40, 33)), sn.input("c", (40, 35))
    w = sn.parameter("w", (33, 35), init=sn.init.normal(std=1.0))
    loss = sn.sum(c * (x @ w))
    program = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=1.0), precision="bf16", backend=backend)
    given = {"x": rng.normal(size=(40, 33)).astype("f4"), "c": rng.normal(size=(40, 35)).astype("f4")}
    before = program.parameters["w"].copy()
    gradient = _rounded(given["x"]).T @ _rounded(given["c"])
    np.testing.assert_allclose(program.gradients(**given)["w"], gradient, rtol=0, atol=2e-5)
    program.step(**given)
    np.testing.assert_allclose(program.parameters["w"], before - gradient, rtol=0, atol=2e-5)


def _rounded(x: Array) -> Array:
    bits = x.view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


def test_the_same_bits_for_any_number_of_threads() -> None:
    found = [losses(network(precision="bf16", threads=threads), 20) for threads in (1, 2, 3)]
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def test_function() -> None:
    rng = np.random.default_rng(5)
    a, b = sn.input("a", (33, 65)), sn.input("b", (65, 34))
    given = [rng.normal(size=shape).astype("f4") for shape in ((33, 65), (65, 34))]
    product = sn.function([a, b], a @ b, precision="bf16")(*given)
    np.testing.assert_allclose(product, _rounded(given[0]) @ _rounded(given[1]), rtol=0, atol=2e-5)
    bound = 2.0**-7 * (1 + 2.0**-9) * np.abs(given[0]) @ np.abs(given[1]) + 1e-4
    assert (np.abs(product - given[0].astype("f8") @ given[1]) <= bound).all()


def test_what_is_not_supported_says_so() -> None:
    with pytest.raises(sn.SymnetError, match="compile: precision is 'fp16', expected 'float32', 'highest' or 'bf16'"):
        network(precision="fp16")
    with pytest.raises(NotImplementedError, match="precision='tf32' is for graphics processors"):
        network(precision="tf32")
    with pytest.raises(sn.SymnetError, match="leave out dtype='float64'"):
        network(precision="bf16", dtype="float64")
    a = sn.input("a", (2, 2))
    with pytest.raises(sn.SymnetError, match="function: precision is 'half'"):
        sn.function([a], a @ a, precision="half")


def test_the_highest_precision_has_plain_sums_of_products() -> None:
    """Convolutions by tiles are right to a few millionths; without tiles, to the usual error of a sum."""
    rng = np.random.default_rng(11)
    x, w = sn.input("x", (5, 17, 13, 12)), sn.input("w", (18, 17, 3, 3))
    given = [rng.normal(size=one.shape).astype("f4") for one in (x, w)]
    loss = sn.sum(sn.tanh(sn.conv2d(x, w, padding=1)))
    expected = sn.evaluate(sn.grad(loss, [x, w]), {x: given[0].astype("f8"), w: given[1].astype("f8")})
    errors = {}
    for precision in ("float32", "highest"):
        function = sn.function([x, w], sn.grad(loss, [x, w]), precision=precision)
        results = function(*given)
        errors[precision] = [np.abs(a - b).max() / b.std() for a, b in zip(results, expected, strict=True)]
        assert ("_windows" in function.source("loops")) == (precision == "float32")
    assert max(errors["highest"]) < 2e-5, errors
    assert max(errors["float32"]) < 1e-4, errors
    assert errors["float32"] != errors["highest"]
