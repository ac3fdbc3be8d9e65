"""Forward mode: how a change of some values changes the others.

An operation says how a tangent passes it by `pushforward`, or by being `linear` in its operand; a composite is followed
through its definition. For every other operation the tangent is obtained by pulling back twice: the pullback of the
node is linear in its cotangent u, and transposing that linear map once more gives the pushforward. Because it is
linear, u does not occur in the result, so nothing is computed for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from symnet.derive.build import (
    Boundary,
    apply,
    carries_derivative,
    depends,
    item_count,
    placeholder,
    postorder_above,
    total,
    zeros_like,
)
from symnet.derive.reverse import Cotangent, _pullback, contributions
from symnet.errors import CompilerBug
from symnet.expr.node import Expr, make

Tangent = Expr | tuple[Expr | None, ...]


def pushforward(outputs: Sequence[Expr], wrt: Sequence[Expr], tangents: Sequence[Expr | None]) -> list[Expr]:
    """For each output, sum over `wrt` of (d output / d node) · tangent, of the output's shape and type.

    A tangent has the shape and type of its node; None is a zero. This is the transpose of `reverse.pullback`: a node of
    `wrt` that depends on another one moves by its own tangent and by what the other passes on to it.
    """
    found = _pushforward(outputs, wrt, tangents, boundary=frozenset())
    return [
        tangent if isinstance(tangent, Expr) else zeros_like(output)
        for output, tangent in zip(outputs, found, strict=True)
    ]


def _pushforward(
    outputs: Sequence[Expr], wrt: Sequence[Expr], tangents: Sequence[Tangent | None], boundary: Boundary
) -> list[Tangent | None]:
    order = postorder_above(outputs, boundary)
    active = depends(order, wrt, boundary)
    known: dict[int, Tangent] = {
        id(node): tangent for node, tangent in zip(wrt, tangents, strict=True) if tangent is not None
    }
    for node in order:
        if id(node) in active and node not in boundary:
            tangent, own = _tangent(node, [known.get(id(arg)) for arg in node.args]), known.get(id(node))
            if isinstance(tangent, Expr) and isinstance(own, Expr):
                known[id(node)] = total([own, tangent])
            elif tangent is not None:
                known[id(node)] = tangent
    return [known.get(id(output)) for output in outputs]


def _tangent(node: Expr, tangents: Sequence[Tangent | None]) -> Tangent | None:
    if all(tangent is None for tangent in tangents):
        return None
    declaration = node.declaration
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
    if node.op == "item":
        items = tangents[0]
        index: int = node.attrs["index"]
        assert isinstance(items, tuple)
        return items[index]
    if declaration.pushforward is not None:
        pushed: Tangent | None = declaration.pushforward(node, tangents)  # type: ignore[arg-type]
        return pushed
    if set(moving) <= set(declaration.linear):
        return total([_replace(node, i, tangents[i]) for i in moving])
    if declaration.pullback is None and declaration.define is not None:
        return _through_definition(node, tangents)
    return _by_two_pullbacks(node, tangents)


def _replace(node: Expr, operand: int, tangent: Tangent | None) -> Expr:
    args = list(node.args)
    assert isinstance(tangent, Expr)
    args[operand] = tangent
    return make(node.declaration, args, node.attrs)


def _through_definition(node: Expr, tangents: Sequence[Tangent | None]) -> Tangent | None:
    assert node.declaration.define is not None
    moving = {arg: tangent for arg, tangent in zip(node.args, tangents, strict=True) if tangent is not None}
    definition = node.declaration.define(node)
    return _pushforward([definition], list(moving), list(moving.values()), boundary=set(node.args))[0]


def _by_two_pullbacks(node: Expr, tangents: Sequence[Tangent | None]) -> Tangent | None:
    """The tangent of `node` as the transpose of its pullback."""
    placeholders = _placeholders(node)
    cotangent: Cotangent = placeholders[0] if node.dtype != "tuple" else _as_items(node, placeholders)
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
    back = contributions(node, cotangent, {id(node.args[i]) for i in moving}, None)
    pairs = [(back[i], tangents[i]) for i in moving if back[i] is not None]
    results = _pullback(
        [pulled for pulled, _ in pairs],  # type: ignore[misc]
        [tangent for _, tangent in pairs],  # type: ignore[misc]
        placeholders,
        None,
        boundary={*node.args, node, *placeholders},
    )
    _check_linear(node, results, placeholders)
    return results[0] if node.dtype != "tuple" else _as_items(node, results)


def _placeholders(node: Expr) -> list[Expr]:
    """One cotangent for each floating-point value that `node` gives."""
    if node.dtype != "tuple":
        return [placeholder(node.shape, node.dtype)]
    values = [apply("item", node, index=i) for i in range(item_count(node))]
    return [placeholder(value.shape, value.dtype) for value in values if carries_derivative(value)]


def _as_items(node: Expr, values: Sequence[Expr]) -> tuple[Expr | None, ...]:
    """`values`, one for each floating-point item of a tuple-valued node, with None at the other items."""
    remaining = iter(values)
    items = [apply("item", node, index=i) for i in range(item_count(node))]
    return tuple(next(remaining) if carries_derivative(item) else None for item in items)


def _check_linear(node: Expr, results: Sequence[Expr], placeholders: Sequence[Expr]) -> None:
    inside = {id(n) for n in postorder_above(results, {*node.args, node})}
    if any(id(placeholder) in inside for placeholder in placeholders):
        raise CompilerBug(f"{node.op}: its pullback is not linear in the cotangent")
