"""Where the recorded results lie: one compressed NumPy file a family, with the versions they come from."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np

from tests.references.case import Arrays, Case

HERE = Path(__file__).parent
DATA = HERE / "data"


def families() -> list[str]:
    """The families, which are the files in `cases/`."""
    return sorted(path.stem for path in (HERE / "cases").glob("*.py") if not path.stem.startswith("_"))


@lru_cache(maxsize=None)
def cases(family: str) -> dict[str, Case]:
    """The cases of a family by name."""
    found: dict[str, Case] = {}
    for case in import_module(f"tests.references.cases.{family}").CASES:
        assert case.name not in found, f"{family}: two cases are called {case.name!r}"
        found[case.name] = case
    return found


def inputs_of(case: Case) -> Arrays:
    """The arrays a case is recorded on: they follow from its name."""
    return case.inputs(np.random.default_rng(zlib.crc32(case.name.encode())))


def write(family: str, results: dict[str, tuple[Arrays, Arrays]], versions: dict[str, str]) -> Path:
    """Record inputs and results of all cases of a family."""
    DATA.mkdir(exist_ok=True)
    arrays = {
        f"{name}|{kind}|{key}": np.asarray(array)
        for name, pair in results.items()
        for kind, group in zip(("in", "out"), pair, strict=True)
        for key, array in group.items()
    }
    path = DATA / f"{family}.npz"
    np.savez_compressed(path, **arrays, versions=np.array(json.dumps(versions)))
    return path


@lru_cache(maxsize=None)
def read(family: str) -> dict[str, tuple[Arrays, Arrays]]:
    """Case name -> (inputs, results) as recorded."""
    found: dict[str, tuple[Arrays, Arrays]] = {}
    with np.load(DATA / f"{family}.npz") as stored:
        for key in stored.files:
            if key != "versions":
                name, kind, what = key.split("|")
                found.setdefault(name, ({}, {}))[kind == "out"][what] = stored[key]
    return found
