"""The vector math functions: accuracy against mpmath, special values, equal bits for any number of lanes."""

from __future__ import annotations

import itertools
import math
import re

import llvmlite.binding as llvm
import numpy as np
import pytest

from codegen.llvm import jit
from codegen.llvm import math as llvm_math
from codegen.llvm.math import coefficients, minimax
from codegen.target import Target
from symnet.errors import CompilerBug
from tests.codegen.llvm import math_harness as harness
from tests.codegen.llvm import math_points as points

LIMIT = {"float32": 2.0, "float64": 4.0}
DTYPES = ("float32", "float64")
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", llvm_math.FUNCTIONS)
def test_accuracy_against_mpmath(name: str, dtype: str, rng: np.random.Generator) -> None:
    values = points.arguments(rng, name, dtype, 800)
    inside = harness.domain(name, values)
    values = tuple(v[inside] for v in values)
    for target in harness.TARGETS:
        lanes = 16 if dtype == "float32" else 8
        got = harness.compiled(name, dtype, lanes, target)(*values)
        errors = harness.ulp_exact(name, got, *values)
        worst = int(np.argmax(errors))
        at = [float(v[worst]) for v in values]
        assert errors[worst] <= LIMIT[dtype], (
            f"{name}{at} gives {got[worst]!r}, {errors[worst]:.2f} ulp off ({target.name})"
        )


@pytest.mark.parametrize("name", llvm_math.FUNCTIONS)
def test_float32_against_float64(name: str, rng: np.random.Generator) -> None:
    """Many more points than mpmath can do; also that NaN comes exactly where it should."""
    values = points.arguments(rng, name, "float32", 400_000)
    got = harness.compiled(name, "float32", 16)(*values)
    with np.errstate(invalid="ignore"):  # signalling NaN among the bit patterns
        wide = harness.compiled(name, "float64", 8)(*(v.astype("float64") for v in values))
    errors = harness.ulp_against(got, wide)
    worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
    assert errors[worst] <= LIMIT["float32"], f"{name}{[float(v[worst]) for v in values]} gives {got[worst]!r}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", llvm_math.FUNCTIONS)
def test_lanes_do_not_matter(name: str, dtype: str, rng: np.random.Generator) -> None:
    """The same bits in vectors of any width, whatever the neighbours are."""
    values = points.arguments(rng, name, dtype, 4000)
    order = rng.permutation(values[0].size)
    scalar = harness.compiled(name, dtype, 1)(*values)
    for lanes in (2, 4, 8, 16):
        vector = np.empty_like(scalar)
        vector[order] = harness.compiled(name, dtype, lanes)(*(v[order] for v in values))
        assert np.array_equal(np.isnan(vector), np.isnan(scalar))
        same = (vector.view(f"u{vector.itemsize}") == scalar.view(f"u{vector.itemsize}")) | np.isnan(scalar)
        assert same.all(), f"{name} in {lanes} lanes differs at {[float(v[~same][0]) for v in values]}"


