"""What a user calls: gradients, products with Jacobians, Jacobians and Hessians, of any order.

Every function takes expressions and gives expressions. `wrt` is one floating-point expression, for which one
expression comes back, or several (a list, `model.parameters()`), for which a list comes back. Inner values of the graph
will do as well as parameters and inputs, and the name of a value ("layer.weight") stands for it. Results are simplified
unless `simplify=False`; `trace` collects every step.

Where an output does not depend on a value, the derivative is zeros of the value's shape. That is what mathematics and
JAX say; PyTorch's `allow_unused=True, materialize_grads=True`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import overload

from symnet.derive.arguments import Exprs, Many, Variable, Variables, scalar_loss, several, variables_in
from symnet.derive.build import full
from symnet.derive.forward import pushforward
from symnet.derive.jacobians import jacobian_of
from symnet.derive.reverse import pullback
from symnet.errors import DTypeError, ShapeError, UsageError
from symnet.expr import dims
from symnet.expr.node import Expr
from symnet.expr.trace import Trace, replaced
from symnet.expr.traverse import substitute
from symnet.ops.usually import abbreviated, exactly, in_short

Derive = Callable[[list[Expr], list[Expr], Trace | None], list[Expr]]


@overload
def grad(loss: Expr, wrt: Variable, *, simplify: bool = ..., trace: Trace | None = ...) -> Expr: ...
@overload
def grad(loss: Expr, wrt: Variables, *, simplify: bool = ..., trace: Trace | None = ...) -> list[Expr]: ...
def grad(
    loss: Expr, wrt: Variable | Variables, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[Expr]:
    """∂loss/∂w for each w of `wrt`, of the shape and type of w; `loss` is a floating-point scalar."""
    scalar = scalar_loss(loss, "grad")
    variables, single = variables_in(wrt, "grad", scalar)
    found = differentiated([scalar], variables, simplify, trace, lambda v, w, t: gradients(v[0], w, t))
    return _like(single, found)


@overload
def value_and_grad(
    loss: Expr, wrt: Variable, *, simplify: bool = ..., trace: Trace | None = ...
) -> tuple[Expr, Expr]: ...
@overload
def value_and_grad(
    loss: Expr, wrt: Variables, *, simplify: bool = ..., trace: Trace | None = ...
) -> tuple[Expr, list[Expr]]: ...
def value_and_grad(
    loss: Expr, wrt: Variable | Variables, *, simplify: bool = True, trace: Trace | None = None
) -> tuple[Expr, Expr | list[Expr]]:
    """`loss` and its gradient, simplified together so that they share what they can."""
    scalar = scalar_loss(loss, "value_and_grad")
    variables, single = variables_in(wrt, "value_and_grad", scalar)
    value, *rest = differentiated([scalar], variables, simplify, trace, lambda v, w, t: [v[0], *gradients(v[0], w, t)])
    return value, _like(single, rest)


@overload
def vjp(
    outputs: Exprs, wrt: Variable, cotangents: Exprs, *, simplify: bool = ..., trace: Trace | None = ...
) -> Expr: ...
@overload
def vjp(
    outputs: Exprs, wrt: Variables, cotangents: Exprs, *, simplify: bool = ..., trace: Trace | None = ...
) -> list[Expr]: ...
def vjp(
    outputs: Exprs, wrt: Variable | Variables, cotangents: Exprs, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[Expr]:
    """Cotangents times Jacobian: for each w of `wrt`, Σ over outputs of (∂output/∂w)ᵀ · cotangent.

    Each cotangent has the shape and type of its output.
    """
    values, _ = several(outputs, "vjp", "outputs")
    variables, single = variables_in(wrt, "vjp", values)
    vectors = _matching(cotangents, values, "vjp", "cotangent", "output")
    found = differentiated(values, variables, simplify, trace, lambda v, w, t: pullback(v, vectors, w, t))
    return _like(single, found)


@overload
def jvp(
    outputs: Expr, wrt: Variable | Variables, tangents: Exprs, *, simplify: bool = ..., trace: Trace | None = ...
) -> Expr: ...
@overload
def jvp(
    outputs: Many, wrt: Variable | Variables, tangents: Exprs, *, simplify: bool = ..., trace: Trace | None = ...
) -> list[Expr]: ...
def jvp(
    outputs: Exprs, wrt: Variable | Variables, tangents: Exprs, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[Expr]:
    """Jacobian times tangents: for each output, Σ over w of `wrt` of (∂output/∂w) · tangent (forward mode).

    Each tangent has the shape and type of its w. One expression comes back for one output, a list for several. `trace`
    receives the steps of the simplification.
    """
    values, single = several(outputs, "jvp", "outputs")
    variables, _ = variables_in(wrt, "jvp", values)
    vectors = _matching(tangents, variables, "jvp", "tangent", "variable")
    return _like(single, differentiated(values, variables, simplify, trace, lambda v, w, _: pushforward(v, w, vectors)))


@overload
def jacobian(output: Expr, wrt: Variable, *, simplify: bool = ..., trace: Trace | None = ...) -> Expr: ...
@overload
def jacobian(output: Expr, wrt: Variables, *, simplify: bool = ..., trace: Trace | None = ...) -> list[Expr]: ...
def jacobian(
    output: Expr, wrt: Variable | Variables, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[Expr]:
    """∂output/∂w for each w of `wrt`, of shape `output.shape + w.shape`, as `torch.autograd.functional.jacobian`.

    `derive.jacobians` tells how it is built and what it costs.
    """
    value = several(output, "jacobian", "output")[0][0]
    variables, single = variables_in(wrt, "jacobian", value)
    found = differentiated([value], variables, simplify, trace, lambda v, w, t: jacobian_of(v[0], w, t))
    return _like(single, found)


def hessian(
    loss: Expr, wrt: Variable | Variables, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[list[Expr]]:
    """∂²loss/∂v∂w, of shape `v.shape + w.shape`; a list of rows (one for each v) of blocks when `wrt` is several."""
    scalar = scalar_loss(loss, "hessian")
    variables, single = variables_in(wrt, "hessian", scalar)
    rows = differentiated([scalar], variables, simplify, trace, lambda v, w, t: gradients(v[0], w, t))
    blocks = differentiated(
        rows, variables, simplify, trace, lambda v, w, t: [block for row in v for block in jacobian_of(row, w, t)]
    )
    if single:
        return blocks[0]
    return [blocks[start : start + len(variables)] for start in range(0, len(blocks), len(variables))]


def hvp(
    loss: Expr, wrt: Variable | Variables, vectors: Exprs, *, simplify: bool = True, trace: Trace | None = None
) -> Expr | list[Expr]:
    """Hessian times vectors, forward over reverse: the change of the gradient along `vectors`; no Hessian is built."""
    scalar = scalar_loss(loss, "hvp")
    variables, single = variables_in(wrt, "hvp", scalar)
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
