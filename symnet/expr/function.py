"""A closed graph as a value: the body of a loop.

A `Function` has parameters (nodes of the operation `arg`, numbered) and results, and refers to nothing else from
outside, so two functions with the same body are equal and can be attributes of hash-consed nodes. What the body of a
user's loop captured from outside is turned into further parameters by `symnet.ops.loops` before it is stored here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symnet.errors import CompilerBug
from symnet.expr.node import Expr, make
from symnet.expr.traverse import postorder, substitute


class Function:
    """`results` as a function of `parameters`; immutable, compared by structure."""

    __slots__ = ("parameters", "results")

    def __init__(self, parameters: Sequence[Expr], results: Sequence[Expr]) -> None:
        self.parameters = tuple(parameters)
        self.results = tuple(results)
        if any(p.op != "arg" or p.attrs["index"] != i for i, p in enumerate(self.parameters)):
            raise CompilerBug("the parameters of a Function are the nodes arg[0], arg[1], … in order")
        allowed = set(map(id, self.parameters))
        for node in postorder(self.results):
            if node.op in ("arg", "input", "parameter", "state", "hyper") and id(node) not in allowed:
                raise CompilerBug(f"the body of a Function refers to {node.op} {node.name!r} from outside")

    def __call__(self, *arguments: Expr) -> tuple[Expr, ...]:
        """The results with the parameters replaced by `arguments`."""
        if len(arguments) != len(self.parameters):
            raise CompilerBug(f"a Function of {len(self.parameters)} parameters got {len(arguments)} arguments")
        return tuple(substitute(self.results, dict(zip(self.parameters, arguments, strict=True))))

    def __hash__(self) -> int:
        return hash((tuple(map(id, self.parameters)), tuple(map(id, self.results))))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Function)
            and len(self.parameters) == len(other.parameters)
            and len(self.results) == len(other.results)
            and all(a is b for a, b in zip(self.parameters, other.parameters, strict=True))
            and all(a is b for a, b in zip(self.results, other.results, strict=True))
        )

    def __repr__(self) -> str:
        return f"<function of {len(self.parameters)} parameters, {len(self.results)} results>"


def bodies(node: Expr) -> dict[str, Function]:
    """The functions that a node applies, by the names of its settings: the body of a loop, the sides of a choice."""
    return {name: value for name, value in node.attrs.items() if isinstance(value, Function)}


def with_bodies(node: Expr, change: Callable[[Function], Function]) -> Expr:
    """The node with every function that it applies replaced by what `change` makes of it; itself if nothing changes."""
    old = bodies(node)
    new = {name: change(body) for name, body in old.items()}
    return node if new == old else make(node.declaration, node.args, {**node.attrs, **new})
