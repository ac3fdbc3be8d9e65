"""Loss surfaces and gradient flow: the numbers are right, the pictures can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, UnknownName, UsageError

x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",))
W, b, v = sn.parameter("W", (3, 4)), sn.parameter("b", (4,)), sn.parameter("v", (4,))
LOSS = sn.mean(sn.square(sn.nn.functional.dropout(sn.tanh(x @ W + b), 0.5) @ v - y))


@pytest.fixture(scope="module")
def point() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = {"x": (5, 3), "y": (5,), "W": (3, 4), "b": (4,), "v": (4,)}
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def by_hand(p: dict[str, np.ndarray]) -> float:
    return float(np.mean((np.tanh(p["x"] @ p["W"] + p["b"]) @ p["v"] - p["y"]) ** 2))


@pytest.fixture(scope="module")
def program(point: dict[str, np.ndarray]) -> sn.Program:
    program = sn.compile(LOSS, sn.optim.SGD(lr=0.1), batch={"N": 5}, threads=1)
    program.load_parameters({name: point[name] for name in ("W", "b", "v")})
    return program


def test_the_surface_holds_the_losses_along_the_directions(program: sn.Program, point: dict[str, Any]) -> None:
    found = sn.explain.surface(program, {"x": point["x"], "y": point["y"]}, span=0.5, points=5)
    first, second = found.directions
    for i, a in enumerate(found.a):
        for j, c in enumerate(found.b):
            moved = {n: point[n] + a * first[n] + c * second[n] for n in ("W", "b", "v")}
            assert found.losses[i, j] == pytest.approx(by_hand({**point, **moved}), rel=1e-4)
    assert found.centre == pytest.approx(by_hand(point), rel=1e-5)
    assert found.a.tolist() == [-0.5, -0.25, 0.0, 0.25, 0.5]


def test_random_directions_are_as_long_as_the_filters(program: sn.Program, point: dict[str, Any]) -> None:
    data = {"x": point["x"], "y": point["y"]}
    found = sn.explain.surface(program, data, points=3)
    for direction in found.directions:
        lengths = (np.linalg.norm(array, axis=1) for array in (direction["W"], point["W"]))
        np.testing.assert_allclose(*lengths, rtol=1e-5)
        assert not direction["b"].any()
    same, other = (sn.explain.surface(program, data, points=3, seed=seed) for seed in (0, 1))
    assert np.array_equal(same.losses, found.losses)
    assert not np.array_equal(other.losses, found.losses)


def test_given_directions_and_an_expression(point: dict[str, Any]) -> None:
    loss = sn.inference(LOSS)
    along = ({"v": np.eye(4)[0]}, {"b": np.ones(4)})
    found = sn.explain.surface(loss, point, directions=along, points=3)
    assert found.losses[2, 1] == pytest.approx(by_hand({**point, "v": point["v"] + np.eye(4)[0]}), rel=1e-4)
    assert found.losses[1, 0] == pytest.approx(by_hand({**point, "b": point["b"] - 1}), rel=1e-4)
    assert repr(found).startswith("<Surface 3×3: loss from ")


def test_pictures(program: sn.Program, point: dict[str, Any], tmp_path: Path) -> None:
    data = {"x": point["x"], "y": point["y"]}
    found = sn.explain.surface(program, data, points=5)
    for kind in ("contour", "relief"):
        found.plot(tmp_path / f"{kind}.png", kind=kind)
        assert (tmp_path / f"{kind}.png").stat().st_size > 5_000
    sn.explain.flow(program, data).plot(tmp_path / "flow.svg")
    assert "<svg" in (tmp_path / "flow.svg").read_text()
    with pytest.raises(UsageError, match="no kind 'countour'; did you mean 'contour'"):
        found.plot(kind="countour")


def test_flow_has_the_norms_of_the_gradients(program: sn.Program, point: dict[str, Any]) -> None:
    data = {"x": point["x"], "y": point["y"]}
    found = sn.explain.flow(program, data)
    gradients = sn.evaluate(sn.grad(sn.inference(LOSS), [W, b, v]), point)
    for part, gradient, name in zip(found.parameters, gradients, ("W", "b", "v"), strict=True):
        assert part.label == name
        assert part.norm == pytest.approx(np.linalg.norm(gradient), rel=1e-4)
        assert part.size == pytest.approx(np.sqrt(np.mean(gradient**2)), rel=1e-4)
        assert part.ratio == pytest.approx(np.linalg.norm(gradient) / np.linalg.norm(point[name]), rel=1e-4)
    assert [part.name for part in found.layers][:2] == ["z₁", "h₁"]
    assert "norm / value" in str(found)
    derivation = sn.explain(sn.inference(LOSS), W)
    assert [part.name for part in derivation.flow(point).parts] == [part.name for part in found.parts]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f, p: f.surface(LOSS, {"x": p["x"]}), UnknownName, "surface: no value for the input 'y'; given: x"),
        (lambda f, p: f.flow(LOSS, {**p, "z": 1}), UnknownName, "flow: .*'z'"),
        (lambda f, p: f.surface(x @ W, p), ShapeError, r"shape \[N, 4\], expected a scalar"),
        (lambda f, p: f.surface(sn.inference(LOSS), p, points=4), UsageError, "points is 4, expected an odd number"),
        (lambda f, p: f.surface(sn.inference(LOSS), p, span=0), UsageError, "span is 0"),
        (lambda f, p: f.surface(sn.inference(LOSS), [1]), DTypeError, "expected a mapping from names"),
        (lambda f, p: f.surface(sn.inference(LOSS), p, directions=[{}]), UsageError, "two mappings"),
        (lambda f, p: f.surface(sn.inference(LOSS), p, directions=({"w": 1}, {})), UnknownName, "no parameter 'w'"),
        (lambda f, p: f.surface(sn.inference(LOSS), p, directions=({"v": [1]}, {})), ShapeError, r"the shape \[1\]"),
        (lambda f, p: f.surface(sn.sum(x), {"x": p["x"]}), UsageError, "no trainable parameter"),
    ],
)
def test_mistakes(call: Callable[..., object], error: type[Exception], message: str, point: dict[str, Any]) -> None:
    with pytest.raises(error, match=message):
        call(sn.explain, point)
