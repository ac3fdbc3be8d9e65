"""The page of a report: one HTML file that needs nothing else, from the document that `SCHEMA.md` describes.

The formulas stand in the page as HTML and MathML, so they can be read and printed without JavaScript. Derivations,
picture, listings and charts are drawn from the document, which travels along compressed. The page loads nothing: its
Content-Security-Policy forbids every request and every script but its own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from symnet.program.checkpoint import write_atomically
from symnet.report.sections import body, contents

_ASSETS = Path(__file__).parent / "assets"
_STYLES = ("base.css", "formulas.css", "picture.css", "code.css", "charts.css", "print.css")
_SCRIPTS = (
    "dom.js",
    "links.js",
    "select.js",
    "formulas.js",
    "wrap.js",
    "graph.js",
    "picture.js",
    "listing.js",
    "code.js",
    "charts.js",
    "search.js",
    "start.js",
)
_SLOT = re.compile(r"\{\{(\w+)\}\}")


def write(document: Mapping[str, Any], path: str | Path) -> Path:
    """Write the page of a document; the path is returned, `FileError` when it cannot be written."""
    target = Path(path)
    write_atomically(target, page(document).encode(), "the report ")
    return target


def page(document: Mapping[str, Any]) -> str:
    """The whole page as text."""
    script = _script()
    slots = {
        "version": escape(str(document["meta"]["version"])),
        "policy": _policy(script),
        "title": escape(document["title"]),
        "notice": f"<!--\n{_notice()}\n-->",
        "style": _style(),
        "toc": contents(document),
        "body": body(document),
        "document": _packed(document),
        "script": script,
    }
    return _SLOT.sub(lambda slot: slots[slot[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _style() -> str:
    font = base64.b64encode((_ASSETS / "vendor" / "symnet-math.woff2").read_bytes()).decode()
    return "".join(map(_asset, _STYLES)).replace("{{font}}", font)


def _script() -> str:
    """The layout library, then the files of the page as one strict function, so that nothing is global."""
    layout = re.sub(r"^//# sourceMappingURL=.*$", "", _asset("vendor/dagre.min.js"), flags=re.MULTILINE)
    own = "\n".join(map(_asset, _SCRIPTS))
    return f'{layout}\n(async () => {{\n"use strict";\n{own}\n}})();\n'


def _policy(script: str) -> str:
    """Nothing may be requested, and the only script that runs is the one given here."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _notice() -> str:
    """The licences of what is bundled, as they ask."""
    layout = _asset("vendor/dagre-LICENSE.txt").strip().replace("--", "- -")
    return (
        f"Written by symnet. The layout of the picture is by dagre (https://github.com/dagrejs/dagre):\n\n{layout}\n\n"
        "The font of the formulas is a subset of TeX Gyre Pagella Math 1.632 by B. Jackowski, P. Strzelczyk and\n"
        "P. Pianowski, under the GUST Font License (http://www.gust.org.pl/fonts/licenses/GUST-FONT-LICENSE.txt)."
    )


def _packed(document: Mapping[str, Any]) -> str:
    """The document as JSON, compressed, in base64. The same document gives the same text."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
