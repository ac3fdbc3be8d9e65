"""Sums, means, extremes: over nothing, of what does not vary, through moved axes, and in terms of each other."""

from __future__ import annotations

from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.simplify.pattern import Family, attributes, computed, operation, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import (
    Axes,
    axes_before_reshape,
    constant_along,
    count_of,
    is_axis,
    is_count,
    kept_shape,
    left_order,
    merged_axes,
    moved_axes,
    reshaped,
    shape_of,
    squeezed,
    unit_axes,
    without_axes,
)
from symnet.simplify.vocabulary import (
    absolute,
    broadcast_to,
    cast,
    max_,
    mean,
    one_hot,
    place,
    reshape,
    softmax,
    square,
    sum_,
    transpose,
)

d, s, x, y = variables("d s x y")
A, B, K, L, P, S = attributes("A B K L P S")
var = operation("var")

reduction = Family("reduction", frozenset("sum prod max min mean any all".split()))
collapsing = Family("reduction", reduction.ops | {"logsumexp"})
orderless = Family("reduction", collapsing.ops | {"var"})
beside = Family("beside", frozenset("greater greater_equal less less_equal equal not_equal".split()))
linear = Family("linear", frozenset(("sum", "mean")))


@computed
def reduced_before_repeating(node: Expr, x: Expr, axes: Axes, keepdims: bool) -> Expr | None:
    """The reduction of `broadcast_to(x, …)` over `axes`, from `x`; it broadcasts to the shape of the node."""
    whole = node.args[0].shape
    full = reshaped(x, (1,) * (len(whole) - len(x.shape)) + x.shape)
    repeated = [whole[a] for a in axes if full.shape[a] == 1 and whole[a] != 1]
    if not repeated or node.op == "prod" or 0 in repeated:
        return None
    inner = make(node.declaration, (full,), {**node.attrs, "axes": axes, "keepdims": keepdims})
    if node.op != "sum":
        return inner
    return make(lookup("multiply"), (inner, count_of(repeated, node.dtype)))


@computed
def toggled(keepdims: bool, x: Expr, axes: Axes, shape: tuple[int, ...]) -> bool | None:
    """The other `keepdims`, if that gives the reduction of `x` over `axes` this shape."""
    wanted = without_axes(x.shape, axes) if keepdims else kept_shape(x.shape, axes)
    return not keepdims if wanted == shape else None


@computed
def any_left(x: Expr, axes: Axes) -> bool:
    """Whether the reduction leaves an axis; else it is one number, repeated under any shape."""
    return len(axes) < len(x.shape)


@computed
def placed_sum(node: Expr, x: Expr, axes: Axes, keepdims: bool) -> Expr:
    """The sum over `axes` of `x` placed among zeros: `x` summed, then placed along the axes that are left."""
    attrs = node.args[0].attrs
    inner = make(lookup("sum"), (x,), {"axes": axes, "keepdims": keepdims})
    if inner.shape == node.shape:
        return inner
    if keepdims:
        start = tuple(0 if a in axes else v for a, v in enumerate(attrs["start"]))
        step = tuple(1 if a in axes else v for a, v in enumerate(attrs["step"]))
    else:
        start, step = without_axes(attrs["start"], axes), without_axes(attrs["step"], axes)
    return make(lookup("place"), (inner,), {"start": start, "step": step, "shape": node.shape, "fill": attrs["fill"]})


@computed
def times_count(node: Expr, s: Expr) -> Expr:
    """What a sum (or mean) over the axes of `node` makes of `s` in every element."""
    if node.op == "mean":
        return s
    shape = node.args[0].shape
    return make(lookup("multiply"), (count_of([shape[a] for a in node.attrs["axes"]], node.dtype), s))


@computed
def operand(node: Expr) -> Expr:
    return node.args[0]


