"""`sn.function`: any expressions as a compiled function of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import TYPE_CHECKING, Any, NoReturn, overload

from symnet.errors import DTypeError, IndexOutOfRange, UnknownName, UsageError
from symnet.expr.collecting import uncollected
from symnet.expr.node import Expr
from symnet.expr.traverse import substitute
from symnet.ops.random import numbered
from symnet.ops.usually import exactly
from symnet.program.choices import check_accuracy, check_precision
from symnet.program.names import leaves_by_name, named_dims
from symnet.runtime import arrays as checks
from symnet.runtime.arrays import Array
from symnet.runtime.code import Code
from symnet.runtime.instance import Instance
from symnet.runtime.lock import lock

if TYPE_CHECKING:
    from symnet.runtime.profile import Profile


class Function:
    """Expressions compiled to native code, called with arrays in the order of the inputs.

    It is compiled when it is first called, for the sizes of that call in the named dimensions; smaller sizes run
    without recompiling, a larger one recompiles for twice the size.
    """

    def __init__(
        self,
        inputs: Sequence[Expr],
        outputs: Sequence[Expr],
        single: bool,
        backend: str = "llvm",
        threads: int | None = None,
        target: str = "native",
        accuracy: str = "auto",
        precision: str = "float32",
    ) -> None:
        self._accuracy, self._precision = accuracy, precision
        self.inputs, self._single = tuple(inputs), single
        self._names = [f"in{i}" for i in range(len(self.inputs))]
        self._outputs = [f"out{i}" for i in range(len(outputs))]
        numbers = numbered(list(outputs))
        self._roots = self._prepared(numbers)
        exact = exactly(numbers)
        self._exact = None if all(map(is_, exact, numbers)) else exact
        self._dims = named_dims([*self._roots, *self.inputs])
        self._options: dict[str, Any] = {"backend": backend, "threads": threads, "target": target}
        self._capacity: dict[str, int] = {}
        self._codes: dict[bool, Code] = {}  # by whether they count their kernels' time
        self._instance, self._lock = Instance(), lock()

    def _prepared(self, roots: Sequence[Expr]) -> list[Expr]:
        """The outputs as they are compiled: simplified, in forms that keep their digits, over plain inputs."""
        from symnet.accuracy import improved
        from symnet.simplify import simplify

        simple = simplify(roots)
        return _closed(self.inputs, self._names, simple if self._accuracy == "off" else improved(simple))

    def __call__(self, *arguments: object) -> list[Array] | Array:
        """The outputs as new arrays: a list, or one array when the function was made of one expression."""
        arrays, sizes = self._bound(arguments)
        with self._lock:
            try:
                results = self._run(arrays, sizes)
            except IndexOutOfRange:
                if not self._became_exact():
                    raise
                results = self._run(arrays, sizes)
        values = [results[name] for name in self._outputs]
        return values[0] if self._single else values

    def _run(self, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> dict[str, Array]:
        code = self._compiled(sizes)
        return code.run("call", self._instance.memory, self._wanted(code, arrays), sizes)

    def _became_exact(self) -> bool:
        """Go over to the exact form (`symnet.ops.usually`); False: it is in force already."""
        if self._exact is None:
            return False
        self._roots = self._prepared(self._exact)
        self._exact, self._capacity, self._codes = None, {}, {}
        return True

    def profile(self, *arguments: object) -> Profile:
        """Where the time of a call with these arrays goes, kernel by kernel; see `Program.profile`."""
        from symnet.program.profiling import profile

        arrays, sizes = self._bound(arguments)
        with self._lock:
            code, persistent = self._compiled(sizes, profile=True), self._instance.snapshot()
        return profile(code, "call", persistent, self._wanted(code, arrays), sizes)

    def _bound(self, arguments: Sequence[object]) -> tuple[dict[str, Array], dict[str, int]]:
        """The arguments as arrays by the names of the inputs, and the sizes of the named dimensions."""
        if len(arguments) != len(self.inputs):
            wanted = ", ".join(str(node.name or node.op) for node in self.inputs)
            raise UsageError(f"the function takes {len(self.inputs)} arrays ({wanted}), got {len(arguments)}")
        shown = [str(node.name or f"argument {i}") for i, node in enumerate(self.inputs)]
        arrays = [checks.as_array(n, a, e.dtype) for n, a, e in zip(shown, arguments, self.inputs, strict=True)]
        sizes = checks.bind_sizes(
            {name: node.shape for name, node in zip(shown, self.inputs, strict=True)},
            dict(zip(shown, arrays, strict=True)),
            "function",
        )
        return dict(zip(self._names, arrays, strict=True)), sizes

    def _wanted(self, code: Code, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The arrays that the compiled code reads; simplifying may have left some unused."""
        return {name: arrays[name] for name in code.metadata["entries"]["call"]["inputs"]}

    @uncollected()
    def _compiled(self, sizes: Mapping[str, int], profile: bool = False) -> Code:
        missing = [name for name in self._dims if name not in sizes]
        if missing:
            raise UnknownName(f"no input tells the size of the dimension {missing[0]!r}: add one that has it")
        if any(size > self._capacity.get(name, -1) for name, size in sizes.items()):
            self._capacity = {name: self._grown(name, size) for name, size in sizes.items()}
            self._codes, self._instance = {}, Instance()
        if profile not in self._codes:
            import codegen
            from codegen.spec import Entry, Module
            from symnet.simplify import expand

            entry = Entry("call", dict(zip(self._outputs, expand(self._roots, self._accuracy != "off"), strict=True)))
            module = Module("function", (entry,), self._capacity, precision=self._precision)
            code = codegen.compile(module, only=("call",), profile=profile, **self._options)
            if not profile:
                self._instance.attach(code)
            self._codes[profile] = code
        return self._codes[profile]

    def _grown(self, name: str, size: int) -> int:
        """The capacity to compile for: what is needed, and when that grew, room for more."""
        current = self._capacity.get(name, 0)
        return current if size <= current else max(size, 2 * current)

    def __reduce__(self) -> NoReturn:
        raise DTypeError("a compiled function cannot be copied or pickled: make it again with sn.function")

    def source(self, kind: str) -> str:
        """The text of a stage ("loops", "llvm", "asm"), once the function has been called."""
        if False not in self._codes:
            raise UsageError("a function is compiled when it is first called: call it, then look at its source")
        source = getattr(self._codes[False], "source", None)
        if source is None:
            raise UsageError(f"the numpy backend has no {kind!r} text")
        return str(source(kind))


