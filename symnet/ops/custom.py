"""A user's own scalar functions, from SymPy formulas, declared while the program runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symnet.errors import DTypeError, ShapeError, SymnetError, UsageError
from symnet.expr import dims
from symnet.expr.dims import Shape
from symnet.expr.function import Function
from symnet.expr.node import Expr, make
from symnet.expr.op import Op, register
from symnet.ops.coerce import arity, operands
from symnet.ops.leaves import Operand, arg
from symnet.ops.shape import broadcast_to

__all__ = ["elementwise"]


def _infer(args: Sequence[Expr], attrs: Mapping[str, Any]) -> tuple[Shape, str]:
    parameters = attrs["body"].parameters
    arity(args, len(parameters))
    for node, parameter in zip(args, parameters, strict=True):
        if node.dtype != parameter.dtype:
            raise DTypeError(f"{attrs['function']} was made for {parameter.dtype}, the operand is {node.dtype}")
    return dims.broadcast(*(node.shape for node in args)), attrs["body"].results[0].dtype


def _define(node: Expr) -> Expr:
    return broadcast_to(node.attrs["body"](*node.args)[0], node.shape)


def _partials(node: Expr) -> list[Callable[..., Expr]]:
    """The derivatives are stored with the node: a Function of (operands…, g)."""

    def partial(position: int) -> Callable[..., Expr]:
        def apply(g: Expr, y: Expr, *args: Expr) -> Expr:
            return broadcast_to(node.attrs["partials"](*args, g)[position], node.shape)

        return apply

    return [partial(position) for position in range(len(node.args))]


def _pullback(node: Expr, g: Expr) -> list[Expr | None]:
    from symnet.ops.scalar_op import pull_back

    return pull_back(node, g, _partials(node))


def _pushforward(node: Expr, tangents: Sequence[Expr | None]) -> Expr | None:
    from symnet.ops.scalar_op import push_forward

    return push_forward(node, tangents, _partials(node))


def _samples(rng: np.random.Generator) -> list[Expr]:
    import sympy as sp

    from symnet.ops.leaves import input

    mish = elementwise("mish", lambda t: t * sp.tanh(sp.log(1 + sp.exp(t))))
    mixed = elementwise("mixed", lambda a, b: sp.Piecewise((a * b**2, a > b), (sp.sin(a) / (1 + b**2), True)))
    return [
        mish(input("x", ("N", 3), "float64")),
        mish(input("x", (3,))),
        mixed(input("x", ("N", 3), "float64"), input("y", (3,), "float64")),
    ]


ELEMENTWISE = register(
    Op(
        name="elementwise",
        kind="scalar",
        infer=_infer,
        pullback=_pullback,
        pushforward=_pushforward,
        define=_define,
        samples=_samples,
        cost=8.0,
        reason="its derivative follows from the formula that declares it",
        doc="A scalar function that the user declared by a SymPy formula.",
    )
)


class Elementwise:
    """A declared scalar function: call it on expressions, arrays or numbers."""

    def __init__(self, name: str, formula: Any, symbols: Sequence[Any]) -> None:
        self.name = name
        self.formula = formula
        self._symbols = tuple(symbols)
        self._made: dict[str, dict[str, Any]] = {}

    def __call__(self, *values: Operand) -> Expr:
        if len(values) != len(self._symbols):
            raise ShapeError(f"{self.name}: got {len(values)} operands, expected {len(self._symbols)}")
        args = operands(self.name, values, "float")
        dtype = args[0].dtype
        if dtype not in self._made:
            self._made[dtype] = self._attributes(dtype)
        return make(ELEMENTWISE, args, self._made[dtype])

    def __repr__(self) -> str:
        return f"<elementwise {self.name}({', '.join(map(str, self._symbols))}) = {self.formula}>"

    def _attributes(self, dtype: str) -> dict[str, Any]:
        from symnet.ops.from_sympy import Converter, partial_formulas, stable

        parameters = [arg(i, (), dtype) for i in range(len(self._symbols))]
        g = arg(len(parameters), (), dtype)
        converter = Converter(dict(zip(self._symbols, parameters, strict=True)), dtype)
        formula = stable(self.formula)
        try:
            body = converter.convert(formula)
            partials = [converter.convert(d, g) for d in partial_formulas(formula, self._symbols)]
        except SymnetError as error:
            raise type(error)(f"elementwise: {self.name!r}: {error}") from None
        return {
            "function": self.name,
            "parameters": tuple(map(str, self._symbols)),
            "formula": str(self.formula),
            "body": Function(parameters, [body]),
            "partials": Function([*parameters, g], partials),
        }


def elementwise(name: str, formula: Callable[..., Any]) -> Elementwise:
    """A scalar function from a SymPy formula:

        mish = sn.elementwise("mish", lambda t: t * sp.tanh(sp.log(1 + sp.exp(t))))

    The formula may use arithmetic, powers, exp, log, sin, cos, tan, the hyperbolic functions, erf, Abs, sign, floor,
    ceiling, Min, Max and Piecewise. Its derivatives of every order follow; at a kink of Max and Min the derivative is
    split in half, at that of Abs it is 0. What overflows or cancels as written, such as log(1 + exp(t)), is evaluated
    by functions that do not.
    """
    import sympy as sp

    if not isinstance(name, str) or not name:
        raise UsageError(f"elementwise: the name is {name!r}, expected a non-empty string")
    if not callable(formula):
        raise DTypeError(f"elementwise: the formula is {type(formula).__name__}, expected a function of SymPy symbols")
    names = list(inspect.signature(formula).parameters)
    if not names:
        raise UsageError(f"elementwise: the formula of {name!r} has no parameters, expected at least one")
    symbols = [sp.Symbol(n, real=True) for n in names]
    result = sp.sympify(formula(*symbols))
    if strange := result.free_symbols - set(symbols):
        raise UsageError(
            f"elementwise: the formula of {name!r} holds {sorted(map(str, strange))}, which are no parameters"
        )
    if not isinstance(result, sp.Expr):
        raise DTypeError(f"elementwise: the formula of {name!r} gives {result}, expected a number")
    return Elementwise(name, result, symbols)
