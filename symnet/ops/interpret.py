"""The reference interpreter: what expressions mean, in NumPy. Slow and obvious; every backend is held to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import CompilerBug, DTypeError, ShapeError, UnknownName, UsageError
from symnet.expr import dims
from symnet.expr.dims import Dim
from symnet.expr.node import Expr
from symnet.expr.op import Sizes
from symnet.expr.traverse import postorder
from symnet.ops.random import SEED, STEP, numbered
from symnet.ops.usually import exactly

__all__ = ["evaluate"]

_GIVEN = ("input", "parameter", "state", "hyper")


def evaluate(exprs: Any, values: Mapping[Any, Any] | None = None, sizes: Sizes | None = None) -> Any:
    """The value of an expression (or of a list, tuple or dict of them) as NumPy arrays.

    values  an array for every input, parameter, state and hyperparameter under the expressions, keyed by name or by the
            expression itself; inner expressions may be given too. What is not needed is not looked at: a derivative
            often needs less than the function.
            The seed and the step that random numbers follow from are 0 unless they are given ("random.seed",
            "random.step").
    sizes   the sizes of named dimensions; those that occur in the shape of a given array follow from it.

    Arithmetic is done in the data types of the expressions. Raises `UnknownName` for a missing value, `ShapeError` and
    `DTypeError` for one that does not fit, `IndexOutOfRange` for positions outside an axis.
    """
    roots, rebuild = _as_list(exprs)
    roots, values = _settled(roots, values or {})
    stops = [key for key in values if isinstance(key, Expr)]
    given = _match([node for node in postorder(roots, stops) if node.op in _GIVEN], values)
    arrays = {node: _as_array(node, value) for node, value in given.items()}
    known = infer_sizes(arrays, sizes or {})
    return rebuild(run(roots, arrays, known))


def run(
    roots: Iterable[Expr],
    given: Mapping[Expr, np.ndarray],
    sizes: Sizes,
    visit: Callable[[Expr, Any], None] | None = None,
) -> list[np.ndarray]:
    """The values of `roots` when the nodes of `given` have these values. No checks of what is given.

    visit  is called with every other node, in the order in which they are computed, and its value
    """
    roots = list(roots)
    order = postorder(roots, given)
    waiting: dict[int, int] = {}
    for node in order:
        for operand in () if node in given else node.args:
            waiting[id(operand)] = waiting.get(id(operand), 0) + 1
    for root in roots:
        waiting[id(root)] = waiting.get(id(root), 0) + 1
    values: dict[int, Any] = {id(node): value for node, value in given.items()}
    with np.errstate(all="ignore"):
        for node in order:
            if node in given:
                continue
            values[id(node)] = _value(node, [values[id(a)] for a in node.args], sizes)
            if visit is not None:
                visit(node, values[id(node)])
            for operand in node.args:
                waiting[id(operand)] -= 1
                if not waiting[id(operand)]:
                    del values[id(operand)]
    return [values[id(root)] for root in roots]


def _value(node: Expr, arrays: Sequence[Any], sizes: Sizes) -> Any:
    declaration = node.declaration
    if declaration.numpy is not None:
        result = declaration.numpy(node, arrays, sizes)
    elif declaration.define is not None:
        result = run([declaration.define(node)], dict(zip(node.args, arrays, strict=True)), sizes)[0]
    else:
        name = f" {node.name!r}" if node.name else ""
        raise UnknownName(f"{node.op}{name}: no value was given")
    if node.dtype != "tuple":
        shape = dims.evaluate_shape(node.shape, sizes)
        if result.shape != shape or result.dtype.name != node.dtype:
            raise CompilerBug(
                f"{node.op}: computed {result.dtype}{dims.show(result.shape)}, declared {node.dtype}{dims.show(shape)}"
            )
    return result


def _as_list(exprs: Any) -> tuple[list[Expr], Any]:
    if isinstance(exprs, Expr):
        return [exprs], lambda results: results[0]
    if isinstance(exprs, Mapping):
        names = list(exprs)
        roots = [exprs[name] for name in names]
        rebuild: Any = lambda results: dict(zip(names, results, strict=True))  # noqa: E731
    elif isinstance(exprs, (list, tuple)):
        roots, rebuild = list(exprs), type(exprs)
    else:
        raise DTypeError(f"evaluate: got {type(exprs).__name__}, expected an expression or a list or dict of them")
    for root in roots:
        if not isinstance(root, Expr):
            raise DTypeError(f"evaluate: got {type(root).__name__} among the expressions")
    return roots, rebuild


def _settled(roots: Sequence[Expr], values: Mapping[Any, Any]) -> tuple[list[Expr], dict[Any, Any]]:
    """Both in their exact form, with streams of random numbers counted from 0."""
    inner = [key for key in values if isinstance(key, Expr)]
    new = numbered(exactly([*roots, *inner]))
    renamed = dict(zip(inner, new[len(roots) :], strict=True))
    return new[: len(roots)], {renamed.get(key, key) if isinstance(key, Expr) else key: v for key, v in values.items()}


def _match(leaves: Sequence[Expr], values: Mapping[Any, Any]) -> dict[Expr, Any]:
    """The value of each leaf: keyed by the node, else by its name (the declared one, or that of `sn.name`)."""
    by_name: dict[str, list[Expr]] = {}
    for leaf in leaves:
        for name in {leaf.name, leaf.attrs["name"]}:
            by_name.setdefault(str(name), []).append(leaf)
    given: dict[Expr, Any] = {}
    for key, value in values.items():
        if isinstance(key, Expr):
            given[key] = value
        elif len(by_name.get(key, ())) > 1:
            raise UsageError(f"evaluate: {len(by_name[key])} values are named {key!r}; give the expressions as keys")
        elif key in by_name:
            given[by_name[key][0]] = value
    for leaf in leaves:
        if leaf not in given and leaf.op == "state" and leaf.name in (SEED, STEP):
            given[leaf] = 0
        elif leaf not in given:
            typed = f"{leaf.dtype}{dims.show(leaf.shape)}"
            known = sorted(str(key.name if isinstance(key, Expr) else key) for key in values)
            raise UnknownName(
                f"evaluate: no value for the {leaf.op} {leaf.name!r} ({typed}); given: {', '.join(known)}"
            )
    return given


def _as_array(node: Expr, value: Any) -> np.ndarray:
    """The value as an array of the node's type. Floats are rounded to it, integers widened; numbers without a type of
    their own (Python's) take any type that is not of a lower kind."""
    if not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    array = np.asarray(value)
    if array.dtype.name != node.dtype:
        untyped = not hasattr(value, "dtype") or isinstance(value, np.generic)
        known = np.can_cast(array.dtype, node.dtype, "same_kind" if untyped or array.dtype.kind == "f" else "safe")
        if not known:
            raise DTypeError(f"evaluate: the value of {node.name!r} is {array.dtype}, expected {node.dtype}")
        array = array.astype(node.dtype)
    if array.ndim != node.ndim:
        raise ShapeError(
            f"evaluate: the value of {node.name!r} has shape {dims.show(array.shape)}, expected {dims.show(node.shape)}"
        )
    return array


def infer_sizes(arrays: Mapping[Expr, np.ndarray], sizes: Sizes) -> dict[str, int]:
    """The sizes of named dimensions: those given, and those that the shapes of arrays imply; checks all shapes."""
    known = {name: int(size) for name, size in sizes.items()}
    source: dict[str, str] = {}
    waiting: list[tuple[Expr, int, Dim, int]] = []
    for node, array in arrays.items():
        for axis, (dim, size) in enumerate(zip(node.shape, array.shape, strict=True)):
            if isinstance(dim, str) and dims.names(dim) == {dim} and dim not in known:
                known[dim], source[dim] = size, f" (from {node.name!r})"
            waiting.append((node, axis, dim, size))
    for node, axis, dim, size in waiting:
        _solve(dim, size, known)
        expected = dims.evaluate(dim, known)
        if expected != size:
            where = "".join(f"; {n} = {known[n]}{source.get(n, '')}" for n in sorted(dims.names(dim)))
            raise ShapeError(
                f"evaluate: axis {axis} of {node.name!r} has size {size}, expected {expected}"
                f" for shape {dims.show(node.shape)}{where}"
            )
    return known


def _solve(dim: Dim, size: int, known: dict[str, int]) -> None:
    """Binds the one unknown name of a dimension such as `2*N + 1` when the size determines it."""
    unknown = [name for name in dims.names(dim) if name not in known]
    if len(unknown) != 1:
        return
    name = unknown[0]
    values = [dims.evaluate(dim, {**known, name: trial}) for trial in (0, 1, 2)]
    slope = values[1] - values[0]
    if values[2] - values[1] == slope != 0 and (size - values[0]) % slope == 0:
        known[name] = (size - values[0]) // slope
