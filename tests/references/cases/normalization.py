"""Normalisation: every argument, weights given and not, buffers after two steps, both meanings, edge cases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import symnet as sn
from symnet.ops.meaning import collect_updates
from tests.references.case import Arrays, Case, native_results, symbols, tensors, torch_results

F = sn.nn.functional

# --- functions -------------------------------------------------------------------------------------------------------


def _shown(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in settings.items())


def _function(name: str, *arguments: Any, inputs: dict[str, Any], note: str = "", **settings: Any) -> Case:
    """A function of `x` and further arrays by their argument's name; shapes are drawn from, arrays taken as they are.

    Running statistics are not differentiated, as they cannot be in PyTorch.
    """

    def arrays(rng: np.random.Generator) -> Arrays:
        return {key: rng.normal(size=v) if isinstance(v, tuple) else np.array(v) for key, v in inputs.items()}

    def run(functional: Any) -> Callable[[dict[str, Any]], Any]:
        def call(given: dict[str, Any]) -> Any:
            rest = {key: value for key, value in given.items() if key != "x"}
            return getattr(functional, name)(given["x"], *arguments, **rest, **settings)

        return call

    def wrt(given: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in given.items() if not key.startswith("running")}

    def peer(values: Arrays) -> Arrays:
        import torch

        given = tensors(values)
        fixed = {key: value.detach() if key.startswith("running") else value for key, value in given.items()}
        return torch_results({"value": run(torch.nn.functional)(fixed)}, wrt(given))

    def ours(values: Arrays) -> Arrays:
        given = symbols(values)
        return native_results({"value": run(F)(given)}, wrt(given), {given[key]: values[key] for key in given})

    what = ", ".join([*map(repr, arguments), *inputs, *filter(None, [_shown(settings)])])
    return Case(f"{name}({what}){' ' if note else ''}{note}", arrays, peer, ours)


HUGE = [[1e150, -2e150, 3e150], [1e-150, 0.0, -1e-150]]
FUNCTIONS = [
    _function("layer_norm", (5,), inputs={"x": (3, 4, 5)}),
    _function("layer_norm", [4, 5], inputs={"x": (3, 4, 5), "weight": (4, 5), "bias": (4, 5)}),
    _function("layer_norm", (5,), inputs={"x": (2, 5), "weight": (5,)}, eps=0.5),
    _function("layer_norm", (5,), inputs={"x": (5,), "bias": (5,)}, note="one sample"),
    _function("layer_norm", (3,), inputs={"x": [[2.0, 2.0, 2.0], [0.0, 1.0, 0.0]]}, note="equal values"),
    _function("rms_norm", (5,), inputs={"x": (3, 4, 5)}),
    _function("rms_norm", [4, 5], inputs={"x": (3, 4, 5), "weight": (4, 5)}, eps=0.1),
    _function("rms_norm", (3,), inputs={"x": [[0.0, 0.0, 0.0], [1e-9, 2e-9, -1e-9]], "weight": (3,)}, note="at 0"),
    _function("group_norm", 2, inputs={"x": (3, 4, 5)}),
    _function("group_norm", 2, inputs={"x": (3, 6, 2, 3), "weight": (6,), "bias": (6,)}, eps=0.1),
    _function("group_norm", 4, inputs={"x": (3, 4, 5), "weight": (4,)}, note="a channel a group"),
    _function("group_norm", 1, inputs={"x": (3, 4), "weight": (4,), "bias": (4,)}, note="without space"),
    _function("instance_norm", inputs={"x": (2, 3, 4)}),
    _function("instance_norm", inputs={"x": (2, 3, 4, 2), "weight": (3,), "bias": (3,)}, eps=0.1),
    _function(
        "instance_norm",
        inputs={"x": (2, 3, 4), "running_mean": (3,), "running_var": [0.5, 2.0, 1.0], "weight": (3,)},
        use_input_stats=False,
    ),
    _function("batch_norm", None, None, inputs={"x": (4, 3)}, training=True),
    _function("batch_norm", None, None, inputs={"x": (4, 3, 2), "weight": (3,), "bias": (3,)}, training=True, eps=0.1),
    _function("batch_norm", None, None, inputs={"x": (2, 3, 2, 2, 2), "bias": (3,)}, training=True, note="space"),
    _function("batch_norm", inputs={"x": (4, 3), "running_mean": (3,), "running_var": [0.5, 2.0, 1.0]}),
    _function(
        "batch_norm",
        inputs={"x": (4, 3, 2), "running_mean": (3,), "running_var": [0.5, 2.0, 1.0], "weight": (3,), "bias": (3,)},
        eps=0.1,
        momentum=0.7,
        training=False,
    ),
    _function("local_response_norm", 3, inputs={"x": (2, 5, 4)}),
    _function("local_response_norm", 4, inputs={"x": (2, 5, 3, 2)}, alpha=0.3, beta=0.5, k=2.0),
    _function("local_response_norm", 1, inputs={"x": (2, 3, 2, 2, 2)}, alpha=0.5),
    _function("local_response_norm", 8, inputs={"x": (1, 3, 2)}, alpha=0.5, note="wider than the channels"),
    _function("normalize", inputs={"x": (3, 4)}),
    _function("normalize", inputs={"x": (3, 4, 2)}, p=1.0, dim=2),
    _function("normalize", inputs={"x": (3, 4)}, p=3.0, dim=0),
    _function("normalize", inputs={"x": (3, 4)}, p=float("inf"), dim=-1),
    _function("normalize", inputs={"x": (3, 4)}, eps=10.0, note="shorter than eps"),
    _function("normalize", inputs={"x": [[0.0, 0.0], [3.0, 4.0]]}, note="at 0"),
    _function("normalize", inputs={"x": HUGE}, p=float("inf"), note="huge"),
]

# --- layers ----------------------------------------------------------------------------------------------------------


def _layer(layer: str, *arguments: Any, shape: tuple[int, ...], note: str = "", **settings: Any) -> Case:
    """A layer called twice in training and once in evaluation: values, gradients, and what its buffers become."""

    def made() -> sn.nn.Module:
        module: sn.nn.Module = getattr(sn.nn, layer)(*arguments, **settings, dtype="float64")
        return module

    def inputs(rng: np.random.Generator) -> Arrays:
        own = {key: rng.normal(size=node.shape) for key, node in made().named_parameters()}
        for key, node in made().named_buffers():
            counts = node.dtype == "int64"
            own[key] = np.array(3) if counts else rng.uniform(0.2, 2.0, node.shape)
        return {"first": rng.normal(2.0, 1.0, shape), "second": rng.normal(-1.0, 3.0, shape), **own}

    def peer(values: Arrays) -> Arrays:
        import torch

        module = getattr(torch.nn, layer)(*arguments, **settings, dtype=torch.float64)
        module.load_state_dict({key: torch.tensor(values[key]) for key in module.state_dict()})
        # The derivative in evaluation reads the buffers when it is taken, so it needs some that training leaves alone.
        kept = {key: value.clone() for key, value in module.named_buffers()}
        evaluate = partial(torch.func.functional_call, module.eval(), kept)
        given = tensors({key: values[key] for key in ("first", "second")})
        outputs = {
            "evaluated": evaluate(given["first"]),
            "once": module.train()(given["first"]),
            "twice": module(given["second"]),
        }
        results = torch_results(outputs, {**given, **dict(module.named_parameters())})
        return {**results, **{f"new {key}": value.numpy() for key, value in module.named_buffers()}}

    def ours(values: Arrays) -> Arrays:
        module = made()
        given = symbols({key: values[key] for key in ("first", "second")})
        once, twice = module(given["first"]), module(given["second"])
        outputs = {"evaluated": sn.inference(once), "once": once, "twice": twice}
        new = dict(collect_updates([once, twice]))
        for key, node in module.named_buffers():
            outputs[f"new {key}"] = sn.stop_gradient(new.get(node, node))
        leaves = {**given, **dict(module.named_parameters())}
        everything = {**leaves, **dict(module.named_buffers())}
        return native_results(outputs, leaves, {node: values[key] for key, node in everything.items()})

    shown = ", ".join([*map(repr, arguments), *filter(None, [_shown(settings)])])
    return Case(f"{layer}({shown}) of {shape}{' ' if note else ''}{note}", inputs, peer, ours)


LAYERS = [
    _layer("BatchNorm1d", 3, shape=(4, 3)),
    _layer("BatchNorm1d", 3, shape=(4, 3, 2)),
    _layer("BatchNorm1d", 3, shape=(2, 3), note="two rows"),
    _layer("BatchNorm1d", 3, 0.01, 0.3, shape=(4, 3)),
    _layer("BatchNorm1d", 3, momentum=None, shape=(4, 3)),
    _layer("BatchNorm1d", 3, momentum=0.0, shape=(4, 3)),
    _layer("BatchNorm1d", 3, momentum=1.0, shape=(4, 3)),
    _layer("BatchNorm1d", 3, affine=False, shape=(4, 3)),
    _layer("BatchNorm1d", 3, bias=False, momentum=None, shape=(1, 3, 2), note="one row, two places"),
    _layer("BatchNorm1d", 3, track_running_stats=False, shape=(4, 3)),
    _layer("BatchNorm1d", 3, affine=False, track_running_stats=False, shape=(4, 3)),
    _layer("BatchNorm2d", 3, shape=(2, 3, 4, 2)),
    _layer("BatchNorm2d", 2, 1e-3, None, False, shape=(2, 2, 3, 1)),
    _layer("BatchNorm3d", 2, shape=(2, 2, 2, 3, 2)),
    _layer("BatchNorm3d", 2, affine=False, momentum=0.5, shape=(1, 2, 2, 1, 2)),
    _layer("InstanceNorm1d", 3, shape=(2, 3, 4)),
    _layer("InstanceNorm1d", 3, shape=(3, 4), note="one sample"),
    _layer("InstanceNorm1d", 3, affine=True, track_running_stats=True, shape=(2, 3, 4)),
    _layer("InstanceNorm1d", 3, track_running_stats=True, shape=(3, 4), note="one sample"),
    _layer("InstanceNorm2d", 3, 0.1, 0.4, True, True, shape=(2, 3, 4, 2)),
    _layer("InstanceNorm2d", 3, affine=True, bias=False, shape=(2, 3, 4, 2)),
    _layer("InstanceNorm2d", 3, momentum=None, track_running_stats=True, shape=(2, 3, 4, 2)),
    _layer("InstanceNorm3d", 2, affine=True, shape=(2, 2, 2, 3, 2)),
    _layer("InstanceNorm3d", 2, affine=True, track_running_stats=True, shape=(2, 2, 3, 2), note="one sample"),
    _layer("LayerNorm", 5, shape=(3, 4, 5)),
    _layer("LayerNorm", [4, 5], 0.1, shape=(3, 4, 5)),
    _layer("LayerNorm", 5, elementwise_affine=False, shape=(3, 5)),
    _layer("LayerNorm", (5,), bias=False, shape=(3, 5)),
    _layer("RMSNorm", 5, shape=(3, 4, 5)),
    _layer("RMSNorm", [4, 5], 0.1, shape=(3, 4, 5)),
    _layer("RMSNorm", 5, elementwise_affine=False, shape=(3, 5)),
    _layer("GroupNorm", 2, 4, shape=(3, 4, 5)),
    _layer("GroupNorm", 3, 6, 0.1, shape=(3, 6, 2, 2)),
    _layer("GroupNorm", 2, 4, affine=False, shape=(3, 4)),
    _layer("GroupNorm", 2, 4, bias=False, shape=(3, 4, 5)),
]

# --- training --------------------------------------------------------------------------------------------------------


def _net(nn: Any, dtype: Any) -> Any:
    return nn.Sequential(
        nn.Linear(6, 8, dtype=dtype),
        nn.BatchNorm1d(8, dtype=dtype),
        nn.ReLU(),
        nn.Linear(8, 5, dtype=dtype),
        nn.LayerNorm(5, dtype=dtype),
        nn.BatchNorm1d(5, momentum=None, dtype=dtype),
    )


def _twenty_steps() -> Case:
    """A small net trained by both: the losses, all parameters and buffers in the end, and what it then predicts."""

    def inputs(rng: np.random.Generator) -> Arrays:
        drift = np.arange(20.0)[:, None, None]
        named = _net(sn.nn, "float64").named_parameters()
        values = {key: rng.normal(0.0, 0.5, node.shape) for key, node in named}
        return {"x": rng.normal(size=(20, 16, 6)) + drift, "y": rng.normal(size=(20, 16, 5)), **values}

    def peer(values: Arrays) -> Arrays:
        import torch

        net = _net(torch.nn, torch.float64)
        net.load_state_dict({k: torch.tensor(v) for k, v in values.items() if k not in "xy"}, strict=False)
        optimizer, losses = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), []
        for x, y in zip(torch.tensor(values["x"]), torch.tensor(values["y"]), strict=True):
            optimizer.zero_grad()
            loss = ((net(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        kept = {key: value.numpy() for key, value in net.state_dict().items()}
        return {"losses": np.array(losses), "out": net.eval()(x).detach().numpy(), **kept}

    def ours(values: Arrays) -> Arrays:
        net = _net(sn.nn, "float64")
        x, y = sn.input("x", ("N", 6), "float64"), sn.input("y", ("N", 5), "float64")
        out = net(x)
        loss = sn.mean(sn.square(out - y))
        prog = sn.compile(
            loss=loss, optimizer=sn.optim.SGD(lr=0.1, momentum=0.9), outputs={"out": out}, batch={"N": 16}
        )
        prog.load_parameters({key: value for key, value in values.items() if key not in "xy"})
        losses = [prog.step(x=a, y=b)["loss"] for a, b in zip(values["x"], values["y"], strict=True)]
        kept = {key: value for key, value in {**prog.parameters, **prog.buffers}.items() if key[0].isdigit()}
        names = dict([*net.named_parameters(), *net.named_buffers()])
        result = {key: kept[key] for key in names}
        return {"losses": np.array(losses), "out": prog.predict("out", x=values["x"][-1]), **result}

    return Case("20 steps of a net with batch and layer norm", inputs, peer, ours)


CASES = [*FUNCTIONS, *LAYERS, _twenty_steps()]
