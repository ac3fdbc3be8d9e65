"""The functions of torch.nn.functional that look up rows of a table, and one_hot."""

from __future__ import annotations

from symnet import ops
from symnet.errors import DTypeError, ShapeError, Unsupported, UsageError, nearest
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.ops.index import scatter_add
from symnet.ops.leaves import Operand

__all__ = ["embedding", "embedding_bag", "one_hot"]

MODES = ("sum", "mean", "max")


def one_hot(tensor: Operand, num_classes: int = -1) -> Expr:
    """A new last axis of `num_classes`, 1 at the index and 0 elsewhere (int64), all 0 for an index that is no class.

    `num_classes=-1`, one more than the largest index, is a size that only the data tells: it is not supported.
    """
    if num_classes == -1:
        raise Unsupported("one_hot: num_classes=-1 is a size that only the data tells; give the number of classes")
    return ops.one_hot(tensor, num_classes, "int64")


def embedding(
    input: Operand, weight: Operand, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Expr:  # fmt: skip
    """The rows of a table at positions: input [*] of integers, weight [rows, size] -> [*, size].

    padding_idx         no gradient reaches this row (negative: counted from the end)
    scale_grad_by_freq  the gradient of a row is divided by how often the row occurs in `input`

    `max_norm`, with its `norm_type`, changes the table while it is read, and `sparse` asks for a gradient of another
    kind: they are not supported.
    """
    check_unsupported("embedding", max_norm, norm_type, sparse)
    indices, table = _checked("embedding", input, weight)
    rows = ops.take(table, indices, axis=0)
    if scale_grad_by_freq:
        counts = scatter_add(ops.ones_like(indices, dtype=rows.dtype), (0,), [indices], (table.shape[0],))
        rows = _scaled_gradient(rows, 1.0 / ops.take(counts, indices, axis=0)[..., None])
    if padding_idx is not None:
        padding = indices == check_padding_idx("embedding", padding_idx, table.shape[0])
        rows = ops.where(padding[..., None], ops.stop_gradient(rows), rows)
    return rows


def embedding_bag(
    input: Operand, weight: Operand, offsets: Operand | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
    per_sample_weights: Operand | None = None, include_last_offset: bool = False, padding_idx: int | None = None,
) -> Expr:  # fmt: skip
    """The sum, mean or maximum of the rows of each bag of positions -> [bags, size]; an empty bag gives 0.

    input    [bags, n]: each row is a bag; or [n] with offsets [bags], where each bag begins (the first is 0; with
             `include_last_offset` one more, where the last bag ends)
    per_sample_weights  factors of the rows, of the shape of input, for mode "sum"
    padding_idx         entries that are this position belong to no bag

    Of several equal maxima the first gets the gradient. `scale_grad_by_freq` is as in `embedding` (PyTorch 2.13 divides
    by the counts of other rows here); so are `max_norm`, `norm_type` and `sparse`.
    """
    check_unsupported("embedding_bag", max_norm, norm_type, sparse)
    check_mode(mode)
    indices, table = _checked("embedding_bag", input, weight)
    _check_bags(indices, offsets, mode, per_sample_weights, scale_grad_by_freq, include_last_offset)
    rows = embedding(indices, table, padding_idx, scale_grad_by_freq=scale_grad_by_freq)
    share = ops.ones_like(indices, dtype=rows.dtype)
    if padding_idx is not None:
        share = ops.cast(indices != check_padding_idx("embedding_bag", padding_idx, table.shape[0]), rows.dtype)
        rows = share[..., None] * rows
    if per_sample_weights is not None:
        rows = ops.constant(per_sample_weights)[..., None] * rows
    if mode == "max":
        return _largest(rows, share)
    if offsets is None:
        total, count = ops.sum(rows, 1), ops.sum(share, 1)
    else:
        starts = ops.constant(offsets)
        starts = starts[:-1] if include_last_offset else starts
        begun = starts <= ops.cast(ops.arange(indices.shape[0]), starts.dtype)[:, None]
        bag = ops.count_nonzero(begun, axis=1) - 1
        total = scatter_add(rows, (0,), [bag], (starts.shape[0], table.shape[1]))
        count = scatter_add(share, (0,), [bag], (starts.shape[0],))
    return total if mode == "sum" else total / ops.maximum(count, 1.0)[:, None]


def _largest(rows: Expr, share: Expr) -> Expr:
    """The maxima over axis 1 of the rows that have a share; 0 where there are none."""
    counted = ops.where(share[..., None] > 0.0, rows, float("-inf"))
    first = ops.argmax(counted, axis=1, keepdims=True)
    found = ops.take_along_axis(counted, first, axis=1)[:, 0]
    return ops.where(found == float("-inf"), 0.0, found)


def _scaled_gradient(x: Expr, factor: Expr) -> Expr:
    """x, whose gradient is multiplied by `factor`."""
    fixed = ops.stop_gradient(x)
    return fixed + factor * (x - fixed)


# --- checks ------------------------------------------------------------------------------------------------------


def check_unsupported(function: str, max_norm: float | None, norm_type: float, sparse: bool) -> None:
    """Raise `Unsupported` for the settings that have no meaning in an expression."""
    if max_norm is not None or norm_type != 2.0:
        named = f"norm_type={norm_type!r}" if max_norm is None else f"max_norm={max_norm!r}"
        raise Unsupported(
            f"{function}: {named}: torch shortens long rows in the table itself while it reads them; "
            "scale the rows that were looked up instead: "
            "rows * sn.minimum(1, max_norm / sn.linalg.vector_norm(rows, axis=-1, keepdims=True))"
        )
    if sparse:
        raise Unsupported(f"{function}: sparse=True: gradients are dense arrays here; leave it False")


def check_mode(mode: str) -> None:
    """Raise unless `mode` is "sum", "mean" or "max"."""
    if mode not in MODES:
        raise UsageError(f"embedding_bag: there is no mode {mode!r}{nearest(mode, MODES)}")


def check_padding_idx(function: str, padding_idx: int, rows: dims.Dim) -> int:
    """`padding_idx` counted from 0; it must be a row of the table."""
    if not isinstance(rows, int) or not -rows <= padding_idx < rows:
        raise UsageError(f"{function}: padding_idx={padding_idx} is no row of a table of {rows} rows")
    return padding_idx % rows


def _checked(function: str, input: Operand, weight: Operand) -> tuple[Expr, Expr]:
    indices, table = ops.constant(input), ops.constant(weight)
    if indices.dtype not in dtypes.INTS:
        raise DTypeError(f"{function}: expected positions of type int32 or int64, got {indices.dtype}")
    if table.ndim != 2:
        raise ShapeError(f"{function}: expected a table [rows, size], got {dims.show(table.shape)}")
    return indices, table


def _check_bags(
    indices: Expr, offsets: Operand | None, mode: str, per_sample_weights: Operand | None,
    scale_grad_by_freq: bool, include_last_offset: bool,
) -> None:  # fmt: skip
    shown = dims.show(indices.shape)
    if indices.ndim not in (1, 2):
        raise ShapeError(f"embedding_bag: expected positions [bags, n], or [n] with offsets, got {shown}")
    if (offsets is None) != (indices.ndim == 2):
        raise UsageError(
            f"embedding_bag: positions {shown} {'need' if offsets is None else 'take no'} offsets "
            "(offsets say where the bags begin in positions of one axis)"
        )
    if include_last_offset and offsets is None:
        raise UsageError("embedding_bag: include_last_offset is about offsets, and there are none")
    if offsets is not None:
        starts = ops.constant(offsets)
        if starts.ndim != 1 or starts.dtype not in dtypes.INTS:
            got = f"{starts.dtype}{dims.show(starts.shape)}"
            raise ShapeError(f"embedding_bag: expected integer offsets [bags], got {got}")
    if mode == "max" and offsets is not None:
        raise Unsupported("embedding_bag: mode='max' with offsets; give positions [bags, n] (with a padding_idx)")
    if mode == "max" and scale_grad_by_freq:
        raise UsageError("embedding_bag: mode='max' does not go with scale_grad_by_freq")
    if per_sample_weights is not None:
        given = ops.constant(per_sample_weights)
        if mode != "sum":
            raise UsageError(f"embedding_bag: per_sample_weights need mode='sum', got mode={mode!r}")
        if given.shape != indices.shape or not dtypes.is_float(given.dtype):
            raise ShapeError(
                f"embedding_bag: expected per_sample_weights that are floats {shown}, "
                f"got {given.dtype}{dims.show(given.shape)}"
            )
