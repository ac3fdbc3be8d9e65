"""How many formulas of a corpus are right in float32: native code (and PyTorch, JAX) against many digits.

    python -m tests.accuracy.measure [--corpus formulas|hard] [--family NAME] [--name PART] [--peers] [--wrong]

A formula is right when its value and its gradient are right at every one of its points: to a relative error of 2e-5 in
each element for functions of single elements, and for others to 2e-5 of the largest element of the gradient. Where the
true number is above the range of float32 an infinity is wanted, below it a 0.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

import symnet as sn
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.scalar_op import ScalarOp
from tests.accuracy.formula import Formula, Point
from tests.accuracy.truth import Truth

TOLERANCE = 2e-5
LARGEST = float(np.finfo(np.float32).max)
SMALLEST = 100 * float(np.finfo(np.float32).smallest_normal)
"""What is smaller may be 0: a factor may have left the range that keeps its digits."""

Array = np.ndarray
Results = tuple[Array, list[Array]]
Runner = Callable[[Formula, Sequence[Array], Array], Results]
"""(formula, operands, weights) -> the value, and the gradients of Σ weights · value by the float operands."""


class Names:
    """A namespace for formulas: that of a library, and the few names that libraries spell differently."""

    def __init__(self, library: Any, **own: Any) -> None:
        self._library, self._own = library, own

    def __getattr__(self, name: str) -> Any:
        return self._own[name] if name in self._own else getattr(self._library, name)


SYMNET = Names(
    sn, array_=lambda v: sn.constant(np.array(v, np.float32)), float_=lambda m: sn.cast(m, "float32")
)  # fmt: skip


@dataclass
class Wrong:
    """One number that is not right."""

    formula: str
    point: int
    what: str
    element: tuple[int, ...]
    got: float
    wanted: float
    error: float

    def __str__(self) -> str:
        place = "".join(f"[{i}]" for i in self.element)
        return f"{self.what}{place} at point {self.point}: {self.got:.7g}, wanted {self.wanted:.7g} ({self.error:.1e})"


# --- a formula as an expression --------------------------------------------------------------------------------------


def operands(point: Sequence[Array]) -> list[Expr]:
    return [sn.input("abcdef"[i], array.shape, array.dtype.name) for i, array in enumerate(point)]


def variables(formula: Formula, inputs: Sequence[Any]) -> list[Any]:
    """The operands (expressions or arrays) that are differentiated by."""
    return [node for node in inputs[: formula.wrt] if str(node.dtype) == "float32"]


def is_elementwise(value: Expr) -> bool:
    """Whether each element of the value depends on the elements at the same place alone."""
    return all(
        isinstance(node.declaration, ScalarOp) or node.op in ("input", "constant") for node in postorder([value])
    )


def joined(formula: Formula) -> list[tuple[Point, list[int]]]:
    """The points, those of a function of single elements (and those of one shape of others) put together; with each
    the number of the point that an element belongs to."""
    point = formula.points[0]
    if is_elementwise(formula.function(SYMNET, *operands(point))):
        numbers = [i for i, p in enumerate(formula.points) for _ in range(p[0].size)]
        return [(tuple(np.concatenate(arrays) for arrays in zip(*formula.points, strict=True)), numbers)]
    return [(point, [i] * max(a.size for a in point)) for i, point in enumerate(formula.points)]


def weights_of(value: Expr, elementwise: bool) -> Array:
    """Fixed factors of different sizes, with which the gradient of a sum tells about every element."""
    shape = tuple(int(size) for size in value.shape)
    if elementwise or not shape:
        return np.ones(shape, np.float32)
    return np.random.default_rng(1).uniform(0.5, 2.0, shape).astype(np.float32)


_compiled: dict[Any, Any] = {}


def run_symnet(formula: Formula, point: Sequence[Array], weights: Array) -> Results:
    key = (formula.name, *(array.shape for array in point))
    if key not in _compiled:
        inputs = operands(point)
        value = formula.function(SYMNET, *inputs)
        loss = value if not value.shape else sn.sum(value if (weights == 1).all() else value * sn.constant(weights))
        by = variables(formula, inputs)
        _compiled[key] = sn.function(inputs, [value, *sn.grad(loss, by)])
    value, *gradients = _compiled[key](*point)
    return value, gradients


# --- judging ---------------------------------------------------------------------------------------------------------


def differences(computed: Array, true: Array, scale: Array | None) -> Iterator[tuple[tuple[int, ...], float, float]]:
    """Where a computed array is not right: the place, what was wanted, and the error relative to `scale`."""
    for place in np.ndindex(true.shape):
        wanted, got = true[place], float(computed[place])
        if mpmath.isnan(wanted):
            continue
        size = abs(wanted) if scale is None else max(scale[place], abs(wanted))
        near = float(min(max(wanted, -mpmath.inf), mpmath.inf))
        if abs(wanted) >= LARGEST * (1 - TOLERANCE):
            right = got == near or (np.isinf(got) and got * near > 0) or abs(got) >= LARGEST * (1 - 2 * TOLERANCE)
            if not right:
                yield place, near, float("inf")
            continue
        error = abs(mpmath.mpf(got) - wanted) if np.isfinite(got) else mpmath.inf
        if error > max(TOLERANCE * size, SMALLEST):
            yield place, near, float(error / size) if size else float("inf")


def judged(formula: Formula, run: Runner) -> list[Wrong]:
    """What is wrong of a formula, computed by `run`."""
    wrong: list[Wrong] = []
    for point, numbers in joined(formula):
        value, (true, slopes, guarded), weights = _truth(formula, point)
        elementwise = is_elementwise(value)
        try:
            got, gradients = run(formula, point, weights)
        except Exception as error:
            raise RuntimeError(f"{formula.name}: {error}") from error
        if formula.limits and numbers[0] in formula.limits:
            fill = mpmath.mpf(formula.limits[numbers[0]])
            replaced = np.frompyfunc(lambda v, fill=fill: fill if mpmath.isnan(v) else v, 1, 1)
            true, slopes, guarded = replaced(true), list(map(replaced, slopes)), list(map(replaced, guarded))
        parts = [("value", got, [true])]
        for i, (gradient, *wanted) in enumerate(zip(gradients, slopes, guarded, strict=True)):
            parts.append((f"d/d{'abcdef'[i]}", gradient, wanted))
        for what, computed, wanted in parts:
            assert np.shape(computed) == np.shape(wanted[0]), (formula.name, what, np.shape(computed))
            kept = not (elementwise or what == "value")
            errors = [_errors(np.asarray(computed), np.asarray(w, object), kept) for w in wanted]
            for place, (near, error) in errors[0].items():
                if all(place in other for other in errors[1:]):
                    number = numbers[place[0]] if elementwise and place else numbers[0]
                    computed_number = float(np.asarray(computed)[place])
                    wrong.append(Wrong(formula.name, number, what, place, computed_number, near, error))
    return wrong


def _errors(computed: Array, wanted: Array, normwise: bool) -> dict[tuple[int, ...], tuple[float, float]]:
    found = differences(computed, wanted, _largest(wanted) if normwise else None)
    return {place: (near, error) for place, near, error in found}


_truths: dict[Any, Any] = {}


def _truth(formula: Formula, point: Point) -> tuple[Expr, tuple[Array, list[Array], list[Array]], Array]:
    key = (formula.name, tuple(array.tobytes() for array in point))
    if key not in _truths:
        inputs = operands(point)
        value = formula.function(SYMNET, *inputs)
        elementwise = is_elementwise(value)
        weights = weights_of(value, elementwise)
        by = variables(formula, inputs)
        _truths[key] = value, Truth(inputs, by, value, weights, elementwise).at(point), weights
    found: tuple[Expr, tuple[Array, list[Array], list[Array]], Array] = _truths[key]
    return found


def _largest(wanted: Array) -> Array:
    sizes = [abs(v) for v in wanted.ravel() if mpmath.isfinite(v) and abs(v) < LARGEST]
    return np.full(wanted.shape, max(sizes, default=mpmath.mpf(0)), object)


# --- the command -----------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy.measure", description=__doc__.split("\n\n")[0])
    parser.add_argument("--corpus", default="formulas", help="a module of tests.accuracy with FORMULAS")
    parser.add_argument("--family", default="", help="only formulas whose family contains this")
    parser.add_argument("--name", default="", help="only formulas whose name contains this")
    parser.add_argument("--peers", action="store_true", help="PyTorch and JAX too")
    parser.add_argument("--quiet", action="store_true", help="the table alone, not what is wrong")
    options = parser.parse_args(arguments)
    corpus = importlib.import_module(f"tests.accuracy.{options.corpus}").FORMULAS
    chosen = [x for x in corpus if options.family in x.family and options.name in x.name]
    runners: dict[str, Runner] = {"symnet": run_symnet}
    if options.peers:
        from tests.accuracy.peers import run_jax, run_torch

        runners |= {"PyTorch": run_torch, "JAX": run_jax}
    scores: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    started = time.perf_counter()
    for formula in chosen:
        for name, run in runners.items():
            wrong = judged(formula, run)
            scores[formula.family][name] += not wrong
            if wrong and name == "symnet" and not options.quiet:
                _tell(formula, wrong)
    _table(scores, chosen, list(runners))
    print(f"{time.perf_counter() - started:.0f} s")  # noqa: T201
    return 0


def _tell(formula: Formula, wrong: list[Wrong]) -> None:
    print(f"{formula.family} / {formula.name}")  # noqa: T201
    for item in wrong[:4]:
        print(f"    {item}")  # noqa: T201
    if len(wrong) > 4:
        print(f"    and {len(wrong) - 4} more")  # noqa: T201


def _table(scores: dict[str, dict[str, int]], chosen: Sequence[Formula], names: list[str]) -> None:
    counts: dict[str, int] = defaultdict(int)
    for formula in chosen:
        counts[formula.family] += 1
    print(f"\n{'family':20}{'formulas':>10}" + "".join(f"{name:>10}" for name in names))  # noqa: T201
    for family, count in counts.items():
        print(f"{family:20}{count:10}" + "".join(f"{scores[family][name]:10}" for name in names))  # noqa: T201
    totals = [sum(scores[family][name] for family in counts) for name in names]
    print(f"{'all':20}{len(chosen):10}" + "".join(f"{total:10}" for total in totals))  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