@overload
def function(
    inputs: Sequence[Expr],
    outputs: Expr,
    backend: str = ...,
    threads: int | None = ...,
    accuracy: str = ...,
    precision: str = ...,
) -> Function: ...
@overload
def function(
    inputs: Sequence[Expr],
    outputs: Sequence[Expr],
    backend: str = ...,
    threads: int | None = ...,
    accuracy: str = ...,
    precision: str = ...,
) -> Function: ...
def function(
    inputs: Sequence[Expr],
    outputs: Expr | Sequence[Expr],
    backend: str = "llvm",
    threads: int | None = None,
    accuracy: str = "auto",
    precision: str = "float32",
) -> Function:
    """`f = sn.function([x, W], [p])`: compile expressions; `f(x_array, W_array)` gives arrays.

    Inputs are `sn.input` or `sn.parameter` nodes; every one that the outputs depend on must be listed. With a single
    expression instead of a list as outputs, calling gives a single array.

    accuracy  "auto" or "strict": element-wise operations in float32 that lose digits, and that no rule of
              simplification mends, are computed in another way (`sn.accuracy` tells where and how); "off": as they read
    precision  "float32"; "highest": convolutions are plain sums; or "bf16": what large float32 matrix products multiply
               is rounded to bfloat16; see `compile`
    """
    accuracy, precision = check_accuracy(accuracy, "function"), check_precision(precision, "function")
    for what, given in (("inputs", inputs), ("outputs", outputs)):
        if not isinstance(given, (list, tuple)) and not (what == "outputs" and isinstance(given, Expr)):
            raise DTypeError(f"function: the {what} are a {type(given).__name__}, expected a list of expressions")
    single = isinstance(outputs, Expr)
    results: list[Expr] = [outputs] if isinstance(outputs, Expr) else list(outputs)
    for node in [*inputs, *results]:
        if not isinstance(node, Expr):
            raise DTypeError(f"function: expected expressions, got {type(node).__name__}")
    return Function(inputs, results, single, backend, threads, accuracy=accuracy, precision=precision)


def _closed(inputs: Sequence[Expr], names: Sequence[str], roots: Sequence[Expr]) -> list[Expr]:
    """The roots over plain inputs `in0`, `in1`, …; errors for leaves that are not among the inputs."""
    from symnet.ops import input as make_input

    for node in inputs:
        if node.op not in ("input", "parameter", "state"):
            raise UsageError(f"function: an input is an sn.input or sn.parameter, got the result of {node.op!r}")
    if len(set(inputs)) != len(inputs):
        raise UsageError("function: an input is listed twice")
    known = set(inputs)
    for op in ("input", "parameter", "state", "hyper"):
        for name, leaf in leaves_by_name(roots, op).items():
            if leaf not in known:
                raise UnknownName(f"function: the outputs depend on the {op} {name!r}: list it among the inputs")
    fresh = {node: make_input(name, node.shape, node.dtype) for node, name in zip(inputs, names, strict=True)}
    return substitute(roots, fresh)
