"""The gamma function: logarithms in the place of what overflows, and differences of log Γ and ψ that do not cancel."""

from __future__ import annotations

from symnet.expr.node import Expr
from symnet.simplify.logarithms import apply, factors, product, total
from symnet.simplify.pattern import computed, this, variables
from symnet.simplify.polynomials import distance
from symnet.simplify.rule import rule, stabilising
from symnet.simplify.tables.differences import difference
from symnet.simplify.vocabulary import (
    absolute,
    betaln,
    digamma,
    digamma_step,
    gamma,
    gamma_ratio,
    lgamma,
    lgamma_step,
    log,
)

x, y, z = variables("x y z")
POSITIVE = "the Γ(…) and powers in it are positive, as they are of positive numbers"


@computed
def gammas_out(node: Expr) -> Expr | None:
    """The logarithm `node` of a product with factors Γ(x) or xᵖ, p no number, whose logarithms leave it; refused where
    there are none."""
    parts = factors(node.args[0])
    if parts is None:
        return None
    logs = [(above, _logarithm(part)) for above, part in parts if _leaves(part)]
    rest = [(above, part) for above, part in parts if not _leaves(part)]
    if not logs:
        return None
    if rest:
        turned = not any(above for above, _ in rest)  # the logarithm of a reciprocal is taken of the divisors
        whole = product([(True, part) for _, part in rest] if turned else rest, node.dtype)
        logs.append((not turned, apply("log", whole)))
    return total(logs)


def _leaves(factor: Expr) -> bool:
    return factor.op == "gamma" or (factor.op == "power" and factor.args[1].op != "constant")


def _logarithm(factor: Expr) -> Expr:
    if factor.op == "gamma":
        return apply("lgamma", factor.args[0])
    base, exponent = factor.args
    return apply("xlogy", exponent, apply("absolute", base))


STEPS = [
    *difference("difference-of-log-gammas", lgamma(x) - lgamma(y), lgamma_step(y, distance(x, y)),
                -lgamma_step(x, distance(y, x)), "log Γ(x) - log Γ(y) by Stirling's formula for both, term by term"),
    *difference("difference-of-digammas", digamma(x) - digamma(y), digamma_step(y, distance(x, y)),
                -digamma_step(x, distance(y, x)), "ψ(x) - ψ(y) is a sum of (x - y)/((x + k)·(y + k))"),
    rule("log-gamma-one-further", lgamma_step(x, 1), log(absolute(x)), reason="Γ(x + 1) is x·Γ(x)"),
    rule("log-gamma-one-back", lgamma_step(x, -1), -log(absolute(x - 1)), reason="Γ(x) is (x - 1)·Γ(x - 1)"),
    rule("digamma-one-further", digamma_step(x, 1), 1 / x, reason="ψ(x + 1) is ψ(x) + 1/x"),
    rule("digamma-one-back", digamma_step(x, -1), -1 / (x - 1), reason="ψ(x) is ψ(x - 1) + 1/(x - 1)"),
]  # fmt: skip

BETAS = [
    rule("log-beta", lgamma(x) + lgamma(y) - lgamma(x + y), betaln(x, y), kind=stabilising,
         reason="B(x, y) is Γ(x)·Γ(y)/Γ(x + y), and its logarithm is smaller than the terms that cancel"),
    rule("minus-log-beta", lgamma(x + y) - (lgamma(x) + lgamma(y)), -betaln(x, y), kind=stabilising,
         reason="B(x, y) is Γ(x)·Γ(y)/Γ(x + y), and its logarithm is smaller than the terms that cancel"),
    rule("log-beta-of-step", lgamma(y) - lgamma_step(x, y), betaln(x, y), kind=stabilising,
         reason="B(x, y) is Γ(x)·Γ(y)/Γ(x + y), and Γ(x + y)/Γ(x) is known"),
    rule("minus-log-beta-of-step", lgamma_step(x, y) - lgamma(y), -betaln(x, y), kind=stabilising,
         reason="B(x, y) is Γ(x)·Γ(y)/Γ(x + y), and Γ(x + y)/Γ(x) is known"),
]  # fmt: skip

GAMMAS = [
    rule("log-of-gamma", log(gamma(x)), lgamma(x), kind=stabilising,
         reason="log Γ(x) without overflow of Γ, and with its digits near 1 and 2"),
    rule("log-of-product-with-gamma", log(x * y), gammas_out(this), kind=stabilising, assumption=POSITIVE,
         reason="Γ and powers overflow, their logarithms do not: they leave the product"),
    rule("log-of-quotient-with-gamma", log(x / y), gammas_out(this), kind=stabilising, assumption=POSITIVE,
         reason="Γ and powers overflow, their logarithms do not: they leave the quotient"),
    rule("quotient-of-gammas", gamma(x) / gamma(y), gamma_ratio(x, y), kind=stabilising,
         reason="the quotient of both is computed by their logarithms, as either may overflow"),
    rule("quotient-of-gamma-and-more", gamma(x) / (gamma(y) * z), gamma_ratio(x, y) / z, kind=stabilising,
         reason="the quotient of both is computed by their logarithms, as either may overflow"),
    rule("quotient-of-more-and-gamma", (gamma(x) * z) / gamma(y), gamma_ratio(x, y) * z, kind=stabilising,
         reason="the quotient of both is computed by their logarithms, as either may overflow"),
    rule("log-of-quotient-of-gammas", log(gamma_ratio(x, y)), lgamma(x) - lgamma(y), kind=stabilising,
         reason="the logarithm undoes the exponential, which may overflow"),
]  # fmt: skip

RULES = [*STEPS, *BETAS, *GAMMAS]
