"""LLVM text to machine code, and machine code into this process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import Any

import llvmlite.binding as llvm

from codegen import apart
from codegen.target import Target
from symnet.errors import CompilerBug

PIPELINE = ("always_inliner", "sroa", "instruction_combine", "simplify_cfg", "global_dead_code_eliminate")
"""The text is good as it stands (hoisted, without repetition): what is left is inlining the math functions, turning
stack slots into registers, and tidying up. O2 takes twenty times as long and the training step runs no faster."""

_numbers = itertools.count()
_lock = threading.Lock()


@lru_cache(maxsize=None)
def machine(target: Target) -> Any:
    """LLVM's target machine; position-independent, so that an object serves in process and in a shared library."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, reloc="pic", codemodel="default"
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


def compile_object(text: str, target: Target) -> bytes:
    """The object file of an LLVM module."""
    return bytes(machine(target).emit_object(optimised(text, target)))


def compile_objects(texts: Sequence[str], target: Target) -> list[bytes]:
    """The object files of several modules, each compiled by a process of its own."""
    machine(target)
    others = [apart.beside(partial(compile_object, text, target)) for text in texts[1:]]
    return [compile_object(texts[0], target), *(wait() for wait in others)]


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
