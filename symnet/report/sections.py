"""The parts of a report's page that are plain HTML: the head, the formulas, and the places for what scripts draw."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from html import escape
from typing import Any

Document = Mapping[str, Any]

_FIRST_UPDATES = 6
_FORWARD, _BACKWARD, _UPDATES = ("forward", "loss"), ("backward",), ("update",)


def contents(document: Document) -> str:
    """The table of contents: one item for each section, with the parameters below theirs."""
    report = _Report(document)
    items = []
    for name, title, _ in report.sections:
        inner = report.parameter_links() if name == "gradients" else ""
        items.append(f'<li><a href="#{name}">{title}</a>{inner}</li>')
    return "".join(items)


def body(document: Document) -> str:
    """The content of the page."""
    report = _Report(document)
    return "\n".join([report.head(), *(section for _, _, section in report.sections)])


def slug(text: str) -> str:
    """What a name is called in the address of the page: W₁ is W1, ∂L/∂W₁ is dL/dW1."""
    plain = unicodedata.normalize("NFKC", text).replace("∂", "d").replace("′", "'")
    return re.sub(r"[\s_{}]+", "-", plain).strip("-")


class _Report:
    """The document, and the identifiers of its symbols in the page."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.math: Sequence[Mapping[str, str]] = document["math"]
        self.symbols: Sequence[Mapping[str, Any]] = document["symbols"]

    @cached_property
    def ids(self) -> list[str]:
        """The identifier of each symbol's place in the page, unique and readable."""
        taken, ids = set[str](), []
        for symbol in self.symbols:
            base = slug(self.math[symbol["name"]]["text"]) or "value"
            name, count = base, 1
            while name in taken:
                count += 1
                name = f"{base}.{count}"
            taken.add(name)
            ids.append(name)
        return ids

    @cached_property
    def sections(self) -> list[tuple[str, str, str]]:
        """(identifier, title, HTML) of each section that has something to show."""
        code, memory = bool(self.document["kernels"]), self.document["memory"]
        found = [
            ("picture", "Picture", self.picture()),
            ("gradients", "Gradients", self.gradients()),
            ("values", "Values", self.values()),
            ("updates", "Updates", self.equations("updates", "Updates", _UPDATES, _UPDATES_TEXT)),
            ("code", "Machine code", _CODE if code else ""),
            ("cost", "Cost", _COST if code else ""),
            ("memory", "Memory", _MEMORY if memory else ""),
            ("rules", "Rules", _RULES),
        ]
        return [part for part in found if part[2]]

    def head(self) -> str:
        """Title, one sentence, the loss, and the numbers that matter."""
        document = self.document
        loss = next((symbol for symbol in self.symbols if symbol["role"] == "loss"), None)
        formula = self.equation_math(loss) if loss is not None else ""
        facts = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts_of(document))
        return (
            f'<header class="head" id="top"><p class="kicker">{_kicker(document)}</p>'
            f'<h1>{escape(document["title"])}</h1><div class="loss">{formula}</div>'
            f'<dl class="facts">{facts}</dl>{_WAY if document["kernels"] else ""}</header>'
        )

    def picture(self) -> str:
        return _PICTURE

    def gradients(self) -> str:
        """A card for each parameter, which opens on its derivation."""
        cards = "\n".join(self.card(number) for number in range(len(self.document["parameters"])))
        return (
            f'<section id="gradients"><h2>Gradients</h2><p class="lead">{_GRADIENTS_TEXT}</p>{_LEVELS}'
            f'<div class="cards">{cards}</div>{self.legend()}</section>'
        )

    def card(self, number: int) -> str:
        parameter = self.document["parameters"][number]
        variable, gradient = self.symbols[parameter["symbol"]], self.symbols[parameter["gradient"]]
        steps = [self.document["steps"][number] for number in parameter["steps"]]
        steps = [step for step in steps if step["level"] != "full"]
        label = f'<span class="label">{escape(variable["label"] or "")}</span>'
        return (
            f'<details class="card" id="{escape(self.ids[variable["id"]])}" data-parameter="{number}" '
            f'data-symbol="{gradient["id"]}"><summary>{self.equation_math(gradient)}'
            f'<span class="about">{_marks(steps)}{label} {_shape(variable)} '
            f'<span class="count">{_count(len(steps), "step")}</span></span>'
            '</summary><div class="derivation"></div></details>'
        )

    def values(self) -> str:
        """The equations of forward and backward pass."""
        forward = self.equations("forward", "Forward", _FORWARD, "From the inputs to the loss.", level=3)
        backward = self.equations("backward", "Backward", _BACKWARD, "From the loss back to the parameters.", level=3)
        if not forward and not backward:
            return ""
        lead = f'<p class="lead">{self.values_text()}</p>'
        return f'<section id="values"><h2>Values</h2>{lead}{forward}{backward}</section>'

    def values_text(self) -> str:
        return f"{_VALUES_TEXT} {_VALUES_CODE_TEXT}" if self.document["kernels"] else _VALUES_TEXT

    def equations(self, name: str, title: str, roles: Iterable[str], text: str, level: int = 2) -> str:
        """name = formula, a row for each symbol in one of the roles."""
        chosen = [symbol for symbol in self.symbols if symbol["role"] in roles and symbol["formula"] is not None]
        if not chosen:
            return ""
        shown = _FIRST_UPDATES if roles is _UPDATES and len(chosen) > 2 * _FIRST_UPDATES else len(chosen)
        rows = "\n".join(map(self.row, chosen[:shown]))
        rest = "\n".join(map(self.row, chosen[shown:]))
        tag = "section" if level == 2 else "div"
        return (
            f'<{tag} id="{name}"><h{level}>{title}</h{level}><p class="lead">{text}</p>'
            f'<div class="equations">{rows}</div>{_folded(rest, len(chosen) - shown)}</{tag}>'
        )

    def row(self, symbol: Mapping[str, Any]) -> str:
        place = escape(self.ids[symbol["id"]])
        return (
            f'<div class="row" id="{place}" data-symbol="{symbol["id"]}" tabindex="0">'
            f'{self.equation_math(symbol)}<span class="about">{_shape(symbol)}</span></div>'
        )

    def equation_math(self, symbol: Mapping[str, Any]) -> str:
        """name = formula as three elements that a grid aligns at the sign."""
        name = f'<span class="name">{self.formula(symbol["name"])}</span>'
        if symbol["formula"] is None:
            return name
        return f'{name}<span class="is">=</span><span class="right">{self.formula(symbol["formula"])}</span>'

    def formula(self, number: int) -> str:
        """A formula as MathML, which says itself in text to those who do not see it."""
        entry = self.math[number]
        mathml, text = entry["mathml"], escape(entry["text"])
        return mathml if "alttext" in mathml[:80] else mathml.replace("<math", f'<math alttext="{text}"', 1)

    def legend(self) -> str:
        """What the symbols stand for."""
        pairs = self.document["legend"]
        if not pairs:
            return ""
        rows = "".join(f"<div><dt>{self.formula(a)}</dt><dd>{self.formula(b)}</dd></div>" for a, b in pairs)
        return f'<details class="legend"><summary>What the symbols stand for</summary><dl>{rows}</dl></details>'

    def parameter_links(self) -> str:
        """The parameters, for the table of contents."""
        parameters = [self.symbols[parameter["symbol"]] for parameter in self.document["parameters"]]
        links = (
            f'<li><a href="#{escape(self.ids[symbol["id"]])}" title="{escape(symbol["label"] or "")}">'
            f"{self.formula(symbol['name'])}</a></li>"
            for symbol in parameters
        )
        return f'<ol class="parameters">{"".join(links)}</ol>'


