"""The pages of the documentation say what is so: their blocks are run, and what they show is compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from symnet import data, keras, losses, nn, ops, optim
from symnet.nn import init
from symnet.train import callbacks, metrics
from tests.docs.pages import ROOT, blocks, outputs, updated

DOCS = ROOT / "docs"


APART = ("architecture.md", "adding-an-operation.md")  # they have tests of their own
PAGES = sorted(path.name for path in DOCS.glob("*.md") if path.name not in APART)


@pytest.mark.parametrize("name", PAGES)
def test_blocks_print_what_is_shown(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    fresh = updated(page, outputs(page, tmp_path))
    if request.config.getoption("--update-golden"):
        (DOCS / name).write_text(fresh, encoding="utf-8")
        return
    for old, new in zip(blocks(page), blocks(fresh), strict=True):
        assert new.shown == old.shown, f"docs/{name}, line {old.line}; --update-golden rewrites the page"


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("sn", ops.__all__),
        ("sn.nn", nn.__all__),
        ("sn.init", init.__all__),
        ("sn.losses", losses.__all__),
        ("sn.optim", optim.__all__),
        ("sn.data", data.__all__),
        ("sn.metrics", metrics.__all__),
        ("sn.callbacks", callbacks.__all__),
        ("sn.optim.lr_scheduler", optim.lr_scheduler.__all__),
        ("sn.keras.optimizers", keras.optimizers.__all__),
        ("sn.keras.optimizers.schedules", keras.optimizers.schedules.__all__),
    ],
)
def test_some_page_names_everything(prefix: str, names: Iterable[str]) -> None:
    words = {word for page in PAGES for word in re.findall(r"\w+", (DOCS / page).read_text(encoding="utf-8"))}
    missing = [name for name in names if name not in words]
    assert not missing, f"no page of docs/ mentions {', '.join(f'{prefix}.{name}' for name in missing)}"
