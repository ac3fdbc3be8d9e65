"""The meaning of a loop program, by NumPy: slow and obvious.

Every axis in scope has its own dimension in the arrays that stand for scalars, so a scalar expression is one NumPy
expression over all iterations at once. What the compiled program does is held to this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import numpy as np

from codegen.loops.grammar import (
    Affine,
    Axis,
    Branch,
    Check,
    Const,
    Index,
    Item,
    Kernel,
    Let,
    Load,
    Loop,
    Position,
    Program,
    Reduce,
    Ref,
    Scalar,
    Sequence,
    Stmt,
    Store,
    statements,
)
from symnet.errors import CompilerBug
from symnet.expr import dims
from symnet.ops import gamma_arrays as gamma
from symnet.ops import philox, special

Array = np.ndarray[Any, np.dtype[Any]]


def run(program: Program, memory: MutableMapping[str, Array], sizes: Mapping[str, int]) -> int:
    """Run the program on arrays by buffer name, in place; 0, or 1 + the code of the check that failed.

    `memory` holds the inputs, hyperparameters, parameters and states; outputs, scratch and local buffers are added to
    it (filled with NaN or garbage first, so that reading what was never written shows).
    """
    for buffer in program.buffers.values():
        if buffer.view_of is None and buffer.name not in memory:
            if buffer.role == "constant":
                memory[buffer.name] = np.asarray(program.constants[buffer.name])
            elif buffer.role in ("output", "scratch", "local"):
                shape = dims.evaluate_shape(buffer.shape, sizes)
                memory[buffer.name] = _unwritten(shape, buffer.dtype)
            else:
                raise CompilerBug(f"no memory was given for the {buffer.role} {buffer.name!r}")
    for buffer in program.buffers.values():
        if buffer.view_of is not None:
            memory[buffer.name] = memory[buffer.view_of].reshape(dims.evaluate_shape(buffer.shape, sizes))
    with np.errstate(all="ignore"):
        return _items(program.items, memory, sizes, {})


def _unwritten(shape: tuple[int, ...], dtype: str) -> Array:
    if dtype.startswith("float"):
        return np.full(shape, np.nan, dtype)
    return np.full(shape, True if dtype == "bool" else -(2**30), dtype)


def _items(
    items: tuple[Item, ...], memory: MutableMapping[str, Array], sizes: Mapping[str, int], outer: dict[str, int]
) -> int:
    for item in items:
        if isinstance(item, Sequence):
            steps = range(dims.evaluate(item.axis.extent, sizes))
            for step in reversed(steps) if item.reverse else steps:
                if code := _items(item.items, memory, sizes, {**outer, item.axis.name: step}):
                    return code
        elif isinstance(item, Branch):
            if bool(memory[item.condition]) != item.negated and (code := _items(item.items, memory, sizes, outer)):
                return code
        elif code := _Nest(item, memory, sizes, outer).run():
            return code
    return 0


class _Nest:
    """One kernel at work."""

    def __init__(
        self, kernel: Kernel, memory: MutableMapping[str, Array], sizes: Mapping[str, int], outer: Mapping[str, int]
    ) -> None:
        self.kernel, self.memory, self.sizes = kernel, memory, sizes
        inner = [axis for s in statements(kernel.body) if isinstance(s, (Loop, Reduce)) for axis in s.axes]
        self.position = {axis.name: i for i, axis in enumerate([*kernel.axes, *inner])}
        self.grid: dict[str, Array] = {name: np.asarray(step) for name, step in outer.items()}
        self.values: dict[str, Array] = {}
        self.code = 0

    def run(self) -> int:
        self.enter(self.kernel.axes)
        self.block(self.kernel.body)
        return self.code

    def enter(self, axes: tuple[Axis, ...]) -> None:
        for axis in axes:
            shape = [1] * len(self.position)
            shape[self.position[axis.name]] = extent = dims.evaluate(axis.extent, self.sizes)
            self.grid[axis.name] = np.arange(extent, dtype=np.int64).reshape(shape)

    def leave(self, axes: tuple[Axis, ...]) -> None:
        for axis in axes:
            del self.grid[axis.name]

    def scope(self) -> tuple[int, ...]:
        """The shape of a value that varies along every axis in scope."""
        shape = [1] * len(self.position)
        for name, grid in self.grid.items():
            if name in self.position:
                shape[self.position[name]] = grid.size
        return tuple(shape)

    def block(self, body: tuple[Stmt, ...]) -> None:
        for stmt in body:
            if isinstance(stmt, Let):
                self.values[stmt.name] = self.scalar(stmt.value)
            elif isinstance(stmt, Reduce):
                self.reduce(stmt)
            elif isinstance(stmt, Loop):
                self.enter(stmt.axes)
                self.block(stmt.body)
                self.leave(stmt.axes)
            elif isinstance(stmt, Check):
                if not np.all(self.scalar(stmt.condition)) and not self.code:
                    self.code = stmt.code + 1
            else:
                self.store(stmt)

    def store(self, stmt: Store) -> None:
        array, scope = self.memory[stmt.buffer], self.scope()
        value = np.broadcast_to(self.scalar(stmt.value), scope)
        if not stmt.index:
            array[()] = array[()] + value.sum(dtype=array.dtype) if stmt.accumulate else value.reshape(())
            return
        index = tuple(np.broadcast_to(self.index(i), scope) for i in stmt.index)
        if stmt.accumulate:
            np.add.at(array, index, value)
        else:
            array[index] = value

    def reduce(self, stmt: Reduce) -> None:
        self.enter(stmt.axes)
        self.block(stmt.body)
        where = tuple(self.position[axis.name] for axis in stmt.axes)
        value = np.broadcast_to(self.scalar(stmt.value), self.scope())
        if stmt.each:
            flip = (slice(None),) * where[0] + (slice(None, None, -1 if stmt.reverse else 1),)
            self.values[stmt.name] = RUNNING[stmt.reducer].accumulate(value[flip], axis=where[0])[flip]
            self.block(stmt.each)
            last = (slice(None),) * where[0] + (slice(0, 1) if stmt.reverse else slice(-1, None),)
            self.values[stmt.name] = self.values[stmt.name][last]
        else:
            self.values[stmt.name] = _reduced(stmt.reducer, value, where)
        self.leave(stmt.axes)

    def index(self, index: Index) -> Array:
        if not isinstance(index, Affine):
            return self.scalar(index)
        total = np.asarray(dims.evaluate(index.offset, self.sizes), dtype=np.int64)
        for axis, coefficient in index.terms:
            total = total + coefficient * self.grid[axis]
        return total

    def scalar(self, scalar: Scalar) -> Array:
        if isinstance(scalar, Const):
            return np.asarray(scalar.value, dtype=scalar.dtype)
        if isinstance(scalar, Ref):
            return self.values[scalar.name]
        if isinstance(scalar, Position):
            return self.index(scalar.affine)
        if isinstance(scalar, Load):
            return self.load(scalar)
        args = [self.scalar(arg) for arg in scalar.args]
        if scalar.fn == "philox":
            seed, step, stream, element, bits = args
            return philox.words(seed, step, stream, element, int(bits))
        if scalar.fn == "cast":
            return np.asarray(args[0].astype(scalar.dtype))
        return np.asarray(MEANING[scalar.fn](*args), dtype=scalar.dtype)

    def load(self, load: Load) -> Array:
        array = self.memory[load.buffer]
        index = [self.index(i) for i in load.index]
        if not index:
            return array[()] if isinstance(array[()], np.ndarray) else np.asarray(array[()])
        inside = np.asarray(True)
        for position, size in zip(index, array.shape, strict=True):
            inside = inside & (position >= 0) & (position < size)
        if load.fill is None and not np.all(inside) and not self.code:
            raise CompilerBug(f"kernel {self.kernel.name}: a load of {load.buffer!r} leaves the buffer")
        clipped = tuple(np.clip(i, 0, max(s - 1, 0)) for i, s in zip(index, array.shape, strict=True))
        if array.size == 0:
            return np.broadcast_to(np.zeros((), array.dtype), np.broadcast_shapes(*(i.shape for i in index)))
        value = array[clipped]
        if load.fill is None:
            return np.asarray(value)
        return np.where(inside, value, np.asarray(load.fill.value, dtype=load.dtype))


def _reduced(reducer: str, value: Array, axes: tuple[int, ...]) -> Array:
    if reducer in ("argmax", "argmin"):
        return np.asarray(getattr(np, reducer)(value, axis=axes[0], keepdims=True).astype(np.int64))
    if value.size == 0 and reducer in ("max", "min"):
        low = -np.inf if reducer == "max" else np.inf
        if not np.issubdtype(value.dtype, np.floating):
            info = np.iinfo(value.dtype)
            low = info.min if reducer == "max" else info.max
        return np.asarray(value.max(axis=axes, keepdims=True, initial=low))
    extra = {"dtype": value.dtype} if reducer in ("sum", "prod") else {}
    return np.asarray(getattr(np, reducer)(value, axis=axes, keepdims=True, **extra))


_erf = np.frompyfunc(math.erf, 1, 1)


def _erf_array(x: Array) -> Array:
    return np.asarray(_erf(x.astype(np.float64)), dtype=np.float64).astype(x.dtype)


def _bf16(x: Array) -> Array:
    """The nearest bfloat16, ties to even: half of what is cut off is added, a little less where the last bit is 0."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) & np.uint32(0xFFFF0000)
    tiny = bits & np.uint32(0x7F800000) == 0
    rounded = np.where(tiny, bits & np.uint32(0x80000000), rounded)
    return np.where(np.isnan(x), np.float32(np.nan), rounded.view(np.float32))


