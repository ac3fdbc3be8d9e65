"""Expressions to which the rules of linear algebra and of matrix products apply (see `samples.py`)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import symnet as sn
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.contract import contract
from symnet.ops.euclidean import euclidean_norm, unit
from symnet.ops.leaves import input

Samples = Callable[[np.random.Generator], list[Expr]]
linalg = sn.linalg


def f64(name: str, *shape: object) -> Expr:
    return input(name, shape, "float64")


def _raw(op: str, *args: Expr, **attrs: object) -> Expr:
    return make(lookup(op), args, attrs)


square, other, third, stack = f64("square", 3, 3), f64("other", 3, 3), f64("third", 3, 3), f64("stack", 2, 3, 3)
tall, vector, long, s = f64("tall", 3, 2), f64("vector", 3), f64("long", 5), f64("s")
named = f64("named", "N", 3)
even = input("even", (3, 3), "float64", symmetric=True)
both = square + square.T
gram = contract(tall, tall, "ij,kj->ik") + 0.5 * sn.one_hot(sn.arange(3), 3, "float64")
regular, turning = square + 20.0 * sn.eye(3, dtype="float64"), other + 20.0 * sn.eye(3, dtype="float64")
product = regular @ turning


def _solutions(right: Callable[[Expr], Expr]) -> list[Expr]:
    return [
        _raw("solve", square, right(tall), transposed=True),
        _raw("solve", stack, right(f64("right", 2, 3, 1)), transposed=False),
        _raw("solve_triangular", square, right(tall), lower=True, transposed=False, unit=False),
    ]


SYMMETRIC: dict[str, Samples] = {
    "transpose-of-symmetric-sum": lambda rng: [both.T, (gram + 2.0 * gram).T],
    "transpose-of-symmetric-multiple": lambda rng: [(s * both).T, (gram * both).T],
    "transpose-of-symmetric-product": lambda rng: [
        (square @ square.T).T,
        (square @ both @ square.T).T,
        (even @ gram @ even).T,
        (square @ linalg.inv(both) @ square.T).T,
    ],
    "transpose-of-symmetric": lambda rng: [even.T],
    "symmetric-times": lambda rng: [contract(even, tall, "ab,ac->bc"), contract(even, vector, "ab,a->b")],
    "times-symmetric": lambda rng: [contract(tall, even, "ab,ca->bc"), contract(vector, even, "a,ab->b")],
    "symmetric-sum-times": lambda rng: [contract(both, tall, "ab,ac->bc"), contract(gram, vector, "ab,a->b")],
    "times-symmetric-sum": lambda rng: [contract(tall, both, "ab,ca->bc"), contract(vector, gram, "a,ab->b")],
}
KRONECKER: dict[str, Samples] = {
    "trace-of-kron": lambda rng: [linalg.trace(sn.kron(square, f64("two", 2, 2)))],
    "sum-of-kron": lambda rng: [sn.sum(sn.kron(square, tall)), sn.sum(sn.kron(vector, long))],
    "norm-of-kron": lambda rng: [euclidean_norm(sn.kron(square, tall))],
    "determinant-of-kron": lambda rng: [linalg.det(sn.kron(square, f64("two", 2, 2)))],
    "log-determinant-of-kron": lambda rng: [_raw("logabsdet", sn.kron(square, f64("two", 2, 2)))],
    "inverse-of-kron": lambda rng: [linalg.inv(sn.kron(regular, f64("two", 2, 2)))],
    "product-of-krons": lambda rng: [sn.kron(square, tall) @ sn.kron(other, f64("two", 2, 2))],
}
SCALES: dict[str, Samples] = {
    "solve-negative": lambda rng: _solutions(lambda b: -b),
    "solve-scaled": lambda rng: _solutions(lambda b: s * b),
    "solve-divided": lambda rng: _solutions(lambda b: b / s),
    "inverse-of-negative": lambda rng: [linalg.inv(-square), linalg.inv(-stack)],
    "inverse-of-scaled": lambda rng: [linalg.inv(s * square), linalg.inv(3.0 * stack)],
    "inverse-of-divided": lambda rng: [linalg.inv(square / s)],
    "trace-of-negative": lambda rng: [linalg.trace(-stack)],
    "trace-of-scaled": lambda rng: [linalg.trace(s * square), linalg.trace(2.0 * stack)],
    "trace-of-divided": lambda rng: [linalg.trace(stack / s)],
    "determinant-over-itself": lambda rng: [linalg.det(square) / linalg.det(square)],
    "norm-times-direction": lambda rng: [
        euclidean_norm(tall, 0) * unit(tall, 0),
        euclidean_norm(tall, 1, keepdims=True) * unit(tall, 1),
        euclidean_norm(vector) * unit(vector),
    ],
}
PRODUCTS: dict[str, Samples] = {
    "common-matrix-sum": lambda rng: [
        square @ tall + other @ tall,
        square @ vector + contract(vector, other, "a,ab->b"),
        contract(square, tall, "ab,ac->bc") + square @ tall,
        (tall @ tall.T) @ square + (square @ third) @ square,
        named @ square + named @ other.T,
    ],
    "common-matrix-difference": lambda rng: [square @ tall - other @ tall, tall.T @ square - tall.T @ other.T],
    "common-ends-sum": lambda rng: [
        (square @ other) @ tall + square @ (third @ tall),
        (square @ other) @ third + square @ (third.T @ third),
        contract(square @ other, third, "ab,bc->ca") + contract(square, tall @ (tall.T @ third), "ab,bc->ca"),
        2.0 * square @ (other @ third) + 2.0 * square @ third @ other,
    ],
    "common-ends-difference": lambda rng: [(square @ other) @ tall - square @ (third @ tall)],
    "multiple-of-same-matrix-product": lambda rng: [2.0 * ((square @ other) @ third) + square @ (other @ third)],
    "sum-of-outer-product-times": lambda rng: [
        sn.sum(vector[:, None] * long * f64("p", 3, 5)), sn.sum(f64("p", 3, 5) * (long * vector[:, None])),
    ],
    "same-matrix-product": lambda rng: [
        (square @ other) @ third + square @ (other @ third),
        (square @ contract(other, third, "ab,cb->ac")) @ tall + square @ (other @ (third.T @ tall)),
        contract(2.0 * (square @ other), third, "ab,bc->ca") + contract(2.0 * (other @ third), square, "bc,ab->ca"),
    ],
    "product-order": lambda rng: [
        (square @ other) @ vector,
        contract(contract(square, other, "ab,cb->ac"), vector, "ab,a->b"),
        (tall @ f64("wide", 2, 3)) @ vector,
    ],
    "product-order-right": lambda rng: [vector @ (square @ other), tall.T @ (square @ f64("wide", 3, 7))],
    "outer-product-times": lambda rng: [
        (vector[:, None] * long) @ f64("p", 5, 3),
        contract(long * vector[:, None], f64("p", 3, 4), "ab,ac->bc"),
        contract(vector[:, None] * long, long, "ab,b->a"),
    ],
    "times-outer-product": lambda rng: [square @ (vector[:, None] * long), long @ (long[:, None] * vector)],
    "sum-of-product-with-transpose": lambda rng: [
        sn.sum(square * other.T),
        sn.sum(f64("cube", 2, 3, 5) * sn.transpose(f64("turned", 5, 2, 3), (1, 2, 0))),
    ],
    "inverse-of-product-times": lambda rng: [
        linalg.inv(product) @ regular,
        contract(linalg.inv(product), regular, "ab,bc->ca"),
    ],
    "times-inverse-of-product": lambda rng: [
        turning @ linalg.inv(product),
        contract(turning, linalg.inv(contract(regular, turning, "ab,bc->ca")), "ab,cb->ca"),
    ],
    "scaled-inverse-of-product-times": lambda rng: [
        (2.0 * linalg.inv(product)) @ regular,
        contract(2.0 * linalg.inv(product).T, regular, "ab,ac->bc"),
    ],
    "times-scaled-inverse-of-product": lambda rng: [turning @ (2.0 * linalg.inv(product))],
}  # fmt: skip
hot = sn.one_hot(sn.arange(3), 3, "float64")
diagonal, row = _raw("diag", vector), vector[None, :]
DIAGONALS: dict[str, Samples] = {
    "identity-times-vector": lambda rng: [hot * vector, vector[:, None] * hot, row * hot],
    "vector-times-identity-less": lambda rng: [vector * (hot - square), vector[:, None] * (hot - row)],
    "vector-times-diagonal-less": lambda rng: [row * (diagonal - square), vector[:, None] * (diagonal - row)],
    "diagonal-of-ones": lambda rng: [_raw("diag", sn.ones((3,), "float64")), _raw("diag", sn.ones(("N",), "float64"))],
    "times-multiple-of-identity": lambda rng: [tall.T @ (s * hot), contract(tall, s * hot, "ab,ca->bc")],
    "multiple-of-identity-times": lambda rng: [(s * hot) @ tall, contract(2.0 * hot, vector, "ab,b->a")],
    "diagonal-times-vector": lambda rng: [diagonal * f64("w", 3), f64("w", 3)[:, None] * diagonal],
    "diagonal-divided-by-vector": lambda rng: [diagonal / f64("w", 3), diagonal / f64("w", 3)[:, None]],
    "sum-of-diagonals": lambda rng: [diagonal + _raw("diag", f64("w", 3))],
    "difference-of-diagonals": lambda rng: [diagonal - _raw("diag", f64("w", 3))],
    "part-of-negative": lambda rng: _parts(-square, -vector),
    "part-of-scaled": lambda rng: _parts(s * square, s * vector),
    "part-of-divided": lambda rng: _parts(square / s, vector / s),
    "diagonal-matrix-times": lambda rng: [diagonal @ tall, diagonal @ vector, contract(diagonal, tall, "ab,bc->ca")],
    "times-diagonal-matrix": lambda rng: [tall.T @ diagonal, contract(tall, diagonal, "ab,ac->bc")],
    "diagonal-of-product": lambda rng: [sn.diagonal(tall @ tall.T), sn.diagonal(contract(tall, tall, "ab,cb->ac"))],
    "diagonal-of-elements": lambda rng: [
        sn.diagonal(square * other),
        sn.diagonal(vector[:, None] / sn.exp(f64("u", 3))),
        sn.diagonal(square - vector[None, :]),
        sn.diagonal(sn.sin(f64("s")) + square),
        sn.diagonal(square ** f64("e", 1, 1)),
    ],
    "diagonal-of-diagonal-matrix": lambda rng: [sn.diagonal(diagonal)],
    "diagonal-of-identity": lambda rng: [sn.diagonal(hot)],
    "diagonal-of-repeated": lambda rng: [sn.diagonal(sn.broadcast_to(s, (3, 3)))],
    "sum-of-diagonal": lambda rng: [sn.sum(sn.diagonal(square)), sn.sum(_raw("diagonal", stack), -1)],
    "gathered-diagonal": lambda rng: [_raw("gather", square, sn.arange(3), sn.arange(3), axes=(0, 1))],
    "scattered-diagonal": lambda rng: [
        _raw("scatter_add", vector, sn.arange(3), sn.arange(3), axes=(0, 1), shape=(3, 3))
    ],
    "identity-times-matrix": lambda rng: [hot * square, square * hot],
    "diagonal-of-transpose": lambda rng: [sn.diagonal(square.T), _raw("diagonal", sn.matrix_transpose(stack))],
    "transpose-of-diagonal-matrix": lambda rng: [diagonal.T, sn.matrix_transpose(_raw("diag", tall))],
    "sum-of-diagonal-matrix": lambda rng: [sn.sum(diagonal, 0), sn.sum(_raw("diag", tall), -1, keepdims=True)],
    "trace-of-diagonal-matrix": lambda rng: [linalg.trace(diagonal), linalg.trace(_raw("diag", tall))],
    "determinant-of-diagonal-matrix": lambda rng: [linalg.det(diagonal), linalg.det(_raw("diag", tall))],
    "inverse-of-diagonal-matrix": lambda rng: [linalg.inv(diagonal), linalg.inv(_raw("diag", tall))],
    "triangle-of-diagonal-matrix": lambda rng: [sn.tril(diagonal)],
    "upper-triangle-of-diagonal-matrix": lambda rng: [sn.triu(diagonal)],
    "triangle-twice": lambda rng: [sn.tril(sn.tril(square, 1), 1)],
    "upper-triangle-twice": lambda rng: [sn.triu(sn.triu(stack))],
}


def _parts(matrix: Expr, diagonal: Expr) -> list[Expr]:
    return [sn.tril(matrix), sn.triu(matrix, 1), _raw("diagonal", matrix), _raw("diag", diagonal)]


MOVES: dict[str, Samples] = {
    "number-comes-out": lambda rng: [(s * square).T, sn.reshape(3.0 * stack, (6, 3)), (s * tall)[1:]],
    "divisor-comes-out": lambda rng: [(square / s).T, sn.reshape(stack / s, (6, 3)), (tall / s)[1:]],
}
MATRICES: dict[str, Samples] = {**SYMMETRIC, **KRONECKER, **SCALES, **PRODUCTS, **DIAGONALS, **MOVES}
