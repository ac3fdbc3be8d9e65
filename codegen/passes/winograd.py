"""Winograd: convolutions with small filters take fewer multiplications.

    y[n, i, j, k] = sum(c, u, v) x[n, i + u, j + v, c] * w[k, c, u, v]

goes tile by tile of the results, 4×4 of them for filters of 3×3. A tile depends on a window of 6×6 elements; with
windows and filters multiplied by constant matrices (`codegen.passes.toom`), each of the 36 is a product of matrices,

    y_windows[p, t, c] = (B^T x B)[p]        y_filters[p, c, k] = (G w G^T)[p]
    y_products[p, t, k] = sum(c) y_windows[p, t, c] * y_filters[p, c, k]           t: tiles
    y = A^T y_products A                                                           and what the kernel does with y

which is 36 products of an image and a filter's element for 144. The gradient of the image is such a convolution itself;
that of the filter is the same with other roles: windows of the image, and tiles of the gradient as its filters.

    w_tiles[p, t, k] = (A dy A^T)[p]         w_sums[p, c, k] = sum(t) w_windows[p, t, c] * w_tiles[p, t, k]
    dw = G^T w_sums G

With float32 the errors are about twice those of plain sums (docs/numerics.md). Images with enough tiles go one by
one, so that their windows and products stay in the second-level cache; of a convolution, several at the same time, each
by one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from codegen.loops.grammar import (
    Affine,
    Apply,
    Axis,
    Buffer,
    Const,
    Item,
    Kernel,
    Let,
    Load,
    Program,
    Reduce,
    Ref,
    Scalar,
    Stmt,
    Store,
    kernels,
)
from codegen.loops.grammar import (
    Sequence as Repeat,
)
from codegen.loops.rewrite import (
    add,
    affine,
    axis_index,
    rename_values,
    scale,
    shift,
    stemming_from,
    substitute_axes,
    substitute_axes_block,
)
from codegen.lower.names import AxisNames, Names
from codegen.passes.convolutions import Convolution, Region, recognised
from codegen.passes.core import Pass, capacity
from codegen.passes.toom import SIZE, Block, Matrix, of_filters, of_first_results, of_results, of_windows
from symnet.expr import dims
from symnet.expr.dims import Dim

POINTS = SIZE * SIZE

ZERO = Const(0.0, "float32")

Element = Callable[..., Scalar]
"""An element of a window, a filter or a tile."""

Places = Callable[[tuple[int, ...]], dict[str, Affine]]
"""Axes and what they are at an element of a result."""

ALONE = 16
"""Tiles of one image from which images go one by one."""

SEVERAL = 16
"""Images from which each is one thread's."""


def winograd(program: Program) -> Program:
    rewriting = _Rewriting(program)
    items = rewriting.items(program.items, ())
    return replace(program, items=items, buffers=rewriting.buffers) if rewriting.made else program


