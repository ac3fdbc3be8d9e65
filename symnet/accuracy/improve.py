"""The pass: chains and row functions that lose digits, wherever they stand in a graph, in a form that does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symnet.accuracy.chains import Chain, applied, of_shape
from symnet.accuracy.chains import suspects as chain_suspects
from symnet.accuracy.examine import Verdict, examine
from symnet.accuracy.examine_rows import examine_row
from symnet.accuracy.rows import Row, opened
from symnet.accuracy.rows import suspects as row_suspects
from symnet.expr.function import Function, bodies, with_bodies
from symnet.expr.node import Expr, label, rebuild
from symnet.expr.traverse import postorder


@dataclass(frozen=True, eq=False)
class Finding:
    """A chain or a row function of a graph, and the verdict on it."""

    part: Chain | Row
    verdict: Verdict

    @property
    def sources(self) -> tuple[Expr, ...]:
        return self.part.sources

    @property
    def after(self) -> Expr:
        return self.verdict.after

    def form(self, closed: Expr, sources: Sequence[Expr]) -> Expr:
        """A form of the closed part over values for its sources."""
        part = self.part
        return opened(closed, part, sources) if isinstance(part, Row) else applied(closed, sources)


def improved(roots: Sequence[Expr], training: bool = False, findings: list[Finding] | None = None) -> list[Expr]:
    """The roots with everything that loses digits computed in the best way that was found; the bodies of loops too.

    Chains come first, then functions of rows, in which the mended chains are.

    training  leave as they are what only loses digits that do not matter to training
    findings  collects what was found about every chain and row function that was looked at
    """
    seen: list[Finding] = [] if findings is None else findings
    chains = [Finding(chain, examine(chain.closed, chain.domains, training)) for chain in chain_suspects(roots)]
    mended = {id(f.part.root): f for f in chains if f.verdict.treatments}
    suspected = row_suspects(roots, lambda node: mended.get(id(node)), training)
    rows = [Finding(row, examine_row(row, training)) for row in suspected]
    mended |= {id(f.part.root): f for f in rows if f.verdict.treatments}
    seen += [*chains, *rows]
    order = postorder(roots)
    if not mended and not any(bodies(node) for node in order):
        return list(roots)
    inside: dict[Function, Function] = {}
    new: dict[int, Expr] = {}
    for node in order:
        finding = mended.get(id(node))
        if finding is None:
            copy = rebuild(node, [new[id(arg)] for arg in node.args])
            new[id(node)] = with_bodies(copy, lambda body: _improved_body(body, training, inside, seen))
        else:
            new[id(node)] = _in_place(finding, [new[id(source)] for source in finding.sources])
    return [new[id(root)] for root in roots]


def _improved_body(
    body: Function, training: bool, known: dict[Function, Function], findings: list[Finding]
) -> Function:
    if body not in known:
        known[body] = Function(body.parameters, improved(body.results, training, findings))
    return known[body]


def _in_place(finding: Finding, sources: Sequence[Expr]) -> Expr:
    """The mended part where it stands, with the name of the value that it computes."""
    root = finding.part.root
    value = of_shape(finding.form(finding.after, sources), root.shape)
    if root.name is not None and value.name is None:
        label(value, root.name)
    return value
