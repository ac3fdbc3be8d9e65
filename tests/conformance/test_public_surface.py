"""What the README and the guide promise, used as a PyTorch user would, and compared with PyTorch or with mpmath."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import symnet as sn

FLOATS = ("float32", "float64")
Formula = Callable[[Any, Any], Any]
"""(an array, the module with its functions: symnet or torch) -> an array."""


# --- derivatives against PyTorch ----------------------------------------------------------------------------------

MATRIX = np.random.default_rng(3).normal(size=(3, 3))
FUNCTIONS: dict[str, Formula] = {
    "quadratic": lambda x, s: (x @ _constant(s, MATRIX)) @ x,
    "tanh": lambda x, s: s.sum(s.tanh(x @ _constant(s, MATRIX)) ** 3),
    "logsumexp": lambda x, s: s.log(s.sum(s.exp(_constant(s, MATRIX) @ x))),
    "product": lambda x, s: s.prod(x * x + 1),
    "max": lambda x, s: s.amax(x * x),
    "abs": lambda x, s: s.sum(abs(x) ** 3),
    "norm": lambda x, s: s.sqrt(s.sum(x**2)),
    "cumsum": lambda x, s: s.sum(s.cumsum(x * x, 0) ** 2),
    "indices": lambda x, s: x[0] * x[1] ** 2 * x[2] ** 3,
    "relu": lambda x, s: s.sum(s.relu(x @ _constant(s, MATRIX)) ** 3),
    "where": lambda x, s: s.sum(s.where(x > 0, x**3, s.sin(x))),
    "sigmoid": lambda x, s: s.sum(s.sigmoid(x) / (1 + x**2)),
}


def _constant(module: Any, array: np.ndarray) -> Any:
    return sn.constant(array) if module is sn else module.tensor(array)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_every_order(name: str) -> None:
    torch = pytest.importorskip("torch")
    function, functional = FUNCTIONS[name], torch.autograd.functional
    at, along = np.array([0.3, -1.2, 0.7]), np.array([1.0, -2.0, 0.5])
    x, v = sn.input("x", (3,), "float64"), sn.constant(along)
    value = function(x, sn)
    gradient = sn.grad(value, x)
    third = sn.grad(sn.sum(sn.grad(sn.sum(gradient * v), x) * v), x)
    first = [gradient, sn.jacobian(value, x), sn.value_and_grad(value, x)[1], sn.vjp(value, x, sn.ones((), "float64"))]
    second = [sn.hessian(value, x), sn.jacobian(gradient, x)]
    products = [sn.hvp(value, x, v), sn.vjp(gradient, x, v), sn.jvp(gradient, x, v)]
    found = sn.function([x], [*first, *second, *products, sn.jvp(value, x, v), third])(at)

    def meaning(t: Any) -> Any:
        return function(t, torch)

    point, direction = torch.tensor(at), torch.tensor(along)
    hessian = functional.hessian(meaning, point)
    jacobian = functional.jacobian(meaning, point)
    twice = functional.jacobian(lambda t: functional.jvp(lambda u: functional.jvp(
        meaning, u, direction, create_graph=True)[1], t, direction, create_graph=True)[1], point)  # fmt: skip
    wanted = [*[jacobian] * 4, *[hessian] * 2, *[hessian @ direction] * 3, jacobian @ direction, twice]
    for place, (a, b) in enumerate(zip(found, wanted, strict=True)):
        assert a.shape == tuple(b.shape), place
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-8, atol=1e-9, err_msg=str(place))


def test_shapes_of_derivatives_and_what_does_not_depend() -> None:
    x, y = sn.input("x", ("N", 3)), sn.input("y", (3,))
    out = x @ y
    assert [j.shape for j in sn.jacobian(out, [x, y])] == [("N", "N", 3), ("N", 3)]
    assert sn.hessian(sn.sum(out**2), y).shape == (3, 3)
    assert sn.jacobian(x, x).shape == ("N", 3, "N", 3)
    apart = sn.grad(sn.sum(x), [x, y])[1]
    assert (apart.shape, sn.evaluate(apart).tolist()) == ((3,), [0, 0, 0])
    inner = sn.tanh(x)
    found = sn.evaluate(sn.grad(sn.sum(inner * inner * x), inner), {"x": np.ones((2, 3))})
    np.testing.assert_allclose(found, 2 * np.tanh(np.ones((2, 3))), rtol=1e-6)
    assert sn.evaluate(sn.grad(sn.sum(out), sn.sum(out)), {"x": np.ones((2, 3)), "y": np.ones(3)}) == 1
    whole = sn.input("whole", ("N",), "int64")
    for loss, wrt, error in ((x, x, ValueError), (sn.sum(x), whole, TypeError), (sn.sum(whole), x, TypeError)):
        with pytest.raises(error, match="grad: "):
            sn.grad(loss, wrt)


def test_a_derivative_through_a_training_step() -> None:
    torch = pytest.importorskip("torch")
    x, w, rate = sn.input("x", ("N", 3)), sn.input("w", (3,)), sn.input("rate", ())

    def loss(weights: Any) -> Any:
        return sn.mean((x @ weights - 1) ** 2)

    after = loss(w - rate * sn.grad(loss(w), w))
    data, start = np.random.default_rng(0).normal(size=(5, 3)).astype("float32"), np.array([1, -1, 2], "float32")
    found = sn.function([x, w, rate], sn.grad(after, rate))(data, start, 0.1)
    tw, tr, tx = torch.tensor(start, requires_grad=True), torch.tensor(0.1, requires_grad=True), torch.tensor(data)
    slope = torch.autograd.grad(((tx @ tw - 1) ** 2).mean(), tw, create_graph=True)[0]
    wanted = torch.autograd.grad(((tx @ (tw - tr * slope) - 1) ** 2).mean(), tr)[0]
    np.testing.assert_allclose(found, wanted.item(), rtol=1e-4)


# --- formulas as people write them --------------------------------------------------------------------------------


def _sigmoid(t: Any) -> Any:
    return 1 / (1 + mp.exp(-t))


SPELLINGS: dict[str, tuple[Callable[[sn.Expr], sn.Expr], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "log(1 + exp(x))": (lambda x: sn.log(1 + sn.exp(x)), lambda t: mp.log1p(mp.exp(t)), _sigmoid),
    "log(1 + exp(-x))": (lambda x: sn.log(1 + sn.exp(-x)), lambda t: mp.log1p(mp.exp(-t)), lambda t: -_sigmoid(-t)),
    "log(sigmoid(x))": (lambda x: sn.log(sn.sigmoid(x)), lambda t: -mp.log1p(mp.exp(-t)), lambda t: _sigmoid(-t)),
    "log(1 - sigmoid(x))": (
        lambda x: sn.log(1 - sn.sigmoid(x)),
        lambda t: -mp.log1p(mp.exp(t)),
        lambda t: -_sigmoid(t),
    ),
    "1 / (1 + exp(-x))": (lambda x: 1 / (1 + sn.exp(-x)), _sigmoid, lambda t: _sigmoid(t) * _sigmoid(-t)),
    "x / (1 + exp(-x))": (
        lambda x: x / (1 + sn.exp(-x)),
        lambda t: t * _sigmoid(t),
        lambda t: _sigmoid(t) * (1 + t * _sigmoid(-t)),
    ),
    "exp(x) - 1": (lambda x: sn.exp(x) - 1, mp.expm1, mp.exp),
    "log(exp(x))": (lambda x: sn.log(sn.exp(x)), lambda t: t, lambda t: mp.mpf(1)),
    "sqrt(x**2)": (lambda x: sn.sqrt(x**2), abs, mp.sign),
    "sqrt(x*x + 1)": (lambda x: sn.sqrt(x * x + 1), lambda t: mp.sqrt(t * t + 1), lambda t: t / mp.sqrt(t * t + 1)),
    "binary cross-entropy": (
        lambda x: -(0.25 * sn.log(sn.sigmoid(x)) + 0.75 * sn.log(1 - sn.sigmoid(x))),
        lambda t: mp.log1p(mp.exp(t)) - t / 4,
        lambda t: _sigmoid(t) - mp.mpf(1) / 4,
    ),
}
POINTS = (-1e4, -1000, -200, -100, -88.5, -30, -5, -1, -1e-3, -1e-8, 0, 1e-8, 1e-3, 1, 5, 30, 88.5, 100, 200, 1e4)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_naive_spellings_are_exact_at_every_size(spelling: str, dtype: str) -> None:
    formula, meaning, slope = SPELLINGS[spelling]
    x, points = sn.input("x", ("N",), dtype), np.array(POINTS, dtype)
    value = formula(x)
    found = sn.function([x], [value, sn.grad(sn.sum(value), x)])(points)
    limits = np.finfo(dtype)
    with mp.workdps(60):
        for numbers, exact in zip(found, (meaning, slope), strict=True):
            for point, got in zip(points.tolist(), numbers.tolist(), strict=True):
                wanted = exact(mp.mpf(point))
                if abs(wanted) > limits.max:
                    assert got == np.inf, point
                else:
                    assert abs(got - float(wanted)) <= 40 * limits.eps * abs(float(wanted)) + 100 * limits.tiny, point


ROWS = np.array([[1e4, -1e4, 0], [0, 0, 0], [-1e4, -1e4, -9990], [200, 100, -300]])


def _by_hand(z: Any, s: Any) -> Any:
    return s.exp(z) / (s.sum(s.exp(z), axis=1, keepdims=True) if s is sn else s.exp(z).sum(1, keepdim=True))


def _log_softmax(z: Any, s: Any) -> Any:
    return s.log_softmax(z, 1)


BY_ROWS: dict[str, tuple[Formula, Formula]] = {
    "softmax": (_by_hand, lambda z, s: s.softmax(z, 1)),
    "log softmax": (lambda z, s: s.log(_by_hand(z, s)), _log_softmax),
    "z - log Σ exp": (lambda z, s: z - s.log(s.sum(s.exp(z), axis=1, keepdims=True)), _log_softmax),
    "cross-entropy": (lambda z, s: -s.log(_by_hand(z, s)[:, 1]), lambda z, s: -_log_softmax(z, s)[:, 1]),
    "entropy": (
        lambda z, s: -s.sum(_by_hand(z, s) * s.log(_by_hand(z, s)), axis=1),
        lambda z, s: -(s.softmax(z, 1) * _log_softmax(z, s)).sum(1),
    ),
    "log Σ exp": (lambda z, s: s.log(s.sum(s.exp(z), axis=1)), lambda z, s: s.logsumexp(z, 1)),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BY_ROWS)
def test_softmax_by_hand(name: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    formula, meaning = BY_ROWS[name]
    z, t = sn.input("z", ("N", 3), dtype), torch.tensor(ROWS, requires_grad=True)
    value = formula(z, sn)
    found = sn.function([z], [value, sn.grad(sn.sum(value), z)])(ROWS.astype(dtype))
    wanted = meaning(t, torch)
    wanted.sum().backward()
    # exp(z - log Σ exp z) has the rounding of z, here 1e4, in its exponent; so has PyTorch's
    tolerance = 2e-3 if name == "log Σ exp" and dtype == "float32" else 2e-5
    np.testing.assert_allclose(found[0], wanted.detach().numpy(), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], t.grad.numpy(), rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
def test_masks_give_no_nan_where_they_leave_something(dtype: str) -> None:
    z, mask = sn.input("z", (4, 3), dtype), sn.input("mask", (4, 3), "bool")
    weights = sn.constant(np.arange(12.0).reshape(4, 3).astype(dtype))
    masked = sn.where(mask, z, -np.inf)
    chosen = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 0]], bool)
    fully = chosen.copy()
    fully[1] = False
    for values in (
        sn.softmax(masked, axis=1),
        _by_hand(masked, sn),
        sn.softmax(z + sn.where(mask, 0.0, -np.inf), axis=1),
    ):
        found = sn.function([z, mask], [values, sn.grad(sn.sum(values * weights), z)])(ROWS.astype(dtype), chosen)
        assert all(np.isfinite(array).all() for array in found)
        np.testing.assert_allclose(found[0].sum(axis=1), 1, rtol=1e-6)
        assert (found[0][~chosen] == 0).all()
    total = sn.logsumexp(masked, axis=1)
    found = sn.function([z, mask], [total, sn.grad(sn.sum(sn.where(sn.isfinite(total), total, 0)), z)])(
        ROWS.astype(dtype), fully
    )
    assert found[0][1] == -np.inf
    assert np.isfinite(found[1]).all()


KINKS = np.array([-2.0, -1, -0.0, 0, 0.5, 1, 2, 2])
KINKED: dict[str, Formula] = {
    "relu": lambda x, s: s.relu(x),
    "where": lambda x, s: s.where(x > 0, x, 0 * x),
    "abs": lambda x, s: abs(x),
    "sign": lambda x, s: s.sign(x) * x,
    "clip": lambda x, s: s.clip(x, -1, 1),
    "clip and more": lambda x, s: s.clip(x, -1, 1) * x,
    "minimum": lambda x, s: s.minimum(s.maximum(x, -s.ones_like(x)), s.ones_like(x)),
    "max": lambda x, s: s.amax(x) * x,
    "min": lambda x, s: s.amin(x) * x,
    "prod": lambda x, s: s.prod(x),
    "gate": lambda x, s: x * (x > 0),
    "floor": lambda x, s: s.floor(x) + x,
    "round": lambda x, s: s.round(x) * x,
    "mod": lambda x, s: x % 1.5,
    "half": lambda x, s: (x + abs(x)) / 2,
    "norm": lambda x, s: s.linalg.norm(0 * x),
    "power": lambda x, s: x**2 + x**3 + x**1 + x**0,
    "std": lambda x, s: s.std(0 * x + 1, correction=0),
}


@pytest.mark.parametrize("name", KINKED)
def test_the_derivative_at_a_kink_is_that_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    t = torch.tensor(KINKS, requires_grad=True)
    KINKED[name](t, torch).sum().backward()
    for dtype in FLOATS:
        x = sn.input("x", ("N",), dtype)
        found = sn.function([x], sn.grad(sn.sum(KINKED[name](x, sn)), x))(KINKS.astype(dtype))
        np.testing.assert_allclose(found, t.grad.numpy(), rtol=1e-6, err_msg=dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_spread_of_equal_numbers_has_the_derivative_0(dtype: str) -> None:
    x = sn.input("x", ("N", 3), dtype)
    spread = sn.std(x, axis=1)
    value, slope = sn.function([x], [spread, sn.grad(sn.sum(spread), x)])(np.array([[1, 1, 1], [1, 2, 3]], dtype))
    np.testing.assert_allclose(value, [0, np.sqrt(2 / 3)], rtol=1e-6)
    np.testing.assert_allclose(slope, [[0, 0, 0], [-((1 / 6) ** 0.5), 0, (1 / 6) ** 0.5]], rtol=1e-6, atol=1e-7)


def test_means_of_integers_do_not_overflow() -> None:
    k, b = sn.input("k", ("N",), "int32"), sn.input("b", ("N",), "bool")
    count, most = 100_001, 2**31 - 1
    found = sn.function([k, b], [sn.mean(k), sn.sum(k), sn.var(k), sn.mean(b), sn.sum(b)])(
        np.full(count, most, "int32"), np.ones(count, bool)
    )
    assert [value.item() for value in found] == [2.0**31, count * most, 0, 1, count]


def test_positions_beyond_the_integers_of_float32() -> None:
    x, count = sn.input("x", ("N",)), 2**24 + 10
    values = np.zeros(count, "float32")
    values[2**24 + 3] = 1
    found = sn.function([x], [sn.argmax(x), sn.sum(x > 0), sn.argmin(x[::-1])])(values)
    assert [value.item() for value in found] == [2**24 + 3, 1, 0]


# --- deep and wide ------------------------------------------------------------------------------------------------


def test_a_deep_network_and_a_wide_sum() -> None:
    x = sn.input("x", ("N", 4))
    layers: list[sn.nn.Module] = []
    for _ in range(120):
        layers += [sn.nn.Linear(4, 4), sn.nn.Tanh()]
    program = sn.compile(loss=sn.mean(sn.nn.Sequential(*layers)(x) ** 2), optimizer=sn.optim.SGD(), batch={"N": 4})
    data = np.ones((3, 4), "float32")
    assert program.step(x=data)["loss"] > 0
    v = sn.input("v", ("N",))
    wide = sum((sn.sin(v * float(i)) for i in range(150)), sn.constant(0.0))
    points = np.linspace(-1, 1, 7).astype("float32")
    found = sn.function([v], [wide, sn.grad(sn.sum(wide), v)])(points)
    numbers = np.arange(150)[:, None]
    np.testing.assert_allclose(found[0], np.sin(numbers * points).sum(axis=0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found[1], (numbers * np.cos(numbers * points)).sum(axis=0), rtol=1e-3, atol=0.2)


# --- names --------------------------------------------------------------------------------------------------------


EXPRESSIONS = """input parameter constant elementwise scan stop_gradient name draw dumps loads evaluate simplify explain
rules exp where einsum sum softmax mean log take_along_axis linalg"""
DERIVATIVES = "grad value_and_grad vjp jvp jacobian hessian hvp"
PROGRAMS = "step evaluate predict gradients fit save load load_parameters source profile"
METHODS = "op args attrs shape dtype name latex _repr_html_ sum mean max min T reshape transpose"


def test_names_that_are_promised() -> None:
    parts: Sequence[tuple[object, str]] = [
        (sn, f"{EXPRESSIONS} {DERIVATIVES} nn losses optim init function compile data SymnetError"),
        (sn.losses, "CrossEntropyLoss MSELoss BCEWithLogitsLoss"),
        (sn.losses, "cross_entropy mse_loss binary_cross_entropy_with_logits"),
        (sn.optim, "SGD Adam AdamW Optimizer"),
        (sn.program.Program, PROGRAMS),
        (sn.input("x", ("N", 3)), METHODS),
    ]
    missing = [name for owner, names in parts for name in names.split() if not hasattr(owner, name)]
    assert not missing
