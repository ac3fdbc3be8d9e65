"""A share of the random graphs; `python -m tests.conformance.random_graphs` runs the 500."""

from __future__ import annotations

import pytest

from symnet.expr.op import REGISTRY
from symnet.expr.traverse import postorder
from tests.conformance.random_graphs import Case, check, torch_is_there

COUNT = 60
OUTSIDE = {
    # operations that the graphs cannot contain, and why
    **dict.fromkeys(
        "acos acosh annuity asin asinh atan atan2 atan_step atanh betaln cbrt cbrt_step copysign cos_difference "
        "cos_step cosh digamma digamma_step erfc erfcx erfinv exp_step exprel gamma gamma_ratio geometric hypot_plus "
        "lgamma lgamma_step log1mexp log1p_ratio log_blend log_erfc log_erfcx log_hypot log_ndtr log_ratio log_step "
        "logaddexp logit ndtr polygamma pow1pm1 power_step powm1 quadratic_root ratio_derivative root_plus rsqrt_step "
        "sigmoid_step sin_ratio sin_step sinh sinh_ratio sqrt_difference sqrt_step tan tan_step tanh_step trigamma "
        "xlog1py".split(),
        "a function with narrow domains or steep slopes: tested at its arguments in tests/symnet/ops/test_special.py",
    ),
    **dict.fromkeys(
        "single_entries softmax_residual softmax_slope tanh_slope weighted_logsumexp".split(),
        "what rules put in the place of longer expressions, tested with these rules",
    ),
    "parameter": "a leaf like an input",
    "state": "a leaf like an input",
    "hyper": "a leaf like an input",
    "arg": "stands only inside the bodies of loops",
    **dict.fromkeys(
        ("dropout", "alpha_dropout", "rrelu", "random_step", "batch_norm", "instance_norm", "standardize"),
        "has state, which sn.function does not keep; tests/references and tests/symnet/nn train with it",
    ),
    **dict.fromkeys(("lu", "lu_rows", "det_sign", "require"), "what solving and determinants are made of"),
    "each_member": "made by vmap; tests/symnet/derive maps every operation",
    "usually": "is gone once simplified; test_ignored_targets.py",
    "abbreviated": "is how derivatives are written; test_ignored_targets.py",
}


@pytest.mark.parametrize("first", range(0, COUNT, 5))
def test_random_graphs(first: int) -> None:
    for seed in range(first, first + 5):
        check(seed, torch_is_there())


def test_the_graphs_contain_every_operation() -> None:
    missing = set(REGISTRY) - set(OUTSIDE)
    for seed in range(500):
        missing -= {node.op for node in postorder(Case.of(seed).roots)} if missing else set()
    assert not missing