RUNNING: Mapping[str, np.ufunc] = {
    "sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
    "any": np.logical_or, "all": np.logical_and,
}  # fmt: skip

MEANING: Mapping[str, Callable[..., Array]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative, "abs": np.abs,
    "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "round": np.round, "mod": np.mod,
    "floordiv": np.floor_divide, "pow": np.power, "sqrt": np.sqrt, "exp": np.exp, "expm1": np.expm1, "log": np.log,
    "log1p": np.log1p, "tanh": np.tanh, "erf": _erf_array, "sin": np.sin, "cos": np.cos,
    "tan": np.tan, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "cbrt": np.cbrt,
    "erfc": lambda x: special.erfc_of_array(x).astype(x.dtype),
    "erfcx": lambda x: special.erfcx_of_array(x).astype(x.dtype), "copysign": np.copysign, "minimum": np.minimum,
    "lgamma": lambda x: gamma.lgamma_of_array(x).astype(x.dtype),
    "digamma": lambda x: gamma.digamma_of_array(x).astype(x.dtype),
    "trigamma": lambda x: gamma.trigamma_of_array(x).astype(x.dtype),
    "maximum": np.maximum, "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
     "greater": np.greater, "greater_equal": np.greater_equal,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_not": np.logical_not, "isnan": np.isnan,
    "where": np.where, "bf16": _bf16,
}  # fmt: skip
