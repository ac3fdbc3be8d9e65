"""Convolutions against PyTorch, and against the sum that defines them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import symnet.ops as sn
from symnet.derive.reverse import pullback
from symnet.errors import SymnetError
from symnet.expr import dims
from symnet.ops.contract import contract, parse_spec

CASES = [
    # input, weight, options
    ((2, 3, 8, 9), (4, 3, 3, 3), {"padding": 1}),
    ((2, 3, 8, 9), (4, 3, 3, 2), {"stride": 2, "padding": (1, 0)}),
    ((2, 3, 11, 9), (4, 3, 3, 3), {"dilation": 2, "padding": 2, "stride": (1, 3)}),
    ((2, 4, 7, 7), (6, 2, 3, 3), {"groups": 2, "padding": "same"}),
    ((2, 4, 7, 6), (4, 1, 3, 3), {"groups": 4, "stride": 2}),
    ((1, 2, 5, 5), (3, 2, 4, 2), {"padding": "same"}),
    ((1, 2, 5, 5), (3, 2, 5, 5), {"padding": "valid"}),
    ((2, 3, 8), (4, 3, 3), {"stride": 3, "padding": 2}),
    ((3, 8), (4, 3, 3), {"padding": 1}),
    ((3, 6, 5), (4, 3, 3, 3), {}),
    ((1, 2, 4, 5, 4), (3, 2, 2, 2, 3), {"padding": 1, "stride": (2, 1, 2)}),
    ((2, 3, 1, 1), (4, 3, 1, 1), {"stride": 2}),
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}-{c[2]}")
def test_values_and_gradients_are_those_of_pytorch(case: tuple, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    x_shape, w_shape, options = case
    rank = len(w_shape) - 2
    arrays = [rng.normal(size=s) for s in (x_shape, w_shape, w_shape[:1])]
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = getattr(torch.nn.functional, f"conv{rank}d")(*tensors, **options)
    inputs = [sn.input(n, a.shape, "float64") for n, a in zip("xwb", arrays, strict=True)]
    node = getattr(sn, f"conv{rank}d")(*inputs, **options)
    assert node.shape == tuple(expected.shape)
    values = dict(zip(inputs, arrays, strict=True))
    np.testing.assert_allclose(sn.evaluate(node, values), expected.detach().numpy(), rtol=1e-11, atol=1e-11)
    g = rng.normal(size=node.shape)
    theirs = torch.autograd.grad(expected, tensors, torch.tensor(g))
    ours = sn.evaluate(pullback([node], [sn.constant(g)], inputs), values)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-11, atol=1e-11)


def by_definition(spec: str, a: np.ndarray, b: np.ndarray, ranges: dict[str, int], shape: tuple) -> np.ndarray:
    """out[f(i)] += a[g(i)] · b[h(i)], index by index; what falls outside is dropped."""
    parts = parse_spec(spec)
    out = np.zeros(shape)
    for values in product(*(range(n) for n in ranges.values())):
        at = dict(zip(ranges, values, strict=True))
        places = [tuple(sum(c * at[x] for x, c in i.terms) + i.offset for i in part) for part in parts]
        if all(0 <= p < n for place, array in zip(places, (a, b, out), strict=True)
               for p, n in zip(place, array.shape, strict=True)):  # fmt: skip
            out[places[2]] += a[places[0]] * b[places[1]]
    return out


def test_random_affine_contractions(rng: np.random.Generator) -> None:
    for _ in range(200):
        letters = "abcd"[: rng.integers(1, 5)]
        ranges = {letter: int(rng.integers(1, 4)) for letter in letters}

        def index(letters: str = letters) -> str:
            chosen = rng.permutation(list(letters))[: rng.integers(1, 3)]
            text = "+".join(f"{rng.choice([-2, -1, 1, 2, 3])}*{letter}" for letter in chosen)
            return f"{text}{rng.integers(-2, 4):+d}".replace("+-", "-")

        axes = [[index() for _ in range(rng.integers(0, 3))] for _ in range(3)]
        spec = f"{' '.join(axes[0])}, {' '.join(axes[1])} -> {' '.join(axes[2])}"
        used = {x: n for x, n in ranges.items() if x in spec}
        shapes = [tuple(rng.integers(1, 6, len(part)).tolist()) for part in axes]
        a, b = rng.normal(size=shapes[0]), rng.normal(size=shapes[1])
        inputs = [sn.input("a", shapes[0], "float64"), sn.input("b", shapes[1], "float64")]
        values = dict(zip(inputs, (a, b), strict=True))
        node = contract(*inputs, spec, used, shapes[2])
        np.testing.assert_allclose(
            sn.evaluate(node, values), by_definition(spec, a, b, used, shapes[2]), atol=1e-12, err_msg=spec
        )
        g = rng.normal(size=shapes[2])
        ga, gb = sn.evaluate(pullback([node], [sn.constant(g)], inputs), values)
        total = np.sum(g * sn.evaluate(node, values))
        np.testing.assert_allclose([np.sum(ga * a), np.sum(gb * b)], [total, total], atol=1e-9, err_msg=spec)


def test_named_sizes() -> None:
    x, w = sn.input("x", ("N", 3, "H", 8)), sn.input("w", (4, 3, 3, 3))
    assert sn.conv2d(x, w, padding=1).shape == ("N", 4, "H", 8)
    assert sn.conv2d(x, w).shape == ("N", 4, "H - 2", 6)
    assert sn.conv2d(sn.input("x", ("N", 3, "2*H", 8)), sn.input("w", (4, 3, 2, 2)), stride=2).shape == ("N", 4, "H", 4)
    value = sn.evaluate(sn.conv2d(x, w), {"x": np.ones((2, 3, 5, 8)), "w": np.ones((4, 3, 3, 3))})
    assert value.shape == dims.evaluate_shape(("N", 4, "H - 2", 6), {"N": 2, "H": 5})
    with pytest.raises(SymnetError, match="no whole number"):
        sn.conv2d(x, w, stride=2)


@pytest.mark.parametrize(
    ("x", "w", "options", "message"),
    [
        ((2, 3, 8, 8), (4, 2, 3, 3), {}, "3 channels.*\\[4, 2, 3, 3\\].*groups=1"),
        ((2, 4, 8, 8), (5, 2, 3, 3), {"groups": 2}, "divisible by groups"),
        ((2, 3, 2, 2), (4, 3, 3, 3), {}, "3 elements does not fit an axis of 2"),
        ((2, 3, 8), (4, 3, 3, 3), {}, None),
        ((3,), (4, 3, 3, 3), {}, "expected 4 axes"),
        ((2, 3, 8, 8), (4, 3, 3), {}, "expected 4 axes"),
        ((2, 3, 8, 8), (4, 3, 3, 3), {"stride": 0}, "stride is 0, expected at least 1"),
        ((2, 3, 8, 8), (4, 3, 3, 3), {"padding": "full"}, "'full'"),
        ((2, 3, 8, 8), (4, 3, 3, 3), {"padding": "same", "stride": 2}, "needs stride 1"),
        ((2, 3, 8, 8), (4, 3, 3, 3), {"dilation": (1, 2, 3)}, "expected an integer or 2"),
    ],
)
def test_errors(x: tuple, w: tuple, options: dict, message: str | None) -> None:
    image, weight = sn.input("x", x), sn.input("w", w)
    if message is None:  # (2, 3, 8) has no batch: two channels of 3 × 8, which do not fit three
        message = "2 channels"
    with pytest.raises(SymnetError, match=f"conv2d: .*{message}"):
        sn.conv2d(image, weight, **options)
