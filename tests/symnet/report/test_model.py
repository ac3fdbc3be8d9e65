"""The data of reports: what `SCHEMA.md` says, for a program of every kind."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import Unsupported
from symnet.report import derivation_document, document
from tests.symnet.report.networks import PROGRAMS, program

NETWORKS = sorted(PROGRAMS)
Data = dict[str, Any]


@lru_cache(maxsize=None)
def data(name: str) -> Data:
    return document(program(name), title=name)


def name_of(found: Data, symbol: int) -> str:
    return str(found["math"][found["symbols"][symbol]["name"]]["text"])


def named(found: Data, name: str) -> Data:
    """The symbol of a name."""
    (symbol,) = [symbol for symbol in found["symbols"] if name_of(found, symbol["id"]) == name]
    return dict(symbol)


def formula_of(found: Data, symbol: Data) -> str:
    return str(found["math"][symbol["formula"]]["text"])


def names_in(found: Data, line: str) -> set[str]:
    """The symbols of the line of the loop program that begins so."""
    lines = found["loops"]["text"].split("\n")
    (number,) = [number for number, text in enumerate(lines) if text.strip().startswith(line)]
    return {name_of(found, symbol) for symbol in found["loops"]["symbols"][number]}


# --- the document as a whole --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_is_plain_data_whose_numbers_refer_to_what_is_there(name: str) -> None:
    found = json.loads(json.dumps(data(name)))
    math, symbols, kernels = found["math"], found["symbols"], found["kernels"]
    assert found["format"] == 1
    assert [one["id"] for one in symbols] == list(range(len(symbols)))
    assert [one["id"] for one in kernels] == list(range(len(kernels)))
    for symbol in symbols:
        assert 0 <= symbol["name"] < len(math)
        assert symbol["formula"] is None or 0 <= symbol["formula"] < len(math)
        assert symbol["id"] not in symbol["uses"]
        assert all(0 <= used < len(symbols) for used in symbol["uses"])
        assert all(0 <= kernel < len(kernels) for kernel in symbol["kernels"])
        assert symbol["cluster"] is None or found["clusters"][symbol["cluster"]]["id"] == symbol["cluster"]
    for entry in math:
        assert entry["mathml"].startswith("<math")
        assert entry["mathml"].endswith("</math>")
        assert entry["text"]
    assert len({(entry["text"], entry["mathml"]) for entry in math}) == len(math)
    for kernel in kernels:
        assert all(kernel["id"] in symbols[symbol]["kernels"] for symbol in kernel["symbols"])
    assert [M["text"] for pair in found["legend"] for M in (math[pair[0]], math[pair[1]])]


@pytest.mark.parametrize("name", NETWORKS)
def test_listings_and_their_links_have_as_many_lines(name: str) -> None:
    found = data(name)
    loops, llvm, asm, kernels = found["loops"], found["llvm"], found["asm"], found["kernels"]
    lines = loops["text"].split("\n")
    assert len(lines) == len(loops["symbols"]) == len(loops["kernel"])
    for kernel in kernels:
        first, last = kernel["lines"]
        assert set(loops["kernel"][first - 1 : last]) == {kernel["id"]}
        assert kernel["functions"]
        for number in kernel["functions"]:
            assert kernel["id"] in llvm[number]["kernels"]
    places = {}
    for function in llvm:
        text = function["text"].split("\n")
        assert len(text) == len(function["lines"]) > 1
        places.update({function["first"] + offset: function["id"] for offset in range(len(text))})
        if function["role"] in ("kernel", "tile"):
            length = kernels[function["kernels"][0]]["lines"]
            assert max(function["lines"]) <= length[1] - length[0]
            assert max(function["lines"]) >= 1
    for function in asm:
        assert len(function["text"].split("\n")) == len(function["lines"]) > 1
        assert {places[line] for line in function["lines"] if line} == {function["llvm"]}
    (entry,) = (function for function in llvm if function["role"] == "entry")
    assert set(entry["lines"]) - {-1} == set(range(len(kernels)))


# --- from formulas to code ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_every_gradient_has_kernels_and_every_kernel_symbols(name: str) -> None:
    found = data(name)
    assert found["parameters"]
    for parameter in found["parameters"]:
        gradient, update = (found["symbols"][parameter[key]] for key in ("gradient", "update"))
        assert gradient["role"] == "gradient"
        assert gradient["kernels"], name_of(found, gradient["id"])
        assert update["role"] == "update"
        assert update["kernels"]
        assert gradient["of"] == update["of"] == parameter["symbol"]
        assert found["symbols"][parameter["symbol"]]["role"] == "parameter"
    for kernel in found["kernels"]:
        assert kernel["symbols"], kernel["name"]


@pytest.mark.parametrize("name", NETWORKS)
def test_what_has_no_kernel_says_why(name: str) -> None:
    for symbol in data(name)["symbols"]:
        if symbol["formula"] is not None and not symbol["kernels"]:
            assert symbol["note"]


def test_statements_of_an_mlp_belong_to_the_formulas_they_compute() -> None:
    found = data("mlp")
    assert formula_of(found, named(found, "δ₁")) == "(δ₂ W₂) ⊙ 1[z₁ > 0]"
    assert names_in(found, "acc = sum(j: 13) x[n, j] * p0.weight[i, j]") == {"z₁"}
    assert names_in(found, "maximum1[n, i] = maximum(acc + p0.bias[i], 0.0f)") == {"z₁", "h₁"}
    assert names_in(found, "p2.weight[i, j] =") == {"W′₂"}
    lines = found["loops"]["text"].split("\n")
    kernel = found["kernels"][named(found, "∂L/∂W₁")["kernels"][0]]
    assert "update_p0.weight" in lines[kernel["lines"][0] - 1]
    names = {name_of(found, symbol) for symbol in kernel["symbols"]}
    assert names - {"c₁", "c₂"} == {"∂L/∂W₁", "m′_{W,1}", "v′_{W,1}", "W′₁"}


def test_the_step_of_a_loop_belongs_to_the_values_at_that_step() -> None:
    found = data("recurrent")
    assert names_in(found, "f = 1.0f / (1.0f + exp(-s_steps[t, n, i + 10]))") == {"fₜ"}
    assert names_in(found, "carry2[t + 1, n, i] = carry2") == {"cₜ"}
    assert names_in(found, "carry1[t + 1, n, i] = o * tanh(carry2)") == {"hₜ"}
    assert named(found, "sₜ")["shape"] == "[N, 40]"


def test_what_a_loop_begins_with_and_takes_is_part_of_the_picture() -> None:
    found = data("recurrent")
    used = {name_of(found, symbol) for symbol in named(found, "hₜ")["uses"]}
    assert {"oₜ", "cₜ", "h₀"} <= used
    assert named(found, "h₀")["shape"] == "[N, 10]"
    reached, pending = set[int](), [named(found, "hₜ")["id"]]
    while pending:
        symbol = pending.pop()
        if symbol not in reached:
            reached.add(symbol)
            pending += found["symbols"][symbol]["uses"]
    assert named(found, "text")["id"] in reached
    for parameter in found["parameters"]:
        assert len(parameter["where"]) == len(set(parameter["where"]))


def test_values_of_the_network_have_the_names_of_the_user() -> None:
    found = data("by_hand")
    error = named(found, "error")
    assert formula_of(found, error) == "z − t"
    assert error["role"] == "forward"
    assert formula_of(found, named(found, "w′")) == "w − lr (∂L/∂w + λ w)"


def test_a_part_of_a_formula_keeps_its_gradient_when_a_sign_moves() -> None:
    """∂L/∂W = −tᵀ x / N goes into λ W + ∂L/∂W as λ W − tᵀ x / N: the gradient is no node of it."""
    x, t = sn.input("x", ("N", 5)), sn.input("t", ("N", 3))
    loss = sn.losses.KLDivLoss()(sn.nn.Linear(5, 3)(x), t)
    found = document(sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": 4}))
    assert formula_of(found, named(found, "∂L/∂W")).startswith("−")
    assert names_in(found, "acc = sum(n: N) x[n, j] *") == {"∂L/∂W"}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_way_leads_from_every_gradient_to_instructions(name: str) -> None:
    """Gradient, line of the loop program, line of LLVM, line of assembly."""
    found = data(name)
    for parameter in found["parameters"]:
        reached = set()
        symbol = found["symbols"][parameter["gradient"]]
        source = symbol["uses"][0] if symbol["note"] else symbol["id"]  # another name of one value
        for number in symbol["kernels"]:
            kernel = found["kernels"][number]
            first, last = kernel["lines"]
            own = {n - first for n in range(first + 1, last + 1) if source in found["loops"]["symbols"][n - 1]}
            for function in (found["llvm"][f] for f in kernel["functions"]):
                reached |= {function["first"] + at for at, line in enumerate(function["lines"]) if line in own}
        assert any(reached & set(function["lines"]) for function in found["asm"]), name_of(found, symbol["id"])


# --- derivations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_has_the_steps_that_lead_to_it(name: str) -> None:
    found = data(name)
    used: set[int] = set()
    for parameter in found["parameters"]:
        steps = [found["steps"][number] for number in parameter["steps"]]
        assert parameter["steps"] == sorted(set(parameter["steps"]))
        assert any(step["kind"] in ("chain", "subgradient") for step in steps)
        used.update(parameter["steps"])
    for step in found["steps"]:
        assert step["reason"]
        assert step["sign"] in ("→", "=", "+=")
    missing = [found["steps"][number]["rule"] for number in set(range(len(found["steps"]))) - used]
    assert len(missing) <= 0.1 * len(found["steps"]), missing


def test_the_steps_of_one_gradient_are_those_of_its_own_derivation() -> None:
    """The first layer's pass through the second; the second layer's bias needs neither the first nor any weight."""
    found = data("mlp")
    names = [name_of(found, parameter["symbol"]) for parameter in found["parameters"]]
    assert names == ["W₁", "b₁", "W₂", "b₂"]
    own = {name: set(p["steps"]) for name, p in zip(names, found["parameters"], strict=True)}
    text = {number: found["math"][step["left"]]["text"] for number, step in enumerate(found["steps"])}
    chain = {text[n]: {name for name in names if n in own[name]} for n in text if found["steps"][n]["sign"] != "→"}
    assert chain["∂L/∂W₁"] == {"W₁"}
    assert chain["∂L/∂W₂"] == {"W₂"}
    assert chain["∂L/∂b₂"] == {"b₂"}
    assert chain["δ₂"] == set(names)
    assert chain["∂L/∂h₁"] == chain["δ₁"] == {"W₁", "b₁"}


def test_what_is_simplified_inside_a_loop_belongs_to_the_derivation() -> None:
    """The two results of a choice are graphs of their own; the steps in them lead to the gradient too."""
    x, w = sn.input("x", ("N", 5)), sn.parameter("w", (5,))
    mean = sn.mean(x @ w)
    found = derivation_document(sn.explain(sn.cond(mean > 0, lambda a: a * a, lambda a: sn.exp(a), mean), wrt=w))
    (parameter,) = found["parameters"]
    assert parameter["steps"] == list(range(len(found["steps"])))
    assert "product-with-itself" in {step["rule"] for step in found["steps"]}


def test_a_derivation_alone_has_a_document_without_code() -> None:
    x, w = sn.input("x", ("N", 3)), sn.parameter("w", (3,))
    found = derivation_document(sn.explain(sn.mean((x @ w) ** 2), wrt=w), title="a line")
    assert found["title"] == "a line"
    assert not found["kernels"]
    assert found["memory"] is None
    (parameter,) = found["parameters"]
    assert name_of(found, parameter["gradient"]) == "∂L/∂w"
    assert parameter["update"] is None
    assert parameter["steps"] == list(range(len(found["steps"])))


# --- cost and memory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_have_costs_and_a_roof(name: str) -> None:
    found = data(name)
    machine = found["machine"]
    assert machine["threads"] >= 1
    assert machine["bandwidth"] > 0
    for kernel in found["kernels"]:
        assert kernel["bytes"] > 0 or kernel["note"] == "check"
        assert kernel["flops"] >= kernel["products"] >= 0
        assert kernel["runs"] >= 1
        assert kernel["bound_us"] >= 0
        assert kernel["limit"] in ("compute", "cache", "memory")
        assert kernel["time_us"] is None
    flops = sum(kernel["products"] for kernel in found["kernels"])
    assert flops > 0


def test_products_are_those_of_the_formulas() -> None:
    """Forward, the weight's gradient and the input's: 2 M N K each, the input's not in the first layer."""
    kernels = data("mlp")["kernels"]
    first, second = 2 * 9 * 13 * 19, 2 * 9 * 19 * 7
    assert sum(kernel["products"] for kernel in kernels) == 2 * first + 3 * second


