"""Exponentials, logarithms and the functions made of them: sigmoid, softplus, tanh.

Most of these are stabilising: the hand-written form overflows, or subtracts nearly equal numbers.
"""

from __future__ import annotations

from symnet.expr.dims import Shape
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.log_sums import weighted_logsumexp as weighted_logsumexp_of
from symnet.simplify.facts import above_zero, is_nonnegative, is_positive, logs_well, nonnegative
from symnet.simplify.logarithms import (
    blends,
    both_underflow,
    exponentials_below,
    factors_out,
    grows,
    holds_no,
    scaled_power,
    shifted_quotient,
    sums_exponentials,
    sums_plainly,
    two_powers,
)
from symnet.simplify.pattern import Family, attributes, computed, constants, this, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.tables.selection import masks
from symnet.simplify.vocabulary import (
    bernoulli_logit_nll,
    bernoulli_nll,
    cos,
    erf,
    exp,
    expm1,
    greater,
    log,
    log1p,
    log_blend,
    log_cosh,
    log_sigmoid,
    log_softmax,
    logaddexp,
    logsumexp,
    minimum,
    power,
    sigmoid,
    silu,
    sin,
    softmax,
    softplus,
    square,
    sum_,
    tanh,
    where,
    xlog1py,
    xlogy,
)

m, s, t, w, x, y, z = variables("m s t w x y z")
(c,) = constants("c")
A, B, K = attributes("A B K")
move = Family("move", frozenset(("reshape", "transpose", "slice", "broadcast_to")))


def are_opposite(x: Expr, y: Expr) -> bool:
    """Whether `y` is written as the negative of `x`: with a sign, turned round, or with one in a factor of both."""
    for _ in range(4):
        if (y.op == "negative" and y.args[0] is x) or (x.op == "negative" and x.args[0] is y):
            return True
        if x.op == y.op == "constant" and not x.shape and not y.shape:
            return bool(x.attrs["value"] == -y.attrs["value"])
        if x.op != y.op or x.op not in ("subtract", "multiply", "divide"):
            return False
        if x.op == "subtract":
            return x.args[0] is y.args[1] and x.args[1] is y.args[0]
        same = [one is other for one, other in zip(x.args, y.args, strict=True)]
        if sum(same) != 1:
            return False
        x, y = x.args[same.index(False)], y.args[same.index(False)]
    return False


@computed
def opposite(x: Expr, y: Expr) -> bool:
    return are_opposite(x, y)


@computed
def unrelated(x: Expr, y: Expr) -> bool:
    """Whether x + y is not the sum of two exponentials with opposite exponents."""
    return not (x.op == y.op == "exp" and are_opposite(x.args[0], y.args[0]))


@computed
def variable(x: Expr) -> bool:
    return x.op != "constant"


@computed
def weighted_logarithm(node: Expr, z: Expr, w: Expr) -> Expr:
    """log Σ w exp(z), for the logarithm `node` of a sum of products."""
    summed = node.args[0]
    whole = [repeated(part, summed.args[0].shape) for part in (z, w)]
    return weighted_logsumexp_of(whole[0], whole[1], summed.attrs["axes"], summed.attrs["keepdims"])


@computed
def given_weight(x: Expr, y: Expr) -> bool:
    """Whether x is made of inputs alone (few of them), and y of others, as far as one need look."""
    own, others = few_nodes(x), few_nodes(y)
    leaves = [node for node in own or () if node.declaration.kind == "leaf" and node.op != "constant"]
    if own is None or not leaves or not all(node.op == "input" for node in leaves):
        return False
    return all(leaf is not node for leaf in leaves for node in others or ())


def few_nodes(x: Expr) -> list[Expr] | None:
    """The nodes under x, if they are few."""
    found: dict[int, Expr] = {}
    stack = [x]
    while stack:
        node = stack.pop()
        if id(node) not in found:
            found[id(node)] = node
            stack.extend(node.args)
        if len(found) > 12:
            return None
    return list(found.values())


@computed
def masks_nothing(x: Expr) -> bool:
    """Whether x is no condition, which as a factor is a choice."""
    return not masks(x) and not (x.op == "cast" and x.args[0].dtype == "bool")


@computed
def not_one(x: Expr) -> bool:
    return x.op != "constant" or bool(x.shape) or x.attrs["value"] != 1


