"""Makes the document of a program: formulas, derivations, code, and the links between them."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import Unsupported
from symnet.explain import explain
from symnet.expr import dims
from symnet.expr.lineage import Lineage, recording
from symnet.expr.node import Expr
from symnet.report.clusters import clusters
from symnet.report.code import Code
from symnet.report.derivations import Steps
from symnet.report.formulas import Gradients, add_derivation
from symnet.report.model import Document, Kernel, Parameter, Symbol
from symnet.report.provenance import Ownership
from symnet.report.roofline import Limits, bounded, measured
from symnet.report.symbols import MathTable, SymbolTable
from symnet.report.updates import add_updates
from symnet.runtime.native import NativeCode

if TYPE_CHECKING:
    from codegen.provenance import Listings
    from symnet.explain.derivation import Derivation
    from symnet.program.plan import Plan
    from symnet.program.program import Program
    from symnet.runtime.arrays import Array
    from symnet.runtime.profile import Profile

ENTRY = "step"


def document(
    program: Program, title: str = "Training step", measure: bool | Mapping[str, object] = False
) -> dict[str, Any]:
    """Everything about the training step of a program, as JSON data (`SCHEMA.md`).

    measure  True: run the step on made-up inputs of the compiled sizes and give the time of every kernel; or the inputs
             to run it on. What the program holds stays as it is.

    Needs the `llvm` backend: the reference interpreter has no machine code.
    """
    import codegen

    code = program.code(ENTRY)
    if not isinstance(code, NativeCode):
        raise Unsupported("report: the numpy backend has no machine code to show; compile with backend='llvm'")
    with recording() as lineage:
        plan = program.about.plan()
        derivation = explain(plan.loss, wrt=plan.trained)
        listings = codegen.listings(plan.module, ENTRY, code.metadata["target"]["name"])
    formulas = _Formulas(derivation, lineage)
    formulas.legend += add_updates(formulas.table, derivation, plan)
    table, came_from = formulas.table, lineage.ancestors()
    named = [*((entry.symbol.id, entry.node) for entry in table.entries), *table.also]
    owners = Ownership(
        plan.roots(ENTRY), _with_copied(named, came_from), _with_copied(table.inside, came_from), lineage
    )
    parts = Code(listings, owners)
    profile = _profile(program, measure) if measure else None
    kernels, limits = parts.kernels(code.threads(ENTRY)), _limits(code, profile)
    kernels = bounded(kernels if profile is None else measured(kernels, profile), limits)
    found = formulas.document(title, _meta(program, plan, listings, profile), _updated(formulas.table, plan))
    return replace(
        found,
        symbols=_with_kernels(formulas.table, kernels),
        kernels=kernels,
        loops=parts.loops(),
        llvm=parts.llvm(),
        asm=parts.asm(),
        memory=parts.memory(_leaves(formulas.table, code.metadata)),
        machine=limits.machine(code.threads(ENTRY), kernels, listings.arena),
    ).data()


def derivation_document(derivation: Derivation, title: str = "Derivation") -> dict[str, Any]:
    """What a derivation alone tells: its formulas and steps, and no code."""
    with recording() as lineage:  # the same steps once more, watched
        again = explain(derivation.loss, wrt=derivation.wrt)
    formulas = _Formulas(again, lineage)
    return formulas.document(title, {"entry": "", "dtype": again.loss.dtype, "sizes": {}, **_versions()}, {}).data()


class _Formulas:
    """The part of a document that does not need a program."""

    def __init__(self, derivation: Derivation, lineage: Lineage) -> None:
        self.math = MathTable()
        self.table = SymbolTable(self.math)
        self.gradients: Gradients = add_derivation(self.table, derivation)
        self.legend = list(derivation.legend)
        self.steps = Steps(derivation, lineage, self.math)

    def document(self, title: str, meta: Mapping[str, Any], updates: Mapping[int, int]) -> Document:
        """The formulas, once all symbols are known; `updates` gives the new value's symbol of a parameter's."""
        found = self.gradients
        layers = clusters(self.table)
        rows = zip(found.variables, found.gradients, found.where, self.steps.own, self.steps.own_moves, strict=True)
        return Document(
            title=title,
            meta=meta,
            math=self.math.entries,
            symbols=self.table.symbols,
            clusters=layers,
            parameters=[
                Parameter(variable, gradient, updates.get(variable), where, steps, moves)
                for variable, gradient, where, steps, moves in rows
            ],
            steps=self.steps.steps,
            moves=self.steps.moves,
            legend=[(self.math.add(left), self.math.add(right)) for left, right in self.legend],
        )


def _with_copied(
    pairs: Sequence[tuple[int, Expr]], came_from: Mapping[Expr, Sequence[Expr]]
) -> Iterator[tuple[int, Expr]]:
    """Symbols and nodes, and of those in loops also the nodes of the body, of which formulas have copies."""
    for number, node in pairs:
        yield number, node
        yield from ((number, before) for before in came_from.get(node, ()))


# --- links --------------------------------------------------------------------------------------------------------


def _with_kernels(table: SymbolTable, kernels: list[Kernel]) -> list[Symbol]:
    """The symbols with the kernels that compute them; a view of another value has that one's."""
    own: dict[int, list[int]] = {}
    for kernel in kernels:
        for number in kernel.symbols:
            own.setdefault(number, []).append(kernel.id)
    for entry in table.entries:
        symbol = entry.symbol
        if symbol.formula is None or symbol.id in own:
            table.update(symbol.id, kernels=own.get(symbol.id, []))
            continue
        seen = sorted({kernel for used in symbol.uses for kernel in table.entries[used].symbol.kernels})
        table.update(symbol.id, kernels=seen if len(symbol.uses) == 1 else [], note=_VIEW if seen else _GONE)
    return table.symbols


