"""Random graphs over all operations, smooth enough at the drawn points for finite differences.

Every move takes values from a pool of float64 expressions and gives a new one of bounded size and magnitude. Arguments
of functions with poles or overflow are first brought into their domain (`square(x) + 0.5` before a logarithm), which
puts more operations into the graph as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

import symnet as sn
from symnet.expr import dims
from symnet.expr.node import Expr
from tests.conformance.layer_moves import LayerMoves

LIMIT = 120  # elements of a value, N counted as 4
N_BOUND = {"N": 4}


def positive(x: Expr) -> Expr:
    return sn.square(x) + 0.5


def bounded(x: Expr) -> Expr:
    return 1.5 * sn.tanh(x)


MISH = sn.elementwise("mish", lambda t: t * sp.tanh(sp.log(1 + sp.exp(t))))

UNARY: dict[str, Callable[[Expr], Expr]] = {
    "absolute": sn.abs,
    "ceil": lambda x: x - sn.ceil(x),
    "clip": lambda x: sn.clip(x, -0.9, 0.8),
    "cos": sn.cos,
    "erf": sn.erf,
    "exp": lambda x: sn.exp(bounded(x)),
    "expm1": lambda x: sn.expm1(bounded(x)),
    "floor": lambda x: x * sn.floor(3.1 * x),
    "gelu": sn.gelu,
    "gelu_tanh": sn.gelu_tanh,
    "isnan": lambda x: sn.where(sn.isnan(x), 0.0, x),
    "log": lambda x: sn.log(positive(x)),
    "log1p": lambda x: sn.log1p(sn.square(x)),
    "log_sigmoid": sn.log_sigmoid,
    "mask as number": lambda x: x * sn.cast(x > 0.1, "float64"),
    "mish": MISH,
    "negative": sn.negative,
    "power, any": lambda x: positive(x) ** -1.7,
    "power, cube": lambda x: bounded(x) ** 3,
    "power, root": lambda x: positive(x) ** 0.5,
    "power, square": lambda x: bounded(x) ** 2,
    "reciprocal": lambda x: sn.reciprocal(positive(x)),
    "relu": sn.relu,
    "round": lambda x: x + sn.round(2.3 * x),
    "rsqrt": lambda x: sn.rsqrt(positive(x)),
    "sigmoid": sn.sigmoid,
    "sign": lambda x: x * sn.sign(x - 0.3),
    "silu": sn.silu,
    "sin": sn.sin,
    "softplus": sn.softplus,
    "sqrt": lambda x: sn.sqrt(positive(x)),
    "square": lambda x: sn.square(bounded(x)),
    "stop_gradient": lambda x: x + sn.stop_gradient(x),
    "tanh": sn.tanh,
    "through int": lambda x: x * sn.cast(sn.cast(2.2 * x, "int32"), "float64"),
}

COMPARISONS = (sn.equal, sn.not_equal, sn.less, sn.less_equal, sn.greater, sn.greater_equal)

BINARY: dict[str, Callable[[Expr, Expr], Expr]] = {
    "add": sn.add, "subtract": sn.subtract, "multiply": lambda a, b: bounded(a) * b, "minimum": sn.minimum,
    "maximum": sn.maximum, "divide": lambda a, b: a / positive(b), "mod": lambda a, b: sn.mod(a, positive(b)),
    "floor_divide": lambda a, b: b * sn.floor_divide(a, positive(b)), "power": lambda a, b: positive(a) ** bounded(b),
}  # fmt: skip


@dataclass
class RandomGraph(LayerMoves):
    """A pool that grows move by move. `inputs` are the differentiable leaves, `indices` the integer ones."""

    seed: int
    rng: np.random.Generator = field(init=False)
    inputs: list[Expr] = field(default_factory=list)
    indices: list[Expr] = field(default_factory=list)
    pool: list[Expr] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        shapes = [("N", 3), (3,), (2, 3), ("N",), (), (2, 4, 3), (5,), ("N", 2, 3), (1, 3), (7, 1)]
        for i, shape in enumerate(self.rng.permutation(len(shapes))[: self.rng.integers(2, 4)]):
            self.inputs.append(sn.input(f"x{i}", shapes[shape], "float64"))
        self.indices.append(sn.input("rows", ("N",), "int64"))
        self.indices.append(sn.input("cols", (4,), "int64"))
        self.pool = list(self.inputs)
        moves = [getattr(self, name) for name in dir(self) if name.startswith("move_")]
        moves += [self.move_unary] * 3  # there are many
        for _ in range(int(self.rng.integers(5, 12))):
            made = moves[self.rng.integers(len(moves))]()
            if made is not None:
                self.pool.append(self.small(made))

    # --- choosing ------------------------------------------------------------------------------------------------

    def pick(self) -> Expr:
        """A value, recent ones more often, so that graphs become deep."""
        weights = np.arange(1, len(self.pool) + 1, dtype=float)
        return self.pool[self.rng.choice(len(self.pool), p=weights / weights.sum())]

    def pick_ranked(self, rank: int) -> Expr:
        """A value with at least `rank` axes."""
        x = self.pick()
        while x.ndim < rank:
            x = sn.stack([x, sn.sin(x) + 0.1], axis=int(self.rng.integers(x.ndim + 1)))
        return x

    def small(self, x: Expr) -> Expr:
        while np.prod(dims.evaluate_shape(x.shape, N_BOUND)) > LIMIT:
            x = sn.mean(x, axis=int(self.rng.integers(x.ndim)))
        return x

    def axes(self, x: Expr) -> tuple[int, ...]:
        count = int(self.rng.integers(1, x.ndim + 1))
        return tuple(int(a) for a in self.rng.permutation(x.ndim)[:count])

    def axis(self, x: Expr) -> int:
        return int(self.rng.integers(-x.ndim, x.ndim))

    def fitting(self) -> tuple[Expr, Expr]:
        """Two values that broadcast."""
        a, b = self.pick(), self.pick()
        try:
            dims.broadcast(a.shape, b.shape)
        except sn.ShapeError:
            b = sn.mean(b)
        return a, b

    def static(self, x: Expr) -> Expr:
        """`x` averaged over its axes of named size."""
        return sn.mean(x, axis=tuple(a for a, dim in enumerate(x.shape) if isinstance(dim, str)))

    # --- moves ---------------------------------------------------------------------------------------------------

    def move_unary(self) -> Expr:
        return list(UNARY.values())[self.rng.integers(len(UNARY))](self.pick())

    def move_binary(self) -> Expr:
        return list(BINARY.values())[self.rng.integers(len(BINARY))](*self.fitting())

    def move_where(self) -> Expr:
        a, b = self.fitting()
        first, second = (COMPARISONS[i](a, b + 0.05) for i in self.rng.integers(len(COMPARISONS), size=2))
        joined = [sn.logical_and, sn.logical_or][self.rng.integers(2)](first, sn.logical_not(second))
        return sn.where(joined, sn.sin(a), b * 0.7)

    def move_reduce(self) -> Expr:
        x = self.pick_ranked(1)
        kinds = [sn.sum, sn.mean, sn.max, sn.min, sn.var, sn.logsumexp, lambda x, **k: sn.prod(bounded(x), **k)]
        kind = kinds[self.rng.integers(len(kinds))]
        return kind(x, axis=self.axes(x), keepdims=bool(self.rng.integers(2)))

    def move_any_all(self) -> Expr:
        x = self.pick_ranked(1)
        axis = self.axis(x)
        test = [sn.any, sn.all][self.rng.integers(2)](x > 0.2, axis=axis, keepdims=True)
        return sn.where(test, x, sn.cos(x))

    def move_arg(self) -> Expr:
        x = self.pick_ranked(1)
        axis = self.axis(x)
        where = [sn.argmax, sn.argmin][self.rng.integers(2)](x, axis=axis, keepdims=True)
        return sn.take_along_axis(sn.sin(x), where, axis=axis) + 0.1 * sn.cast(where, "float64")

    def move_softmax(self) -> Expr:
        x = self.pick_ranked(1)
        return [sn.softmax, sn.log_softmax][self.rng.integers(2)](x, axis=self.axis(x))

    def move_cumsum(self) -> Expr:
        x = self.pick_ranked(1)
        return sn.cumsum(x, axis=self.axis(x), reverse=bool(self.rng.integers(2))) * 0.4

    def move_transpose(self) -> Expr:
        x = self.pick_ranked(2)
        return sn.transpose(x, tuple(int(a) for a in self.rng.permutation(x.ndim)))

    def move_reshape(self) -> Expr:
        x = self.pick_ranked(2)
        flat = sn.reshape(x, (-1,)) if self.rng.integers(2) else sn.expand_dims(x, self.axis(x))
        return sn.sin(flat)

    def move_broadcast(self) -> Expr:
        x = self.pick()
        return sn.broadcast_to(x, (2, *x.shape)) * sn.constant(np.asarray([0.5, -1.5]).reshape(2, *[1] * x.ndim))

    def move_slice(self) -> Expr:
        x = self.pick_ranked(1)
        index = []
        for dim in x.shape:
            if isinstance(dim, int) and dim > 1:
                start = int(self.rng.integers(0, dim - 1))
                index.append([slice(start, None), slice(None, None, -1), slice(start, None, 2), slice(0, dim - 1)][
                    self.rng.integers(4)
                ])  # fmt: skip
            else:
                index.append(slice(None, None, int(self.rng.choice([-1, 1]))))
        return x[tuple(index)]

    def move_pad(self) -> Expr:
        x = self.pick_ranked(1)
        widths = [tuple(int(w) for w in self.rng.integers(0, 3, 2)) for _ in range(x.ndim)]
        return sn.pad(x, widths, constant_values=float(self.rng.choice([0.0, 0.3])))

    def move_place(self) -> Expr:
        x = sn.reshape(self.pick(), (-1,))
        size = dims.add(dims.mul(x.shape[0], 2), 1)
        return sn.place(x, start=(1,), step=(2,), shape=(size,), fill=0.2)

    def move_join(self) -> Expr:
        x = self.pick_ranked(1)
        axis = self.axis(x)
        joiner = [sn.concat, sn.stack][self.rng.integers(2)]
        return joiner([x, sn.cos(x), 0.5 * x][: self.rng.integers(2, 4)], axis=axis)

    def move_arrange(self) -> Expr:
        x = self.pick_ranked(1)
        axis = self.axis(x)
        return [lambda: sn.flip(x, axis), lambda: sn.roll(x, 1, axis), lambda: sn.repeat(x, 2, axis)][
            self.rng.integers(3)
        ]()

    def move_take(self) -> Expr:
        x = self.pick_ranked(1)
        axis = next((a for a in range(x.ndim) if isinstance(x.shape[a], int)), None)
        if axis is None:
            return x * 0.9
        index = sn.mod(self.indices[self.rng.integers(2)], x.shape[axis])
        return sn.take(x, index, axis=axis)

    def move_gather_two(self) -> Expr:
        x = sn.reshape(self.pick_ranked(2), (-1,))[:3]
        table = sn.outer(x, sn.cos(x)) if isinstance(x.shape[0], int) else sn.outer(x[:1], x)
        columns = sn.mod(self.indices[1], 1)
        return table[sn.mod(self.indices[1], table.shape[0]), columns]

    def move_scatter(self) -> Expr:
        x = sn.reshape(self.pick(), (-1,))
        rows = sn.mod(sn.arange(x.shape[0]) * 3, 4)
        one = sn.one_hot(rows, 4, dtype="float64")
        return sn.sum(sn.expand_dims(x, 1) * one, axis=0) + sn.cast(sn.arange(4), "float64")

    def move_scatter_add(self) -> Expr:
        """The transpose of a gather, through a gradient."""
        x = self.pick_ranked(1)
        flat = sn.reshape(x, (-1,))
        if not isinstance(flat.shape[0], int):
            return sn.sin(x)
        picked = flat[sn.mod(self.indices[1], flat.shape[0])]
        return sn.grad(sn.sum(sn.sin(picked) * 0.8), flat)

    def move_matmul(self) -> Expr:
        a = self.pick_ranked(2)
        b = sn.sin(a)
        return [
            lambda: sn.swapaxes(a, -1, -2) @ b,
            lambda: a @ sn.swapaxes(b, -1, -2),
            lambda: a @ b[(0,) * (b.ndim - 1)],
        ][self.rng.integers(3)]() * 0.3

    def move_einsum(self) -> Expr:
        a = self.pick_ranked(2)
        while a.ndim > 2:
            a = sn.mean(a, axis=0)
        spec = ["ij,ij->i", "ij,kj->ik", "ij,ik->jk", "ij,j->", "ij->ji", "ij,ij->", "ij,ik,il->kl"][
            self.rng.integers(7)
        ]
        terms = spec.split("->")[0].split(",")
        return sn.einsum(spec, *[sn.cos(a) if len(t) == 2 else a[0] for t in terms]) * 0.3

    def move_diagonal(self) -> Expr:
        x = sn.reshape(self.pick(), (-1,))
        square = sn.outer(x, sn.sin(x))
        return [sn.trace, sn.diagonal, lambda m: sn.einsum("ii->i", m), sn.tril][self.rng.integers(4)](square)

    def move_convolution(self) -> Expr:
        x = self.static(self.pick())
        picture = sn.pad(sn.reshape(sn.sin(x), (1, 1, 1, -1)), [(0, 0), (0, 0), (2, 3), (0, 4)], constant_values=0.1)
        kernel = sn.reshape(sn.mean(sn.cos(x)) * sn.constant(np.linspace(-1.0, 1.0, 6)), (1, 1, 3, 2))
        stride, padding, dilation = (int(self.rng.integers(low, 3)) for low in (1, 0, 1))
        return sn.conv2d(picture, kernel, stride=stride, padding=padding, dilation=dilation)[0, 0]

    def move_scan(self) -> Expr:
        x = self.pick_ranked(2)
        outside = sn.mean(sn.sin(self.pick()))

        def cell(h: Expr, row: Expr) -> tuple[Expr, Expr]:
            new = sn.tanh(h * 0.6 + row * outside)
            return new, new * row

        ys, last = sn.scan(cell, init=sn.zeros(x.shape[1:], "float64"), xs=x, reverse=bool(self.rng.integers(2)))
        return sn.mean(ys, axis=0) + last

    # --- the graph -----------------------------------------------------------------------------------------------

    def loss(self) -> Expr:
        """A scalar that depends on the last values."""
        terms = [sn.mean(sn.sin(x)) for x in self.pool[-3:]]
        return sn.sum(sn.stack(terms))

    def values(self, n: int) -> dict[str, np.ndarray]:
        """Arrays for the leaves at this size of N."""
        rng = np.random.default_rng([self.seed, n])
        arrays = {x.name: rng.uniform(-1.2, 1.2, dims.evaluate_shape(x.shape, {"N": n})) for x in self.inputs}
        arrays["rows"] = rng.integers(0, 7, n)
        arrays["cols"] = rng.integers(0, 7, 4)
        return arrays