@computed
def no_shares(w: Expr) -> bool:
    return w.op != "softmax"


@computed
def no_exponential(w: Expr) -> bool:
    return w.op != "exp"


@computed
def may_vanish(y: Expr) -> bool:
    return not is_positive(y)


@computed
def may_be_negative(y: Expr) -> bool:
    return not is_nonnegative(y)


def repeated(x: Expr, shape: Shape) -> Expr:
    return x if x.shape == shape else make(lookup("broadcast_to"), (x,), {"shape": shape})


INVERSES = [
    rule("exp-of-log", exp(log(x)), x, condition=nonnegative(x), reason="exp undoes log"),
    rule("log-of-exp", log(exp(x)), x, kind=stabilising, reason="log undoes exp, which may overflow"),
    rule("expm1-of-log1p", expm1(log1p(x)), x, assumption="x is at least -1", reason="expm1 undoes log1p"),
    rule("log1p-of-expm1", log1p(expm1(x)), x, kind=stabilising, reason="log1p undoes expm1, which may overflow"),
    rule(
        "log-of-product",
        log(x * y),
        factors_out(this),
        kind=stabilising,
        reason="a factor that over- or underflows leaves the product before the logarithm is taken",
    ),
    rule(
        "log-of-quotient",
        log(x / y),
        factors_out(this),
        kind=stabilising,
        condition=not_one(x),
        reason="a factor that over- or underflows leaves the quotient before the logarithm is taken",
    ),
    rule(
        "log-of-sum-of-exp",
        log(x + y),
        logaddexp(log(x), log(y)),
        kind=stabilising,
        condition=(sums_exponentials(x, y), unrelated(x, y)),
        reason="the larger exponential comes out of the logarithm before it can overflow",
    ),
    rule(
        "log-of-cosh",
        log(exp(x) + exp(y)),
        log_cosh(x) + log(2),
        kind=stabilising,
        condition=opposite(x, y),
        reason="eˣ + e⁻ˣ is 2 cosh x, whose logarithm has a form that does not overflow",
    ),
    rule(
        "log-of-blend",
        log(x * s + y * t),
        log_blend(log(x), s, log(y), t),
        kind=stabilising,
        condition=blends(x, s, y, t),
        reason="the larger of what is blended comes out of the logarithm before it can over- or underflow",
    ),
    rule(
        "log-of-sum-of-shares",
        log(x + y),
        logaddexp(log(x), log(y)),
        kind=stabilising,
        condition=both_underflow(x, y),
        reason="both terms have logarithms that do not underflow",
    ),
    rule(
        "log-of-weighted-sum",
        log(sum_(exp(z) * w, axes=A, keepdims=K)),
        weighted_logarithm(this, z, w),
        kind=stabilising,
        condition=no_shares(w),
        reason="the largest exponential comes out of the logarithm before it can overflow",
    ),
    rule(
        "log-of-weighted-shares",
        log(sum_(softmax(z, axis=B) * w, axes=A, keepdims=K)),
        weighted_logarithm(this, log_softmax(z, axis=B), w),
        kind=stabilising,
        condition=no_exponential(w),
        reason="shares are exponentials of their logarithms, which do not underflow",
    ),
    rule(
        "log-of-expected-exponential",
        log(sum_(softmax(z, axis=B) * exp(x), axes=A, keepdims=K)),
        logsumexp(log_softmax(z, axis=B) + x, axes=A, keepdims=K),
        kind=stabilising,
        reason="shares are exponentials of their logarithms, and exponents add up in products",
    ),
    rule(
        "log-of-either",
        log(where(m, x, y)),
        where(m, log(x), log(y)),
        kind=stabilising,
        condition=(logs_well(x), logs_well(y)),
        reason="both logarithms have a form that does not over- or underflow",
    ),
]

