"""Attention and transformers beyond the reference cases: formulas, masks, extremes, named sizes, starts, errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, Unsupported, UsageError
from symnet.expr.node import Expr

F = sn.nn.functional


def operands(dtype: str = "float32") -> tuple[Expr, Expr, Expr]:
    return sn.input("Q", ("L", 4), dtype), sn.input("K", ("S", 4), dtype), sn.input("V", ("S", 3), dtype)


def test_the_formula_is_the_papers() -> None:
    q, k, v = operands()
    mask = sn.input("M", ("L", "S"))
    assert str(F.scaled_dot_product_attention(q, k, v, mask)) == "softmax(Q Kᵀ / 2 + M) V"
    assert F.scaled_dot_product_attention(q, k, v, mask).latex() == (
        r"\operatorname{softmax}\left(\frac{Q \, K^{\mathsf{T}}}{2} + M\right) \, V"
    )
    assert str(F.scaled_dot_product_attention(q, k, v, is_causal=True)) == "softmax(where(l ≥ s, Q Kᵀ / 2, −∞)) V"


def weights_by_hand(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Softmax over what is allowed; a row without any is 0."""
    with np.errstate(all="ignore"):
        scores = np.where(allowed, scores, -np.inf)
        powers = np.exp(scores - np.max(scores, -1, keepdims=True))
        return np.nan_to_num(powers / powers.sum(-1, keepdims=True))


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_rows_that_see_nothing_are_zero_and_gradients_finite(kind: str, rng: np.random.Generator) -> None:
    """Also at scores of ±1e4 in float32."""
    q, k, v = operands()
    allowed = rng.random((5, 6)) < 0.5
    allowed[1], allowed[2], allowed[3] = False, True, np.arange(6) == 4
    mask = sn.input("M", ("L", "S"), "bool" if kind == "bool" else "float32")
    given = allowed if kind == "bool" else np.where(allowed, 0.0, -np.inf).astype("float32")
    output = F.scaled_dot_product_attention(q, k, v, mask)
    gradients = sn.grad(sn.sum(output * output), [q, k, v])
    run = sn.function([q, k, v, mask], [output, *gradients])
    for size in (1.0, 100.0):
        data = [(size * rng.normal(size=(n, 4 if i < 2 else 3))).astype("float32") for i, n in enumerate((5, 6, 6))]
        found = run(*data, given)
        expected = weights_by_hand(data[0] @ data[1].T / 2.0, allowed) @ data[2]
        np.testing.assert_allclose(found[0], expected, rtol=2e-3 if size > 1 else 1e-4, atol=1e-4 * size)
        assert not found[0][1].any()
        assert all(np.isfinite(gradient).all() for gradient in found)
        assert not found[1][1].any(), "a query that sees nothing has no influence"


def test_what_stands_in_masked_keys_does_not_matter(rng: np.random.Generator) -> None:
    q, k, v = operands("float64")
    mask = sn.input("mask", ("S",), "bool")
    output = F.scaled_dot_product_attention(q, k, v, mask)
    run = sn.function([q, k, v, mask], [output, *sn.grad(sn.sum(output * output), [q, v])])
    data = [rng.normal(size=shape) for shape in ((2, 4), (3, 4), (3, 3))]
    keep = np.array([True, False, True])
    found = run(*data, keep)
    data[1][1] = 1e300
    for a, b in zip(found, run(*data, keep), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_causal_mask_says_the_same_in_every_way(rng: np.random.Generator) -> None:
    x = sn.input("x", ("N", "T", 4), "float64")
    attention = sn.nn.MultiheadAttention(4, 2, batch_first=True, dtype="float64")
    added = sn.nn.Transformer.generate_square_subsequent_mask("T", dtype="float64")
    blocked = sn.logical_not(sn.tril(sn.ones(("T", "T"), dtype="bool")))
    outputs = [attention(x, x, x, is_causal=True), attention(x, x, x, attn_mask=added)]
    outputs += [attention(x, x, x, attn_mask=blocked), attention(x, x, x, attn_mask=blocked, is_causal=True)]
    flat = [part for pair in outputs for part in pair if part is not None]
    values = [rng.normal(size=node.shape) for node in attention.parameters()]
    run = sn.function([x, *attention.parameters()], flat)
    for steps in (3, 5):
        output, weights, *others = run(rng.normal(size=(2, steps, 4)), *values)
        for other, wanted in zip(others, [output, weights] * 3, strict=True):
            np.testing.assert_allclose(other, wanted, rtol=1e-12)
        np.testing.assert_array_equal(weights, np.tril(weights))


def test_dropout_is_of_the_weights_and_in_training_only(rng: np.random.Generator) -> None:
    x, y = sn.input("x", ("N", 3, 4)), sn.input("y", ("N", 3, 4))
    layer = sn.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.5, batch_first=True)
    output = layer(x)
    program = sn.compile(
        loss=sn.losses.mse_loss(output, y), optimizer=sn.optim.SGD(lr=0.0), outputs={"out": output}, batch={"N": 4}
    )
    data = {name: rng.normal(size=(4, 3, 4)).astype("float32") for name in "xy"}
    steps = {float(program.step(**data)["loss"]) for _ in range(3)}
    assert len(steps) == 3, "each step draws masks of its own"
    calm = sn.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
    values = [program.parameters[name] for name, _ in calm.named_parameters()]
    (wanted,) = sn.function([x, *calm.parameters()], [calm(x)])(data["x"], *values)
    np.testing.assert_allclose(program.predict("out", x=data["x"]), wanted, rtol=1e-5, atol=1e-6)


