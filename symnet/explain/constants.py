"""Constants as people know them: √2, 1 / √(2 π), log(5) and 1 / 60, and not their digits.

A number that is short in decimals is written so. Others are looked up among small fractions, roots, logarithms and what
the densities of statistics are made of; a number is one of these if it is the nearest number of its type (of float64
also one beside it).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np

from symnet.explain.notation import Call, Form, Number, Product, Quotient, Root, Symbol

PI = Symbol("π")
_DIGITS = 6  # decimals that are short
_ROOTS = 4096
_LOGARITHMS = 128
_DENOMINATORS = 720
_DIMENSIONS = 64


def known_constant(value: float, with_pi: bool = True) -> Form | None:
    """How a positive number is written, if not by its digits; without π where that is the name of something else."""
    if not math.isfinite(value) or float(f"{value:.{_DIGITS}g}") == value:
        return None
    forms = _forms().get(value)
    return None if forms is None or (forms[1] and not with_pi) else forms[0]


@lru_cache(maxsize=1)
def _forms() -> dict[float, tuple[Form, bool]]:
    """The constants that are known, as float64 and as float32, each with whether π is in it."""
    found: dict[float, tuple[Form, bool]] = {}
    for value, form, with_pi in _known():
        near = (math.nextafter(value, 0), value, math.nextafter(value, math.inf))
        for rounded in (*near, float(np.float32(value))):
            found.setdefault(rounded, (form, with_pi))
    return found


def _known() -> Iterator[tuple[float, Form, bool]]:
    """Values and forms, the simplest first."""
    one, two = Number("1"), Number("2")
    two_pi = Product("scale", (two, PI))
    for whole in (whole for whole in range(2, _ROOTS) if math.isqrt(whole) ** 2 != whole):
        root = Root(Number(str(whole)))
        yield math.sqrt(whole), root, False
        yield 1 / math.sqrt(whole), Quotient(one, root, scalar=True), False
    for times in (*(Fraction(1, below) for below in (1, 2, 3, 4)), *map(Fraction, range(2, 13))):
        yield float(times) * math.pi, _times(times, PI), True
    yield 1 / math.pi, Quotient(one, PI, scalar=True), True
    yield 2 / math.pi, Quotient(two, PI, scalar=True), True
    for inside, value in ((PI, math.pi), (two_pi, 2 * math.pi)):
        yield math.sqrt(value), Root(inside), True
        yield 1 / math.sqrt(value), Quotient(one, Root(inside), scalar=True), True
        for half in range(1, _DIMENSIONS + 1):
            yield half / 2 * math.log(value), _times(Fraction(half, 2), Call("log", (inside,))), True
    yield math.sqrt(2 / math.pi), Root(Quotient(two, PI, scalar=True)), True
    yield 2 / math.sqrt(math.pi), Quotient(two, Root(PI), scalar=True), True
    for whole in range(2, _LOGARITHMS):
        logarithm = Call("log", (Number(str(whole)),))
        yield math.log(whole), logarithm, False
        yield 1 / math.log(whole), Quotient(one, logarithm, scalar=True), False
    for below in range(2, _DENOMINATORS):
        for above in range(1, 12):
            yield above / below, Quotient(Number(str(above)), Number(str(below)), scalar=True), False


def _times(factor: Fraction, form: Form) -> Form:
    whole = form if factor.numerator == 1 else Product("scale", (Number(str(factor.numerator)), form))
    return whole if factor.denominator == 1 else Quotient(whole, Number(str(factor.denominator)), scalar=True)
