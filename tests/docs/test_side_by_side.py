"""docs/side-by-side.md: the code in its three columns runs, and gives the same values.

A cell that begins with code is run: the pieces up to the first other text, separated by <br>. A column is run in the
namespace of its block above the tables, in order. PyTorch's and Keras's columns are run with --peers; what needs
TensorFlow itself is left out.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "side-by-side.md").read_text(encoding="utf-8")
FENCE = re.compile(
    r"^```(?:py|python)\n(?P<code>.*?)^```\n(?:```text\n(?P<shown>.*?)^```\n)?", re.DOTALL | re.MULTILINE
)
ROW = re.compile(r"^\| (?P<step>[^|]+?) \| (?P<torch>.+?) \| (?P<keras>.+?) \| (?P<symnet>.+?) \|$", re.MULTILINE)
CODES = re.compile(r"(?:`[^`]+`(?:<br>)?)+")
COLUMNS = {"torch": "import torch", "keras": "import keras", "symnet": "import symnet"}
"""What the block of a column begins with."""
TENSORFLOW = ("tf.", "tape.", "apply_gradients")

Namespaces = dict[str, dict[str, Any]]


def rows() -> list[dict[str, str]]:
    return [row.groupdict() for row in ROW.finditer(PAGE) if row["torch"] not in ("PyTorch", "---")]


def codes(cell: str) -> list[str]:
    """The code of a cell."""
    found = CODES.match(cell)
    return re.findall(r"`([^`]+)`", found[0]) if found else []


@pytest.fixture(scope="module")
def columns(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Namespaces:
    """The namespaces after the blocks; what those print is what the page shows."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    data, *blocks = FENCE.finditer(PAGE)
    namespaces: Namespaces = {}
    with contextlib.chdir(tmp_path_factory.mktemp("page")):
        for block in blocks:
            owner = next((name for name, text in COLUMNS.items() if block["code"].startswith(text)), "symnet")
            if owner != "symnet" and not request.config.getoption("--peers"):
                continue
            if owner not in namespaces:
                namespaces[owner] = {}
                exec(data["code"], namespaces[owner])
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(block["code"], namespaces[owner])
            assert printed.getvalue() == (block["shown"] or ""), owner
    return namespaces


def test_every_cell_of_symnet_is_code_or_has_none() -> None:
    assert len(rows()) > 40
    for row in rows():
        assert codes(row["symnet"]) or "`" not in row["symnet"], row["step"]


@pytest.mark.filterwarnings("ignore")
def test_the_columns_run_and_their_values_agree(columns: Namespaces, tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(io.StringIO()):
        for row in rows():
            values = {}
            for name, namespace in columns.items():
                ran = [code for code in codes(row[name]) if not any(word in code for word in TENSORFLOW)]
                for code in ran:
                    _run(code, namespace, f"{row['step']}, {name}")
                if any(code.startswith("value =") for code in ran):
                    values[name] = _array(namespace["value"])
            for name, value in values.items():
                where = f"{row['step']}, {name}"
                np.testing.assert_allclose(value, values["symnet"], rtol=1e-4, atol=1e-6, err_msg=where)


def _run(code: str, namespace: dict[str, Any], where: str) -> None:
    try:
        exec(code, namespace)
    except Exception as error:
        raise AssertionError(f"{where}: {code}") from error


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach() if hasattr(value, "detach") else value, dtype=np.float64)
