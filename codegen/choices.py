"""What was decided by measurement instead of by a model: for each kernel its plan, and whether threads share it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codegen.llvm.contract.plan import Choice
    from codegen.loops.grammar import Kernel, Program


@dataclass(frozen=True)
class Decision:
    """What is decided about a kernel; None leaves it to the model.

    plan    of a contraction
    shared  whether all threads share the kernel, or one runs it
    """

    plan: Choice | None = None
    shared: bool | None = None


@dataclass(frozen=True)
class Choices:
    """Decisions by `kernel_key`, so that kernels which do the same have the same.

    alone  entries that run on one thread
    """

    kernels: Mapping[str, Decision] = field(default_factory=dict)
    alone: frozenset[str] = frozenset()

    def of(self, kernel: Kernel, program: Program) -> Decision:
        return self.kernels.get(kernel_key(kernel, program), Decision()) if self.kernels else Decision()

    def __bool__(self) -> bool:
        return bool(self.kernels or self.alone)

    def data(self) -> dict[str, Any]:
        """As plain JSON data."""
        kernels = {key: asdict(decision) for key, decision in sorted(self.kernels.items())}
        return {"kernels": kernels, "alone": sorted(self.alone)}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Choices:
        from codegen.llvm.contract.plan import Choice

        def decision(one: Mapping[str, Any]) -> Decision:
            return Decision(None if one["plan"] is None else Choice(**one["plan"]), one["shared"])

        return cls({key: decision(one) for key, one in data["kernels"].items()}, frozenset(data["alone"]))


def kernel_key(kernel: Kernel, program: Program) -> str:
    """Equal for kernels that are the same up to names, at the same capacities."""
    from codegen.llvm.twins import shape_of

    text = repr((shape_of(kernel, program).key, sorted(program.dims.items())))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
