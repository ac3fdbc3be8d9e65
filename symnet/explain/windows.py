"""How windows, pools and convolutions are written: maxpool_{2×2}(x), x ∗_{p1} W, δ ∗ᵀ_{p1} W, x ⋆_{p1} δ.

A subscript tells where the windows lie, one number for all axes or one for each, joined by ×; what is as usual is left
out. Parts, separated by commas: the size of the windows (of pools), s the stride (1; of pools the size), p the padding
(0), d the dilation (1); and, where these are not what follows from the others, n the number of windows, o the extent of
the array they lie in, k the size of kernels. g says that images and kernels have an axis of groups.

A convolution has three arrays: images A[n, c, s·y + d·k − p], kernels W[o, c, k] and maps Y[n, o, y]. Each is a sum of
products of the other two: Y = A ∗ W, A = Y ∗ᵀ W, W = A ⋆ Y.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from symnet.errors import ShapeError
from symnet.explain.leaves import Writer, number
from symnet.explain.notation import Call, Convolution, Form, Symbol, Words
from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr
from symnet.ops.contract import Index, Indices, parse_spec
from symnet.ops.window import Frame, frame_of, output_size

MEANING: dict[str, tuple[Form, Form]] = {
    "∗": (Convolution("∗", Symbol("x"), Symbol("W"), ""), Words("convolution, with kernels that are not mirrored")),
    "∗ᵀ": (Convolution("∗ᵀ", Symbol("δ"), Symbol("W"), ""), Words("its transpose: each entry spreads a kernel")),
    "⋆": (Convolution("⋆", Symbol("x"), Symbol("δ"), ""), Words("images times maps at each shift, over the batch")),
}
_SETTINGS = {"p": "padding", "s": "stride", "d": "dilation", "g": "groups"}


def meanings(nodes: Iterable[Expr]) -> list[tuple[Form, Form]]:
    """What the signs of the convolutions among some nodes mean, and the letters under them."""
    used: dict[str, None] = {}
    letters: set[str] = set()
    for node in nodes:
        form = convolution(node, Symbol(""), Symbol("")) if node.op == "contract" and node.attrs["sizes"] else None
        if isinstance(form, Convolution):
            used[form.sign] = None
            letters.update(part[0] for part in form.settings.split(",") if part)
    lines = [MEANING[sign] for sign in MEANING if sign in used]
    told = [letter for letter in _SETTINGS if letter in letters]
    if told:
        lines.append((Words(", ".join(told)), Words(", ".join(_SETTINGS[letter] for letter in told))))
    return lines


def _joined(values: Sequence[Dim]) -> str:
    texts = [str(value).replace("-", "−") for value in values]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def _settings(given: Frame, extents: Shape, stride: Sequence[int], told: str) -> list[str]:
    """The parts of a subscript behind the size; `told` says which of n and o follows from the form's operands."""
    parts = []
    if tuple(given.stride) != tuple(stride):
        parts.append(f"s{_joined(given.stride)}")
    if any(given.start):
        parts.append(f"p{_joined([-start for start in given.start])}")
    if any(step != 1 for step in given.dilation):
        parts.append(f"d{_joined(given.dilation)}")
    if told == "o" and usual_counts(given, extents) != given.count:
        parts.append(f"n{'×'.join(map(str, given.count))}")
    if told == "n" and usual_extents(given) != tuple(extents):
        parts.append(f"o{'×'.join(map(str, extents))}")
    return parts


def usual_counts(given: Frame, extents: Shape) -> tuple[Dim, ...] | None:
    """How many windows fit into an array padded alike at both ends; None where that is not whole for all sizes."""
    try:
        return tuple(
            output_size("", size, kernel, stride, (-start, -start), dilation)
            for size, kernel, stride, start, dilation in zip(
                extents, given.size, given.stride, given.start, given.dilation, strict=True
            )
        )
    except ShapeError:
        return None


def usual_extents(given: Frame) -> tuple[Dim, ...]:
    """The extent of the array that some windows fill: (n − 1) s + d (k − 1) + 1 − 2 p."""
    return tuple(
        dims.add(dims.mul(dims.sub(count, 1), stride), dilation * (size - 1) + 1 + 2 * start)
        for size, stride, dilation, start, count in zip(*vars(given).values(), strict=True)
    )


# --- pools and views ---------------------------------------------------------------------------------------------


def _size(given: Frame) -> str:
    return "×".join(map(str, given.size))


def _pool(name: str) -> Writer:
    def writer(node: Expr, args: Sequence[Form]) -> Form:
        given, shape = frame_of(node.attrs), node.args[0].shape
        extents = shape[len(shape) - given.rank :]
        return Call(name, (args[0],), ",".join([_size(given), *_settings(given, extents, given.size, "o")]))

    return writer


def _windows(node: Expr, args: Sequence[Form]) -> Form:
    given, shape = frame_of(node.attrs), node.args[0].shape
    parts = [_size(given), *_settings(given, shape[len(shape) - given.rank :], (1,) * given.rank, "o")]
    fill = node.attrs["fill"]
    return Call("windows", (args[0], *((number(fill),) if fill else ())), ",".join(parts))


