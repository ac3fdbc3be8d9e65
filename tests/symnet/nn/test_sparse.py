"""Embeddings, bags, bilinear forms and distances beyond the reference cases: starts, frozen rows, errors."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, IndexOutOfRange, ShapeError, Unsupported, UsageError
from symnet.expr.node import Expr


def test_the_padding_row_starts_as_zero_and_is_not_trained(rng: np.random.Generator) -> None:
    table = sn.nn.Embedding(5, 3, padding_idx=-4)
    assert table.padding_idx == 1
    start = sn.init.initial_value(table.weight, seed=7)
    assert not start[1].any()
    assert start[[0, 2, 3, 4]].all()
    k = sn.input("k", ("N",), "int64")
    program = sn.compile(loss=sn.sum(sn.exp(table(k))), optimizer=sn.optim.SGD(lr=0.1), batch={"N": 4}, seed=7)
    program.step(k=[1, 2, 1, 4])
    moved = (program.parameters["weight"] != start).any(axis=1)
    assert moved.tolist() == [False, False, True, False, True]


def test_pretrained_rows_are_kept_unless_they_are_set_free(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(4, 3))
    for kind in (sn.nn.Embedding, sn.nn.EmbeddingBag):
        frozen, free = kind.from_pretrained(rows), kind.from_pretrained(rows, freeze=False)
        assert not frozen.weight.attrs["trainable"]
        assert free.weight.attrs["trainable"]
        assert frozen.weight.dtype == "float64"
        np.testing.assert_array_equal(sn.init.initial_value(free.weight, 0), rows)


def test_a_bag_divides_gradients_by_counts_as_an_embedding_does(rng: np.random.Generator) -> None:
    k, w = sn.input("k", (2, 4), "int64"), sn.input("w", (6, 3), "float64")
    F = sn.nn.functional
    bag = F.embedding_bag(k, w, mode="sum", scale_grad_by_freq=True)
    rows = sn.sum(F.embedding(k, w, scale_grad_by_freq=True), axis=1)
    outputs = [*(part for value in (bag, rows) for part in (value, sn.grad(sn.sum(sn.sin(value)), w)))]
    positions = np.array([[1, 1, 5, 0], [1, 2, 2, 5]])
    a, da, b, db = sn.function([k, w], outputs)(positions, rng.normal(size=(6, 3)))
    np.testing.assert_allclose(a, b, rtol=1e-13)
    np.testing.assert_allclose(da, db, rtol=1e-13)


def test_bags_of_any_number(rng: np.random.Generator) -> None:
    k, starts = sn.input("k", ("n",), "int64"), sn.input("starts", ("bags",), "int64")
    bag = sn.nn.EmbeddingBag(6, 3, mode="mean")
    run = sn.function([k, starts, bag.weight], [bag(k, starts)])
    weight = rng.normal(size=(6, 3)).astype("float32")
    (found,) = run(np.array([5, 1, 1]), np.array([0, 1, 3]), weight)
    np.testing.assert_allclose(found, [weight[5], weight[1], np.zeros(3)], rtol=1e-6)
    with pytest.raises(IndexOutOfRange):
        run(np.array([5, 6]), np.array([0]), weight)


def test_repr_is_torchs() -> None:
    assert repr(sn.nn.Embedding(3, 4, padding_idx=1, scale_grad_by_freq=True)) == (
        "Embedding(3, 4, padding_idx=1, scale_grad_by_freq=True)"
    )
    assert repr(sn.nn.EmbeddingBag(3, 4, mode="sum", padding_idx=-1)) == "EmbeddingBag(3, 4, mode='sum', padding_idx=2)"
    assert repr(sn.nn.Bilinear(2, 3, 4)) == "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)"
    assert repr(sn.nn.CosineSimilarity()) == "CosineSimilarity()"


def test_distances_as_layers_are_the_functions() -> None:
    a, b = sn.input("a", ("N", 3)), sn.input("b", ("N", 3))
    F = sn.nn.functional
    assert sn.nn.CosineSimilarity(dim=-1, eps=0.1)(a, b) is F.cosine_similarity(a, b, dim=-1, eps=0.1)
    assert sn.nn.PairwiseDistance(1.0, 0.1, True)(a, b) is F.pairwise_distance(a, b, 1.0, 0.1, True)


def test_bilinear_starts_within_its_bound() -> None:
    layer = sn.nn.Bilinear(4, 3, 2)
    assert layer.weight.shape == (2, 4, 3)
    for node in layer.parameters():
        assert np.abs(sn.init.initial_value(node, 1)).max() <= 0.5


def bag(**settings: object) -> Expr:
    call = {name: settings.pop(name) for name in ("offsets", "per_sample_weights") if name in settings}
    k = sn.input("k", ("n",) if "offsets" in call else ("N", 3), "int64")
    return sn.nn.functional.embedding_bag(k, sn.input("w", (5, 2)), **call, **settings)  # type: ignore[arg-type]


def test_what_is_not_supported_is_named() -> None:
    k, w, starts = sn.input("k", ("N",), "int64"), sn.input("w", (5, 2)), sn.input("starts", ("B",), "int64")
    for settings in ({"max_norm": 1.0}, {"norm_type": 1.0}, {"sparse": True}):
        named = next(iter(settings))
        with pytest.raises(Unsupported, match=f"Embedding: .*{named}"):
            sn.nn.Embedding(5, 2, **settings)
        with pytest.raises(Unsupported, match=f"EmbeddingBag: .*{named}"):
            sn.nn.EmbeddingBag(5, 2, **settings)
        with pytest.raises(Unsupported, match=f"embedding: .*{named}"):
            sn.nn.functional.embedding(k, w, **settings)
    with pytest.raises(Unsupported, match="mode='max' with offsets"):
        bag(offsets=starts, mode="max")


def test_what_does_not_fit_is_an_error() -> None:
    starts = sn.input("starts", ("B",), "int64")
    with pytest.raises(DTypeError, match="expected positions of type int32 or int64, got float32"):
        sn.nn.Embedding(5, 2)(sn.input("k", ("N",)))
    with pytest.raises(UsageError, match="padding_idx=5 is no row of a table of 5 rows"):
        sn.nn.Embedding(5, 2, padding_idx=5)
    with pytest.raises(UsageError, match="there is no mode 'men'; did you mean 'mean'"):
        sn.nn.EmbeddingBag(5, 2, mode="men")
    with pytest.raises(UsageError, match=r"positions \[N\] need offsets"):
        sn.nn.EmbeddingBag(5, 2)(sn.input("k", ("N",), "int64"))
    with pytest.raises(UsageError, match=r"positions \[N, 3\] take no offsets"):
        sn.nn.EmbeddingBag(5, 2)(sn.input("k", ("N", 3), "int64"), starts)
    with pytest.raises(UsageError, match="per_sample_weights need mode='sum', got mode='mean'"):
        bag(per_sample_weights=sn.input("w", ("N", 3)))
    with pytest.raises(ShapeError, match="expected per_sample_weights that are floats"):
        bag(per_sample_weights=sn.input("w", ("N",)), mode="sum")
    with pytest.raises(UsageError, match="include_last_offset is about offsets"):
        bag(include_last_offset=True)
    with pytest.raises(UsageError, match="mode='max' does not go with scale_grad_by_freq"):
        bag(mode="max", scale_grad_by_freq=True)
    with pytest.raises(ShapeError, match=r"Bilinear: expected operands \[..., 2\] and \[..., 3\]"):
        sn.nn.Bilinear(2, 3, 4)(sn.input("a", ("N", 3)), sn.input("b", ("N", 3)))


def test_one_hot() -> None:
    y = sn.input("y", ("N",), dtype="int64")
    got = sn.evaluate(sn.nn.functional.one_hot(y, num_classes=3), {"y": np.array([2, 0])})
    np.testing.assert_array_equal(got, [[0, 0, 1], [1, 0, 0]])
    assert got.dtype == np.int64
    with pytest.raises(sn.Unsupported, match="num_classes"):
        sn.nn.functional.one_hot(y)
