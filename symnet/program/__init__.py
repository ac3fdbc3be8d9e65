"""Programs: what `sn.compile`, `sn.function` and `sn.load` give."""

from symnet.program.build import compile
from symnet.program.function import Function, function
from symnet.program.program import Program

__all__ = ["Function", "Program", "compile", "function"]
