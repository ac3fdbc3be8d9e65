"""Pictures of graphs: DOT text of our own, laid out by Graphviz, or by NetworkX where that is not installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from symnet.errors import DTypeError, Unsupported, UsageError
from symnet.explain import text
from symnet.explain.identifiers import is_plain, symbol
from symnet.explain.leaves import number
from symnet.explain.naming import Names, find_layers, name_layers, name_leaves
from symnet.explain.notation import Form, Symbol
from symnet.explain.operations import form_of
from symnet.expr import dims, dtypes
from symnet.expr.function import Function, bodies
from symnet.expr.node import ArrayValue, Expr
from symnet.expr.traverse import postorder
from symnet.ops.usually import in_short

if TYPE_CHECKING:
    from symnet.explain.derivation import Derivation
    from symnet.program.program import Program

FILLS = {"input": "#dcebfa", "parameter": "#fbe6c8", "state": "#fbe6c8", "hyper": "#efe3f7", "constant": "#eeeeee"}
_NOT_SHOWN = ("name", "shape", "dtype", "value", "init", "uid", "trainable", "body")
_NODE = (
    'shape=box, style="rounded,filled", fillcolor=white, color="#555555", fontname="DejaVu Sans", fontsize=11, '
    'margin="0.12,0.06"'
)
_EDGE = 'color="#777777", arrowsize=0.7, fontname="DejaVu Sans", fontsize=8, fontcolor="#777777"'
_LONGEST = 36
"""Letters of a formula in a node; a longer one is replaced by the operation's name."""
_UNNAMED = Symbol("·")


def draw(value: Expr | Sequence[Expr] | Derivation | Program, path: str | Path) -> Path:
    """Write a picture of a graph; the path is returned.

    value  one expression or several; a derivation (the loss and the gradients) or a compiled program (its loss)

    The suffix decides: `.dot` (or `.gv`) is text that needs nothing; `.svg`, `.png` and `.pdf` are laid out by
    Graphviz's `dot` if that is on the PATH, else by NetworkX and drawn by matplotlib.
    """
    from symnet.program.checkpoint import as_path

    target = as_path(path, "draw")
    roots, known = _graph(value)
    suffix = target.suffix.lower()
    if suffix in (".dot", ".gv"):
        _write(target, dot(roots, known).encode())
    elif suffix in (".svg", ".png", ".pdf"):
        if shutil.which("dot") is None:
            _without_graphviz(roots, known, target)
        else:
            _write(target, _laid_out(dot(roots, known), suffix[1:]))
    else:
        raise UsageError(f"draw: {str(path)!r} has the suffix {suffix!r}, expected .svg, .png, .pdf or .dot")
    return target


def _graph(value: object) -> tuple[list[Expr], Mapping[Expr, Form]]:
    """The roots of what is to be drawn, and the names of values in it."""
    context = getattr(value, "context", None)
    if context is not None:
        derivatives = {equation.value: equation.left for equation in value.formulas}  # type: ignore[attr-defined]
        return [value.value, *value.gradients], {**derivatives, **context.known}  # type: ignore[attr-defined]
    about = getattr(value, "about", None)
    if about is not None:
        value = about.watched.step.outputs["loss"]
    roots = [value] if isinstance(value, Expr) else list(value) if isinstance(value, (list, tuple)) else [value]
    if not roots:
        raise UsageError("draw: got nothing to draw, expected at least one expression")
    for root in roots:
        if not isinstance(root, Expr):
            hint = "; call the module on an sn.input" if hasattr(root, "parameters") and callable(root) else ""
            raise DTypeError(
                f"draw: got {type(root).__name__}, expected an expression, several of them, a derivation or a program"
                f"{hint}"
            )
    expressions = in_short(roots)  # type: ignore[arg-type]
    names = Names()
    name_leaves(names, expressions)
    name_layers(names, find_layers(expressions[0]))
    return expressions, names.forms