EXPONENTIALS = [
    rule("exp-minus-one", exp(x) - 1, expm1(x), kind=stabilising,
         reason="expm1 keeps the digits that the difference loses for small x"),
    rule("one-minus-exp", 1 - exp(x), -expm1(x), kind=stabilising,
         reason="expm1 keeps the digits that the difference loses for small x"),
    rule("expm1-plus-one", expm1(x) + 1, exp(x), reason="expm1 is exp minus 1"),
    rule("log-one-plus", log(1 + x), log1p(x), kind=stabilising,
         reason="log1p keeps the digits that the sum loses for small x"),
    rule("log-one-minus", log(1 - x), log1p(-x), kind=stabilising,
         reason="log1p keeps the digits that the difference loses for small x"),
    rule("product-of-exp", exp(x) * exp(y), exp(x + y), reason="exponents add up in products", in_chains=True),
    rule("quotient-of-exp", exp(x) / exp(y), exp(x - y), reason="exponents subtract in quotients", in_chains=True),
    rule("square-of-exp", square(exp(x)), exp(2 * x), reason="a square doubles the exponent"),
    rule("power-of-number", power(c, x), exp(x * log(c)), condition=(above_zero(c), variable(x)),
         reason="a power of a number is one of e, with the logarithm of the number in the exponent"),
    rule("reciprocal-of-exp", 1 / exp(x), exp(-x), reason="a reciprocal turns the sign of the exponent"),
    rule("divide-by-exp", x / exp(y), x * exp(-y), reason="dividing by eʸ is multiplying by e⁻ʸ"),
]  # fmt: skip

SOFTPLUS = [
    rule("softplus-of-log", log1p(x), softplus(log(x)), kind=stabilising, condition=grows(x),
         reason="log(1 + x) is the softplus of log x, which a sum of exponentials has without overflow"),
    rule("logaddexp-with-zero", logaddexp(x, 0), softplus(x), reason="log(eˣ + e⁰) is log(1 + eˣ)"),
    rule("log-of-number-plus", log(c + x), log(c) + softplus(log(x) - log(c)), kind=stabilising,
         condition=(above_zero(c), grows(x)),
         reason="the number comes out of the logarithm, and log(1 + eˣ) does not overflow"),
    rule("softplus", log1p(exp(x)), softplus(x), kind=stabilising, reason="log(1 + eˣ) without overflow for large x"),
    rule("softplus-of-negative", softplus(-x), -log_sigmoid(x), reason="log(1 + e⁻ˣ) is -log σ(x)"),
    rule("log-sigmoid-of-negative", log_sigmoid(-x), -softplus(x), reason="log σ(-x) is -log(1 + eˣ)"),
    rule("minus-softplus", x - softplus(x), log_sigmoid(x), kind=stabilising,
         reason="x - log(1 + eˣ) is log σ(x), whose digits the difference loses for large x"),
    rule("softplus-minus", softplus(x) - x, -log_sigmoid(x), kind=stabilising,
         reason="log(1 + eˣ) - x is -log σ(x), whose digits the difference loses for large x"),
]  # fmt: skip

