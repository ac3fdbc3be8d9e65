"""einsum, matmul and their relatives against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import symnet.ops as sn
from symnet.derive.reverse import pullback
from symnet.errors import ShapeError, SymnetError, UsageError
from symnet.expr.traverse import postorder
from symnet.ops.contract import parse_spec

EXAMPLES = [
    ("ij,jk->ik", (3, 4), (4, 5)),
    ("ij,jk", (3, 4), (4, 5)),
    ("ij,kj->ik", (3, 4), (5, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("ij->ji", (3, 4)),
    ("ji", (3, 4)),
    ("ii", (4, 4)),
    ("ii->i", (4, 4)),
    ("iij->j", (3, 3, 5)),
    ("iji->ji", (3, 5, 3)),
    ("iii->i", (3, 3, 3)),
    ("ij->", (3, 4)),
    ("ij->j", (3, 4)),
    ("i,j->ij", (3,), (4,)),
    ("i,i->", (3,), (3,)),
    ("i,i->i", (3,), (3,)),
    ("ij,j", (3, 4), (4,)),
    (",ij->ij", (), (3, 4)),
    (",->", (), ()),
    ("ij,kl->", (3, 4), (5, 2)),
    ("ij,jk,kl->il", (3, 4), (4, 5), (5, 2)),
    ("ij,jk,kl,lm->im", (2, 3), (3, 4), (4, 5), (5, 6)),
    ("i,i,i->", (4,), (4,), (4,)),
    ("ijk,ikl,jl->i", (2, 3, 4), (2, 4, 5), (3, 5)),
    ("...ij,...jk->...ik", (2, 7, 3, 4), (7, 4, 5)),
    ("...ij,jk", (2, 3, 4), (4, 5)),
    ("...i->...", (2, 3, 4)),
    ("i...,i...->...", (4, 3, 2), (4, 3, 2)),
    ("...,...", (2, 3), (3,)),
    ("bi...,bj...->ij...", (2, 3, 5), (2, 4, 5)),
    ("...ij,...jk->...ik", (1, 3, 4), (7, 4, 5)),
    ("ab,ab->ab", (3, 1), (3, 4)),
    ("ab,bc->ac", (3, 1), (4, 5)),
    ("iij,jk->ik", (3, 3, 4), (4, 2)),
    ("ij , jk -> ik", (3, 4), (4, 5)),
    ("Ab,bC->AC", (2, 3), (3, 2)),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e[0]}-{len(e) - 1}")
def test_einsum_is_that_of_numpy(example: tuple, rng: np.random.Generator) -> None:
    spec, *shapes = example
    arrays = [rng.normal(size=shape) for shape in shapes]
    inputs = [sn.input(f"x{i}", shape, "float64") for i, shape in enumerate(shapes)]
    node = sn.einsum(spec, *inputs)
    expected = np.einsum(spec, *arrays)
    assert node.shape == expected.shape
    values = dict(zip(inputs, arrays, strict=True))
    np.testing.assert_allclose(sn.evaluate(node, values), expected, rtol=1e-12, atol=1e-12)

    g = rng.normal(size=expected.shape)
    for i, gradient in enumerate(sn.evaluate(pullback([node], [sn.constant(g)], inputs), values)):
        direction = rng.normal(size=shapes[i])
        moved = np.einsum(spec, *[direction if j == i else a for j, a in enumerate(arrays)])
        np.testing.assert_allclose(np.sum(gradient * direction), np.sum(g * moved), rtol=1e-10, atol=1e-10)


def test_random_einsums(rng: np.random.Generator) -> None:
    for _ in range(150):
        sizes = dict(zip("abcdef", rng.integers(1, 4, 6).tolist(), strict=True))
        terms = ["".join(rng.choice(list("abcdef"), rng.integers(0, 4))) for _ in range(rng.integers(1, 4))]
        letters = sorted(set("".join(terms)))
        output = "".join(rng.permutation(letters)[: rng.integers(0, len(letters) + 1)]) if letters else ""
        spec = f"{','.join(terms)}->{output}"
        arrays = [rng.normal(size=[sizes[c] for c in term]) for term in terms]
        ours = sn.evaluate(sn.einsum(spec, *arrays))
        np.testing.assert_allclose(ours, np.einsum(spec, *arrays), rtol=1e-10, atol=1e-10, err_msg=spec)


MATMULS = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (6, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((1, 2, 3), (5, 3, 4)),
    ((1, 1), (1, 1)), ((2, 0), (0, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), MATMULS)
def test_matmul_ranks(a: tuple, b: tuple, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=a), rng.normal(size=b)
    node = sn.input("x", a, "float64") @ sn.input("y", b, "float64")
    expected = x @ y
    assert node.shape == expected.shape
    np.testing.assert_allclose(sn.evaluate(node, {"x": x, "y": y}), expected, rtol=1e-12)


def test_named_dimensions() -> None:
    x, w = sn.input("x", ("N", "T", 4)), sn.input("w", (4, 7))
    assert (x @ w).shape == ("N", "T", 7)
    assert sn.einsum("...i,...i->...", x, x).shape == ("N", "T")
    scores = x @ sn.swapaxes(x, -1, -2)
    assert scores.shape == ("N", "T", "T")
    assert sn.outer(sn.input("a", ("N",)), sn.input("b", ("M",))).shape == ("N", "M")


def test_relatives(rng: np.random.Generator) -> None:
    a, b, c = rng.normal(size=(3, 4)), rng.normal(size=(4, 5)), rng.normal(size=(2, 3, 4))
    for ours, theirs in [
        (sn.dot(a, b), np.dot(a, b)),
        (sn.dot(c, b), np.dot(c, b)),
        (sn.dot(b, np.float64(2.0)), np.dot(b, 2.0)),
        (sn.outer(a, b[0]), np.outer(a, b[0])),
        (sn.vecdot(a, a), np.vecdot(a, a)),
        (sn.vecdot(c, a, axis=-1), np.vecdot(c, a)),
        (sn.tensordot(c, a, 2), np.tensordot(c, a, 2)),
        (sn.tensordot(c, a, ([1, 2], [0, 1])), np.tensordot(c, a, ([1, 2], [0, 1]))),
        (sn.tensordot(a, b, (1, 0)), np.tensordot(a, b, (1, 0))),
        (sn.tensordot(a, b, 0), np.tensordot(a, b, 0)),
        (sn.trace(a), np.trace(a)),
        (sn.trace(c, 1, 1, 2), np.trace(c, 1, 1, 2)),
    ]:
        np.testing.assert_allclose(sn.evaluate(ours), theirs, rtol=1e-12)


def test_gradient_of_a_contraction_is_one_contraction() -> None:
    x, w = sn.input("x", ("N", 4)), sn.input("w", (4, 7))
    g = sn.input("g", ("N", 7))
    for gradient in pullback([x @ w], [g], [x, w]):
        assert gradient.op == "contract"
        assert set(gradient.args) <= {x, w, g}


def test_specs_are_canonical() -> None:
    x, w = sn.input("x", (3, 4)), sn.input("w", (4, 5))
    assert sn.einsum("zq,qA->zA", x, w) is x @ w
    assert all(n.attrs["spec"] == "ab,bc->ac" for n in postorder([x @ w]) if n.op == "contract")
    assert str(parse_spec("2*a-b+8, c -> a")[0][0]) == "2*a-b+8"


@pytest.mark.parametrize(
    ("spec", "shapes", "message"),
    [
        ("ij,jk->ik", [(3, 4), (5, 6)], "letter 'j'.*4 and 5"),
        ("ij,jk->iz", [(3, 4), (4, 6)], "letter 'z'.*in no array"),
        ("ij,jk->ii", [(3, 4), (4, 6)], "repeats a letter"),
        ("ij,jk", [(3, 4)], "names 2 arrays, got 1"),
        ("ijk", [(3, 4)], "names 3 axes.*\\[3, 4\\]"),
        ("i", [(3, 4)], "names 1 axes"),
        ("i-j", [(3, 4)], "cannot read"),
        ("...i->i", [(3, 4)], "no '...'"),
        ("ii", [(3, 4)], "3.*4|4.*3"),
    ],
)
def test_einsum_errors(spec: str, shapes: list, message: str) -> None:
    with pytest.raises(SymnetError, match=message):
        sn.einsum(spec, *(sn.input(f"x{i}", s) for i, s in enumerate(shapes)))


def test_matmul_errors() -> None:
    x = sn.input("x", ("N", 4))
    with pytest.raises(ShapeError, match=r"matmul: \[N, 4\] @ \[5, 2\].*4.*5"):
        x @ sn.input("w", (5, 2))
    with pytest.raises(ShapeError, match="scalar"):
        x @ sn.input("s", ())
    with pytest.raises(ShapeError, match="do not broadcast"):
        sn.input("a", (2, 3, 4)) @ sn.input("b", (3, 4, 5))
    with pytest.raises(UsageError, match="text"):
        sn.einsum(x, x)  # type: ignore[arg-type]