def dot(roots: Sequence[Expr], known: Mapping[Expr, Form]) -> str:
    """The graph in the DOT language: operands above the nodes that use them, results marked by a double border."""
    order = postorder(roots)
    numbers = {node: place for place, node in enumerate(order)}
    results = set(roots)
    lines = [
        "digraph {",
        "  graph [ranksep=0.35, nodesep=0.25];",
        f"  node [{_NODE}];",
        f"  edge [{_EDGE}];",
    ]
    for node in order:
        border = ", peripheries=2" if node in results else ""
        fill = f', fillcolor="{FILLS[node.op]}"' if node.op in FILLS else ""
        lines.append(f'  n{numbers[node]} [label="{_escape(label(node, known))}"{fill}{border}];')
        unnamed = [arg for arg in node.args if _operand(arg, known) is _UNNAMED]
        told = len(unnamed) <= 1 or node.op in ("add", "multiply")
        for position, arg in enumerate(node.args):
            note = f' [label="{position + 1}"]' if len(node.args) > 1 and not told else ""
            lines.append(f"  n{numbers[arg]} -> n{numbers[node]}{note};")
    return "\n".join([*lines, "}", ""])


def label(node: Expr, known: Mapping[Expr, Form]) -> str:
    """Up to three lines: what it is called, what it does with its operands, the type."""
    name = text.write(known[node]) if node in known else None
    if name is None and node.name is not None:
        name = text.write(symbol(node.name)) if is_plain(node.name) else node.name
    kind = "" if node.dtype == "tuple" else f"{dtypes.SHORT[node.dtype]}{dims.show(node.shape)}"
    return "\n".join(line for line in (name, _operation(node, known), kind) if line)


def _operation(node: Expr, known: Mapping[Expr, Form]) -> str:
    """The operation as a formula of its operands, which are dots where they have no name."""
    if node.op == "constant":
        value = node.attrs["value"]
        return "array" if isinstance(value, ArrayValue) else text.write(number(value))
    if not node.args:
        return text.write(form_of(node, [])) if node.op == "dim" else node.op
    if not bodies(node) and node.op != "item":
        written = text.write(form_of(node, [_operand(arg, known) for arg in node.args]))
        alike = [text.write(_operand(arg, known)) for arg in node.args]  # a reshape, say, is not written
        if 0 < len(written) <= _LONGEST and written not in alike:
            return written
    settings = ", ".join(
        f"{key}={value if isinstance(value, str) else _setting(value)}"
        for key, value in node.attrs.items()
        if key not in _NOT_SHOWN and value not in ((), None, False) and not isinstance(value, Function)
    )
    return f"{node.op} {settings}".strip()


def _operand(node: Expr, known: Mapping[Expr, Form]) -> Form:
    """The name of an operand, a number, or a dot."""
    plain = node.op == "dim" or (node.op == "constant" and not node.shape)
    return known[node] if node in known else form_of(node, []) if plain else _UNNAMED


def _setting(value: object) -> str:
    return "(" + ", ".join(map(str, value)) + ")" if isinstance(value, tuple) else str(value)


def _escape(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _laid_out(source: str, form: str) -> bytes:
    done = subprocess.run(["dot", f"-T{form}"], input=source.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise Unsupported(f"draw: dot failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _without_graphviz(roots: Sequence[Expr], known: Mapping[Expr, Form], target: Path) -> None:
    """A plainer picture: layers of nodes, each below all of its operands."""
    try:
        from symnet.explain.layered import figure_of
    except ImportError:
        raise Unsupported(
            f"draw: {target.name!r} needs Graphviz's program 'dot' on the PATH, or the packages networkx and "
            f"matplotlib; or write {target.with_suffix('.dot').name!r} and lay it out elsewhere"
        ) from None
    figure = figure_of(roots, lambda node: label(node, known), lambda node: FILLS.get(node.op, "white"))
    content = BytesIO()
    figure.savefig(content, format=target.suffix[1:], bbox_inches="tight")
    _write(target, content.getvalue())


def _write(path: Path, content: bytes) -> None:
    from symnet.program.checkpoint import write_atomically

    write_atomically(path, content, "the picture ")
