"""How scalar functions are declared.

A scalar function acts element by element on operands that broadcast. Its declaration holds a SymPy formula, from which
`python -m symnet.ops.generate_scalars` writes `scalar_table.py`: the derivative in our own operations, the expansion
into functions of the loop program. A declaration may give its own evaluation form (`stable`) where floating
point needs another way than the formula, and its own derivative where the one SymPy finds is numerically worse; tests
hold both to the formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symnet.errors import CompilerBug, DTypeError, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.ops.coerce import Accepts, operands
from symnet.ops.leaves import Operand

Partial = Callable[..., Expr]
"""`(g, y, *operands) -> Expr`: the cotangent g times the derivative with respect to one operand; y is the node."""


@dataclass(frozen=True, eq=False, repr=False)
class ScalarOp(Op):
    """A scalar function; calling it builds a node.

    arity       number of operands.
    accepts     what becomes of other types: see `symnet.ops.coerce.operands`.
    loop        the function of the loop program that computes it; None: it expands (`define`).
    formula     (sympy, *symbols) -> SymPy expression: what the function is.
    stable      (*operands) -> expression: how it is evaluated, when not as the formula reads.
    derivative  one `Partial` (None: zero) for each operand; an empty tuple: taken from the generated table.
    domain      where the formula is real and finite, as an interval for each operand; tests draw from it.
    """

    arity: int = 1
    accepts: Accepts = "number"
    loop: str | None = None
    formula: Callable[..., Any] | None = None
    stable: Callable[..., Expr] | None = None
    derivative: tuple[Partial | None, ...] = ()
    domain: tuple[tuple[float, float], ...] = ()

    def __call__(self, *values: Operand) -> Expr:
        if len(values) != self.arity:
            raise ShapeError(f"{self.name}: got {len(values)} operands, expected {self.arity}")
        first = values[0]
        if (
            type(first) is Expr
            and first.dtype in dtypes.FLOATS
            and self.accepts != "bool"
            and (self.arity == 1 or all(type(v) is Expr and v.dtype == first.dtype for v in values))
        ):
            return make(self, values)  # type: ignore[arg-type]
        return make(self, operands(self.name, values, self.accepts))

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def partials(self) -> Sequence[Partial | None]:
        """The derivative with respect to each operand, as functions of (g, y, *operands)."""
        if self.derivative:
            return self.derivative
        from symnet.ops.scalar_table import DERIVATIVES

        if self.name not in DERIVATIVES:
            raise CompilerBug(
                f"{self.name}: no derivative in scalar_table.py; run python -m symnet.ops.generate_scalars"
            )
        return DERIVATIVES[self.name]


def scalar(
    name: str,
    numpy: Callable[..., Any] | None = None,
    *,
    result: str | None = None,
    infer: Callable[[Sequence[Expr], Mapping[str, Any]], tuple[Shape, str]] | None = None,
    **fields: Any,
) -> ScalarOp:
    """Declare and register a scalar function; `numpy` computes it, `result` is its dtype if not the operands' one."""
    arity = fields.setdefault("arity", 1)
    fields.setdefault("samples", lambda rng: scalar_samples(op, rng))
    expands = numpy is None
    op: ScalarOp = ScalarOp(
        name=name,
        kind="scalar",
        infer=infer or (lambda args, attrs: _infer(args, arity, fields.get("accepts", "number"), result)),
        numpy=None if numpy is None else _on_arrays(numpy),
        pullback=lambda node, g: pull_back(node, g, op.partials()),
        pushforward=lambda node, tangents: push_forward(node, tangents, op.partials()),
        define=(lambda node: _expand(op, node)) if expands else None,
        **fields,
    )
    register(op)
    return op


def pull_back(node: Expr, g: Expr, partials: Sequence[Partial | None]) -> list[Expr | None]:
    """The cotangents of a scalar node's operands, summed over the axes along which the operands were broadcast."""
    from symnet.ops.reduce import unbroadcast

    return [
        None
        if partial is None or operand.dtype not in dtypes.FLOATS
        else unbroadcast(partial(g, node, *node.args), operand.shape)
        for partial, operand in zip(partials, node.args, strict=True)
    ]


def push_forward(node: Expr, tangents: Sequence[Expr | None], partials: Sequence[Partial | None]) -> Expr | None:
    """The tangent of a scalar node: the sum of its partial derivatives times the operands' tangents."""
    from symnet.ops.scalar import add
    from symnet.ops.shape import broadcast_to

    total: Expr | None = None
    for partial, tangent in zip(partials, tangents, strict=True):
        if partial is not None and tangent is not None:
            term = partial(tangent, node, *node.args)
            total = term if total is None else add(total, term)
    return None if total is None else broadcast_to(total, node.shape)


def _infer(args: Sequence[Expr], arity: int, accepts: Accepts, result: str | None) -> tuple[Shape, str]:
    if len(args) != arity:
        raise ShapeError(f"got {len(args)} operands, expected {arity}")
    shape, dtype = args[0].shape, args[0].dtype
    for position in range(1, arity):
        node = args[position]
        if node.dtype != dtype:
            raise DTypeError(
                f"operand {position} is {node.dtype}, operand 0 is {dtype}; expected equal types (use cast)"
            )
        if node.shape != shape:
            shape = dims.broadcast(*(a.shape for a in args))
    if not _permitted(dtype, accepts):
        raise DTypeError(f"operands are {dtype}, expected {_EXPECTED[accepts]}")
    return shape, result or dtype


_EXPECTED = {"float": "float32 or float64", "number": "numbers", "bool": "bool", "any": "arrays"}


def _permitted(dtype: str, accepts: Accepts) -> bool:
    if accepts == "float":
        return dtype in dtypes.FLOATS
    if accepts == "bool":
        return dtype == "bool"
    return dtype != "tuple" and (accepts == "any" or dtype != "bool")


def _on_arrays(function: Callable[..., Any]) -> Callable[[Expr, Sequence[np.ndarray], Sizes], np.ndarray]:
    return lambda node, arrays, sizes: np.asarray(function(*arrays), node.dtype)


def _expand(op: ScalarOp, node: Expr) -> Expr:
    if op.stable is not None:
        return op.stable(*node.args)
    from symnet.ops.scalar_table import EXPANSIONS

    if op.name not in EXPANSIONS:
        raise CompilerBug(f"{op.name}: no expansion in scalar_table.py; run python -m symnet.ops.generate_scalars")
    return EXPANSIONS[op.name](*node.args)


def scalar_samples(op: ScalarOp, rng: np.random.Generator) -> list[Expr]:
    """Applications at odd and broadcasting shapes, on every accepted type."""
    from symnet.ops.leaves import input

    every = {"float": ("float64", "float32"), "bool": ("bool",), "number": ("float64", "float32", "int64")}
    types = every.get(op.accepts, ("float64", "float32", "int32", "bool"))
    shapes: list[list[Shape]] = [[(5, 3)] * op.arity, [("N", 3), (3,), (1, 1), (1, 3)][: op.arity], [()] * op.arity]
    return [op(*(input("abcdef"[i], s, dtype) for i, s in enumerate(group))) for dtype in types for group in shapes]
