"""What a node costs: an estimate of the arithmetic and memory traffic of computing it once.

Only the comparison of two ways to compute the same thing matters. A named dimension counts as 64. Each node costs a
little whatever its size, so that of two equal ways the shorter one is cheaper.
"""

from __future__ import annotations

from symnet.expr import dims
from symnet.expr.dims import Dim, Shape
from symnet.expr.node import Expr
from symnet.simplify.folding import is_number
from symnet.simplify.vocabulary import SCALAR_OPS

NOMINAL_SIZE = 64
NODE = 1.0
SMALL = 0.02
"""A view, or the arithmetic of a single number."""
TIE = 0.1
"""Costs closer than this are equal: the rule decides."""

_PER_ELEMENT = {
    # of the result
    "divide": 2.0, "mod": 4.0, "floor_divide": 4.0, "sqrt": 4.0, "rsqrt": 4.0, "reciprocal": 2.0, "power": 24.0,
    "exp": 8.0, "expm1": 9.0, "log": 9.0, "log1p": 10.0, "tanh": 10.0, "sigmoid": 10.0, "log_sigmoid": 18.0,
    "softplus": 18.0, "gelu": 14.0, "gelu_tanh": 14.0, "silu": 11.0, "erf": 12.0, "sin": 12.0, "cos": 12.0,
    "huber": 6.0, "log_cosh": 30.0, "xlogy": 10.0, "bernoulli_nll": 22.0, "bernoulli_logit_nll": 20.0,
    "bernoulli_logit_slope": 14.0,
    "transpose": 0.2, "broadcast_to": 0.1, "slice": 0.1, "place": 0.5, "windows": 0.2, "concat": 0.5,
    "gather": 2.0, "iota": 0.1, "one_hot": 1.0, "item": 0.0, "stop_gradient": 0.0,
}  # fmt: skip
_PER_OPERAND_ELEMENT = {
    "sum": 1.0, "prod": 1.0, "max": 1.0, "min": 1.0, "any": 1.0, "all": 1.0, "argmax": 2.0, "argmin": 2.0,
    "mean": 1.0, "overlap_add": 1.0, "var": 4.0, "cumsum": 1.0, "logsumexp": 11.0, "norm": 2.0, "unit": 4.0,
    "softmax": 12.0, "log_softmax": 12.0,
}  # fmt: skip
_FACTORISATIONS = {
    # of n × n matrices, in multiples of n³; a right side costs 4 n for each of its elements
    "inverse": 6.0, "solve": 3.0, "solve_triangular": 0.0, "lu": 3.0, "lu_rows": 3.0, "cholesky": 1.5, "det": 3.0,
    "det_sign": 3.0, "logdet": 3.0, "logabsdet": 3.0,
}  # fmt: skip
_LEAVES = frozenset(("input", "parameter", "state", "hyper", "dim", "arg"))


def elements(shape: Shape) -> float:
    """The number of elements, with nominal sizes for named dimensions."""
    total = 1.0
    for dim in shape:
        total *= size(dim)
    return total


def size(dim: Dim) -> float:
    if isinstance(dim, int):
        return float(dim)
    return float(sum(c * NOMINAL_SIZE ** len(names) for names, c in dims.terms(dim)))


def cost(node: Expr) -> float:
    """The estimated cost of computing `node` from its operands."""
    op = node.op
    if op in _LEAVES:
        return 0.0
    if op == "constant":
        return 2.0 * NODE + 0.2 * elements(node.shape) if node.shape else 0.0
    if not node.shape and op in SCALAR_OPS and all(map(is_number, node.args)):
        return 0.0
    if op == "negative":
        return 0.0  # nearly always absorbed by a neighbour
    if op == "reshape" or (not node.shape and op in SCALAR_OPS):
        return SMALL
    if op == "broadcast_to" and not node.args[0].shape:
        return 0.0  # nothing is stored
    if op == "divide":
        return NODE + _divide(node)
    if op == "sum" and _selects(node):
        return NODE + elements(node.shape)
    if op in _PER_OPERAND_ELEMENT:
        return NODE + _PER_OPERAND_ELEMENT[op] * elements(node.args[0].shape)
    if op == "contract":
        return NODE + 2.0 * _contract(node)
    if op == "scatter_add":
        # The zeros are written and read again, since nothing fuses with it.
        return NODE + 3.0 * elements(node.shape) + 4.0 * elements(node.args[0].shape)
    if op in _FACTORISATIONS:
        return NODE + _factorisation(node)
    if op == "scan":
        return NODE + size(node.attrs["length"]) * 100.0
    weight = _PER_ELEMENT.get(op, 1.0 if op in SCALAR_OPS else 4.0)
    return NODE + weight * elements(node.shape)


def _factorisation(node: Expr) -> float:
    matrix, *right = node.args
    work = _FACTORISATIONS[node.op] * elements(matrix.shape) + sum(4.0 * elements(b.shape) for b in right)
    return size(matrix.shape[-1]) * work


def _selects(node: Expr) -> bool:
    """Whether a sum is over one-hot vectors, scaled at most: it reads off one element of each row."""
    (x,) = node.args
    scaled = x.op in ("multiply", "divide") and any(arg.op == "one_hot" for arg in x.args)
    return (x.op == "one_hot" or scaled) and len(x.shape) - 1 in node.attrs["axes"]


def _divide(node: Expr) -> float:
    """A division by fewer numbers than there are results becomes a multiplication by their reciprocals."""
    results, divisors = elements(node.shape), elements(node.args[1].shape)
    if not node.args[1].shape:
        return results + SMALL
    return 2.0 * results if divisors >= results > 1 else results + 2.0 * divisors + NODE


def _contract(node: Expr) -> float:
    """The number of products: the size of every index of the specification."""
    if node.attrs["sizes"]:
        return elements(tuple(size for _, size in node.attrs["sizes"]))
    operands = node.attrs["spec"].split("->")[0].split(",")
    extent = {
        letter: dim
        for letters, arg in zip(operands, node.args, strict=True)
        for letter, dim in zip(letters, arg.shape, strict=True)
    }
    return elements(tuple(extent.values()))
