"""Linear algebra: torch.linalg's values and gradients, stacked and not, well conditioned and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symnet as sn
from tests.references.case import Arrays, Case, function_case

L = sn.linalg


def _square(*lead: int, size: int = 5) -> Callable[[np.random.Generator], Arrays]:
    def inputs(rng: np.random.Generator) -> Arrays:
        return {"a": rng.normal(size=(*lead, size, size)), "b": rng.normal(size=(*lead, size, 2))}

    return inputs


def _pivoted(rng: np.random.Generator) -> Arrays:
    """Zeros where a pivot is looked for, a row of large numbers, equal candidates."""
    a = np.array([[0.0, 2.0, 1.0, 0.0], [1e6, 3e6, -2e6, 1e6], [1.0, 1.0, 0.0, 2.0], [-1.0, 0.5, 4.0, 0.0]])
    return {"a": a, "b": rng.normal(size=(4, 2))}


def _positive(rng: np.random.Generator) -> Arrays:
    return {"a": rng.normal(size=(2, 4, 4)), "b": rng.normal(size=(2, 4, 3))}


def _triangular(rng: np.random.Generator) -> Arrays:
    return {"a": rng.normal(size=(2, 4, 4)) + 3.0 * np.eye(4), "b": rng.normal(size=(2, 4, 3))}


def _gram(x: Any) -> Any:
    """Symmetric and positive definite, for either library."""
    if isinstance(x, sn.Expr):
        return x @ sn.matrix_transpose(x) + sn.eye(4, dtype="float64")
    return x @ x.mT + x.new_ones(4).diag()


def _everything(torch: Any, given: dict[str, Any]) -> dict[str, Any]:
    a, b, linalg = given["a"], given["b"], torch.linalg
    return {
        "inv": linalg.inv(a), "solve": linalg.solve(a, b), "transposed": linalg.solve(a.mT, b), "det": linalg.det(a),
        "slogdet": linalg.slogdet(a).logabsdet, "sign": linalg.slogdet(a).sign,
    }  # fmt: skip


def _ours(given: dict[str, sn.Expr]) -> dict[str, sn.Expr]:
    a, b = given["a"], given["b"]
    sign, size = L.slogdet(a)
    transposed = L.solve(sn.matrix_transpose(a), b)
    values = {"inv": L.inv(a), "solve": L.solve(a, b), "transposed": transposed, "det": L.det(a)}
    return {**values, "slogdet": size, "sign": sign}


def _triangle(lower: bool, unit: bool, trans: bool) -> Case:
    def peer(torch: Any, given: dict[str, Any]) -> Any:
        t = given["a"].tril() if lower else given["a"].triu()
        t = t - torch.diag_embed(torch.diagonal(t, dim1=-2, dim2=-1)) if unit else t
        return torch.linalg.solve_triangular(t.mT if trans else t, given["b"], upper=lower == trans, unitriangular=unit)

    return function_case(
        f"solve_triangular(trans={int(trans)}, lower={lower}, unit_diagonal={unit})", _triangular, peer,
        lambda given: L.solve_triangular(given["a"], given["b"], int(trans), lower, unit),
    )  # fmt: skip


def _vector(order: float) -> Case:
    return function_case(
        f"vector_norm(ord={order})",
        lambda rng: {"x": np.concatenate([rng.normal(size=(3, 4)), np.zeros((1, 4))])},
        lambda torch, given: torch.linalg.vector_norm(given["x"], order, dim=1),
        lambda given: L.vector_norm(given["x"], 1, ord=order),
    )


def _matrix(order: Any) -> Case:
    return function_case(
        f"matrix_norm(ord={order!r})",
        lambda rng: {"x": rng.normal(size=(2, 3, 4))},
        lambda torch, given: torch.linalg.matrix_norm(given["x"], order),
        lambda given: L.matrix_norm(given["x"], ord=order),
    )


def _products(torch: Any, given: dict[str, Any]) -> dict[str, Any]:
    a, b, u, v = (given[name] for name in "abuv")
    return {
        "kron": torch.kron(a, b), "power": torch.linalg.matrix_power(a, 5), "minus": torch.linalg.matrix_power(a, -2),
        "cross": torch.linalg.cross(u, v), "multi_dot": torch.linalg.multi_dot([a, a, b, b.mT]),
        "trace": torch.trace(a), "outer": torch.outer(u[0], v[1]), "vecdot": torch.linalg.vecdot(u, v),
        "tensordot": torch.tensordot(a, b, 1), "diagonal": torch.linalg.diagonal(a, offset=1),
    }  # fmt: skip


def _our_products(given: dict[str, sn.Expr]) -> dict[str, sn.Expr]:
    a, b, u, v = (given[name] for name in "abuv")
    return {
        "kron": sn.kron(a, b), "power": L.matrix_power(a, 5), "minus": L.matrix_power(a, -2),
        "cross": sn.cross(u, v), "multi_dot": L.multi_dot([a, a, b, sn.matrix_transpose(b)]),
        "trace": L.trace(a), "outer": L.outer(u[0], v[1]), "vecdot": L.vecdot(u, v),
        "tensordot": L.tensordot(a, b, 1), "diagonal": L.diagonal(a, 1),
    }  # fmt: skip


def _product_inputs(rng: np.random.Generator) -> Arrays:
    shapes = {"a": (3, 3), "b": (3, 2), "u": (4, 3), "v": (4, 3)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def _factors(torch: Any, given: dict[str, Any]) -> dict[str, Any]:
    p, lower, upper = torch.linalg.lu(given["a"])
    return {"p": p, "l": lower, "u": upper}


def _logdet(torch: Any, given: dict[str, Any]) -> Any:
    return torch.logdet(_gram(given["a"]))


CASES = [
    function_case("square", _square(), _everything, _ours),
    function_case("stack of square", _square(2, 3, size=4), _everything, _ours),
    function_case("one by one", _square(2, size=1), _everything, _ours),
    function_case("pivots", _pivoted, _everything, _ours),
    function_case("size 40", _square(size=40), _everything, _ours),
    function_case("cholesky", _positive, lambda torch, given: torch.linalg.cholesky(_gram(given["a"])),
                  lambda given: L.cholesky(_gram(given["a"]))),
    function_case("cholesky(upper=True)", _positive,
                  lambda torch, given: torch.linalg.cholesky(_gram(given["a"]), upper=True),
                  lambda given: L.cholesky(_gram(given["a"]), upper=True)),
    function_case("logdet", _positive, _logdet, lambda given: L.logdet(_gram(given["a"]))),
    function_case("lu", _square(2, size=4), _factors,
                  lambda given: dict(zip("plu", L.lu(given["a"]), strict=True))),
    *(_triangle(lower, unit, trans) for lower in (False, True) for unit in (False, True) for trans in (False, True)),
    *(_vector(order) for order in (2, 1, 0, 3, 1.5, float("inf"), float("-inf"))),
    *(_matrix(order) for order in ("fro", 1, -1, float("inf"), float("-inf"))),
    function_case("products", _product_inputs, _products, _our_products),
]  # fmt: skip
