"""`vmap`: from a function of one example to the same function of many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from symnet.derive.batch import Batching
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.ops.arrange import moveaxis
from symnet.ops.coerce import axis_of
from symnet.ops.loops import fresh_arguments
from symnet.ops.random import for_members, marker
from symnet.ops.tree import Tree, flatten, restore

Axes = Any
"""An axis, None for what is the same for all, or a tuple, list or dict of such in the form of the arguments."""


def vmap(
    fn: Callable[..., Tree],
    in_axes: Axes = 0,
    out_axes: Axes = 0,
    *,
    size: Dim | None = None,
    randomness: Literal["different", "same"] = "different",
) -> Callable[..., Tree]:
    """A function that does for every member of its arguments what `fn` does for one, in one computation.

    fn          a function of expressions, or of tuples, lists and dicts of them
    in_axes     the axis of each argument along which its members lie, or None for an argument that is the same for all:
                one number for all arguments, or one for each, itself a number or in the form of the argument
    out_axes    where the axis of the members goes in what `fn` returns; None: what is the same for all has no such axis
    size        the number of members; needed only when every axis is None
    randomness  whether what `fn` draws (`sn.random`, dropout) is drawn for each member or once for all

    Arguments given by keyword have their members along axis 0. Values that `fn` takes from outside are the same for
    all. `sn.vmap` may be nested; loops, choices and derivatives inside `fn` are fine. Gradients for each example:

        per_example = sn.vmap(lambda xi, yi: sn.grad(loss_of(xi, yi), weights), in_axes=0)(x, y)
    """
    if not callable(fn):
        raise DTypeError(f"vmap: got a {type(fn).__name__}, expected a function of expressions")
    if randomness not in ("different", "same"):
        raise UsageError(f"vmap: randomness is {randomness!r}, expected 'different' or 'same'")

    def of_members(*arguments: Tree, **named: Tree) -> Tree:
        return mapped(fn, arguments, named, in_axes, out_axes, size, randomness == "different", {})

    return of_members


def mapped(
    fn: Callable[..., Tree],
    arguments: Sequence[Tree],
    named: Mapping[str, Tree],
    in_axes: Axes,
    out_axes: Axes,
    size: Dim | None,
    different: bool,
    stacked: Mapping[Expr, Expr],
) -> Tree:
    """What `vmap` returns, for these arguments; `stacked` has more values that differ from member to member, each with
    the values of all members along an axis in front."""
    given = (tuple(arguments), dict(named))
    nodes, form = flatten("vmap: the arguments", given)
    positional = in_axes if in_axes is None or isinstance(in_axes, int) else tuple(in_axes)
    if isinstance(positional, tuple) and len(positional) != len(arguments):
        raise UsageError(f"vmap: in_axes has {len(positional)} entries for {len(arguments)} arguments")
    axes = [*_spread(positional, _form(form, 0), "in_axes"), *_spread(0, _form(form, 1), "in_axes")]
    places = [
        None if axis is None else axis_of("vmap", axis, node.ndim) for node, axis in zip(nodes, axes, strict=True)
    ]
    count = _size(nodes, places, size)
    many = [(node, place) for node, place in zip(nodes, places, strict=True) if place is not None]
    own = fresh_arguments((node.shape[:place] + node.shape[place + 1 :], node.dtype) for node, place in many)
    members = iter(own)
    seen = restore(form, [node if place is None else next(members) for node, place in zip(nodes, places, strict=True)])
    start = marker()
    results, result_form = flatten("vmap: the result", fn(*(seen[0] or ()), **(seen[1] or {})))
    replaced = {one: moveaxis(node, place, 0) for one, (node, place) in zip(own, many, strict=True)}
    batching = Batching(count, (lambda node: for_members(node, start, count)) if different else None)
    values = batching.values(results, {**replaced, **stacked})
    out = _spread(out_axes, result_form, "out_axes")
    return restore(result_form, [_placed(batching, *parts) for parts in zip(results, values, out, strict=True)])


def _form(form: Any, side: int) -> Any:
    return form[side] if form else ()


def _spread(axes: Axes, form: Any, what: str) -> list[int | None]:
    """The axis of every expression in a tree; one axis for a part of the tree is that of all in it."""
    if axes is None or (isinstance(axes, int) and not isinstance(axes, bool)):
        return [axes] * _count(form)
    if isinstance(axes, dict) and isinstance(form, dict) and set(axes) == set(form):
        return [axis for key in form for axis in _spread(axes[key], form[key], what)]
    if isinstance(axes, (tuple, list)) and isinstance(form, (tuple, list)) and len(axes) == len(form):
        return [axis for pair in zip(axes, form, strict=True) for axis in _spread(*pair, what)]
    raise UsageError(f"vmap: {what} has {axes!r}, which is neither an axis nor of the form of the values there")


def _count(form: Any) -> int:
    """How many expressions a tree of this form holds."""
    if form is None:
        return 1
    return sum(map(_count, form.values() if isinstance(form, dict) else form))


def _size(nodes: Sequence[Expr], places: Sequence[int | None], size: Dim | None) -> Dim:
    """The number of members, on which all arguments agree."""
    sizes = [node.shape[place] for node, place in zip(nodes, places, strict=True) if place is not None]
    sizes = list(dict.fromkeys([*sizes, *([] if size is None else [dims.canonical(size)])]))
    if len(sizes) != 1:
        raise ShapeError(
            f"vmap: the axes of the members have the sizes {', '.join(map(str, sizes))}; expected one size"
            if sizes
            else "vmap: no argument has an axis of members; give the number of members as `size`"
        )
    return sizes[0]


def _placed(batching: Batching, result: Expr, value: Expr | None, axis: int | None) -> Expr:
    """A result with the axis of the members where it is wanted."""
    if axis is None:
        if value is not None:
            raise UsageError("vmap: out_axes is None for a result that differs from member to member")
        return result
    return moveaxis(batching.repeated(result, value), 0, axis)
