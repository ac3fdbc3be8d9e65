"""Every activation against PyTorch's: values and derivatives in float64, at random points, kinks and far out."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.errors import ShapeError, UsageError

torch = pytest.importorskip("torch")

# Where some activation has a kink (at its default or tested settings), and where exponentials overflow.
SPECIAL = [-1e3, -100.0, -20.0, -6.0, -3.0, -2.0, -1.0, -0.7, -0.5, -0.0, 0.0, 0.3, 0.5, 0.7, 1.0, 2.0, 3.0, 6.0, 10.0,
           20.0, 100.0, 1e3]  # fmt: skip

CASES = [
    ("ReLU", {}),
    ("ReLU6", {}),
    ("SELU", {}),
    ("SiLU", {}),
    ("Mish", {}),
    ("Hardsigmoid", {}),
    ("Hardswish", {}),
    ("Sigmoid", {}),
    ("LogSigmoid", {}),
    ("Tanh", {}),
    ("Tanhshrink", {}),
    ("Softsign", {}),
    ("ELU", {}),
    ("ELU", {"alpha": 0.7}),
    ("CELU", {}),
    ("CELU", {"alpha": 0.7}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.3}),
    ("PReLU", {}),
    ("Hardtanh", {}),
    ("Hardtanh", {"min_val": -0.7, "max_val": 2.0}),
    ("Hardshrink", {}),
    ("Hardshrink", {"lambd": 0.7}),
    ("Softshrink", {}),
    ("Softshrink", {"lambd": 0.7}),
    ("Softplus", {}),
    ("Softplus", {"beta": 2.0, "threshold": 6.0}),
    ("Threshold", {"threshold": 0.3, "value": -2.0}),
    ("GLU", {}),
    ("GLU", {"dim": 0}),
    ("Softmax", {"dim": 1}),
    ("Softmin", {"dim": 0}),
    ("LogSoftmax", {"dim": -1}),
]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_values_and_derivatives_are_pytorchs(name: str, settings: dict[str, object], rng: np.random.Generator) -> None:
    points = np.concatenate([SPECIAL, rng.normal(0, 3, 8)]).reshape(6, 5)
    if name in ("Softmax", "Softmin", "LogSoftmax"):
        points = rng.normal(0, 30, (6, 5))
    x = sn.input("x", ("N", 5) if settings != {"dim": 0} else (6, 5), dtype="float64")
    if name == "GLU" and not settings:
        points, x = points.reshape(5, 6), sn.input("x", ("N", 6), dtype="float64")
    y = getattr(sn.nn, name)(**settings)(x)

    given = torch.tensor(points, requires_grad=True)
    theirs = getattr(torch.nn, name)(**settings).to(torch.float64)(given)
    values: dict[str, np.ndarray] = {"x": points}
    if name == "PReLU":
        values["weight"] = np.array([0.25], np.float32)
    _agree(sn.evaluate(y, values), theirs.detach().numpy())

    values["factors"] = rng.normal(size=theirs.shape)
    (theirs * torch.from_numpy(values["factors"])).sum().backward()
    total = sn.sum(y * sn.input("factors", y.shape, dtype="float64"))
    # PyTorch keeps 1/6 and 1/alpha as float32 numbers there, whatever it computes in.
    rough = name == "Hardsigmoid" or (name == "CELU" and bool(settings))
    _agree(sn.evaluate(sn.grad(total, x), values), given.grad.numpy(), 1e-6 if rough else 1e-12)


def _agree(ours: np.ndarray, theirs: np.ndarray, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-13)


def test_prelu_learns_a_weight_for_each_channel(rng: np.random.Generator) -> None:
    points, slopes = rng.normal(size=(3, 4, 5)), rng.normal(size=4)
    layer = sn.nn.PReLU(4, dtype="float64")
    x = sn.input("x", ("N", 4, 5), dtype="float64")
    gradient = sn.grad(sn.sum(sn.square(layer(x))), layer.weight)

    theirs = torch.nn.PReLU(4, dtype=torch.float64)
    theirs.weight.data = torch.from_numpy(slopes)
    theirs(torch.from_numpy(points)).square().sum().backward()
    values = {"x": points, "weight": slopes}
    _agree(sn.evaluate(gradient, values), theirs.weight.grad.numpy())


def test_softmax2d_is_over_channels(rng: np.random.Generator) -> None:
    points = rng.normal(size=(2, 3, 4, 5))
    x = sn.input("x", ("N", 3, 4, 5), dtype="float64")
    theirs = torch.nn.Softmax2d()(torch.from_numpy(points))
    _agree(sn.evaluate(sn.nn.Softmax2d()(x), {"x": points}), theirs.numpy())


def test_defaults_and_argument_names_are_pytorchs() -> None:
    import inspect

    for name in sorted({name for name, _ in CASES} | {"Softmax2d", "Flatten", "Identity"}):
        ours = inspect.signature(getattr(sn.nn, name).__init__).parameters
        theirs = inspect.signature(getattr(torch.nn, name).__init__).parameters
        left_out = ("device", "dtype", "args", "kwargs", "min_value", "max_value")  # the last two are deprecated
        wanted = {k: p.default for k, p in theirs.items() if k not in left_out}
        given = {k: p.default for k, p in ours.items() if k not in ("dtype", "args", "kwargs")}
        assert given == wanted, name


def test_mistakes_are_named() -> None:
    x = sn.input("x", ("N", 5))
    with pytest.raises(UsageError, match=r"Softmax\(dim="):
        sn.nn.Softmax()(x)
    with pytest.raises(UsageError, match="approximate"):
        sn.nn.GELU(approximate="erf")(x)
    with pytest.raises(ShapeError, match="even size"):
        sn.nn.GLU()(x)
    with pytest.raises(ShapeError, match=r"one for each channel"):
        sn.nn.PReLU(3)(x)
    with pytest.raises(UsageError, match="min_val"):
        sn.nn.Hardtanh(2.0, 1.0)


def test_inplace_changes_no_value() -> None:
    x = sn.input("x", ("N", 3))
    for name in ("relu", "relu6", "elu", "selu", "celu", "leaky_relu", "silu", "mish", "hardswish", "hardsigmoid"):
        function = getattr(sn.nn.functional, name)
        assert function(x, inplace=True) is function(x)
    assert repr(sn.nn.Hardshrink(0.1)) == "Hardshrink(0.1)"
    assert repr(sn.nn.Softshrink()) == "Softshrink(0.5)"
