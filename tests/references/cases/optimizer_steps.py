"""Parameter groups, clipping, accumulation and averages beside what a PyTorch user writes for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import symnet as sn
from tests.references.trajectories import Run

PeerStep = Callable[[Any, Any, int], bool]


def clipped_norm(max_norm: float, norm_type: float = 2.0, later: float | None = None) -> PeerStep:
    def step(optimizer: Any, parameters: Any, number: int) -> bool:
        import torch

        torch.nn.utils.clip_grad_norm_(parameters, later if later and number >= 7 else max_norm, norm_type)
        optimizer.step()
        return True

    return step


def clipped_value(clip_value: float) -> PeerStep:
    def step(optimizer: Any, parameters: Any, number: int) -> bool:
        import torch

        torch.nn.utils.clip_grad_value_(parameters, clip_value)
        optimizer.step()
        return True

    return step


def accumulated(steps: int, mean: bool = True, max_norm: float | None = None) -> PeerStep:
    def step(optimizer: Any, parameters: Any, number: int) -> bool:
        import torch

        if (number + 1) % steps:
            return False
        for p in parameters if mean else ():
            p.grad /= steps
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        optimizer.step()
        return True

    return step


class Averages:
    """torch.optim.swa_utils.AveragedModel, updated after the steps that are due."""

    def __init__(self, decay: float | None, start: int = 0, every: int = 1) -> None:
        self.decay, self.start, self.every = decay, start, every
        self.models: dict[int, Any] = {}

    def step(self, optimizer: Any, parameters: Any, number: int) -> bool:
        import torch
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        if number == 0:
            model = torch.nn.Module()
            for i, p in enumerate(parameters):
                model.register_parameter(str(i), torch.nn.Parameter(p.detach().clone()))
            how = {} if self.decay is None else {"multi_avg_fn": get_ema_multi_avg_fn(self.decay)}
            self.models = {0: model, 1: AveragedModel(model, **how)}
        optimizer.step()
        if number + 1 > self.start and (number + 1 - self.start) % self.every == 0:
            with torch.no_grad():
                for own, p in zip(self.models[0].parameters(), parameters, strict=True):
                    own.copy_(p)
            self.models[1].update_parameters(self.models[0])
        return True

    def found(self, optimizer: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        return dict(zip(parameters, self.models[1].module.parameters(), strict=True))


def average(decay: float | None, **when: int) -> Run:
    peer = Averages(decay, **when)
    return Run(
        sgd,
        around=lambda optimizer: sn.optim.Averaged(optimizer, decay, **when),
        peer_step=peer.step,
        averages=True,
        peer_averages=peer.found,
    )


def sgd(optim: Any, p: dict[str, Any]) -> Any:
    return optim.SGD(p.values(), lr=0.02, momentum=0.9)


def adam(optim: Any, p: dict[str, Any]) -> Any:
    return optim.Adam(p.values(), lr=0.1)


def two_rates(optim: Any, p: dict[str, Any]) -> Any:
    return optim.Adam([{"params": [p["weight"]]}, {"params": [p["bias"], p["scale"]], "lr": 0.3}], lr=0.01)


def decay_of_weights(optim: Any, p: dict[str, Any]) -> Any:
    return optim.AdamW(
        [{"params": p["weight"], "weight_decay": 0.5}, {"params": [p["scale"], p["bias"]], "weight_decay": 0.0}], lr=0.1
    )


def other_formulas(optim: Any, p: dict[str, Any]) -> Any:
    groups = [
        {"params": [p["weight"]], "momentum": 0.9, "nesterov": True},
        {"params": [p["bias"]], "momentum": 0.5, "dampening": 0.1, "maximize": True},
        {"params": [p["scale"]]},
    ]
    return optim.SGD(groups, lr=0.02)


def betas_of_a_group(optim: Any, p: dict[str, Any]) -> Any:
    groups = [
        {"params": [p["weight"]], "betas": (0.5, 0.9), "eps": 1e-3},
        {"params": [p["bias"], p["scale"]], "amsgrad": True},
    ]
    return optim.Adam(groups, lr=0.1)


RUNS: dict[str, Run] = {
    "some parameters": Run(lambda optim, p: optim.Adam([p["bias"], p["scale"]], lr=0.1)),
    "named parameters": Run(lambda optim, p: optim.Adam(list(p.items())[::-1], lr=0.1)),
    "groups: lr": Run(two_rates),
    "groups: lr of one changes": Run(two_rates, {7: {"1.lr": 0.05}, 13: {"1.lr": 0.001}}),
    "groups: weight_decay": Run(decay_of_weights, {7: {"lr": 0.03}, 13: {"0.weight_decay": 0.1}}),
    "groups: other formulas": Run(other_formulas, {7: {"lr": 0.01}, 13: {"1.momentum": 0.3}}, size=0.02),
    "groups: betas, amsgrad": Run(betas_of_a_group),
    "clip_grad_norm_(2)": Run(
        adam, size=3.0, around=lambda o: sn.optim.ClipGradNorm(o, 1.5), peer_step=clipped_norm(1.5)
    ),
    "clip_grad_norm_, max_norm changes": Run(
        sgd,
        {7: {"max_norm": 40.0}},
        around=lambda o: sn.optim.ClipGradNorm(o, 1.5),
        peer_step=clipped_norm(1.5, later=40.0),
    ),
    "clip_grad_norm_, small gradients": Run(
        sgd, size=1e-4, around=lambda o: sn.optim.ClipGradNorm(o, 1.5), peer_step=clipped_norm(1.5)
    ),
    "clip_grad_norm_, gradients of 0": Run(
        sgd, size=0.0, around=lambda o: sn.optim.ClipGradNorm(o, 1.5), peer_step=clipped_norm(1.5)
    ),
    "clip_grad_norm_, max_norm 0": Run(
        adam, around=lambda o: sn.optim.ClipGradNorm(o, 0.0), peer_step=clipped_norm(0.0)
    ),
    "clip_grad_norm_(1)": Run(sgd, around=lambda o: sn.optim.ClipGradNorm(o, 9.0, 1), peer_step=clipped_norm(9.0, 1.0)),
    "clip_grad_norm_(3.5)": Run(
        sgd, around=lambda o: sn.optim.ClipGradNorm(o, 1.5, 3.5), peer_step=clipped_norm(1.5, 3.5)
    ),
    "clip_grad_norm_(inf)": Run(
        sgd, around=lambda o: sn.optim.ClipGradNorm(o, 1.5, "inf"), peer_step=clipped_norm(1.5, float("inf"))
    ),
    "clip_grad_norm_, groups": Run(
        two_rates, size=3.0, around=lambda o: sn.optim.ClipGradNorm(o, 1.5), peer_step=clipped_norm(1.5)
    ),
    "clip_grad_value_": Run(sgd, around=lambda o: sn.optim.ClipGradValue(o, 0.4), peer_step=clipped_value(0.4)),
    "accumulation, 4 steps": Run(adam, around=lambda o: sn.optim.Accumulate(o, 4), peer_step=accumulated(4)),
    "accumulation, 3 steps, sum": Run(
        sgd, around=lambda o: sn.optim.Accumulate(o, 3, mean=False), peer_step=accumulated(3, mean=False)
    ),
    "accumulation, 1 step": Run(adam, around=lambda o: sn.optim.Accumulate(o, 1), peer_step=accumulated(1)),
    "accumulation, clipped": Run(
        adam,
        around=lambda o: sn.optim.Accumulate(sn.optim.ClipGradNorm(o, 1.5), 4),
        peer_step=accumulated(4, max_norm=1.5),
    ),
    "accumulation, NAdam": Run(
        lambda optim, p: optim.NAdam(p.values(), lr=0.05),
        around=lambda o: sn.optim.Accumulate(o, 3),
        peer_step=accumulated(3),
    ),
    "accumulation, Adagrad": Run(
        lambda optim, p: optim.Adagrad(p.values(), lr=0.05),
        around=lambda o: sn.optim.Accumulate(o, 3),
        peer_step=accumulated(3),
    ),
    "average of all": average(None),
    "average, start, every": average(None, start=5, every=4),
    "exponential average": average(0.9),
    "exponential average, start, every": average(0.6, start=3, every=2),
}

CASES = [run.case(name) for name, run in RUNS.items()]
