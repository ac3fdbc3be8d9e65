"""The page of a report as a reader uses it, in a headless Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from symnet.report.page import write
from tests.symnet.report.browser import launched, opened
from tests.symnet.report.documents import data_of

NETWORKS = ("mlp", "transformer", "recurrent")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from launched()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The page of a network, written once."""
    folder = tmp_path_factory.mktemp("pages")

    @lru_cache(maxsize=None)
    def page(name: str) -> Path:
        return write(data_of(name), folder / f"{name}.html")

    return page


def number_of(name: str, kernel: str) -> int:
    return next(one["id"] for one in data_of(name)["kernels"] if one["name"] == kernel)


def a_rule(name: str) -> str:
    """A rule that changes something that is written in a derivation."""
    steps = data_of(name)["steps"]
    return next(str(step["rule"]) for step in steps if step["kind"] == "exact" and step["level"] != "full")


def texts(locator: Any) -> list[str]:
    return [text.strip() for text in locator.all_text_contents()]


@pytest.mark.parametrize("name", NETWORKS)
def test_everything_is_there(browser: Any, pages: Any, name: str) -> None:
    data = data_of(name)
    with opened(browser, pages(name)) as tab:
        assert tab.locator("details.card").count() == len(data["parameters"])
        assert tab.locator("#kernels tbody tr").count() == len(data["kernels"])
        assert tab.locator("#arena rect.buffer").count() == len(data["memory"]["buffers"])
        assert tab.locator("#way .stage").count() == 4
        nodes = tab.locator("#canvas .node")
        assert nodes.count() > 2
        assert tab.locator("#canvas .edge").count() >= nodes.count() - 3
        heads = texts(tab.locator(".pane h3 small"))
        assert heads[1] == f"{len(data['loops']['text'].rstrip().split(chr(10))):,} lines"
        assert tab.locator(".pane.loops .line").count() < 150, "all lines of the listing are in the page"
        rules = {data["steps"][number]["rule"] for one in data["parameters"] for number in one["steps"]}
        shown = set(texts(tab.locator(".law .rule")))
        assert shown <= rules
        assert shown


def test_formulas_are_drawn_as_formulas(browser: Any, pages: Any) -> None:
    """A fraction is taller than a letter, and the font of the page has what it takes."""
    with opened(browser, pages("mlp")) as tab:
        fraction = tab.locator("details.card .name mfrac").first.bounding_box()
        letter = tab.locator("details.card .name mi").first.bounding_box()
        assert fraction["height"] > 1.6 * letter["height"]
        assert tab.evaluate("document.fonts.check('16px \"Symnet Math\"')")
        assert tab.evaluate("[...document.fonts].map((one) => one.status)") == ["loaded"]


def test_a_derivation_unfolds(browser: Any, pages: Any) -> None:
    data = data_of("mlp")
    parameter = data["parameters"][0]
    visible = [number for number in parameter["steps"] if data["steps"][number]["level"] != "full"]
    with opened(browser, pages("mlp")) as tab:
        card = tab.locator("details.card").first
        steps = card.locator(".step:not(.move)")
        assert steps.count() == 0
        card.locator("summary").first.click()
        assert steps.count() == len(parameter["steps"])
        seen = card.locator(".step:visible")
        assert seen.count() == len(visible)
        first = data["steps"][visible[0]]
        assert first["rule"] in seen.first.inner_text()
        assert first["reason"] in seen.first.inner_text()

        tab.get_by_label("brief").check()
        brief = card.locator(".step.move:visible")
        assert brief.count() == len(parameter["moves"]) + 1  # and how much algebra there is
        assert seen.count() < len(visible)
        assert "through negative, mean" in brief.first.inner_text()
        assert "shown at normal" in brief.last.inner_text()
        tab.get_by_label("full").check()
        assert seen.count() == len(parameter["steps"])
        tab.get_by_label("normal").check()

        card.get_by_role("button", name="from the first step").click()
        assert seen.count() == 1
        card.get_by_role("button", name="next step").click()
        assert seen.count() == 2
        assert f"step 2 of {len(visible)}" in card.locator("output").inner_text()
        card.get_by_role("button", name="one step back").click()
        assert seen.count() == 1
        card.get_by_role("button", name="all steps").click()
        assert seen.count() == len(visible)


