"""The picture's edges: every value that a formula needs is among what its symbol is said to be computed from."""

from __future__ import annotations

import pytest

import symnet as sn
from symnet.explain.derivation import Derivation
from symnet.expr.node import Expr
from symnet.report.clusters import clusters
from symnet.report.formulas import add_derivation
from symnet.report.symbols import MathTable, SymbolTable
from tests.symnet.explain.examples import EXAMPLES, losses
from tests.symnet.explain.programs import PROGRAMS


def check(derivation: Derivation) -> None:
    """Against the graph: from the node of each symbol down to the next nodes that are symbols."""
    table = SymbolTable(MathTable())
    add_derivation(table, derivation)
    loops = derivation.context.known.loops

    def symbol_of(node: Expr) -> int | None:
        carry = loops.carry(node)
        return table.by_node.get(node if carry is None else carry[0].new(carry[1]))

    assert table.entries
    for entry in table.entries:
        symbol, pending, seen = entry.symbol, list(loops.below(entry.node)), set[Expr]()
        while pending and symbol.formula is not None:
            node = pending.pop()
            used = symbol_of(node)
            if used == symbol.id:
                assert symbol.recurs
            elif used is not None:
                assert used in symbol.uses, (symbol.label, node)
            elif node not in seen:
                seen.add(node)
                pending += loops.below(node)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples(example: str) -> None:
    for loss, parameters in losses(example):
        check(sn.explain(loss, parameters))


@pytest.mark.parametrize("name", PROGRAMS)
def test_small_programs(name: str) -> None:
    check(sn.explain(*PROGRAMS[name]()))


def test_a_carried_value_that_needs_its_last_one_recurs() -> None:
    table = SymbolTable(MathTable())
    add_derivation(table, sn.explain(*PROGRAMS["lstm"]()))
    names = {table.math.entries[entry.symbol.name].text for entry in table.entries if entry.symbol.recurs}
    assert "cₜ" in names
    assert "hₜ" not in names, "through sₜ, which has an edge of its own"


def test_the_loss_is_in_no_layer() -> None:
    table = SymbolTable(MathTable())
    add_derivation(table, sn.explain(*PROGRAMS["mini_cnn"]()))
    assert clusters(table)
    (loss,) = [entry.symbol for entry in table.entries if entry.symbol.role == "loss"]
    assert loss.cluster is None