SIGMOID = [
    rule("sigmoid", y / (1 + exp(-x)), y * sigmoid(x), kind=stabilising,
         reason="1/(1 + e⁻ˣ) is σ(x), without overflow for large negative x"),
    rule("sigmoid-of-negative", y / (1 + exp(x)), y * sigmoid(-x), kind=stabilising,
         reason="1/(1 + eˣ) is σ(-x), without overflow for large x"),
    rule("sigmoid-of-exp", exp(x) / (1 + exp(x)), sigmoid(x), kind=stabilising,
         reason="eˣ/(1 + eˣ) is σ(x), without inf/inf for large x"),
    rule("sigmoid-with-number", y / (c + exp(x)), (y / c) * sigmoid(log(c) - x), kind=stabilising,
         condition=(above_zero(c), holds_no(y, exp(x))),
         reason="1/(c + eˣ) is σ(log c - x)/c, without overflow for large x"),
    rule("sigmoid-of-factor", y / (1 + x), y * sigmoid(-log(x)), kind=stabilising,
         condition=(scaled_power(x), holds_no(y, x)),
         reason="1/(1 + c·eˣ) is σ(-log(c·eˣ)), without overflow for large x"),
    rule("share-of-two", x / (x + y), sigmoid(log(x) - log(y)), kind=stabilising, condition=two_powers(x, y),
         reason="eˣ/(eˣ + eʸ) is σ(x - y), without inf/inf for large x or 0/0 for small ones"),
    rule("shifted-exponentials", x / y, shifted_quotient(x, y), kind=stabilising, condition=exponentials_below(x, y),
         reason="above and below the line the largest exponential comes out, and cancels"),
    rule("divided-by-square-of-sum", y / square(x), (y / x) / x, kind=stabilising, condition=sums_plainly(x),
         reason="each of the two divisors has a form that does not overflow, their square has none"),
    rule("divided-by-scaled-square-of-sum", y / (w * square(x)), ((y / w) / x) / x, kind=stabilising,
         condition=sums_plainly(x),
         reason="each of the two divisors has a form that does not overflow, their square has none"),
    rule("exp-times-square-of-sigmoid", exp(x) * square(sigmoid(y)), sigmoid(x) * sigmoid(y), kind=stabilising,
         condition=opposite(x, y), in_chains=True, reason="eˣ·σ(-x) is σ(x); eˣ cannot overflow on the way"),
    rule("sigmoid-less-mirrored", sigmoid(x) - sigmoid(y), tanh(0.5 * x), kind=stabilising, condition=opposite(x, y),
         reason="σ(x) - σ(-x) is tanh(x/2), which keeps its digits for small x"),
    rule("exp-times-mirrored-sigmoid", exp(x) * sigmoid(y), sigmoid(x), kind=stabilising, in_chains=True,
         condition=opposite(x, y),
         reason="eˣ·σ(-x) is eˣ/(1 + eˣ), which is σ(x); eˣ cannot overflow on the way"),
    rule("sigmoid-less-own-square", sigmoid(x) - square(sigmoid(x)), sigmoid(x) * sigmoid(-x), kind=stabilising,
         reason="σ(x)·(1 - σ(x)), whose digits the difference loses for large x"),
    rule("sigmoid-less-product", sigmoid(x) - sigmoid(y) * sigmoid(x), square(sigmoid(x)), kind=stabilising,
         condition=opposite(x, y),
         reason="σ(x)·(1 - σ(-x)) is σ(x)²; the difference loses digits for large negative x"),
    rule("one-minus-sigmoid", 1 - sigmoid(x), sigmoid(-x), kind=stabilising,
         reason="1 - σ(x) is σ(-x), which keeps its digits where σ(x) rounds to 1"),
    rule("log-sigmoid", log(sigmoid(x)), log_sigmoid(x), kind=stabilising,
         reason="log σ(x) without underflow of σ for large negative x"),
    rule("log-one-minus-sigmoid", log1p(-sigmoid(x)), log_sigmoid(-x), kind=stabilising,
         reason="1 - σ(x) is σ(-x), which does not round to 0"),
    rule("exp-of-log-sigmoid", exp(log_sigmoid(x)), sigmoid(x), reason="exp undoes log"),
    rule("exp-of-minus-softplus", exp(-softplus(x)), sigmoid(-x), reason="exp undoes log"),
    rule("exp-of-softplus", exp(softplus(x)), 1 + exp(x), reason="exp undoes log"),
    rule("silu", x * sigmoid(x), silu(x), reason="x·σ(x) is silu(x)"),
    rule("one-plus-tanh", 1 + tanh(x), 2 * sigmoid(2 * x), kind=stabilising,
         reason="1 + tanh(x) is 2σ(2x), which keeps its digits for large negative x"),
    rule("one-minus-tanh", 1 - tanh(x), 2 * sigmoid(-2 * x), kind=stabilising,
         reason="1 - tanh(x) is 2σ(-2x), which keeps its digits for large x"),
    rule("number-plus-tanh", c * tanh(x) + c, (2 * c) * sigmoid(2 * x), kind=stabilising,
         reason="1 + tanh(x) is 2σ(2x), which keeps its digits for large negative x"),
    rule("number-minus-tanh", c - c * tanh(x), (2 * c) * sigmoid(-2 * x), kind=stabilising,
         reason="1 - tanh(x) is 2σ(-2x), which keeps its digits for large x"),
]  # fmt: skip