@computed
def centred(x: Expr, axes: Axes) -> Expr:
    """The distance from the mean, in float64: float32 numbers have no product that overflows there."""
    wide = make(lookup("cast"), (x,), {"dtype": "float64"})
    middle = make(lookup("mean"), (wide,), {"axes": axes, "keepdims": True})
    return make(lookup("subtract"), (wide, middle))


@computed
def type_of(x: Expr) -> str:
    return x.dtype


@computed
def same_shape(x: Expr, y: Expr) -> bool:
    return x.shape == y.shape


@computed
def over_last_axis(node: Expr) -> bool:
    """Whether a reduction is over the last axis alone."""
    return bool(node.attrs["axes"] == (len(node.args[0].shape) - 1,))


@computed
def reaches(x: Expr, node: Expr) -> bool:
    """Whether `x` has the whole shape of what `node` reduces, in rank and along the reduced axes, not all of size 1."""
    whole, axes = node.args[0].shape, node.attrs["axes"]
    return len(x.shape) == len(whole) and all(x.shape[a] == whole[a] for a in axes) and any(whole[a] != 1 for a in axes)


SHAPES = [
    rule("reduce-no-axes", collapsing(x, axes=()), x, reason="nothing is reduced"),
    rule("reduce-unit-axes", collapsing(x, axes=A), reshape(x, shape=shape_of(this)), condition=unit_axes(A, x),
         reason="each result is made of one element"),
    rule("reduce-twice", collapsing(collapsing(x, axes=A, keepdims=K), axes=B, keepdims=L),
         collapsing(x, axes=merged_axes(A, K, B, x), keepdims=L), reason="one reduction over the axes of both"),
    rule("reduce-repeated", reduction(broadcast_to(x, shape=S), axes=A, keepdims=K),
         reduced_before_repeating(this, x, A, K), reason="equal elements are counted instead of reduced"),
    rule("reduce-transposed", orderless(transpose(x, axes=P), axes=A, keepdims=K),
         transpose(orderless(x, axes=moved_axes(P, A), keepdims=K), axes=left_order(P, A, K)),
         reason="a reduction does not depend on the order of the axes"),
    rule("reduce-reshaped", orderless(reshape(x, shape=S), axes=A, keepdims=K),
         reshape(orderless(x, axes=axes_before_reshape(x, S, A), keepdims=False), shape=shape_of(this)),
         reason="the reduced axes are whole axes before the reshape too"),
    rule("keep-reduced-axes", reshape(orderless(x, axes=A, keepdims=K), shape=S),
         orderless(x, axes=A, keepdims=toggled(K, x, A, S)), condition=any_left(x, A),
         reason="the reduction itself can keep or drop its axes"),
    rule("sum-of-placed", sum_(place(x, fill=0), axes=A, keepdims=K), placed_sum(this, x, A, K),
         reason="the zeros around add nothing"),
]  # fmt: skip

SCALE = [
    rule("reduce-negative", linear(-x), -linear(x), reason="a sum of negatives is the negative of the sum"),
    rule("reduce-scaled", linear(s * x, axes=A, keepdims=K), squeezed(s, A, K, x) * linear(x),
         condition=(constant_along(s, A, x), reaches(x, this)),
         reason="a common factor comes out of a sum", when_cheaper=True),
    rule("reduce-divided", linear(x / s, axes=A, keepdims=K), linear(x) / squeezed(s, A, K, x),
         condition=(constant_along(s, A, x), reaches(x, this)),
         reason="a common divisor comes out of a sum", when_cheaper=True),
    rule("reduce-shifted", linear(x + s, axes=A, keepdims=K), linear(x) + times_count(this, squeezed(s, A, K, x)),
         condition=(constant_along(s, A, x), reaches(x, this)),
         reason="what is added to every element is added to the sum"),
    rule("reduce-shifted-down", linear(x - s, axes=A, keepdims=K), linear(x) - times_count(this, squeezed(s, A, K, x)),
         condition=(constant_along(s, A, x), reaches(x, this)),
         reason="what is added to every element is added to the sum"),
    rule("reduce-shifted-turned", linear(s - x, axes=A, keepdims=K),
         times_count(this, squeezed(s, A, K, x)) - linear(x),
         condition=(constant_along(s, A, x), reaches(x, this)),
         reason="what every element is taken from is counted as often"),
    rule("mean", sum_(x, axes=A, keepdims=K) / d, mean(x, axes=A, keepdims=K), condition=is_count(d, x, A),
         reason="the sum divided by the number of terms is the mean", in_chains=True),
    rule("sum-from-mean", mean(x, axes=A, keepdims=K) * d, sum_(x, axes=A, keepdims=K), condition=is_count(d, x, A),
         reason="the mean times the number of terms is the sum", in_chains=True),
]  # fmt: skip

