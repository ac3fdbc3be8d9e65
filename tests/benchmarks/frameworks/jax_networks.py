"""The networks as pure functions of their parameters, images with the channels last, for JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Tree = dict[str, Any]


def dense(p: Tree, name: str, x: Any) -> Any:
    y = x @ p[f"{name}.weight"].T
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def convolution(p: Tree, name: str, x: Any, stride: int, padding: int) -> Any:
    y = jax.lax.conv_general_dilated(
        x, p[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NHWC", "OIHW", "NHWC")
    )
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def pool(x: Any) -> Any:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def layer_norm(p: Tree, name: str, x: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)
    return centred * scale * p[f"{name}.weight"] + p[f"{name}.bias"]


def batch_norm(p: Tree, name: str, x: Any, running: Tree) -> Any:
    count = x.size // x.shape[-1]
    mean = x.mean((0, 1, 2))
    variance = ((x - mean) ** 2).mean((0, 1, 2))
    old_mean, old_variance = running[name]
    running[name] = (0.9 * old_mean + 0.1 * mean, 0.9 * old_variance + 0.1 * variance * count / (count - 1))
    return (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * p[f"{name}.weight"]) + p[f"{name}.bias"]


def mlp(p: Tree, x: Any, running: Tree, sizes: tuple[int, ...]) -> Any:
    for i in range(len(sizes) - 2):
        x = jax.nn.relu(dense(p, str(2 * i), x))
    return dense(p, str(2 * len(sizes) - 4), x)


def cnn(p: Tree, x: Any, running: Tree, **sizes: int) -> Any:
    x = x.transpose(0, 2, 3, 1)
    x = pool(jax.nn.relu(convolution(p, "0", x, 1, 2)))
    x = pool(jax.nn.relu(convolution(p, "3", x, 1, 1)))
    x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    return dense(p, "9", jax.nn.relu(dense(p, "7", x)))


def resnet(p: Tree, x: Any, running: Tree, widths: tuple[int, ...], blocks: int) -> Any:
    x = x.transpose(0, 2, 3, 1)
    x = jax.nn.relu(batch_norm(p, "1", convolution(p, "0", x, 1, 1), running))
    for i in range(len(widths) * blocks):
        stride, name = 2 if i and i % blocks == 0 else 1, str(3 + i)
        y = jax.nn.relu(batch_norm(p, f"{name}.bn1", convolution(p, f"{name}.conv1", x, stride, 1), running))
        y = batch_norm(p, f"{name}.bn2", convolution(p, f"{name}.conv2", y, 1, 1), running)
        if f"{name}.shortcut.0.weight" in p:
            x = convolution(p, f"{name}.shortcut.0", x, stride, 0)
            x = batch_norm(p, f"{name}.shortcut.1", x, running)
        x = jax.nn.relu(x + y)
    return dense(p, str(3 + len(widths) * blocks + 2), x.mean((1, 2)))


def recurrent(p: Tree, x: Any, running: Tree, kind: str, inputs: int, hidden: int) -> Any:
    w, u = p["layer.weight_ih_l0"], p["layer.weight_hh_l0"]
    b, c = p["layer.bias_ih_l0"], p["layer.bias_hh_l0"]
    driven = (x @ w.T + b).transpose(1, 0, 2)
    zero = jnp.zeros((len(x), hidden), x.dtype)

    def lstm(state: Any, a: Any) -> Any:
        h, s = state
        i, f, g, o = jnp.split(a + h @ u.T + c, 4, -1)
        s = jax.nn.sigmoid(f) * s + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(s), s), None

    def gru(h: Any, a: Any) -> Any:
        (ar, az, an), (hr, hz, hn) = jnp.split(a, 3, -1), jnp.split(h @ u.T + c, 3, -1)
        z = jax.nn.sigmoid(az + hz)
        n = jnp.tanh(an + jax.nn.sigmoid(ar + hr) * hn)
        return (1 - z) * n + z * h, None

    if kind == "LSTM":
        (h, _), _ = jax.lax.scan(lstm, (zero, zero), driven)
    else:
        h, _ = jax.lax.scan(gru, zero, driven)
    return dense(p, "head", h)


def gpt(p: Tree, text: Any, running: Tree, kinds: int, size: int, heads: int, layers: int, context: int) -> Any:
    x = p["token.weight"][text] + p["position.weight"]
    mask = jnp.tril(jnp.ones((context, context), bool))
    for i in range(layers):
        name = f"blocks.{i}"
        parts = dense(p, f"{name}.qkv", layer_norm(p, f"{name}.norm1", x))
        q, k, v = parts.reshape(-1, context, 3, heads, size // heads).transpose(2, 0, 3, 1, 4)
        scores = jnp.where(mask, q @ k.swapaxes(-1, -2) / np.sqrt(size // heads), -jnp.inf)
        seen = (jax.nn.softmax(scores) @ v).swapaxes(1, 2).reshape(-1, context, size)
        x = x + dense(p, f"{name}.out", seen)
        wide = jax.nn.gelu(dense(p, f"{name}.wide", layer_norm(p, f"{name}.norm2", x)), approximate=False)
        x = x + dense(p, f"{name}.narrow", wide)
    return dense(p, "head", layer_norm(p, "norm", x)).reshape(-1, kinds)
