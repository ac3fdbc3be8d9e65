"""What an operation is: one declaration that everything else follows from.

An `Op` says how shape and dtype follow from the operands (`infer`), what it computes (`numpy`), how a cotangent flows
back (`pullback`) or a tangent forward (`linear`, `pushforward`), what it means in terms of other operations
(`define`, for composites) and on which operands its tests run (`samples`). Declaring it with `register` is all that is
needed: the text form, the derivative engine, the interpreter, the generated tests and the documentation page read the
registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from symnet.errors import CompilerBug, UnknownName, nearest

if TYPE_CHECKING:
    import numpy as np

    from symnet.expr.dims import Shape
    from symnet.expr.node import Expr

Kind = Literal["leaf", "scalar", "primitive", "composite"]
Sizes = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Op:
    """One operation.

    name       unique; what `Expr.op` holds and the text form prints.
    kind       `leaf` (no operands: inputs, parameters, constants), `scalar` (element by element, operands broadcast),
               `primitive` (codegen lowers it), `composite` (`define` gives its meaning; expanded before lowering).
    infer      (args, attrs) -> (shape, dtype); raises a SymnetError that says what was expected.
    numpy      (node, arrays, sizes) -> array: the meaning. `sizes` maps named dimensions to integers. A composite
               needs none (its definition is evaluated), but may have one that is better than its definition.
    pullback   (node, g) -> one cotangent (or None: no dependence) per operand, as expressions. Composites without one
               are differentiated through their definition. For a node that is a tuple (`scan`), g is a tuple with one
               cotangent (or None) for each item, and a pushforward returns such a tuple of tangents.
    linear     operands in which the operation is linear with the others fixed: forward mode applies the operation to
               the tangent. Multilinear operations list all.
    pushforward (node, tangents) -> tangent, for what is neither linear nor scalar; tangents may hold None.
    define     (node) -> expression with the node's meaning, on `node.args`.
    inference  (node) -> what the node means in evaluation, where that is not what it means in training (dropout, batch
               norm): `sn.inference` puts it in the node's place.
    updates    (node) -> pairs (state, new value) that a training step stores besides what the optimizer changes:
               running statistics, a counter. The new value is an expression of `node.args`, the state among them; where
               an earlier node of the graph changes the same state, it sees what that one made of it.
    cost       the work of one element of the result, in additions, or (node) -> the work of all; None: 1 for a scalar
               operation, 4 for others. It only serves to compare two forms of the same value.
    finite     whether finite operands always give a finite result.
    sign       "positive" or "nonnegative" whatever the operands are; "kept": as that of all operands, as in sums,
               products and moves of elements; None: any.
    reason     why its derivative is what it is: one sentence, or one for each operand.
    kink       what is chosen where the function has no derivative.
    notation   the name of the function in formulas; None: `name` (what is no function has a form in symnet.explain).
    samples    (rng) -> nodes that exercise the operation at odd sizes; the generated tests run over them.
    exempt     names of generated checks that do not apply, each with the reason.
    """

    name: str
    kind: Kind
    infer: Callable[[Sequence[Expr], Mapping[str, Any]], tuple[Shape, str]]
    numpy: Callable[[Expr, Sequence[np.ndarray], Sizes], np.ndarray] | None = None
    pullback: Callable[[Expr, Expr], Sequence[Expr | None]] | None = None
    linear: tuple[int, ...] = ()
    pushforward: Callable[[Expr, Sequence[Expr | None]], Expr | None] | None = None
    define: Callable[[Expr], Expr] | None = None
    inference: Callable[[Expr], Expr] | None = None
    updates: Callable[[Expr], Sequence[tuple[Expr, Expr]]] | None = None
    cost: float | Callable[[Expr], float] | None = None
    finite: bool = False
    sign: Literal["positive", "nonnegative", "kept"] | None = None
    reason: str | tuple[str, ...] = ""
    kink: str = ""
    notation: str | None = None
    samples: Callable[[np.random.Generator], Iterable[Expr]] | None = None
    exempt: Mapping[str, str] = field(default_factory=dict)
    doc: str = ""

    def __repr__(self) -> str:
        return f"<op {self.name}>"


REGISTRY: dict[str, Op] = {}


def register(op: Op) -> Op:
    """Make an operation known; each name is declared once."""
    if op.name in REGISTRY:
        raise CompilerBug(f"the operation {op.name!r} is declared twice")
    REGISTRY[op.name] = op
    return op


def lookup(name: str) -> Op:
    """The declaration of the operation `name`; `UnknownName` with the nearest one otherwise."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise UnknownName(f"there is no operation {name!r}{nearest(name, REGISTRY)}") from None
