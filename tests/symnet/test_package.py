"""The names of the package `symnet`."""

from __future__ import annotations

import importlib
import types

import pytest

import symnet as sn

NAMES = """
    input parameter constant softmax sum mean exp log where einsum take_along_axis elementwise scan stop_gradient name
    draw dumps loads evaluate grad value_and_grad vjp jvp jacobian hessian hvp simplify explain rules nn losses optim
    init data function compile SymnetError ShapeError DTypeError UsageError UnknownName IndexOutOfRange NotFinite
    FileError Unsupported CompilerBug Expr
""".split()


@pytest.mark.parametrize("name", NAMES)
def test_the_promised_names_are_there(name: str) -> None:
    assert getattr(sn, name) is not None
    assert name in dir(sn)


def test_functions_are_not_hidden_by_the_subpackages_of_their_name() -> None:
    for name in ("simplify", "explain", "report"):
        importlib.import_module(f"symnet.{name}")
        assert callable(getattr(sn, name))
        assert not isinstance(getattr(sn, name), types.ModuleType)
    from symnet.simplify import simplify

    assert simplify is sn.simplify


def test_an_unknown_name_says_what_is_near() -> None:
    with pytest.raises(AttributeError, match="did you mean 'softmax'"):
        sn.sofmax  # noqa: B018
