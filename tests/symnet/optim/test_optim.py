"""Optimizers against PyTorch's over twenty float64 steps, and what a user's own may do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, UnknownName, Unsupported, UsageError
from symnet.expr.traverse import postorder
from symnet.nn.init import initial_value
from symnet.optim import Optimizer

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.03}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.03, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.02}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.02, "maximize": True}),
    ("Adam", {"lr": 0.1, "betas": (0.0, 0.9)}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.1, "amsgrad": True, "maximize": True, "weight_decay": 0.0}),
    ("NAdam", {"weight_decay": 0.03}),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.03, "momentum_decay": 0.1, "maximize": True}),
    ("RAdam", {"weight_decay": 0.03}),
    ("RAdam", {"decoupled_weight_decay": True, "betas": (0.8, 0.95), "weight_decay": 0.03, "maximize": True}),
    ("Adamax", {"weight_decay": 0.03, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.03, "initial_accumulator_value": 0.2, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"centered": True, "momentum": 0.8, "weight_decay": 0.03, "maximize": True}),
    ("Adadelta", {"weight_decay": 0.03, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"t0": 8, "lambd": 0.1, "alpha": 0.6, "weight_decay": 0.03, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.02), "maximize": True}),
]
SHAPES = [(3, 5), (7,), ()]


class Simulation:
    """A compiled-program-to-be, run by the interpreter: memory by name, one `step` per call."""

    def __init__(self, optimizer: Optimizer, starts: list[np.ndarray], dtype: str = "float64") -> None:
        parameters = [sn.parameter(f"p{i}", s.shape, dtype=dtype) for i, s in enumerate(starts)]
        gradients = [sn.input(f"g{i}", s.shape, dtype=dtype) for i, s in enumerate(starts)]
        self.updates, self.hyper = optimizer.build(parameters, gradients)
        self.memory = {str(node.name): initial_value(node, 0) for node, _ in self.updates}
        self.memory |= {f"p{i}": start.astype(dtype) for i, start in enumerate(starts)}
        self.values: dict[str, float] = {}
        for name, value in self.hyper.items():
            items = {f"{name}[{i}]": v for i, v in enumerate(value)} if isinstance(value, tuple) else {name: value}
            self.values |= items

    def step(self, gradients: list[np.ndarray]) -> None:
        given: Mapping[str, Any] = {f"g{i}": g for i, g in enumerate(gradients)}
        new = sn.evaluate([value for _, value in self.updates], {**self.memory, **self.values, **given})
        for (node, _), value in zip(self.updates, new, strict=True):
            assert value.shape == node.shape
            assert value.dtype == node.dtype
            self.memory[str(node.name)] = value


@pytest.fixture
def torch() -> Iterator[Any]:
    """PyTorch, which keeps the scalars of an optimizer (NAdam's product, ASGD's η) in its default data type."""
    module = pytest.importorskip("torch")
    usual = module.get_default_dtype()
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(usual)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_twenty_steps_are_pytorchs(name: str, settings: dict[str, Any], rng: np.random.Generator, torch: Any) -> None:
    starts = [rng.normal(size=shape) for shape in SHAPES]
    simulation = Simulation(getattr(sn.optim, name)(**settings), starts)
    theirs = [torch.tensor(start, requires_grad=True) for start in starts]
    optimizer = getattr(torch.optim, name)(theirs, **settings)
    for _ in range(20):
        gradients = [np.asarray(rng.normal(size=shape)) for shape in SHAPES]
        simulation.step(gradients)
        for tensor, gradient in zip(theirs, gradients, strict=True):
            tensor.grad = torch.from_numpy(gradient)
        optimizer.step()
        for i, tensor in enumerate(theirs):
            np.testing.assert_allclose(simulation.memory[f"p{i}"], tensor.detach().numpy(), rtol=1e-12, atol=1e-12)


SWITCHES = {"foreach", "fused", "capturable", "differentiable"}
"""How torch executes an update; there is nothing to switch here, so these arguments do not exist."""


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_arguments_and_defaults_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours = inspect.signature(getattr(sn.optim, name)).parameters
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    assert set(ours) == set(theirs) - SWITCHES
    for argument, parameter in ours.items():
        assert argument == "params" or parameter.default == theirs[argument].default, argument
    positions = [argument for argument, p in ours.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positions == list(theirs)[: len(positions)]


def test_a_float32_update_computes_arrays_in_float32_and_numbers_in_float64(rng: np.random.Generator) -> None:
    start = rng.normal(size=(4,)).astype(np.float32)
    simulation = Simulation(sn.optim.AdamW(lr=0.01), [start], dtype="float32")
    value = next(value for node, value in simulation.updates if node.name == "p0")
    for node in postorder([value]):
        if node.op != "cast" and node.shape == (4,):
            assert node.dtype == "float32", f"{node.op} of an array is computed in {node.dtype}"
    powers = [node for node in postorder([value]) if node.op == "power"]
    assert powers
    assert all(node.dtype == "float64" for node in powers)

    exact = Simulation(sn.optim.AdamW(lr=0.01), [start.astype(np.float64)])
    for _ in range(50):
        gradient = rng.normal(size=4).astype(np.float32)
        simulation.step([gradient])
        exact.step([gradient.astype(np.float64)])
    np.testing.assert_allclose(simulation.memory["p0"], exact.memory["p0"], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES} | {"Lion"}))
def test_arrays_are_float32_in_every_float32_update(name: str) -> None:
    p, g = sn.parameter("p", (4,)), sn.input("g", (4,))
    updates, _ = getattr(sn.optim, name)().build([p], [g])
    for node in postorder([value for _, value in updates]):
        assert node.shape != (4,) or node.dtype in ("float32", "bool"), f"{node.op} of an array in {node.dtype}"


def test_a_scalar_float32_parameter_is_an_array_too() -> None:
    simulation = Simulation(sn.optim.Adam(lr=0.5), [np.float32(1.0)], dtype="float32")
    simulation.step([np.float32(3.0)])
    assert simulation.memory["p0"] == pytest.approx(0.5, rel=1e-6)


class Momentum(Optimizer):
    """As the documentation shows it: nothing but `update`."""

    def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
        s.v = self.mu * s.v + g
        return p - self.lr * s.v


def test_an_optimizer_of_ones_own_needs_only_update(rng: np.random.Generator) -> None:
    start = rng.normal(size=(3, 2))
    own, known = (Simulation(o, [start]) for o in (Momentum(lr=0.1, mu=0.9), sn.optim.SGD(lr=0.1, momentum=0.9)))
    assert own.hyper == {"lr": 0.1, "mu": 0.9}
    for _ in range(5):
        gradient = rng.normal(size=(3, 2))
        own.step([gradient])
        known.step([gradient])
    assert np.array_equal(own.memory["p0"], known.memory["p0"])


def test_state_can_be_declared_with_another_start_shape_and_type() -> None:
    class Own(Optimizer):
        def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
            s.declare("scale", init=sn.init.constant(2.0))
            s.declare("count", shape=(), dtype="int64")
            s.count = s.count + 1
            s.scale = s.scale * 0.5
            return p - self.lr * s.scale * s.count * sn.sign(g)

    simulation = Simulation(Own(lr=1.0), [np.zeros(2, np.float32)], dtype="float32")
    simulation.step([np.ones(2, np.float32)])
    assert simulation.memory["p0"].tolist() == [-1.0, -1.0]
    simulation.step([np.ones(2, np.float32)])
    assert simulation.memory["p0"].tolist() == [-2.0, -2.0]
    assert simulation.memory["p0.count"] == 2


def test_state_declared_as_float64_is_kept_and_computed_in_float64() -> None:
    class Own(Optimizer):
        def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
            s.declare("exact", dtype="float64")
            s.exact = s.exact + 1e-9 * sn.cast(g, "float64")
            return p - self.lr * s.exact

    simulation = Simulation(Own(lr=1.0), [np.ones(2, np.float32)], dtype="float32")
    for _ in range(3):
        simulation.step([np.ones(2, np.float32)])
    assert simulation.memory["p0.exact"].tolist() == pytest.approx([3e-9, 3e-9], rel=1e-12)
    assert simulation.memory["p0"].dtype == np.float32


def test_old_and_new_state_and_the_step_number() -> None:
    class Own(Optimizer):
        def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
            before = s.v
            s.v = g
            s.v = s.v + t
            return p + before

    simulation = Simulation(Own(), [np.zeros(1)])
    assert simulation.hyper == {}
    for _ in range(3):
        simulation.step([np.full(1, 10.0)])
    assert simulation.memory["p0"].tolist() == [0.0 + 11.0 + 12.0]
    assert simulation.memory["step"] == 3


def test_hyperparameters_are_those_in_the_formula() -> None:
    p, g = sn.parameter("p", (2,)), sn.input("g", (2,))
    assert sn.optim.SGD(lr=0.1).build([p], [g])[1] == {"lr": 0.1, "weight_decay": 0.0}
    hyper = sn.optim.SGD(lr=0.1, momentum=0.9).build([p], [g])[1]
    assert hyper == {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0}
    hyper = sn.optim.Adam().build([p], [g])[1]
    assert list(hyper.items()) == [("lr", 1e-3), ("betas", (0.9, 0.999)), ("eps", 1e-8), ("weight_decay", 0.0)]


def test_a_hyperparameter_may_be_an_expression_that_can_be_differentiated() -> None:
    rate = sn.input("rate", (), dtype="float64")
    p, g = sn.parameter("p", (2,), dtype="float64"), sn.input("g", (2,), dtype="float64")
    updates, hyper = sn.optim.SGD(lr=rate).build([p], [g])
    assert hyper == {"weight_decay": 0.0}
    new = {str(node.name): value for node, value in updates}["p"]
    values = {"p": np.ones(2), "g": np.array([3.0, 4.0]), "weight_decay": 0.5}
    assert sn.evaluate(sn.grad(sn.sum(new), rate), values) == -8.0


def test_parameters_of_equal_name_keep_state_of_their_own() -> None:
    parameters = [sn.nn.Linear(2, 2, bias=False).weight for _ in range(2)]
    updates, _ = sn.optim.SGD(momentum=0.9).build(parameters, [sn.input(f"g{i}", (2, 2)) for i in range(2)])
    assert len({node for node, _ in updates}) == len(updates) == 5


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: sn.optim.SGD(lr=-1.0), UsageError, "lr is -1.0, expected at least 0"),
        (lambda: sn.optim.SGD(lr=float("nan")), UsageError, "lr is nan"),
        (lambda: sn.optim.SGD(momentum=-0.1), UsageError, "momentum"),
        (lambda: sn.optim.SGD(nesterov=True), UsageError, "nesterov needs a momentum"),
        (lambda: sn.optim.SGD(nesterov=True, momentum=0.9, dampening=0.1), UsageError, "no dampening"),
        (lambda: sn.optim.Adam(betas=(0.9, 1.0)), UsageError, r"betas is 1.0, expected a number in \[0, 1\)"),
        (lambda: sn.optim.Adam(betas=0.9), UsageError, "expected two numbers"),
        (lambda: sn.optim.AdamW(eps=-1e-8), UsageError, "eps"),
        (lambda: Momentum(lr=object()), DTypeError, "expected a number"),
        (lambda: Momentum(lr=sn.input("x", (3,))), ShapeError, "expected a scalar"),
        (lambda: Momentum(update=3), UsageError, "cannot be the name"),
    ],
)
def test_wrong_settings_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_mistakes_in_update_are_named() -> None:
    p, g = sn.parameter("p", (2,)), sn.input("g", (2,))

    class Returns(Optimizer):
        def update(self, p: Any, g: Any, s: Any, t: Any) -> Any:
            return self.what(p, g, s)

        what: Any

    def build(what: Any) -> None:
        own = Returns()
        own.what = what
        own.build([p], [g])

    with pytest.raises(DTypeError, match=r"update returned NoneType"):
        build(lambda p, g, s: None)
    with pytest.raises(ShapeError, match=r"new value of 'p' has shape \[3, 2\]"):
        build(lambda p, g, s: p + sn.constant(np.zeros((3, 2), np.float32)))
    with pytest.raises(ShapeError, match=r"state 'v' of 'p' has shape \[2\], its new value \[3, 2\]"):
        build(lambda p, g, s: setattr(s, "v", np.zeros((3, 2), np.float32)))
    with pytest.raises(UnknownName, match="'rho', which has no value"):
        build(lambda p, g, s: p - sn.hyper("rho") * g)
    with pytest.raises(AttributeError, match=r"no hyperparameter 'mu': give it to the constructor, Momentum\(mu="):
        Momentum(lr=0.1).build([p], [g])
    with pytest.raises(Unsupported, match="no update"):
        Optimizer(lr=1.0).build([p], [g])
    with pytest.raises(ShapeError, match="gradient of 'p'"):
        sn.optim.SGD().build([p], [sn.input("g", (3,))])


def test_repr_shows_the_settings() -> None:
    assert repr(sn.optim.SGD(lr=0.1, nesterov=True, momentum=0.5)) == (
        "SGD(lr=0.1, momentum=0.5, dampening=0.0, weight_decay=0.0, nesterov=True, maximize=False)"
    )
