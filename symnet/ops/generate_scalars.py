"""Writes `scalar_table.py`: what follows from the SymPy formulas of the scalar functions.

python -m symnet.ops.generate_scalars           write the table
python -m symnet.ops.generate_scalars --check   exit with status 1 if the table is not what would be written
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sympy as sp

from symnet.expr.node import Expr
from symnet.expr.op import REGISTRY
from symnet.expr.traverse import postorder
from symnet.ops.from_sympy import Converter, partial_formulas
from symnet.ops.leaves import input
from symnet.ops.scalar_op import ScalarOp

TABLE = Path(__file__).with_name("scalar_table.py")

HEADER = '''"""What follows from the formulas of the scalar functions. Written by symnet/ops/generate_scalars.py.

DERIVATIVES  for each operand the cotangent g times the derivative, as a function of (g, y, *operands); y is the result.
EXPANSIONS   the function in terms of those that loop programs have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symnet.expr.node import Expr
from symnet.ops import scalar as s

# ruff: noqa: E501
# fmt: off
'''


def generate() -> str:
    """The text of the table."""
    derivatives, expansions = [], []
    for op in REGISTRY.values():
        if not isinstance(op, ScalarOp) or op.formula is None:
            continue
        symbols = sp.symbols(f"x:{op.arity}", real=True)
        formula = op.formula(sp, *symbols)
        if not op.derivative:
            derivatives.append(f'    "{op.name}": (\n{_partials(op, formula, symbols)}    ),')
        if op.define is not None and op.stable is None:
            expansions.append(f'    "{op.name}": {_expansion(op, formula, symbols)},')
    tables = [
        ("DERIVATIVES: Mapping[str, tuple[Callable[..., Expr], ...]]", derivatives),
        ("EXPANSIONS: Mapping[str, Callable[..., Expr]]", expansions),
    ]
    return HEADER + "".join(f"\n{name} = {{\n" + "\n".join(rows) + "\n}\n" for name, rows in tables)


def _operands(op: ScalarOp) -> list[Expr]:
    return [input(name, (), "float64") for name in ("a", "b", "c")[: op.arity]]


def _partials(op: ScalarOp, formula: Any, symbols: Sequence[Any]) -> str:
    operands, g, y = _operands(op), input("g", (), "float64"), input("y", (), "float64")
    known = dict(zip(symbols, operands, strict=True))
    result = sp.Symbol("y", real=True)
    lines = ""
    for derivative in partial_formulas(formula, symbols):
        if formula.is_Function:
            derivative = derivative.subs(formula, result)
        node = Converter({**known, result: y}, "float64").convert(derivative, g)
        lines += f"        {_function(['g', 'y', *(str(o.name) for o in operands)], node)},\n"
    return lines


def _expansion(op: ScalarOp, formula: Any, symbols: Sequence[Any]) -> str:
    operands = _operands(op)
    node = Converter(dict(zip(symbols, operands, strict=True)), "float64").convert(formula)
    return _function([str(o.name) for o in operands], _to_loop_functions(op, node))


def _to_loop_functions(op: ScalarOp, root: Expr) -> Expr:
    """The conversion may use any scalar function; an expansion is made of those that loop programs have."""
    from symnet.expr.node import make
    from symnet.expr.traverse import rewrite
    from symnet.ops import scalar as s

    def visit(node: Expr) -> Expr:
        if node.op == "square":
            return s.multiply(node.args[0], node.args[0])
        if node.op == "reciprocal":
            return s.divide(1.0, node.args[0])
        if node.op == "rsqrt":
            return s.divide(1.0, s.sqrt(node.args[0]))
        return make(node.declaration, node.args, node.attrs)

    return rewrite([root], visit)[0]


def _function(parameters: Sequence[str], root: Expr) -> str:
    """A lambda in Python, on one line; what occurs twice is written twice and becomes one node."""
    texts: dict[int, str] = {}
    for node in postorder([root]):
        if node.op == "input":
            texts[id(node)] = str(node.name)
        elif node.op == "constant":
            value = node.attrs["value"]
            # A whole number is written as one, so that it takes the type of integers it meets.
            texts[id(node)] = repr(int(value) if value == int(value) else value)
        else:
            texts[id(node)] = f"s.{node.op}({', '.join(texts[id(a)] for a in node.args)})"
    return f"lambda {', '.join(parameters)}: {texts[id(root)]}"


def main(arguments: Sequence[str]) -> int:
    text = generate()
    if "--check" in arguments:
        if TABLE.exists() and TABLE.read_text(encoding="utf-8") == text:
            return 0
        sys.stderr.write("scalar_table.py is not up to date: run python -m symnet.ops.generate_scalars\n")
        return 1
    TABLE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
