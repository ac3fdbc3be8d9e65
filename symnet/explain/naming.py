"""Which values of a graph have a name in its formulas, and which.

In order of precedence: inputs and parameters have theirs; then the names users gave (`sn.name`); then, as in textbooks,
z for what a layer computes from its parameters and h for what the next layer takes; δ for the derivative of the loss by
a z, ∂L/∂h for that by an h; and a letter for whatever else is used more than once or would make a formula too long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symnet.explain.identifiers import layer_symbols, readable, symbol
from symnet.explain.leaves import extent, is_table
from symnet.explain.naming_loops import bars, name_loops
from symnet.explain.notation import HAT, Call, Code, Form, Symbol, numbered
from symnet.explain.recurrences import Loops
from symnet.explain.windows import meanings
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder, users
from symnet.ops import sigmoid

_LEAVES = ("input", "parameter", "state", "hyper", "constant", "iota", "dim", "arg")
_NAMED_LEAVES = _LEAVES[:4]
# Operations that are not written, or hardly: a value is not named because one of these is applied to it.
_INVISIBLE = ("cast", "broadcast_to", "reshape", "transpose", "negative", "stop_gradient", "item", "require")
_LETTERS = {"softmax": "p", "log_softmax": "ℓ", "mean": "μ", "var": "v", "argmax": "k", "sigmoid": "s"}
_DRAWN = {"random_bits": "ξ", "standard_uniform": "u", "standard_normal": "ε"}
_QUIET = ("random_bits", "random_step", "batch_norm", "instance_norm")  # their state is not written
_LONG = 28  # operations in one formula, more than which a part of it gets a name
_DEEP = 10  # operations inside each other, likewise
_SHORT = 3  # operations in a part that is repeated rather than named


class Forms(dict[Expr, Form]):
    """The forms that stand for some values of graphs whose loops are opened."""

    def __init__(self, forms: Mapping[Expr, Form] | None = None, loops: Loops | None = None) -> None:
        super().__init__(forms or {})
        self.loops = loops or Loops()
        self._leaves: tuple[int, list[Symbol]] = (-1, [])

    def leaf_symbols(self) -> list[Symbol]:
        """The symbols of inputs, parameters and other leaves."""
        if self._leaves[0] != len(self):
            found = [form for node, form in self.items() if not node.args and isinstance(form, Symbol)]
            self._leaves = (len(self), found)
        return self._leaves[1]


@dataclass
class Names:
    """The forms that stand for some values, and the symbols that are taken."""

    forms: Forms = field(default_factory=Forms)
    legend: list[tuple[Form, Form]] = field(default_factory=list)
    _taken: set[Form] = field(default_factory=set)
    _sequences: set[Form] = field(default_factory=set)

    def give(self, node: Expr, form: Form) -> None:
        """Let `form` stand for `node`; the first name given stays."""
        if node not in self.forms:
            self.forms[node] = form
            self._taken.add(form)

    def is_free(self, form: Form) -> bool:
        return form not in self._taken

    def is_free_sequence(self, letter: Symbol, start: Expr) -> bool:
        """Whether values at the steps of a loop, and the first of them, which is `start`, can have a letter."""
        if letter in self._taken or letter in self._sequences:
            return False
        before = [form for node, form in self.forms.items() if node is not start and isinstance(form, Symbol)]
        return not any(form.base == letter.base and form.sub.isdigit() for form in before)

    def called(self, node: Expr) -> Symbol:
        """A symbol by a node's name; the legend has the name where it cannot stand in a formula."""
        name = str(node.name)
        found = self.free(symbol(readable(name)))
        if readable(name) != name and node not in self.forms:
            self.legend.append((found, _quoted(name)))
        return found

    def free(self, wanted: Symbol, time: str = "", sequence: bool = False) -> Symbol:
        """`wanted`, or the same letter with the next free number; behind it `time`, the step of a loop.

        With `sequence`, for what has values at the steps of a loop, one that no other loop has either; its number
        stands above, as h₂ is h at step 2.
        """
        number = 1
        plain, candidate = wanted, _subscripted(wanted, time)
        if wanted.sub.isdigit():
            wanted, number = Symbol(wanted.base), int(wanted.sub)
        while candidate in self._taken or (sequence and plain in self._sequences):
            number += 1
            plain = Symbol(numbered(wanted.base, number), wanted.sub) if sequence else _subscripted(wanted, str(number))
            candidate = _subscripted(plain, time)
        if sequence:
            self._sequences.add(plain)
        return candidate


