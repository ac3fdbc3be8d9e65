"""The loop program: what every kernel is before it becomes machine code.

    program   = "program" NAME  dim*  buffer*  check*  item*
    dim       = "dim" NAME "<=" INT                                    a named size and the largest it may be
    buffer    = "buffer" NAME ":" DTYPE SHAPE ROLE ["view" NAME] ["at" INT]
    item      = kernel | "for" axis ["reversed"] ":" item*             a sequential loop over kernels (a scan)
              | "for" axis "parallel" ":" item*                        ... whose iterations threads share
              | "if" ["not"] NAME ":" item*                            kernels that run if a bool without axes is true
    kernel    = "kernel" NAME "(" axis, ... ")" [schedule] ":" stmt*   its axes are independent of each other
    axis      = NAME ":" DIM
    stmt      = NAME "=" scalar                                        a value
              | NAME "=" REDUCER "(" axis, ... ")" ":" stmt* scalar    a value reduced over axes
                    ["each" ":" stmt*]                                 ... with statements that see the running value
              | "for" axis, ... ":" stmt*                              an inner loop, iterations independent
              | NAME "[" index, ... "]" ("=" | "+=") scalar            a store; "+=" accumulates
              | "check" scalar "else" INT                              a condition that must hold, or the program stops
    scalar    = CONST | NAME | load | FN "(" scalar, ... ")" | "@" affine        (@i is the position as an int64)
    load      = NAME "[" index, ... "]" ["else" CONST]                 "else": read outside the buffer gives CONST
    index     = affine | scalar                                        a scalar index is an int64 value (gather)
    affine    = sum of INT * axis, plus a dimension

Nothing else exists. A kernel's axes are parallel: every iteration may run at any time, so different iterations store
to different places, except for "+=" stores, which are executed in the order of the axes by one thread for each place.
A name bound by a statement is visible in the statements after it and in the blocks inside them. Axis names are unique
within a kernel including the loops around it. Reductions of floats may be associated freely but in an order that does
not depend on the number of threads. All nodes are immutable; `codegen.loops.text` prints and parses them,
`codegen.loops.verify` holds them to these rules, `codegen.loops.interpret` runs them slowly.

Scalars that compute or read, and statements, carry an `origin`: what they stem from, which lowering sets to the node of
the expression graph. It is a note that says nothing about what they are: not printed, not compared, in no key of the
cache. Passes hand it on, so that `codegen.provenance` can tell which part of a formula a line of code computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from symnet.expr.dims import Dim, Shape

Origin = Any
"""What a part of a program stems from: an `Expr`; for the tests and the report anything that tells parts apart."""

# --- scalars -----------------------------------------------------------------------------------------------------

FUNCTIONS: Mapping[str, int] = {
    # name: number of operands; the dtype of the result is on the node
    "add": 2, "sub": 2, "mul": 2, "div": 2, "neg": 1, "abs": 1, "sign": 1, "floor": 1, "ceil": 1, "round": 1,
    "mod": 2, "floordiv": 2, "pow": 2, "sqrt": 1, "exp": 1, "expm1": 1, "log": 1, "log1p": 1, "tanh": 1, "erf": 1,
    "sin": 1, "cos": 1, "tan": 1, "atan": 1, "sinh": 1, "cosh": 1, "cbrt": 1, "erfc": 1, "erfcx": 1, "copysign": 2,
    "lgamma": 1, "digamma": 1, "trigamma": 1, "minimum": 2, "maximum": 2, "equal": 2, "not_equal": 2, "less": 2,
    "less_equal": 2, "greater": 2, "greater_equal": 2, "logical_and": 2, "logical_or": 2, "logical_not": 1, "isnan": 1,
    "where": 3, "cast": 1, "bf16": 1, "philox": 5,
}  # fmt: skip
"""The scalar functions of the loop program, with NumPy's meaning (NaN passes through maximum and minimum; float
division by zero gives infinities; `mod` and `floordiv` round down; comparisons give bool). All else is made of these
before lowering. `bf16(x)` is the float32 x rounded to the nearest bfloat16, ties to even, still a float32; what is
smaller than the least normal number is a zero. `philox(seed, step, stream, element, bits)` is the random number that
`symnet.ops.philox` defines: of int64 operands, the last of them a constant, an int32 for up to 31 bits and else an
int64."""

REDUCERS = ("sum", "prod", "max", "min", "argmax", "argmin", "any", "all")
"""`argmax` and `argmin` take one axis and give the first position as an int64; NaN counts as extreme, as in NumPy."""


@dataclass(frozen=True, slots=True)
class Affine:
    """`sum(coefficient * axis) + offset`; terms sorted by axis name, none with coefficient 0."""

    terms: tuple[tuple[str, int], ...] = ()
    offset: Dim = 0

    def coefficient(self, axis: str) -> int:
        return next((c for name, c in self.terms if name == axis), 0)


@dataclass(frozen=True, slots=True)
class Const:
    value: float | int | bool
    dtype: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A name bound by an earlier `Let` or `Reduce` in scope."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Position:
    """The value of an affine form of axes, as an int64."""

    affine: Affine
    dtype: str = "int64"


@dataclass(frozen=True, slots=True)
class Load:
    """`buffer[index]`; with `fill`, an index outside the buffer reads as the constant instead."""

    buffer: str
    index: tuple[Index, ...]
    dtype: str
    fill: Const | None = None
    origin: Origin = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Apply:
    fn: str
    args: tuple[Scalar, ...]
    dtype: str
    origin: Origin = field(default=None, compare=False, repr=False)


Scalar = Const | Ref | Position | Load | Apply
Index = Affine | Scalar

# --- statements --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    extent: Dim


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: Scalar
    origin: Origin = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reduce:
    """`name = reducer(axes): body value`; `each` runs after every combination, in axis order, seeing the running value.

    The result has the dtype of `value` (int64 for argmax and argmin). Over no iterations it is the neutral element.
    """

    name: str
    reducer: str
    axes: tuple[Axis, ...]
    body: tuple[Stmt, ...]
    value: Scalar
    each: tuple[Stmt, ...] = ()
    reverse: bool = False
    origin: Origin = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Loop:
    axes: tuple[Axis, ...]
    body: tuple[Stmt, ...]
    origin: Origin = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Store:
    buffer: str
    index: tuple[Index, ...]
    value: Scalar
    accumulate: bool = False
    origin: Origin = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """Stops the program with error `code` (an index into `Program.checks`) unless `condition` holds everywhere.

    Kernels with checks come before every kernel that writes memory which outlives the call.
    """

    condition: Scalar
    code: int
    origin: Origin = field(default=None, compare=False, repr=False)


Stmt = Let | Reduce | Loop | Store | Check

# --- kernels and programs ----------------------------------------------------------------------------------------

Role = Literal["input", "hyper", "parameter", "state", "constant", "output", "scratch", "local"]
PERSISTENT = ("parameter", "state")


@dataclass(frozen=True, slots=True)
class Buffer:
    """A dense row-major array. Its strides follow from its shape at the sizes of this very call.

    role     input: memory of the caller, read only; hyper: a float64 scalar set by the caller; parameter, state: live
             in the arena across calls; constant: read-only data of the program; output: in the arena, read by the
             caller; scratch: in the arena, dead after the call; local: of each thread, dead after an iteration of
             the parallel loop that uses it.
    view_of  the same bytes as another buffer (never itself a view) under this shape; has no offset of its own.
    offset   bytes from the start of the arena (local: of the thread's own memory), once memory is planned; None for
             inputs.
    """

    name: str
    dtype: str
    shape: Shape
    role: Role
    view_of: str | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a kernel runs; says nothing about what it computes.

    form      "nest": loops as written; "contract": the first statement is a sum of products of two operands over the
              axes `inner`, indexed by `rows` (first operand), `cols` (second operand) and `batch` (both), computed by
              the register-tiled microkernel; the statements after it are its epilogue.
    parallel  how many of the kernel's leading axes are flattened and shared among threads (0: one thread runs it).
    vector    the axis, of the kernel or of an inner loop or reduction, that runs in vector lanes; None: scalar code.
    tile      rows and columns of the register tile of a contraction.
    band      with one parallel axis, how many of its positions are a share; 0: as it comes. Kernels of equal bands give
              the same positions to the same threads.
    """

    form: Literal["nest", "contract"] = "nest"
    parallel: int = 0
    vector: str | None = None
    batch: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    cols: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    tile: tuple[int, int] | None = None
    band: int = 0


@dataclass(frozen=True, slots=True)
class Kernel:
    """A loop nest. `note` is the formula it computes, for people."""

    name: str
    axes: tuple[Axis, ...]
    body: tuple[Stmt, ...]
    schedule: Schedule = Schedule()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """`for axis: items`: kernels repeated in order; the axis is in scope inside them. `reverse` counts down.

    parallel  Threads share the iterations. Each does all kernels of one, by itself, before it turns to the next, so
              that what they work on may stay in the caches of one processor. What an iteration writes belongs to it: a
              buffer that has the axis for an index, or a local one.
    """

    axis: Axis
    items: tuple[Item, ...]
    reverse: bool = False
    parallel: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """`if condition: items`: kernels that run when the buffer `condition` (a bool without axes) holds true.

    `negated` runs them when it holds false. What the items write is otherwise left as it was.
    """

    condition: str
    items: tuple[Item, ...]
    negated: bool = False


Item = Kernel | Sequence | Branch


@dataclass(frozen=True)
class Program:
    """One entry of a compiled library (a training step, an evaluation): buffers and kernels in order."""

    name: str
    dims: Mapping[str, int]
    buffers: Mapping[str, Buffer]
    items: tuple[Item, ...]
    checks: tuple[str, ...] = ()
    constants: Mapping[str, object] = field(default_factory=dict)
    """Buffer name -> numpy array, for buffers of role constant."""


# --- walking -----------------------------------------------------------------------------------------------------


def kernels(items: tuple[Item, ...]) -> Iterator[Kernel]:
    """Every kernel in textual order."""
    for item in items:
        if isinstance(item, Kernel):
            yield item
        else:
            yield from kernels(item.items)


def conditions(items: tuple[Item, ...]) -> Iterator[str]:
    """The buffer that every branch asks."""
    for item in items:
        if isinstance(item, Branch):
            yield item.condition
        if not isinstance(item, Kernel):
            yield from conditions(item.items)


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Every statement, outer before inner."""
    for stmt in body:
        yield stmt
        if isinstance(stmt, Loop):
            yield from statements(stmt.body)
        elif isinstance(stmt, Reduce):
            yield from statements(stmt.body)
            yield from statements(stmt.each)


def scalars_of(stmt: Stmt) -> Iterator[Scalar]:
    """The scalars that a statement itself holds (not those of the blocks inside it), store indices included."""
    if isinstance(stmt, (Let, Reduce)):
        yield stmt.value
    elif isinstance(stmt, Store):
        yield stmt.value
        yield from (i for i in stmt.index if not isinstance(i, Affine))
    elif isinstance(stmt, Check):
        yield stmt.condition


def subscalars(scalar: Scalar) -> tuple[Scalar, ...]:
    """A scalar and everything inside it, operands before users."""
    if not isinstance(scalar, (Apply, Load)):
        return (scalar,)
    known = _parts.get(id(scalar))
    if known is None or known[0] is not scalar:
        found: list[Scalar] = []
        _collect(scalar, found)
        known = scalar, tuple(found)
        if len(_parts) >= _MOST_KNOWN:
            _parts.clear()
        _parts[id(scalar)] = known
    return known[1]


def _collect(scalar: Scalar, found: list[Scalar]) -> None:
    if isinstance(scalar, Apply):
        for arg in scalar.args:
            _collect(arg, found)
    elif isinstance(scalar, Load):
        for index in scalar.index:
            if not isinstance(index, Affine):
                _collect(index, found)
    found.append(scalar)


def loads(body: tuple[Stmt, ...]) -> tuple[Load, ...]:
    """Every load in a block."""
    return _described(body).loads


def stores(body: tuple[Stmt, ...]) -> tuple[Store, ...]:
    """Every store in a block."""
    return _described(body).stores


def accesses(body: tuple[Stmt, ...]) -> tuple[Load | Store, ...]:
    """Every load and store of a block, those of a statement together."""
    return _described(body).accesses


def positions(body: tuple[Stmt, ...]) -> tuple[Position, ...]:
    """Every position that is used as a value in a block."""
    return _described(body).positions


@dataclass(frozen=True, slots=True)
class _Described:
    """A block, and what is asked of it again and again."""

    body: tuple[Stmt, ...]
    loads: tuple[Load, ...]
    stores: tuple[Store, ...]
    accesses: tuple[Load | Store, ...]
    positions: tuple[Position, ...]


_known: dict[int, _Described] = {}
_parts: dict[int, tuple[Scalar, tuple[Scalar, ...]]] = {}
_MOST_KNOWN = 1 << 16


def _described(body: tuple[Stmt, ...]) -> _Described:
    lone = body[0] if len(body) == 1 else None  # blocks of one statement are made to ask about it
    known = _known.get(id(lone or body))
    if known is None or (known.body[0] is not lone if lone else known.body is not body):
        found: list[Load | Store] = []
        places: list[Position] = []
        for stmt in statements(body):
            for scalar in scalars_of(stmt):
                for part in subscalars(scalar):
                    if isinstance(part, Load):
                        found.append(part)
                    elif isinstance(part, Position):
                        places.append(part)
            if isinstance(stmt, Store):
                found.append(stmt)
        read = tuple(one for one in found if isinstance(one, Load))
        written = tuple(one for one in found if isinstance(one, Store))
        known = _Described(body, read, written, tuple(found), tuple(places))
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[id(lone or body)] = known
    return known


def forget() -> None:
    """Give back the memory in which the parts of scalars, and what there is to know of blocks, are remembered."""
    _known.clear()
    _parts.clear()