SPECIAL = [
    rule("sum-of-one-hot", sum_(one_hot(y)), 1, condition=over_last_axis(this),
         assumption="every index is a class", reason="a one-hot vector has a single 1"),
    rule("sum-of-scaled-one-hot", sum_(one_hot(y) * s, axes=A, keepdims=K), squeezed(s, A, K, operand(this)),
         condition=(over_last_axis(this), constant_along(s, A, operand(this))),
         assumption="every index is a class", reason="a one-hot vector has a single 1"),
    rule("sum-of-divided-one-hot", sum_(one_hot(y) / s, axes=A, keepdims=K), 1 / squeezed(s, A, K, operand(this)),
         condition=(over_last_axis(this), constant_along(s, A, operand(this))),
         assumption="every index is a class", reason="a one-hot vector has a single 1"),
    rule("sum-of-softmax", sum_(softmax(x, axis=B), axes=A), 1, condition=is_axis(A, B),
         reason="probabilities sum to 1"),
    rule("is-sum-of-squares-0", beside(sum_(square(x), axes=A, keepdims=K), 0),
         beside(max_(absolute(x), axes=A, keepdims=K), 0), kind=stabilising,
         reason="squares add up to 0 where every element is 0, while those of small elements underflow to 0"),
    rule("is-square-0", beside(square(x), 0), beside(absolute(x), 0), kind=stabilising,
         reason="a square is 0 where its root is, while that of a small number underflows to 0"),
    rule("variance", mean(square(x - mean(x, axes=A, keepdims=True)), axes=A, keepdims=K),
         var(x, axes=A, keepdims=K, correction=0), reason="the mean squared distance from the mean is the variance"),
    rule("squares-about-mean", sum_(square(x), axes=A, keepdims=K) - d * square(mean(x, axes=A, keepdims=K)),
         d * var(x, axes=A, keepdims=K, correction=0), kind=stabilising, condition=is_count(d, x, A),
         reason="the variance from squared distances loses no digits to cancellation"),
    rule("squares-about-sum", sum_(square(x), axes=A, keepdims=K) - square(sum_(x, axes=A, keepdims=K)) / d,
         d * var(x, axes=A, keepdims=K, correction=0), kind=stabilising, condition=is_count(d, x, A),
         reason="the variance from squared distances loses no digits to cancellation"),
    rule("covariance-of-moments",
         mean(x * y, axes=A, keepdims=K) - mean(x, axes=A, keepdims=K) * mean(y, axes=A, keepdims=K),
         cast(mean(centred(x, A) * centred(y, A), axes=A, keepdims=K), dtype=type_of(x)), kind=stabilising,
         condition=same_shape(x, y),
         reason="the covariance from distances to the means loses no digits to cancellation"),
    rule("variance-of-moments", mean(square(x), axes=A, keepdims=K) - square(mean(x, axes=A, keepdims=K)),
         var(x, axes=A, keepdims=K, correction=0), kind=stabilising,
         reason="the variance from squared distances loses no digits to cancellation"),
]  # fmt: skip

RULES = [*SHAPES, *SCALE, *SPECIAL]