class _Rewriting:
    """The kernels of one program, new buffers beside its own."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = Names((*program.buffers, *program.dims, *(kernel.name for kernel in kernels(program.items))))
        self.buffers = dict(program.buffers)
        self.made = False

    def items(self, items: tuple[Item, ...], around: tuple[str, ...]) -> tuple[Item, ...]:
        """The items, which are inside loops over these axes."""
        result: list[Item] = []
        for item in items:
            if not isinstance(item, Kernel):
                inside = (*around, item.axis.name) if isinstance(item, Repeat) else around
                result.append(replace(item, items=self.items(item.items, inside)))
            elif found := recognised(self.program, item):
                self.made = True
                result += _Tiled(self, found, around).items()
            else:
                result.append(item)
        return tuple(result)

    def buffer(self, name: str, shape: tuple[Dim, ...], local: bool) -> str:
        made = Buffer(self.names.fresh(name), "float32", shape, "local" if local else "scratch")
        self.buffers[made.name] = made
        return made.name


class _Tiled:
    """The kernels that one convolution becomes.

    regions   the parts of an image whose tiles have equally many results
    alone     whether images go one by one, in a loop around the kernels; parallel: each by one thread
    images    the axis of images otherwise, if there are several
    tiles     the axis of all tiles
    """

    def __init__(self, rewriting: _Rewriting, found: Convolution, around: tuple[str, ...]) -> None:
        self.rewriting, self.found = rewriting, found
        first = found.kernel.body[0]
        assert isinstance(first, Reduce)
        self.acc, self.origin = first.name, first.origin
        axes = (*found.kernel.axes, *first.axes)
        free = AxisNames((*rewriting.program.dims, *around, *(axis.name for axis in axes)))
        down, across = (slide.strips(free.take(slide.tiles)) for slide in found.slides)
        self.regions = [Region(strips, found.slides) for strips in product(down, across)]
        self.point = Axis(free.take(POINTS), POINTS)
        count = capacity(rewriting.program, found.images.extent) if found.images else 1
        self.parallel = not found.gradient and count >= SEVERAL and found.tiles >= ALONE and not around
        whole = count > 1 and found.tiles >= ALONE and len(self.regions) == 1
        self.alone = self.parallel or whole
        tiles: Dim = found.tiles
        self.images: tuple[Axis, ...] = ()
        if found.images is not None and not self.alone:
            self.images = (found.images,)
            tiles = dims.mul(found.images.extent, found.tiles)
        self.tiles = Axis(free.take(tiles), tiles)

    def items(self) -> list[Item]:
        found, name = self.found, self.found.kernel.name
        self.windows = self.array(f"{name}_windows", self.tiles.extent, found.shared, self.parallel)
        self.others = self.array(f"{name}_{'tiles' if found.gradient else 'filters'}", self.other_rows(), found.own)
        if not found.gradient:
            self.products = self.array(f"{name}_products", self.tiles.extent, found.own, self.parallel)
            steps = [*self.each_region(self.windows_kernel), self.products_kernel()]
            return [self.filters_kernel(), *self.each_image([*steps, *self.each_region(self.results_kernel)])]
        self.products = self.array(f"{name}_sums", found.shared.extent, found.own)
        steps = [*self.each_region(self.windows_kernel), *self.each_region(self.tiles_kernel), self.sums_kernel()]
        before = [self.zeros_kernel()] if self.alone else []
        return [*before, *self.each_image(steps), self.gradient_kernel()]

    def each_region(self, make: Callable[[Region], Kernel]) -> Iterator[Kernel]:
        """The same kernel for every part of an image."""
        first, *others = map(make, self.regions)
        yield first
        yield from (replace(kernel, name=self.rewriting.names.fresh(f"{kernel.name}_edge")) for kernel in others)

    def tile(self, region: Region) -> Affine:
        """The number of a tile, among those of its image or of all."""
        down, across = (strip.tile for strip in region.strips)
        number = add(scale(down, self.found.slides[1].tiles), across)
        return add(number, scale(axis_index(self.images[0].name), self.found.tiles)) if self.images else number

    def other_rows(self) -> Dim:
        return self.tiles.extent if self.found.gradient else self.found.shared.extent

    def array(self, name: str, rows: Dim, columns: Axis, local: bool = False) -> str:
        """A matrix for each point, a row apart: at the same place of every page, they would displace each other."""
        return self.rewriting.buffer(name, (POINTS, dims.add(rows, 1), columns.extent), local)

    def each_image(self, steps: list[Kernel]) -> list[Item]:
        if not self.alone:
            return list(steps)
        assert self.found.images is not None
        return [Repeat(self.found.images, tuple(steps), parallel=self.parallel)]

    def kernel(self, name: str, axes: Sequence[Axis], body: Sequence[Stmt], note: str) -> Kernel:
        return Kernel(name, tuple(axes), stemming_from(body, self.origin), note=note)

    # --- what is multiplied ---

    def windows_kernel(self, region: Region) -> Kernel:
        """Windows of the image by the matrix of windows."""
        image, (down, across) = self.found.image, region.strips

        def element(*at: int) -> Scalar:
            index = list(image.index)
            for slide, strip, number in zip(region.slides, region.strips, at, strict=True):
                if number >= strip.results + slide.taps - 1:
                    return ZERO
                index[slide.at] = shift(scale(strip.tile, slide.step), dims.add(slide.start, number))
            return replace(image, index=tuple(index))

        by = of_windows(), of_windows()
        body = self.multiplied(by, element, self.windows, self.tile(region), self.found.shared)
        axes = (*self.images, *down.axes, *across.axes, self.found.shared)
        return self.kernel(self.windows, axes, body, f"windows of {image.buffer}")

    def filters_kernel(self) -> Kernel:
        """The filters by their matrices."""
        other, slides, row = self.found.other, self.found.slides, self.found.shared

        def element(down: int, across: int) -> Scalar:
            taps = {slide.tap.name: slide.tap_at(n) for slide, n in zip(slides, (down, across), strict=True)}
            return substitute_axes(other, taps)

        matrices = of_filters(slides[0].taps), of_filters(slides[1].taps)
        body = self.multiplied(matrices, element, self.others, axis_index(row.name), self.found.own)
        return self.kernel(self.others, (row, self.found.own), body, f"filters {other.buffer} for windows")

    def tiles_kernel(self, region: Region) -> Kernel:
        """Tiles of what a gradient multiplies windows by."""
        other, (down, across) = self.found.other, region.strips

        def element(*at: int) -> Scalar:
            return substitute_axes(other, region.places(at)) if region.inside(at) else ZERO

        by = tuple(of_results(slide.step).transposed for slide in region.slides)
        body = self.multiplied((by[0], by[1]), element, self.others, self.tile(region), self.found.own)
        axes = (*self.images, *down.axes, *across.axes, self.found.own)
        return self.kernel(self.others, axes, body, f"tiles of {other.buffer}")

    def multiplied(
        self, by: tuple[Matrix, Matrix], element: Element, array: str, row: Affine, column: Axis
    ) -> list[Stmt]:
        """Statements that multiply a grid of elements and store it, point by point."""
        block = Block("float32")
        grid = [[block.named(element(a, b)) for b in range(len(by[1].rows[0]))] for a in range(len(by[0].rows[0]))]
        flat = [value for line in block.both_ways(*by, grid) for value in line]
        places = (self.at(number, row, column) for number in range(POINTS))
        return [*block.body, *(Store(array, place, value) for place, value in zip(places, flat, strict=True))]

    def at(self, point: int, row: Affine, column: Axis) -> tuple[Affine, ...]:
        return affine((), point), row, axis_index(column.name)

    # --- products ---

    def products_kernel(self) -> Kernel:
        found = self.found
        left = self.entry(self.windows, self.tiles, found.shared)
        acc = self.summed(found.shared, left, self.entry(self.others, found.shared, found.own))
        store = Store(
            self.products, self.entry(self.products, self.tiles, found.own).index, Ref(acc.name, acc.value.dtype)
        )
        return self.kernel(self.products, (self.point, self.tiles, found.own), (acc, store), "windows by filters")

    def sums_kernel(self) -> Kernel:
        found = self.found
        left = self.entry(self.windows, self.tiles, found.shared)
        acc = self.summed(self.tiles, left, self.entry(self.others, self.tiles, found.own))
        place = self.entry(self.products, found.shared, found.own)
        value: Scalar = Ref(acc.name, "float32")
        if self.alone:
            value = Apply("add", (place, value), "float32")
        store = Store(place.buffer, place.index, value)
        return self.kernel(
            self.products, (self.point, found.shared, found.own), (acc, store), "windows by tiles, summed"
        )

    def zeros_kernel(self) -> Kernel:
        place = self.entry(self.products, self.found.shared, self.found.own)
        store = Store(place.buffer, place.index, ZERO)
        name = self.rewriting.names.fresh(f"{self.products}_zeros")
        return self.kernel(name, (self.point, self.found.shared, self.found.own), (store,), "zeros to add to")

    def entry(self, array: str, row: Axis, column: Axis) -> Load:
        return Load(array, tuple(axis_index(axis.name) for axis in (self.point, row, column)), "float32")

    def summed(self, over: Axis, left: Load, right: Load) -> Reduce:
        return Reduce(self.acc, "sum", (over,), (), Apply("mul", (left, right), "float32"))

    # --- results ---

    def results_kernel(self, region: Region) -> Kernel:
        """Tiles of results, each with what the kernel does with it."""
        kernel, (down, across) = self.found.kernel, region.strips
        by = tuple(
            of_first_results(slide.step, strip.results)
            for slide, strip in zip(region.slides, region.strips, strict=True)
        )
        body = self.finished((by[0], by[1]), self.tile(region), region.places)
        axes = (*self.images, *down.axes, *across.axes, self.found.own)
        return self.kernel(kernel.name, axes, body, f"{kernel.note}, tiles of {down.results}×{across.results}")

    def gradient_kernel(self) -> Kernel:
        """The gradient of the filter, each element with what the kernel does with it."""
        found, slides = self.found, self.found.slides
        matrices = of_filters(slides[0].taps).transposed, of_filters(slides[1].taps).transposed

        def places(at: tuple[int, ...]) -> dict[str, Affine]:
            return {slide.tap.name: slide.tap_at(number) for slide, number in zip(slides, at, strict=True)}

        body = self.finished(matrices, axis_index(found.shared.name), places)
        return self.kernel(
            found.kernel.name, (found.shared, found.own), body, f"{found.kernel.note}, from sums of tiles"
        )

    def finished(self, by: tuple[Matrix, Matrix], row: Affine, places: Places) -> list[Stmt]:
        """Statements that multiply what was summed at all points, and the epilogue for each element."""
        block = Block("float32")
        loads = [Load(self.products, self.at(number, row, self.found.own), "float32") for number in range(POINTS)]
        grid = [[block.named(loads[SIZE * a + b]) for b in range(SIZE)] for a in range(SIZE)]
        results = block.both_ways(*by, grid)
        body, epilogue = block.body, self.found.kernel.body[1:]
        for at in product(range(len(by[0].rows)), range(len(by[1].rows))):
            value = results[at[0]][at[1]]
            suffix = f".{at[0]}{at[1]}"
            names = {stmt.name: stmt.name + suffix for stmt in epilogue if isinstance(stmt, Let)}
            names[self.acc] = self.acc + suffix
            body.append(Let(names[self.acc], value))
            body += rename_values(substitute_axes_block(epilogue, places(at)), names)
        return body


WINOGRAD = Pass("winograd", "take convolutions with small filters by tiles, with fewer multiplications", winograd)
