"""Lists and dictionaries of modules and parameters, and Unflatten."""

from __future__ import annotations

import numpy as np
import pytest

import symnet as sn

nn = sn.nn


class Heads(nn.Module):
    def __init__(self) -> None:
        self.heads = nn.ModuleDict({"digit": nn.Linear(3, 4), "parity": nn.Linear(3, 1, bias=False)})
        self.scales = nn.ParameterList(nn.Parameter((k,)) for k in (1, 2))
        self.named = nn.ParameterDict({"left": nn.Parameter((5,))})


def test_names_are_paths() -> None:
    model = Heads()
    assert [name for name, _ in model.named_parameters()] == [
        "heads.digit.weight", "heads.digit.bias", "heads.parity.weight", "scales.0", "scales.1", "named.left",
    ]  # fmt: skip
    assert [node.name for node in model.parameters()] == [name for name, _ in model.named_parameters()]


def test_names_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    peer = torch.nn.Module()
    peer.heads = torch.nn.ModuleDict({"digit": torch.nn.Linear(3, 4), "parity": torch.nn.Linear(3, 1, bias=False)})
    peer.scales = torch.nn.ParameterList(torch.zeros(k) for k in (1, 2))
    peer.named = torch.nn.ParameterDict({"left": torch.zeros(5)})
    ours = {name: node.shape for name, node in Heads().named_parameters()}
    assert ours == {name: tuple(value.shape) for name, value in peer.named_parameters()}


def test_dictionaries() -> None:
    heads = Heads().heads
    assert (list(heads), len(heads), "digit" in heads, "none" in heads) == (["digit", "parity"], 2, True, False)
    assert heads.items()[0] == ("digit", heads["digit"])
    heads["third"] = nn.Identity()
    del heads["digit"]
    assert heads.keys() == ["parity", "third"]
    with pytest.raises(sn.UnknownName, match="parity"):
        heads["parit"]
    with pytest.raises(sn.DTypeError, match="expected a module"):
        heads["x"] = 3


def test_lists_of_parameters() -> None:
    values = nn.ParameterList([nn.Parameter((2,))])
    values.append(nn.Parameter((3,)))
    assert [node.shape for node in values] == [(2,), (3,)]
    assert values[-1].shape == (3,)
    assert len(values[:1]) == 1
    with pytest.raises(sn.IndexOutOfRange):
        values[2]
    with pytest.raises(sn.DTypeError, match="expected a parameter"):
        values.append(sn.input("x", (2,)))


@pytest.mark.parametrize("size", [(2, 3), (-1, 3), (2, -1), (6,)])
def test_unflatten(size: tuple) -> None:
    x = sn.input("x", ("N", 6, 2))
    array = np.arange(36.0, dtype="float32").reshape(3, 6, 2)
    got = sn.evaluate(nn.Unflatten(1, size)(x), {"x": array})
    np.testing.assert_array_equal(got, array.reshape(3, *size, 2))
    with pytest.raises(sn.ShapeError, match="does not divide"):
        nn.Unflatten(1, (4, -1))(x)


def test_losses_are_found_where_pytorch_has_them() -> None:
    assert nn.CrossEntropyLoss is sn.losses.CrossEntropyLoss
    assert nn.functional.cross_entropy is sn.losses.cross_entropy
    with pytest.raises(AttributeError, match="did you mean 'Linear'"):
        nn.Linera  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'relu'"):
        nn.functional.reluu  # noqa: B018
