"""Parameter groups: which parameters an optimizer trains, and which settings are different for some of them.

sn.optim.Adam(lr=1e-3)                                        # all that the loss depends on
sn.optim.Adam(model.parameters(), lr=1e-3)                    # these; the others are frozen
sn.optim.Adam([{"params": model.body.parameters()},
               {"params": model.head.parameters(), "name": "head", "lr": 1e-2}], lr=1e-3)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from symnet.errors import DTypeError, UsageError
from symnet.expr.node import Expr

__all__ = ["Group"]

Params: TypeAlias = Iterable[Any] | None
"""What an optimizer takes first: parameters, (name, parameter) pairs, or dictionaries that describe groups."""
Identity: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Group:
    """Parameters that share their settings.

    name      what `prog.hyper` calls the group's own settings by: "head.lr"; by default its number
    params    the parameters; None stands for all
    settings  the settings that are not the optimizer's
    """

    name: str
    params: tuple[Expr, ...] | None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def has(self, parameter: Expr) -> bool:
        """Whether a parameter belongs to the group."""
        return self.params is None or identity(parameter) in self._members

    @cached_property
    def _members(self) -> frozenset[Identity]:
        return frozenset(identity(own) for own in self.params or ())


def identity(parameter: Expr) -> Identity:
    """What makes two nodes the same parameter, also after the program was converted to another data type."""
    return parameter.attrs["name"], parameter.attrs["uid"], parameter.shape


def read_groups(params: Any, who: str) -> tuple[Group, ...]:
    """The groups that `params` describes in one of the ways torch.optim knows; `who` is named in errors."""
    if params is None:
        return (Group("0", None),)
    if isinstance(params, (int, float)) and not isinstance(params, bool):
        raise DTypeError(
            f"{who}: the first argument is the parameters to train, got {params!r}; the learning rate is lr={params!r}"
        )
    items = _items(params, who)
    if not items:
        raise UsageError(f"{who}: the list of parameters is empty; leave it out to train all parameters")
    described = [item for item in items if isinstance(item, Mapping)]
    if described and len(described) != len(items):
        raise DTypeError(f"{who}: params has group dictionaries and parameters side by side, expected one of the two")
    if not described:
        groups: tuple[Group, ...] = (Group("0", _parameters(items, who)),)
    else:
        groups = tuple(_group(item, position, who) for position, item in enumerate(described))
    _check_distinct(groups, who)
    return groups


def _items(params: Any, who: str) -> list[Any]:
    if isinstance(params, (Expr, str, Mapping)) or not isinstance(params, Iterable):
        hint = "; did you mean its .parameters()?" if hasattr(params, "parameters") else ""
        raise DTypeError(
            f"{who}: params is {_kind(params)}, expected a list of parameters, of (name, parameter) pairs "
            f"or of group dictionaries{hint}"
        )
    return list(params)


def _group(given: Mapping[str, Any], position: int, who: str) -> Group:
    where = f"{who}: parameter group {position}"
    if "params" not in given:
        raise UsageError(f"{where} has no 'params'; got {', '.join(map(repr, given)) or 'an empty dictionary'}")
    name = given.get("name", str(position))
    if not isinstance(name, str) or not name or "[" in name:
        raise UsageError(f"{where}: its name is {name!r}, expected a non-empty string without brackets")
    params = given["params"]
    items = [params] if isinstance(params, Expr) else _items(params, where)
    settings = {key: value for key, value in given.items() if key not in ("params", "name")}
    return Group(name, _parameters(items, where), settings)


def _parameters(items: list[Any], who: str) -> tuple[Expr, ...]:
    named = [isinstance(item, tuple) for item in items]
    if any(named) and not all(named):
        raise DTypeError(f"{who}: params has (name, parameter) pairs and parameters side by side")
    nodes = [item[-1] if isinstance(item, tuple) and len(item) == 2 else item for item in items]
    for node in nodes:
        if not isinstance(node, Expr) or node.op != "parameter":
            raise DTypeError(f"{who}: params has {_kind(node)} among them, expected parameters")
    return tuple(nodes)


def _check_distinct(groups: tuple[Group, ...], who: str) -> None:
    owners: dict[Identity, str] = {}
    for group in groups:
        for node in group.params or ():
            other = owners.setdefault(identity(node), group.name)
            if other != group.name:
                raise UsageError(f"{who}: the parameter {node.name!r} is in two groups, {other!r} and {group.name!r}")
        if group.params is not None and len({identity(node) for node in group.params}) != len(group.params):
            raise UsageError(f"{who}: the parameter group {group.name!r} lists a parameter twice")
    names = [group.name for group in groups]
    if len(set(names)) != len(names):
        raise UsageError(f"{who}: two parameter groups have the same name: {', '.join(names)}")


def _kind(value: object) -> str:
    if isinstance(value, Expr):
        return f"the parameter {value.name!r}" if value.op == "parameter" else f"an expression ({value.op})"
    return f"a {type(value).__name__}"
