"""The networks as pure functions of their parameters, images with the channels last, for TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf  # type: ignore[import-untyped]

Tree = dict[str, Any]


def dense(p: Tree, name: str, x: Any) -> Any:
    """x Wᵀ + b for x […, in] and W [out, in]."""
    flat = tf.reshape(x, (-1, x.shape[-1])) if len(x.shape) > 2 else x
    y = tf.matmul(flat, p[f"{name}.weight"], transpose_b=True)
    y = y + p[f"{name}.bias"] if f"{name}.bias" in p else y
    return tf.reshape(y, (*x.shape[:-1], y.shape[-1])) if len(x.shape) > 2 else y


def convolution(p: Tree, name: str, x: Any, stride: int, padding: int) -> Any:
    filters = tf.transpose(p[f"{name}.weight"], (2, 3, 1, 0))
    pads = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
    y = tf.nn.conv2d(x, filters, strides=stride, padding=pads)
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def pool(x: Any) -> Any:
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def layer_norm(p: Tree, name: str, x: Any) -> Any:
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def batch_norm(p: Tree, name: str, x: Any, running: Tree) -> Any:
    old_mean, old_variance = running[name]
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=p[f"{name}.weight"], offset=p[f"{name}.bias"], mean=old_mean, variance=old_variance, epsilon=1e-5,
        exponential_avg_factor=0.1, is_training=True,
    )  # fmt: skip
    running[name] = (mean, variance)
    return y


def mlp(p: Tree, x: Any, running: Tree, sizes: tuple[int, ...]) -> Any:
    for i in range(len(sizes) - 2):
        x = tf.nn.relu(dense(p, str(2 * i), x))
    return dense(p, str(2 * len(sizes) - 4), x)


def cnn(p: Tree, x: Any, running: Tree, **sizes: int) -> Any:
    x = tf.transpose(x, (0, 2, 3, 1))
    x = pool(tf.nn.relu(convolution(p, "0", x, 1, 2)))
    x = pool(tf.nn.relu(convolution(p, "3", x, 1, 1)))
    x = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (x.shape[0], -1))
    return dense(p, "9", tf.nn.relu(dense(p, "7", x)))


def resnet(p: Tree, x: Any, running: Tree, widths: tuple[int, ...], blocks: int) -> Any:
    x = tf.transpose(x, (0, 2, 3, 1))
    x = tf.nn.relu(batch_norm(p, "1", convolution(p, "0", x, 1, 1), running))
    for i in range(len(widths) * blocks):
        stride, name = 2 if i and i % blocks == 0 else 1, str(3 + i)
        y = tf.nn.relu(batch_norm(p, f"{name}.bn1", convolution(p, f"{name}.conv1", x, stride, 1), running))
        y = batch_norm(p, f"{name}.bn2", convolution(p, f"{name}.conv2", y, 1, 1), running)
        if f"{name}.shortcut.0.weight" in p:
            x = convolution(p, f"{name}.shortcut.0", x, stride, 0)
            x = batch_norm(p, f"{name}.shortcut.1", x, running)
        x = tf.nn.relu(x + y)
    return dense(p, str(3 + len(widths) * blocks + 2), tf.reduce_mean(x, (1, 2)))


def recurrent(p: Tree, x: Any, running: Tree, kind: str, inputs: int, hidden: int) -> Any:
    u, c = p["layer.weight_hh_l0"], p["layer.bias_hh_l0"]
    driven = dense({"d.weight": p["layer.weight_ih_l0"], "d.bias": p["layer.bias_ih_l0"]}, "d", x)
    driven = tf.unstack(tf.transpose(driven, (1, 0, 2)))
    h = s = tf.zeros((x.shape[0], hidden))
    for a in driven:
        r = tf.matmul(h, u, transpose_b=True) + c
        if kind == "LSTM":
            i, f, g, o = tf.split(a + r, 4, -1)
            s = tf.sigmoid(f) * s + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(s)
        else:
            (ar, az, an), (hr, hz, hn) = tf.split(a, 3, -1), tf.split(r, 3, -1)
            z = tf.sigmoid(az + hz)
            h = (1 - z) * tf.tanh(an + tf.sigmoid(ar + hr) * hn) + z * h
    return dense(p, "head", h)


def gpt(p: Tree, text: Any, running: Tree, kinds: int, size: int, heads: int, layers: int, context: int) -> Any:
    x = tf.gather(p["token.weight"], text) + p["position.weight"]
    mask = tf.linalg.band_part(tf.ones((context, context), tf.bool), -1, 0)
    for i in range(layers):
        name = f"blocks.{i}"
        parts = dense(p, f"{name}.qkv", layer_norm(p, f"{name}.norm1", x))
        parts = tf.reshape(parts, (-1, context, 3, heads, size // heads))
        q, k, v = tf.unstack(tf.transpose(parts, (2, 0, 3, 1, 4)))
        scores = tf.where(mask, tf.matmul(q, k, transpose_b=True) / (size // heads) ** 0.5, float("-inf"))
        seen = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), (0, 2, 1, 3))
        x = x + dense(p, f"{name}.out", tf.reshape(seen, (text.shape[0], context, size)))
        wide = tf.nn.gelu(dense(p, f"{name}.wide", layer_norm(p, f"{name}.norm2", x)), approximate=False)
        x = x + dense(p, f"{name}.narrow", wide)
    return tf.reshape(dense(p, "head", layer_norm(p, "norm", x)), (-1, kinds))
