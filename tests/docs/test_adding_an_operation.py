"""docs/adding-an-operation.md, followed: its pieces are added to a copy of the source, its scripts run against that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, outputs, updated

PAGE = ROOT / "docs" / "adding-an-operation.md"
ADDED = ("pseudo_huber", "rms_norm", "moving_sum")
GENERATED = {
    "tests/symnet/ops/test_registry.py": ADDED,
    "tests/symnet/ops/test_scalars.py": ("pseudo_huber",),
    "tests/codegen/lower/test_catalogue.py": ADDED,
}
"""The tests that are made from declarations, and the operations of the page that each must take up."""
IMPORT = ("codegen/lower/reduce.py", "import axis_index\n", "import add, axis_index\n")
"""What the page says in a sentence about imports."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source with the page's pieces added."""
    root = tmp_path_factory.mktemp("copy")
    for package in ("symnet", "codegen", "tests"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        if block.file is not None:
            assert block.anchor is not None
            _insert(root / block.file, block.anchor, block.code)
    _replace(root / IMPORT[0], *IMPORT[1:])
    _python(root, "-m", "symnet.ops.generate_scalars")
    return root


def _insert(path: Path, anchor: str, code: str) -> None:
    """Put code above the one line that begins with the anchor, apart from it if it is a piece of its own."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (place,) = [number for number, line in enumerate(lines) if line.startswith(anchor)]
    apart = "" if code.startswith(" ") else "\n\n"
    lines.insert(place, code + apart)
    path.write_text("".join(lines), encoding="utf-8")


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def _python(root: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_scripts_print_what_is_shown(copy: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    fresh = updated(page, outputs(page, tmp_path, copy))
    if request.config.getoption("--update-golden"):
        PAGE.write_text(fresh, encoding="utf-8")
        return
    for old, new in zip(blocks(page), blocks(fresh), strict=True):
        assert new.shown == old.shown, f"{PAGE.name}, line {old.line}; --update-golden rewrites the page"


def test_generated_tests_take_up_the_new_operations(copy: Path) -> None:
    chosen = " or ".join((*ADDED, "covered", "end_in", "up_to_date"))
    files = list(GENERATED)
    printed = _python(copy, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-k", chosen, *files)
    passed = [line for line in printed.splitlines() if "PASSED" in line]
    for file, operations in GENERATED.items():
        for name in operations:
            assert any(file in line and name in line for line in passed), f"{file} does not test {name}:\n{printed}"


def test_at_most_two_files_are_touched() -> None:
    """The declaration, and for a primitive its lowering."""
    files = [block.file for block in blocks(PAGE.read_text(encoding="utf-8")) if block.file is not None]
    assert files == [
        "symnet/ops/scalar.py",
        "symnet/ops/composite.py",
        "symnet/ops/reduce.py",
        "codegen/lower/reduce.py",
        "codegen/lower/reduce.py",
    ]
