"""The passes from a naive loop program to a scheduled one, on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from codegen.loops.grammar import Program, forget
from codegen.loops.text import show
from codegen.loops.verify import verify
from codegen.lower import lower
from codegen.passes.bands import BANDS
from codegen.passes.borders import BORDERS
from codegen.passes.core import Pass
from codegen.passes.dead import DEAD
from codegen.passes.depth import DEPTH
from codegen.passes.early import EARLY
from codegen.passes.fuse import EPILOGUE, HORIZONTAL, ROWS
from codegen.passes.history import HISTORY
from codegen.passes.hoist import HOIST
from codegen.passes.inline import INLINE
from codegen.passes.layout import LAYOUT
from codegen.passes.loops import LOOPS
from codegen.passes.memory import MEMORY
from codegen.passes.names import NAMES
from codegen.passes.operands import OPERANDS
from codegen.passes.overwrite import OVERWRITE
from codegen.passes.registers import REGISTERS
from codegen.passes.reuse import REUSE
from codegen.passes.rounding import ROUNDING
from codegen.passes.schedule import SCHEDULE
from codegen.passes.shapes import SHAPES
from codegen.passes.split import SPLIT
from codegen.passes.winograd import WINOGRAD
from codegen.settings import check_level, dump_folder
from codegen.spec import Entry, Module
from symnet.errors import CompilerBug, FileError

PASSES: tuple[Pass, ...] = (
    # fewer, simpler kernels
    DEAD, SHAPES, INLINE, DEAD,
    # work moved to where it can be shared
    HOIST, INLINE, DEAD, LAYOUT, SPLIT,
    # kernels joined
    EPILOGUE, ROWS, HORIZONTAL, LOOPS,
    # less memory
    REGISTERS, DEAD, HISTORY, REUSE, DEAD,
    # how it runs
    BORDERS, WINOGRAD, OPERANDS, DEPTH, EARLY, NAMES, OVERWRITE, SCHEDULE, BANDS, MEMORY,
)  # fmt: skip
"""In order; each record says in one line what the pass does. `inline` comes again for what hoisting left."""


@dataclass(frozen=True)
class Options:
    """How programs are compiled.

    passes  what is run, in order
    check   0: the verifier at the beginning and the end, and after every pass where the end is wrong; 1: after every
            pass; 2: also the interpreter, before and after, on random data
    dump    a folder for the text of the program after every pass; empty for none
    """

    passes: tuple[Pass, ...] = PASSES
    check: int = field(default_factory=check_level)
    dump: str = field(default_factory=dump_folder)


def compile_entry(entry: Entry, module: Module, options: Options | None = None) -> Program:
    """The scheduled loop program of one entry, its memory planned."""
    options = options or Options()
    options = replace(options, passes=for_precision(options.passes, module.precision))
    naive = verify(lower(module.prepared(entry), module))
    try:
        return optimise(naive, options, f"{module.name}.{entry.name}")
    finally:
        forget()


def for_precision(passes: tuple[Pass, ...], precision: str) -> tuple[Pass, ...]:
    """The passes for `Module.precision`."""
    if precision == "highest":
        return tuple(one for one in passes if one is not WINOGRAD)
    return with_rounding(passes) if precision == "bf16" else passes


def with_rounding(passes: tuple[Pass, ...]) -> tuple[Pass, ...]:
    """The passes, and before it is decided how contractions run, the one that rounds what they multiply."""
    at = passes.index(BORDERS)
    return (*passes[:at], ROUNDING, *passes[at:])


def compile_module(module: Module, options: Options | None = None) -> Mapping[str, Program]:
    """The scheduled loop program of every entry, by name; all place what persists alike."""
    return {entry.name: compile_entry(entry, module, options) for entry in module.entries}


def optimise(program: Program, options: Options, name: str = "program") -> Program:
    """The passes one after the other; the verifier holds what they make to the rules of the grammar."""
    if options.check or options.dump:
        return _step_by_step(program, options, name)
    scheduled = program
    for step in options.passes:
        scheduled = step.run(scheduled)
    try:
        return verify(scheduled)
    except CompilerBug:
        return _step_by_step(program, options, name)


def _step_by_step(program: Program, options: Options, name: str) -> Program:
    """The passes with the verifier after each, which tells where a rule was broken."""
    _dump(program, options, f"{name}.00-lower")
    for number, step in enumerate(options.passes, 1):
        before, program = program, step.run(program)
        if program is not before:
            verify(program, before)
        _dump(program, options, f"{name}.{number:02}-{step.name}")
        if options.check >= 2 and step.exact:
            from codegen.passes.compare import compare

            compare(before, program, step.name)
    return program


def _dump(program: Program, options: Options, stem: str) -> None:
    if options.dump:
        folder = Path(options.dump)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{stem}.loops").write_text(show(program), encoding="utf-8")
        except OSError as error:
            raise FileError(f"SYMNET_DUMP: cannot write to the folder {options.dump}: {error.strerror}") from error