def test_choices_and_stabilising_steps_are_marked(browser: Any, pages: Any) -> None:
    data = data_of("mlp")
    kinds = {step["kind"] for step in data["steps"]}
    assert "subgradient" in kinds
    with opened(browser, pages("mlp")) as tab:
        tab.locator("details.card summary").first.click()
        marks = texts(tab.locator("details.card .step .mark"))
        assert "at the kink" in marks
        assert set(marks) <= {"at the kink", "more stable"}


def test_pointing_lights_up_what_belongs_together(browser: Any, pages: Any) -> None:
    """From a formula down to the assembly, and from a line of assembly up to the formula."""
    data = data_of("mlp")
    with opened(browser, pages("mlp"), "#kernel:update_p0.weight") as tab:
        number = number_of("mlp", "update_p0.weight")
        kernel = data["kernels"][number]
        tab.wait_for_selector(".pane.loops .line.pinned")
        lines = texts(tab.locator(".pane.loops .line.pinned"))
        assert lines[0].startswith("kernel update_p0.weight")
        assert len(lines) == kernel["lines"][1] - kernel["lines"][0] + 1
        assert tab.locator(".pane.llvm .line.pinned").count() > 0
        assert tab.locator(".pane.asm .line.pinned").count() > 0
        assert "update_p0.weight" in tab.locator("#chosen").inner_text()
        assert tab.locator(f'tr[data-kernel="{number}"].pinned').count() == 1

        tab.locator(".pane.loops .line.pinned").nth(1).hover()
        names = {data["math"][data["symbols"][one]["name"]]["text"] for one in kernel["symbols"]}
        alttexts = "all => all.map((one) => one.getAttribute('alttext'))"
        lit = tab.locator(".pane.formulas .row.lit math").evaluate_all(alttexts)
        assert names & set(lit)
        assert tab.locator(".pane.llvm .line.lit").count() > 0
        below = tab.locator(".pane.asm .line.lit")
        assert below.count() > 0

        below.first.hover()
        assert tab.locator(".pane.asm .line.exact").count() == 1
        assert tab.locator(".pane.llvm .line.exact").count() == 1
        assert tab.locator(".pane.loops .line.lit").count() >= 1
        tab.locator("h1").hover()
        assert tab.locator(".line.lit").count() == 0


def test_a_formula_leads_to_its_code_and_back(browser: Any, pages: Any) -> None:
    data = data_of("mlp")
    with opened(browser, pages("mlp")) as tab:
        row = tab.locator("#backward .row").first
        row.click()
        symbol = data["symbols"][int(row.get_attribute("data-symbol"))]
        assert tab.evaluate("decodeURIComponent(location.hash)") == f"#{row.get_attribute('id')}"
        assert "pinned" in row.get_attribute("class")
        shown = tab.locator(".pane.loops .line.pinned").first
        first = data["loops"]["text"].split("\n")[int(shown.get_attribute("id").split("-")[1]) - 1]
        assert shown.inner_text().strip() == first.strip()
        assert data["loops"]["kernel"][int(shown.get_attribute("id").split("-")[1]) - 1] in symbol["kernels"]
        tab.locator(".pane.loops .line").nth(3).click()
        tab.keyboard.press("Escape")
        assert tab.locator(".pinned").count() == 0
        assert tab.evaluate("location.hash") == ""