def facts_of(document: Document) -> list[tuple[str, str]]:
    """The numbers for the head of the page: (what, how much)."""
    meta, kernels = document["meta"], document["kernels"]
    facts = [("numbers trained", f"{meta['parameters']:,}")] if meta.get("parameters") else []
    facts.append(("gradients", str(len(document["parameters"]))))
    if kernels:
        facts.append(("kernels", str(len(kernels))))
        flops = sum(kernel["flops"] for kernel in kernels)
        facts.append(("operations a step", f"{amount(flops)}flop"))
    if document["memory"]:
        facts.append(("memory", f"{amount(document['memory']['arena'], 1024)}B"))
    if meta.get("step_us") is not None:
        facts.append(("a step", _time(meta["step_us"])))
    return facts


def amount(value: float, base: int = 1000) -> str:
    """A number with a prefix and three digits: 1.23 M."""
    prefixes = ("", "k", "M", "G", "T") if base == 1000 else ("", "Ki", "Mi", "Gi", "Ti")
    power = 0
    while value >= base and power < len(prefixes) - 1:
        value, power = value / base, power + 1
    digits = f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    return f"{digits} {prefixes[power]}"


def _time(microseconds: float) -> str:
    return f"{microseconds / 1000:.3g} ms" if microseconds >= 1000 else f"{microseconds:.3g} µs"


