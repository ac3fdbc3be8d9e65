"""`each_member`: an operation applied to every member of a stack, which keeps its other meanings.

Most operations become operations on one more axis (`symnet.derive.batch`). One that means something else in inference,
or that stores something in training, would lose that if it were followed through its definition; this composite keeps
it: its inference and its updates are those of the operation, for every member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import Unsupported
from symnet.expr import dtypes
from symnet.expr.dims import Dim, Shape
from symnet.expr.function import Function
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, lookup, register
from symnet.expr.traverse import substitute
from symnet.ops.leaves import arg, input
from symnet.ops.reduce import sum

__all__: list[str] = []


def members(node: Expr, stacked: Sequence[Expr | None], size: Dim) -> Expr:
    """`node` for every member; `stacked` are its operands with an axis of members before their own, None for those
    that are the same for all."""
    parameters = [arg(i, operand.shape, operand.dtype) for i, operand in enumerate(node.args)]
    body = Function(parameters, [make(node.declaration, parameters, node.attrs)])
    operands = [own if value is None else value for own, value in zip(node.args, stacked, strict=True)]
    attrs = {"body": body, "stacked": tuple(value is not None for value in stacked), "size": size}
    return make(EACH_MEMBER, operands, attrs)


def _infer(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    (result,) = attrs["body"].results
    return (attrs["size"], *result.shape), result.dtype


def _for_each(node: Expr, exprs: Sequence[Expr], more: Mapping[Expr, Expr] | None = None) -> list[Expr]:
    """Expressions of the body's parameters, for every member."""
    from symnet.derive.batch import batch

    operands = dict(zip(node.attrs["body"].parameters, node.args, strict=True))
    own = {p: a for (p, a), stacked in zip(operands.items(), node.attrs["stacked"], strict=True) if stacked}
    same = {p: a for p, a in operands.items() if p not in own}
    found = batch(exprs, {**own, **(more or {})}, node.attrs["size"])
    return substitute(found, same)


def _define(node: Expr) -> Expr:
    (single,) = node.attrs["body"].results
    own = single.declaration
    if own.inference is None and own.updates is None:
        return _for_each(node, [single])[0]  # what the operation became in inference
    assert own.define is not None
    return _for_each(node, [own.define(single)])[0]


def _inference(node: Expr) -> Expr:
    (single,) = node.attrs["body"].results
    inference = single.declaration.inference
    return node if inference is None else _for_each(node, [inference(single)])[0]


def _updates(node: Expr) -> list[tuple[Expr, Expr]]:
    (single,) = node.attrs["body"].results
    if single.declaration.updates is None:
        return []
    places = {p: i for i, p in enumerate(single.args)}
    pairs = [(places[state], value) for state, value in single.declaration.updates(single)]
    if not all(node.attrs["stacked"][i] for i, _ in pairs):
        raise Unsupported(
            f"{single.op}: its running statistics are shared by members that see different data, so there is no one "
            "value to store; give every member its own (sn.nn.Ensemble)"
        )
    values = _for_each(node, [value for _, value in pairs])
    return [(node.args[i], value) for (i, _), value in zip(pairs, values, strict=True)]


def _pullback(node: Expr, g: Expr) -> list[Expr | None]:
    from symnet.derive.build import placeholder
    from symnet.derive.reverse import pullback

    body, stacked = node.attrs["body"], node.attrs["stacked"]
    (single,) = body.results
    cotangent = placeholder(single.shape, single.dtype)
    flows = [i for i, parameter in enumerate(body.parameters) if parameter.dtype in dtypes.FLOATS]
    back = pullback([single], [cotangent], [body.parameters[i] for i in flows])
    result: list[Expr | None] = [None] * len(node.args)
    for i, value in zip(flows, _for_each(node, back, {cotangent: g}), strict=True):
        result[i] = value if stacked[i] else sum(value, 0)
    return result


def _samples(rng: np.random.Generator) -> list[Expr]:
    made = []
    for name in ("batch_norm", "rrelu"):
        declared = lookup(name).samples
        assert declared is not None
        node = next(iter(declared(rng)))
        many = [input(f"stacked{i}", (2, *own.shape), own.dtype) for i, own in enumerate(node.args)]
        made.append(members(node, [*many[:-1], None], 2))
    return made


EACH_MEMBER: Op = register(
    Op(
        name="each_member",
        kind="composite",
        infer=_infer,
        define=_define,
        pullback=_pullback,
        inference=_inference,
        updates=_updates,
        samples=_samples,
        doc="An operation applied to every member of a stack; its inference and its updates are those of each member.",
    )
)
