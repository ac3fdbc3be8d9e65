"""The document of a report as dataclasses: what `SCHEMA.md` describes, field by field. All of it is plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from symnet.explain.levels import Level

FORMAT = 1
"""Number of the schema."""

Role = Literal["input", "parameter", "state", "hyper", "forward", "loss", "backward", "gradient", "update"]
FunctionRole = Literal["kernel", "parts", "tile", "entry", "math"]


@dataclass(frozen=True)
class Math:
    """A formula, as text and as a whole `<math>` element."""

    text: str
    mathml: str


@dataclass(frozen=True)
class Symbol:
    """A named value: a node of the picture. `name` and `formula` are numbers into the table of formulas.

    of      the symbol that it is the derivative by, or the new value of
    recurs  whether it needs its own value of the step before, in a loop
    """

    id: int
    name: int
    role: Role
    formula: int | None
    op: str
    label: str | None
    shape: str
    dtype: str
    cluster: int | None
    uses: Sequence[int]
    of: int | None = None
    kernels: Sequence[int] = ()
    note: str | None = None
    recurs: bool = False


@dataclass(frozen=True)
class Cluster:
    """A layer of the network; `parent` is the layer around it."""

    id: int
    name: str
    parent: int | None


@dataclass(frozen=True)
class Parameter:
    """A trained parameter: ids of symbols, the steps of its derivation, and its moves."""

    symbol: int
    gradient: int
    update: int | None
    where: Sequence[int]
    steps: Sequence[int]
    moves: Sequence[int]


@dataclass(frozen=True)
class Step:
    """A step of a derivation: `left sign right`, from `through`."""

    rule: str
    kind: str
    left: int
    sign: str
    right: int
    through: int | None
    reason: str
    assumption: str
    level: Level


@dataclass(frozen=True)
class Move:
    """The chain rule from one named value to another: `left` = `by` = `right`; of a loop only (left, right) `lines`."""

    left: int | None
    by: int | None
    right: int | None
    lines: Sequence[tuple[int, int]]
    through: Sequence[str]
    choices: Sequence[str]


@dataclass(frozen=True)
class Kernel:
    """A kernel with its place in the listings, its work, and what the machine makes of it."""

    id: int
    name: str
    note: str
    symbols: Sequence[int]
    lines: tuple[int, int]
    functions: Sequence[int]
    runs: int
    flops: int
    functions_flops: int
    bytes: int
    products: int
    dtype: str
    threads: int
    bound_us: float | None = None
    limit: str | None = None
    time_us: float | None = None
    share: float | None = None
    of_roof: float | None = None
    of_peak: float | None = None
    of_bandwidth: float | None = None


@dataclass(frozen=True)
class Loops:
    """The loop program; `symbols` and `kernel` go with its lines."""

    text: str = ""
    symbols: Sequence[Sequence[int]] = ()
    kernel: Sequence[int] = ()


@dataclass(frozen=True)
class Function:
    """A function of the LLVM text; `lines` go with its lines."""

    id: int
    name: str
    role: FunctionRole
    kernels: Sequence[int]
    first: int
    text: str
    lines: Sequence[int]


@dataclass(frozen=True)
class Assembly:
    """The machine code of a function; `lines` go with its lines."""

    id: int
    name: str
    llvm: int
    text: str
    lines: Sequence[int]


@dataclass(frozen=True)
class Buffer:
    """A rectangle of the arena: bytes from `offset`, alive from kernel `first` to kernel `last`."""

    name: str
    role: str
    symbols: Sequence[int]
    offset: int
    bytes: int
    first: int
    last: int
    dtype: str
    shape: str


@dataclass(frozen=True)
class Memory:
    """The plan of the arena over time."""

    arena: int
    persistent: int
    buffers: Sequence[Buffer]


@dataclass(frozen=True)
class Copy:
    """Bytes a second while as many bytes are copied: in the cache that they fit in, or in memory."""

    bytes: int
    bandwidth: float


@dataclass(frozen=True)
class Machine:
    """What the machine can do on all threads, measured in this process; `bandwidth` is that within the arena."""

    threads: int
    flops: Mapping[str, float]
    bandwidth: float
    copies: Sequence[Copy]


@dataclass(frozen=True)
class Document:
    """All of a report. What a derivation alone does not have stays empty."""

    title: str
    meta: Mapping[str, Any]
    math: Sequence[Math]
    symbols: Sequence[Symbol]
    clusters: Sequence[Cluster]
    parameters: Sequence[Parameter]
    steps: Sequence[Step]
    moves: Sequence[Move]
    legend: Sequence[tuple[int, int]]
    kernels: Sequence[Kernel] = ()
    loops: Loops = field(default_factory=Loops)
    llvm: Sequence[Function] = ()
    asm: Sequence[Assembly] = ()
    memory: Memory | None = None
    machine: Machine | None = None
    cuda: Sequence[str] | None = None

    def data(self) -> dict[str, Any]:
        """The document as JSON data."""
        return {"format": FORMAT, **asdict(self)}
