"""The normalisations of torch.nn.functional."""

from __future__ import annotations

from collections.abc import Sequence

from symnet import ops
from symnet.errors import ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Shape
from symnet.expr.node import Expr
from symnet.ops import linalg
from symnet.ops import normalize as core
from symnet.ops.leaves import Operand

__all__ = [
    "batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm",
]  # fmt: skip


def layer_norm(
    input: Operand,
    normalized_shape: int | Sequence[int],
    weight: Operand | None = None,
    bias: Operand | None = None,
    eps: float = 1e-5,
) -> Expr:
    """(x - mean) / √(var + eps) · weight + bias, mean and variance (÷ n) over the last axes, `normalized_shape`."""
    x = ops.constant(input)
    shape = _normalized("layer_norm", x, normalized_shape, weight, bias)
    return core.layer_norm(x, _like(weight, x), _like(bias, x), len(shape), eps)


def rms_norm(
    input: Operand, normalized_shape: int | Sequence[int], weight: Operand | None = None, eps: float | None = None
) -> Expr:
    """x / √(mean(x²) + eps) · weight, the mean over the last axes; an eps of None is the spacing of numbers at 1."""
    x = ops.constant(input)
    shape = _normalized("rms_norm", x, normalized_shape, weight, None)
    return core.rms_norm(x, _like(weight, x), len(shape), eps)


def group_norm(
    input: Operand, num_groups: int, weight: Operand | None = None, bias: Operand | None = None, eps: float = 1e-5
) -> Expr:
    """The channels of each sample [N, C, …] in `num_groups` groups, each standardized; · weight + bias by channel."""
    x = ops.constant(input)
    if x.ndim < 2:
        raise ShapeError(f"group_norm: expected an operand [N, C, …], got {dims.show(x.shape)}")
    each = dims.divide(x.shape[1], num_groups)
    if each is None:
        raise UsageError(f"group_norm: {x.shape[1]} channels cannot be split into {num_groups} groups")
    _more_than_one("group_norm", x, (x.shape[0], each, *x.shape[2:]), "group")
    return core.group_norm(x, num_groups, _like(weight, x), _like(bias, x), eps)


def batch_norm(
    input: Operand,
    running_mean: Operand | None,
    running_var: Operand | None,
    weight: Operand | None = None,
    bias: Operand | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Expr:
    """(x - mean) / √(var + eps) · weight + bias for each channel of [N, C] or [N, C, …].

    With `training` the mean and the variance are those of the batch, and a training step moves the running statistics
    (then `sn.nn.Buffer`s) towards them by `momentum`; else they are the running statistics.
    """
    x = ops.constant(input)
    if not training:
        if running_mean is None or running_var is None:
            raise UsageError("batch_norm: without training it needs running_mean and running_var")
        mean, var = ops.constant(running_mean, x.dtype), ops.constant(running_var, x.dtype)
        return core.by_running_statistics(x, mean, var, _like(weight, x), _like(bias, x), eps)
    return by_batch(x, running_mean, running_var, weight, bias, momentum, eps)


def by_batch(
    input: Operand,
    running_mean: Operand | None,
    running_var: Operand | None,
    weight: Operand | None,
    bias: Operand | None,
    momentum: float | None,
    eps: float,
    count: Expr | None = None,
) -> Expr:
    """The training meaning of `batch_norm`; with a `count` of batches, momentum may be None: the mean of all
    batches."""
    x = ops.constant(input)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: expected an operand [N, C, …], got {dims.show(x.shape)}")
    _more_than_one("batch_norm", x, (x.shape[0], *x.shape[2:]), "channel")
    return core.batch_norm(
        x,
        eps,
        momentum,
        weight=_like(weight, x),
        bias=_like(bias, x),
        mean=_state("batch_norm", "running_mean", running_mean),
        var=_state("batch_norm", "running_var", running_var),
        count=count,
    )


def instance_norm(
    input: Operand,
    running_mean: Operand | None = None,
    running_var: Operand | None = None,
    weight: Operand | None = None,
    bias: Operand | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Expr:
    """As `batch_norm`, with each channel of each sample standardized by itself; `use_input_stats` is its `training`."""
    x = ops.constant(input)
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    if x.ndim < 3:
        raise ShapeError(f"instance_norm: expected an operand [N, C, …] with at least 3 axes, got {dims.show(x.shape)}")
    _more_than_one("instance_norm", x, x.shape[2:], "channel of a sample")
    return core.instance_norm(
        x,
        eps,
        momentum,
        weight=_like(weight, x),
        bias=_like(bias, x),
        mean=_state("instance_norm", "running_mean", running_mean),
        var=_state("instance_norm", "running_var", running_var),
    )


def local_response_norm(input: Operand, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Expr:
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta, where channels beyond the ends are 0."""
    x = ops.constant(input)
    if x.ndim < 3:
        raise ShapeError(
            f"local_response_norm: expected an operand [N, C, …] with at least 3 axes, got {dims.show(x.shape)}"
        )
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise UsageError(f"local_response_norm: size is {size!r}, expected a whole number from 1")
    squares = ops.moveaxis(ops.square(x), 1, -1)
    near = ops.windows(squares, (size,), padding=[(size // 2, (size - 1) // 2)])
    around = ops.moveaxis(ops.mean(near, axis=-1), -1, 1)
    return x / ops.power(k + alpha * around, beta)


def normalize(input: Operand, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Expr:
    """x / max(‖x‖ₚ, eps), the norm along the axis `dim`."""
    x = ops.constant(input)
    size = linalg.vector_norm(x, axis=dim, keepdims=True, ord=p)
    return x / ops.where(size >= eps, size, eps)


def _like(part: Operand | None, x: Expr) -> Expr | None:
    """A parameter as an expression; arrays and numbers in the type of x."""
    if part is None or isinstance(part, Expr):
        return part
    return ops.constant(part, x.dtype)


def _state(op: str, name: str, part: Operand | None) -> Expr | None:
    if part is None or (isinstance(part, Expr) and part.op == "state"):
        return part
    raise UsageError(f"{op}: {name} is changed by training, so it must be a buffer: sn.nn.Buffer(shape)")


def _normalized(op: str, x: Expr, shape: int | Sequence[int], weight: Operand | None, bias: Operand | None) -> Shape:
    """The last axes as a tuple; errors where operand or parameters do not have them."""
    wanted = dims.canonical_shape((shape,) if isinstance(shape, (int, str)) else tuple(shape))
    if not wanted or x.shape[-len(wanted) :] != wanted:
        raise ShapeError(f"{op}: expected an operand that ends in {dims.show(wanted)}, got {dims.show(x.shape)}")
    for name, part in (("weight", weight), ("bias", bias)):
        if part is not None and ops.constant(part).shape != wanted:
            raise ShapeError(f"{op}: the {name} is {dims.show(ops.constant(part).shape)}, expected {dims.show(wanted)}")
    return wanted


def _more_than_one(op: str, x: Expr, counted: Sequence[dims.Dim], what: str) -> None:
    """One value has no variance: in training it is an error, as in PyTorch."""
    if dims.product(counted) == 1:
        raise UsageError(
            f"{op}: expected more than 1 value per {what} in training, got an operand {dims.show(x.shape)}"
        )
