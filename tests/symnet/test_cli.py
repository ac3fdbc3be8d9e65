"""The command line: help, errors, exit status, and what importing symnet costs and does not import."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from symnet import __version__, cli, doctor
from symnet.errors import UsageError


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "symnet", *arguments], capture_output=True, text=True, check=False)


def test_version_and_help() -> None:
    assert _run("--version").stdout == f"symnet {__version__}\n"
    out = _run("--help")
    assert out.returncode == 0
    assert "demo" in out.stdout
    assert "doctor" in out.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["dmeo"], "invalid choice: 'dmeo'"),
        (["demo", "--seed", "-1"], "expected a whole number from 0, got '-1'"),
        (["demo", "--epochs", "many"], "expected a whole number from 0, got 'many'"),
    ],
)
def test_a_wrong_command_line_has_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_errors_are_one_line_with_status_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(options: argparse.Namespace) -> int:
        raise UsageError("expected this, got that")

    monkeypatch.setattr(cli, "_doctor", fails)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err == "symnet: error: expected this, got that\n"


def test_an_unwritable_plot_is_an_error_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo", "--plot", str(tmp_path / "nowhere" / "loss.png")]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("symnet: error: ")
    assert "nowhere" in captured.err
    assert "accuracy" not in captured.out


def test_a_closed_pipe_is_no_traceback() -> None:
    shell = f"{sys.executable} -m symnet --help | true; {sys.executable} -m symnet doctor | head -1"
    out = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    assert "Traceback" not in out.stderr
    assert out.stdout.splitlines()[-1] == f"symnet {__version__}"


def test_doctor_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    for title in ("Python", "packages", "LLVM", "processor", "threads", "cache", "linker", "extras", "native"):
        assert f"\n  {title} " in out
    assert "ran and was right" in out
    assert out.rstrip().endswith("programs compile and run here")


@pytest.mark.filterwarnings("ignore:cannot keep compiled programs")
def test_doctor_tells_of_an_unwritable_cache_and_a_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SYMNET_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(doctor, "REQUIRED", ("numpy", "no-such-package"))
    text, healthy = doctor.report()
    assert "cannot write there" in text
    assert "pip install no-such-package" in text
    assert not healthy


def test_importing_symnet_imports_nothing_heavy() -> None:
    code = "import sys, symnet; symnet.__dir__; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"sympy", "llvmlite", "matplotlib", "torch", "jax", "tqdm", "codegen", "scipy"}
    assert not heavy & set(loaded)


def test_defining_a_network_imports_nothing_heavy() -> None:
    code = (
        "import sys, symnet as sn\n"
        "x, y = sn.input('x', ('N', 8)), sn.input('y', ('N',), 'int64')\n"
        "loss = sn.losses.cross_entropy(sn.nn.Sequential(sn.nn.Linear(8, 4), sn.nn.GELU(), sn.nn.Linear(4, 3))(x), y)\n"
        "sn.grad(loss, x); sn.optim.Adam(); print(*sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"sympy", "llvmlite", "matplotlib", "torch", "jax", "tqdm", "codegen", "scipy"}
    assert not heavy & set(loaded)
