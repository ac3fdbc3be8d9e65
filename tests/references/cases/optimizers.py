"""Optimizers beside torch.optim: every argument, alone and with those that it meets in the formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tests.references.trajectories import Run


class PaperLion:
    """Algorithm 2 of arXiv 2302.06675, in NumPy, with the face of a PyTorch optimizer (which PyTorch does not have)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        self.params, self.maximize = list(params), maximize
        self.param_groups: list[dict[str, Any]] = [{"lr": lr, "betas": betas, "weight_decay": weight_decay}]
        self.moments = [np.zeros(tuple(p.shape)) for p in self.params]

    def zero_grad(self) -> None:
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        import torch

        group = self.param_groups[0]
        beta1, beta2 = group["betas"]
        for i, p in enumerate(self.params):
            theta, g = p.detach().numpy(), p.grad.numpy() * (-1.0 if self.maximize else 1.0)
            c = beta1 * self.moments[i] + (1 - beta1) * g
            theta = theta - group["lr"] * (np.sign(c) + group["weight_decay"] * theta)
            self.moments[i] = beta2 * self.moments[i] + (1 - beta2) * g
            with torch.no_grad():
                p.copy_(torch.tensor(theta))


def one(name: str, changes: Mapping[int, Mapping[str, Any]] | None = None, **settings: Any) -> Run:
    """An optimizer with these settings."""

    def make(optim: Any, parameters: dict[str, Any]) -> Any:
        known: Callable[..., Any] = PaperLion if name == "Lion" and "torch" in optim.__name__ else getattr(optim, name)
        return known(list(parameters.values()), **settings)

    usual = {7: {"lr": 0.03}, 13: {"lr": 0.002}}
    changed = {step: {**usual[step], **(changes or {}).get(step, {})} for step in usual}
    return Run(make, changed, size=-1.0 if settings.get("maximize") else 1.0)


def ax(optimizer: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: optimizer.state[p]["ax"] for name, p in parameters.items()}


def averaged(run: Run) -> Run:
    return replace(run, averages=True, peer_averages=ax)


Changes = Mapping[int, Mapping[str, Any]]

HALF: Changes = {13: {"weight_decay": 0.2}}
BETAS_OF_LION: Changes = {7: {"betas": (0.5, 0.8)}, **HALF}
BETAS: Changes = {7: {"betas": (0.7, 0.9)}, 13: {"eps": 1e-2}}

