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
    ("mini_cnn.py", "--epochs", "2"): (
        r"Adam: test accuracy ([\d.]+)%[\s\S]*SGD: test accuracy ([\d.]+)%[\s\S]*decay 1: last loss ([\d.]+)",
        lambda adam, sgd, decayed: adam > 94 and sgd > 94 and decayed > 0.1,
    ),
    ("three_losses.py",): (
        r"[\s\S]*?".join([r" = ([\d.]+)\n", r" = \[+ *([\d.-]+) "] * 3),
        lambda *numbers: numbers == (0.166667, -0.333333, 0.437488, 0.354344, 0.267473, -0.060809),
    ),
    ("fine_tuning.py", "--epochs", "6"): (
        r"scratch.*: ([\d.]+)%[\s\S]*alone.*: ([\d.]+)%\n.*last bit: True\n.*\neverything.*: ([\d.]+)%",
        lambda first, head, everything: first > 95 and everything > 85 and everything > head,
    ),
    ("binary_task.py",): (
        r"best epoch \d+: F1 ([\d.]+), area under the ROC curve ([\d.]+)",
        lambda f1, area: f1 > 0.9 and area > 0.97,
    ),
    ("ensemble.py", "--epochs", "8"): (
        r"member 1 .*accuracy ([\d.]+)%[\s\S]*together +accuracy ([\d.]+)%\n.*the same answers: True",
        lambda member, together: member > 92 and together > 90,
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
    unlike = [line for line in _shown(script) if _shape(line) not in set(map(_shape, done.stdout.splitlines()))]
    assert not unlike, f"the page shows what {script} does not print: {unlike}"
    assert not list(tmp_path.iterdir()), "an example leaves files behind"


TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = sorted(path for path in TUTORIALS.glob("*.md") if path.name != "README.md")


def _shown(script: str) -> list[str]:
    """The lines of output that the page of an example shows."""
    page = TUTORIALS / script.replace(".py", ".md")
    if not page.exists():
        return []
    text = "\n".join(re.findall(r"^```text\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    return [line for line in text.splitlines() if line.strip()]


def _shape(line: str) -> str:
    """A line without its numbers and spaces: shortened runs, and other machines, print other numbers."""
    return re.sub(r"-?\d[\d.]*(e[-+]?\d+)?|\s", "", line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_shows_pieces_of_its_script(page: Path) -> None:
    script = (ROOT / "examples" / f"{page.stem}.py").read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    assert f"](../../examples/{page.stem}.py)" in text, "the page names its script"
    for code in re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        assert code in script, f"{page.name} shows what is not in its script:\n{code}"
    index = (TUTORIALS / "README.md").read_text(encoding="utf-8")
    assert f"]({page.name})" in index, "the index of tutorials has the page"


def test_every_example_is_run() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {command[0] for command in EXAMPLES}
