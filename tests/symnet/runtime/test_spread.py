"""On how many threads loops go on: the faster way is found, seldom left, and found again when the machine changes."""

from __future__ import annotations

from symnet.runtime.spread import Spread


def spent(spread: Spread, batches: int, alone: float, together: float) -> float:
    """Seconds of a loop whose batches take so long on one thread and on several; every batch is run once."""
    seconds = 0.0
    while batches:
        threads, count = spread.next(batches)
        assert 1 <= count <= batches
        assert threads in (1, spread.several)
        took = count * (alone if threads == 1 else together)
        spread.took(threads, count, took)
        seconds, batches = seconds + took, batches - count
    return seconds


def test_loops_go_on_the_faster_way() -> None:
    for alone, together in ((10e-6, 6e-6), (10e-6, 40e-6), (200e-6, 110e-6)):
        spread = Spread(2)
        spent(spread, 3000, alone, together)
        assert spent(spread, 50_000, alone, together) < 1.1 * 50_000 * min(alone, together)


def test_many_short_loops_learn_as_one_long_does() -> None:
    spread = Spread(4)
    for _ in range(10):
        spent(spread, 300, 10e-6, 5e-6)
    assert spent(spread, 300, 10e-6, 5e-6) <= 1.01 * 300 * 5e-6


def test_a_machine_that_changes_is_noticed() -> None:
    spread = Spread(2)
    spent(spread, 20_000, 10e-6, 40e-6)
    spent(spread, 200_000, 10e-6, 6e-6)
    assert spread.next(1000)[0] == 2
    spent(spread, 200_000, 10e-6, 40e-6)
    assert spread.next(1000)[0] == 1


def test_a_few_batches_wake_nobody() -> None:
    spread = Spread(2)
    for _ in range(100):
        threads, count = spread.next(20)
        assert threads == 1
        spread.took(threads, count, count * 10e-6)