@pytest.mark.parametrize("name", NETWORKS)
def test_buffers_do_not_overlap_in_time_and_space(name: str) -> None:
    memory, kernels = data(name)["memory"], data(name)["kernels"]
    for buffer in memory["buffers"]:
        assert buffer["bytes"] > 0
        assert 0 <= buffer["first"] <= buffer["last"] < len(kernels)
        assert buffer["offset"] + buffer["bytes"] <= memory["arena"]
    for a, b in combinations(memory["buffers"], 2):
        in_time = a["first"] <= b["last"] and b["first"] <= a["last"]
        in_space = a["offset"] < b["offset"] + b["bytes"] and b["offset"] < a["offset"] + a["bytes"]
        assert not (in_time and in_space), (a, b)
    held = {symbol for buffer in memory["buffers"] for symbol in buffer["symbols"]}
    assert {parameter["symbol"] for parameter in data(name)["parameters"]} <= held


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_alive_at_a_time_fits_into_the_arena(name: str) -> None:
    memory, kernels = data(name)["memory"], data(name)["kernels"]
    for time in range(len(kernels)):
        alive = [buffer for buffer in memory["buffers"] if buffer["first"] <= time <= buffer["last"]]
        assert sum(buffer["bytes"] for buffer in alive) <= memory["arena"]
    stays = [buffer for buffer in memory["buffers"] if buffer["role"] in ("parameter", "state")]
    assert all((buffer["first"], buffer["last"]) == (0, len(kernels) - 1) for buffer in stays)
    assert sum(buffer["bytes"] for buffer in stays) <= memory["persistent"] <= memory["arena"]