def _quoted(name: str) -> Code:
    """A name in the legend, on one line."""
    return Code(name if name.isprintable() else repr(name))


def _subscripted(symbol: Symbol, part: str) -> Symbol:
    return Symbol(symbol.base, ",".join(filter(None, (symbol.sub, part))))


@dataclass(frozen=True)
class Layers:
    """The values between the layers of a network: z (a layer's result) and h (what the next layer takes), numbered."""

    z: dict[Expr, int]
    h: dict[Expr, int]

    @property
    def single(self) -> bool:
        return len(self.z) == 1

    def symbol(self, letter: str, number: int) -> Symbol:
        return Symbol(letter, "" if self.single else str(number))


def name_leaves(names: Names, roots: Iterable[Expr]) -> None:
    """Names of inputs and parameters, and the names users gave to other values."""
    order = postorder(roots)
    hidden = _hidden_state(roots)
    leaves = [node for node in order if node.op in _NAMED_LEAVES and node not in hidden]
    by_layer = layer_symbols((node for node in leaves if node.op in ("parameter", "state")), users(roots))
    for node in leaves:
        if node not in by_layer:
            own = names.called(node)
            names.give(node, replace(own, symmetric=True) if node.attrs.get("symmetric") else own)
    for node, wanted in by_layer.items():
        if node not in names.forms:
            names.give(node, names.free(wanted))
            form = names.forms[node]
            assert isinstance(form, Symbol)
            names.legend.append((form, _quoted(str(node.name))))
    for node in order:
        if node.name is not None and node.op not in _NAMED_LEAVES:
            names.give(node, names.called(node))
    inside = {arg for node in order if node.op.startswith("standard_") for arg in node.args}
    for node in order:
        if node.op in _DRAWN and node not in inside:
            names.give(node, names.free(Symbol(_DRAWN[node.op])))


def _hidden_state(roots: Iterable[Expr]) -> set[Expr]:
    """State that no formula mentions: what random numbers follow from, and statistics that training only collects."""
    above = users(roots)
    return {node for node in above if node.op == "state" and above[node] and all(u.op in _QUIET for u in above[node])}


def find_layers(root: Expr) -> Layers:
    """The layers under `root`: contractions of a parameter with something computed, plus their bias."""
    order = postorder([root])
    above = users([root])
    weights = {node for node in order if node.op == "parameter"}
    z: dict[Expr, int] = {}
    h: dict[Expr, int] = {}
    deepest: dict[Expr, int] = {}
    for node in order:
        deepest[node] = z.get(node, max((deepest[arg] for arg in node.args), default=0))
        if node.op != "contract" or not any(_core(arg) in weights for arg in node.args):
            continue
        value = _with_bias(node, above, weights)
        for arg in node.args:
            taken = _core(arg)
            if taken.op == "item":
                continue  # the loop names it
            if deepest[taken] and taken not in z and taken.args and deepest[taken] not in h.values():
                h[taken] = deepest[taken]
        if value not in z and _core(node.args[0]) is not _core(node.args[1]):
            z[value] = len(z) + 1
            deepest[node] = z[value]
    return Layers(z, h)


def _core(node: Expr) -> Expr:
    while node.op in ("transpose", "reshape", "cast", "broadcast_to", "stop_gradient"):
        node = node.args[0]
    return node


def _with_bias(node: Expr, above: dict[Expr, list[Expr]], weights: set[Expr]) -> Expr:
    """The sum of a contraction and its bias when it has one, else the contraction itself."""
    while len(set(above[node])) == 1:
        user = above[node][0]
        if user.op == "add" and any(_is_bias(arg, weights) for arg in user.args if arg is not node):
            return user
        if user.op not in ("reshape", "transpose"):
            break
        node_above = above[user]
        if not any(u.op == "add" and any(_is_bias(a, weights) for a in u.args if a is not user) for u in node_above):
            break
        node = user
    return node


def _is_bias(node: Expr, weights: set[Expr]) -> bool:
    """Whether a node is a parameter, or a sum of two."""
    core = _core(node)
    return core in weights or (core.op == "add" and all(_core(arg) in weights for arg in core.args))


