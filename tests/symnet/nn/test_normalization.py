"""Normalisation: accuracy in float32, one value, mistakes, names; the values are in tests/references."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn

F = sn.nn.functional


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5, -1e6])
@pytest.mark.parametrize("layer", ["batch_norm", "layer_norm", "instance_norm"])
def test_float32_far_from_zero(layer: str, offset: float, rng: np.random.Generator) -> None:
    """The variance is the mean squared distance from the mean: it keeps its digits however far that is from 0."""
    values = (rng.normal(size=(16, 4, 33)) + offset).astype("float32")
    x, exact = sn.input("x", values.shape), sn.input("x", values.shape, "float64")

    def run(node: sn.Expr) -> sn.Expr:
        if layer == "batch_norm":
            return F.batch_norm(node, None, None, training=True)
        return F.layer_norm(node, (4, 33)) if layer == "layer_norm" else F.instance_norm(node)

    got = sn.function([x], run(x))(values)
    wanted = sn.evaluate(run(exact), {"x": values.astype("float64")})
    # the values have this spacing, and their mean is known to a few times it
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5 + 4 * np.spacing(np.float32(abs(offset))))


def test_one_value_is_an_error_in_training() -> None:
    """As in PyTorch: when the network is built if sizes tell, else when it runs; nothing has changed then."""
    with pytest.raises(sn.UsageError, match="more than 1 value per channel in training"):
        sn.nn.BatchNorm1d(3)(sn.input("x", (1, 3)))
    with pytest.raises(sn.UsageError, match="more than 1 value per channel of a sample"):
        sn.nn.InstanceNorm1d(3)(sn.input("x", ("N", 3, 1)))
    with pytest.raises(sn.UsageError, match="more than 1 value per group"):
        sn.nn.GroupNorm(3, 3)(sn.input("x", (1, 3)))
    assert sn.nn.BatchNorm1d(3).eval()(sn.input("x", (1, 3))).shape == (1, 3)
    x = sn.input("x", ("N", 3))
    loss = sn.mean(sn.nn.BatchNorm1d(3)(x) * x)
    prog = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": 4})
    before = {**prog.parameters, **prog.buffers}
    one = np.ones((1, 3), "float32")
    for call in (prog.step, prog.gradients):
        with pytest.raises(sn.ShapeError, match=r"batch_norm: expected more than 1 value per channel in training"):
            call(x=one)
    with pytest.raises(sn.ShapeError, match="batch 2, with rows"):
        prog.fit({"x": np.ones((5, 3), "float32")}, batch_size=4, progress=False)
    assert all((value == before[name]).all() for name, value in {**prog.parameters, **prog.buffers}.items())
    assert np.isfinite(prog.evaluate(x=one)["loss"])
    with pytest.raises(sn.ShapeError, match="more than 1 value"):
        sn.evaluate(sn.nn.BatchNorm1d(3, affine=False, track_running_stats=False)(x), {"x": one})


def test_one_value_of_a_layer_norm_is_its_bias() -> None:
    x = sn.input("x", ("N", 1), "float64")
    y = F.layer_norm(x, 1, np.array([3.0]), np.array([0.5]))
    assert sn.evaluate(y, {"x": [[7.0], [-1.0]]}).tolist() == [[0.5], [0.5]]


def test_derivatives_stated_and_derived_agree(rng: np.random.Generator) -> None:
    """The pullbacks of the composites beside those of their definitions."""
    x, w, b = sn.input("x", (4, 6, 5), "float64"), sn.input("w", (6,), "float64"), sn.input("b", (6,), "float64")
    values = {"x": rng.normal(size=x.shape), "w": rng.normal(size=6), "b": rng.normal(size=6)}
    g = sn.constant(rng.normal(size=x.shape))
    for node in (
        F.batch_norm(x, None, None, w, b, training=True),
        F.instance_norm(x, None, None, w, b),
        F.group_norm(x, 3, w, b),
    ):
        define = node.declaration.define
        assert define is not None
        stated = sn.grad(sn.sum(node * g), [x, w, b])
        derived = sn.grad(sn.sum(define(node) * g), [x, w, b])
        for mine, theirs in zip(sn.evaluate(stated, values), sn.evaluate(derived, values), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


def test_epsilon_of_rms_norm_is_that_of_the_type() -> None:
    small = 1e-9
    for dtype in ("float32", "float64"):
        x = sn.input("x", (3,), dtype)
        y = sn.evaluate(F.rms_norm(x, 3), {"x": np.full(3, small, dtype)})
        np.testing.assert_allclose(y, small / np.sqrt(small**2 + np.finfo(dtype).eps), rtol=1e-6)


def test_gradient_at_equal_values_is_finite() -> None:
    x = sn.input("x", (2, 4))
    for y in (F.layer_norm(x, 4), F.rms_norm(x, 4), F.normalize(x)):
        slope = sn.function([x], sn.grad(sn.sum(y * sn.constant(np.arange(8.0).reshape(2, 4), "float32")), x))
        assert np.isfinite(slope(np.zeros((2, 4), "float32"))).all()


def test_parameters_and_buffers_as_in_torch() -> None:
    norm = sn.nn.BatchNorm2d(4, dtype="float64")
    shapes = {name: (node.shape, node.dtype) for name, node in (*norm.named_parameters(), *norm.named_buffers())}
    assert shapes == {
        "weight": ((4,), "float64"), "bias": ((4,), "float64"), "running_mean": ((4,), "float64"),
        "running_var": ((4,), "float64"), "num_batches_tracked": ((), "int64"),
    }  # fmt: skip
    assert [name for name, _ in sn.nn.InstanceNorm2d(4).named_parameters()] == []
    assert [name for name, _ in sn.nn.LayerNorm(4, bias=False).named_parameters()] == ["weight"]
    assert repr(sn.nn.BatchNorm1d(3, momentum=None)) == (
        "BatchNorm1d(3, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True)"
    )
    assert repr(sn.nn.RMSNorm([3, 4])) == "RMSNorm((3, 4), eps=None, elementwise_affine=True)"
    assert repr(sn.nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"


def test_mistakes() -> None:
    x = sn.input("x", ("N", 4, 5))
    with pytest.raises(sn.ShapeError, match=r"BatchNorm2d: expected an operand of 4 axes, got \[N, 4, 5\]"):
        sn.nn.BatchNorm2d(4)(x)
    with pytest.raises(sn.ShapeError, match="expected 3 channels on axis 1"):
        sn.nn.BatchNorm1d(3)(x)
    with pytest.raises(sn.ShapeError, match=r"layer_norm: expected an operand that ends in \[4\]"):
        sn.nn.LayerNorm(4)(x)
    with pytest.raises(sn.ShapeError, match=r"layer_norm: the weight is \[4\], expected \[5\]"):
        F.layer_norm(x, 5, np.ones(4))
    with pytest.raises(sn.UsageError, match="5 channels cannot be split into 2 groups"):
        sn.nn.GroupNorm(2, 5)
    with pytest.raises(sn.UsageError, match="it must be a buffer"):
        F.batch_norm(x, sn.input("m", (4,)), sn.input("v", (4,)), training=True)
    with pytest.raises(sn.UsageError, match="needs running_mean and running_var"):
        F.batch_norm(x, None, None)
    with pytest.raises(sn.UsageError, match="normalized_shape is 0"):
        sn.nn.LayerNorm(0)
    with pytest.raises(sn.UsageError, match="size is 0"):
        F.local_response_norm(x, 0)
    with pytest.raises(sn.ShapeError, match="at least 3 axes"):
        F.local_response_norm(sn.input("x", (3, 4)), 3)
    with pytest.raises(TypeError, match="device"):
        sn.nn.BatchNorm1d(3, device="cpu")  # type: ignore[call-arg]
