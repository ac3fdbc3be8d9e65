"""The pass: chains that lose digits, wherever they stand in a graph, in a form that does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symnet.accuracy.chains import Chain, applied, suspects
from symnet.accuracy.examine import Verdict, examine
from symnet.errors import UsageError, nearest
from symnet.expr.dims import Shape
from symnet.expr.function import Function, bodies, with_bodies
from symnet.expr.node import Expr, label, rebuild
from symnet.expr.traverse import postorder
from symnet.ops.shape import broadcast_to

CHOICES = ("auto", "strict", "off")


@dataclass(frozen=True, eq=False)
class Finding:
    """A chain of a graph and the verdict on it."""

    chain: Chain
    verdict: Verdict


def check_choice(choice: object, where: str) -> str:
    """The `accuracy=` of a front door."""
    if choice not in CHOICES:
        raise UsageError(
            f"{where}: accuracy is {choice!r}, expected 'auto', 'strict' or 'off'{nearest(str(choice), CHOICES)}"
        )
    return str(choice)


def improved(roots: Sequence[Expr], training: bool = False, findings: list[Finding] | None = None) -> list[Expr]:
    """The roots with every chain that loses digits computed in the best way that was found; the bodies of loops too.

    training  leave chains as they are that only lose digits which do not matter to training
    findings  collects what was found about every chain that was looked at
    """
    seen: list[Finding] = [] if findings is None else findings
    found = [Finding(chain, examine(chain.closed, chain.domains, training)) for chain in suspects(roots)]
    seen += found
    mended = {id(f.chain.root): f for f in found if f.verdict.treatments}
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
            new[id(node)] = _in_place(finding, [new[id(source)] for source in finding.chain.sources])
    return [new[id(root)] for root in roots]


def _improved_body(
    body: Function, training: bool, known: dict[Function, Function], findings: list[Finding]
) -> Function:
    if body not in known:
        known[body] = Function(body.parameters, improved(body.results, training, findings))
    return known[body]


def _in_place(finding: Finding, sources: Sequence[Expr]) -> Expr:
    """The mended chain where it stands, with the name of the value that it computes."""
    root = finding.chain.root
    value = _of_shape(applied(finding.verdict.after, sources), root.shape)
    if root.name is not None and value.name is None:
        label(value, root.name)
    return value


def _of_shape(value: Expr, shape: Shape) -> Expr:
    return value if value.shape == shape else broadcast_to(value, shape)
