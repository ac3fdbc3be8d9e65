"""Expressions to which each rule applies.

Rules made of scalar functions alone are instantiated from their patterns, with operands of random broadcasting shapes.
The others have samples here, by name; `test_rules.py` insists that every rule has some.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import symnet as sn
from symnet.expr.node import Expr, make
from symnet.expr.op import lookup
from symnet.ops.contract import contract
from symnet.ops.euclidean import euclidean_norm
from symnet.ops.index import gather, scatter_add
from symnet.ops.leaves import input, iota, number
from symnet.ops.loss_terms import bernoulli_nll
from symnet.ops.shape import place, take_slice
from symnet.ops.usually import usually
from symnet.simplify.pattern import Apply, Attr, Call, Const, Family, Number, Term, Var
from symnet.simplify.rule import Rule
from symnet.simplify.vocabulary import SCALAR_OPS
from tests.symnet.simplify.difference_samples import DIFFERENCES
from tests.symnet.simplify.matrix_samples import MATRICES
from tests.symnet.simplify.stable_samples import STABLE

Samples = Callable[[np.random.Generator], list[Expr]]

SHAPES = [(), (5,), (3, 1), (3, 5), (1, 5), (2, 3, 5)]
NUMBERS = [-3.0, -1.0, -0.5, 0.25, 2.0, 3.0, 7.0]
FAMILY_OPS = {
    "unary": ["exp", "negative", "tanh", "square"],
    "binary": ["add", "subtract", "multiply", "divide", "minimum"],
}


def samples(rule: Rule, rng: np.random.Generator) -> list[Expr]:
    """Nodes to which `rule` applies; empty when nobody has written any."""
    if rule.name in WRITTEN:
        return WRITTEN[rule.name](rng)
    if _is_scalar(rule.pattern):
        return [Instance(rule, rng).build(rule.pattern) for _ in range(6)]
    return []


def is_scalar(rule: Rule) -> bool:
    """Whether samples follow from the pattern."""
    return rule.name not in WRITTEN and _is_scalar(rule.pattern)


def _is_scalar(term: Term) -> bool:
    if isinstance(term, Apply):
        return isinstance(term.op, str) and term.op in SCALAR_OPS and all(map(_is_scalar, term.args))
    return isinstance(term, (Var, Const, Number))


class Instance:
    """A pattern of scalar functions with inputs for its variables."""

    def __init__(self, rule: Rule, rng: np.random.Generator, dtype: str = "float64") -> None:
        self.rng, self.dtype = rng, dtype
        self.bound: dict[str, Expr] = {}
        self.asked = {
            (call.function.__name__, arg.name)
            for call in rule.condition
            for arg in call.args
            if isinstance(call, Call) and isinstance(arg, (Var, Const))
        }
        self.conditions = _conditions(rule.pattern) | {name for asked, name in self.asked if asked == "boolean"}

    def build(self, term: Term) -> Expr:
        if isinstance(term, Var):
            return self.bound.setdefault(term.name, self._variable(term.name))
        if isinstance(term, Const):
            return self.bound.setdefault(term.name, self._number(term.name))
        assert isinstance(term, Apply)
        args = [arg if isinstance(arg, Number) else self.build(arg) for arg in term.args]
        dtype = next((arg.dtype for arg in args[term.op == "where" :] if isinstance(arg, Expr)), self.dtype)
        nodes = [self._literal(arg, dtype) if isinstance(arg, Number) else arg for arg in args]
        attrs = {name: self.dtype if isinstance(value, Attr) else value for name, value in term.attrs}
        assert isinstance(term.op, str)
        return make(lookup(term.op), nodes, attrs)

    def _literal(self, literal: Number, dtype: str) -> Expr:
        return number(literal.value, "bool" if isinstance(literal.value, bool) else dtype)

    def _variable(self, name: str) -> Expr:
        asked = {condition for condition, variable in self.asked if variable == name}
        shapes = [()] if "scalar_shaped" in asked else SHAPES[1:] if "array_shaped" in asked else SHAPES
        shape = shapes[self.rng.integers(len(shapes))]
        if name in self.conditions:
            return input(name, shape, "bool")
        node = input(name, shape, self.dtype)
        if not asked & {"positive", "nonnegative", "nonzero", "logs_well"}:
            return node
        return sn.sigmoid(node) if "finite" in asked else sn.exp(node)

    def _number(self, name: str) -> Expr:
        if ("infinite", name) in self.asked:
            return number(float("inf"), self.dtype)
        value = NUMBERS[self.rng.integers(len(NUMBERS))]
        if ("above_zero", name) in self.asked:
            value = abs(value)
        return number(-abs(value) if ("below_zero", name) in self.asked else value, self.dtype)


def _conditions(term: Term) -> set[str]:
    """The variables that stand for conditions."""
    if not isinstance(term, Apply):
        return set()
    found = set().union(*map(_conditions, term.args))
    places = {"where": 1, "logical_and": 2, "logical_or": 2, "logical_not": 1}.get(
        "" if isinstance(term.op, Family) else term.op, 0
    )
    return found | {arg.name for arg in term.args[:places] if isinstance(arg, Var)}


def f64(name: str, *shape: object) -> Expr:
    return input(name, shape, "float64")


def classes(*shape: object) -> Expr:
    """Class indices below 4."""
    return input("y" + "x".join(map(str, shape)), shape, "int64")


x, z, m = f64("x", 3, 5), f64("z", 3, 4), f64("m", 3, 1)
cube = f64("cube", 2, 3, 5)
named = f64("named", "N", 4)
y, ys = classes(3), classes(2, 3)
hot = sn.one_hot(y, 4, "float64")
flag = input("flag", (3, 4), "bool")


def reduce(op: str, node: Expr, axes: tuple[int, ...], keepdims: bool = False, **attrs: object) -> Expr:
    return make(lookup(op), (node,), {"axes": axes, "keepdims": keepdims, **attrs})


def raw(op: str, *args: Expr, **attrs: object) -> Expr:
    """A node as it is, without what the front-end functions leave out."""
    return make(lookup(op), args, attrs)


def both(function: Callable[[bool], Expr]) -> list[Expr]:
    return [function(False), function(True)]


def shifted(op: str, sign: int) -> list[Expr]:
    make_one = getattr(sn, op)
    return [
        make_one(z + m if sign > 0 else z - m, axis=1),
        make_one(z.T + f64("w", 3) if sign > 0 else z.T - f64("w", 3), axis=0),
    ]


square, other, stack = f64("square", 3, 3), f64("other", 3, 3), f64("stack", 2, 3, 3)
tall, vector = f64("tall", 3, 2), f64("vector", 3)
identity = sn.one_hot(sn.arange(3), 3, "float64")
gram = contract(tall, tall, "ij,kj->ik") + 0.5 * identity
large = f64("large", 20, 20)
linalg = sn.linalg


def determinants(node: Expr) -> list[Expr]:
    """Every function of a determinant."""
    return [raw(op, node) for op in ("det", "det_sign", "logdet", "logabsdet")]


WRITTEN: dict[str, Samples] = {
    "factor-opposite-multiples": lambda rng: [
        number(n, "float64") * x - number(-n, "float64") * f64("w", 5) for n in NUMBERS
    ],
    **MATRICES,
    **STABLE,
    **DIFFERENCES,
    # linear algebra
    "inverse-of-transpose": lambda rng: [linalg.inv(square.T), linalg.inv(sn.matrix_transpose(stack))],
    "inverse-of-symmetric": lambda rng: [linalg.inv(gram).T, linalg.inv(linalg.inv(2.0 * gram)).T],
    "solve-with-transpose": lambda rng: [
        linalg.solve(square.T, tall),
        raw("solve", sn.matrix_transpose(stack), other + stack, transposed=True),
    ],
    "solve-with-symmetric": lambda rng: [raw("solve", gram, tall, transposed=True)],
    "triangular-with-transpose": lambda rng: [
        linalg.solve_triangular(square.T, tall, lower=True),
        linalg.solve_triangular(square.T, tall, trans="T", unit_diagonal=True),
    ],
    "determinant-of-transpose": lambda rng: determinants(square.T),
    "trace-of-transpose": lambda rng: [linalg.trace(square.T)],
    "inverse-twice": lambda rng: [linalg.inv(linalg.inv(square)), linalg.inv(linalg.inv(stack))],
    "inverse-times": lambda rng: [
        linalg.inv(square) @ tall,
        contract(linalg.inv(square), vector, "ij,i->j"),
    ],
    "solve-for-identity": lambda rng: [linalg.solve(square, identity)],
    "solve-with-transpose-for-identity": lambda rng: [raw("solve", square, identity, transposed=True)],
    "determinant-of-inverse": lambda rng: [linalg.det(linalg.inv(square)), linalg.det(linalg.inv(stack))],
    "log-determinant-of-inverse": lambda rng: [raw("logdet", linalg.inv(gram)), raw("logabsdet", linalg.inv(square))],
    "determinant-of-product": lambda rng: [linalg.det(square @ other), linalg.det(stack @ sn.flip(stack, 0))],
    "log-determinant-of-product": lambda rng: [raw("logabsdet", square @ other)],
    "trace-of-product": lambda rng: [linalg.trace(square @ other), linalg.trace(stack @ sn.matrix_transpose(stack))],
    "symmetric-inverse-times": lambda rng: [contract(linalg.inv(gram), square, "ij,ik->jk")],
    "times-symmetric-inverse": lambda rng: [contract(square, linalg.inv(gram), "ij,kj->ik")],
    "times-identity": lambda rng: [square @ identity, contract(square, identity, "ij,ki->kj")],
    "identity-times": lambda rng: [identity @ tall, contract(identity, vector, "ij,i->j")],
    "log-of-determinant": lambda rng: [sn.log(linalg.det(gram)), sn.log(linalg.det(large))],
    "log-of-determinant-size": lambda rng: [sn.log(sn.abs(linalg.det(large)))],
    "contract-unit-index": lambda rng: [contract(m, f64("row", 1, 4), "ij,jk->ik"), contract(m, m, "ij,kj->ik")],
    # constants
    "fold-unary": lambda rng: [
        sn.negative(sn.constant(2.5)),
        sn.sqrt(sn.constant(9.0)),
        sn.cast(sn.constant(3), "float64"),
    ],
    "fold-binary": lambda rng: [
        sn.constant(1.0) / sn.constant(2.0) + 3.0,
        sn.constant(6.0) / sn.constant(4.0),
        (sn.constant(1.0) / sn.constant(5.0)) * (sn.constant(2.0) / sn.constant(3.0)),
        sn.less(sn.constant(1.0), sn.constant(2.0)),
    ],
    "fold-where": lambda rng: [sn.where(sn.constant(True), sn.constant(2.0), sn.constant(3.0))],
    "constant-of-one-value": lambda rng: [sn.constant(np.full((3, 2), 1.5)), sn.constant(np.ones(4, bool))],
    "constant-counting": lambda rng: [sn.constant(np.arange(7))],
    "cast-to-itself": lambda rng: [raw("cast", x, dtype="float64")],
    "cast-twice": lambda rng: [
        sn.cast(sn.cast(input("a", (3,), "float32"), "float64"), "float32"),
        sn.cast(sn.cast(input("b", (3,), "bool"), "int32"), "float64"),
    ],
    "cast-of-size": lambda rng: [sn.cast(sn.dim("N"), "float64")],
    "size-known": lambda rng: [sn.dim(7), sn.dim(3, "float64")],
    "product-of-sizes": lambda rng: [sn.dim("N", "float64") * sn.dim("N", "float64")],
    "stop-gradient-of-constant": lambda rng: [raw("stop_gradient", sn.constant(2.0)), raw("stop_gradient", y)],
    "stop-gradient-twice": lambda rng: [sn.stop_gradient(sn.stop_gradient(x))],
    "mask-as-number": lambda rng: [sn.cast(flag, "float64") * z, z * sn.cast(input("row", (4,), "bool"), "float64")],
    "number-to-bool": lambda rng: [sn.not_equal(sn.cast(flag, "float64"), 0.0)],
    "bool-is-one": lambda rng: [sn.equal(sn.cast(flag, "int64"), 1)],
    # exponentials
    "log-of-cosh": lambda rng: [sn.log(sn.exp(x) + sn.exp(-x)), sn.log(sn.exp(m - x) + sn.exp(x - m))],
    # softmax
    "softmax": lambda rng: [
        sn.exp(z) / sn.sum(sn.exp(z), axis=1, keepdims=True),
        sn.exp(z) / sn.sum(sn.exp(z), axis=0),
        sn.exp(f64("v", 6)) / sn.sum(sn.exp(f64("v", 6))),
        sn.exp(named) / sn.sum(sn.exp(named), axis=0, keepdims=True),
    ],
    "softmax-shift": lambda rng: shifted("softmax", -1),
    "softmax-shift-up": lambda rng: shifted("softmax", 1),
    "log-softmax-shift": lambda rng: shifted("log_softmax", -1),
    "log-softmax-shift-up": lambda rng: shifted("log_softmax", 1),
    "log-softmax": lambda rng: [sn.log(sn.softmax(z, axis=a)) for a in (0, 1)],
    "exp-of-log-softmax": lambda rng: [sn.exp(sn.log_softmax(z, axis=a)) for a in (0, 1)],
    "logsumexp": lambda rng: [sn.log(sn.sum(sn.exp(cube), axis=(0, 2), keepdims=k)) for k in (False, True)],
    "log-of-mean-of-exp": lambda rng: [sn.log(sn.mean(sn.exp(cube), axis=(0, 2), keepdims=k)) for k in (False, True)],
    "norm": lambda rng: [sn.sqrt(sn.sum(sn.square(cube), axis=(0, 2), keepdims=k)) for k in (False, True)],
    "norm-of-dot": lambda rng: [sn.sqrt(f64("v", 6) @ f64("v", 6)), sn.sqrt(sn.einsum("abc,abc->ac", cube, cube))],
    "root-mean-square": lambda rng: [sn.sqrt(sn.mean(sn.square(cube), axis=(0, 2), keepdims=k)) for k in (False, True)],
    "square-of-norm": lambda rng: [sn.square(euclidean_norm(cube, (0, 2), k)) for k in (False, True)],
    "usually": lambda rng: [usually(x, x + 0.0, "never"), usually(sn.exp(m), sn.exp(m), "never")],
    "logsumexp-shift": lambda rng: [
        sn.logsumexp(z - m, axis=1, keepdims=True) + m,
        sn.logsumexp(z - m, axis=1) + sn.squeeze(m, 1),
        sn.logsumexp(z - sn.max(z, axis=1, keepdims=True), axis=1) + sn.max(z, axis=1),
    ],
    "log-softmax-by-logsumexp": lambda rng: [
        z - sn.logsumexp(z, axis=1, keepdims=True),
        z - sn.logsumexp(z, axis=0),
    ],
    "logsumexp-of-log-softmax": lambda rng: [sn.logsumexp(sn.log_softmax(z, axis=a), axis=a) for a in (0, 1)],
    "log-softmax-twice": lambda rng: [sn.log_softmax(sn.log_softmax(z, axis=a), axis=a) for a in (0, 1)],
    "log-of-moved": lambda rng: [
        sn.log(sn.softmax(z).T),
        sn.log(sn.reshape(sn.exp(z), (2, 6))),
        sn.log(sn.sigmoid(z)[1:, ::-1]),
        sn.log(sn.broadcast_to(sn.softmax(z), (2, 3, 4))),
    ],
    "bce-of-moved-sigmoid": lambda rng: [
        bernoulli_nll(sn.sigmoid(z).T, f64("t", 4, 3)),
        bernoulli_nll(sn.reshape(sn.sigmoid(z), (12,)), f64("t", 12)),
        bernoulli_nll(sn.sigmoid(z)[1:, ::-1], f64("t", 4)),
    ],
    "log-of-picked": lambda rng: [sn.log(sn.softmax(z)[np.arange(3), y]), sn.log(sn.exp(f64("w", 4, 2))[y])],
    "log-of-choice": lambda rng: [sn.log(sn.where(flag, sn.softmax(z), 1.0)), sn.log(sn.where(flag, sn.exp(m), 2.0))],
    "argmax-of-softmax": lambda rng: [sn.argmax(sn.softmax(z, axis=a), axis=a, keepdims=bool(a)) for a in (0, 1)],
    "argmax-of-log-softmax": lambda rng: [
        sn.argmax(sn.log_softmax(z, axis=a), axis=a, keepdims=bool(a)) for a in (0, 1)
    ],
    # indexing
    "gather-unit-axes": lambda rng: [
        sn.take_along_axis(z, y[:, None], axis=1),
        gather(cube, (1,), [sn.reshape(classes(2), (2, 1)) * 0]),
        gather(z, (0, 1), [sn.reshape(iota(3), (1, 3)), sn.reshape(y, (1, 3))]),
    ],
    "scatter-unit-axes": lambda rng: [
        scatter_add(f64("u", 3, 1), (0, 1), [sn.reshape(iota(3), (3, 1)), y[:, None]], (3, 4)),
        scatter_add(f64("u", 1, 3, 5), (0,), [sn.reshape(y, (1, 3))], (4, 5)),
    ],
    "scatter-one-a-row": lambda rng: [
        scatter_add(f64("u", 3), (0, 1), [iota(3), y], (3, 4)),
        scatter_add(f64("u", 3), (0, 1), [y, iota(3)], (4, 3)),
        scatter_add(f64("u", 2, 3), (0, 1, 2), [sn.reshape(iota(2), (2, 1)), iota(3), ys], (2, 3, 4)),
        scatter_add(f64("u", 2, 3), (0, 1, 2), [sn.reshape(iota(2), (2, 1)), ys, iota(3)], (2, 4, 3)),
        scatter_add(f64("u", 2, 3), (0, 1, 2), [sn.reshape(iota(2), (2, 1)), iota(3), y], (2, 3, 4)),
        scatter_add(f64("u"), (0, 1), [sn.reshape(iota(1), ()), classes()], (1, 4)),
        scatter_add(f64("u", 3), (0, 1, 2), [iota(3), y, sn.reshape(iota(1), ())], (3, 4, 1)),
    ],
    "scatter-zeros": lambda rng: [scatter_add(sn.zeros((3,), "float64"), (0,), [y], (4,))],
    "one-hot-selects": lambda rng: [
        sn.sum(hot * z, axis=1),
        sn.sum(hot * z, axis=1, keepdims=True),
        sn.sum(z * hot),
        sn.sum(sn.one_hot(ys, 4, "float64") * f64("v", 2, 3, 4), axis=(0, 2)),
    ],
    "one-hot-squared": lambda rng: [sn.square(hot)],
    "one-hot-by-comparison": lambda rng: [sn.cast(sn.equal(y[:, None], sn.arange(4)), "float64")],
    "one-hot-by-choice": lambda rng: [sn.where(sn.equal(y[:, None], sn.arange(4)), v, 0.0) for v in (m, f64("s"))],
    "choice-selects": lambda rng: [
        sn.sum(sn.where(sn.equal(y[:, None], sn.arange(4)), z, 0.0), axis=a) for a in (1, None)
    ],
    "picked-log-share": lambda rng: [
        z[sn.arange(3), y] - sn.logsumexp(z, axis=1),
        z[classes(4) * 0, sn.arange(4)] - sn.logsumexp(z, axis=0),
        gather(f64("v", 2, 3, 4), (0, 1, 2), [sn.reshape(iota(2), (2, 1)), iota(3), ys])
        - sn.logsumexp(f64("v", 2, 3, 4), axis=2),
    ],
    "log-share-picked": lambda rng: [sn.logsumexp(z, axis=1) - z[sn.arange(3), y]],
    "gather-in-order": lambda rng: [gather(cube, (a,), [iota(size)]) for a, size in enumerate(cube.shape)],
    "gather-of-one-hot": lambda rng: [gather(hot, (0,), [classes(2) * 0])],
    "position-of-position": lambda rng: [gather(iota(4), (0,), [y])],
    "one-hot-cast": lambda rng: [sn.cast(hot, "float32")],
    "row-of-identity": lambda rng: [sn.constant(np.eye(4))[y], sn.constant(np.eye(4))[ys]],
    "gather-from-repeated": lambda rng: [
        gather(sn.broadcast_to(f64("w", 4), (3, 4)), (0, 1), [iota(3), y]),
        gather(sn.broadcast_to(m, (3, 4)), (0, 1), [iota(3), y]),
        gather(sn.broadcast_to(f64("u", 2, 1, 5), (2, 4, 5)), (1,), [y]),
        gather(sn.broadcast_to(f64("u", 3, 1), (3, 4)), (0, 1), [iota(3), ys]),
    ],
    "gather-of-negative": lambda rng: [gather(-z, (0, 1), [iota(3), y])],
    # reductions
    "reduce-no-axes": lambda rng: [reduce(op, x, ()) for op in ("sum", "max", "logsumexp")],
    "reduce-unit-axes": lambda rng: [
        reduce(op, m, (1,), k) for op in ("mean", "prod", "logsumexp") for k in (False, True)
    ],
    "reduce-twice": lambda rng: [
        reduce(op, reduce(op, cube, (1,), k), (1,), l)
        for op in ("sum", "mean", "max", "prod", "logsumexp")
        for k, l in ((False, False), (True, True), (True, False))
    ],
    "reduce-repeated": lambda rng: (
        [
            reduce(op, sn.broadcast_to(m, (2, 3, 5)), axes, k)
            for op in ("sum", "mean", "max")
            for axes in ((2,), (0, 1), (0, 1, 2))
            for k in (False, True)
        ]
        + [reduce("sum", sn.broadcast_to(f64("s"), ("N", 3)), (0,))]
    ),
    "reduce-transposed": lambda rng: [
        reduce(op, sn.transpose(cube, (2, 0, 1)), axes, k, **({"correction": 1} if op == "var" else {}))
        for op in ("sum", "var", "logsumexp")
        for axes in ((0,), (1, 2), (0, 2))
        for k in (False, True)
    ],
    "reduce-reshaped": lambda rng: [
        reduce("sum", sn.reshape(cube, (6, 5)), (1,)),
        reduce("max", sn.reshape(cube, (6, 5)), (0, 1), True),
        reduce("mean", sn.reshape(cube, (2, 1, 15)), (2,)),
        reduce("sum", sn.reshape(cube, (2, 3, 1, 5, 1)), (1, 2, 4), True),
        reduce("sum", sn.reshape(named, ("N", 1, 4)), (2,)),
    ],
    "keep-reduced-axes": lambda rng: [
        sn.reshape(reduce("sum", cube, (1,)), (2, 1, 5)),
        sn.reshape(reduce("max", cube, (0, 2), True), (3,)),
        sn.reshape(sn.logsumexp(z, axis=1), (3, 1)),
    ],
    "sum-of-placed": lambda rng: [
        reduce("sum", place(x, (1, 2), (1, 2), (6, 12)), axes, k)
        for axes in ((0,), (1,), (0, 1))
        for k in (False, True)
    ],
    "reduce-negative": lambda rng: [reduce(op, -x, (0,)) for op in ("sum", "mean")],
    "reduce-scaled": lambda rng: [
        reduce(op, s * node, axes, k)
        for op in ("sum", "mean")
        for s, node, axes in (
            (f64("s"), x, (0, 1)),
            (m, x, (1,)),
            (f64("w", 5), x, (0,)),
            (f64("u", 2, 1, 1), cube, (1, 2)),
        )
        for k in (False, True)
    ],
    "reduce-divided": lambda rng: [
        reduce(op, node / s, axes, k)
        for op in ("sum", "mean")
        for s, node, axes in ((f64("s"), x, (0, 1)), (m, x, (1,)), (f64("w", 5), x, (0,)))
        for k in (False, True)
    ],
    "reduce-shifted": lambda rng: [
        reduce(op, node + s, axes, k)
        for op in ("sum", "mean")
        for s, node, axes in ((f64("s"), x, (0, 1)), (m, x, (1,)), (f64("w", 5), x, (0,)), (f64("s"), named, (0,)))
        for k in (False, True)
    ],
    "scalars-meet-in-rows": lambda rng: [
        2.0 * (sn.reshape(f64("s") * f64("v", 3), (3, 1)) * x),
        f64("t") * (x * sn.reshape(f64("v", 3) * 0.5, (3, 1))),
    ],
    "scalars-meet-in-divided-rows": lambda rng: [
        2.0 * (sn.reshape(f64("s") / f64("v", 3), (3, 1)) * x),
        f64("t") * (x * sn.reshape(0.5 / f64("v", 3), (3, 1))),
    ],
    "reduce-shifted-turned": lambda rng: [
        reduce(op, s - x, axes, k)
        for op in ("sum", "mean")
        for s, axes in ((f64("s"), (0, 1)), (m, (1,)), (f64("w", 5), (0,)))
        for k in (False, True)
    ],
    "reduce-shifted-down": lambda rng: [
        reduce(op, x - s, axes, k)
        for op in ("sum", "mean")
        for s, axes in ((f64("s"), (0, 1)), (m, (1,)), (f64("w", 5), (0,)))
        for k in (False, True)
    ],
    "mean": lambda rng: [
        sn.sum(x) / 15.0,
        sn.sum(x, axis=1, keepdims=True) / 5.0,
        sn.sum(named, axis=0) / sn.dim("N", "float64"),
    ],
    "sum-from-mean": lambda rng: [sn.mean(x) * 15.0, sn.mean(named, axis=0) * sn.dim("N", "float64")],
    "sum-of-one-hot": lambda rng: both(lambda k: sn.sum(hot, axis=1, keepdims=k)),
    "sum-of-scaled-one-hot": lambda rng: (
        [*both(lambda k: sn.sum(hot * m, axis=1, keepdims=k)), sn.sum(f64("s") * hot, axis=1)]
    ),
    "sum-of-divided-one-hot": lambda rng: both(lambda k: sn.sum(hot / m, axis=1, keepdims=k)),
    "sum-of-softmax": lambda rng: both(lambda k: sn.sum(sn.softmax(z, axis=0), axis=0, keepdims=k)),
    "variance": lambda rng: both(
        lambda k: sn.mean(sn.square(x - sn.mean(x, axis=1, keepdims=True)), axis=1, keepdims=k)
    ),
    "variance-of-moments": lambda rng: both(
        lambda k: sn.mean(sn.square(x), axis=1, keepdims=k) - sn.square(sn.mean(x, axis=1, keepdims=k))
    ),
    # movement
    "reshape-to-itself": lambda rng: [raw("reshape", x, shape=(3, 5))],
    "transpose-to-itself": lambda rng: [raw("transpose", x, axes=(0, 1))],
    "broadcast-to-itself": lambda rng: [raw("broadcast_to", x, shape=(3, 5))],
    "slice-of-all": lambda rng: [
        raw("slice", x, start=(0, 0), step=(1, 1), size=(3, 5)),
        raw("slice", m, start=(0, 0), step=(1, -1), size=(3, 1)),
    ],
    "place-over-all": lambda rng: [raw("place", x, start=(0, 0), step=(1, 1), shape=(3, 5), fill=0.0)],
    "concat-of-one": lambda rng: [raw("concat", x, axis=1)],
    "reshape-twice": lambda rng: [raw("reshape", raw("reshape", x, shape=(15,)), shape=(5, 3))],
    "transpose-twice": lambda rng: [sn.transpose(sn.transpose(cube, (1, 2, 0)), (0, 2, 1))],
    "transpose-of-unit-axes": lambda rng: [sn.transpose(sn.reshape(x, (1, 3, 1, 5)), (1, 0, 3, 2))],
    "broadcast-twice": lambda rng: [sn.broadcast_to(sn.broadcast_to(m, (3, 5)), (2, 3, 5))],
    "broadcast-of-leading-ones": lambda rng: [raw("broadcast_to", sn.reshape(x, (1, 1, 3, 5)), shape=(4, 2, 3, 5))],
    "slice-twice": lambda rng: [
        take_slice(take_slice(f64("long", 20), (3,), (2,), (8,)), (6,), (-2,), (3,)),
        take_slice(take_slice(f64("long", 20), (18,), (-3,), (6,)), (1,), (2,), (3,)),
    ],
    "slice-of-placed": lambda rng: [
        raw("slice", place(x, (1, 2), (1, 2), (6, 12)), start=(1, 2), step=(1, 2), size=(3, 5))
    ],
    "slice-of-concat": lambda rng: [
        sn.concat([x, cube[0], m], axis=1)[:, 6:9],
        sn.concat([x, cube[0]], axis=1)[1:, 3:0:-1],
        take_slice(sn.concat([f64("a", "N"), f64("b", 4)]), ("N",), (1,), (4,)),
    ],
    "concat-of-slices": lambda rng: [
        sn.concat([x[:, 1:3], x[:, 3:5]], axis=1),
        sn.concat([m, x[:, :2], x[:, 2:4]], axis=1),
        sn.concat([f64("long", 20)[0:8:2], f64("long", 20)[8:14:2]]),
    ],
    "concat-of-concat": lambda rng: [sn.concat([sn.concat([x, m], axis=1), m], axis=1)],
    "place-twice": lambda rng: [place(place(x, (1, 0), (2, 1), (6, 5), 0), (1, 1), (1, 1), (8, 7), 0)],
    "sum-of-neighbours": lambda rng: [
        place(x, (0, 0), (1, 1), (3, 9)) + place(z, (0, 5), (1, 1), (3, 9)),
        place(z, (1, 7), (1, 1), (5, 12)) + place(x, (1, 2), (1, 1), (5, 12)),
    ],
    "move-of-number": lambda rng: [
        sn.reshape(sn.broadcast_to(f64("s"), (3, 4)), (12,)),
        sn.transpose(sn.broadcast_to(f64("s"), (3, 4))),
        sn.broadcast_to(f64("s"), (3, 4))[1:],
    ],
    "reshape-of-scalar": lambda rng: [sn.reshape(f64("s"), (1, 1))],
    "sign-comes-out": lambda rng: [sn.reshape(-x, (5, 3)), (-x).T, (-x)[1:, ::2]],
    "concat-of-number": lambda rng: [sn.concat([sn.broadcast_to(f64("s"), (3,)), sn.broadcast_to(f64("s"), (2,))])],
    "unary-of-repeated": lambda rng: [getattr(sn, op)(sn.broadcast_to(m, (3, 5))) for op in FAMILY_OPS["unary"]],
    "binary-of-repeated": lambda rng: (
        [getattr(sn, op)(sn.broadcast_to(m, (3, 5)), f64("w", 5)) for op in FAMILY_OPS["binary"]]
        + [sn.subtract(sn.broadcast_to(m, (2, 3, 1)), m)]
    ),
    "binary-with-repeated": lambda rng: [
        getattr(sn, op)(f64("w", 5), sn.broadcast_to(m, (3, 5))) for op in FAMILY_OPS["binary"]
    ],
    "where-repeated": lambda rng: [sn.where(sn.broadcast_to(input("c", (3, 1), "bool"), (3, 5)), x, m)],
    "where-of-repeated": lambda rng: [sn.where(input("c", (3, 1), "bool"), sn.broadcast_to(m, (3, 5)), f64("s"))],
    "where-or-repeated": lambda rng: [sn.where(input("c", (3, 1), "bool"), f64("s"), sn.broadcast_to(m, (3, 5)))],
    "binary-of-leading-ones": lambda rng: [
        getattr(sn, op)(sn.reshape(f64("w", 5), (1, 5)), x) for op in FAMILY_OPS["binary"]
    ],
    "binary-with-leading-ones": lambda rng: [
        getattr(sn, op)(x, sn.reshape(f64("w", 5), (1, 1, 5))) for op in FAMILY_OPS["binary"]
    ],
    # contractions
    "contract-transposed-first": lambda rng: [
        contract(x.T, f64("w", 3, 2), "ab,bc->ac"),
        contract(sn.transpose(cube, (2, 0, 1)), f64("w", 3, 7), "abc,cd->bda"),
    ],
    "contract-transposed-second": lambda rng: [
        contract(z.T, f64("w", 7, 3).T, "ab,bc->ac"),
        contract(f64("w", 3, 7), sn.transpose(cube, (1, 2, 0)), "ab,acd->dbc"),
    ],
    "transposed-contract": lambda rng: [sn.transpose(contract(x, f64("w", 5, 2), "ab,bc->ac"))],
    "sum-of-contract": lambda rng: [sn.sum(contract(cube, f64("w", 2, 5), "abc,ac->abc"), axis=2)],
    "sum-of-products": lambda rng: [
        sn.sum(x[:, :, None] * f64("w", 5, 2), axis=1),
        sn.sum(x[:, None, :] * f64("w", 2, 5), axis=(2,)),
        sn.sum(cube[:, :, :, None] * f64("w", 2, 1, 5, 4), axis=2),
    ],
    "contract-repeated-first": lambda rng: [
        contract(sn.broadcast_to(f64("w", 5), (3, 5)), f64("v", 5, 2), "ab,bc->ac"),
        contract(sn.broadcast_to(m, (3, 5)), f64("v", 5, 2), "ab,bc->ac"),
        contract(sn.broadcast_to(f64("s"), (3, 5)), f64("v", 5, 2), "ab,bc->ca"),
    ],
    "contract-repeated-second": lambda rng: [
        contract(x, sn.broadcast_to(f64("w", 5, 1), (5, 2)), "ab,bc->ac"),
        contract(x, sn.broadcast_to(m, (3, 5)), "ab,ab->ab"),
    ],
    "contract-without-sum": lambda rng: [
        contract(f64("w", 5), f64("v", 3), "a,b->ba"),
        contract(x, f64("v", 3), "ab,a->ba"),
    ],
    "contract-negative-first": lambda rng: [contract(-x, f64("v", 5, 2), "ab,bc->ac")],
    "contract-negative-second": lambda rng: [contract(x, -f64("v", 5, 2), "ab,bc->ac")],
    "contract-scaled-first": lambda rng: [contract(2.5 * x, f64("v", 5, 2), "ab,bc->ac")],
    "contract-scaled-second": lambda rng: [contract(x, 2.5 * f64("v", 5, 2), "ab,bc->ac")],
    "contract-divided-first": lambda rng: [contract(x / f64("s"), f64("v", 5, 2), "ab,bc->ac")],
    "contract-divided-second": lambda rng: [contract(x, f64("v", 5, 2) / f64("s"), "ab,bc->ac")],
    "contract-one-hot-first": lambda rng: [
        contract(hot, f64("v", 4, 2), "ab,bc->ac"),
        contract(hot, f64("v", 2, 4), "ab,cb->ca"),
        contract(sn.one_hot(ys, 4, "float64"), f64("v", 4, 2), "abc,cd->abd"),
    ],
    "contract-one-hot-second": lambda rng: [contract(f64("v", 2, 4), hot, "cb,ab->ac")],
    # lowering
    "square-in-float64": lambda rng: [sn.cast(sn.square(input("r", (3, 5), "float32")), "float64")],
    "divide-by-few": lambda rng: [x / m, x / 3.0],
    "largest-of-multiple": lambda rng: [
        sn.max(2.5 * x, axis=1),
        sn.max(x * sn.exp(f64("n", 3, 1)), axis=1, keepdims=True),
        sn.max(sn.exp(f64("s")) * x),
    ],
    "multiple-or-nothing": lambda rng: [sn.where(x > -2.0, 2.5 * x, -np.inf)],
    "nothing-or-multiple": lambda rng: [sn.where(x > 2.0, -np.inf, sn.exp(f64("n", 3, 1)) * x)],
    "multiple-less-largest": lambda rng: [
        scale * x - sn.maximum(sn.max(scale * x, axis=1, keepdims=True), -3.4e38) for scale in (2.5, sn.exp(f64("s")))
    ],
    "multiple-less-finite-largest": lambda rng: [
        2.5 * x - sn.where(m < 0, 0, sn.max(2.5 * x, axis=1, keepdims=True)),
        2.5 * x - sn.where(f64("s") < 0, 0, sn.max(2.5 * x, axis=(0, 1), keepdims=True)),
    ],
    "no-more-gradients": lambda rng: [sn.stop_gradient(x)],
}
