"""Every layer, loss, optimizer and scheduler beside PyTorch or Keras: against what they gave, or live with --peers."""

from __future__ import annotations

import os

import pytest

from tests.references import store

ALL = [(family, name) for family in store.families() for name in store.cases(family)]


@pytest.mark.parametrize(("family", "name"), ALL, ids=[f"{family}-{name}" for family, name in ALL])
def test_agrees(family: str, name: str, request: pytest.FixtureRequest) -> None:
    case, recorded = store.cases(family)[name], store.read(family)
    if name not in recorded:
        pytest.fail(f"{name!r} is not recorded: python -m tests.references.record {family}", pytrace=False)
    inputs, wanted = recorded[name]
    ours = case.ours(dict(inputs))
    case.check(ours, wanted, "the recorded values")
    if request.config.getoption("--peers"):
        os.environ.setdefault("KERAS_BACKEND", "torch")
        case.check(ours, case.peer(dict(inputs)), "the peer")


@pytest.mark.parametrize("family", store.families())
def test_nothing_is_recorded_for_a_case_that_is_gone(family: str) -> None:
    left = sorted(set(store.read(family)) - set(store.cases(family)))
    assert not left, f"record again: python -m tests.references.record {family}"
