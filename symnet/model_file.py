"""MODEL.py of the command line: an ordinary script, and what it defines."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from symnet.errors import FileError, UnknownName, UsageError, nearest
from symnet.expr import dtypes
from symnet.expr.node import Expr
from symnet.optim.base import Optimizer
from symnet.program.program import Program

RUN_NAME = "__main__"
DEFAULT_SIZE = 32
"""The size of named dimensions where the script does not say."""


class ModelFile:
    """The names that a script has defined once it has run.

    Objects are found by their type: a compiled program, or a loss with an optimizer and `batch`, the sizes of the named
    dimensions. Where there are several of a kind, the usual name (`program`, `loss`, `optimizer`) decides, or the user.
    A script that keeps them inside its functions is known by the programs that it has compiled, of which the last is
    taken.
    """

    def __init__(self, path: Path, names: Mapping[str, Any], compiled: Sequence[Program] = ()) -> None:
        self.path, self.names, self.compiled = path, names, compiled

    def program(self, name: str | None = None) -> Program:
        """The program of the script, or its loss compiled; `name` says which where there are several."""
        chosen = self.names[name] if name is not None and self._check(name) else self._subject()
        return chosen if isinstance(chosen, Program) else self._compiled(chosen)

    def loss(self, name: str | None = None) -> Expr:
        """The loss of the script, or that of its program."""
        chosen = self.names[name] if name is not None and self._check(name) else self._subject()
        if isinstance(chosen, Expr):
            return chosen
        loss: Expr = chosen.about.plan().loss
        return loss

    def _check(self, name: str) -> bool:
        """Whether a name that the user gave is a loss or a program; else an error that says what is."""
        usable = [*self._of_type(Program), *self._losses()]
        if name not in usable:
            given = f"there is no {name!r}"
            if name in self.names:
                given = f"{name!r} is {_described(self.names[name])}, neither a scalar loss nor a compiled program"
            raise UnknownName(f"{self.path}: {given}{nearest(name, usable)}; there is: {_listed(usable)}")
        return True

    def _subject(self) -> Program | Expr:
        programs = self._of_type(Program)
        if programs:
            found: Program = self._only(programs, "program", "compiled programs")
            return found
        losses = self._losses()
        if not losses and self.compiled:
            if len(self.compiled) > 1:
                _tell(f"taking the last of the {len(self.compiled)} programs that {self.path.name} has compiled")
            return self.compiled[-1]
        if not losses:
            scalars = [name for name, value in self._of_type(Expr).items() if value.shape == () and value.args]
            if scalars:
                raise UsageError(
                    f"{self.path}: {_listed(scalars)}: nothing trainable is behind it, expected a loss of floats with "
                    f"parameters (sn.parameter)"
                )
            raise UsageError(
                f"{self.path}: expected a compiled program (program = sn.compile(…)) or a scalar loss "
                f"(loss = …), found neither among what it defines: {_listed(sorted(self._own()))}"
            )
        loss: Expr = self._only(losses, "loss", "scalar expressions")
        return loss

    def _compiled(self, loss: Expr) -> Program:
        """The loss as a program, with the script's optimizer and sizes, or usual ones, which are told."""
        from symnet.program.build import compile
        from symnet.program.names import named_dims

        optimizers = self._of_type(Optimizer)
        optimizer = self._only(optimizers, "optimizer", "optimizers") if optimizers else _default_optimizer()
        sizes = self.names.get("batch")
        sizes = dict(sizes) if isinstance(sizes, Mapping) else {}
        missing = [dim for dim in named_dims([loss]) if dim not in sizes]
        if missing:
            sizes |= dict.fromkeys(missing, DEFAULT_SIZE)
            _tell(f"{', '.join(missing)} = {DEFAULT_SIZE}; say otherwise with batch = {{{missing[0]!r}: …}}")
        return compile(loss=loss, optimizer=optimizer, batch=sizes)

    def _only(self, found: Mapping[str, Any], usual: str, what: str) -> Any:
        """The one of its kind: the only one, or the one with the usual name."""
        if usual in found:
            return found[usual]
        if len({id(value) for value in found.values()}) > 1:
            choose = f" or choose with --loss {next(iter(found))}" if usual != "optimizer" else ""
            raise UsageError(f"{self.path}: there are several {what}: {_listed(found)}; name one {usual!r}{choose}")
        return next(iter(found.values()))

    def _own(self) -> dict[str, Any]:
        return {name: value for name, value in self.names.items() if not name.startswith("_")}

    def _of_type(self, kind: type) -> dict[str, Any]:
        return {name: value for name, value in self._own().items() if isinstance(value, kind)}

    def _losses(self) -> dict[str, Expr]:
        """Floating-point scalars that something trainable is behind."""
        from symnet.expr.traverse import leaves

        return {
            name: value
            for name, value in self._of_type(Expr).items()
            if value.shape == () and value.args and dtypes.is_float(value.dtype) and leaves([value], "parameter")
        }


def run(path: str | Path, arguments: Sequence[str] = ()) -> ModelFile:
    """Run a script as the main program, with these arguments, and give what it defines.

    `FileError` when it cannot be read; `UsageError`, after Python's own traceback, when it fails.
    """
    script = Path(path)
    if not script.is_file():
        raise FileError(f"cannot read {str(path)!r}: there is no such file")
    with _as_main(script, arguments), _compiling() as compiled:
        try:
            return ModelFile(script, runpy.run_path(str(script), run_name=RUN_NAME), compiled)
        except SystemExit as error:
            if error.code in (None, 0):
                raise UsageError(f"{script}: it exits by itself, so nothing it defines is left to look at") from None
            raise UsageError(f"{script}: it exits with {error.code!r}; give it arguments after --") from None
        except Exception as error:
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code.co_filename != str(script):
                trace = trace.tb_next
            traceback.print_exception(type(error), error, trace or error.__traceback__)
            raise UsageError(f"{script}: it fails with {type(error).__name__}") from None


@contextmanager
def _as_main(script: Path, arguments: Sequence[str]) -> Iterator[None]:
    """The surroundings of a script that Python itself runs."""
    before = sys.argv, list(sys.path)
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.resolve().parent))
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before


@contextmanager
def _compiling() -> Iterator[list[Program]]:
    """The programs that are compiled inside, as `sn.compile` gives them."""
    import symnet

    compile, made = symnet.compile, list[Program]()

    @wraps(compile)
    def kept(*args: Any, **options: Any) -> Program:
        made.append(compile(*args, **options))
        return made[-1]

    symnet.compile = kept
    try:
        yield made
    finally:
        symnet.compile = compile


def _default_optimizer() -> Optimizer:
    from symnet.optim import SGD

    _tell("no optimizer is defined, taking sn.optim.SGD(lr=0.01)")
    return SGD(lr=0.01)


def _tell(what: str) -> None:
    sys.stderr.write(f"symnet: {what}\n")


def _described(value: object) -> str:
    if isinstance(value, Expr):
        return f"an expression of type {value.dtype} and shape {value.shape}"
    return f"a {type(value).__name__}"


def _listed(names: Any) -> str:
    return ", ".join(list(names)[:12]) or "nothing"
