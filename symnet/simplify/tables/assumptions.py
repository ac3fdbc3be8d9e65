"""What is taken for granted about data until data says otherwise; see `symnet.ops.usually`."""

from __future__ import annotations

from symnet.simplify.pattern import attributes, variables
from symnet.simplify.rule import rule
from symnet.simplify.vocabulary import usually

x, y = variables("x y")
(K,) = attributes("K")

USUALLY = rule(
    "usually",
    usually(x, y, unless=K),
    x,
    assumption="no target is -100, the index that is ignored by default",
    reason="a program that meets other data fails a check of the plain form, and goes on with the exact one",
)
RULES = [USUALLY]