def test_the_picture_opens_nodes_and_layers(browser: Any, pages: Any) -> None:
    data = data_of("mlp")
    with opened(browser, pages("mlp")) as tab:
        node = tab.locator("#canvas .node.forward").first
        node.click()
        panel = tab.locator("#node")
        symbol = data["symbols"][int(node.get_attribute("data-node"))]
        assert symbol["shape"] in panel.inner_text()
        assert symbol["op"] in panel.inner_text()
        assert panel.locator("math").count() >= 2
        panel.locator(".ref").first.click()
        other = data["symbols"][symbol["uses"][0]]
        assert other["shape"] in panel.inner_text()
        tab.keyboard.press("Escape")
        assert panel.is_hidden()

        before = tab.locator("#canvas .node").count()
        backward = tab.get_by_role("checkbox", name="backward")
        backward.check()
        assert tab.locator("#canvas .node.backward").count() > 0
        backward.uncheck()
        layer = tab.locator("#canvas .layer-title").first
        layer.click()
        assert tab.locator("#canvas .node.closed").count() == 1
        tab.locator("#canvas .node.closed").click()
        assert tab.locator("#canvas .node").count() == before


@pytest.mark.parametrize("name", NETWORKS)
def test_the_picture_has_every_edge(browser: Any, pages: Any, name: str) -> None:
    data = data_of(name)
    with opened(browser, pages(name)) as tab:
        for group in ("parameters", "backward", "gradients", "updates"):
            tab.get_by_role("checkbox", name=group).check()
        while tab.locator("#canvas .node.closed").count():
            tab.locator("#canvas .node.closed").first.dispatch_event("click")
        pairs = "all => all.map((one) => `${one.dataset.source} ${one.dataset.target}`)"
        drawn = set(tab.locator("#canvas .edge").evaluate_all(pairs))
        shown = [symbol for symbol in data["symbols"] if symbol["role"] not in ("state", "hyper")]
        ids = {symbol["id"] for symbol in shown}
        needed = {f"s{used} s{symbol['id']}" for symbol in shown for used in symbol["uses"] if used in ids}
        assert needed | {f"s{symbol['id']} s{symbol['id']}" for symbol in shown if symbol["recurs"]} <= drawn
        assert tab.locator("#canvas .node").count() == len(shown)


def test_long_formulas_are_broken_into_lines(browser: Any, pages: Any) -> None:
    """On a narrow page nothing that can be broken is cut off, and nothing is lost."""
    data = data_of("recurrent")
    with opened(browser, pages("recurrent"), width=390, height=844) as tab:
        rows = tab.locator("#backward .row")
        for place in range(rows.count()):
            rows.nth(place).scroll_into_view_if_needed()
        tab.wait_for_timeout(200)
        right = rows.locator(".right").evaluate_all("all => all.map((one) => one.textContent.replace(/\\s/g, ''))")
        lines = rows.locator(".right").evaluate_all("all => all.map((one) => one.querySelectorAll('math').length)")
        assert max(lines) > 2, "no formula was broken"
        symbols = [int(row.get_attribute("data-symbol")) for row in rows.all()]
        for text, number in zip(right, symbols, strict=True):
            whole = data["math"][data["symbols"][number]["formula"]]["mathml"]
            assert text == re.sub(r"<[^>]*>|\\s", "", whole)


