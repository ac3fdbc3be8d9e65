"""How much of a derivation is shown.

brief    what one would say at a blackboard: the steps that make the loss stable, the chain rule from named value to
         named value, the choices at kinks (`symnet.explain.moves`)
normal   every step that changes what is written
full     every step of the trace

Steps that make something stable and choices at kinks are marked, and summed up at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from symnet.errors import UsageError, nearest
from symnet.explain import text
from symnet.explain.moves import Move, brief, choice_of
from symnet.explain.steps import StepView
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.expr.trace import Step

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation

Level = Literal["brief", "normal", "full"]
STABILISING, CHOICE = " [stabilising]", " [choice at a kink]"


def check_level(level: object) -> Level:
    """The level, if it is one."""
    if level not in get_args(Level):
        raise UsageError(f"explain: there is no level {level!r}{nearest(str(level), get_args(Level))}")
    return level  # type: ignore[return-value]


def lines_of(derivation: Derivation, level: Level) -> list[str]:
    """The steps as numbered lines of text, and what there is to know of them all."""
    if level == "brief":
        title, items = "in brief", _in_brief(derivation)
    elif level == "normal":
        hidden = len(derivation.steps) - len(derivation.views)
        note = f"; {hidden} more change nothing that is written" if hidden else ""
        title, items = f"{_count(len(derivation.views), 'step')}{note}", list(map(_shown, derivation.views))
    else:
        title, items = _count(len(derivation.steps), "step"), list(map(_in_full, derivation.all_views))
    width = len(str(len(items)))
    lines = [f"derivation ({title})"]
    for number, (head, *below) in enumerate(items, 1):
        lines += [f"{number:>{width + 2}}  {head}", *(f"{'':{width + 4}}{line}" for line in below)]
    return [*lines, *highlights(derivation.steps)]


def highlights(steps: Sequence[Step]) -> list[str]:
    """One line that sums up the choices at kinks and the stabilising steps; none where there are none."""
    kinks = {step.before: step.reason for step in steps if step.kind == "subgradient"}
    stabilising = Counter(step.rule for step in steps if step.kind == "stabilising")
    parts = []
    if kinks:
        choices = Counter((node.op, reason) for node, reason in kinks.items())
        said = "; ".join(f"{_times(op, count)}: {choice_of(reason)}" for (op, reason), count in choices.items())
        parts.append(f"{_count(len(kinks), 'subgradient choice')} ({said})")
    if stabilising:
        said = ", ".join(_times(rule, count) for rule, count in stabilising.items())
        parts.append(f"{_count(sum(stabilising.values()), 'stabilising step')} ({said})")
    return [", ".join(parts)] if parts else []


def _times(name: str, count: int) -> str:
    return name if count == 1 else f"{name} × {count}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(view: StepView) -> tuple[str, ...]:
    """A step in two lines: what became what by which rule, and why."""
    return f"{view.rule}{STABILISING if view.step.kind == 'stabilising' else ''}: {view}", view.reason


def _in_full(view: StepView) -> tuple[str, ...]:
    """A step, with what happened to the nodes where both sides are written alike."""
    head, reason = _shown(view)
    if text.write(view.left) == text.write(view.right):
        head += f"   (written alike: {_node(view.step.before)} became {_node(view.step.after)})"
    return head, reason


def _node(node: Expr) -> str:
    return node.op if node.dtype == "tuple" else f"{node.op} {dtypes.SHORT[node.dtype]}{dims.show(node.shape)}"


def _in_brief(derivation: Derivation) -> list[tuple[str, ...]]:
    found = brief(derivation)
    items = [*map(_shown, found.before), *map(_said, found.chain), *map(_shown, found.after)]
    return [*items, (f"algebra in {_count(found.algebra, 'step')}",)] if found.algebra else items


def _said(move: Move) -> tuple[str, ...]:
    """A move, with what is chosen at kinks, or the equations of a loop, below."""
    chosen = ["; ".join(move.choices)] if move.choices else []
    return f"chain rule{CHOICE if chosen else ''}: {move}", *map(str, move.lines), *chosen
