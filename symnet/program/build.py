"""From expressions to a `Program`: what the cache does not hold is derived and handed to the code generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from numbers import Integral
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.collecting import uncollected
from symnet.expr.node import Expr
from symnet.ops.random import SEED, numbered
from symnet.ops.usually import exactly
from symnet.program.about import About, Output
from symnet.program.choices import check_accuracy, check_precision, tuning_seconds
from symnet.program.convert import to_dtype
from symnet.program.definition import Definition, Facts
from symnet.program.names import batch_dim, check_capacity
from symnet.program.plan import Plan
from symnet.program.program import Batch, Program
from symnet.runtime.code import Code
from symnet.runtime.instance import Compile

if TYPE_CHECKING:
    from codegen.choices import Choices
    from codegen.spec import Deferred, Module
    from symnet.optim import Optimizer
    from symnet.program.rows import Join
    from symnet.runtime.instance import Instance
    from symnet.runtime.tuning import Tuning

BACKENDS = ("llvm", "numpy")
SEEDS = 1 << 63


@uncollected()
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
    tune: bool | float = False,
    precision: str = "float32",
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
    tune       True, or a number of seconds (True: 30): measure other ways to run each kernel of the training step, and
               keep what is faster; results stay the same to the bit. `prog.tuning` tells what was found. It is kept in
               the cache: tuning the same program again takes no time. See docs/tuning.md
    precision  "float32"; "highest": convolutions are plain sums of products, which are about twice as exact and
               take two to four times as long as those that go by tiles; or "bf16": factors of large float32 matrix
               products are rounded to bfloat16 where they are multiplied; their sums and all else, parameters too, stay
               float32. Faster where the processor has instructions for it. See docs/numerics.md

    Parts are compiled when they are first used: the training step now, evaluation and prediction when asked for.
    """
    from symnet.nn.init import initial_value, zeros

    _check_kinds(optimizer, outputs, batch, seed)
    accuracy = check_accuracy(accuracy, "compile")
    precision = check_precision(precision, "compile", dtype)
    seconds = tuning_seconds(tune, backend, "compile")
    outputs = dict(outputs or {})
    _check(loss, outputs)
    roots = numbered([loss, *outputs.values()])
    if dtype is not None:
        roots = to_dtype(roots, dtype)
    capacity = check_capacity(batch or {}, roots)

    def defined(roots: Sequence[Expr]) -> _Compiler:
        named = dict(zip(outputs, roots[1:], strict=True))
        definition = Definition(roots[0], named, optimizer, capacity, accuracy, precision)
        return _Compiler(definition, backend, threads, target, seconds)

    def for_unusual_data() -> tuple[Compile, Batch | None, About]:
        other = defined(exact)
        other.tuning = compiler.tuning
        return other.code, other.batch, other.about

    exact = exactly(roots)
    compiler = defined(roots)
    program = Program(
        compiler.code, capacity, list(outputs), compiler.names, compiler.hyper, int(seed), check_finite,
        compiler.batch, compiler.about, compiler.absent, None if all(map(is_, exact, roots)) else for_unusual_data,
    )  # fmt: skip
    for name, node in compiler.leaves.items():
        if node.op == "state" and name == SEED:
            program.instance.write(name, np.asarray(seed, "int64"))
        elif node.attrs["init"] != zeros():  # which new memory is, without taking pages before they are needed
            program.instance.write(name, initial_value(node, int(seed)))
    if seconds:
        program.tuning = compiler.tuned("step", program.instance)
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


