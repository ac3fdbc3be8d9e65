"""The examples run, train, and print what they should, in shortened form."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

EXAMPLES = {
    # script and arguments: a pattern of what it prints, and what must hold of the numbers found
    ("digits.py",): (r"test accuracy ([\d.]+)%", lambda accuracy: accuracy > 94),
    ("linear_regression.py",): (
        r"epoch   1 +loss ([\d.]+)[\s\S]*epoch 100 +loss ([\d.]+)\s+trained +w = \[ ([\d.]+).*\nexact +w = \[ ([\d.]+)",
        lambda first, last, trained, exact: first > 10 and last < 0.011 and abs(trained - exact) < 0.01,
    ),
    ("training_loop.py", "--epochs", "2"): (
        r"\n    2 +([\d.]+) +([\d.]+) +([\d.]+)\n.*at most ([\d.e-]+)\ntest accuracy ([\d.]+)%",
        lambda hand, step, fit, apart, accuracy: hand == step == fit and apart < 1e-12 and accuracy > 80,
    ),
    ("char_lstm.py", "--steps", "300"): (r"step +300 +loss ([\d.]+)\n[\s\S]{320}", lambda loss: loss < 2.0),
    ("small_gpt.py", "--steps", "300"): (r"step +300 +loss ([\d.]+)\n[\s\S]{320}", lambda loss: loss < 2.6),
    ("three_losses.py",): (
        r"[\s\S]*?".join([r" = ([\d.]+)\n", r" = \[+ *([\d.-]+) "] * 3),
        lambda *numbers: numbers == (0.166667, -0.333333, 0.437488, 0.354344, 0.267473, -0.060809),
    ),
    ("recurrent.py", "--steps", "600"): (
        r"mean error on longer sequences ([\d.]+) \(always answering 0: ([\d.]+)\)",
        lambda error, naive: error < 0.7 * naive,
    ),
}


@pytest.mark.parametrize("command", EXAMPLES, ids=lambda command: command[0])
def test_example(command: tuple[str, ...], tmp_path: Path) -> None:
    script, *arguments = command
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / script), *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pattern, holds = EXAMPLES[command]
    found = re.search(pattern, done.stdout)
    assert found, done.stdout
    assert holds(*map(float, found.groups())), found[0]
    assert not list(tmp_path.iterdir()), "an example leaves files behind"


def test_every_example_is_run() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {command[0] for command in EXAMPLES}
