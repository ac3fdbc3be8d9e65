"""What all tests share: golden files and seeds (tests/README.md tells how to use them)."""

from __future__ import annotations

import difflib
import signal
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the texts that golden tests compare with")
    parser.addoption("--peers", action="store_true", help="run PyTorch and Keras live beside their recorded results")
    parser.addoption("--seed", type=int, default=None, help="the seed of randomised tests, as a failure printed it")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("name.txt", text)` fails with a diff unless `text` is what tests/golden/name.txt holds."""
    update = request.config.getoption("--update-golden")

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        text = text.rstrip("\n") + "\n"
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"there is no tests/golden/{name}; write it with --update-golden and read it:\n{text}", False)
        expected = path.read_text(encoding="utf-8")
        if text != expected:
            lines = difflib.unified_diff(
                expected.splitlines(), text.splitlines(), f"tests/golden/{name}", "now", lineterm=""
            )
            advice = f"the text differs from tests/golden/{name}; if it should, accept it with --update-golden"
            pytest.fail("\n".join([advice, *lines]), False)

    return check


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where a shell started the tests in the background, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """`--seed`, else a number of the test's own that stays the same from run to run; shown when the test fails."""
    chosen = request.config.getoption("--seed")
    value = zlib.crc32(request.node.nodeid.encode()) if chosen is None else int(chosen)
    print(f"seed {value}: run the test again with --seed {value}")  # noqa: T201
    return value


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    """A NumPy generator started from `seed`."""
    return np.random.default_rng(seed)
