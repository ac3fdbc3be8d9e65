"""Expressions: immutable nodes of a graph, each value existing once.

`make` is the only way to build a node. It infers shape and dtype, and returns the node that already stands for the same
operation on the same operands if there is one (hash-consing), so equality of expressions is identity and sharing is
automatic. The table of nodes is weak: what nobody refers to is forgotten.

Operators and methods (`+`, `@`, `e[...]`, `e.sum()`) are attached by `symnet.ops`, so that this module knows no
operation by name.
"""

from __future__ import annotations

import threading
import weakref
from binascii import crc32
from collections.abc import Iterator, Mapping, Sequence
from operator import is_
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

from symnet.errors import DTypeError, SymnetError
from symnet.expr import dims, lineage
from symnet.expr.dims import Shape
from symnet.expr.op import Op, lookup
from symnet.expr.surface import Surface


class Expr(Surface):
    """A symbolic tensor.

    op     name of the operation          shape  tuple of integers and named dimensions
    args   operands, a tuple of Expr      dtype  "float32", "float64", "int32", "int64" or "bool"
    attrs  the operation's settings       name   of an input or parameter, or given by `sn.name`; else None
    """

    __slots__ = ("__weakref__", "_key", "_label", "args", "attrs", "dtype", "op", "shape")

    op: str
    args: tuple[Expr, ...]
    attrs: Mapping[str, Any]
    shape: Shape
    dtype: str
    _key: tuple[Any, ...]
    _label: str | None

    # NumPy must leave `array + expr` to us.
    __array_ufunc__ = None

    @property
    def name(self) -> str | None:
        return self._label if self._label is not None else self.attrs.get("name")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def declaration(self) -> Op:
        return lookup(self.op)

    def __setattr__(self, attribute: str, value: object) -> None:
        raise AttributeError(f"expressions are immutable; cannot set {attribute!r} (build a new expression instead)")

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __bool__(self) -> NoReturn:
        raise DTypeError(
            f"the truth value of the symbolic expression '{self.op}' is not known before it runs: "
            "use sn.where to choose between values, and 'a is b' to compare expressions"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise DTypeError("len() of a scalar expression")
        if not isinstance(self.shape[0], int):
            raise DTypeError(f"len() of an axis of named size {self.shape[0]!r}: its size is known only when it runs")
        return self.shape[0]

    def __iter__(self) -> Iterator[Expr]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        named = f" {self.name!r}" if self.name is not None else ""
        return f"<{self.op}{named} {self.dtype}{dims.show(self.shape)}>"

    def __str__(self) -> str:
        from symnet.explain.formula import formula

        return str(formula(self))

    def latex(self) -> str:
        """The expression as a formula in LaTeX, without delimiters."""
        from symnet.explain.formula import formula

        return formula(self).latex()

    def mathml(self) -> str:
        """The expression as a formula in MathML: a `<math>` element that browsers show, without where clauses."""
        from symnet.explain.formula import formula

        return formula(self).mathml()

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        from symnet.explain import html
        from symnet.explain.formula import formula

        return html.formula(formula(self))

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, memo: object) -> Expr:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from symnet.expr.text import dumps, loads

        return loads, (dumps(self),)


_nodes: weakref.WeakValueDictionary[tuple[Any, ...], Expr] = weakref.WeakValueDictionary()
_adding = threading.Lock()
_NO_ATTRS: Mapping[str, Any] = MappingProxyType({})


def make(op: Op, args: Sequence[Expr] = (), attrs: Mapping[str, Any] | None = None) -> Expr:
    """The node for `op` applied to `args` with these settings; errors of `infer` are raised to the caller.

    Attribute values are hashable data: numbers, strings, None, tuples of these, `ArrayValue` and `Function`.
    """
    frozen = _freeze_attrs(attrs)
    key = (op.name, *map(id, args), _key_of_attrs(frozen))
    node = _nodes.get(key)
    if node is not None:
        return node
    for position, arg in enumerate(args):
        if not isinstance(arg, Expr):
            raise DTypeError(f"{op.name}: operand {position} is {type(arg).__name__}, expected an expression")
    try:
        shape, dtype = op.infer(args, frozen)
    except SymnetError as error:
        if not str(error).startswith(f"{op.name}:"):
            error.args = (f"{op.name}: {error}", *error.args[1:])
        raise
    node = object.__new__(Expr)
    write = object.__setattr__
    write(node, "op", op.name)
    write(node, "args", tuple(args))
    write(node, "attrs", frozen)
    write(node, "shape", shape)
    write(node, "dtype", dtype)
    write(node, "_key", key)
    write(node, "_label", None)
    with _adding:
        return _nodes.setdefault(key, node)


def label(node: Expr, name: str | None) -> Expr:
    """Give a value a name for formulas. A name is a note on the node, not part of what it is."""
    object.__setattr__(node, "_label", name)
    return node


def rebuild(node: Expr, args: Sequence[Expr]) -> Expr:
    """The same operation on other operands; keeps the name of the value."""
    if all(map(is_, args, node.args)):
        return node
    new = _nodes.get((node.op, *map(id, args), node._key[-1]))
    if new is None:
        new = make(node.declaration, args, node.attrs)
    if node._label is not None and new._label is None:
        label(new, node._label)
    lineage.note(node, new)
    return new


class ArrayValue:
    """An array as the value of an attribute: equal when dtype, shape and every byte are."""

    __slots__ = ("_hash", "array")

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.array(array, order="C", copy=True)
        self.array.flags.writeable = False
        self._hash = hash((self.array.dtype.str, self.array.shape, crc32(self._content)))

    @property
    def _content(self) -> memoryview | bytes:
        """The bytes, without a copy of them."""
        return self.array.data.cast("B") if self.array.size and self.array.ndim else self.array.tobytes()

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ArrayValue)
            and self._hash == other._hash
            and self.array.dtype == other.array.dtype
            and self.array.shape == other.array.shape
            and self._content == other._content
        )

    def __repr__(self) -> str:
        return f"ArrayValue({self.array.dtype}{dims.show(self.array.shape)})"


def _freeze_attrs(attrs: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if not attrs:
        return _NO_ATTRS
    if isinstance(attrs, MappingProxyType):
        return attrs
    return MappingProxyType({name: attrs[name] for name in sorted(attrs)})


def _key_of_attrs(attrs: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple((name, _key_of(value)) for name, value in attrs.items())


def _key_of(value: Any) -> Any:
    """A hashable stand-in that keeps apart what `==` would merge: 1, 1.0 and True; 0.0 and -0.0."""
    if isinstance(value, float):
        return ("float", value.hex())
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, tuple):
        return tuple(map(_key_of, value))
    return value
