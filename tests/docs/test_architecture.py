"""docs/architecture.md shows what the compiler does today: its blocks are regenerated and compared."""

from __future__ import annotations

import inspect
import platform
import re
import textwrap
from pathlib import Path

import pytest

import codegen
import symnet as sn
from codegen.loops.text import show
from codegen.lower import lower
from codegen.spec import Entry, Module
from symnet.expr.text import listing
from symnet.report import document
from symnet.simplify import expand, simplify

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
BLOCK = re.compile(r"<!-- stage: (?P<stage>\w+) -->\n(?:```\w*\n.*?\n```\n)?", re.DOTALL)


def definition() -> tuple[sn.Expr, list[sn.Expr], sn.optim.Optimizer]:
    x = sn.input("x", shape=("N", 4))
    y = sn.input("y", shape=("N",), dtype="int64")
    W = sn.parameter("W", (4, 3), init=sn.init.kaiming_uniform())
    b = sn.parameter("b", (3,), init=sn.init.zeros())
    z = sn.name("z", x @ W + b)
    p = sn.exp(z) / sn.sum(sn.exp(z), axis=1, keepdims=True)
    loss = -sn.mean(sn.log(p)[sn.arange(x.shape[0]), y])
    return loss, [W, b], sn.optim.SGD(lr=0.1)


def stages() -> dict[str, tuple[str, str]]:
    """Stage -> (language of the block, text)."""
    loss, parameters, optimizer = definition()
    source = inspect.getsource(definition).splitlines()[1:-1]
    gradients = sn.grad(loss, parameters)
    updates, _ = optimizer.build(parameters, gradients)
    roots = expand(simplify([loss, *(value for _, value in updates)]))
    pairs = tuple((node, value) for (node, _), value in zip(updates, roots[1:], strict=True))
    module = Module("regression", (Entry("step", {"loss": roots[0]}, pairs),), {"N": 32})
    library = codegen.build(module, target="x86-64-v3")
    kernel = re.search(r"^define [^\n]*@step\.update_b\(.*?^\}", library.source("llvm"), re.MULTILINE | re.DOTALL)
    assert kernel
    return {
        "definition": ("python", textwrap.dedent("\n".join(source))),
        "graph": ("text", listing(loss)),
        "derivative": ("text", str(sn.explain(loss, wrt=parameters))),
        "simplified": ("text", listing(gradients)),
        "lowered": ("text", show(lower(module.entries[0], module))),
        "scheduled": ("text", library.source("loops")),
        "llvm": ("llvm", kernel[0]),
        "provenance": ("text", provenance("update_b")),
    }


def provenance(name: str) -> str:
    """The lines of a kernel: what they compute a part of, and how many lines of LLVM text and assembly they become."""
    loss, _, optimizer = definition()
    found = document(sn.compile(loss=loss, optimizer=optimizer, batch={"N": 32}, target="x86-64-v3"))
    (kernel,) = [kernel for kernel in found["kernels"] if kernel["name"] == name]
    function = found["llvm"][kernel["functions"][0]]
    (machine,) = [machine for machine in found["asm"] if machine["llvm"] == function["id"]]
    first, last = kernel["lines"]
    rows = []
    for number in range(first + 1, last + 1):
        llvm = [function["first"] + at for at, line in enumerate(function["lines"]) if line == number - first]
        symbols = (found["symbols"][symbol]["name"] for symbol in found["loops"]["symbols"][number - 1])
        names = ", ".join(found["math"][symbol]["text"] for symbol in symbols)
        assembly = sum(line in llvm for line in machine["lines"])
        rows.append((names, found["loops"]["text"].split("\n")[number - 1].strip(), len(llvm), assembly))
    wide = [max(len(str(row[column])) for row in rows) for column in range(4)]
    return "\n".join(
        f"{names:<{wide[0]}}   {text:<{wide[1]}}   {llvm:>{wide[2]}} LLVM, {assembly:>{wide[3]}} assembly"
        for names, text, llvm, assembly in rows
    )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the page shows code for x86-64")
def test_the_page_is_up_to_date(request: pytest.FixtureRequest) -> None:
    shown = stages()
    page = PAGE.read_text(encoding="utf-8")

    def block(match: re.Match[str]) -> str:
        language, text = shown.pop(match["stage"])
        return f"<!-- stage: {match['stage']} -->\n```{language}\n{text.strip()}\n```\n"

    fresh = BLOCK.sub(block, page)
    assert not shown, f"the page does not show {', '.join(shown)}"
    if request.config.getoption("--update-golden"):
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != page:
        pytest.fail("docs/architecture.md is not what the compiler does now; --update-golden rewrites it", False)


def test_links_lead_somewhere() -> None:
    for page in PAGE.parent.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
