"""A headless Chromium that opens pages from files, and tells when it is not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def launched() -> Iterator[Any]:
    """The browser (playwright's object); skips the test where the package or the program is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    path = os.environ.get("SYMNET_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is on the PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Any, path: Path, address: str = "", width: int = 1440, height: int = 900, **options: Any
) -> Iterator[Any]:
    """The page of a file once it is ready. At the end nothing may have been complained about or requested."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    tab = context.new_page()
    said: list[str] = []
    requested: list[str] = []
    tab.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: said.append(f"error: {error}"))
    tab.on("request", lambda request: requested.append(request.url))
    tab.goto(f"{path.as_uri()}{address}")
    if options.get("java_script_enabled", True):
        tab.wait_for_function("document.documentElement.dataset.ready")
    yield tab
    loaded = [url for url in requested if not url.startswith("data:")]
    context.close()
    assert said == []
    assert [url.partition("#")[0] for url in loaded] == [path.as_uri()], "the page asks for more than itself"
