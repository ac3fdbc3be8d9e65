"""`cond` and `switch`: one of several computations runs, the others do not.

A node `cond{then, otherwise}` has the operands pred, operands…; both settings are Functions of the operands with
results of the same shapes and types. The node is a tuple, of which `item{index}` selects a result. Its derivative is a
choice by the same condition, so the derivative too runs for one side alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dtypes
from symnet.expr.dims import Shape
from symnet.expr.function import Function
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.ops.coerce import show, to_expr
from symnet.ops.leaves import Operand
from symnet.ops.loops import close, fresh_arguments
from symnet.ops.scalar import less, not_equal
from symnet.ops.scan_node import Parameters, item, items
from symnet.ops.tree import Tree, flatten, restore

__all__ = ["cond", "switch"]


def cond(pred: Operand, true_fn: Callable[..., Tree], false_fn: Callable[..., Tree], *operands: Tree) -> Tree:
    """`true_fn(*operands)` where `pred` holds, else `false_fn(*operands)`; only the chosen one is computed.

    pred      a scalar: a condition, or a number that is compared with 0
    operands  expressions or tuples, lists or dicts of such; the functions may use any expression from outside, too
    Both functions return the same form with the same shapes and types (`ShapeError`, `DTypeError`).

    `sn.where` chooses element by element, and computes both sides. Under `sn.vmap` a condition that differs from member
    to member becomes a `where`.
    """
    condition = _condition(pred)
    arguments, form_of_operands = flatten("cond: operands", operands)
    own = fresh_arguments((node.shape, node.dtype) for node in arguments)
    given = restore(form_of_operands, own) or ()
    then, form = flatten("cond: the result", true_fn(*given))
    otherwise, other_form = flatten("cond: the result", false_fn(*given))
    if form != other_form:
        raise UsageError("cond: the two functions return values of different forms; expected the same")
    for position, (a, b) in enumerate(zip(then, otherwise, strict=True)):
        if a.dtype != b.dtype:
            raise DTypeError(f"cond: result {position} is {show(a)} if true and {show(b)} if false; cast one of them")
        if a.shape != b.shape:
            raise ShapeError(f"cond: result {position} is {show(a)} if true and {show(b)} if false; expected one shape")
    whole, captured = close(own, [*then, *otherwise])
    count = len(then)
    branches = {
        "then": Function(whole.parameters, whole.results[:count]),
        "otherwise": Function(whole.parameters, whole.results[count:]),
    }
    return restore(form, items(make(COND, (condition, *captured, *arguments), branches)))


def switch(index: Operand, branches: Sequence[Callable[..., Tree]], *operands: Tree) -> Tree:
    """`branches[index](*operands)`, for an integer scalar; an index outside is moved to the nearest end."""
    position = to_expr(index, "switch")
    if position.shape or position.dtype not in dtypes.INTS:
        raise DTypeError(f"switch: the index is {show(position)}, expected an integer scalar")
    if not branches:
        raise UsageError("switch: got no branches, expected at least one")
    if len(branches) == 1:
        return branches[0](*operands)
    middle = len(branches) // 2
    return cond(
        less(position, middle),
        lambda *given: switch(position, branches[:middle], *given),
        lambda *given: switch(position - middle, branches[middle:], *given),
        *operands,
    )


def _condition(pred: Operand) -> Expr:
    node = to_expr(pred, "cond")
    if node.shape:
        raise ShapeError(f"cond: the condition is {show(node)}, expected a scalar; sn.where chooses for each element")
    return node if node.dtype == "bool" else not_equal(node, 0)


# --- the node ----------------------------------------------------------------------------------------------------


def _infer(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    then, otherwise = attrs["then"], attrs["otherwise"]
    if not args or args[0].shape or args[0].dtype != "bool":
        raise DTypeError("the first operand is the condition, a bool without axes")
    for side in (then, otherwise):
        if [(p.shape, p.dtype) for p in side.parameters] != [(a.shape, a.dtype) for a in args[1:]]:
            raise ShapeError("the operands are not those of the functions")
    if [(r.shape, r.dtype) for r in then.results] != [(r.shape, r.dtype) for r in otherwise.results]:
        raise ShapeError("the results of the functions have different types")
    return (), "tuple"


def _numpy(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> Any:
    """A tuple of arrays."""
    from symnet.ops.interpret import run

    side: Function = node.attrs["then" if arrays[0] else "otherwise"]
    return tuple(run(side.results, dict(zip(side.parameters, arrays[1:], strict=True)), sizes))


def _pullback(node: Expr, g: Any) -> list[Expr | None]:
    """A choice between the cotangents of the two sides; `g` holds a cotangent (or None) for each result."""
    from symnet.derive.reverse import pullback

    condition, *operands = node.args
    flows = [i for i, operand in enumerate(operands) if operand.dtype in dtypes.FLOATS]
    fed = [i for i, cotangent in enumerate(g) if cotangent is not None]

    def backward(side: Function) -> Function:
        new = Parameters()
        own = [new.like(p) for p in side.parameters]
        incoming = [new.like(side.results[i]) for i in fed]
        results = side(*own)
        return Function(new.made, pullback([results[i] for i in fed], incoming, [own[i] for i in flows]))

    sides = {name: backward(node.attrs[name]) for name in ("then", "otherwise")}
    found = items(_choice(condition, [*operands, *(g[i] for i in fed)], sides))
    result: list[Expr | None] = [None] * len(node.args)
    for place, cotangent in zip(flows, found, strict=True):
        result[place + 1] = cotangent
    return result


def _pushforward(node: Expr, tangents: Sequence[Expr | None]) -> Any:
    """A choice between the tangents of the two sides: a tuple with one (or None) for each result."""
    from symnet.derive.forward import pushforward

    condition, *operands = node.args
    moving = [i for i, tangent in enumerate(tangents[1:]) if tangent is not None]
    flows = [i for i, result in enumerate(node.attrs["then"].results) if result.dtype in dtypes.FLOATS]

    def forward(side: Function) -> Function:
        new = Parameters()
        own = [new.like(p) for p in side.parameters]
        changes = [new.like(side.parameters[i]) for i in moving]
        results = side(*own)
        return Function(new.made, pushforward([results[i] for i in flows], [own[i] for i in moving], changes))

    sides = {name: forward(node.attrs[name]) for name in ("then", "otherwise")}
    changes = [tangent for tangent in tangents[1:] if tangent is not None]
    found = _choice(condition, [*operands, *changes], sides)
    places = {result: item(found, k) for k, result in enumerate(flows)}
    return tuple(places.get(i) for i in range(len(node.attrs["then"].results)))


def _choice(condition: Expr, operands: Sequence[Expr], sides: Mapping[str, Function]) -> Expr:
    """The node for two functions of the operands, of which those that are constants are put into the functions."""
    fixed = [_is_constant(operand) for operand in operands]
    rest = [operand for operand, known in zip(operands, fixed, strict=True) if not known]

    def closed(side: Function) -> Function:
        new = Parameters()
        given = [o if known else new.like(o) for o, known in zip(operands, fixed, strict=True)]
        return Function(new.made, side(*given))

    return make(COND, (condition, *rest), {name: closed(side) for name, side in sides.items()})


def _is_constant(node: Expr) -> bool:
    while node.op in ("broadcast_to", "reshape"):
        node = node.args[0]
    return node.op == "constant"


def samples() -> list[Expr]:
    """Results of choices, for the tests of `item`."""
    from symnet.ops.leaves import input
    from symnet.ops.scalar import exp, tanh

    x, y = input("x", (2, 3), "float64"), input("y", ("N",), "float64")
    pred = input("pred", (), "bool")
    first, second = cond(pred, lambda a: (tanh(a), a * y[0]), lambda a: (a * a, exp(a)), x)
    return [first, second, cond(less(y[0], 1.0), lambda: y * 2.0, lambda: exp(y) * x[0, 0])]


COND = register(
    Op(
        name="cond",
        kind="primitive",
        infer=_infer,
        numpy=_numpy,
        pullback=_pullback,
        pushforward=_pushforward,
        reason="the derivative of the side that was chosen",
        doc="One of two functions of the operands, chosen by a condition.",
    )
)
