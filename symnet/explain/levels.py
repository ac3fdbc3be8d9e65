"""How much of a derivation is shown.

brief    what one would say at a blackboard: the chain rule from named value to named value, the operations that were
         recognised, the steps that make it stable, the choices at kinks
normal   every step that changes what is written
full     every step of the trace

Steps that make something stable and choices at kinks are marked, and summed up at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from symnet.derive.reverse import ChainStep
from symnet.errors import UsageError, nearest
from symnet.explain import text
from symnet.explain.formula import Equation
from symnet.explain.notation import Partial
from symnet.explain.steps import Context, StepView
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
        title, items = "in brief", _moves(derivation)
    elif level == "normal":
        hidden = len(derivation.steps) - len(derivation.views)
        note = f"; {hidden} more change nothing that is written" if hidden else ""
        title, items = f"{_count(len(derivation.views), 'step')}{note}", list(map(_shown, derivation.views))
    else:
        title, items = _count(len(derivation.steps), "step"), list(map(_in_full, derivation.all_views))
    width = len(str(len(items)))
    lines = [f"derivation ({title})"]
    for number, (head, reason) in enumerate(items, 1):
        lines += [f"{number:>{width + 2}}  {head}", *([f"{'':{width + 4}}{reason}"] if reason else [])]
    return [*lines, *highlights(derivation.steps)]


def highlights(steps: Sequence[Step]) -> list[str]:
    """One line that sums up the choices at kinks and the stabilising steps; none where there are none."""
    kinks = {step.before: step.reason for step in steps if step.kind == "subgradient"}
    stabilising = Counter(step.rule for step in steps if step.kind == "stabilising")
    parts = []
    if kinks:
        choices = Counter((node.op, reason) for node, reason in kinks.items())
        said = "; ".join(f"{_times(op, count)}: {_choice(reason)}" for (op, reason), count in choices.items())
        parts.append(f"{_count(len(kinks), 'subgradient choice')} ({said})")
    if stabilising:
        said = ", ".join(_times(rule, count) for rule, count in stabilising.items())
        parts.append(f"{_count(sum(stabilising.values()), 'stabilising step')} ({said})")
    return [", ".join(parts)] if parts else []


def _choice(reason: str) -> str:
    """The part of the sentence that says what is chosen."""
    return reason.rpartition("; ")[2]


def _times(name: str, count: int) -> str:
    return name if count == 1 else f"{name} × {count}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(view: StepView) -> tuple[str, str]:
    return f"{view.rule}{STABILISING if view.step.kind == 'stabilising' else ''}: {view}", view.reason


def _in_full(view: StepView) -> tuple[str, str]:
    """A step, with what happened to the nodes where both sides are written alike."""
    head, reason = _shown(view)
    if text.write(view.left) == text.write(view.right):
        head += f"   (written alike: {_node(view.step.before)} became {_node(view.step.after)})"
    return head, reason


def _node(node: Expr) -> str:
    return node.op if node.dtype == "tuple" else f"{node.op} {dtypes.SHORT[node.dtype]}{dims.show(node.shape)}"


# --- in brief ----------------------------------------------------------------------------------------------------


def _moves(derivation: Derivation) -> list[tuple[str, str]]:
    """The moves of a derivation: what was done to the loss, the chain rule, what was done to the derivative."""
    views = derivation.views
    first = next((i for i, view in enumerate(views) if isinstance(view.step, ChainStep)), len(views))
    telling = [view for view in views[:first] if _is_telling(view.step)]
    later = [view for view in views[first:] if _is_telling(view.step)]
    rest = sum(not isinstance(view.step, ChainStep) for view in views) - len(telling) - len(later)
    moves = [*map(_shown, telling), *_chain(derivation), *map(_shown, later)]
    if rest:
        moves.append((f"algebra in {_count(rest, 'step')}", ""))
    return moves


def _is_telling(step: Step) -> bool:
    """Whether a rule made something stable, or recognised an operation with a name of its own."""
    if isinstance(step, ChainStep):
        return False
    recognised = step.after.declaration.kind == "composite" and step.after.op not in _near(step.before)
    return step.kind == "stabilising" or (recognised and step.before.op != "usually")


def _near(node: Expr) -> set[str]:
    """The operation of a node and of its operands."""
    return {node.op, *(arg.op for arg in node.args)}


def _chain(derivation: Derivation) -> list[tuple[str, str]]:
    """One line for each cotangent that has an equation: by which operations the chain rule came to it."""
    equations: dict[str, Equation] = {}
    for equation in (*derivation.where, *derivation.formulas):
        equations.setdefault(text.write(equation.left), equation)
    moves = []
    for target, passed in _through(derivation.steps, derivation.context, equations).items():
        form = derivation.context.cotangents[target]
        equation = equations[text.write(form)]
        partial = (
            ""
            if isinstance(form, Partial)
            else f" = ∂{text.write(derivation.context.loss)}/∂{_name(derivation, target)}"
        )
        chosen = [step for step in passed if step.kind == "subgradient"]
        names = ", ".join(dict.fromkeys(step.before.op for step in passed))
        mark = CHOICE if chosen else ""
        reason = "; ".join(dict.fromkeys(_choice(step.reason) for step in chosen))
        moves.append((f"chain rule{mark}: {text.write(form)}{partial} = {equation.formula}   through {names}", reason))
    return moves


def _name(derivation: Derivation, node: Expr) -> str:
    return text.write(derivation.context.known[node])


def _through(steps: Sequence[Step], context: Context, equations: Mapping[str, Equation]) -> dict[Expr, list[ChainStep]]:
    """For each value whose cotangent has an equation, the steps from the nearest such values above it, in order."""
    found: dict[Expr, list[ChainStep]] = {}
    passed: dict[Expr, list[ChainStep]] = {}
    for step in steps:
        if isinstance(step, ChainStep):
            before = [] if step.before in found else passed.get(step.before, [])
            arrived = passed.setdefault(step.target, [])
            arrived += [part for part in (*before, step) if part not in arrived]
            if step.target in context.cotangents and text.write(context.cotangents[step.target]) in equations:
                found[step.target] = arrived
    return found