TANH = [
    rule("tanh-of-expm1", expm1(x) / (exp(x) + 1), tanh(0.5 * x), kind=stabilising,
         reason="(eˣ - 1)/(eˣ + 1) is tanh(x/2), without inf/inf for large x"),
    rule("tanh-of-expm1-sigmoid", expm1(x) * sigmoid(-x), tanh(0.5 * x), kind=stabilising, in_chains=True,
         reason="(eˣ - 1)·σ(-x) is (eˣ - 1)/(eˣ + 1), which is tanh(x/2), without inf·0 for large x"),
    rule("tanh-from-sigmoid", 2 * sigmoid(x) - 1, tanh(0.5 * x), kind=stabilising,
         reason="2σ(x) - 1 is tanh(x/2), which keeps its digits for small x"),
    rule("tanh-from-one-less-sigmoids", 1 - 2 * sigmoid(x), -tanh(0.5 * x), kind=stabilising,
         reason="1 - 2σ(x) is -tanh(x/2), which keeps its digits for small x"),
    rule("tanh-of-negative", tanh(-x), -tanh(x), reason="tanh is odd"),
    rule("sin-of-negative", sin(-x), -sin(x), reason="the sine is odd"),
    rule("cos-of-negative", cos(-x), cos(x), reason="the cosine is even"),
    rule("negative-part-of-expm1", minimum(expm1(x), 0), expm1(where(greater(x, 0), 0, x)), kind=stabilising,
         reason="eˣ - 1 is negative where x is, and the exponential of a large x is not taken"),
    rule("negative-part-of-scaled-expm1", minimum(c * expm1(x), 0), c * expm1(where(greater(x, 0), 0, x)),
         kind=stabilising, condition=above_zero(c),
         reason="eˣ - 1 is negative where x is, and the exponential of a large x is not taken"),
    rule("erf-of-negative", erf(-x), -erf(x), reason="the error function is odd"),
    rule("sin-cos-squares", square(sin(x)) + square(cos(x)), 1, assumption="x is finite",
         reason="the squares of sine and cosine add up to 1", in_chains=True),
]  # fmt: skip

BINARY_CROSS_ENTROPY = [
    rule("bce-logits", y * log_sigmoid(z) + (y - 1) * softplus(z), y * z - softplus(z),
         reason="log σ(z) is z - softplus(z), so the cross-entropy of a logit needs one logarithm"),
    rule("bce-logits-difference", y * log_sigmoid(z) - (1 - y) * softplus(z), y * z - softplus(z),
         reason="log σ(z) is z - softplus(z), so the cross-entropy of a logit needs one logarithm"),
    rule("bce-logits-turned", (1 - y) * softplus(z) - y * log_sigmoid(z), softplus(z) - y * z,
         reason="log σ(z) is z - softplus(z), so the cross-entropy of a logit needs one logarithm"),
    rule("bce-of-sigmoid", bernoulli_nll(sigmoid(z), y), bernoulli_logit_nll(z, y), kind=stabilising,
         assumption="the logarithms are not limited: |z| is below 100",
         reason="log σ(z) is z - softplus(z), also where σ(z) rounds to 0 or 1"),
    rule("bce-of-moved-sigmoid", bernoulli_nll(move(sigmoid(z)), y), bernoulli_nll(sigmoid(move(z)), y),
         reason="moving elements and taking their sigmoid commute"),
    rule("bce-of-logits", softplus(z) - y * z, bernoulli_logit_nll(z, y),
         reason="the cross-entropy of a logit, which keeps its digits where y·z is nearly softplus(z)"),
    rule("bce-of-logits-turned", y * z - softplus(z), -bernoulli_logit_nll(z, y),
         reason="the cross-entropy of a logit, which keeps its digits where y·z is nearly softplus(z)"),
    rule("sigmoid-residual", sigmoid(-z) - (1 - y), y - sigmoid(z), reason="σ(-z) is 1 - σ(z)", in_chains=True),
    rule("sigmoid-residual-turned", (1 - y) - sigmoid(-z), sigmoid(z) - y, reason="σ(-z) is 1 - σ(z)", in_chains=True),
]  # fmt: skip

ENTROPIES = [
    rule("weighted-log", x * log(y), xlogy(x, y), kind=stabilising,
         condition=(given_weight(x, y), may_vanish(y), masks_nothing(x)),
         reason="what has the weight 0 counts as 0, whatever its logarithm is"),
    rule("weighted-log1p", x * log1p(y), xlog1py(x, y), kind=stabilising,
         condition=(given_weight(x, y), may_be_negative(y), masks_nothing(x)),
         reason="what has the weight 0 counts as 0, whatever its logarithm is"),
]  # fmt: skip

RULES = [*ENTROPIES, *INVERSES, *EXPONENTIALS, *SOFTPLUS, *SIGMOID, *TANH, *BINARY_CROSS_ENTROPY]
