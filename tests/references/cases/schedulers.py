"""Learning rate schedulers beside torch.optim.lr_scheduler: what they set over long runs, with changes made by hand.

A scheduler only reads and sets hyperparameters, so ours runs on a program that has nothing else.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from symnet.optim import lr_scheduler
from tests.references.case import Arrays, Case

Make = Callable[[Any, Any], Any]
"""(the schedulers by name, optimizer or program) -> a scheduler."""


class Settings:
    """A program as a scheduler sees it."""

    def __init__(self, **hyper: Any) -> None:
        self.hyper: dict[str, Any] = hyper


@dataclass(frozen=True)
class Run:
    """One run: an optimizer with a scheduler that makes so many steps.

    lrs     the learning rates of the parameter groups
    by_hand step -> the factor by which all learning rates are multiplied there, outside the scheduler
    call    (scheduler, number of the step, figure) makes a step; the figures are the case's input
    """

    make: Make
    steps: int = 120
    optimizer: str = "SGD"
    lrs: tuple[float, ...] = (0.3, 0.02)
    by_hand: Mapping[int, float] = field(default_factory=lambda: {17: 0.5, 58: 3.0})
    call: Callable[[Any, int, float], None] = lambda scheduler, step, figure: scheduler.step()

    def settings(self) -> Settings:
        momentum = {"SGD": {"momentum": 0.7}, "Adam": {"betas": (0.8, 0.99)}}[self.optimizer]
        rates = {"lr": self.lrs[0]} | {f"{i}.lr": lr for i, lr in enumerate(self.lrs) if i}
        return Settings(**rates, **momentum)

    def ours(self, arrays: Arrays) -> Arrays:
        program = self.settings()
        scheduler = self.make(lr_scheduler, program)
        return self.go(scheduler, program, arrays["figures"])

    def go(self, scheduler: Any, program: Settings, figures: np.ndarray, first: int = 0) -> Arrays:
        """The learning rates and momenta from step `first` on."""
        names = [name for name in program.hyper if name.endswith("lr")]
        rates, momenta = [], []
        for step in range(first, len(figures)):
            rates.append([program.hyper[name] for name in names])
            momenta.append(program.hyper["momentum"] if "momentum" in program.hyper else program.hyper["betas"][0])
            for name in names:
                program.hyper[name] *= self.by_hand.get(step, 1.0)
            self.call(scheduler, step, float(figures[step]))
        return {"lr": np.array(rates), "momentum": np.array(momenta), "last lr": np.array(scheduler.get_last_lr())}

    def peer(self, arrays: Arrays) -> Arrays:
        with warnings.catch_warnings(action="ignore"):  # about step(epoch), and steps before the optimizer's
            return self._peer(arrays)

    def _peer(self, arrays: Arrays) -> Arrays:
        import torch

        schedulers = SimpleNamespace(**vars(torch.optim.lr_scheduler), SWALR=torch.optim.swa_utils.SWALR)
        groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in self.lrs]
        options = {"SGD": {"momentum": 0.7}, "Adam": {"betas": (0.8, 0.99)}}[self.optimizer]
        optimizer = getattr(torch.optim, self.optimizer)(groups, lr=0.1, **options)
        scheduler = self.make(schedulers, optimizer)
        rates, momenta = [], []
        for step, figure in enumerate(arrays["figures"]):
            rates.append([group["lr"] for group in optimizer.param_groups])
            group = optimizer.param_groups[0]
            momenta.append(group["momentum"] if "momentum" in group else group["betas"][0])
            for group in optimizer.param_groups:
                group["lr"] *= self.by_hand.get(step, 1.0)
            optimizer.step()
            self.call(scheduler, step, float(figure))
        return {"lr": np.array(rates), "momentum": np.array(momenta), "last lr": np.array(scheduler.get_last_lr())}


def _plateau(scheduler: Any, step: int, figure: float) -> None:
    scheduler.step(figure)


def _resumed_at_epoch(scheduler: Any, step: int, figure: float) -> None:
    """By fractions of an epoch, with jumps back and far ahead, then on by whole steps."""
    if step < 90:
        scheduler.step({40: 3.25, 41: 200.0, 42: 12.0}.get(step, step / 4))
    else:
        scheduler.step()


def _second(s: Any, o: Any) -> Any:
    """A scheduler that goes on where another is, by last_epoch."""
    first = s.ExponentialLR(o, 0.97)
    for _ in range(6):
        first.step()
    return s.CosineAnnealingLR(o, T_max=30, eta_min=0.001, last_epoch=5)


RUNS: dict[str, Run] = {
    "LambdaLR(function)": Run(lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch)),
    "LambdaLR(warm-up, then cosine)": Run(
        lambda s, o: s.LambdaLR(
            o, lambda t: (t + 1) / 10 if t < 10 else 0.5 * (1 + math.cos(math.pi * (t - 10) / 110))
        )
    ),
    "LambdaLR(a function for each group)": Run(
        lambda s, o: s.LambdaLR(o, [lambda epoch: 1.0 / (1 + epoch // 30), lambda epoch: 0.99**epoch])
    ),
    "MultiplicativeLR(function)": Run(lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.95)),
    "MultiplicativeLR(a function for each group)": Run(
        lambda s, o: s.MultiplicativeLR(o, lr_lambda=[lambda epoch: 1 - 1 / (epoch + 5), lambda epoch: 0.97])
    ),
    "StepLR(step_size=30)": Run(lambda s, o: s.StepLR(o, step_size=30)),
    "StepLR(7, gamma=0.6)": Run(lambda s, o: s.StepLR(o, 7, 0.6)),
    "StepLR, jumps": Run(lambda s, o: s.StepLR(o, 4, 0.8), call=lambda c, t, f: c.step(None if t % 9 else t // 2)),
    "MultiStepLR([30, 80])": Run(lambda s, o: s.MultiStepLR(o, milestones=[30, 80])),
    "MultiStepLR([4, 4, 11], gamma=0.7)": Run(lambda s, o: s.MultiStepLR(o, [4, 4, 11], gamma=0.7)),
    "MultiStepLR, jumps": Run(
        lambda s, o: s.MultiStepLR(o, [5, 5, 9, 40], 0.5), call=lambda c, t, f: c.step(None if t % 6 else t // 2)
    ),
    "ConstantLR()": Run(lambda s, o: s.ConstantLR(o)),
    "ConstantLR(factor=0.25, total_iters=40)": Run(lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=40)),
    "ConstantLR, jumps": Run(
        lambda s, o: s.ConstantLR(o, 0.4, 7), call=lambda c, t, f: c.step(None if t % 5 else t // 3)
    ),
    "LinearLR()": Run(lambda s, o: s.LinearLR(o)),
    "LinearLR(0.05, 0.8, total_iters=70)": Run(lambda s, o: s.LinearLR(o, 0.05, 0.8, total_iters=70)),
    "LinearLR(1.0, end_factor=0.0)": Run(lambda s, o: s.LinearLR(o, 1.0, end_factor=0.0, total_iters=60)),
    "LinearLR, jumps": Run(
        lambda s, o: s.LinearLR(o, 0.5, 0.9, 8), call=lambda c, t, f: c.step(None if t % 5 else t // 6)
    ),
    "ExponentialLR(gamma=0.95)": Run(lambda s, o: s.ExponentialLR(o, gamma=0.95), steps=400),
    "ExponentialLR, jumps": Run(
        lambda s, o: s.ExponentialLR(o, 0.9), call=lambda c, t, f: c.step(None if t % 5 else t // 3)
    ),
    "PolynomialLR()": Run(lambda s, o: s.PolynomialLR(o)),
    "PolynomialLR(total_iters=100, power=0.9)": Run(lambda s, o: s.PolynomialLR(o, total_iters=100, power=0.9)),
    "PolynomialLR(30, 3.0), jumps": Run(
        lambda s, o: s.PolynomialLR(o, 30, 3.0), call=lambda c, t, f: c.step(None if t % 7 else t // 2)
    ),
    "CosineAnnealingLR(T_max=50)": Run(lambda s, o: s.CosineAnnealingLR(o, T_max=50), steps=330),
    "CosineAnnealingLR(7, eta_min=0.01)": Run(lambda s, o: s.CosineAnnealingLR(o, 7, eta_min=0.01), steps=330),
    "CosineAnnealingLR, jumps": Run(
        lambda s, o: s.CosineAnnealingLR(o, 20, 0.001), call=lambda c, t, f: c.step(None if t % 8 else t // 2)
    ),
    "CosineAnnealingLR(last_epoch=5)": Run(_second),
    "CosineAnnealingWarmRestarts(T_0=20)": Run(lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=20)),
    "CosineAnnealingWarmRestarts(5, T_mult=2, eta_min=0.001)": Run(
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, T_mult=2, eta_min=0.001), steps=400
    ),
    "CosineAnnealingWarmRestarts(7, 3), fractions": Run(
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 7, 3, 0.01), call=_resumed_at_epoch
    ),
    "CosineAnnealingWarmRestarts(7), fractions": Run(
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 7), call=_resumed_at_epoch
    ),
    "CyclicLR(triangular)": Run(lambda s, o: s.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=10)),
    "CyclicLR(triangular2, a list)": Run(
        lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.1, 0.5], 10, 25, mode="triangular2", base_momentum=0.6)
    ),
    "CyclicLR(exp_range, no momentum)": Run(
        lambda s, o: s.CyclicLR(o, 0.01, 0.1, 6, mode="exp_range", gamma=0.99, cycle_momentum=False)
    ),
    "CyclicLR(scale_fn, cycle)": Run(
        lambda s, o: s.CyclicLR(o, 0.01, 0.1, 6, 3, scale_fn=lambda x: 1 / x, max_momentum=0.93)
    ),
    "CyclicLR(scale_fn, iterations)": Run(
        lambda s, o: s.CyclicLR(o, 0.01, 0.1, 6, scale_fn=lambda x: 0.9**x, scale_mode="iterations")
    ),
    "CyclicLR(Adam's betas)": Run(lambda s, o: s.CyclicLR(o, 0.01, 0.1, 8), optimizer="Adam"),
    "OneCycleLR(total_steps)": Run(lambda s, o: s.OneCycleLR(o, max_lr=0.1, total_steps=120)),
    "OneCycleLR(epochs, steps_per_epoch)": Run(
        lambda s, o: s.OneCycleLR(o, 0.1, epochs=8, steps_per_epoch=15, pct_start=0.25, anneal_strategy="linear")
    ),
    "OneCycleLR(three_phase)": Run(
        lambda s, o: s.OneCycleLR(
            o, [0.1, 0.3], 120, three_phase=True, div_factor=10.0, final_div_factor=100.0, base_momentum=0.8,
            max_momentum=0.9,
        )
    ),
    "OneCycleLR(three_phase, linear)": Run(
        lambda s, o: s.OneCycleLR(o, 0.1, 120, three_phase=True, anneal_strategy="linear", pct_start=0.2)
    ),
    "OneCycleLR(no momentum)": Run(lambda s, o: s.OneCycleLR(o, 0.1, 120, cycle_momentum=False)),
    "OneCycleLR(Adam's betas)": Run(lambda s, o: s.OneCycleLR(o, 0.1, 120), optimizer="Adam"),
    "ReduceLROnPlateau()": Run(lambda s, o: s.ReduceLROnPlateau(o), steps=300, call=_plateau),
    "ReduceLROnPlateau(max, abs)": Run(
        lambda s, o: s.ReduceLROnPlateau(
            o, "max", factor=0.7, patience=3, threshold=0.05, threshold_mode="abs", cooldown=4, min_lr=0.001
        ),
        call=_plateau,
    ),
    "ReduceLROnPlateau(max, rel)": Run(
        lambda s, o: s.ReduceLROnPlateau(o, mode="max", patience=2, threshold=0.1, min_lr=[0.01, 1e-4]), call=_plateau
    ),
    "ReduceLROnPlateau(min, abs, eps)": Run(
        lambda s, o: s.ReduceLROnPlateau(o, "min", 0.5, 0, 0.1, "abs", cooldown=1, eps=1e-3), call=_plateau
    ),
    "SequentialLR(LinearLR, CosineAnnealingLR)": Run(
        lambda s, o: s.SequentialLR(
            o,
            schedulers=[s.LinearLR(o, start_factor=0.01, total_iters=5), s.CosineAnnealingLR(o, T_max=115)],
            milestones=[5],
        )
    ),
    "SequentialLR of four": Run(
        lambda s, o: s.SequentialLR(
            o,
            [s.ConstantLR(o, 0.1, 8), s.ExponentialLR(o, 0.9), s.LambdaLR(o, lambda t: 1 / (t + 1)), s.StepLR(o, 10)],
            [12, 30, 60],
        )
    ),
    "SequentialLR(…, CosineAnnealingWarmRestarts)": Run(
        lambda s, o: s.SequentialLR(o, [s.PolynomialLR(o, 10), s.CosineAnnealingWarmRestarts(o, 9, 2)], [10])
    ),
    "SequentialLR(…, CyclicLR)": Run(
        lambda s, o: s.SequentialLR(o, [s.LinearLR(o), s.CyclicLR(o, 0.01, 0.2, 7)], [20])
    ),
    "ChainedScheduler(ConstantLR, ExponentialLR)": Run(
        lambda s, o: s.ChainedScheduler([s.ConstantLR(o, factor=0.1, total_iters=20), s.ExponentialLR(o, gamma=0.9)])
    ),
    "ChainedScheduler of three, optimizer given": Run(
        lambda s, o: s.ChainedScheduler(
            [s.LinearLR(o, 0.2, 1.0, 12), s.MultiStepLR(o, [30, 31]), s.CosineAnnealingLR(o, 60, 0.001)], optimizer=o
        )
    ),
    "SequentialLR with a ChainedScheduler in it": Run(
        lambda s, o: s.SequentialLR(
            o, [s.ChainedScheduler([s.ConstantLR(o, 0.5, 3), s.ExponentialLR(o, 0.9)]), s.PolynomialLR(o, 60)], [40]
        )
    ),
    "SequentialLR with a SequentialLR in it": Run(
        lambda s, o: s.SequentialLR(
            o, [s.SequentialLR(o, [s.ConstantLR(o), s.ExponentialLR(o, 0.9)], [8]), s.StepLR(o, 20)], [40]
        )
    ),
    "SWALR(0.05)": Run(lambda s, o: s.SWALR(o, swa_lr=0.05)),
    "SWALR(a list, linear)": Run(lambda s, o: s.SWALR(o, [0.05, 0.01], 20, "linear")),
    "SWALR(anneal_epochs=0)": Run(lambda s, o: s.SWALR(o, 0.05, anneal_epochs=0)),
    "SWALR, then changes by hand": Run(lambda s, o: s.SWALR(o, 0.05, anneal_epochs=70, anneal_strategy="cos")),
}  # fmt: skip
"""By the name of their case."""


def _case(name: str, run: Run) -> Case:
    def figures(rng: np.random.Generator) -> Arrays:
        """A figure that falls fast, then hardly, with noise."""
        steps = np.arange(run.steps)
        return {"figures": np.exp(-steps / 10) + 1.0 + 0.02 * rng.normal(size=run.steps)}

    return Case(name, figures, run.peer, run.ours, rtol=1e-12, scale=1e-13)


CASES = [_case(name, run) for name, run in RUNS.items()]