_VIEW = "The same numbers under another shape or name: nothing is computed."
_GONE = "Nothing is computed for it alone."


def _updated(table: SymbolTable, plan: Plan) -> dict[int, int]:
    """For the symbol of each parameter that of its new value."""
    new = dict(plan.written)
    return {
        table.by_node[node]: table.by_node[new[node]]
        for node in plan.trained
        if node in table.by_node and new.get(node) in table.by_node
    }


def _leaves(table: SymbolTable, metadata: Mapping[str, Any]) -> dict[str, int]:
    """The symbols of parameters, state, inputs and hyperparameters, by the names of their buffers."""
    known = {str(entry.node.name): entry.symbol.id for entry in table.entries if not entry.node.args}
    return {b["buffer"]: known[b["name"]] for b in metadata["buffers"] if b["name"] in known}


# --- what it was made of and runs on ------------------------------------------------------------------------------


def _meta(program: Program, plan: Plan, listings: Listings, profile: Profile | None) -> dict[str, Any]:
    target = listings.target
    return {
        "entry": ENTRY,
        "backend": "llvm",
        "target": target.name,
        "cpu": target.cpu,
        "triple": target.triple,
        "dtype": plan.loss.dtype,
        "sizes": dict(program.capacity),
        "optimizer": type(plan.optimizer).__name__,
        "parameters": sum(int(np.prod(dims.evaluate_shape(node.shape, program.capacity))) for node in plan.trained),
        "step_us": None if profile is None else profile.step,
        **_versions(),
    }


def _versions() -> dict[str, str]:
    from symnet import __version__

    return {"version": __version__, "python": platform.python_version()}


def _limits(code: NativeCode, profile: Profile | None) -> Limits:
    """What the machine can do; its peak is that of the profile, if there is one."""
    import codegen

    def flops(threads: int, dtype: str) -> float:
        known = profile is not None and threads == profile.machine.threads and profile.machine.flops.get(dtype)
        return known or codegen.top_flops(code.run_native, threads, dtype)

    return Limits(flops, lambda threads, size: codegen.top_bandwidth(code.run_native, threads, size))


def _profile(program: Program, measure: bool | Mapping[str, object]) -> Profile:
    inputs = measure if isinstance(measure, Mapping) else made_up(program)
    return program.profile(ENTRY, **inputs)


def made_up(program: Program) -> dict[str, Array]:
    """Inputs of the compiled sizes that any program takes: normal numbers, zeros for whole numbers."""
    rng = np.random.default_rng(0)
    found: dict[str, Array] = {}
    for name, (shape, dtype) in program.signature.items():
        size = dims.evaluate_shape(shape, program.capacity)
        found[name] = rng.standard_normal(size).astype(dtype) if dtype.startswith("float") else np.zeros(size, dtype)
    return found
