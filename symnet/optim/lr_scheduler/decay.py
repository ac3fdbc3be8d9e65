"""Schedulers that multiply: by a function of the step, at milestones, along a line, an exponential or a polynomial."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from symnet import ops
from symnet.errors import DTypeError, ShapeError, Unsupported, UsageError
from symnet.expr.node import Expr
from symnet.optim.lr_scheduler.base import LRScheduler
from symnet.optim.lr_scheduler.groups import Rate, groups_of

if TYPE_CHECKING:
    from symnet.program.program import Program

__all__ = [
    "ConstantLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "PolynomialLR",
    "StepLR",
]

Factor = Callable[[int], float]


class LambdaLR(LRScheduler):
    """lr ← lr₀·λ(t).

    lr_lambda  the function λ of the step's number, or a list of functions, one for each group
    """

    _functions: ClassVar[tuple[str, ...]] = ("lr_lambdas",)

    def __init__(self, optimizer: Program, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        self.lr_lambdas = _functions_of(optimizer, lr_lambda, type(self).__name__)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        return [lr * factor(self.last_epoch) for factor, lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]

    def _values_at(self, epoch: float) -> list[Rate]:
        return self.get_lr()

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        """With the first group's function, where it can be applied to an expression."""
        return lr * _of_expression(self.lr_lambdas[0], t, "LambdaLR")


class MultiplicativeLR(LRScheduler):
    """lr ← lr·λ(t), from the first step on.

    lr_lambda  the function λ of the step's number, or a list of functions, one for each group
    """

    _functions: ClassVar[tuple[str, ...]] = ("lr_lambdas",)

    def __init__(self, optimizer: Program, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        self.lr_lambdas = _functions_of(optimizer, lr_lambda, type(self).__name__)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        if self._is_initial:
            return self.lrs
        return [lr * factor(self.last_epoch) for factor, lr in zip(self.lr_lambdas, self.lrs, strict=True)]

    def recurrence(self, t: Expr, lr: Expr) -> Expr:
        return lr * _of_expression(self.lr_lambdas[0], t, "MultiplicativeLR")


class StepLR(LRScheduler):
    """lr = lr₀·γ^⌊t / step_size⌋: multiplied by `gamma` every `step_size` steps."""

    def __init__(self, optimizer: Program, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise UsageError(f"StepLR: step_size is {step_size}, expected at least 1")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        due = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma) if due else self.lrs

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        return lr * self.gamma ** ops.floor(t / self.step_size)


class MultiStepLR(LRScheduler):
    """lr = lr₀·γ^(number of milestones up to t): multiplied by `gamma` at each of the `milestones`."""

    def __init__(self, optimizer: Program, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        times = self.milestones.count(self.last_epoch)
        return self._scaled(self.gamma**times) if times else self.lrs

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        passed = [ops.cast(t >= milestone, "float64") for milestone in self.milestones]
        return lr * self.gamma ** sum(passed[1:], start=passed[0]) if passed else lr


class ConstantLR(LRScheduler):
    """lr = lr₀·factor for t < total_iters, then lr₀."""

    def __init__(self, optimizer: Program, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        _check_factor("ConstantLR", "factor", factor)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        return self._scaled(1.0 / self.factor) if self.last_epoch == self.total_iters else self.lrs

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        return ops.where(t < self.total_iters, lr * self.factor, lr)


class LinearLR(LRScheduler):
    """lr = lr₀·(a + (b - a)·min(t, n) / n): from the factor a at the start to b after n steps, on a line.

    start_factor  a, above 0 and up to 1     end_factor  b, from 0 to 1     total_iters  n
    """

    def __init__(
        self,
        optimizer: Program,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        _check_factor("LinearLR", "start_factor", start_factor)
        if not 0 <= end_factor <= 1:
            raise UsageError(f"LinearLR: end_factor is {end_factor}, expected 0 to 1")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        t, n, a, slope = self.last_epoch, self.total_iters, self.start_factor, self.end_factor - self.start_factor
        if t == 0:
            return self._scaled(a)
        if self._is_initial or t > n:
            return self.lrs
        return self._scaled(1.0 + slope / (n * a + (t - 1) * slope))

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        slope = self.end_factor - self.start_factor
        return lr * (self.start_factor + slope * ops.minimum(t, float(self.total_iters)) / self.total_iters)


class ExponentialLR(LRScheduler):
    """lr = lr₀·γᵗ: multiplied by `gamma` at every step."""

    def __init__(self, optimizer: Program, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        return self.lrs if self._is_initial else self._scaled(self.gamma)

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        return lr * self.gamma**t


class PolynomialLR(LRScheduler):
    """lr = lr₀·(1 - min(t, n) / n)^power: falls to 0 in n = total_iters steps."""

    def __init__(self, optimizer: Program, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        t, n = self.last_epoch, self.total_iters
        if self._is_initial or t > n:
            return self.lrs
        return self._scaled(((1.0 - t / n) / (1.0 - (t - 1) / n)) ** self.power)

    def closed_form(self, t: Expr, lr: Expr) -> Expr:
        left = 1.0 - ops.minimum(t, float(self.total_iters)) / self.total_iters
        return lr * (left if self.power == 1 else left**self.power)


def _functions_of(program: Program, given: Factor | Sequence[Factor], title: str) -> list[Factor]:
    """One function for each group."""
    count = len(groups_of(program, title))
    functions: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given] * count
    if len(functions) != count:
        raise ShapeError(f"{title}: lr_lambda has {len(functions)} functions, expected one for each of {count} groups")
    for function in functions:
        if not callable(function):
            raise DTypeError(f"{title}: lr_lambda is {function!r}, expected a function of the step's number")
    return functions


def _of_expression(function: Any, t: Expr, title: str) -> Expr:
    """What the function makes of an expression of the step's number, where it can take one."""
    try:
        value = function(t)
        return value if isinstance(value, Expr) else ops.constant(value, "float64")
    except (TypeError, ValueError) as error:
        raise Unsupported(f"{title}: the function cannot be written as a formula: {error}") from error


def _check_factor(title: str, name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise UsageError(f"{title}: {name} is {value}, expected above 0 (it is divided by) and up to 1")
