"""Run the peers and record what they give: `python -m tests.references.record [FAMILY…]`.

Needs the extra `peers` (PyTorch, Keras). The arrays of a case follow from its name alone, so recording again changes
nothing unless a case or a peer did; the versions are written into the file.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version

os.environ.setdefault("KERAS_BACKEND", "torch")

from tests.references import store


def main() -> int:
    parser = argparse.ArgumentParser(description="Record the results of PyTorch and Keras.")
    parser.add_argument("family", nargs="*", help=f"by default all: {', '.join(store.families())}")
    chosen = parser.parse_args().family or store.families()
    if unknown := sorted(set(chosen) - set(store.families())):
        parser.error(f"there is no family {unknown[0]!r}; known: {', '.join(store.families())}")
    for family in chosen:
        began = time.perf_counter()
        results = {}
        for name, case in store.cases(family).items():
            inputs = store.inputs_of(case)
            results[name] = (inputs, case.peer(inputs))
        path = store.write(family, results, _versions())
        seconds, size = time.perf_counter() - began, path.stat().st_size / 1000
        print(f"{family}: {len(results)} cases, {size:.0f} kB, {seconds:.1f} s")  # noqa: T201
    return 0


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in ("numpy", "torch", "keras", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


if __name__ == "__main__":
    raise SystemExit(main())
