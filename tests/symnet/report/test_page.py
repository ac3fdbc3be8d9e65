"""The page of a report as text: complete, well formed, closed to the network, and safe whatever names hold."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import symnet as sn
from symnet.errors import FileError, Unsupported, UsageError
from symnet.report import document
from symnet.report.page import page, write
from symnet.report.sections import amount, slug
from tests.symnet.report.documents import data_of
from tests.symnet.report.networks import PROGRAMS

ASSETS = Path(sn.report.__code__.co_filename).parent / "assets"
NETWORKS = sorted(PROGRAMS)
VOID = {"meta", "link", "input", "mspace", "br", "img", "mprescripts"}
NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML", "http://www.w3.org/1999/xhtml")


@lru_cache(maxsize=None)
def text_of(name: str) -> str:
    return page(data_of(name))


class Outline(HTMLParser):
    """Tags that are closed in order, identifiers, and whatever could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self.count: dict[str, int] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.count[tag] = self.count.get(tag, 0) + 1
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if tag == "a" else []
        self.loads += [given[key] or "" for key in ("src", "srcset", "action", "data") if key in given]
        self.loads += [given["href"] or ""] if tag == "link" else []
        assert not [name for name, _ in attrs if name.startswith("on")], f"{tag} has a handler in the text"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)


def packed(text: str) -> Any:
    """The document that travels in the page."""
    found = re.search(r'<script type="application/octet-stream" id="document">([^<]*)</script>', text)
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_well_formed_and_complete(name: str) -> None:
    text, data = text_of(name), data_of(name)
    outline = Outline(text)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    inside = [link[1:] for link in outline.links if link.startswith("#")]
    assert [f"#{link}" for link in inside] == outline.links, "links lead out of the page"
    assert {"top", "main", *inside} <= set(outline.ids)
    assert text.count('<details class="card"') == len(data["parameters"])
    assert packed(text) == json.loads(json.dumps(data))
    for symbol in data["symbols"]:
        if symbol["role"] in ("forward", "loss", "backward", "update", "gradient") and symbol["formula"] is not None:
            assert f'data-symbol="{symbol["id"]}"' in text


def test_it_loads_nothing() -> None:
    text = text_of("mlp")
    outline = Outline(text)
    assert outline.loads == ["data:,"]
    assert "@import" not in text
    assert set(re.findall(r"url\((\w+):", text)) == {"data"}
    own = outline.scripts[-1]
    assert "sourceMappingURL" not in own
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert f"script-src 'sha256-{digest}'" in policy[1]
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)))
    assert addresses <= set(NAMESPACES)


def test_the_licences_of_what_is_bundled_are_in_it() -> None:
    notice = re.search(r"<!--(.*?)-->", text_of("mlp"), flags=re.DOTALL)
    assert notice is not None
    assert "Permission is hereby granted" in notice[1]
    assert "GUST Font License" in notice[1]


def test_what_is_bundled_is_what_its_readme_says() -> None:
    readme = (ASSETS / "README.md").read_text(encoding="utf-8")
    for name in ("dagre.min.js", "symnet-math.woff2"):
        digest = hashlib.sha256((ASSETS / "vendor" / name).read_bytes()).hexdigest()
        assert f"`{digest}`" in next(line for line in readme.splitlines() if f"`vendor/{name}`" in line)


def test_the_same_program_gives_the_same_page() -> None:
    data = data_of("by_hand")
    assert page(data) == page(json.loads(json.dumps(data)))


def test_names_cannot_become_markup() -> None:
    hostile = '<img src=x onerror="alert(1)">&</script><script>'
    x, w = sn.input("x", ("N",)), sn.parameter(hostile, ())
    compiled = sn.compile(loss=sn.mean((x - w) ** 2), optimizer=sn.optim.SGD(lr=0.1), batch={"N": 3})
    text = page(document(compiled, title=hostile))
    outline = Outline(text)
    assert outline.open == []
    assert "img" not in outline.count
    assert outline.count["script"] == 2
    assert "&lt;img src=x onerror=" in text


def test_formulas_say_themselves_in_text() -> None:
    text = text_of("by_hand")
    assert text.count("<math ") == text.count("<math")
    assert 'alttext="error"' in text


def test_the_page_of_a_derivation_has_no_machine_code(tmp_path: Path) -> None:
    x, w = sn.input("x", ("N", 3)), sn.parameter("w", (3,))
    loss = sn.mean(sn.abs(x @ w))
    path = sn.report(sn.explain(loss, wrt=w), tmp_path / "derivation.html", title="A distance")
    text = path.read_text(encoding="utf-8")
    outline = Outline(text)
    assert "<h1>A distance</h1>" in text
    assert "gradients" in outline.ids
    assert not {"code", "cost", "memory", "updates"} & set(outline.ids)
    assert packed(sn.report(loss, path, title="A distance").read_text(encoding="utf-8")) == packed(text)


def test_what_cannot_be_reported_is_told(tmp_path: Path) -> None:
    x, w = sn.input("x", ("N",)), sn.parameter("w", ())
    loss = sn.mean((x - w) ** 2)
    with pytest.raises(UsageError, match=r"expected a compiled program .* or a loss, got a int"):
        sn.report(3, tmp_path / "a.html")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="measure is for compiled programs"):
        sn.report(loss, tmp_path / "a.html", measure=True)
    with pytest.raises(UsageError, match="no trainable parameter"):
        sn.report(sn.mean(x), tmp_path / "a.html")
    with pytest.raises(FileError, match="cannot write the report"):
        sn.report(loss, tmp_path / "nowhere" / "a.html")
    interpreted = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": 3}, backend="numpy")
    with pytest.raises(Unsupported, match="llvm"):
        sn.report(interpreted, tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_write_says_where(tmp_path: Path) -> None:
    path = write(data_of("by_hand"), str(tmp_path / "report.html"))
    assert path == tmp_path / "report.html"
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize(
    ("name", "expected"), [("W₁", "W1"), ("∂L/∂W₁", "dL/dW1"), ("δ₂", "δ2"), ("W′₁", "W'1"), ("h t", "h-t")]
)
def test_addresses(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize(
    ("value", "base", "expected"),
    [(0, 1000, "0 "), (999, 1000, "999 "), (1234567, 1000, "1.23 M"), (48 * 1024, 1024, "48 Ki")],
)
def test_amounts(value: int, base: int, expected: str) -> None:
    assert amount(value, base) == expected
