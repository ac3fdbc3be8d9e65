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

LENGTHS: dict[str, Callable[[np.random.Generator], list[Expr]]] = {
    "rsqrt-of-squares": lambda rng: [
        *both(lambda k: rsqrt(sn.sum(sn.square(cube), axis=(0, 2), keepdims=k))),
        rsqrt(sn.mean(sn.square(x))),
        rsqrt(contract(v, v, "i,i->")),
        rsqrt(sn.mean(sn.square(x), axis=1) + 0.25),
        rsqrt(sn.square(x) + 0.25),
    ],
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

p, t = sn.softmax(z, axis=1), f64("t", 3, 4)
hot = sn.one_hot(input("y", (3,), "int64"), 4, "float64")
row = f64("row", 3, 1)

SATURATION: dict[str, Callable[[np.random.Generator], list[Expr]]] = {
    "softmax-less-target": lambda rng: [p - t, p - hot, sn.softmax(z, axis=0) - t],
    "target-less-softmax": lambda rng: [t - p, hot - p],
    "softmax-share-less-target": lambda rng: [p * row - t, p * row - hot * row, p * sn.constant(np.array(0.5)) - hot],
    "target-less-softmax-share": lambda rng: [t - p * row, hot * row - p * row, hot - row * p],
    "one-less-softmax": lambda rng: [1.0 - p],
    "softmax-slope": lambda rng: [p * (t - sn.sum(t * p, axis=1, keepdims=True))],
}

STABLE = {**LENGTHS, **SATURATION}
