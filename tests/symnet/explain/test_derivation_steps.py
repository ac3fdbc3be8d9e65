"""A derivation is complete and right: its steps lead to the compiled graph, and every one holds by numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import symnet as sn
from symnet.derive.reverse import ChainStep
from symnet.errors import CompilerBug, UnknownName, UsageError
from symnet.expr import dtypes
from symnet.expr.op import REGISTRY
from symnet.expr.traverse import leaves
from symnet.ops.usually import in_short
from symnet.simplify import api
from symnet.simplify.pattern import variables
from symnet.simplify.rule import RuleSet, rule
from tests.symnet.explain.examples import EXAMPLES, losses
from tests.symnet.explain.programs import PROGRAMS

x, y = variables("x y")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_parameter_of_every_example(example: str, seed: int) -> None:
    found = losses(example)
    assert found
    for loss, parameters in found:
        derivation = sn.explain(loss, parameters)
        replayed = derivation.replay()
        assert all(map(lambda a, b: a is b, replayed, derivation.gradients))
        verification = derivation.verify(seed)
        assert verification.steps == len(derivation.steps) > 0
        assert verification.checks >= len(parameters) + 1
        assert verification.worst < 1e-5


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e != "three_losses"])
def test_the_replayed_graph_is_what_a_program_is_built_from(example: str) -> None:
    ((loss, parameters),) = losses(example)
    derivation = sn.explain(loss, parameters)
    sizes = {dim: 8 for leaf in leaves([loss], "input") for dim in leaf.shape if isinstance(dim, str)}
    program = sn.compile(loss, sn.optim.SGD(lr=0.1), batch=sizes, backend="numpy", accuracy="off")
    compiled = program.about.watched.gradients
    for parameter, gradient in zip(parameters, derivation.replay(), strict=True):
        assert compiled[str(parameter.name)] is gradient
        alone = sn.explain(program, wrt=parameter)
        assert alone.replay()[0] is alone.gradients[0] is gradient
        assert 0 < len(alone.steps) <= len(derivation.steps)
        assert str(alone).startswith(f"{alone.formulas[0]}\nwhere\n")


@pytest.mark.parametrize("example", EXAMPLES)
def test_by_one_parameter_alone_it_is_the_gradient_of_grad(example: str) -> None:
    """With one parameter less work is shared, so the graph may be another one than in a step that trains them all."""
    for loss, parameters in losses(example):
        for parameter in parameters[:: 1 + len(parameters) // 8]:
            (replayed,) = sn.explain(loss, parameter).replay()
            (gradient,) = in_short([sn.grad(loss, parameter)])
            assert replayed is gradient


def test_one_parameter_of_a_program_has_its_own_steps_alone(seed: int) -> None:
    loss, _ = PROGRAMS["digits_mlp"]()
    program = sn.compile(loss, sn.optim.SGD(lr=0.1), batch={"N": 3}, backend="numpy", accuracy="off")
    last, first = sn.explain(program, wrt="b2"), sn.explain(program, wrt=["W1", "b1"])
    assert not any(step.before.op == "relu" for step in last.steps)
    assert any(step.before.op == "relu" for step in first.steps)
    assert [str(formula) for formula in first.formulas] == ["∂L/∂W₁ = δ₁ᵀ x", "∂L/∂b₁ = Σₙ δ₁"]
    assert first.verify(seed).steps == len(first.steps)
    inner = sn.explain(program, wrt=["W1", loss.args[0]])
    assert len(inner.replay()) == 2
    with pytest.raises(UnknownName, match="did you mean 'W1'"):
        sn.explain(program, wrt="W11")


@pytest.mark.parametrize("name", PROGRAMS)
def test_small_programs(name: str, seed: int) -> None:
    derivation = sn.explain(*PROGRAMS[name]())
    assert all(map(lambda a, b: a is b, derivation.replay(), derivation.gradients))
    derivation.verify(seed)


NOT_THERE = {"huber": "a delta below 0 has no meaning"}


@pytest.mark.parametrize("name", [name for name, op in REGISTRY.items() if op.samples is not None])
def test_every_operation(name: str, seed: int) -> None:
    """The samples of each operation, summed up or squared: what stands in no example."""
    samples = REGISTRY[name].samples
    assert samples is not None
    for node in [] if name in NOT_THERE else samples(np.random.default_rng(seed)):
        variables = [leaf for kind in ("input", "parameter") for leaf in leaves([node], kind)]
        variables = [leaf for leaf in variables if dtypes.is_float(leaf.dtype)]
        if node.dtype in dtypes.FLOATS and variables:
            derivation = sn.explain(sn.sum(node * sn.stop_gradient(sn.sin(node) + 1.5)), variables)
            derivation.replay()
            derivation.verify(seed)


def networks() -> dict[str, sn.Expr]:
    """What the examples have none of."""
    nn = sn.nn
    x, images, sequence = sn.input("x", ("N", 6)), sn.input("images", ("N", 2, 7, 7)), sn.input("s", ("N", 5, 4))
    W = sn.parameter("W", (6, 3))
    convolutions = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.GroupNorm(2, 4), nn.ReLU(), nn.AdaptiveMaxPool2d(2))
    encoder = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    sides = (lambda w: sn.sum(sn.sin(x @ w)), lambda w: sn.sum(x @ w))
    return {
        "convolutions": sn.mean(sn.square(convolutions(images))),
        "transposed": sn.mean(sn.square(nn.ConvTranspose2d(2, 3, 3, stride=2)(images))),
        "encoder with dropout": sn.mean(sn.square(encoder(sequence))),
        "both directions": sn.mean(sn.square(nn.GRU(4, 3, bidirectional=True, batch_first=True)(sequence)[0])),
        "choice": sn.cond(sn.sum(x) > 0, *sides, W),
        "gradient penalty": sn.sum(sn.square(sn.grad(sn.sum(sn.tanh(x @ W)), x))),
        "ignored target": sn.losses.cross_entropy(x @ W, sn.input("y", ("N",), "int64"), ignore_index=1),
    }


@pytest.mark.parametrize("name", networks())
def test_more_networks(name: str, seed: int) -> None:
    loss = networks()[name]
    derivation = sn.explain(loss, [leaf for leaf in leaves([loss], "parameter") if leaf.attrs["trainable"]])
    derivation.replay()
    derivation.verify(seed)
    assert str(derivation.show("full")).count("\n") > len(derivation.steps)


def test_a_missing_step_is_noticed() -> None:
    derivation = sn.explain(*PROGRAMS["softmax_cross_entropy"]())
    for stage in derivation.trace.stages:
        if stage.steps:
            taken = stage.steps.pop()
            with pytest.raises(CompilerBug, match="replay"):
                derivation.replay()
            stage.steps.append(taken)
    derivation.replay()


def test_another_order_of_contributions_is_noticed() -> None:
    derivation = sn.explain(*PROGRAMS["digits_mlp"]())
    stage = next(stage for stage in derivation.trace.stages if stage.kind == "differentiate")
    stage.steps.reverse()
    with pytest.raises(CompilerBug, match="made of another cotangent"):
        derivation.replay()


def test_a_wrong_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = rule("wrong-sum", x + y, x, reason="it is not")
    rules = RuleSet((wrong, *api.default_rules().rules))
    monkeypatch.setattr(api, "default_rules", lambda: rules)
    a, b = sn.input("a", (3,)), sn.input("b", (3,))
    derivation = sn.explain(sn.sum(sn.square(a + b)), a)
    assert any(step.rule == "wrong-sum" for step in derivation.steps)
    with pytest.raises(CompilerBug, match="wrong-sum: its two sides differ"):
        derivation.verify()


def test_a_wrong_derivative_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(REGISTRY["tanh"], pullback=lambda node, g: [g * node])
    monkeypatch.setitem(REGISTRY, "tanh", wrong)
    a = sn.input("a", (3,))
    derivation = sn.explain(sn.sum(sn.tanh(a)), a)
    with pytest.raises(CompilerBug, match=r"chain rule: it is not the derivative that differences give.*tanh"):
        derivation.verify()


def test_a_wrong_gradient_among_many_is_found() -> None:
    """Many gradients are compared in groups; when a group is wrong, the one that is."""
    x, parameters = sn.input("x", ("N", 2)), [sn.parameter(f"p{i}", (2,)) for i in range(70)]
    losses = [sn.mean(sn.sin(x * p)) for p in parameters]
    derivation = sn.explain(sum(losses[1:], start=losses[0]), parameters)
    assert derivation.verify().checks < len(derivation.steps) + len(parameters)
    derivation.gradients[41] = derivation.gradients[40]
    with pytest.raises(CompilerBug, match="that by p41 is not what differences give"):
        derivation.verify()


def test_ill_conditioned_steps_are_decided_with_50_digits() -> None:
    """In float64 the two sides of (x + 1e9) - 1e9 = x differ by far more than rounding explains."""
    a = sn.input("a", (5,), "float64")
    verification = sn.explain(sn.sum((a + 1e9) - 1e9), a).verify()
    assert verification.exactly == 1
    assert "1 of them with 50 digits" in str(verification)


def test_verify_says_what_it_did(seed: int) -> None:
    derivation = sn.explain(*PROGRAMS["logistic_regression"]())
    text = str(derivation.verify(seed))
    assert text.startswith(f"{len(derivation.steps)} steps verified in ")
    assert text.endswith(f"; seed {seed}")


# --- levels ------------------------------------------------------------------------------------------------------


def test_levels(golden: Callable[[str, str], None]) -> None:
    derivation = sn.explain(*PROGRAMS["digits_mlp"]())
    golden("explain/digits_mlp_brief.txt", str(derivation.show("brief")))
    by_hand = sn.explain(*PROGRAMS["softmax_cross_entropy"](), level="full")
    golden("explain/softmax_cross_entropy_full.txt", str(by_hand))
    brief, normal, full = (str(derivation.show(level)) for level in ("brief", "normal", "full"))
    assert len(brief) < len(normal) < len(full)
    assert str(derivation) == normal
    assert f"derivation ({len(derivation.steps)} steps)" in full
    assert all(step.rule in full for step in derivation.steps)


def in_brief(name: str) -> list[str]:
    """The lines of a derivation in brief, without the formulas above it."""
    shown = str(sn.explain(*PROGRAMS[name](), level="brief"))
    return [line.strip() for line in shown.partition("derivation (in brief)\n")[2].splitlines()]


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "softmax_cross_entropy"])
def test_in_brief_every_gradient_is_said_once_and_after_what_it_is_made_of(name: str) -> None:
    derivation, lines = sn.explain(*PROGRAMS[name]()), in_brief(name)
    said = [re.sub(r"^\d+  chain rule[^:]*: ", "", line) for line in lines if " = " in line]
    for equation in derivation.formulas:
        assert sum(line.startswith(f"{equation.name} = ") for line in said) == 1
    heads = [line.partition(" = ")[0] for line in said]
    deltas = {head: place for place, head in enumerate(heads) if head.startswith("δ")}
    for place, line in enumerate(said):
        used = re.findall(r"δ[₀-₉]*(?![₀-₉ₜ])", line.partition("   through ")[0].partition(" = ")[2])
        assert all(deltas[delta] < place for delta in used if delta in deltas), line


def test_in_brief_a_loop_is_the_equations_of_one_step_backward() -> None:
    lines = in_brief("lstm")
    start = next(place for place, line in enumerate(lines) if line.endswith("through the steps of the loop, backward"))
    assert lines[start + 2] == "h̄_T = δ₂ W"
    assert "h̄ₜ₋₁ = δ₁ₜ Wₕₕ,  t = T … 1" in lines
    assert any(line.endswith("∂L/∂Wₕₕ = Σₜ δ₁ₜᵀ hₜ₋₁   through loop") for line in lines)


def test_steps_inside_a_loop_are_written_in_its_values() -> None:
    """hₜ₋₁, sₜ and the like, not the parameters of the function that the loop is."""
    steps = [str(view) for view in sn.explain(*PROGRAMS["lstm"]()).views if view.rule == "sum-of-neighbours"]
    assert steps
    assert all("c̄ₜ" in step for step in steps)
    assert any("cₜ₋₁ ⊙ σ(sₜ[:, 5:10])" in step for step in steps)
    assert not any(re.search("a[₀-₉]", step) for step in steps)
    through = [str(view) for view in sn.explain(*PROGRAMS["lstm"]()).views if "loop over" in str(view)]
    assert through[0] == "∂L/∂Wₕₕ = Σₜ δ₁ₜᵀ hₜ₋₁   from the loop over T steps"


def test_in_brief_recognised_functions_are_told_and_algebra_is_counted() -> None:
    lines = in_brief("logistic_regression")
    assert any(line.endswith("t ⊙ z − softplus(z) → −(softplus(z) − t ⊙ z)") for line in lines)
    assert not any("negative-twice" in line for line in lines)
    assert lines[-2].endswith("algebra in 5 steps")


def test_choices_and_stabilising_steps_are_called_out() -> None:
    derivation = sn.explain(*PROGRAMS["digits_mlp"]())
    assert str(derivation).endswith("1 subgradient choice (relu: at the kink z = 0 it is taken as 0)")
    derivation = sn.explain(*PROGRAMS["softmax_cross_entropy"]())
    for level in ("brief", "normal", "full"):
        shown = str(derivation.show(level))
        assert "log-softmax [stabilising]: log(softmax(z)) → logsoftmax(z)" in shown
        assert shown.endswith("2 stabilising steps (softmax, log-softmax)")


def test_levels_have_names() -> None:
    a = sn.input("a", (3,))
    with pytest.raises(UsageError, match="did you mean 'brief'"):
        sn.explain(sn.sum(a), a, level="breif")  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="no level 3"):
        sn.explain(sn.sum(a), a).show(3)  # type: ignore[arg-type]


def test_the_chain_rule_is_part_of_the_steps() -> None:
    derivation = sn.explain(*PROGRAMS["digits_mlp"]())
    links = [step for step in derivation.steps if isinstance(step, ChainStep)]
    assert {step.before.op for step in links} >= {"relu", "log_softmax", "contract", "add"}