def _kicker(document: Document) -> str:
    """What was compiled, and for what, in one line."""
    meta = document["meta"]
    if not document["kernels"]:
        return "Derivation"
    sizes = ", ".join(f"{name} ≤ {size}" for name, size in meta["sizes"].items())
    parts = ["Training step" if meta["entry"] == "step" else meta["entry"], meta["optimizer"], meta["dtype"], sizes]
    return " · ".join(escape(str(part)) for part in [*parts, meta["cpu"]] if part)


def _marks(steps: Sequence[Mapping[str, Any]]) -> str:
    """Marks that say how many steps make something stable, and how many are choices at kinks."""
    marks = []
    for kind, title in _MARKS.items():
        count = sum(step["kind"] == kind for step in steps)
        if count:
            marks.append(f'<span class="mark {kind}" title="{_count(count, "step")}: {title}">{count}</span>')
    return "".join(marks)


def _folded(rows: str, count: int) -> str:
    """Rows that are shown on demand; nothing for none."""
    if not rows:
        return ""
    return f'<details class="rest"><summary>{count} more</summary><div class="equations">{rows}</div></details>'


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shape(symbol: Mapping[str, Any]) -> str:
    return f'<span class="shape" title="{escape(symbol["dtype"])}">{escape(symbol["shape"])}</span>'


_GRADIENTS_TEXT = (
    "What is trained, and how its gradient was found. Open one to read the derivation, "
    "rule by rule, as the compiler applied it."
)
_VALUES_TEXT = "The values that the gradients mention."
_VALUES_CODE_TEXT = "Click one: what it becomes in the machine lights up below."
_UPDATES_TEXT = "What a step writes into the parameters and into the optimizer's state."

_MARKS = {
    "stabilising": "equal over the reals, better in floating point",
    "subgradient": "a choice where there is no derivative",
}

_WAY = '<div id="way" class="way" aria-label="One gradient, all the way down"></div>'

_LEVELS = f"""
<div class="bar levels" role="radiogroup" aria-label="Detail of the derivations">
<label><input type="radio" name="level" value="brief"> brief</label>
<label><input type="radio" name="level" value="normal" checked> normal</label>
<label><input type="radio" name="level" value="full"> full</label>
<span class="key"><span class="mark stabilising">more stable</span> {_MARKS["stabilising"]}</span>
<span class="key"><span class="mark subgradient">at the kink</span> {_MARKS["subgradient"]}</span>
</div>
"""

_PICTURE = """
<section id="picture"><h2>Picture</h2>
<p class="lead">Every named value, from the inputs down. Click a node to open it, drag to move, pinch or scroll with
Ctrl to come nearer.</p>
<div class="bar" id="picture-bar"></div>
<div class="picture"><div id="canvas" tabindex="0" role="application" aria-label="The graph of the values"></div>
<aside id="node" aria-live="polite" hidden></aside></div>
</section>
"""

_CODE = """
<section id="code"><h2>Machine code</h2>
<p class="lead">The same computation four times. Point at a line to see what it comes from and what it becomes; click to
pin it.</p>
<div class="bar" id="code-bar"></div>
<div class="panes" id="panes"></div>
</section>
"""

_COST = """
<section id="cost"><h2>Cost</h2>
<p class="lead">What each kernel computes and moves, and what the machine allows.</p>
<div id="roofline" class="chart"></div>
<div class="table" id="kernels" tabindex="0" role="region" aria-label="Kernels and their cost"></div>
</section>
"""

_MEMORY = """
<section id="memory"><h2>Memory</h2>
<p class="lead">One arena, planned before anything runs: each buffer lives from the kernel that first needs it to the
one that needs it last.</p>
<div id="arena" class="chart"></div>
</section>
"""

_RULES = """
<section id="rules"><h2>Rules</h2>
<p class="lead">The rules that these derivations use, and why each holds.</p>
<div id="law"></div>
</section>
"""
