"""LLVM text to machine code, and machine code into this process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm

from codegen import apart
from codegen.target import Target
from symnet.errors import CompilerBug

if TYPE_CHECKING:
    from codegen.llvm.module import LibraryText

PIPELINE = ("always_inliner", "sroa", "instruction_combine", "simplify_cfg", "global_dead_code_eliminate")
"""The text is good as it stands (hoisted, without repetition): what is left is inlining the math functions, turning
stack slots into registers, and tidying up. O2 takes twenty times as long and the training step runs no faster."""

_numbers = itertools.count()
_lock = threading.Lock()


@lru_cache(maxsize=None)
def _few_passes() -> None:
    """Loops as they are written: LLVM's search for other forms of their counters takes a third of its time, and no step
    runs faster for it. The switch is for all LLVM of a process, so it is set in processes that only compile."""
    if apart.inside():
        llvm.set_option("symnet", "-disable-lsr")


@lru_cache(maxsize=None)
def machine(target: Target, level: int = 2) -> Any:
    """LLVM's target machine at a level of its code generator; position-independent, so that an object serves in process
    and in a shared library."""
    _few_passes()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=level, reloc="pic", codemodel="default"
    )


def optimised(text: str, target: Target) -> Any:
    """The verified module after the passes of `PIPELINE`."""
    llvm_machine = machine(target)
    try:
        module = llvm.parse_assembly(text)
        module.triple = target.triple
        module.data_layout = str(llvm_machine.target_data)
        module.verify()
    except RuntimeError as error:
        raise CompilerBug(f"the generated LLVM text is not valid: {error}") from error
    manager = llvm.create_new_module_pass_manager()
    for name in PIPELINE:
        getattr(manager, f"add_{name}_pass")()
    tuning = llvm.create_pipeline_tuning_options()
    builder = llvm.create_pass_builder(llvm_machine, tuning)
    manager.run(module, builder)
    return module


def compile_object(text: str, target: Target, level: int = 2) -> bytes:
    """The object file of an LLVM module."""
    return bytes(machine(target, level).emit_object(optimised(text, target)))


def compile_units(library: LibraryText, target: Target) -> Callable[[], list[bytes]]:
    """Begin to print and compile a library in parts, in processes of their own where there are some; the function that
    gives the object files of all."""

    def compiled(number: int) -> bytes:
        unit = library.unit(number)
        return compile_object(unit.text, target, unit.level)

    machine(target)
    return apart.shared(library.units, compiled)


def assembly(text: str, target: Target) -> str:
    """The assembly language of an LLVM module."""
    return str(machine(target).emit_assembly(optimised(text, target)))


class Loaded:
    """Machine code in this process; it stays as long as this object lives."""

    def __init__(self, image: bytes, names: Iterable[str], others: Iterable[bytes] = ()) -> None:
        """Load an object file, and others that it calls, and look up `names`."""
        builder = llvm.JITLibraryBuilder().add_current_process()
        for one in (image, *others):
            builder.add_object_img(one)
        for name in names:
            builder.export_symbol(name)
        with _lock:
            self._library = builder.link(_engine(), f"symnet{next(_numbers)}")
        self.addresses: dict[str, int] = {name: int(self._library[name]) for name in names}


@lru_cache(maxsize=None)
def _engine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler(llvm.Target.from_default_triple().create_target_machine())