def _overlap_add(node: Expr, args: Sequence[Form]) -> Form:
    given = frame_of(node.attrs)
    parts = [_size(given), *_settings(given, node.attrs["shape"], (1,) * given.rank, "n")]
    return Call("overlapadd", (args[0],), ",".join(parts))


def _unpool(node: Expr, args: Sequence[Form]) -> Form:
    given = frame_of(node.attrs)
    return Call(
        "unpool", tuple(args), ",".join([_size(given), *_settings(given, node.attrs["shape"], given.size, "n")])
    )


TABLE: dict[str, Writer] = {
    "max_pool": _pool("maxpool"),
    "argmax_pool": _pool("argmaxpool"),
    "windows": _windows,
    "overlap_add": _overlap_add,
    "unpool": _unpool,
}


# --- convolutions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Roles:
    """Which of the arrays of a contraction are the images, the kernels and the maps (0, 1: operands, 2: result)."""

    image: int
    kernel: int
    map: int
    groups: bool
    frame: Frame
    extents: Shape


def convolution(node: Expr, left: Form, right: Form) -> Form | None:
    """A contraction of the affine form as a convolution or one of its adjoints; None if it is none of them."""
    roles = _roles(node)
    if roles is None:
        return None
    forms = {0: left, 1: right}
    sign, first, second, told = {
        roles.map: ("∗", roles.image, roles.kernel, "o"),
        roles.image: ("∗ᵀ", roles.map, roles.kernel, "n"),
        roles.kernel: ("⋆", roles.image, roles.map, "k"),
    }[2]
    parts = ["g"] if roles.groups else []
    parts += _settings(roles.frame, roles.extents, (1,) * roles.frame.rank, told)
    if sign == "⋆" and usual_sizes(roles.frame, roles.extents) != roles.frame.size:
        parts.append(f"k{_size(roles.frame)}")
    return Convolution(sign, forms[first], forms[second], ",".join(parts))


def usual_sizes(given: Frame, extents: Shape) -> tuple[Dim, ...] | None:
    """The size of the windows of which so many fit: (a + 2 p − s (n − 1) − 1) / d + 1, rounded down."""
    sizes: list[Dim] = []
    for extent, stride, start, dilation, count in zip(
        extents, given.stride, given.start, given.dilation, given.count, strict=True
    ):
        span = dims.sub(dims.sub(dims.sub(extent, 2 * start), dims.mul(dims.sub(count, 1), stride)), 1)
        if not isinstance(span, int):
            return None
        sizes.append(span // dilation + 1)
    return tuple(sizes)


def _roles(node: Expr) -> _Roles | None:
    parts = parse_spec(node.attrs["spec"])
    sizes = dict(node.attrs["sizes"])
    affine = [position for position, part in enumerate(parts) if any(not _is_letter(index) for index in part)]
    if len(affine) != 1:
        return None
    image = affine[0]
    others = [position for position in range(3) if position != image]
    for kernel, map_ in (others, others[::-1]):
        roles = _matched(parts, image, kernel, map_, sizes, node)
        if roles is not None:
            return roles
    return None


def _matched(
    parts: Sequence[Indices], image: int, kernel: int, map_: int, sizes: Mapping[str, Dim], node: Expr
) -> _Roles | None:
    """The roles, if images are [n, (g,) c, y…], kernels [(g,) o, c, k…] and maps [n, (g,) o, y…]."""
    rank = sum(not _is_letter(index) for index in parts[image])
    of_image, of_kernel, of_map = (
        tuple(index.letters[0] for index in part[: len(part) - rank])
        for part in (parts[i] for i in (image, kernel, map_))
    )
    if len(of_image) not in (2, 3) or not of_map:
        return None
    n, g, c, o = of_image[0], of_image[1:-1], of_image[-1], of_map[-1]
    if of_kernel != (*g, o, c) or of_map != (n, *g, o):
        return None
    offsets = [index.letters for index in parts[kernel][len(parts[kernel]) - rank :]]
    places = [index.letters for index in parts[map_][len(parts[map_]) - rank :]]
    strides, dilations, starts = [], [], []
    for index, offset, place in zip(parts[image][len(of_image) :], offsets, places, strict=True):
        terms = dict(index.terms)
        if len(offset) != 1 or len(place) != 1 or set(terms) != {offset[0], place[0]}:
            return None
        strides.append(terms[place[0]])
        dilations.append(terms[offset[0]])
        starts.append(index.offset)
    if min(*strides, *dilations) < 1 or any(not isinstance(sizes[k[0]], int) for k in offsets):
        return None
    kernel_sizes = tuple(size for k in offsets if isinstance(size := sizes[k[0]], int))
    shape = (*node.args, node)[image].shape
    given = Frame(kernel_sizes, tuple(strides), tuple(dilations), tuple(starts), tuple(sizes[y[0]] for y in places))
    return _Roles(image, kernel, map_, bool(g), given, shape[len(shape) - rank :])


def _is_letter(index: Index) -> bool:
    return len(index.terms) == 1 and index.terms[0][1] == 1 and not index.offset
