"""Pictures of graphs: DOT text of our own, and SVG where Graphviz is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from symnet.errors import DTypeError, FileError, Unsupported, UsageError
from symnet.explain import text
from symnet.explain.identifiers import is_plain, symbol
from symnet.explain.leaves import number
from symnet.expr import dims, dtypes
from symnet.expr.function import Function
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.traverse import postorder

_FILLS = {"input": "#dcebfa", "parameter": "#fbe6c8", "state": "#fbe6c8", "hyper": "#efe3f7", "constant": "#eeeeee"}
_NOT_SHOWN = ("name", "shape", "dtype", "value", "init", "uid", "trainable", "body")


def draw(value: Expr | Sequence[Expr], path: str | Path) -> Path:
    """Write a picture of the graph of one or more expressions; the path is returned.

    The suffix decides: `.dot` (or `.gv`) is text that needs nothing, `.svg`, `.png` and `.pdf` need Graphviz's `dot`
    on the PATH.
    """
    roots = [value] if isinstance(value, Expr) else list(value)
    for root in roots:
        if not isinstance(root, Expr):
            raise DTypeError(f"draw: got {type(root).__name__}, expected an expression or several of them")
    target = Path(path)
    source = dot(roots)
    suffix = target.suffix.lower()
    if suffix in (".dot", ".gv"):
        _write(target, source.encode())
    elif suffix in (".svg", ".png", ".pdf"):
        _write(target, _laid_out(source, suffix[1:], target))
    else:
        raise UsageError(f"draw: {str(path)!r} has the suffix {suffix!r}, expected .svg, .png, .pdf or .dot")
    return target


def dot(roots: Sequence[Expr]) -> str:
    """The graph in the DOT language: operands above the nodes that use them, results marked by a double border."""
    order = postorder(roots)
    numbers = {node: number for number, node in enumerate(order)}
    results = set(roots)
    lines = ["digraph {", '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif"];']
    for node in order:
        border = ", peripheries=2" if node in results else ""
        fill = f', fillcolor="{_FILLS[node.op]}"' if node.op in _FILLS else ""
        lines.append(f'  n{numbers[node]} [label="{_escape(_label(node))}"{fill}{border}];')
        several = len(node.args) > 1
        for position, arg in enumerate(node.args):
            note = f' [label="{position}", fontsize=9]' if several else ""
            lines.append(f"  n{numbers[arg]} -> n{numbers[node]}{note};")
    return "\n".join([*lines, "}", ""])


def _label(node: Expr) -> str:
    """Three lines: what it is called, the operation with its settings, the type."""
    name = None
    if node.name is not None:
        name = text.write(symbol(node.name)) if is_plain(node.name) else node.name
    settings = ", ".join(
        f"{key}={value if isinstance(value, str) else _setting(value)}"
        for key, value in node.attrs.items()
        if key not in _NOT_SHOWN and value not in ((), None) and not isinstance(value, Function)
    )
    if node.op == "constant":
        value = node.attrs["value"]
        settings = "array" if isinstance(value, ArrayValue) else text.write(number(value))
    kind = "" if node.dtype == "tuple" else f"{dtypes.SHORT[node.dtype]}{dims.show(node.shape)}"
    return "\n".join(line for line in (name, f"{node.op} {settings}".strip(), kind) if line)


def _setting(value: object) -> str:
    return "(" + ", ".join(map(str, value)) + ")" if isinstance(value, tuple) else str(value)


def _escape(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _laid_out(source: str, form: str, target: Path) -> bytes:
    program = shutil.which("dot")
    if program is None:
        raise Unsupported(
            f"draw: {target.name!r} needs Graphviz's program 'dot', which is not on the PATH: install Graphviz, "
            f"or write {target.with_suffix('.dot').name!r} and lay it out elsewhere"
        )
    done = subprocess.run([program, f"-T{form}"], input=source.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise Unsupported(f"draw: dot failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FileError(f"draw: cannot write {str(path)!r}: {error.strerror or error}") from error