RUNS: dict[str, Run] = {
    "SGD()": one("SGD"),
    "SGD(lr, maximize)": one("SGD", lr=0.01, maximize=True),
    "SGD(weight_decay)": one("SGD", HALF, lr=0.05, weight_decay=0.03),
    "SGD(momentum)": one("SGD", {7: {"momentum": 0.5}}, lr=0.02, momentum=0.9),
    "SGD(momentum, weight_decay, maximize)": one("SGD", HALF, lr=0.01, momentum=0.9, weight_decay=0.03, maximize=True),
    "SGD(momentum, dampening)": one("SGD", {13: {"dampening": 0.6}}, lr=0.05, momentum=0.8, dampening=0.3),
    "SGD(momentum, dampening, weight_decay)": one("SGD", lr=0.05, momentum=0.8, dampening=1.0, weight_decay=0.1),
    "SGD(nesterov)": one("SGD", {7: {"momentum": 0.4}}, lr=0.02, momentum=0.8, nesterov=True),
    "SGD(nesterov, weight_decay)": one("SGD", HALF, lr=0.02, momentum=0.8, nesterov=True, weight_decay=0.01),
    "SGD(nesterov, maximize)": one("SGD", lr=0.001, momentum=0.8, nesterov=True, maximize=True),
    "SGD(dampening without momentum)": one("SGD", lr=0.05, dampening=0.3),
    "Adam()": one("Adam"),
    "Adam(betas, eps)": one("Adam", BETAS, lr=0.1, betas=(0.8, 0.95), eps=1e-3),
    "Adam(eps=0)": one("Adam", lr=0.1, eps=0.0),
    "Adam(betas of 0)": one("Adam", lr=0.1, betas=(0.0, 0.0)),
    "Adam(weight_decay)": one("Adam", HALF, lr=0.1, weight_decay=0.03),
    "Adam(amsgrad)": one("Adam", BETAS, lr=0.1, betas=(0.8, 0.5), amsgrad=True),
    "Adam(amsgrad, weight_decay, maximize)": one("Adam", HALF, lr=0.1, amsgrad=True, weight_decay=0.02, maximize=True),
    "Adam(maximize)": one("Adam", lr=0.1, maximize=True),
    "Adam(decoupled_weight_decay)": one("Adam", HALF, lr=0.1, weight_decay=0.3, decoupled_weight_decay=True),
    "Adam(decoupled_weight_decay, amsgrad, maximize)": one(
        "Adam", lr=0.1, weight_decay=0.3, decoupled_weight_decay=True, amsgrad=True, maximize=True
    ),
    "AdamW()": one("AdamW"),
    "AdamW(betas, eps, weight_decay)": one("AdamW", BETAS, lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3),
    "AdamW(amsgrad, maximize)": one("AdamW", HALF, lr=0.1, amsgrad=True, maximize=True),
    "AdamW(weight_decay=0)": one("AdamW", HALF, lr=0.1, weight_decay=0.0),
    "NAdam()": one("NAdam"),
    "NAdam(betas, eps, momentum_decay)": one(
        "NAdam",
        {7: {"betas": (0.6, 0.9)}, 13: {"momentum_decay": 0.5}},
        betas=(0.8, 0.95),
        eps=1e-3,
        momentum_decay=0.1,
    ),
    "NAdam(weight_decay)": one("NAdam", HALF, lr=0.05, weight_decay=0.03),
    "NAdam(decoupled_weight_decay, maximize)": one(
        "NAdam", HALF, lr=0.05, weight_decay=0.3, decoupled_weight_decay=True, maximize=True
    ),
    "RAdam()": one("RAdam"),
    "RAdam(betas, eps)": one("RAdam", {13: {"eps": 1e-2}}, lr=0.05, betas=(0.8, 0.95), eps=1e-3),
    "RAdam(few gradients)": one("RAdam", lr=0.05, betas=(0.5, 0.6)),
    "RAdam(weight_decay)": one("RAdam", HALF, lr=0.05, weight_decay=0.03),
    "RAdam(decoupled_weight_decay, maximize)": one(
        "RAdam", HALF, lr=0.05, weight_decay=0.3, decoupled_weight_decay=True, maximize=True
    ),
    "Adamax()": one("Adamax"),
    "Adamax(betas, eps)": one("Adamax", BETAS, lr=0.05, betas=(0.8, 0.95), eps=1e-3),
    "Adamax(weight_decay, maximize)": one("Adamax", HALF, lr=0.05, weight_decay=0.03, maximize=True),
    "Adagrad()": one("Adagrad"),
    "Adagrad(lr_decay, eps)": one("Adagrad", {13: {"lr_decay": 0.5}}, lr=0.1, lr_decay=0.1, eps=1e-2),
    "Adagrad(initial_accumulator_value)": one("Adagrad", lr=0.1, initial_accumulator_value=0.2),
    "Adagrad(weight_decay, maximize)": one("Adagrad", HALF, lr=0.1, weight_decay=0.03, maximize=True),
    "RMSprop()": one("RMSprop"),
    "RMSprop(alpha, eps)": one("RMSprop", {7: {"alpha": 0.5}, 13: {"eps": 0.1}}, lr=0.05, alpha=0.9, eps=1e-2),
    "RMSprop(momentum)": one("RMSprop", {7: {"momentum": 0.4}}, lr=0.02, momentum=0.8),
    "RMSprop(centered)": one("RMSprop", lr=0.02, centered=True, eps=1e-3),
    "RMSprop(centered, momentum, weight_decay)": one(
        "RMSprop", HALF, lr=0.02, alpha=0.8, centered=True, momentum=0.5, weight_decay=0.03
    ),
    "RMSprop(weight_decay, maximize)": one("RMSprop", HALF, lr=0.02, weight_decay=0.03, maximize=True),
    "Adadelta()": one("Adadelta"),
    "Adadelta(rho, eps)": one("Adadelta", {7: {"rho": 0.5}, 13: {"eps": 1e-2}}, lr=0.7, rho=0.8, eps=1e-3),
    "Adadelta(rho of 0 and 1)": one("Adadelta", {7: {"rho": 1.0}}, rho=0.0),
    "Adadelta(weight_decay, maximize)": one("Adadelta", HALF, lr=0.7, weight_decay=0.03, maximize=True),
    "ASGD()": averaged(one("ASGD")),
    "ASGD(lambd, alpha, t0)": averaged(
        one("ASGD", {13: {"lambd": 0.2, "alpha": 0.9}}, lr=0.05, lambd=0.1, alpha=0.6, t0=8)
    ),
    "ASGD(weight_decay, maximize)": averaged(one("ASGD", HALF, lr=0.01, t0=0, weight_decay=0.03, maximize=True)),
    "Rprop()": one("Rprop"),
    "Rprop(etas)": one("Rprop", {7: {"etas": (0.8, 1.1)}}, lr=0.05, etas=(0.3, 1.5)),
    "Rprop(step_sizes)": one("Rprop", {13: {"step_sizes": (1e-4, 0.1)}}, step_sizes=(1e-3, 0.02)),
    "Rprop(maximize)": one("Rprop", lr=0.05, maximize=True),
    "Lion()": one("Lion"),
    "Lion(betas, weight_decay)": one(
        "Lion", {7: {"betas": (0.5, 0.8)}, **HALF}, lr=0.05, betas=(0.8, 0.95), weight_decay=0.3
    ),
    "Lion(maximize)": one("Lion", lr=0.05, maximize=True),
}

CASES = [run.case(name) for name, run in RUNS.items()]