def test_the_picture_moves(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp")) as tab:
        place = tab.locator("#canvas").bounding_box()
        scene = tab.locator("#canvas svg > g")
        start = scene.get_attribute("transform")
        tab.get_by_role("button", name="nearer").click()
        nearer = scene.get_attribute("transform")
        assert nearer != start
        tab.mouse.move(place["x"] + 15, place["y"] + 15)
        tab.mouse.down()
        tab.mouse.move(place["x"] + 95, place["y"] + 55, steps=4)
        tab.mouse.up()
        assert scene.get_attribute("transform") != nearer
        tab.get_by_role("button", name="all of the picture").click()
        assert scene.get_attribute("transform") == start
        tab.locator("#canvas").hover(position={"x": 30, "y": 30})
        tab.keyboard.down("Control")
        tab.mouse.wheel(0, -200)
        tab.keyboard.up("Control")
        tab.wait_for_function(f"document.querySelector('#canvas svg > g').getAttribute('transform') !== {start!r}")


def test_search_finds_parameters_kernels_and_rules(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp")) as tab:
        tab.keyboard.press("/")
        tab.keyboard.type("w1")
        found = tab.locator("#found li")
        assert "parameter" in found.first.inner_text()
        tab.keyboard.press("Enter")
        assert tab.locator("#W1").get_attribute("open") is not None
        assert tab.evaluate("location.hash") == "#W1"

        kinds = {"2.bias": "parameter", "update_p2.bias": "kernel", a_rule("mlp"): "rule", "delta1": "backward"}
        for text, kind in kinds.items():
            tab.locator("#search").fill(text)
            assert kind in texts(tab.locator("#found li .kind")), text
        tab.locator("#search").fill("update")
        tab.keyboard.press("ArrowDown")
        assert found.nth(1).get_attribute("aria-selected") == "true"
        tab.locator("#search").fill("nothing at all")
        assert texts(found) == ["nothing found"]
        tab.keyboard.press("Escape")
        assert tab.locator("#found").is_hidden()


@pytest.mark.parametrize("address", ["#W2", "#2.weight", "#dL/dW2"])
def test_addresses_lead_to_parameters(browser: Any, pages: Any, address: str) -> None:
    with opened(browser, pages("mlp"), address) as tab:
        card = tab.locator("#W2")
        assert card.get_attribute("open") is not None
        assert card.locator(".step").count() > 0
        assert card.locator("summary").first.bounding_box()["y"] < 450


def test_addresses_lead_to_values_rules_and_lines(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp"), "#δ1") as tab:
        assert "pinned" in tab.locator("[id='δ1']").get_attribute("class")
    rule = f"rule:{a_rule('mlp')}"
    with opened(browser, pages("mlp"), f"#{rule}") as tab:
        assert tab.locator(f"[id='{rule}']").get_attribute("open") is not None
    row = data_of("mlp")["kernels"][0]["lines"][0] + 1
    with opened(browser, pages("mlp"), f"#loops:{row}") as tab:
        assert tab.locator(f"#loops-{row}.pinned").is_visible()
    with opened(browser, pages("mlp"), "#nothing-like-it") as tab:
        assert tab.evaluate("scrollY") == 0


@pytest.mark.parametrize("width", [390, 1440])
def test_addresses_of_code_are_in_view(browser: Any, pages: Any, width: int) -> None:
    with opened(browser, pages("transformer"), "#kernel:loss", width=width) as tab:
        tab.wait_for_timeout(300)
        assert -2 <= tab.locator("#code").bounding_box()["y"] < 100
        assert tab.locator(".pane.loops .line.pinned").first.is_visible()


def test_keys_alone_are_enough(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp")) as tab:
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.className") == "skip"
        tab.locator("details.card summary").first.focus()
        tab.keyboard.press("Enter")
        assert tab.locator(".step:visible").count() > 0
        tab.locator(".step:visible").first.focus()
        tab.keyboard.press("ArrowDown")
        seen = "[...document.querySelectorAll('.step')].filter((one) => one.checkVisibility())"
        assert tab.evaluate(f"document.activeElement === {seen}[1]")

        tab.locator("#canvas .node.forward").first.focus()
        tab.keyboard.press("ArrowDown")
        assert tab.evaluate("document.activeElement.matches('.node')")
        tab.keyboard.press("Enter")
        assert tab.locator("#node").is_visible()
        tab.keyboard.press("Escape")

        listing = tab.locator(".pane.loops .view")
        listing.focus()
        tab.keyboard.press("Home")
        tab.keyboard.press("PageDown")
        tab.keyboard.press("ArrowDown")
        current = listing.get_attribute("aria-activedescendant")
        assert tab.locator(f"#{current}.current").is_visible()
        tab.keyboard.press("Enter")
        assert tab.locator(f"#{current}").get_attribute("aria-selected") == "true"
        tab.keyboard.press("n")
        assert tab.locator("#chosen").inner_text() != ""
        tab.keyboard.press("?")
        assert tab.locator("#help").is_visible()
        tab.keyboard.press("Escape")
        assert tab.locator("#help").is_hidden()


def test_the_focus_can_be_seen(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp")) as tab:
        for _ in range(4):
            tab.keyboard.press("Tab")
            style = "getComputedStyle(document.activeElement).outlineStyle"
            assert tab.evaluate(style) != "none"


def test_the_listings_fill_the_window_and_give_it_back(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp")) as tab:
        tab.locator("#fill").click()
        place = tab.locator("#code").bounding_box()
        assert (place["x"], place["y"], place["width"], place["height"]) == (0, 0, 1440, 900)
        tab.keyboard.press("Escape")
        assert tab.locator("#code").bounding_box()["width"] < 1440
        tab.get_by_role("button", name="LLVM IR").click()
        assert tab.locator(".pane.llvm").is_hidden()


def test_cuda_has_a_pane_where_there_is_some(browser: Any, tmp_path: Path) -> None:
    data = data_of("by_hand")
    texts_of = [f"__global__ void {kernel['name']}() {{\n}}\n" for kernel in data["kernels"]]
    with opened(browser, write({**data, "cuda": texts_of}, tmp_path / "cuda.html")) as tab:
        name = data["kernels"][1]["name"]
        tab.locator(".pane.cuda .line", has_text=name).first.click()
        assert tab.locator(".pane.cuda .line.pinned").count() == 2
        assert texts(tab.locator(".pane.loops .line.pinned"))[0].startswith(f"kernel {name}")
        tab.keyboard.press("n")
        assert tab.locator(".pane.cuda .line.pinned").count() > 0


def test_the_table_sorts(browser: Any, pages: Any) -> None:
    data = data_of("mlp")
    with opened(browser, pages("mlp")) as tab:
        tab.locator("#kernels").get_by_role("button", name="flop").click()
        first = tab.locator("#kernels tbody tr").first.get_attribute("data-kernel")
        assert data["kernels"][int(first)]["flops"] == max(one["flops"] for one in data["kernels"])
        assert tab.locator("#roofline .dot").count() > 1
        tab.locator("#kernels tbody tr").first.click()
        assert tab.locator(".line.pinned").count() > 0


def test_memory_tells_its_buffers(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp")) as tab:
        caption = tab.locator("#arena .caption")
        resting = caption.inner_text()
        assert "persist" in resting
        tab.locator("#arena rect.scratch").first.hover(force=True)
        assert " at " in caption.inner_text()
        assert caption.inner_text() != resting


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser: Any, pages: Any, scheme: str) -> None:
    """The paper is light or dark as the reader has it, and what is written on it can be read."""
    brightness = """(of) => {
      const canvas = document.createElement("canvas").getContext("2d");
      canvas.fillStyle = getComputedStyle(document.body)[of];
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((a, b) => a + b) / 765;
    }"""
    with opened(browser, pages("mlp"), color_scheme=scheme) as tab:
        paper, ink = tab.evaluate(brightness, "backgroundColor"), tab.evaluate(brightness, "color")
        assert (paper > 0.9) == (scheme == "light")
        assert abs(paper - ink) > 0.6
        tab.locator("#theme").click()
        assert (tab.evaluate(brightness, "backgroundColor") > 0.9) == (scheme == "dark")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_phone_shows_it_without_sideways_scrolling(browser: Any, pages: Any, name: str) -> None:
    with opened(browser, pages(name), width=390, height=844, has_touch=True) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
        tab.locator("details.card summary").first.tap()
        assert tab.locator(".step:visible").count() > 0
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
        assert tab.locator(".pane:visible").count() == 1
        tab.get_by_role("button", name="Assembly").tap()
        assert tab.locator(".pane.asm").is_visible()


def test_it_prints(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp")) as tab:
        tab.emulate_media(media="print")
        assert tab.locator("nav").is_hidden()
        assert tab.locator("#gradients").is_visible()
        assert tab.locator(".cards math").first.is_visible()
        assert len(tab.pdf()) > 10_000


def test_formulas_need_no_script(browser: Any, pages: Any) -> None:
    with opened(browser, pages("mlp"), java_script_enabled=False) as tab:
        assert tab.locator("details.card math").first.is_visible()
        assert tab.locator("#forward .row").count() > 2
        assert "need JavaScript" in tab.locator("noscript").inner_text()