TINY, BIG = 2.0**-140, 2.0**100  # subnormal in float32; far from everything
SPECIAL_ARGUMENTS = (0.0, -0.0, TINY, -TINY, 1.0, -1.0, BIG, -BIG, INF, -INF, NAN)
SPECIAL_VALUES = {
    "exp": (1.0, 1.0, 1.0, 1.0, math.e, 1 / math.e, INF, 0.0, INF, 0.0, NAN),
    "expm1": (0.0, -0.0, TINY, -TINY, math.e - 1, 1 / math.e - 1, INF, -1.0, INF, -1.0, NAN),
    "log": (-INF, -INF, math.log(TINY), NAN, 0.0, NAN, math.log(BIG), NAN, INF, NAN, NAN),
    "log1p": (0.0, -0.0, TINY, -TINY, math.log(2.0), -INF, math.log(BIG), NAN, INF, NAN, NAN),
    "tanh": (0.0, -0.0, TINY, -TINY, math.tanh(1.0), -math.tanh(1.0), 1.0, -1.0, 1.0, -1.0, NAN),
    "erf": (0.0, -0.0, math.erf(TINY), -math.erf(TINY), math.erf(1.0), -math.erf(1.0), 1.0, -1.0, 1.0, -1.0, NAN),
    "sin": (0.0, -0.0, TINY, -TINY, math.sin(1.0), -math.sin(1.0), math.sin(BIG), -math.sin(BIG), NAN, NAN, NAN),
    "cos": (1.0, 1.0, 1.0, 1.0, math.cos(1.0), math.cos(1.0), math.cos(BIG), math.cos(BIG), NAN, NAN, NAN),
    "tan": (0.0, -0.0, TINY, -TINY, math.tan(1.0), -math.tan(1.0), math.tan(BIG), -math.tan(BIG), NAN, NAN, NAN),
    "atan": (
        0.0,
        -0.0,
        TINY,
        -TINY,
        math.pi / 4,
        -math.pi / 4,
        math.pi / 2,
        -math.pi / 2,
        math.pi / 2,
        -math.pi / 2,
        NAN,
    ),
    "sinh": (0.0, -0.0, TINY, -TINY, math.sinh(1.0), -math.sinh(1.0), INF, -INF, INF, -INF, NAN),
    "cosh": (1.0, 1.0, 1.0, 1.0, math.cosh(1.0), math.cosh(1.0), INF, INF, INF, INF, NAN),
    "cbrt": (0.0, -0.0, np.cbrt(TINY), -np.cbrt(TINY), 1.0, -1.0, np.cbrt(BIG), -np.cbrt(BIG), INF, -INF, NAN),
    "erfc": (1.0, 1.0, 1.0, 1.0, math.erfc(1.0), math.erfc(-1.0), 0.0, 2.0, 0.0, 2.0, NAN),
    "erfcx": (
        1.0,
        1.0,
        1.0,
        1.0,
        math.e * math.erfc(1.0),
        math.e * math.erfc(-1.0),
        1 / math.sqrt(math.pi) / BIG,
        INF,
        0.0,
        INF,
        NAN,
    ),
    "lgamma": (INF, INF, -math.log(TINY), -math.log(TINY), 0.0, INF, math.lgamma(BIG), INF, INF, INF, NAN),
    "digamma": (-INF, INF, -1 / TINY, 1 / TINY, -0.5772156649015329, NAN, math.log(BIG), NAN, INF, NAN, NAN),
    "trigamma": (INF, INF, TINY**-2, TINY**-2, math.pi**2 / 6, INF, 1 / BIG, INF, 0.0, NAN, NAN),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", llvm_math.UNARY)
def test_special_values(name: str, dtype: str) -> None:
    given = np.array(SPECIAL_ARGUMENTS, dtype)
    with np.errstate(over="ignore"):
        expected = np.array(SPECIAL_VALUES[name], dtype)
    for target, lanes in itertools.product(harness.TARGETS, (1, 4, 16)):
        got = harness.compiled(name, dtype, lanes, target)(given)
        assert_same(got, expected, f"{name} of {given} in {lanes} lanes")


def assert_same(got: harness.Array, expected: harness.Array, what: str) -> None:
    """Equal but for rounding, with equal signs of zeros, and NaN in the same places."""
    np.testing.assert_allclose(got, expected, rtol=4 * np.finfo(got.dtype).eps, atol=0, err_msg=what)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(expected[number]), err_msg=what)


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_powers(dtype: str) -> None:
    """Every pair of special values, as NumPy (that is, C99) has it."""
    special = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, BIG, -BIG, TINY, -TINY, INF, -INF, NAN]
    x, y = (np.array(column, dtype) for column in zip(*itertools.product(special, special), strict=True))
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    for target, lanes in itertools.product(harness.TARGETS, (1, 16)):
        got = harness.compiled("pow", dtype, lanes, target)(x, y)
        assert_same(got, expected, f"pow in {lanes} lanes")


@pytest.mark.parametrize("target", harness.TARGETS, ids=lambda target: target.name)
def test_calls_no_library(target: Target) -> None:
    for name, dtype, lanes in itertools.product(llvm_math.FUNCTIONS, DTYPES, (1, 16)):
        text = jit.assembly(harness.loop_text(name, dtype, lanes, target), target)
        called = set(re.findall(r"\b(?:callq?|bl)\s+(\S+)", text))
        assert all(target.startswith("sn.") for target in called), (
            f"{name} {dtype} x {lanes} on {target.name} calls {called}"
        )


@pytest.mark.parametrize(
    ("name", "dtype"), [("EXP", "float32"), ("SIN", "float32"), ("COS", "float64"), ("SIN", "float64")]
)
def test_coefficients_are_what_the_generator_finds(name: str, dtype: str) -> None:
    wanted = next(w for w in minimax.WANTED if w.name == name)
    assert minimax.find(wanted, dtype).coefficients == getattr(coefficients, name)[dtype]


def test_definitions_hold_each_function_once() -> None:
    text = llvm_math.definitions(
        [("sin", "float32", 8), ("cos", "float32", 8), ("cos", "float64", 4), ("exp", "float32", 8)]
    )
    defined = re.findall(r"define internal .*?@([\w.]+)\(", text)
    assert len(defined) == len(set(defined))
    assert {llvm_math.symbol("sin", "float32", 8), "sn.cos.f64x4", "sn.exp.f32x8"} < set(defined)
    llvm.parse_assembly(text).verify()


@pytest.mark.parametrize("helper", [("exp", "int32", 8), ("exp", "float32", 3), ("sech", "float32", 8)])
def test_unknown_functions_are_refused(helper: tuple[str, str, int]) -> None:
    with pytest.raises(CompilerBug, match="no math function"):
        llvm_math.function(*helper)
