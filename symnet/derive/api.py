"""What a user calls: gradients, products with Jacobians, Jacobians and Hessians, of any order.

Every function takes expressions and gives expressions. `wrt` is one floating-point expression, for which one
expression comes back, or several (a list, `model.parameters()`), for which a list comes back. It may name inner values
of the graph as well as parameters and inputs. Results are simplified unless `simplify=False`; `trace` collects every
step.

Where an output does not depend on a value, the derivative is zeros of the value's shape. That is what mathematics and
JAX say; PyTorch's `allow_unused=True, materialize_grads=True`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import is_
from typing import overload

from symnet.derive.build import full
from symnet.derive.forward import pushforward
from symnet.derive.jacobians import jacobian_of
from symnet.derive.reverse import pullback
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.expr.trace import Trace, replaced
from symnet.expr.traverse import substitute
from symnet.ops.usually import abbreviated, exactly, in_short

# Several expressions. (Not Iterable: an expression can itself be iterated over, row by row.)
Many = Sequence[Expr] | Iterator[Expr]
Exprs = Expr | Many
Derive = Callable[[list[Expr], list[Expr], Trace | None], list[Expr]]


@overload
def grad(loss: Expr, wrt: Expr, *, simplify: bool = ..., trace: Trace | None = ...) -> Expr: ...
@overload
def grad(loss: Expr, wrt: Many, *, simplify: bool = ..., trace: Trace | None = ...) -> list[Expr]: ...
def grad(loss: Expr, wrt: Exprs, *, simplify: bool = True, trace: Trace | None = None) -> Expr | list[Expr]:
    """∂loss/∂w for each w of `wrt`, of the shape and type of w; `loss` is a floating-point scalar."""
    scalar = scalar_loss(loss, "grad")
    variables, single = several(wrt, "grad", "wrt")
    found = differentiated([scalar], variables, simplify, trace, lambda v, w, t: gradients(v[0], w, t))
    return _like(single, found)


@overload
def value_and_grad(loss: Expr, wrt: Expr, *, simplify: bool = ..., trace: Trace | None = ...) -> tuple[Expr, Expr]: ...
@overload
def value_and_grad(
    loss: Expr, wrt: Many, *, simplify: bool = ..., trace: Trace | None = ...
) -> tuple[Expr, list[Expr]]: ...
def value_and_grad(
    loss: Expr, wrt: Exprs, *, simplify: bool = True, trace: Trace | None = None
) -> tuple[Expr, Expr | list[Expr]]:
    """`loss` and its gradient, simplified together so that they share what they can."""
    scalar = scalar_loss(loss, "value_and_grad")
    variables, single = several(wrt, "value_and_grad", "wrt")
    value, *rest = differentiated([scalar], variables, simplify, trace, lambda v, w, t: [v[0], *gradients(v[0], w, t)])
    return value, _like(single, rest)


@overload
def vjp(outputs: Exprs, wrt: Expr, cotangents: Exprs, *, simplify: bool = ..., trace: Trace | None = ...) -> Expr: ...
@overload
def vjp(
    outputs: Exprs, wrt: Many, cotangents: Exprs, *, simplify: bool = ..., trace: Trace | None = ...
) -> list[Expr]: ...
def vjp(
    outputs: Exprs, wrt: Exprs, cotangents: Exprs, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[Expr]:
    """Cotangents times Jacobian: for each w of `wrt`, Σ over outputs of (∂output/∂w)ᵀ · cotangent.

    Each cotangent has the shape and type of its output.
    """
    values, _ = several(outputs, "vjp", "outputs")
    variables, single = several(wrt, "vjp", "wrt")
    vectors = _matching(cotangents, values, "vjp", "cotangent", "output")
    found = differentiated(values, variables, simplify, trace, lambda v, w, t: pullback(v, vectors, w, t))
    return _like(single, found)


@overload
def jvp(outputs: Expr, wrt: Exprs, tangents: Exprs, *, simplify: bool = ..., trace: Trace | None = ...) -> Expr: ...
@overload
def jvp(
    outputs: Many, wrt: Exprs, tangents: Exprs, *, simplify: bool = ..., trace: Trace | None = ...
) -> list[Expr]: ...
def jvp(
    outputs: Exprs, wrt: Exprs, tangents: Exprs, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[Expr]:
    """Jacobian times tangents: for each output, Σ over w of `wrt` of (∂output/∂w) · tangent (forward mode).

    Each tangent has the shape and type of its w. One expression comes back for one output, a list for several. `trace`
    receives the steps of the simplification.
    """
    values, single = several(outputs, "jvp", "outputs")
    variables, _ = several(wrt, "jvp", "wrt")
    vectors = _matching(tangents, variables, "jvp", "tangent", "variable")
    return _like(single, differentiated(values, variables, simplify, trace, lambda v, w, _: pushforward(v, w, vectors)))


@overload
def jacobian(output: Expr, wrt: Expr, *, simplify: bool = ..., trace: Trace | None = ...) -> Expr: ...
@overload
def jacobian(output: Expr, wrt: Many, *, simplify: bool = ..., trace: Trace | None = ...) -> list[Expr]: ...
def jacobian(output: Expr, wrt: Exprs, *, simplify: bool = True, trace: Trace | None = None) -> Expr | list[Expr]:
    """∂output/∂w for each w of `wrt`, of shape `output.shape + w.shape`, as `torch.autograd.functional.jacobian`.

    `derive.jacobians` tells how it is built and what it costs.
    """
    value = several(output, "jacobian", "output")[0][0]
    variables, single = several(wrt, "jacobian", "wrt")
    found = differentiated([value], variables, simplify, trace, lambda v, w, t: jacobian_of(v[0], w, t))
    return _like(single, found)


def hessian(loss: Expr, wrt: Exprs, *, simplify: bool = True, trace: Trace | None = None) -> Expr | list[list[Expr]]:
    """∂²loss/∂v∂w, of shape `v.shape + w.shape`; a list of rows (one for each v) of blocks when `wrt` is several."""
    scalar = scalar_loss(loss, "hessian")
    variables, single = several(wrt, "hessian", "wrt")
    rows = differentiated([scalar], variables, simplify, trace, lambda v, w, t: gradients(v[0], w, t))
    blocks = differentiated(
        rows, variables, simplify, trace, lambda v, w, t: [block for row in v for block in jacobian_of(row, w, t)]
    )
    if single:
        return blocks[0]
    return [blocks[start : start + len(variables)] for start in range(0, len(blocks), len(variables))]


def hvp(
    loss: Expr, wrt: Exprs, vectors: Exprs, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[Expr]:
    """Hessian times vectors, forward over reverse: the change of the gradient along `vectors`; no Hessian is built."""
    scalar = scalar_loss(loss, "hvp")
    variables, single = several(wrt, "hvp", "wrt")
    directions = _matching(vectors, variables, "hvp", "vector", "variable")
    found = differentiated(
        [scalar],
        variables,
        simplify,
        trace,
        lambda v, w, t: pushforward(gradients(v[0], w, t), w, directions),
    )
    return _like(single, found)


def gradients(loss: Expr, wrt: Sequence[Expr], trace: Trace | None) -> list[Expr]:
    """∂loss/∂w for each w, as the chain rule gives it."""
    return pullback([loss], [full(1.0, loss.shape, loss.dtype)], wrt, trace)


def usual_gradients(loss: Expr, wrt: Sequence[Expr]) -> list[Expr]:
    """∂loss/∂w for each w, as `grad` writes it: right where `loss`, computed beside it, finds the data usual."""
    return of_usual_data([loss], wrt, None, lambda v, w, t: gradients(v[0], w, t))


def differentiated(
    outputs: Sequence[Expr], wrt: Sequence[Expr], simplify: bool, trace: Trace | None, derive: Derive
) -> list[Expr]:
    """`derive(outputs, wrt, trace)`, with the outputs simplified before and the results after when `simplify`.

    Results that would be right for usual data only are written so, and computed as they are for all data.
    """
    if not simplify:
        return derive(list(outputs), list(wrt), trace)
    short = of_usual_data(in_short(outputs), wrt, trace, derive)
    exact = exactly([*outputs, *wrt])
    if all(map(is_, exact, [*outputs, *wrt])):
        return short
    variables = exact[len(outputs) :]
    results = of_usual_data(exact[: len(outputs)], variables, None, derive)
    return list(map(abbreviated, short, _with(variables, wrt, results)))


def of_usual_data(outputs: Sequence[Expr], wrt: Sequence[Expr], trace: Trace | None, derive: Derive) -> list[Expr]:
    """`derive(outputs, wrt, trace)`, with the outputs simplified before and the results after; in plain forms.

    Stable functions have short and stable derivatives, so simplifying first gives better formulas. Values of `wrt` that
    are computed from others are left as they are, so that the results can be differentiated by them once more.
    """
    from symnet.simplify import prepare

    prepared, variables = prepare(outputs, wrt, trace)
    results, kept = prepare(derive(prepared, variables, trace), variables, trace)
    return _with(kept, wrt, results, trace)


def _with(new: Sequence[Expr], old: Sequence[Expr], results: Sequence[Expr], trace: Trace | None = None) -> list[Expr]:
    """The results with the old variables in the place of the new ones."""
    changed = {n: o for n, o in zip(new, old, strict=True) if n is not o}
    restored = substitute(results, changed)
    replaced(trace, changed.items(), [*results, *new], [*restored, *old])
    return restored


def _like(single: bool, results: list[Expr]) -> Expr | list[Expr]:
    return results[0] if single else results


def scalar_loss(loss: object, function: str) -> Expr:
    """The loss, checked to be a floating-point scalar; `function` is who asks."""
    if not isinstance(loss, Expr):
        raise DTypeError(f"{function}: the loss is {type(loss).__name__}, expected an expression")
    if not dtypes.is_float(loss.dtype):
        raise DTypeError(f"{function}: the loss is {loss.dtype}, expected float32 or float64")
    if any(dim != 1 for dim in loss.shape):
        raise ShapeError(
            f"{function}: the loss has shape {dims.show(loss.shape)}, expected a scalar: reduce it first "
            "(sn.mean or sn.sum), or use sn.vjp or sn.jacobian for the derivative of an array"
        )
    return loss


def several(exprs: object, function: str, what: str) -> tuple[list[Expr], bool]:
    """The expressions as a list, and whether one alone was given; all must be floating point."""
    single = isinstance(exprs, Expr)
    if not single and (isinstance(exprs, (str, bytes)) or not isinstance(exprs, Iterable)):
        raise DTypeError(f"{function}: {what} is {type(exprs).__name__}, expected an expression or several of them")
    listed: list[object] = [exprs] if single else list(exprs)  # type: ignore[call-overload]
    for position, node in enumerate(listed):
        where = what if single else f"{what}[{position}]"
        if not isinstance(node, Expr):
            raise DTypeError(f"{function}: {where} is {type(node).__name__}, expected an expression")
        if not dtypes.is_float(node.dtype):
            name = f" ({node.op} {node.name!r})" if node.name else f" ({node.op})"
            raise DTypeError(
                f"{function}: {where}{name} is {node.dtype}, expected float32 or float64: "
                "there is no derivative with respect to or of whole numbers; cast to a float first if that is meant"
            )
    return listed, single  # type: ignore[return-value]


def _matching(vectors: object, targets: Sequence[Expr], function: str, what: str, of: str) -> list[Expr]:
    listed, _ = several(vectors, function, f"{what}s")
    if len(listed) != len(targets):
        raise UsageError(f"{function}: {len(listed)} {what}s for {len(targets)} {of}s, expected one for each")
    for position, (vector, target) in enumerate(zip(listed, targets, strict=True)):
        if vector.shape != target.shape or vector.dtype != target.dtype:
            error = ShapeError if vector.shape != target.shape else DTypeError
            raise error(
                f"{function}: {what} {position} is {vector.dtype}{dims.show(vector.shape)}, expected "
                f"{target.dtype}{dims.show(target.shape)}, as its {of}"
            )
    return listed
