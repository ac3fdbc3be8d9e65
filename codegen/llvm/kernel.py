"""A kernel as LLVM text, with what the driver must know to call it."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.llvm.builder import FunctionText


@dataclass(frozen=True)
class KernelText:
    """`void @name(ptr buffers…, i64 dims…, [ptr status,] i64 lo, i64 hi)` and `i64 @name.parts(i64 dims…)`.

    buffers     names of the buffers, in the order of the pointer parameters
    dims        named dimensions and enclosing sequence axes, in the order of the i64 parameters
    helpers     (function, dtype, lanes) of the math functions the text calls
    has_checks  whether a status pointer (i32, written with 1 + code of a failed check) follows the dims
    """

    name: str
    text: str
    buffers: tuple[str, ...]
    dims: tuple[str, ...]
    helpers: frozenset[tuple[str, str, int]]
    has_checks: bool = False


@dataclass(frozen=True)
class Call:
    """How an entry calls a kernel, or one that does the same on other buffers.

        void @NAME.share(ptr buffers…, i64 dims…, [ptr status,] i64 tid, i64 n)

    does what thread `tid` of `n` has to do.
    """

    name: str
    buffers: tuple[str, ...]
    dims: tuple[str, ...]
    has_checks: bool

    @property
    def _parameters(self) -> list[tuple[str, str]]:
        taken = [("ptr", f"b{number}") for number in range(len(self.buffers))]
        taken += [("i64", f"d{number}") for number in range(len(self.dims))]
        return [*taken, ("ptr", "status")] if self.has_checks else taken

    @property
    def declared(self) -> str:
        """The function as it is known to another module."""
        kinds = ", ".join(kind for kind, _ in (*self._parameters, ("i64", "tid"), ("i64", "n")))
        return f"declare hidden void @{self.name}.share({kinds}) nounwind"

    def text(self) -> str:
        """The function: which of the kernel's parts are this thread's, and the kernel on them."""
        given = self._parameters
        fn = FunctionText(f"{self.name}.share", [*given, ("i64", "tid"), ("i64", "n")], linkage="hidden")
        sizes = ", ".join(f"{kind} %{name}" for kind, name in given if kind == "i64")
        parts = fn.value(f"call i64 @{self.name}.parts({sizes})")
        ends = []
        for thread in ("%tid", fn.value("add i64 %tid, 1")):
            product = fn.value(f"mul i64 {parts}, {thread}")
            ends.append(fn.value(f"udiv i64 {product}, %n"))
        with fn.when(fn.value(f"icmp slt i64 {ends[0]}, {ends[1]}"), "some"):
            arguments = [*(f"{kind} %{name}" for kind, name in given), *(f"i64 {end}" for end in ends)]
            fn.do(f"call void @{self.name}({', '.join(arguments)})")
        return fn.finish()
