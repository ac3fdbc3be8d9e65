"""Where code comes from: origins through all passes, marks through LLVM text, line numbers through LLVM."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import combinations

import pytest

import codegen
from codegen import pipeline
from codegen.llvm import jit
from codegen.llvm.builder import MARK, Mark
from codegen.llvm.debug import assembly_functions, functions, with_locations
from codegen.llvm.module import LibraryText
from codegen.loops.grammar import Apply, Const, Kernel, Let, Load, Loop, Program, Ref, Store, kernels, subscalars
from codegen.loops.parse import parse
from codegen.loops.rewrite import stemming_from, substitute_axes_block
from codegen.loops.text import lines_of, show
from codegen.passes.core import map_kernels
from codegen.provenance import Listings, numbered
from symnet.expr.traverse import postorder
from tests.symnet.report.networks import PROGRAMS, program

NETWORKS = sorted(PROGRAMS)


@lru_cache(maxsize=None)
def loops_of(name: str) -> Program:
    plan = program(name).about.plan()
    return pipeline.compile_entry(plan.module.entries[0], plan.module)


@lru_cache(maxsize=None)
def listings_of(name: str) -> Listings:
    return codegen.listings(program(name).about.plan().module, "step")


@lru_cache(maxsize=None)
def text_of(name: str) -> str:
    """The LLVM text of the ordinary compilation."""
    return LibraryText({"step": loops_of(name)}, codegen.host()).text


# --- origins ------------------------------------------------------------------------------------------------------


def test_an_origin_says_nothing_about_what_a_node_is() -> None:
    load = Load("x", (), "float32")
    plain = Let("a", Apply("exp", (load,), "float32"))
    (noted,) = stemming_from([plain], "here")
    parts = [part for line in lines_of([noted]) for part in subscalars(line.scalars[0])]
    assert [getattr(part, "origin", None) for part in parts] == ["here", "here"]
    assert noted.origin == "here"
    assert noted == plain
    assert hash(noted) == hash(plain)
    assert repr(noted) == repr(plain)


def test_the_first_origin_stays() -> None:
    body = stemming_from([Store("y", (), Ref("a", "float32"))], "first")
    (store,) = stemming_from(body, "second")
    assert store.origin == "first"
    (renamed,) = substitute_axes_block([Loop((), (store,), "loop")], {})
    assert isinstance(renamed, Loop)
    assert renamed.origin == "loop"
    assert renamed.body[0].origin == "first"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_statement_stems_from_a_node_after_all_passes(name: str) -> None:
    """All lines of all kernels but the heads of loops; the nodes are those of the graph that was lowered."""
    plan = program(name).about.plan()
    lowered = set(map(id, postorder(plan.roots("step"))))
    kernels_seen: set[int] = set()
    nodes: set[int] = set()
    for line in listings_of(name).loops:
        if line.kernel is not None and not line.text.lstrip().startswith(("for ", "each:")):
            assert line.nodes, line.text
            kernels_seen.add(line.kernel)
            nodes.update(map(id, line.nodes))
    assert kernels_seen == set(range(len(listings_of(name).kernels)))
    assert nodes & lowered


# --- lines of the loop program ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_listings_are_the_text_of_the_program(name: str) -> None:
    listing, loops = listings_of(name), loops_of(name)
    text = "\n".join(f"  {line.text}".rstrip() for line in listing.loops)
    assert show(loops).rstrip("\n").endswith(text)
    for kernel, known in zip(kernels(loops.items), listing.kernels, strict=True):
        first, last = known.lines
        assert listing.loops[first - 1].text.lstrip().startswith(f"kernel {kernel.name} (")
        assert last - first == sum(1 for _ in lines_of(kernel.body))


@pytest.mark.parametrize("name", NETWORKS)
def test_statements_are_numbered_by_their_lines(name: str) -> None:
    for kernel in kernels(loops_of(name).items):
        seen = set[int]()
        for number, line in enumerate(lines_of(numbered(kernel).body), 1):
            mark = line.stmt.origin
            assert isinstance(mark, Mark)
            if mark.number not in seen:
                assert mark.number == number  # its first line
                seen.add(mark.number)


# --- lines of the LLVM text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_marks_change_nothing_but_comments(name: str) -> None:
    loops = loops_of(name)
    marked = replace(loops, items=map_kernels(loops.items, numbered))
    text = LibraryText({loops.name: marked}, codegen.host(), marked=True).text
    assert MARK not in text_of(name)
    assert [line.partition(MARK)[0] for line in text.split("\n")] == text_of(name).split("\n")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_statement_has_lines_in_llvm(name: str) -> None:
    """And every mark is the line of a statement. What needs no instruction of its own may be without: `y = x`."""
    listing, loops = listings_of(name), loops_of(name)
    found = {function.name: function for function in listing.functions}
    for kernel, known in zip(kernels(loops.items), listing.kernels, strict=True):
        own = [f for f in known.functions if not f.startswith("sn.")]
        marks = {mark for f in own for mark in found[f].marks if mark is not None}
        lines = {line.stmt.origin.number: line for line in lines_of(numbered(kernel).body)}
        assert marks <= set(lines)
        for number in set(lines) - marks:
            stmt = lines[number].stmt
            assert isinstance(stmt, (Let, Loop)), lines[number].text


@pytest.mark.parametrize("name", NETWORKS)
def test_the_entry_calls_every_kernel(name: str) -> None:
    listing = listings_of(name)
    (entry,) = (function for function in listing.functions if function.name == "sn_step")
    lines = zip(entry.lines, entry.marks, strict=True)
    called = {mark: line for line, mark in lines if "call void @step." in line}
    for number, kernel in enumerate(listing.kernels):
        assert f"@{kernel.functions[0]}.share(" in called[number]


# --- lines of the assembly ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_locations_do_not_change_the_code(name: str) -> None:
    """What the listings show is what the ordinary compilation makes."""
    plain = {
        function.name: function.lines for function in assembly_functions(jit.assembly(text_of(name), codegen.host()))
    }
    for function in listings_of(name).assembly:
        assert function.lines == plain[function.name]


@pytest.mark.parametrize("name", NETWORKS)
def test_assembly_points_at_instructions(name: str) -> None:
    """Every line of assembly at one of its own function (or of one that was inlined), most lines at some."""
    listing = listings_of(name)
    places = {f.first + offset: (f.name, line) for f in listing.functions for offset, line in enumerate(f.lines)}
    shown = {function.name for function in listing.functions if not function.inlined}
    assert {function.name for function in listing.assembly} == shown
    for function in listing.assembly:
        assert function.lines
        for line, origin in zip(function.lines, function.origins, strict=True):
            if origin:
                where, instruction = places[origin]
                assert where == function.name, line
                assert instruction.startswith("  "), instruction
        code_lines = [line for line in function.lines if not line.endswith(":") and ".p2align" not in line]
        known = sum(1 for origin in function.origins if origin)
        assert known >= 0.5 * len(code_lines), f"{function.name}: {known} of {len(code_lines)}"


def test_functions_are_found_in_texts() -> None:
    text = 'define void @"a b"(i64 %x) nounwind {\nentry:\n  ret void  ;@7\n}\n'
    (found,) = functions(text)
    assert (found.name, found.first, found.marks) == ("a b", 1, (None, None, 7, None))
    assert found.lines[2] == "  ret void"
    located = with_locations(text)
    assert "  ret void, !dbg !5\n" in located
    assert "!5 = !DILocation(line: 3, scope: !4)" in located
    (machine,) = assembly_functions(jit.assembly(located, codegen.host()))
    assert machine.name == "a b"
    assert 3 in machine.origins
    assert any("ret" in line for line in machine.lines)


# --- memory and cost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_rectangles_do_not_overlap(name: str) -> None:
    listing = listings_of(name)
    last = len(listing.kernels) - 1
    for one in listing.memory:
        assert one.buffer.offset is not None
        assert 0 <= one.first <= one.last <= last
        assert one.buffer.offset + one.bytes <= listing.arena
        if one.buffer.role in ("parameter", "state"):
            assert (one.first, one.last) == (0, last)
    for a, b in combinations(listing.memory, 2):
        apart_in_time = a.last < b.first or b.last < a.first
        start, other = a.buffer.offset or 0, b.buffer.offset or 0
        assert apart_in_time or start + a.bytes <= other or other + b.bytes <= start, (a, b)


def test_a_kernel_of_a_constant_has_an_origin_too() -> None:
    body = stemming_from([Store("y", (), Const(0.0, "float32"))], "zeros")
    assert [line.stmt.origin for line in lines_of(Kernel("k", (), body).body)] == ["zeros"]


def test_the_text_tells_origins_on_request_and_parses_with_them() -> None:
    loops = loops_of("mlp")
    text = show(loops, origins=True)
    assert "    acc = sum(j: 13) x[n, j] * p0.weight[i, j]  # contract\n" in text
    assert parse(text) == parse(show(loops)) == loops
