"""Greedy rewriting beside equality saturation: cost, accuracy and time on the corpus of everyday formulas.

    pip install egglog
    python tests/benchmarks/equality_saturation.py [--rounds N] [--name PART]

The rules of scalar functions that have no condition are given to `egglog` as they stand; for the others, which need
facts about values or chains of terms, it has commutativity and (with --associate) associativity instead. A stabilising
rule subsumes its left side, since no cost would choose the form that is right. Each formula of `tests/accuracy` made of
scalar functions alone is simplified with its derivative by both engines. The cost is that of `symnet.simplify.cost`,
with sharing; the error the worst in float32 against 200 digits, at the corpus's points.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import egglog as egg
import numpy as np

import symnet as sn
from symnet.expr.node import Expr, make
from symnet.expr.op import REGISTRY, lookup
from symnet.expr.traverse import postorder
from symnet.ops import exactly
from symnet.ops.leaves import number
from symnet.ops.scalar_op import ScalarOp
from symnet.simplify.cost import cost
from symnet.simplify.pattern import Apply, Const, Number, Term, Var
from symnet.simplify.rule import Rule
from symnet.simplify.tables import TOPICS
from tests.accuracy.formula import Formula
from tests.accuracy.formulas import FORMULAS
from tests.accuracy.measure import SYMNET, operands

COMMUTATIVE = ("add", "multiply", "maximum", "minimum")


class Value(egg.Expr):
    """What egglog calls a scalar expression."""

    def __init__(self, value: egg.f64Like) -> None: ...

    @classmethod
    def leaf(cls, name: egg.StringLike) -> Value: ...


def constructors() -> dict[str, Callable[..., Any]]:
    """A function of egglog for each scalar operation without attributes, at the cost of a small array of it."""
    x = sn.input("x", (8,))
    found: dict[str, Callable[..., Any]] = {}
    for name, op in REGISTRY.items():
        if not isinstance(op, ScalarOp) or op.arity > 2 or name in ("cast",):
            continue
        try:
            price = max(1, round(cost(make(op, (x,) * op.arity)) * 10))
        except sn.SymnetError:
            continue
        annotations = {"abc"[i]: Value for i in range(op.arity)} | {"return": Value}
        body = _of_one() if op.arity == 1 else _of_two()
        body.__annotations__, body.__name__ = annotations, f"{name}_"
        found[name] = egg.function(cost=price, egg_fn=f"op-{name}")(body)
    return found


def _of_one() -> Callable[..., Any]:
    def body(a): ...  # type: ignore[no-untyped-def]

    return body


def _of_two() -> Callable[..., Any]:
    def body(a, b): ...  # type: ignore[no-untyped-def]

    return body


def rules(functions: dict[str, Callable[..., Any]], associate: bool) -> tuple[list[Any], int]:
    """The rules that egglog can hold, and how many of the tables those are."""
    found: list[Any] = []
    for table in TOPICS.values():
        for rule in table:
            item = _translated(rule, functions)
            if item is not None:
                found.append(item)
    count = len(found)
    a, b, c = egg.vars_("a b c", Value)
    for op in COMMUTATIVE:
        found.append(egg.rewrite(functions[op](a, b)).to(functions[op](b, a)))
        if associate and op in ("add", "multiply"):
            f = functions[op]
            found.append(egg.rewrite(f(f(a, b), c)).to(f(a, f(b, c))))
            found.append(egg.rewrite(f(a, f(b, c))).to(f(f(a, b), c)))
    return found, count


def _translated(rule: Rule, functions: dict[str, Callable[..., Any]]) -> Any:
    if rule.condition or rule.lowering:
        return None
    variables: dict[str, Any] = {}

    def term(part: Term) -> Any:
        if isinstance(part, Var):
            return variables.setdefault(part.name, egg.var(part.name, Value))
        if isinstance(part, Number) and not isinstance(part.value, bool):
            return Value(float(part.value))
        if isinstance(part, Apply) and isinstance(part.op, str) and part.op in functions and not part.attrs:
            return functions[part.op](*map(term, part.args))
        raise NotImplementedError

    if isinstance(rule.pattern, Const):
        return None
    try:
        left, right = term(rule.pattern), term(rule.replacement)
    except NotImplementedError:
        return None
    if isinstance(rule.replacement, (Var, Number)) and isinstance(rule.pattern, Var):
        return None
    return egg.rewrite(left, subsume=rule.kind == "stabilising").to(right)


class Saturation:
    """Equality saturation of one graph."""

    def __init__(self, rounds: int, associate: bool) -> None:
        self.functions = constructors()
        self.rules, self.count = rules(self.functions, associate)
        self.rounds = rounds

    def __call__(self, roots: Sequence[Expr]) -> list[Expr]:
        graph = egg.EGraph()
        terms: dict[int, Any] = {}
        inputs: dict[str, Expr] = {}
        for node in postorder(roots):
            terms[id(node)] = self._term(node, [terms[id(arg)] for arg in node.args], inputs)
        kept = [graph.let(f"root{i}", terms[id(root)]) for i, root in enumerate(roots)]
        graph.run(egg.run(egg.ruleset(*self.rules)) * self.rounds)
        return [self._back(graph.extract(item), inputs, roots[0].shape) for item in kept]

    def _term(self, node: Expr, args: list[Any], inputs: dict[str, Expr]) -> Any:
        if node.op == "constant":
            return Value(float(node.attrs["value"]))
        if not node.args:
            inputs[node.attrs["name"]] = node
            return Value.leaf(node.attrs["name"])
        if node.op in ("broadcast_to", "reshape", "stop_gradient"):
            return args[0]
        return self.functions[node.op](*args)

    def _back(self, extracted: Any, inputs: dict[str, Expr], shape: Any) -> Expr:
        """The expression that egglog's answer, printed as Python, stands for."""

        class Back:
            def __call__(self, value: float) -> Expr:
                return number(float(value), "float32")

            @staticmethod
            def leaf(name: str) -> Expr:
                return inputs[name]

        def maker(name: str) -> Callable[..., Expr]:
            return lambda *args: make(lookup(name), args)

        scope: dict[str, Any] = {"Value": Back(), **{f"{name}_": maker(name) for name in self.functions}}
        tree = ast.parse(str(extracted))
        exec(compile(ast.Module(tree.body[:-1], []), "egglog", "exec"), scope)
        result = eval(ast.unparse(tree.body[-1]), scope)
        assert isinstance(result, Expr)
        return result if result.shape == shape else sn.broadcast_to(result, shape)


