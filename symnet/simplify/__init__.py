"""Simplification: tables of named rules (`tables/`) and the engine that applies them.

The README beside this file is the law of the rules and tells how to add one.
"""

from symnet.simplify.api import expand, prepare, rules, simplify
from symnet.simplify.rule import Rule

__all__ = ["Rule", "expand", "prepare", "rules", "simplify"]
