"""What users give to be differentiated, and by what: checked, and where it is not right, with the nearest that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from symnet.errors import DTypeError, ShapeError, UnknownName, UsageError, nearest
from symnet.expr import dims, dtypes
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder

# Several expressions. (Not Iterable: an expression can itself be iterated over, row by row.)
Many = Sequence[Expr] | Iterator[Expr]
Exprs = Expr | Many
# What is differentiated by may be given by its name, too.
Variable = Expr | str
Variables = Many | list[str] | tuple[str, ...]

_SHOWN = 8


def scalar_loss(loss: object, function: str) -> Expr:
    """The loss, checked to be a floating-point scalar; `function` is who asks."""
    if not isinstance(loss, Expr):
        raise DTypeError(f"{function}: the loss is {_described(loss)}, expected an expression{_loss_advice(loss)}")
    if not dtypes.is_float(loss.dtype):
        raise DTypeError(
            f"{function}: the loss is {loss.dtype}, expected float32 or float64: whole numbers have no derivative; "
            "cast what they are counted from, or use a loss of floats"
        )
    if any(dim != 1 for dim in loss.shape):
        raise ShapeError(
            f"{function}: the loss has shape {dims.show(loss.shape)}, expected a scalar: reduce it first "
            "(sn.mean or sn.sum), or use sn.vjp or sn.jacobian for the derivative of an array"
        )
    return loss


def variables_in(wrt: object, function: str, loss: Expr | Sequence[Expr]) -> tuple[list[Expr], bool]:
    """The expressions to differentiate by, as `several` gives them; texts are names of values that the loss has."""
    single = isinstance(wrt, (Expr, str))
    listed = [wrt] if single else _listed(wrt, function, "wrt")
    roots = [loss] if isinstance(loss, Expr) else loss
    found = [_named(item, roots, function) if isinstance(item, str) else item for item in listed]
    if not found:
        raise UsageError(
            f"{function}: wrt is empty, expected at least one expression; the loss depends on: {depends_on(roots)}"
        )
    checked, _ = several(found[0] if single else found, function, "wrt")
    return checked, single


def several(exprs: object, function: str, what: str) -> tuple[list[Expr], bool]:
    """The expressions as a list, and whether one alone was given; all must be floating point."""
    single = isinstance(exprs, Expr)
    listed = [exprs] if single else _listed(exprs, function, what)
    for position, node in enumerate(listed):
        where = what if single else f"{what}[{position}]"
        if not isinstance(node, Expr):
            raise DTypeError(f"{function}: {where} is {_described(node)}, expected an expression{_advice(node, what)}")
        if not dtypes.is_float(node.dtype):
            name = f" ({node.op} {node.name!r})" if node.name else f" ({node.op})"
            raise DTypeError(
                f"{function}: {where}{name} is {node.dtype}, expected float32 or float64: "
                "there is no derivative with respect to or of whole numbers; cast to a float first if that is meant"
            )
    return listed, single  # type: ignore[return-value]


def check_dependence(loss: Expr, wrt: Sequence[Expr], function: str) -> None:
    """A derivative by what does not occur in the loss is 0, which needs no explanation: most likely it is a mistake."""
    inside = frozenset(postorder([loss]))
    for position, node in enumerate(wrt):
        if node in inside:
            continue
        name = f" ({node.op} {node.name!r})" if node.name else f" (the result of {node.op!r})"
        twin = next((other for other in inside if node.name is not None and other.name == node.name), None)
        if twin is not None:
            typed = f"{twin.dtype}{dims.show(twin.shape)}"
            advice = f"; it depends on another {twin.op} of that name, {typed}: give that very expression, or the name"
        else:
            known = _names([loss])
            close = nearest(str(node.name), known)
            advice = close if close.startswith("; did") else f"; it depends on: {depends_on([loss])}"
        raise UsageError(f"{function}: the loss does not depend on wrt[{position}]{name}{advice}")


def depends_on(roots: Sequence[Expr]) -> str:
    """The values with names that one can differentiate by, as text."""
    names = [name for name, node in _names(roots).items() if dtypes.is_float(node.dtype)]
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return shown or "no value that has a name"


def _names(roots: Sequence[Expr]) -> dict[str, Expr]:
    """The values under the roots by their names: parameters and inputs first, then those named by `sn.name`."""
    named = [node for node in postorder(roots) if node.name is not None and node.op not in ("hyper", "constant")]
    order = {"parameter": 0, "input": 1}
    return {str(node.name): node for node in sorted(named, key=lambda node: order.get(node.op, 2))}


def _named(name: str, roots: Sequence[Expr], function: str) -> Expr:
    known = _names(roots)
    if name not in known:
        raise UnknownName(f"{function}: the loss depends on nothing that is named {name!r}{nearest(name, known)}")
    same = [node for node in postorder(roots) if node.name == name]
    if len(same) > 1:
        raise UsageError(f"{function}: {len(same)} values are named {name!r}; give the expression itself")
    return same[0]


def _listed(items: object, function: str, what: str) -> list[object]:
    described = isinstance(items, (bytes, str, Mapping)) or hasattr(items, "__array__") or _is_ours(items)
    if described or not isinstance(items, Iterable):
        raise DTypeError(
            f"{function}: {what} is {_described(items)}, expected an expression or several of them"
            f"{_advice(items, what)}"
        )
    return list(items)


def _is_ours(item: object) -> bool:
    """Whether this is a module or an optimizer, told by what they have."""
    return callable(getattr(item, "named_parameters", None)) or callable(getattr(item, "updates", None))


def _described(item: object) -> str:
    if isinstance(item, type):
        return f"the class {item.__name__}"
    kind = type(item)
    return kind.__name__ if kind.__module__ in ("builtins", "symnet") else f"{kind.__module__}.{kind.__name__}"


def _advice(item: object, what: str) -> str:
    """What to give instead, after a colon."""
    if isinstance(item, type):
        return ""
    if callable(getattr(item, "named_parameters", None)):
        return f": give its parameters, {what}=module.parameters()"
    if callable(getattr(item, "updates", None)):
        return f": an optimizer has no derivative; give the parameters that it trains, {what}=module.parameters()"
    if isinstance(item, Mapping):
        return f": give what it holds, {what}=list(….values())"
    if isinstance(item, (list, tuple)):
        return ": give one flat list"
    if hasattr(item, "__array__") or hasattr(item, "__dlpack__") or isinstance(item, (int, float)):
        return ": numbers have no derivative; give the sn.input or sn.parameter that they are the value of"
    if isinstance(item, str):
        return ": names are known where there is one loss to look in"
    return ""


def _loss_advice(loss: object) -> str:
    if callable(getattr(loss, "named_parameters", None)):
        return ": call the module on an sn.input, and reduce what it gives to a scalar (sn.mean, sn.losses)"
    if isinstance(loss, (list, tuple)):
        return ": add the losses up"
    if hasattr(loss, "__array__") or isinstance(loss, (int, float)):
        return ": a number has no formula; build the loss from sn.input and sn.parameter"
    return ""