def total_cost(roots: Sequence[Expr]) -> float:
    return sum(cost(node) for node in postorder(roots))


def worst_error(roots: Sequence[Expr], true: Sequence[Any], inputs: Sequence[Expr], point: Sequence[Any]) -> float:
    """The worst relative error in float32; 1 where there is no number but should be one."""
    worst = 0.0
    values = sn.evaluate(list(roots), {node.attrs["name"]: array for node, array in zip(inputs, point, strict=True)})
    for got, wanted in zip(values, true, strict=True):
        for a, b in zip(np.broadcast_to(got, wanted.shape).ravel(), wanted.ravel(), strict=True):
            size = abs(float(b))
            if np.isfinite(size) and 1e-37 < size < 3e38:
                worst = max(worst, min(1.0, float(abs(a - b) / abs(b))) if np.isfinite(a) else 1.0)
    return worst


def suits(formula: Formula, functions: dict[str, Any]) -> bool:
    inputs = operands(formula.points[0])
    value = formula.function(SYMNET, *inputs)
    ops = {node.op for node in postorder([value]) if node.args}
    return all(node.dtype == "float32" for node in postorder([value])) and ops <= set(functions) | {"broadcast_to"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--name", default="")
    parser.add_argument("--associate", action="store_true")
    chosen = parser.parse_args()
    saturate = Saturation(chosen.rounds, chosen.associate)
    formulas = [f for f in FORMULAS if chosen.name in f.name and suits(f, saturate.functions)]
    print(f"{saturate.count} rules, {len(formulas)} formulas, {chosen.rounds} rounds")
    rows = []
    for formula in formulas:
        point = [np.concatenate(arrays) for arrays in zip(*formula.points, strict=True)]
        inputs = operands(point)
        value = formula.function(SYMNET, *inputs)
        slope = sn.grad(sn.sum(value), inputs[0], simplify=False)
        true = exactly.evaluate([value, slope], dict(zip(inputs, point, strict=True)), digits=200)
        naive = [value, slope]
        began = time.perf_counter()
        prepared = sn.simplify(value)
        greedy = [prepared, sn.grad(sn.sum(prepared), inputs[0])]
        middle = time.perf_counter()
        try:
            (first,) = saturate([value])
            raw = sn.grad(sn.sum(first), inputs[0], simplify=False)
            saturated = [first, *saturate([raw])]
        except Exception as error:  # the trial goes on with what egglog can hold
            print(f"{formula.name}: {type(error).__name__} {str(error)[:80]}")
            continue
        end = time.perf_counter()
        row = [formula.name, total_cost(naive), total_cost(greedy), total_cost(saturated)]
        row += [worst_error(roots, true, inputs, point) for roots in (naive, greedy, saturated)]
        row += [middle - began, end - middle]
        rows.append(row)
        print(
            f"{row[0]:34} cost {row[1]:7.0f} {row[2]:7.0f} {row[3]:7.0f}   "
            f"error {row[4]:7.1e} {row[5]:7.1e} {row[6]:7.1e}"
            f"   ms {row[7] * 1e3:6.1f} {row[8] * 1e3:8.1f}"
        )
    for i, what in ((1, "naive"), (2, "greedy"), (3, "saturated")):
        ratio = statistics.geometric_mean(row[i] / row[1] for row in rows)
        right = sum(row[i + 3] < 2e-5 for row in rows)
        print(f"{what:10} cost {ratio:.2f} of naive; right in {right} of {len(rows)}")
    print(f"time       greedy {sum(r[7] for r in rows):.2f} s, saturated {sum(r[8] for r in rows):.2f} s")


if __name__ == "__main__":
    main()
