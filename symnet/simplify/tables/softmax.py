"""Softmax, its logarithm, and log-sum-exp: from the way they are written by hand to the stable operations."""

from __future__ import annotations

from symnet.simplify.facts import above_zero, logs_well
from symnet.simplify.pattern import Family, Rest, attributes, computed, constants, variables
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.shapes import (
    Axes,
    constant_along,
    count_along,
    is_axis,
    is_squeezed,
    lines_up,
    only,
    single,
)
from symnet.simplify.vocabulary import (
    argmax,
    exp,
    gather,
    log,
    log_softmax,
    logsumexp,
    max_,
    mean,
    softmax,
    sum_,
    transpose,
    where,
)

c, m, w, x, z = variables("c m w x z")
A, B, K, P = attributes("A B K P")
(k,) = constants("k")
index = Rest("index")


@computed
def brings_to_front(axes: Axes, order: tuple[int, ...]) -> bool:
    """Whether the order of axes is that in which the summed axis comes first, and the others follow as they were."""
    return order == (*axes, *(a for a in range(len(order)) if a not in axes))


move = Family("move", frozenset(("reshape", "transpose", "slice", "broadcast_to", "diagonal")))


RULES = [
    rule("softmax", exp(z) / sum_(exp(z), axes=A, keepdims=K), softmax(z, axis=only(A)), kind=stabilising,
         condition=lines_up(A, K), reason="exponentials divided by their sum are softmax, which cannot overflow",
         in_chains=True),
    rule("softmax-turned", transpose(exp(z), axes=P) / sum_(exp(z), axes=A, keepdims=False),
         transpose(softmax(z, axis=only(A)), axes=P), kind=stabilising, condition=brings_to_front(A, P),
         reason="exponentials divided by their sum are softmax, also in another order of the axes"),
    rule("softmax-shift", softmax(z - m, axis=A), softmax(z, axis=A),
         condition=constant_along(m, single(A), z), assumption="the shift is finite",
         reason="softmax does not change when all its inputs shift by the same amount"),
    rule("softmax-shift-up", softmax(z + m, axis=A), softmax(z, axis=A),
         condition=constant_along(m, single(A), z), assumption="the shift is finite",
         reason="softmax does not change when all its inputs shift by the same amount"),
    rule("log-softmax-shift", log_softmax(z - m, axis=A), log_softmax(z, axis=A),
         condition=constant_along(m, single(A), z), assumption="the shift is finite",
         reason="softmax does not change when all its inputs shift by the same amount"),
    rule("log-softmax-shift-up", log_softmax(z + m, axis=A), log_softmax(z, axis=A),
         condition=constant_along(m, single(A), z), assumption="the shift is finite",
         reason="softmax does not change when all its inputs shift by the same amount"),
    rule("log-softmax", log(softmax(z, axis=A)), log_softmax(z, axis=A), kind=stabilising,
         reason="the logarithm undoes the exponential, so a small probability cannot underflow to 0"),
    rule("log-softmax-twice", log_softmax(log_softmax(z, axis=A), axis=A), log_softmax(z, axis=A),
         reason="probabilities that sum to 1 are not changed by dividing by their sum"),
    rule("exp-of-log-softmax", exp(log_softmax(z, axis=A)), softmax(z, axis=A), reason="exp undoes log"),
    rule("logsumexp", log(sum_(exp(z), axes=A, keepdims=K)), logsumexp(z, axes=A, keepdims=K), kind=stabilising,
         reason="the logarithm of a sum of exponentials, without overflow"),
    rule("log-of-mean-of-exp", log(mean(exp(z), axes=A, keepdims=K)),
         logsumexp(z, axes=A, keepdims=K) - log(count_along(z, A)), kind=stabilising,
         reason="the logarithm of a mean of exponentials, without overflow: a mean is a sum divided by the count"),
    rule("logsumexp-shift", logsumexp(z - m, axes=A, keepdims=K) + w, logsumexp(z, axes=A, keepdims=K),
         condition=(constant_along(m, A, z), is_squeezed(w, m, A, K, z)), assumption="the shift is finite",
         reason="a shift of all inputs shifts the result, and is added back", in_chains=True),
    rule("log-softmax-by-logsumexp", z - logsumexp(z, axes=A, keepdims=K), log_softmax(z, axis=only(A)),
         condition=lines_up(A, K), reason="the logits minus their log-sum-exp are log softmax"),
    rule("largest-log-share", max_(z, axes=A, keepdims=K) - logsumexp(z, axes=A, keepdims=K),
         max_(log_softmax(z, axis=only(A)), axes=A, keepdims=K), kind=stabilising, in_chains=True,
         reason="the largest logit minus the log-sum-exp is the largest log share, taken before the logit is rounded"),
    rule("largest-log-share-turned", logsumexp(z, axes=A, keepdims=K) - max_(z, axes=A, keepdims=K),
         -max_(log_softmax(z, axis=only(A)), axes=A, keepdims=K), kind=stabilising, in_chains=True,
         reason="the largest logit minus the log-sum-exp is the largest log share, taken before the logit is rounded"),
    rule("logsumexp-of-log-softmax", logsumexp(log_softmax(z, axis=A), axes=B, keepdims=K), 0,
         condition=is_axis(B, A),
         reason="probabilities sum to 1, whose logarithm is 0"),
    rule("log-of-moved", log(move(x)), move(log(x)), kind=stabilising, condition=logs_well(x),
         reason="moving elements and taking their logarithm commute, and the logarithm has a stable form there"),
    rule("log-of-picked", log(gather(x, index, axes=A)), gather(log(x), index, axes=A), kind=stabilising,
         condition=logs_well(x),
         reason="picking elements and taking their logarithm commute, and the logarithm has a stable form there"),
    rule("log-of-choice", log(where(m, x, k)), where(m, log(x), log(k)), kind=stabilising,
         condition=(logs_well(x), above_zero(k)),
         reason="the logarithm has a stable form in the branch, and is a number in the other"),
    rule("masked-exp", where(c, exp(z), 0), exp(where(c, z, float("-inf"))), kind=stabilising,
         reason="exp(-inf) is 0, and what is masked out is never exponentiated"),
    rule("argmax-of-softmax", argmax(softmax(z, axis=A), axis=A, keepdims=K), argmax(z, axis=A, keepdims=K),
         reason="softmax keeps the order of its inputs"),
    rule("argmax-of-log-softmax", argmax(log_softmax(z, axis=A), axis=A, keepdims=K), argmax(z, axis=A, keepdims=K),
         reason="log softmax keeps the order of its inputs"),
]  # fmt: skip