def test_measuring_gives_times_and_changes_nothing() -> None:
    prog = program("by_hand")
    before = {name: np.copy(prog.parameters[name]) for name in prog.parameters}
    found = document(prog, measure={"x": np.ones((8, 4), "float32"), "t": np.ones(8, "float32")})
    assert all(kernel["time_us"] > 0 for kernel in found["kernels"])
    assert sum(kernel["share"] for kernel in found["kernels"]) == pytest.approx(1)
    assert found["meta"]["step_us"] > 0
    for name, value in before.items():
        np.testing.assert_array_equal(prog.parameters[name], value)


def test_inputs_to_measure_on_are_made_up_where_none_are_given() -> None:
    found = document(program("mlp"), measure=True)
    assert found["meta"]["step_us"] > 0


def test_a_program_without_machine_code_is_refused() -> None:
    x, w = sn.input("x", ("N", 3)), sn.parameter("w", (3,))
    loss = sn.mean((x @ w) ** 2)
    prog = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.1), batch={"N": 4}, backend="numpy")
    with pytest.raises(Unsupported, match="backend='llvm'"):
        document(prog)


def test_variables_may_be_inside_the_loss_or_without_influence() -> None:
    x, w = sn.input("x", ("N", 3)), sn.parameter("w", (3,))
    unused, score = sn.parameter("unused", (2,)), sn.name("score", x @ w)
    found = derivation_document(sn.explain(sn.mean(score**2) + 0.0 * sn.sum(unused), wrt=[w, score, unused]))
    assert [name_of(found, parameter["symbol"]) for parameter in found["parameters"]] == ["w", "score", "unused"]
    assert [name_of(found, parameter["gradient"]) for parameter in found["parameters"]][1:] == [
        "∂L/∂score",
        "∂L/∂unused",
    ]
