"""Windows, pools and convolutions as they are read; docs/formulas.md says what their subscripts mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from symnet.errors import UsageError
from symnet.explain.reading.grammar import Tree, dimension
from symnet.explain.reading.values import Array, Operand
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape

if TYPE_CHECKING:
    from symnet.explain.reading.reader import Reader


@dataclass(frozen=True)
class Settings:
    """The subscript of a pool or a convolution: `sizes` of the windows and what the letters say."""

    sizes: tuple[int, ...]
    given: dict[str, tuple[Any, ...]]
    groups: bool

    def each(self, letter: str, rank: int, usual: Any) -> tuple[Any, ...]:
        values = self.given.get(letter, (usual,) if not isinstance(usual, tuple) else usual)
        return tuple(values) * rank if len(values) == 1 else tuple(values)


def settings(subscript: str) -> Settings:
    """2×2,s2,p1×0 as numbers."""
    sizes: tuple[int, ...] = ()
    given: dict[str, tuple[Any, ...]] = {}
    parts = [part for part in subscript.split(",") if part]
    for part in parts:
        if re.match(r"[spdnok]", part):
            given[part[0]] = tuple(
                dimension(value) if value[0] != "−" else -int(value[1:]) for value in part[1:].split("×")
            )
        elif part != "g":
            sizes = tuple(int(value) for value in part.split("×"))
    return Settings(sizes, given, "g" in parts)


def _value(text: str) -> Dim:
    return -int(text[1:]) if text.startswith("−") else dimension(text)


def _places(count: int, size: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    """The place of element k of window n, [n, k]."""
    return stride * np.arange(count)[:, None] + dilation * np.arange(size) - padding


def _at(*places: int) -> Any:
    """Elements of the last axes."""
    return (..., *places)


def _count(extent: Dim, size: int, stride: int, padding: int, dilation: int, sizes: Mapping[str, int]) -> Dim:
    span = dims.sub(dims.add(extent, 2 * padding), dilation * (size - 1) + 1)
    if isinstance(span, int):
        return span // stride + 1
    whole = dims.divide(span, stride)
    if whole is None:
        return (dims.evaluate(span, sizes)) // stride + 1
    return dims.add(whole, 1)


def _view(
    x: Array, own: Settings, stride: Any, fill: float, sizes: Mapping[str, int]
) -> tuple[np.ndarray, tuple[Dim, ...]]:
    """All windows over the last axes: [*lead, *counts, *sizes], and the counts."""
    rank = len(own.sizes)
    strides, pads, steps = own.each("s", rank, stride), own.each("p", rank, 0), own.each("d", rank, 1)
    extents = x.shape[len(x.shape) - rank :]
    usual = tuple(map(lambda e, k, s, p, d: _count(e, k, s, p, d, sizes), extents, own.sizes, strides, pads, steps))
    counts = own.each("n", rank, usual)
    lead = x.value.shape[: x.value.ndim - rank]
    numbers = tuple(dims.evaluate(count, sizes) for count in counts)
    places = [_places(*one) for one in zip(numbers, own.sizes, strides, pads, steps, strict=True)]
    result = np.full((*lead, *numbers, *own.sizes), fill, np.float64)
    for at in product(*(np.ndindex(*one.shape) for one in places)):
        source = tuple(int(one[index]) for one, index in zip(places, at, strict=True))
        if all(0 <= i < size for i, size in zip(source, x.value.shape[x.value.ndim - rank :], strict=True)):
            result[_at(*(i[0] for i in at), *(i[1] for i in at))] = x.value[_at(*source)]
    return result, tuple(counts)


def _pool(choice: str) -> Callable[..., Operand]:
    def apply(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
        x, own = reader.array(arguments[0]), settings(subscript)
        seen, counts = _view(x, own, own.sizes, -np.inf, reader.sizes)
        flat = seen.reshape(*seen.shape[: seen.ndim - len(own.sizes)], -1)
        value = flat.max(axis=-1) if choice == "max" else flat.argmax(axis=-1)
        return Array(value, (*x.shape[: len(x.shape) - len(own.sizes)], *counts))

    return apply


def _windows(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    x, own = reader.array(arguments[0]), settings(subscript)
    fill = float(reader.array(arguments[1]).value) if len(arguments) > 1 else 0.0
    seen, counts = _view(x, own, 1, fill, reader.sizes)
    return Array(seen, (*x.shape[: len(x.shape) - len(own.sizes)], *counts, *own.sizes))


def _overlap_add(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    g, own = reader.array(arguments[0]), settings(subscript)
    rank = len(own.sizes)
    return _added_up(g.value, g.shape[len(g.shape) - 2 * rank : -rank], g.shape[: -2 * rank], own, 1, reader.sizes)


def _unpool(reader: Reader, subscript: str, arguments: Sequence[Tree]) -> Operand:
    g, chosen, own = reader.array(arguments[0]), reader.array(arguments[1]), settings(subscript)
    rank = len(own.sizes)
    spread = np.where(chosen.value[..., None] == np.arange(math.prod(own.sizes)), g.value[..., None], 0)
    spread = spread.reshape(*g.value.shape, *own.sizes)
    return _added_up(spread, g.shape[len(g.shape) - rank :], g.shape[:-rank], own, own.sizes, reader.sizes)


def _added_up(g: np.ndarray, counts: Shape, lead: Shape, own: Settings, stride: Any, sizes: Mapping[str, int]) -> Array:
    """What windows hold, added up in the array that they lie in."""
    rank = len(own.sizes)
    strides, pads, steps = own.each("s", rank, stride), own.each("p", rank, 0), own.each("d", rank, 1)
    usual = tuple(
        dims.add(dims.mul(dims.sub(n, 1), s), d * (k - 1) + 1 - 2 * p)
        for n, k, s, p, d in zip(counts, own.sizes, strides, pads, steps, strict=True)
    )
    extents = own.each("o", rank, usual)
    numbers = dims.evaluate_shape(tuple(extents), sizes)
    places = [
        _places(dims.evaluate(n, sizes), *one) for n, *one in zip(counts, own.sizes, strides, pads, steps, strict=True)
    ]
    result = np.zeros((*dims.evaluate_shape(lead, sizes), *numbers))
    for at in product(*(np.ndindex(*one.shape) for one in places)):
        target = tuple(int(one[index]) for one, index in zip(places, at, strict=True))
        if all(0 <= i < size for i, size in zip(target, numbers, strict=True)):
            result[_at(*target)] += g[_at(*(i[0] for i in at), *(i[1] for i in at))]
    return Array(result, (*lead, *extents))


def windowed(sign: str, left: Array, right: Array, subscript: str, sizes: Mapping[str, int]) -> Array:
    """A convolution: x ∗ W, δ ∗ᵀ W, x ⋆ δ; images [n, (g,) c, …], kernels [(g,) o, c, …], maps [n, (g,) o, …]."""
    own = settings(subscript)
    if not own.groups:
        left = Array(left.value[:, None], (left.shape[0], 1, *left.shape[1:]))
        right_axis = 1 if sign == "⋆" else 0
        right = Array(
            np.expand_dims(right.value, right_axis), (*right.shape[:right_axis], 1, *right.shape[right_axis:])
        )
    rank = len(left.shape) - 3
    if len(right.shape) != len(left.shape):
        raise UsageError(f"{sign} joins {dims.show(left.shape)} and {dims.show(right.shape)}")
    result = _CONVOLUTIONS[sign](left, right, own, rank, sizes)
    if own.groups:
        return result
    axis = 0 if sign == "⋆" else 1
    return Array(result.value.squeeze(axis), (*result.shape[:axis], *result.shape[axis + 1 :]))


def _convolved(x: Array, w: Array, own: Settings, rank: int, sizes: Mapping[str, int]) -> Array:
    kernel = Settings(tuple(int(size) for size in w.shape[3:]), own.given, own.groups)
    seen, counts = _view(x, kernel, 1, 0.0, sizes)
    y, k = "uvw"[:rank], "xyz"[:rank]
    value = np.einsum(f"ngc{y}{k},goc{k}->ngo{y}", seen, w.value)
    return Array(value, (x.shape[0], w.shape[0], w.shape[1], *counts))


def _spread(d: Array, w: Array, own: Settings, rank: int, sizes: Mapping[str, int]) -> Array:
    y, k = "uvw"[:rank], "xyz"[:rank]
    held = np.einsum(f"ngo{y},goc{k}->ngc{y}{k}", d.value, w.value)
    kernel = Settings(tuple(int(size) for size in w.shape[3:]), own.given, own.groups)
    return _added_up(held, d.shape[3:], (d.shape[0], d.shape[1], w.shape[2]), kernel, 1, sizes)


def _correlated(x: Array, d: Array, own: Settings, rank: int, sizes: Mapping[str, int]) -> Array:
    strides, pads, steps = own.each("s", rank, 1), own.each("p", rank, 0), own.each("d", rank, 1)
    usual = []
    for extent, count, s, p, step in zip(x.shape[3:], d.shape[3:], strides, pads, steps, strict=True):
        span = dims.evaluate(extent, sizes) + 2 * p - s * (dims.evaluate(count, sizes) - 1) - 1
        usual.append(span // step + 1)
    kernel = Settings(own.each("k", rank, tuple(usual)), {**own.given, "n": d.shape[3:]}, own.groups)
    seen, _ = _view(x, kernel, 1, 0.0, sizes)
    y, k = "uvw"[:rank], "xyz"[:rank]
    value = np.einsum(f"ngc{y}{k},ngo{y}->goc{k}", seen, d.value)
    return Array(value, (x.shape[1], d.shape[2], x.shape[2], *kernel.sizes))


_CONVOLUTIONS = {"∗": _convolved, "∗ᵀ": _spread, "⋆": _correlated}

FUNCTIONS: dict[str, Callable[[Reader, str, Sequence[Tree]], Operand]] = {
    "maxpool": _pool("max"), "argmaxpool": _pool("argmax"), "windows": _windows, "overlapadd": _overlap_add,
    "unpool": _unpool,
}  # fmt: skip
