"""From expressions to a `Program`: derive, simplify, write the update, hand everything to the code generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.ops.meaning import collect_updates, inference
from symnet.ops.random import SEED, numbered
from symnet.ops.usually import exactly
from symnet.program.about import About, Watched, about_output
from symnet.program.convert import to_dtype
from symnet.program.names import check_capacity, inputs_in_order, leaves_by_name
from symnet.program.program import LOSS, Batch, Program
from symnet.runtime.code import Code
from symnet.runtime.instance import Compile

if TYPE_CHECKING:
    from codegen.spec import Entry, Module
    from symnet.optim import Optimizer

BACKENDS = ("llvm", "numpy")
SEEDS = 1 << 63


def compile(
    loss: Expr,
    optimizer: Optimizer,
    outputs: Mapping[str, Expr] | None = None,
    batch: Mapping[str, int] | None = None,
    backend: str = "llvm",
    threads: int | None = None,
    dtype: str | None = None,
    seed: int = 0,
    target: str = "native",
    check_finite: bool = False,
    accuracy: str = "auto",
) -> Program:
    """Compile forward, loss, backward and update into one native program.

    loss       a scalar float expression; its trainable parameters are what is trained
    optimizer  one of `sn.optim`, or a class of your own with an `update` method
    outputs    name -> expression for `predict` and `evaluate`
    batch      the largest size of each named dimension, `{"N": 64}`; any smaller size runs without recompiling
    backend    "llvm", or "numpy": the slow reference interpreter of the same loop program
    threads    how many at most, by default SYMNET_THREADS or the number of cores; results do not depend on it
    dtype      "float32" or "float64": compute everything in that type; by default as the expressions are
    seed       decides the initial parameters, the order of the data and the random numbers of dropout and the like
    target     "native", or a portable level such as "x86-64-v3"
    check_finite  search inputs for NaN and infinity before each call
    accuracy   "auto": element-wise operations in float32 that lose digits which matter to training, and that no rule
               of simplification mends, are computed in another way (`sn.accuracy` tells where and how); "strict":
               also where they have died away, as 1 − tanh² does far out; "off": everything as it reads

    Parts are compiled when they are first used: the training step now, evaluation and prediction when asked for.
    """
    from symnet.accuracy import check_choice

    _check_kinds(optimizer, outputs, batch, seed)
    accuracy = check_choice(accuracy, "compile")
    outputs = dict(outputs or {})
    _check(loss, outputs)
    roots = numbered([loss, *outputs.values()])
    if dtype is not None:
        roots = to_dtype(roots, dtype)
    capacity = check_capacity(batch or {}, roots)

    def make_plan(roots: Sequence[Expr]) -> Plan:
        return Plan(roots[0], dict(zip(outputs, roots[1:], strict=True)), optimizer, capacity, accuracy)

    def planned(roots: Sequence[Expr]) -> tuple[Plan, Compile, About]:
        plan = make_plan(roots)
        inputs = inputs_in_order(loss, plan.watched.values().values())
        about = About(inputs, plan.outputs, plan.watched, lambda: make_plan(roots))
        return plan, _Compiler(plan, backend, threads, target).code, about

    def for_unusual_data() -> tuple[Compile, Batch | None, About]:
        plan, code, about = planned(exact)
        return code, plan.batch, about

    exact = exactly(roots)
    plan, code, about = planned(roots)
    program = Program(
        code, capacity, list(outputs), plan.names, plan.hyper, int(seed), check_finite, plan.batch, about,
        plan.absent, None if all(map(is_, exact, roots)) else for_unusual_data,
    )  # fmt: skip
    _initialise(program, plan, int(seed))
    return program


def _check_kinds(optimizer: object, outputs: object, batch: object, seed: object) -> None:
    from symnet.optim import Optimizer

    if not isinstance(optimizer, Optimizer):
        given = f"the class {optimizer.__name__}" if isinstance(optimizer, type) else f"a {type(optimizer).__name__}"
        raise DTypeError(f"compile: the optimizer is {given}, expected an optimizer such as sn.optim.SGD(lr=0.1)")
    if outputs is not None and not isinstance(outputs, Mapping):
        raise DTypeError(f"compile: outputs is a {type(outputs).__name__}, expected a mapping: {{name: expression}}")
    if batch is not None and not isinstance(batch, Mapping):
        raise DTypeError(f'compile: batch is a {type(batch).__name__}, expected a mapping such as {{"N": 64}}')
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise DTypeError(f"compile: seed is {seed!r}, expected a whole number")
    if not 0 <= int(seed) < SEEDS:
        raise UsageError(f"compile: seed is {seed}, expected a whole number from 0 to {SEEDS - 1}")


def _check(loss: Expr, outputs: Mapping[str, Expr]) -> None:
    for name, expression in {"loss": loss, **outputs}.items():
        if not isinstance(expression, Expr):
            raise DTypeError(f"compile: {name} is a {type(expression).__name__}, expected an expression")
    if loss.shape != ():
        raise ShapeError(
            f"compile: the loss has the shape {dims.show(loss.shape)}, expected a scalar; "
            "reduce it first, for example with sn.mean"
        )
    if not dtypes.is_float(loss.dtype):
        raise DTypeError(f"compile: the loss is {loss.dtype}, expected float32 or float64")
    for name in outputs:
        if name == "loss" or not isinstance(name, str) or not name.isidentifier():
            raise UsageError(f"compile: {name!r} cannot name an output; use an identifier other than 'loss'")


class Plan:
    """Everything the compiler is asked for, as expressions.

    loss, trained, optimizer   what was given: the loss, the parameters it trains, and how
    written                    (parameter or state, its new value) as formulas have them: the optimizer's as it writes
                               them, before simplification; what the network stores, simplified
    watched                    the step as it is compiled, before expansion, and the gradients in it
    module                     what the compiler gets: every entry, expanded
    """

    def __init__(
        self,
        loss: Expr,
        outputs: Mapping[str, Expr],
        optimizer: Optimizer,
        capacity: Mapping[str, int],
        accuracy: str,
    ) -> None:
        from codegen.spec import Entry, Module
        from symnet.accuracy import improved
        from symnet.derive.api import usual_gradients
        from symnet.simplify import expand, simplify

        everything = [loss, *outputs.values()]
        parameters = leaves_by_name(everything, "parameter")
        leaves_by_name(everything, "input", "parameter", "state")  # names are unique across kinds
        trainable = {name: node for name, node in parameters.items() if node.attrs["trainable"]}
        gradients = usual_gradients(loss, list(trainable.values()))
        training, *evaluated = simplify([loss, *inference(everything)])
        if accuracy != "off":
            training, *evaluated = improved([training, *evaluated], accuracy == "auto")
            gradients = improved(gradients, accuracy == "auto")
        reached = _reached(loss)
        trained = [(node, g) for node, g in zip(trainable.values(), gradients, strict=True) if node in reached]
        if not trained:
            raise UsageError("compile: the loss depends on no trainable parameter, so there is nothing to train")
        updates, self.hyper = optimizer.build([node for node, _ in trained], [g for _, g in trained])
        self.absent = {name: v for name, v in optimizer.hyperparameters().items() if name not in self.hyper}
        count, updates = len(updates), (*updates, *collect_updates([loss]))
        self.loss, self.trained, self.optimizer = loss, [node for node, _ in trained], optimizer
        values = dict(zip(["loss", *outputs], evaluated, strict=True))
        new_values = simplify([value for _, value in updates])
        self.updates = tuple(zip([node for node, _ in updates], new_values, strict=True))
        # A factor that cancels leaves no trace in the program. (The leaves of betas are betas[0] and betas[1].)
        occurring = {name.partition("[")[0] for name in leaves_by_name(new_values, "hyper")}
        self.absent |= {name: value for name, value in self.hyper.items() if name not in occurring}
        self.hyper = {name: value for name, value in self.hyper.items() if name in occurring}
        self.written = (*updates[:count], *self.updates[count:])
        entries = [
            Entry("step", {"loss": training}, self.updates),
            Entry("gradients", {LOSS: training, **dict(zip(trainable, gradients, strict=True))}),
            Entry("evaluate", values),
            *(Entry(f"predict_{name}", {name: values[name]}) for name in outputs),
        ]
        self.watched = Watched(entries[0], {str(node.name): gradient for node, gradient in trained})
        self.outputs = {name: about_output(values[name]) for name in outputs}
        self._expand = partial(expand, far_out=accuracy == "strict")
        self.module = Module("program", tuple(_expanded(e, self._expand) for e in entries), dict(capacity))
        self.batch = _batch(loss, self.module)
        self.leaves = leaves_by_name(
            [e for entry in entries for e in (*entry.outputs.values(), *(e for pair in entry.updates for e in pair))],
            "parameter",
            "state",
        )

    def module_with(self, entry: str) -> Module:
        """The module, with the entry added to it if that is a step that reports on itself."""
        if any(known.name == entry for known in self.module.entries):
            return self.module
        added = _expanded(self.watched.entry(entry), self._expand)
        return replace(self.module, entries=(*self.module.entries, added))

    def roots(self, entry: str) -> list[Expr]:
        """What an entry computes, expanded: its outputs, then its new values."""
        found = next(known for known in self.module.entries if known.name == entry)
        return [*found.outputs.values(), *(value for _, value in found.updates)]

    @property
    def names(self) -> dict[str, dict[str, str]]:
        """The user's names of parameters and of state, each with the buffer that holds it."""
        groups: dict[str, dict[str, str]] = {"parameter": {}, "state": {}}
        for name, node in self.leaves.items():
            groups[node.op][name] = name
        return groups


