"""The loss around a point: along two directions in the space of the parameters, as data and as a picture.

Random directions are normalised filter by filter (Li, Xu, Taylor, Studer, Goldstein, "Visualizing the loss landscape of
neural nets", arXiv 1712.09913): each row of a weight's direction is as long as the row itself, and vectors (biases and
the like) are left where they are. So a step of 1 means as much in every layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet import ops
from symnet.derive.arguments import scalar_loss
from symnet.errors import DTypeError, ShapeError, UnknownName, UsageError, nearest
from symnet.explain.sampling import check_seed, check_values
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.traverse import leaves, substitute

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symnet.program.program import Program

Array = np.ndarray
Direction = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Surface:
    """The loss at parameters + a·first + b·second.

    a, b        the steps along the directions, increasing
    losses      [i, j] at a[i], b[j]
    directions  two mappings from the names of parameters to arrays
    centre      the loss at the point itself
    """

    a: Array
    b: Array
    losses: Array
    directions: tuple[dict[str, Array], dict[str, Array]]
    centre: float

    def plot(self, path: str | Path | None = None, kind: str = "contour") -> Figure:
        """The picture, written to `path` if there is one: lines of equal loss, or "relief" in perspective."""
        from symnet.program.checkpoint import as_path
        from symnet.train.plots import save

        if kind not in ("contour", "relief"):
            raise UsageError(f"surface: there is no kind {kind!r}{nearest(kind, ('contour', 'relief'))}")
        target = None if path is None else as_path(path, "surface")
        figure = _contour(self) if kind == "contour" else _relief(self)
        if target is not None:
            save(figure, target)
        return figure

    def __repr__(self) -> str:
        grid = f"{len(self.a)}×{len(self.b)}"
        finite = self.losses[np.isfinite(self.losses)]
        if not finite.size:
            return f"<Surface {grid}: no loss is finite>"
        low, high = float(finite.min()), float(finite.max())
        return f"<Surface {grid}: loss from {low:.4g} to {high:.4g}, {self.centre:.4g} at the point>"


def surface(
    loss: Expr | Program,
    values: Mapping[str, Any],
    *,
    directions: Sequence[Direction] | None = None,
    span: float = 1.0,
    points: int = 25,
    seed: int = 0,
) -> Surface:
    """The loss around a point.

    loss        a scalar expression, or a compiled program, whose loss it is then, as it is evaluated (no dropout)
    values      arrays for the inputs, by name; for an expression also for its parameters and other state. A program has
                its own parameters
    directions  two mappings from names of parameters to arrays; what is not mentioned stays. None: random ones, drawn
                with `seed` and normalised filter by filter
    span        how far to go from the point in every direction
    points      on each side of the square, an odd number, so that the point itself is one
    """
    if isinstance(points, bool) or not isinstance(points, (int, np.integer)) or points < 3 or points % 2 == 0:
        raise UsageError(f"surface: points is {points!r}, expected an odd number from 3")
    if not isinstance(span, (int, float, np.number)) or not 0 < span < np.inf:
        raise UsageError(f"surface: span is {span!r}, expected a number above 0")
    check_seed(seed, "surface")
    expression, given = at_point(loss, values, "surface")
    parameters = {str(node.name): node for node in leaves([expression], "parameter") if node.attrs["trainable"]}
    if not parameters:
        raise UsageError("surface: the loss depends on no trainable parameter")
    arrays = {name: given[node] for name, node in parameters.items()}
    if directions is None:
        rng = np.random.default_rng(seed)
        first, second = _random(arrays, rng), _random(arrays, rng)
    else:
        first, second = _given(directions, arrays)
    steps = np.linspace(-float(span), float(span), int(points))
    losses = _evaluated(expression, given, parameters, (first, second), steps)
    middle = points // 2
    return Surface(steps, steps, losses, (first, second), float(losses[middle, middle]))


def at_point(loss: object, values: Mapping[str, Any], who: str) -> tuple[Expr, dict[Expr, Array]]:
    """The loss as it is evaluated, and an array for each of its leaves."""
    from symnet.ops.meaning import inference
    from symnet.ops.random import SEED, STEP

    about = getattr(loss, "about", None)
    own: dict[str, Any] = {}
    if about is not None:
        program: Any = loss
        loss = inference(about.plan().loss)
        own = {**dict(program.parameters), **dict(program.buffers)}
    expression = scalar_loss(loss, who)
    check_values(values, who)
    found: dict[Expr, Array] = {}
    known = {SEED: 0, STEP: 0, **own, **values}
    for kind in ("input", "parameter", "state"):
        for leaf in leaves([expression], kind):
            name = str(leaf.name)
            if name not in known:
                given = ", ".join(map(str, (*own, *values))) or "none"
                raise UnknownName(f"{who}: no value for the {kind} {name!r}; given: {given}")
            found[leaf] = _array(known[name], leaf, who)
    for name in values:
        if name not in {str(leaf.name) for leaf in found}:
            raise UnknownName(f"{who}: the loss depends on no {name!r}{nearest(name, (leaf.name for leaf in found))}")
    return expression, found


def _array(value: object, leaf: Expr, who: str) -> Array:
    try:
        return np.asarray(value, leaf.dtype)
    except (TypeError, ValueError) as error:
        given = type(value).__name__
        raise DTypeError(
            f"{who}: the value of the {leaf.op} {leaf.name!r} is a {given}, expected an array of {leaf.dtype}: {error}"
        ) from error


def _random(arrays: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """A direction whose rows are as long as those of the parameters; vectors and scalars do not move."""
    direction = {}
    for name, array in arrays.items():
        if array.ndim < 2:
            direction[name] = np.zeros_like(array)
            continue
        drawn = rng.standard_normal(array.shape)
        axes = tuple(range(1, array.ndim))
        length = np.sqrt(np.sum(np.square(array, dtype="float64"), axis=axes, keepdims=True))
        drawn *= length / np.sqrt(np.sum(np.square(drawn), axis=axes, keepdims=True))
        direction[name] = drawn.astype(array.dtype)
    if not any(np.any(part) for part in direction.values()):  # vectors alone: they are all there is
        return {name: rng.standard_normal(array.shape).astype(array.dtype) for name, array in arrays.items()}
    return direction


def _given(directions: Sequence[Direction], arrays: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    if not isinstance(directions, (list, tuple)) or len(directions) != 2:
        raise UsageError("surface: directions are two mappings from names of parameters to arrays")
    full = []
    for direction in directions:
        if not isinstance(direction, Mapping):
            given = type(direction).__name__
            raise DTypeError(f"surface: a direction is a {given}, expected a mapping from parameters to arrays")
        for name, part in direction.items():
            if name not in arrays:
                raise UnknownName(f"surface: there is no parameter {name!r}{nearest(name, arrays)}")
            if np.shape(part) != arrays[name].shape:
                raise ShapeError(
                    f"surface: the direction of {name!r} has the shape {dims.show(np.shape(part))}, "
                    f"expected {dims.show(arrays[name].shape)}"
                )
        full.append({n: np.asarray(direction.get(n, np.zeros_like(a)), a.dtype) for n, a in arrays.items()})
    return full[0], full[1]


def _evaluated(
    expression: Expr,
    given: Mapping[Expr, Array],
    parameters: Mapping[str, Expr],
    directions: tuple[Mapping[str, Array], Mapping[str, Array]],
    steps: Array,
) -> Array:
    """One compiled function of the two steps, called at every point."""
    from symnet.program import function

    a, b = ops.input("a", (), expression.dtype), ops.input("b", (), expression.dtype)
    moved, arrays = {}, dict(given)
    for name, node in parameters.items():
        where = [ops.input(f"direction {i} of {name}", node.shape, node.dtype) for i in (1, 2)]
        moved[node] = node + ops.cast(a, node.dtype) * where[0] + ops.cast(b, node.dtype) * where[1]
        arrays |= {leaf: direction[name] for leaf, direction in zip(where, directions, strict=True)}
    (value,) = substitute([expression], moved)
    compiled = function([a, b, *arrays], value)
    losses = np.empty((len(steps), len(steps)))
    for index in np.ndindex(losses.shape):
        here = [np.asarray(steps[i], expression.dtype) for i in index]
        losses[index] = np.asarray(compiled(*here, *arrays.values())).item()
    return losses


def _contour(found: Surface) -> Figure:
    from matplotlib.colors import LogNorm

    from symnet.train.plots import blank, logarithmic

    figure, axes = blank(5.6, 4.6)
    axes.grid(visible=False)
    finite = found.losses[np.isfinite(found.losses)]
    levels: Any = 20
    norm = None
    if logarithmic(finite):
        levels, norm = np.geomspace(finite.min(), finite.max(), 20), LogNorm()
    picture = axes.contourf(found.a, found.b, found.losses.T, levels=levels, norm=norm, cmap="viridis")
    axes.contour(found.a, found.b, found.losses.T, levels=levels, colors="white", linewidths=0.4, alpha=0.6)
    axes.plot(0, 0, marker="+", color="white", markersize=12, markeredgewidth=2)
    axes.set_xlabel("along the first direction")
    axes.set_ylabel("along the second direction")
    figure.colorbar(picture, ax=axes, label="loss", pad=0.02, format="%.3g")
    return figure


def _relief(found: Surface) -> Figure:
    from symnet.train.plots import blank

    figure, axes = blank(6.2, 5.0, subplot_kw={"projection": "3d"})
    a, b = np.meshgrid(found.a, found.b, indexing="ij")
    axes.plot_surface(a, b, found.losses, cmap="viridis", linewidth=0, antialiased=True, rstride=1, cstride=1)
    axes.set_xlabel("first direction")
    axes.set_ylabel("second direction")
    axes.set_zlabel("loss")
    return figure
