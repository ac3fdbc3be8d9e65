"""`sn.explain`: one door to all that explains itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakKeyDictionary

from symnet.derive.arguments import Variable, Variables, check_dependence, depends_on, scalar_loss, variables_in
from symnet.errors import Unsupported, UsageError
from symnet.explain.derivation import Derivation, Derived, derivation_of
from symnet.explain.levels import Level, check_level
from symnet.expr.node import Expr

if TYPE_CHECKING:
    from symnet.explain.flow import Flow
    from symnet.explain.surface import Surface
    from symnet.explain.training import TrainingStep
    from symnet.keras.optimizers.schedules import LearningRateSchedule
    from symnet.optim.base import Optimizer
    from symnet.optim.formula import UpdateFormula
    from symnet.optim.lr_scheduler import LRScheduler
    from symnet.program.program import Program


class Explain:
    """`sn.explain(what)`: how it came about, or what it does, in formulas.

    a loss, and wrt=    the `Derivation` of ∂loss/∂w, for one w or for several with their where clauses in common. The
                        loss is a floating-point scalar, each w a floating-point expression in it or its name, as for
                        `sn.grad`
    a program           with wrt= the derivation of its loss; alone the whole `TrainingStep`
    an optimizer        its update in the notation of papers, an `UpdateFormula`
    a schedule          its learning rate at step t: of `sn.optim.lr_scheduler` or `sn.keras.optimizers.schedules`
    level=              how much is shown of the steps of a derivation: "brief", "normal" or "full"

    `sn.explain.surface(loss, values)` has the loss around a point, `sn.explain.flow(loss, values)` the size of the
    gradient at every layer; both give data that can be plotted.
    """

    __name__ = "explain"

    @property
    def surface(self) -> Callable[..., Surface]:
        """See `symnet.explain.surface.surface`."""
        from symnet.explain.surface import surface

        return surface

    @property
    def flow(self) -> Callable[..., Flow]:
        """See `symnet.explain.flow.flow`."""
        from symnet.explain.flow import flow

        return flow

    @overload
    def __call__(self, loss: Expr | Program, wrt: Variable | Variables, *, level: Level = ...) -> Derivation: ...
    @overload
    def __call__(self, loss: Program, *, level: Level = ...) -> TrainingStep: ...
    @overload
    def __call__(self, loss: Optimizer | LRScheduler | LearningRateSchedule) -> UpdateFormula: ...
    def __call__(self, loss: Any, wrt: Variable | Variables | None = None, *, level: Level = "normal") -> Any:
        check_level(level)
        if isinstance(loss, Expr):
            if wrt is None:
                raise UsageError(
                    "explain: say by what the loss is differentiated: sn.explain(loss, wrt=weight); "
                    f"it depends on: {depends_on([scalar_loss(loss, 'explain')])}"
                )
            return derivation_of(loss, wrt, level)
        if callable(getattr(loss, "step", None)) and hasattr(loss, "parameters"):
            return self._program(loss, wrt, level)
        return self._update(loss, wrt)

    @staticmethod
    def _program(program: Any, wrt: Variable | Variables | None, level: Level) -> Derivation | TrainingStep:
        if getattr(program, "about", None) is None:
            raise Unsupported("explain: this program holds machine code only; explain the one that was compiled")
        if wrt is not None:
            return derivation_in_step(program, wrt, level)
        from symnet.explain.training import training_step

        return training_step(program, level)

    @staticmethod
    def _update(subject: Any, wrt: object) -> UpdateFormula:
        from symnet.keras.optimizers.schedules import LearningRateSchedule
        from symnet.optim.base import Optimizer
        from symnet.optim.lr_scheduler import LRScheduler
        from symnet.optim.over_time import over_time, schedule_over_time

        if not isinstance(subject, (Optimizer, LRScheduler, LearningRateSchedule)):
            scalar_loss(subject, "explain")
        if wrt is not None:
            raise UsageError(f"explain: wrt is for losses; a {type(subject).__name__} is explained by itself")
        return over_time(subject) if isinstance(subject, Optimizer) else schedule_over_time(subject)


_of_programs: WeakKeyDictionary[Program, Derived] = WeakKeyDictionary()


def derivation_in_step(program: Program, wrt: Variable | Variables, level: Level) -> Derivation:
    """The derivation of the gradients that a program computes: by these parameters, among all that it trains."""
    if program not in _of_programs:
        plan = program.about.plan()
        _of_programs[program] = Derived(plan.loss, plan.trained, follow=True)
    whole = _of_programs[program]
    variables, _ = variables_in(wrt, "explain", whole.loss)
    check_dependence(whole.loss, variables, "explain")
    if not set(variables) <= set(whole.variables):
        whole = Derived(whole.loss, list(dict.fromkeys([*whole.variables, *variables])), follow=True)
    return whole.by(variables, level)


explain = Explain()
