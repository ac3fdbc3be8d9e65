"""`sn.report`: the page of a program, a derivation or a loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from symnet.errors import DTypeError, FileError, UsageError
from symnet.explain.derivation import Derivation
from symnet.explain.explaining import explain
from symnet.expr.node import Expr
from symnet.program.checkpoint import as_path
from symnet.report.build import derivation_document, document
from symnet.report.page import write

if TYPE_CHECKING:
    from symnet.program.program import Program


def report(
    subject: Program | Derivation | Expr,
    path: str | Path,
    *,
    title: str | None = None,
    measure: bool | Mapping[str, object] = False,
) -> Path:
    """Write a report as one HTML page that needs nothing else; the path is returned.

    subject  a compiled program: its formulas, derivations, kernels, machine code, cost and memory. A derivation, or a
             loss (derived by all its trainable parameters): formulas and derivations alone
    title    the head of the page
    measure  for a program: True to time its kernels, on made-up inputs of the compiled sizes, or a mapping with the
             inputs to time them on. The program stays as it is

    Raises `FileError` when the page cannot be written, `Unsupported` for a program of the numpy backend.
    """
    from symnet.program.program import Program

    target = page_path(path, "report")
    if title is not None and not isinstance(title, str):
        raise DTypeError(f"report: title is {type(title).__name__}, expected a string")
    if not isinstance(measure, (bool, Mapping)):
        raise DTypeError(
            f"report: measure is {measure!r}, expected True (on made-up inputs), or a mapping from inputs to arrays"
        )
    if isinstance(subject, Program):
        return write(document(subject, title or "Training step", measure), target)
    if not isinstance(subject, (Derivation, Expr)):
        raise UsageError(
            "report: expected a compiled program (sn.compile), a derivation (sn.explain) or a loss, "
            f"got {_kind(subject)}"
        )
    if measure:
        raise UsageError(f"report: measure is for compiled programs; this is {_kind(subject)}, without kernels to time")
    derivation = subject if isinstance(subject, Derivation) else by_all_parameters(subject)
    return write(derivation_document(derivation, title or "Derivation"), target)


def page_path(path: object, who: str) -> Path:
    """Where a page is written to, if that can be: the folder is there, and the suffix is that of a page."""
    target = as_path(path, who)
    if target.suffix.lower() not in (".html", ".htm", ""):
        raise UsageError(f"{who}: {str(path)!r} has the suffix {target.suffix!r}, but a report is a page: use .html")
    if not target.parent.is_dir():
        raise FileError(f"{who}: cannot write the report {str(path)!r}: there is no folder {str(target.parent)!r}")
    return target


def by_all_parameters(loss: Expr) -> Derivation:
    """The derivation of a loss by every parameter that it trains."""
    from symnet.program.names import leaves_by_name

    trained = [node for node in leaves_by_name([loss], "parameter").values() if node.attrs["trainable"]]
    if not trained:
        raise UsageError("report: the loss depends on no trainable parameter, so there is no gradient to report")
    return explain(loss, wrt=trained)


def _kind(subject: object) -> str:
    return "an expression" if isinstance(subject, Expr) else f"a {type(subject).__name__}"