def _reached(loss: Expr) -> set[Expr]:
    """The nodes through which a derivative can come: what lies behind `stop_gradient` or an integer is not trained."""
    seen: set[Expr] = set()
    pending = [loss]
    while pending:
        node = pending.pop()
        if node not in seen and node.op != "stop_gradient" and node.dtype in (*dtypes.FLOATS, "tuple"):
            seen.add(node)
            pending.extend(node.args)
    return seen


def _batch(loss: Expr, module: Module) -> Batch | None:
    """The dimension of the rows: the first axis of the first input of the loss that has a named one."""
    from symnet.program.rows import joins

    for node in leaves_by_name([loss], "input").values():
        if node.shape and isinstance(dim := node.shape[0], str) and dim.isidentifier():
            entries = (entry for entry in module.entries if entry.name not in ("step", "gradients"))
            found = {e.name: dict(zip(e.outputs, joins(list(e.outputs.values()), dim), strict=True)) for e in entries}
            return Batch(dim, found)
    return None


def _expanded(entry: Entry, expand: Any) -> Entry:
    """The entry with composites replaced by what they are made of."""
    from codegen.spec import Entry

    roots = expand([*entry.outputs.values(), *(value for _, value in entry.updates)])
    count = len(entry.outputs)
    updates = tuple((node, value) for (node, _), value in zip(entry.updates, roots[count:], strict=True))
    return Entry(entry.name, dict(zip(entry.outputs, roots[:count], strict=True)), updates)


class _Compiler:
    """Compiles entries of a module one at a time; all share one layout of what persists."""

    def __init__(self, plan: Plan, backend: str, threads: int | None, target: str) -> None:
        if backend not in BACKENDS:
            raise UsageError(f"compile: there is no backend {backend!r}; known: {', '.join(BACKENDS)}")
        self.plan, self.backend, self.threads, self.target = plan, backend, threads, target

    def code(self, entry: str, profile: bool = False, capacity: Mapping[str, int] | None = None) -> Code:
        import codegen

        module = self.plan.module_with(entry)
        return codegen.compile(
            module if capacity is None else replace(module, capacity=dict(capacity)),
            only=(entry,),
            target=self.target,
            threads=self.threads,
            backend=self.backend,
            profile=profile,
        )


def _initialise(program: Program, plan: Plan, seed: int) -> None:
    """Give every parameter and state its initial value."""
    from symnet.nn.init import initial_value

    for name, node in plan.leaves.items():
        is_seed = node.op == "state" and name == SEED
        program.instance.write(name, np.asarray(seed, "int64") if is_seed else initial_value(node, seed))
