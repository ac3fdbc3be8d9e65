"""`symnet explain MODEL.py`: scripts as people write them, and what is said where nothing can be found."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import symnet as sn
from symnet import cli
from symnet.model_file import run

LOSS = """
import symnet as sn
x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",))
w, b = sn.parameter("w", (3,)), sn.parameter("b", ())
loss = sn.mean((x @ w + b - y) ** 2)
"""
BATCH = 'optimizer = sn.optim.Adam(lr=0.1)\nbatch = {"N": 5}\n'
PROGRAM = 'program = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": 4})\n'


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "model.py"


def explain(script: Path, text: str, *options: str) -> int:
    script.write_text(text, encoding="utf-8")
    return cli.main(["explain", str(script), *options])


def test_without_a_page_the_derivation_is_printed(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(script, LOSS) == 0
    out = capsys.readouterr().out
    assert "∂L/∂w = " in out
    assert "∂L/∂b = " in out
    assert "chain rule" in out
    assert explain(script, LOSS, "--level", "brief") == 0
    assert len(capsys.readouterr().out) < len(out)


def test_a_page_from_a_loss_with_an_optimizer(script: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert explain(script, LOSS + BATCH, "--html", str(page)) == 0
    said = capsys.readouterr()
    assert re.fullmatch(rf"{re.escape(str(page))}: \d+ kB\n", said.out)
    assert said.err == ""
    text = page.read_text(encoding="utf-8")
    assert "<h1>model</h1>" in text
    assert "Adam" in text
    assert "N ≤ 5" in text
    assert "<dt>a step</dt>" in text, "the kernels were not timed"


def test_what_is_assumed_is_told(script: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert explain(script, LOSS, "--html", str(tmp_path / "report.html"), "--no-measure") == 0
    said = capsys.readouterr().err
    assert "taking sn.optim.SGD(lr=0.01)" in said
    assert "N = 32; say otherwise with batch = {'N': …}" in said
    assert "<dt>a step</dt>" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_program_goes_before_its_loss_and_arguments_reach_the_script(script: Path) -> None:
    script.write_text("import sys\n" + LOSS + PROGRAM + "given = sys.argv[1:]\n", encoding="utf-8")
    before = list(sys.argv), list(sys.path)
    model = run(script, ["--steps", "0"])
    assert (sys.argv, sys.path) == before
    assert model.names["given"] == ["--steps", "0"]
    assert model.program() is model.names["program"]
    assert model.loss() is model.names["loss"]


def test_arguments_after_two_dashes(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "import sys\nassert sys.argv[1:] == ['--steps', '0']\n" + LOSS
    assert explain(script, text, "--", "--steps", "0") == 0
    with pytest.raises(SystemExit) as exit_:
        cli.main(["doctor", "--", "more"])
    assert exit_.value.code == 2
    assert "only commands that run a MODEL.py" in capsys.readouterr().err


TWO = "first = sn.mean(x @ w)\nsecond = sn.mean((x @ w) ** 2)\ndel loss\n"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("answer = 42\n", [], "expected a compiled program .* found neither among what it defines: answer"),
        (LOSS + TWO, [], "there are several scalar expressions: first, second; name one 'loss' or choose with --loss"),
        (LOSS, ["--loss", "los"], "there is no 'los'; did you mean 'loss'"),
        (LOSS, ["--loss", "w"], r"'w' is an expression of type float32 and shape \(3,\), neither a scalar loss"),
        ("raise ValueError('no data')\n", [], "it fails with ValueError"),
        ("raise SystemExit('usage: …')\n", [], "it exits with 'usage: …'; give it arguments after --"),
        ("raise SystemExit\n", [], "it exits by itself"),
    ],
)
def test_errors(script: Path, capsys: pytest.CaptureFixture[str], text: str, options: list[str], message: str) -> None:
    assert explain(script, text, *options) == 1
    said = capsys.readouterr().err
    assert re.search(f"symnet: error: .*{message}", said), said
    if "ValueError" in text:
        assert 'model.py", line 1' in said
        assert "runpy" not in said


def test_a_name_decides_between_several(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(script, LOSS + TWO, "--loss", "second") == 0
    assert "L = mean(z²)" in capsys.readouterr().out


INSIDE = """
import symnet as sn
def main(rate):
    x, w = sn.input("x", ("N", 3)), sn.parameter("w", (3,))
    return sn.compile(loss=rate * sn.mean((x @ w) ** 2), optimizer=sn.optim.SGD(lr=rate), batch={"N": 4}) and None
if __name__ == "__main__":
    main(1.0)
    main(2.0)
"""


def test_programs_inside_functions_are_found(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compile = sn.compile
    assert explain(script, INSIDE) == 0
    said = capsys.readouterr()
    assert "L = 2 mean(z²)" in said.out
    assert said.err == "symnet: taking the last of the 2 programs that model.py has compiled\n"
    assert sn.compile is compile


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "nowhere.py"]) == 1
    assert "cannot read 'nowhere.py': there is no such file" in capsys.readouterr().err