def name_layers(names: Names, layers: Layers, loops: bool = False) -> None:
    """z₁ and h₁; where there are loops, h is what they carry, and a₁ what the next layer takes."""
    for letter, values in (("z", layers.z), ("a" if loops else "h", layers.h)):
        for node, number in values.items():
            names.give(node, names.free(layers.symbol(letter, number)))


def name_shared(names: Names, roots: Sequence[Expr], letter: str | None = None) -> None:
    """Give a letter to what occurs more than once, and to parts of formulas that would become too long.

    Each operation has a letter of its own, unless one `letter` is given for all.
    """
    loops = names.forms.loops
    for node in loops.postorder(roots):
        if node.op == "constant" and is_table(node) and node not in names.forms:
            names.give(node, names.free(Symbol("C")))
            names.legend.append((names.forms[node], Call("constant", (extent(node.shape),))))
    name_loops(names, loops.postorder(roots))
    _find_complements(names, loops.postorder(roots))
    order = [node for node in loops.postorder(roots) if node.dtype != "tuple" or node.op == "cond"]
    for node in order:
        if node.name is not None and node.op not in _LEAVES and loops.owner(node) is not None:
            names.give(node, names.free(symbol(node.name), _time(loops, node)))
    names.legend += [line for line in (*meanings(order), *bars(names, order)) if line not in names.legend]
    _name_standardized(names, order)
    uses = Counter(part for node in order for part in set(loops.below(node)))
    uses.update(roots)
    tops = set(roots)
    size: dict[Expr, int] = {}
    depth: dict[Expr, int] = {}
    chosen: list[Expr] = []
    for node in order:
        if node in names.forms or node.op in _LEAVES:
            size[node], depth[node] = 0, 0
            continue
        visible, parts = int(node.op not in _INVISIBLE), loops.below(node)
        size[node] = visible + sum(size.get(part, 0) for part in parts)
        depth[node] = visible + max((depth.get(part, 0) for part in parts), default=0)
        repeated = uses[node] > 1 and visible and (size[node] >= _SHORT or node.op == "concat")
        large = (size[node] > _LONG or depth[node] > _DEEP) and node not in tops
        if repeated or large:
            chosen.append(node)
            size[node], depth[node] = 0, 0
    plain = "t" if not any("T" in map(str, node.shape) for node in order) else "a"  # t counts the axis T
    letters = [(letter or _letter_of(loops, node, plain), _time(loops, node)) for node in chosen]
    for (base, time), count in Counter(letters).items():
        group = [node for node, own in zip(chosen, letters, strict=True) if own == (base, time)]
        for number, node in enumerate(group, 1):
            names.give(node, names.free(Symbol(base, str(number) if count > 1 else ""), time))


def _find_complements(names: Names, order: Sequence[Expr]) -> None:
    """σ(−x), which keeps its digits, is written 1 − s where s = σ(x) has a name, or will have one."""
    present, uses = set(order), Counter(arg for node in order for arg in set(node.args))
    for node in order:
        if node.op != "sigmoid" or node in names.forms or node.args[0].op not in ("negative", "subtract"):
            continue
        inner = node.args[0].args
        twin = sigmoid(inner[0] if len(inner) == 1 else inner[1] - inner[0])
        if twin in names.forms or (twin in present and uses[twin] > 1 and twin.args[0].args):
            names.forms.loops.complements[node] = 1.0 - twin


def _name_standardized(names: Names, order: Iterable[Expr]) -> None:
    """What has the mean 0 and the size 1 has a hat, x̂ for x; and rows of length 1, where they are mentioned again."""
    order = list(order)
    uses = Counter(arg for node in order for arg in set(node.args))
    for node in order:
        rows = node.op == "unit" and len(node.attrs["axes"]) < node.ndim
        again = rows and uses[node] > 1 and isinstance(names.forms.get(node.args[0]), Symbol)
        if again or node.op in ("standardize", "scale_to_unit"):
            own = names.forms.get(node.args[0])
            plain = own if isinstance(own, Symbol) and len(own.base) == 1 else Symbol("x")
            names.give(node, names.free(Symbol(plain.base + HAT, plain.sub), _time(names.forms.loops, node)))


def _letter_of(loops: Loops, node: Expr, plain: str) -> str:
    return _LETTERS.get(node.op, plain if loops.owner(node) is None else "u")


def _time(loops: Loops, node: Expr) -> str:
    """The step that a value of a loop is computed at; nothing for other values."""
    loop = loops.owner(node)
    return "" if loop is None else loop.time