def test_names_start_and_repr_are_torchs() -> None:
    attention = sn.nn.MultiheadAttention(4, 2, add_bias_kv=True, kdim=3, vdim=5)
    assert [name for name, _ in attention.named_parameters()] == [
        "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k", "bias_v",
        "out_proj.weight", "out_proj.bias",
    ]  # fmt: skip
    starts = {name: sn.init.initial_value(node, 0) for name, node in attention.named_parameters()}
    assert not starts["in_proj_bias"].any()
    assert not starts["out_proj.bias"].any()
    assert np.abs(starts["k_proj_weight"]).max() <= np.sqrt(6 / 7)
    model = sn.nn.Transformer(4, 2, 2, 1, 8)
    named = dict(model.named_parameters())
    assert "encoder.layers.1.self_attn.in_proj_weight" in named
    assert "decoder.layers.0.multihead_attn.out_proj.bias" in named
    assert named["decoder.norm.weight"].shape == (4,)
    matrices = [node for node in model.parameters() if node.ndim > 1]
    assert {node.attrs["init"] for node in matrices} == {sn.init.xavier_uniform()}
    first, second = (named[f"encoder.layers.{i}.linear1.weight"] for i in range(2))
    assert first is not second, "each copy has parameters of its own"
    assert repr(sn.nn.TransformerEncoderLayer(4, 2, 8)).splitlines()[:4] == [
        "TransformerEncoderLayer(",
        "  (self_attn): MultiheadAttention(",
        "    (out_proj): Linear(in_features=4, out_features=4, bias=True)",
        "  )",
    ]


def test_copies_and_pickles() -> None:
    x = sn.input("x", (3, 2, 4))
    for made in (sn.nn.TransformerEncoderLayer(4, 2, 8), sn.nn.Transformer(4, 2, 1, 1, 8, activation="gelu")):
        arguments = (x, x) if isinstance(made, sn.nn.Transformer) else (x,)
        for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert repr(other) == repr(made)
            assert str(sn.inference(other(*arguments))) == str(sn.inference(made(*arguments)))


def test_a_custom_encoder_takes_the_place_of_the_stack(rng: np.random.Generator) -> None:
    class Double(sn.nn.Module):
        def forward(self, src: Expr, mask: object, padding: object, is_causal: object) -> Expr:
            return src * 2.0

    model = sn.nn.Transformer(4, 2, num_decoder_layers=1, custom_encoder=Double(), dim_feedforward=8, dropout=0.0)
    assert not [name for name, _ in model.named_parameters() if name.startswith("encoder")]
    src, tgt = sn.input("src", (3, 2, 4)), sn.input("tgt", (5, 2, 4))
    direct = model.decoder(tgt, src * 2.0)
    assert model(src, tgt) is direct


def test_what_does_not_fit_is_an_error() -> None:
    q, k, v = operands()
    with pytest.raises(ShapeError, match=r"query and key need equal last axes"):
        F.scaled_dot_product_attention(q, sn.input("K", ("S", 5)), v)
    with pytest.raises(ShapeError, match=r"key and value need equal lengths"):
        F.scaled_dot_product_attention(q, k, sn.input("V", ("T", 3)))
    with pytest.raises(UsageError, match="named size D; give the scale"):
        F.scaled_dot_product_attention(sn.input("Q", ("L", "D")), sn.input("K", ("S", "D")), v)
    heads = sn.input("q", (6, 5, 4)), sn.input("k", (4, 5, 4))
    with pytest.raises(ShapeError, match="6 heads of the query cannot share 4 of key or value"):
        F.scaled_dot_product_attention(heads[0], heads[1], heads[1], enable_gqa=True)
    with pytest.raises(UsageError, match="embed_dim must be a multiple of num_heads, got 4 and 3"):
        sn.nn.MultiheadAttention(4, 3)
    attention, x = sn.nn.MultiheadAttention(4, 2), sn.input("x", ("T", "N", 4))
    with pytest.raises(ShapeError, match=r"attn_mask is \[T\], expected \[T, T\] or \[2\*N, T, T\]"):
        attention(x, x, x, attn_mask=sn.input("m", ("T",), "bool"))
    with pytest.raises(DTypeError, match=r"key_padding_mask is int64, expected booleans or floats"):
        attention(x, x, x, key_padding_mask=sn.input("m", ("N", "T"), "int64"))
    with pytest.raises(ShapeError, match=r"expected last axes of sizes 4, 4, 4"):
        attention(x, x, sn.input("v", ("T", "N", 3)))
    layer = sn.nn.TransformerEncoderLayer(4, 2)
    with pytest.raises(Unsupported, match="enable_nested_tensor"):
        sn.nn.TransformerEncoder(layer, 2, enable_nested_tensor=True)
    with pytest.raises(UsageError, match="no activation 'gleu' by name; did you mean 'gelu'"):
        sn.nn.TransformerDecoderLayer(4, 2, activation="gleu")
    with pytest.raises(ShapeError, match=r"Transformer: expected src and tgt .* last axis 4"):
        sn.nn.Transformer(4, 2, 1, 1)(x, sn.input("t", ("T", "N", 5)))
