"""Expressions to which rules apply that make hand-written forms of arrays stable; see `samples`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import symnet as sn
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.contract import contract
from symnet.ops.euclidean import euclidean_norm
from symnet.ops.leaves import input


def f64(name: str, *shape: int) -> Expr:
    return input(name, shape, "float64")


def both(function: Callable[[bool], Expr]) -> list[Expr]:
    return [function(False), function(True)]


def raw(op: str, *args: Expr, **attrs: object) -> Expr:
    """A node as it is, without what the front-end functions leave out."""
    return make(lookup(op), args, attrs)


x, z, cube, v, w = f64("x", 3, 5), f64("z", 3, 4), f64("cube", 2, 3, 5), f64("v", 6), f64("w", 6)
rsqrt, norm = sn.rsqrt, euclidean_norm
holes = sn.where(input("some", (5, 2), "bool"), f64("pairs", 5, 2), 0.0)  # with rows that are 0

COMPARISONS = (sn.greater, sn.greater_equal, sn.less, sn.less_equal, sn.equal, sn.not_equal)

LENGTHS: dict[str, Callable[[np.random.Generator], list[Expr]]] = {
    "rsqrt-of-squares": lambda rng: [
        *both(lambda k: rsqrt(sn.sum(sn.square(cube), axis=(0, 2), keepdims=k))),
        rsqrt(sn.mean(sn.square(x))),
        rsqrt(contract(v, v, "i,i->")),
        rsqrt(sn.mean(sn.square(x), axis=1) + 0.25),
        rsqrt(sn.square(x) + 0.25),
    ],
    "is-sum-of-squares-0": lambda rng: [
        beside(sn.sum(sn.square(holes), axis=1, keepdims=k), 0.0) for beside in COMPARISONS for k in (False, True)
    ],
    "is-square-0": lambda rng: [beside(sn.square(x), 0.0) for beside in COMPARISONS],
    "norm-of-one": lambda rng: [raw("norm", x, axes=(), keepdims=False)],
    "direction": lambda rng: [
        x / norm(x, 1, True),
        cube / norm(cube, 0),
        cube / norm(cube),
        v / norm(v),
        holes / norm(holes, 1, True),
    ],
    "product-over-length": lambda rng: [
        sn.sum(x * f64("u", 3, 5)) / norm(x),
        sn.sum(x * f64("u", 3, 5), axis=1) / norm(x, 1),
        sn.sum(x * f64("u", 5), axis=1, keepdims=True) / norm(x, 1, True),
    ],
    "dot-over-length": lambda rng: [
        contract(v, w, "i,i->") / norm(v),
        contract(x, f64("u", 3, 5), "ij,ij->i") / norm(x, 1),
    ],
    "dot-over-second-length": lambda rng: [
        contract(v, w, "i,i->") / norm(w),
        contract(f64("u", 3, 5), x, "ij,ij->i") / norm(x, 1),
    ],
    "length-of-sum-with-number": lambda rng: both(
        lambda k: sn.sqrt(sn.sum(sn.square(cube), axis=(0, 2), keepdims=k) + 0.25)
    ),
    "length-of-mean-with-number": lambda rng: both(
        lambda k: sn.sqrt(sn.mean(sn.square(cube), axis=(0, 2), keepdims=k) + 0.25)
    ),
}

a, b = f64("a", 3, 5), f64("b", 5)
p, t = sn.softmax(z, axis=1), f64("t", 3, 4)
hot = sn.one_hot(input("y", (3,), "int64"), 4, "float64")
row = f64("row", 3, 1)
x32 = input("x32", (3, 5), "float32")
column = sn.reshape(z[sn.arange(3), input("y", (3,), "int64")], (3, 1))

SATURATION: dict[str, Callable[[np.random.Generator], list[Expr]]] = {
    "softmax-less-target": lambda rng: [p - t, p - hot, sn.softmax(z, axis=0) - t],
    "target-less-softmax": lambda rng: [t - p, hot - p],
    "softmax-share-less-target": lambda rng: [p * row - t, p * row - hot * row, p * sn.constant(np.array(0.5)) - hot],
    "target-less-softmax-share": lambda rng: [t - p * row, hot * row - p * row, hot - row * p],
    "one-less-softmax": lambda rng: [1.0 - p],
    "sigmoid-less-target": lambda rng: [sn.sigmoid(z) - hot, sn.sigmoid(a) - b],
    "target-less-sigmoid": lambda rng: [hot - sn.sigmoid(z), b - sn.sigmoid(a)],
    "one-less-picked-share": lambda rng: [1.0 - sn.take_along_axis(p, input("y", (3, 1), "int64"), axis=1)],
    "one-less-picked-share-of-shape": lambda rng: [
        1.0 - sn.reshape(p[sn.arange(3), input("y", (3,), "int64")], (3, 1))
    ],
    "softmax-slope-turned": lambda rng: [p * (sn.sum(t * p, axis=1, keepdims=True) - t)],
    "softmax-slope": lambda rng: [p * (t - sn.sum(t * p, axis=1, keepdims=True))],
}

e, d = sn.exp(a), sn.exp(b - 1.0)
MIRRORED = [(a, -a), (-b, b), (a - b, b - a), (3.0 * a, -3.0 * a), ((a - b) / 0.5, (b - a) / 0.5), (a * b, a * -b)]
blend = 0.3 * e + 2.0 * d
weights = sn.sigmoid(f64("q", 4))
summed = sn.sum(sn.exp(z), axis=1, keepdims=True)
turned = sn.sum(0.25 * sn.exp(2.0 * z), axis=1)

EXPONENTIALS: dict[str, Callable[[np.random.Generator], list[Expr]]] = {
    "log-of-product": lambda rng: [
        sn.log(sn.softmax(a) * sn.sigmoid(b)),
        sn.log(e * sn.sigmoid(b) * 3.0),
        sn.log((0.5 * e) * (d * 2.0)),
        sn.log(a**6.0 * e),
        sn.log(sn.exp(a) ** 1.5 * (b * b)),
        sn.log(e * sn.sigmoid(b) ** 2.5),
    ],
    "log-of-quotient": lambda rng: [
        sn.log(e / sn.exp(b) ** 1.5),
        sn.log(2.0 / e),
        sn.log(e / (2.5 * sn.sigmoid(b))),
        sn.log(a**4.0 / sn.softmax(b)),
        sn.log(sn.softmax(a) / sn.softmax(b)),
        sn.log(sn.exp(z) / sn.sum(sn.exp(z), axis=1, keepdims=True)),
    ],
    "log-of-either": lambda rng: [
        sn.log(sn.where(input("m", (3, 5), "bool"), e, sn.sigmoid(b))),
        sn.log(sn.where(input("m", (5,), "bool"), sn.softmax(a), d)),
    ],
    "log-of-sum-of-exp": lambda rng: [
        sn.log(e + d),
        sn.log(blend),
        sn.log(blend + e * d),
        sn.log(summed + 0.5 * sn.exp(z)),
        sn.log(e / 3.0 + sn.exp(-b)),
    ],
    "exp-times-mirrored-sigmoid": lambda rng: [sn.exp(x) * sn.sigmoid(y) for x, y in MIRRORED],
    "exp-times-square-of-sigmoid": lambda rng: [sn.exp(x) * sn.square(sn.sigmoid(y)) for x, y in MIRRORED],
    "sigmoid-less-product": lambda rng: [sn.sigmoid(x) - sn.sigmoid(y) * sn.sigmoid(x) for x, y in MIRRORED],
    "sinh-over-exponentials": lambda rng: [sn.sinh(x) / (sn.exp(x) + sn.exp(y)) for x, y in MIRRORED],
    "sigmoid-less-mirrored": lambda rng: [sn.sigmoid(x) - sn.sigmoid(y) for x, y in MIRRORED],
    "log-of-blend": lambda rng: [
        sn.log(sn.sigmoid(a) * sn.square(f64("s", 5)) + sn.sigmoid(-a) * sn.square(b)),
        sn.log(e * b + d * sn.square(f64("s", 3, 1))),
        sn.log(sn.sigmoid(z) * hot + sn.sigmoid(-z) * (1.0 - hot)),
    ],
    "log-of-sum-of-shares": lambda rng: [
        sn.log(sn.softmax(a) + sn.softmax(b)),
        sn.log(sn.sigmoid(a) + sn.sigmoid(b)),
        sn.log(sn.sigmoid(a) * sn.exp(b) + sn.sigmoid(-a) * sn.exp(-b)),
        sn.log(sn.sigmoid(b) * 0.5 + e),
    ],
    "log-of-weighted-sum": lambda rng: [
        *both(lambda k: sn.log(sn.sum(sn.exp(z) * sn.exp(t), axis=1, keepdims=k))),
        sn.log(sn.sum(weights * sn.exp(z), axis=1)),
        sn.log(sn.sum(sn.exp(z) * hot, axis=1)),
    ],
    "log-of-expected-exponential": lambda rng: [
        *both(lambda k: sn.log(sn.sum(p * sn.exp(t), axis=1, keepdims=k))),
        sn.log(sn.sum(sn.softmax(z, axis=0) * sn.exp(t), axis=1)),
        sn.log(sn.sum(sn.exp(f64("q", 4)) * p)),
    ],
    "log-of-weighted-shares": lambda rng: [
        *both(lambda k: sn.log(sn.sum(p * sn.sigmoid(t), axis=1, keepdims=k))),
        sn.log(sn.sum(weights * p)),
        sn.log(sn.sum(p * hot, axis=1)),
    ],
    "softplus-of-log": lambda rng: [sn.log1p(e), sn.log1p(0.5 * e * d), sn.log1p(blend), sn.log1p(summed)],
    "log-of-number-plus": lambda rng: [sn.log(0.25 + e), sn.log(3.0 + 0.5 * e * d), sn.log(2.0 + summed)],
    "sigmoid-with-number": lambda rng: [a / (3.0 + sn.exp(b)), 1.0 / (0.5 + sn.exp(a))],
    "sigmoid-of-factor": lambda rng: [a / (1.0 + 2.0 * e), 1.0 / (1.0 + e * d), 3.0 / (1.0 + d / 7.0)],
    "share-of-two": lambda rng: [e / (e + d), (0.3 * e) / (0.3 * e + d * 2.0), e / (e + 2.0), (e * d) / (d + e * d)],
    "shifted-exponentials": lambda rng: [
        sn.exp(z) / (1.0 + summed),
        sn.exp(z) / (sn.exp(z) + summed),
        (a * e + b * d) / (e + d),
        a / (e + d),
        d / (e + d + sn.exp(a * 0.5)),
        (weights * sn.exp(2.0 * z)) / sn.sum(3.0 * sn.exp(2.0 * z), axis=1, keepdims=True),
        sn.sum(z * sn.exp(z), axis=1) / sn.sum(sn.exp(z), axis=1),
        f64("u", 3) / turned,
        2.0 / sn.sum(sn.exp(z)),
        sn.exp(z) / sn.sum(sn.exp(z)),
        sn.exp(z)[:, 0] / (sn.exp(z)[:, 0] + sn.exp(z)[:, 1] + sn.exp(z)[:, 3]),
        (row * sn.exp(z)) / sn.sum((0.5 + sn.sigmoid(t)) * sn.exp(z), axis=1, keepdims=True),
    ],
    "divided-by-square-of-sum": lambda rng: [a / sn.square(1.0 + e), 1.0 / sn.square(e + d), d / sn.square(0.5 + d)],
    "divided-by-scaled-square-of-sum": lambda rng: [a / (3.0 * sn.square(1.0 + e)), d / (sn.exp(b) * sn.square(e + d))],
}

PRODUCTS: dict[str, Callable[[np.random.Generator], list[Expr]]] = {
    "log-of-prod": lambda rng: [
        *both(lambda k: sn.log(sn.prod(cube, axis=(0, 2), keepdims=k))),
        sn.log(sn.prod(sn.exp(z))),
    ],
    "power-of-prod": lambda rng: [
        *both(lambda k: sn.prod(cube, axis=(0, 2), keepdims=k) ** 0.3),
        sn.prod(z, axis=0) ** 3.0,
        sn.prod(sn.exp(z)) ** -1.5,
    ],
    "picked-log-share-kept": lambda rng: [column - sn.logsumexp(z, axis=1, keepdims=True)],
    "log-share-picked-kept": lambda rng: [sn.logsumexp(z, axis=1, keepdims=True) - column],
    "log-of-sum-of-squares": lambda rng: both(lambda k: sn.log(sn.sum(sn.square(x), axis=1, keepdims=k))),
    "log-of-own-dot": lambda rng: [sn.log(v @ v)],
    "largest-log-share": lambda rng: both(lambda k: sn.max(z, 1, k) - sn.logsumexp(z, 1, k)),
    "largest-log-share-turned": lambda rng: both(lambda k: sn.logsumexp(z, 1, k) - sn.max(z, 1, k)),
    "root-of-product": lambda rng: [
        sn.sqrt(sn.sum(sn.square(x), axis=1) * sn.sum(sn.square(a), axis=1)),
        sn.sqrt(sn.exp(f64("s", 3)) * sn.mean(sn.square(x), axis=1)),
    ],
    "root-of-quotient": lambda rng: [sn.sqrt(sn.sum(sn.square(x), axis=1) / sn.sum(sn.square(a), axis=1))],
    "square-over-square-plus": lambda rng: [sn.square(x) / (sn.square(x) + 0.25), sn.square(b) / (3.0 + sn.square(b))],
    "squares-over-squares-plus": lambda rng: both(
        lambda k: sn.sum(sn.square(x), axis=1, keepdims=k) / (sn.sum(sn.square(x), axis=1, keepdims=k) + 0.25)
    ),
    "root-of-sum-of-powers": lambda rng: [
        sn.sum(x32 * sn.square(x32), axis=1) ** 0.3,
        sn.sum(sn.abs(x32) * sn.square(x32), axis=1) ** (1 / 3),
        sn.sum(sn.exp(x32) ** 2.5, axis=0, keepdims=True) ** 0.4,
        sn.mean(sn.square(sn.square(x32))) ** 0.25,
    ],
    "square-root-of-sum-of-powers": lambda rng: [sn.sqrt(sn.sum(sn.square(sn.square(x32)), axis=1))],
    "squares-about-mean": lambda rng: both(
        lambda k: sn.sum(sn.square(x), axis=1, keepdims=k) - 5.0 * sn.square(sn.mean(x, axis=1, keepdims=k))
    ),
    "squares-about-sum": lambda rng: both(
        lambda k: sn.sum(sn.square(x), axis=1, keepdims=k) - sn.square(sn.sum(x, axis=1, keepdims=k)) / 5.0
    ),
    "covariance-of-moments": lambda rng: both(
        lambda k: sn.mean(x * a, axis=1, keepdims=k) - sn.mean(x, axis=1, keepdims=k) * sn.mean(a, axis=1, keepdims=k)
    ),
    "softmax-turned": lambda rng: [
        sn.exp(z).T / sn.sum(sn.exp(z), axis=1),
        sn.transpose(sn.exp(cube), (1, 0, 2)) / sn.sum(sn.exp(cube), axis=1),
    ],
}

STABLE = {**PRODUCTS, **LENGTHS, **SATURATION, **EXPONENTIALS}
