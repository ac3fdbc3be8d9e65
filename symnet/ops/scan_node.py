"""Loops as nodes, and their derivatives.

A node `scan{body, consts, carries, length, reverse}` has the operands consts…, initial carries…, xs…; its body is a
Function (consts…, carries…, x slices…) -> (new carries…, ys…). The node is a tuple, of which `item{index}` selects the
final carries first and then the ys, stacked along a new first axis. `reverse` runs from the last slice to the first;
what a step gives stays at that step's place.

The pullback is itself a scan, run in the other direction over what the forward loop saw: the carries, and what is
cheaper to keep than to compute again. Where the loop does not give those as ys already, it is made again with them as
further ys; `symnet.ops.tidy` joins the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError
from symnet.expr import dims, dtypes
from symnet.expr.dims import Shape
from symnet.expr.function import Function, bodies
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, Sizes, register
from symnet.expr.traverse import postorder, substitute, users
from symnet.expr.work import size
from symnet.ops.coerce import arity, show
from symnet.ops.leaves import arg, input, number
from symnet.ops.shape import broadcast_to

# --- the nodes ---------------------------------------------------------------------------------------------------


def _infer_scan(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    body, consts, carries, length = attrs["body"], attrs["consts"], attrs["carries"], attrs["length"]
    if len(args) != len(body.parameters):
        raise ShapeError(f"got {len(args)} operands for a body of {len(body.parameters)} parameters")
    if len(body.results) < carries:
        raise ShapeError(f"the body has {len(body.results)} results for {carries} carries")
    for position, (node, parameter) in enumerate(zip(args, body.parameters, strict=True)):
        shape = node.shape
        if position >= consts + carries:
            if not shape or shape[0] != length:
                raise ShapeError(f"the loop runs over {length} slices of an array {show(node)}")
            shape = shape[1:]
        if (shape, node.dtype) != (parameter.shape, parameter.dtype):
            raise ShapeError(f"operand {position} is {show(node)}, its parameter in the body is {show(parameter)}")
    for position, result in enumerate(body.results[:carries]):
        parameter = body.parameters[consts + position]
        if (result.shape, result.dtype) != (parameter.shape, parameter.dtype):
            raise ShapeError(f"carry {position} begins as {show(parameter)} and becomes {show(result)}")
    return (), "tuple"


def _infer_item(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    arity(args, 1)
    node, index = args[0], attrs["index"]
    if node.dtype != "tuple":
        raise DTypeError(f"the operand is {node.op}, expected a tuple (a loop or a choice)")
    results = results_of(node)
    if not 0 <= index < len(results):
        raise ShapeError(f"the tuple has {len(results)} items, got index {index}")
    result = results[index]
    stacked = node.op == "scan" and index >= node.attrs["carries"]
    lead = (node.attrs["length"],) if stacked else ()
    return (*lead, *result.shape), result.dtype


def _numpy_scan(node: Expr, arrays: Sequence[np.ndarray], sizes: Sizes) -> Any:
    """A tuple of arrays: the one value that is no array."""
    from symnet.ops.interpret import run

    body, consts, carries = node.attrs["body"], node.attrs["consts"], node.attrs["carries"]
    length = dims.evaluate(node.attrs["length"], sizes)
    carry = list(arrays[consts : consts + carries])
    ys = [
        np.zeros((length, *dims.evaluate_shape(y.shape, sizes)), y.dtype) for y in body.results[carries:]
    ]  # fmt: skip
    steps = range(length - 1, -1, -1) if node.attrs["reverse"] else range(length)
    for step in steps:
        slices = [xs[step] for xs in arrays[consts + carries :]]
        values = [*arrays[:consts], *carry, *slices]
        bound = dict(zip(body.parameters, map(np.asarray, values), strict=True))
        results = run(body.results, bound, sizes)
        carry = results[:carries]
        for y, value in zip(ys, results[carries:], strict=True):
            y[step] = value
    return (*carry, *ys)


def _numpy_item(node: Expr, arrays: Sequence[Any], sizes: Sizes) -> np.ndarray:
    return np.asarray(arrays[0][node.attrs["index"]])


def results_of(node: Expr) -> tuple[Expr, ...]:
    """The results of the function that gives the items of a tuple: of the body of a loop, of a side of a choice."""
    return next(iter(bodies(node).values())).results


def item(node: Expr, index: int) -> Expr:
    """One of the items of a tuple; those of a loop are the final carries, then the ys."""
    return make(ITEM, (node,), {"index": index})


def items(node: Expr) -> list[Expr]:
    """All items of a tuple."""
    return [item(node, index) for index in range(len(results_of(node)))]


# --- derivatives -------------------------------------------------------------------------------------------------


def _differentiable(node: Expr) -> bool:
    return node.dtype in dtypes.FLOATS


def _zeros(shape: Shape, dtype: str) -> Expr:
    return broadcast_to(number(0, dtype), shape)


def _pull_scan(node: Expr, g: Any) -> list[Expr | None]:
    """Backpropagation through time. `g` holds a cotangent (or None) for each item.

    The reverse loop carries the cotangents of the carries and sums those of the consts; its xs are the carries saved
    before each step, the slices, the cotangents of the ys, and other values kept of each step; its ys are the
    cotangents of the slices.
    """
    from symnet.derive.reverse import pullback

    body, consts, carries = node.attrs["body"], node.attrs["consts"], node.attrs["carries"]
    length, parameters, results = node.attrs["length"], body.parameters, body.results
    flows = [i for i, p in enumerate(parameters) if _differentiable(p)]
    const_flows = [i for i in flows if i < consts]
    carry_flows = [i for i in flows if consts <= i < consts + carries]
    slice_flows = [i for i in flows if i >= consts + carries]
    fed = [i for i in range(carries, len(results)) if g[i] is not None]

    # Parameters of the reverse body: consts, sums for consts, cotangents of carries, then slices.
    new = Parameters()
    seen = [new.like(p) for p in parameters[:consts]]
    sums = [new.like(parameters[i]) for i in const_flows]
    above = [new.like(parameters[i]) for i in carry_flows]
    before = [new.like(p) for p in parameters[consts : consts + carries]]
    slices = [new.like(p) for p in parameters[consts + carries :]]
    incoming = [new.like(results[i]) for i in fed]

    now = [*seen, *before, *slices]
    inside = postorder(results)
    step = dict(zip(inside, substitute(inside, dict(zip(parameters, now, strict=True))), strict=True))
    cotangents: list[Expr | None] = [None] * len(results)
    for i, value in zip(carry_flows, above, strict=True):
        cotangents[i - consts] = value
    for i, value in zip(fed, incoming, strict=True):
        cotangents[i] = value
    wanted = [now[i] for i in (*const_flows, *carry_flows, *slice_flows)]
    found = pullback([step[result] for result in results], cotangents, wanted)
    kept = _worth_keeping(node, step, found)
    read = [new.like(value) for value in kept]
    found = substitute(found, dict(zip((step[value] for value in kept), read, strict=True)))
    saved = _from_each_step(node, [*parameters[consts : consts + carries], *kept])
    split = len(const_flows)
    reverse_body = Function(new.made, [*(s + f for s, f in zip(sums, found[:split], strict=True)), *found[split:]])
    start = [_zeros(parameters[i].shape, parameters[i].dtype) for i in const_flows]
    ends = [
        given if (given := g[i - consts]) is not None else _zeros(parameters[i].shape, parameters[i].dtype)
        for i in carry_flows
    ]
    operands = [*node.args[:consts], *start, *ends, *saved[:carries], *node.args[consts + carries :]]
    operands += [*(g[i] for i in fed), *saved[carries:]]
    loop = make(
        SCAN,
        operands,
        {
            "body": reverse_body,
            "consts": consts,
            "carries": len(const_flows) + len(carry_flows),
            "length": length,
            "reverse": not node.attrs["reverse"],
        },
    )
    outcome: list[Expr | None] = [None] * len(parameters)
    for index, i in enumerate((*const_flows, *carry_flows, *slice_flows)):
        outcome[i] = item(loop, index)
    return outcome


def _worth_keeping(node: Expr, step: Mapping[Expr, Expr], needed: Sequence[Expr]) -> list[Expr]:
    """The values of the body (keys of `step`, which holds them as the reverse step has them) that the cotangents
    `needed` should read from the forward loop: its results, which are there anyway, and sums of products.

    A sum of products is kept as it is after what is added to it, and only where it is not much larger than the carries.
    """
    body, consts, carries = node.attrs["body"], node.attrs["consts"], node.attrs["carries"]
    varying = _depending(body.results, body.parameters[consts:])
    origin = {step[value]: value for value in varying if value.op != "arg"}
    used = users(needed)

    there = [result for result in body.results if step[result] in origin and step[result] in used]
    limit = LARGEST_KEPT * sum(_elements(carry.shape) for carry in body.results[:carries])
    products = []
    for value in postorder(needed, boundary=[step[result] for result in there]):
        if value.op == "contract" and value in origin:
            while len(set(used[value])) == 1 and used[value][0].op in ("add", "subtract") and used[value][0] in origin:
                value = used[value][0]
            if _elements(value.shape) <= limit:
                products.append(origin[value])
    return list(dict.fromkeys([*there, *products]))


LARGEST_KEPT = 8
"""How many times the size of all carries a sum of products may have that is kept of every step."""


def _depending(results: Sequence[Expr], parameters: Sequence[Expr]) -> set[Expr]:
    """The nodes under `results` that depend on any of the parameters, and these."""
    varying = set(parameters)
    for node in postorder(results):
        if any(operand in varying for operand in node.args):
            varying.add(node)
    return varying


def _elements(shape: Shape) -> float:
    """The number of elements, where a named dimension counts as 64."""
    return prod(d if isinstance(d, int) else sum(c * 64 ** len(names) for names, c in dims.terms(d)) for d in shape)


def _from_each_step(node: Expr, wanted: Sequence[Expr]) -> list[Expr]:
    """Values of the body at every step, stacked: from the loop if it gives them, else from the loop made again."""
    body, carries = node.attrs["body"], node.attrs["carries"]
    given = {id(result): i for i, result in reversed(list(enumerate(body.results))) if i >= carries}
    missing = [value for value in wanted if id(value) not in given]
    loop = node
    if missing:
        loop = make(SCAN, node.args, {**node.attrs, "body": Function(body.parameters, [*body.results, *missing])})
        given.update({id(value): len(body.results) + i for i, value in enumerate(missing)})
    return [item(loop, given[id(value)]) for value in wanted]


def _push_scan(node: Expr, tangents: Sequence[Expr | None]) -> Any:
    """The loop with tangents carried along: a tuple with one tangent (or None) for each item."""
    from symnet.derive.forward import pushforward

    body, consts, carries = node.attrs["body"], node.attrs["consts"], node.attrs["carries"]
    parameters, results = body.parameters, body.results
    moving = [
        i for i, p in enumerate(parameters)
        if _differentiable(p) and (tangents[i] is not None or consts <= i < consts + carries)
    ]  # fmt: skip
    sections = (range(consts), range(consts, consts + carries), range(consts + carries, len(parameters)))
    new, now, changes, operands = Parameters(), {}, {}, []
    for section in sections:
        for i in section:
            now[i] = new.like(parameters[i])
            operands.append(node.args[i])
        for i in section:
            if i in moving:
                changes[i] = new.like(parameters[i])
                given = tangents[i]
                operands.append(given if given is not None else _zeros(node.args[i].shape, node.args[i].dtype))
    forward = body(*(now[i] for i in range(len(parameters))))
    flowing = [i for i, r in enumerate(results) if _differentiable(r)]
    moved = pushforward([forward[i] for i in flowing], [now[i] for i in moving], [changes[i] for i in moving])
    carried = [k for k, i in enumerate(flowing) if i < carries]
    given_out = [k for k, i in enumerate(flowing) if i >= carries]
    outputs = [*forward[:carries], *(moved[k] for k in carried), *forward[carries:], *(moved[k] for k in given_out)]
    loop = make(
        SCAN,
        operands,
        {
            **node.attrs,
            "body": Function(new.made, outputs),
            "consts": consts + len([i for i in moving if i < consts]),
            "carries": carries + len(carried),
        },
    )
    place = {flowing[k]: carries + n for n, k in enumerate(carried)}
    place.update({flowing[k]: len(results) + len(carried) + n for n, k in enumerate(given_out)})
    return tuple(item(loop, place[i]) if i in place else None for i in range(len(results)))


class Parameters:
    """The parameters of a Function that is being built, in the order in which they are asked for."""

    def __init__(self) -> None:
        self.made: list[Expr] = []

    def like(self, node: Expr) -> Expr:
        self.made.append(arg(len(self.made), node.shape, node.dtype))
        return self.made[-1]


def _samples(rng: np.random.Generator) -> list[Expr]:
    from symnet.ops.conditional import samples
    from symnet.ops.loops import scan
    from symnet.ops.products import matmul
    from symnet.ops.scalar import tanh

    w, h = input("w", (3, 3), "float64"), input("h", (2, 3), "float64")
    xs, named = input("xs", (4, 2, 3), "float64"), input("xs", ("T", 2, 3), "float64")

    def cell(state: Expr, x: Expr) -> tuple[Expr, Expr]:
        new = tanh(matmul(state, w) + x)
        return new, new * x

    ys, last = scan(cell, h, xs)
    back, first = scan(cell, h, named, reverse=True)
    (_, final) = scan(lambda pair, _: (pair[1], pair[0] * 0.5 + pair[1]), (h, h * 2.0), length=3)
    return [ys, last, back, first, final[0], final[1], *samples()]


SCAN = register(
    Op(
        name="scan",
        kind="primitive",
        infer=_infer_scan,
        numpy=_numpy_scan,
        pullback=_pull_scan,
        pushforward=_push_scan,
        cost=lambda node: size(node.attrs["length"]) * 100.0,
        reason="backpropagation through time: the loop runs in reverse, carrying the cotangent of its carries",
        doc="A loop that applies its body along an axis, carrying values from step to step.",
    )
)
ITEM = register(
    Op(
        name="item",
        kind="primitive",
        infer=_infer_item,
        numpy=_numpy_item,
        samples=_samples,
        cost=0.0,
        finite=True,
        sign="kept",
        doc="One item of a tuple: of a loop the final carries come first, then what was kept at each step.",
    )
)
