"""Modules: how parts are found and named, and what Linear, Flatten and Sequential give."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, UnknownName, Unsupported, UsageError


class Block(sn.nn.Module):
    def __init__(self, size: int) -> None:
        self.linear = sn.nn.Linear(size, size)
        self.scale = sn.nn.Parameter((size,), init=sn.init.ones())
        self.count = sn.nn.Buffer((size,))

    def forward(self, x: sn.Expr) -> sn.Expr:
        return x + self.scale * sn.relu(self.linear(x))


class Net(sn.nn.Module):
    def __init__(self) -> None:
        self.blocks = sn.nn.ModuleList(Block(3) for _ in range(2))
        self.head = sn.nn.Sequential(sn.nn.Linear(3, 2, bias=False), sn.nn.Tanh())

    def forward(self, x: sn.Expr) -> sn.Expr:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


NAMES = ["blocks.0.scale", "blocks.0.linear.weight", "blocks.0.linear.bias", "blocks.1.scale", "blocks.1.linear.weight",
         "blocks.1.linear.bias", "head.0.weight"]  # fmt: skip


def test_names_are_paths_and_are_written_on_the_nodes() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [node.name for node in net.parameters()] == NAMES
    assert [node.name for node in net.buffers()] == ["blocks.0.count", "blocks.1.count"]
    assert all(node.op == "parameter" for node in net.parameters())
    assert net.get_parameter("head.0.weight") is net.head[0].weight
    assert net.get_submodule("blocks.1.linear") is net.blocks[1].linear
    with pytest.raises(UnknownName, match=r"did you mean 'head.0.weight'"):
        net.get_parameter("head.0.weights")


def test_names_follow_when_a_module_becomes_part_of_another() -> None:
    layer = sn.nn.Linear(2, 2)
    assert layer.weight.name == "weight"
    inner = sn.nn.Sequential(layer)
    assert layer.weight.name == "0.weight"
    outer = sn.nn.Sequential({"first": inner})
    assert layer.weight.name == "first.0.weight"
    inner.append(sn.nn.Linear(2, 2))
    assert inner[1].bias.name == "first.1.bias"
    del outer
    gc.collect()
    inner.append(sn.nn.PReLU())
    assert inner[2].weight.name == "2.weight"


def test_two_modules_never_share_a_parameter_by_accident() -> None:
    a, b = sn.nn.Linear(2, 3), sn.nn.Linear(2, 3)
    assert a.weight is not b.weight
    assert sn.nn.Parameter((2,)) is not sn.nn.Parameter((2,))
    assert sn.nn.Buffer((2,)) is not sn.nn.Buffer((2,))


def test_a_graph_read_from_another_process_shares_nothing_with_new_modules() -> None:
    code = "import symnet as sn; print(sn.dumps(sn.nn.Linear(2, 3).weight), end='')"
    command = [sys.executable, "-c", code]
    texts = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    read = [sn.loads(text) for text in texts]
    assert len({*read, sn.nn.Linear(2, 3).weight}) == 3


def test_a_deep_copy_has_parameters_of_its_own_and_keeps_ties() -> None:
    net = Net()
    net.tied = net.head[0].weight
    twin = copy.deepcopy(net)
    assert [name for name, _ in twin.named_parameters()] == [name for name, _ in net.named_parameters()]
    assert not set(twin.parameters()) & set(net.parameters())
    assert not set(twin.buffers()) & set(net.buffers())
    assert twin.tied is twin.head[0].weight
    assert twin.blocks[0].linear.weight.name == "blocks.0.linear.weight"


def test_a_parameter_in_two_places_is_listed_once_under_its_first_path() -> None:
    net = sn.nn.Sequential(sn.nn.Linear(3, 3), sn.nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert net[0].weight.name == "0.weight"


def test_assigning_replaces_and_deleting_removes() -> None:
    block = Block(2)
    block.linear = sn.nn.Identity()
    assert [name for name, _ in block.named_parameters()] == ["scale"]
    del block.scale
    assert block.parameters() == []
    with pytest.raises(AttributeError, match="scale"):
        block.scale  # noqa: B018
    block.linear = None
    assert block.children() == []
    assert block.linear is None


def test_linear_is_x_w_transposed_plus_b(rng: np.random.Generator) -> None:
    layer = sn.nn.Linear(3, 5, dtype="float64")
    assert (layer.weight.shape, layer.bias.shape) == ((5, 3), (5,))
    weight, bias = rng.normal(size=(5, 3)), rng.normal(size=5)
    for shape in ((3,), (7, 3), (2, 7, 3), (0, 3)):
        given = rng.normal(size=shape)
        y = sn.evaluate(layer(sn.input("x", shape, dtype="float64")), {"x": given, "weight": weight, "bias": bias})
        np.testing.assert_allclose(y, given @ weight.T + bias, rtol=1e-13, atol=1e-13)
    symbolic = layer(sn.input("x", ("N", "T", 3), dtype="float64"))
    assert symbolic.shape == ("N", "T", 5)


def test_linear_is_one_contraction() -> None:
    y = sn.nn.Linear(3, 5, bias=False)(sn.input("x", ("N", 3)))
    assert y.op == "contract"
    assert [arg.op for arg in y.args] == ["input", "parameter"]


def test_linear_says_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"\[\.\.\., 3\], got \[N, 4\].*'weight' \[5, 3\]"):
        sn.nn.Linear(3, 5)(sn.input("x", ("N", 4)))
    with pytest.raises(UsageError, match="out_features"):
        sn.nn.Linear(3, -1)


@pytest.mark.parametrize(
    ("settings", "shape", "expected"),
    [
        ({}, ("N", 3, 4, 5), ("N", 60)),
        ({"start_dim": 2}, ("N", 3, 4, 5), ("N", 3, 20)),
        ({"start_dim": 0, "end_dim": 1}, ("N", 3, 4), ("3*N", 4)),
        ({"start_dim": -2}, ("N", 3, 4), ("N", 12)),
        ({"start_dim": 0}, (), (1,)),
    ],
)
def test_flatten_merges_axes(
    settings: dict[str, int], shape: tuple[int | str, ...], expected: tuple[int | str, ...]
) -> None:
    x = sn.input("x", shape)
    y = sn.nn.Flatten(**settings)(x)
    assert y.shape == expected
    array = np.arange(np.prod([2 if d == "N" else d for d in shape])).reshape([2 if d == "N" else d for d in shape])
    assert np.array_equal(sn.evaluate(y, {"x": array.astype(np.float32)}).ravel(), array.ravel())


def test_flatten_refuses_axes_that_are_not_there() -> None:
    with pytest.raises(ShapeError, match="axis 3"):
        sn.nn.Flatten(3)(sn.input("x", ("N", 4)))
    with pytest.raises(ShapeError, match="after"):
        sn.nn.Flatten(1, 0)(sn.input("x", ("N", 4)))


def test_sequential_composes_and_indexes() -> None:
    net = sn.nn.Sequential(sn.nn.Linear(2, 3), sn.nn.ReLU(), sn.nn.Linear(3, 4))
    x = sn.input("x", ("N", 2))
    assert net(x) is net[2](net[1](net[0](x)))
    assert len(net) == 3
    assert net[-1] is net[2]
    assert net[1:] == [net[1], net[2]]
    with pytest.raises(IndexError, match="no module 3"):
        net[3]
    with pytest.raises(DTypeError, match="expected a module"):
        sn.nn.Sequential(sn.relu)


def test_repr_shows_the_tree() -> None:
    assert repr(sn.nn.Sequential(sn.nn.Linear(2, 3), sn.nn.Sequential(sn.nn.LeakyReLU()))) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Sequential(\n    (0): LeakyReLU(negative_slope=0.01)\n  )\n)"
    )


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(Unsupported, match=r"Module has no forward"):
        sn.nn.Module()(1)


def test_a_network_may_be_very_deep() -> None:
    net = sn.nn.Identity()
    for _ in range(3000):
        outer = sn.nn.Sequential.__new__(sn.nn.Sequential)  # without relabelling three thousand times
        outer._modules["0"] = net
        net = outer
    assert len(net.modules()) == 3001
    assert net.parameters() == []
    assert "Identity" in repr(net[0])


def test_parameters_of_pytorch_have_the_same_names_and_shapes() -> None:
    torch = pytest.importorskip("torch")
    ours = sn.nn.Sequential(sn.nn.Linear(4, 3), sn.nn.PReLU(3), sn.nn.Sequential(sn.nn.Linear(3, 2, bias=False)))
    t = torch.nn
    theirs = t.Sequential(t.Linear(4, 3), t.PReLU(3), t.Sequential(t.Linear(3, 2, bias=False)))
    expected = [(name, tuple(value.shape)) for name, value in theirs.state_dict().items()]
    assert [(name, node.shape) for name, node in ours.named_parameters()] == expected