class _Compiler:
    """Compiles the entries of a definition one at a time; all share one layout of what persists.

    What the cache holds is taken from there: nothing is derived until something is wanted that was never compiled.
    """

    def __init__(self, definition: Definition, backend: str, threads: int | None, target: str, seconds: float) -> None:
        """`seconds` may be spent on tuning; what was found before is used from the start."""
        if backend not in BACKENDS:
            raise UsageError(f"compile: there is no backend {backend!r}; known: {', '.join(BACKENDS)}")
        self.definition, self.backend, self.threads, self.target = definition, backend, threads, target
        self.seconds = seconds
        self.tuning = self._known_tuning("step") if seconds else None
        facts = Facts.of(self._facts())
        self.leaves = {name: definition.leaves[name] for name in facts.leaves}
        self.hyper = {name: value for name, value in definition.hyper.items() if name in facts.hyper}
        known = definition.optimizer.hyperparameters()
        self.absent = {name: value for name, value in known.items() if name not in self.hyper}
        outputs = {name: Output(frozenset(used), share) for name, (used, share) in facts.outputs.items()}
        self.about = About(definition.in_order(facts.inputs), outputs, lambda: self.plan, lambda: Plan(definition))
        dim = batch_dim(definition.loss)
        self.batch = None if dim is None else Batch(dim, _Joins(lambda entry: self._joins(entry, dim)))

    def _facts(self) -> Any:
        """What is kept of `Facts`; where it is not known, nothing is, and all that a first step needs is found now."""
        import codegen

        def facts() -> Any:
            return self._remembered("facts", lambda: asdict(self.plan.facts()))

        if self.definition.key is not None and self.backend == "llvm":
            module = self._module("step", self.definition.capacity)
            codegen.compile_apart(f"{self.definition.key} facts", facts, module, "step", self.target, self._choices)
        return facts()

    @cached_property
    def plan(self) -> Plan:
        """All expressions that are compiled."""
        return Plan(self.definition)

    @property
    def names(self) -> dict[str, dict[str, str]]:
        """The user's names of parameters and of state, each with the buffer that holds it."""
        groups: dict[str, dict[str, str]] = {"parameter": {}, "state": {}}
        for name, node in self.leaves.items():
            groups[node.op][name] = name
        return groups

    @uncollected()
    def code(self, entry: str, profile: bool = False, capacity: Mapping[str, int] | None = None) -> Code:
        import codegen

        return codegen.compile(
            self._module(entry, self.definition.capacity if capacity is None else capacity),
            only=(entry,),
            target=self.target,
            threads=self.threads,
            backend=self.backend,
            profile=profile,
            choices=self._choices,
        )

    @property
    def _choices(self) -> Choices | None:
        """What tuning has decided."""
        return None if self.tuning is None else self.tuning[1]

    def _module(self, entry: str, capacity: Mapping[str, int]) -> Module | Deferred:
        """A module that has the entry, as late as possible."""
        from codegen.spec import Deferred

        sizes = dict(capacity)

        def module() -> Module:
            return replace(self.plan.module_with(entry), capacity=sizes)

        key = self.definition.key
        return module() if key is None else Deferred(f"{key} {sorted(sizes.items())}", module)

    def _known_tuning(self, entry: str) -> tuple[Tuning, Choices] | None:
        """What tuning has found before."""
        import codegen

        module = self._module(entry, self.definition.capacity)
        return codegen.known_tuning(module, entry, self.seconds, self.target, self.threads)

    def tuned(self, entry: str, instance: Instance) -> Tuning:
        """Tune an entry, unless that was done before; `instance`, on which it runs, gets the code that was found."""
        import codegen

        if self.tuning is None:
            module = self._module(entry, self.definition.capacity)
            self.tuning = codegen.tune(module, entry, instance.snapshot(), self.seconds, self.target, self.threads)
            instance.replace(self.code(entry))
        return self.tuning[0]

    def _joins(self, entry: str, dim: str) -> Mapping[str, Join]:
        """How the outputs of an entry on all rows follow from those on pieces."""
        from symnet.program.rows import joins

        def found() -> dict[str, Join]:
            outputs = self.plan.module.prepared(self.plan.entry(entry)).outputs
            return dict(zip(outputs, joins(list(outputs.values()), dim), strict=True))

        known: Mapping[str, Join] = self._remembered(f"joins {entry}", found)
        return known

    def _remembered(self, what: str, make: Callable[[], Any]) -> Any:
        """Plain data that follows from the definition."""
        import codegen

        key = self.definition.key
        return make() if key is None else codegen.remembered(f"{key} {what}", make)


class _Joins(dict[str, "Mapping[str, Join]"]):
    """Entry -> its joins, found when they are first asked for."""

    def __init__(self, find: Callable[[str], Mapping[str, Join]]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, entry: str) -> Mapping[str, Join]:
        return self.setdefault(entry, self._find(entry))
