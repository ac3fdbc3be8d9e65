"""The text of every stage of three small programs, kept in tests/golden/NAME.STAGE.txt.

A change of any rule, pass or printer shows here as a diff to read; `--update-golden` accepts it.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable

import pytest

import codegen
import symnet as sn
from codegen.spec import Entry, Module
from symnet.derive.api import usual_gradients
from symnet.expr.text import listing
from symnet.simplify import expand, simplify
from tests.stages.programs import PROGRAMS

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", PROGRAMS)
def test_graph(name: str, golden: Golden) -> None:
    loss, _, _ = PROGRAMS[name]()
    golden(f"{name}.graph.txt", f"as written\n\n{listing(loss)}\nsimplified\n\n{listing(simplify(loss))}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_derivative(name: str, golden: Golden) -> None:
    loss, parameters, _ = PROGRAMS[name]()
    gradients = usual_gradients(loss, parameters)
    derivation = sn.explain(loss, wrt=parameters)
    golden(f"{name}.derivative.txt", f"{listing(gradients)}\n{derivation}")


def step_module(name: str) -> Module:
    """The training step of a program, ready for the code generator."""
    loss, parameters, optimizer = PROGRAMS[name]()
    updates, _ = optimizer.build(parameters, usual_gradients(loss, parameters))
    roots = expand(simplify([loss, *(value for _, value in updates)]))
    pairs = tuple((node, value) for (node, _), value in zip(updates, roots[1:], strict=True))
    return Module(name, (Entry("step", {"loss": roots[0]}, pairs),), {"N": 32})


@pytest.mark.parametrize("name", PROGRAMS)
def test_loops(name: str, golden: Golden) -> None:
    golden(f"{name}.loops.txt", codegen.build(step_module(name), target="x86-64-v3").source("loops"))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kept text is that of x86-64 with AVX2")
@pytest.mark.parametrize("name", PROGRAMS)
def test_llvm(name: str, golden: Golden) -> None:
    text = codegen.build(step_module(name), target="x86-64-v3").source("llvm")
    kernels = re.findall(r"^define [^\n]*@step\.[^\n]*\{\n.*?^\}\n", text, re.MULTILINE | re.DOTALL)
    assert kernels
    entry = re.search(r"^define [^\n]*@sn_step\([^\n]*\{\n.*?^\}\n", text, re.MULTILINE | re.DOTALL)
    assert entry
    golden(f"{name}.llvm.txt", "\n".join([*kernels, entry[0]]))
