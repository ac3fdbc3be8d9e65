"""The demo and the example learn to read digits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from symnet import cli

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(5))
def test_the_demo_reads_96_percent_for_every_seed(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "loss.png"
    assert cli.main(["demo", "--seed", str(seed), "--plot", str(plot)]) == 0
    out = capsys.readouterr().out
    last = re.fullmatch(r"test accuracy (\d+\.\d)%", out.rstrip().splitlines()[-1])
    assert last
    assert float(last[1]) >= 96.0
    for name in ("0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"):
        assert re.search(rf"{re.escape(name)}\b", out), f"no gradient of {name}"
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_example_runs(tmp_path: Path) -> None:
    out = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "digits.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    last = re.fullmatch(r"test accuracy (\d+\.\d)%", out.rstrip().splitlines()[-1])
    assert last
    assert float(last[1]) >= 96.0


def test_the_program_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert code
    exec(compile(code[1], "README.md", "exec"), {})
    assert float(capsys.readouterr().out.rstrip().splitlines()[-1]) >= 0.95
