"""Convolutions as `codegen.passes.winograd` takes them: which kernels are some, and the tiles of their results.

    y[n, i, j, k] = sum(c, u, v) x[n, i + u, j + v, c] * w[k, c, u, v]
    dw[k, c, u, v] = sum(n, i, j) x[n, i + u, j + v, c] * dy[n, i, j, k]           the gradient of a filter

In each of two directions a window slides over the image. Its positions, `i`, make tiles; the last one may be cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from codegen.loops.grammar import Affine, Apply, Axis, Kernel, Load, Program, Reduce
from codegen.loops.rewrite import affine, axis_index, scale, shift
from codegen.passes.core import axes_in, capacity, contraction, volume
from codegen.passes.toom import SIZE
from symnet.expr import dims
from symnet.expr.dims import Dim

CHANNELS = 16
"""Channels that there must be on both sides, so that the products outweigh the sums around them."""

TAPS = (3, 4, 5)
"""Taps of a filter, in each direction, so that a tile has four results, three or two."""

TILES = 32
"""Tiles that there must be in all, so that filters are worth being multiplied first."""

GAIN = 2
"""How many times more products the plain sums must have; tiles that are cut have as many as whole ones."""


@dataclass(frozen=True)
class Strip:
    """Neighbouring tiles in one direction: their axis, if there are several, their number, and results of each."""

    axes: tuple[Axis, ...]
    tile: Affine
    results: int


@dataclass(frozen=True)
class Slide:
    """One direction in which windows slide: `position + tap`, or `position - tap` where the filter is reversed.

    position, tap   the axes
    at      which index of the image it is
    start   where the window of position 0 begins
    """

    position: Axis
    tap: Axis
    at: int
    start: Dim
    reversed: bool

    @property
    def taps(self) -> int:
        assert isinstance(self.tap.extent, int)
        return self.tap.extent

    @property
    def step(self) -> int:
        """Positions of a tile."""
        return SIZE + 1 - self.taps

    @property
    def positions(self) -> int:
        assert isinstance(self.position.extent, int)
        return self.position.extent

    @property
    def tiles(self) -> int:
        return math.ceil(self.positions / self.step)

    def strips(self, name: str) -> list[Strip]:
        """The whole tiles, along an axis of this name, and the last one if it is cut."""
        whole, rest = divmod(self.positions, self.step)
        strips = [Strip((Axis(name, whole),), axis_index(name), self.step)] if whole else []
        return [*strips, Strip((), affine((), whole), rest)] if rest else strips

    def tap_at(self, number: int) -> Affine:
        """The position of a tap, in the order in which a window has them."""
        return affine((), self.taps - 1 - number if self.reversed else number)


@dataclass(frozen=True)
class Region:
    """A part of an image: strips of tiles, down and across."""

    strips: tuple[Strip, Strip]
    slides: tuple[Slide, Slide]

    def places(self, at: tuple[int, ...]) -> dict[str, Affine]:
        """Which position an element of a tile is."""
        every = zip(self.slides, self.strips, at, strict=True)
        return {slide.position.name: shift(scale(strip.tile, slide.step), number) for slide, strip, number in every}

    def inside(self, at: tuple[int, ...]) -> bool:
        """Whether the tiles here have this element."""
        return all(number < strip.results for strip, number in zip(self.strips, at, strict=True))


@dataclass(frozen=True)
class Convolution:
    """A convolution, or the gradient of its filter.

    image, other   the windows; the filters, or what the windows of each position are multiplied by
    slides         the two directions
    images         the axis along which there are several images, if any
    shared         the channels that are summed over; of a gradient, those of the image
    own            the other channels
    """

    kernel: Kernel
    image: Load
    other: Load
    slides: tuple[Slide, Slide]
    images: Axis | None
    shared: Axis
    own: Axis
    gradient: bool

    @property
    def tiles(self) -> int:
        """Tiles of one image."""
        return self.slides[0].tiles * self.slides[1].tiles


def recognised(program: Program, kernel: Kernel) -> Convolution | None:
    """The convolution that a kernel is, if this way of computing it fits and pays."""
    roles, first = contraction(kernel), kernel.body[0] if kernel.body else None
    if roles is None or roles.batch or not isinstance(first, Reduce) or not isinstance(first.value, Apply):
        return None
    if first.value.dtype != "float32" or not all(isinstance(one, Load) for one in first.value.args):
        return None
    for image, other in (first.value.args, first.value.args[::-1]):
        assert isinstance(image, Load)
        assert isinstance(other, Load)
        found = _convolution(kernel, first, image, other)
        if found is not None and _pays(program, found):
            return found
    return None


def _pays(program: Program, found: Convolution) -> bool:
    images = capacity(program, found.images.extent) if found.images else 1
    channels = min(volume(program, (axis,)) for axis in (found.shared, found.own))
    plain = math.prod(slide.positions * slide.taps for slide in found.slides)
    enough = channels >= CHANNELS and images * found.tiles >= TILES
    return enough and plain >= GAIN * SIZE * SIZE * found.tiles


def _convolution(kernel: Kernel, first: Reduce, image: Load, other: Load) -> Convolution | None:
    """The convolution of an image with windows, the first operand, by the other."""
    inner = {axis.name: axis for axis in first.axes}
    outer = {axis.name: axis for axis in kernel.axes}
    slides: list[Slide] = []
    gradients: list[bool] = []
    for at, part in enumerate(image.index):
        if not isinstance(part, Affine) or len(part.terms) < 2:
            continue
        one, two = (next((a for a in axes if part.coefficient(a)), "") for axes in (outer, inner))
        if len(part.terms) > 2 or not one or not two or one in axes_in(other.index):
            return None
        gradients.append(inner[two].extent not in TAPS)
        position, tap = (inner[two], outer[one]) if gradients[-1] else (outer[one], inner[two])
        if part.coefficient(position.name) != 1 or abs(part.coefficient(tap.name)) != 1 or tap.extent not in TAPS:
            return None
        backwards = part.coefficient(tap.name) < 0
        slides.append(Slide(position, tap, at, dims.sub(part.offset, tap.extent - 1 if backwards else 0), backwards))
    if len(slides) != 2 or gradients[0] != gradients[1]:
        return None
    used = [axis.name for slide in slides for axis in (slide.position, slide.tap)]
    again = axes_in(tuple(part for at, part in enumerate(image.index) if at not in (slides[0].at, slides[1].at)))
    fixed = all(isinstance(slide.position.extent, int) for slide in slides)
    if len(set(used)) < 4 or again & set(used) or not fixed:
        return None
    return _with_channels(kernel, first, image, other, (slides[0], slides[1]), gradients[0])


def _with_channels(
    kernel: Kernel, first: Reduce, image: Load, other: Load, slides: tuple[Slide, Slide], gradient: bool
) -> Convolution | None:
    """The same with the axes that are left: images and channels."""
    used = {axis.name for slide in slides for axis in (slide.position, slide.tap)}
    outer, inner = ([axis for axis in axes if axis.name not in used] for axes in (kernel.axes, first.axes))
    of_image = [axis for axis in outer if axis.name in axes_in(image.index)]
    of_other = [axis for axis in outer if axis.name in axes_in(other.index)]
    shared, images = (of_image, inner) if gradient else (inner, of_image)
    if len(shared) != 1 or len(of_other) != 1 or len(images) > 1:
        return None
    return Convolution(kernel, image, other, slides, images[0] if images else None, shared[0], of_other[0], gradient)
