"""Linear algebra beyond the reference cases: accuracy, singular matrices, named sizes, types, formulas, mistakes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symnet as sn
from symnet.errors import ShapeError, UsageError
from symnet.expr.node import Expr
from symnet.expr.traverse import postorder
from symnet.ops.linalg import elimination

L = sn.linalg


def f64(name: str, *shape: object) -> Expr:
    return sn.input(name, shape, "float64")


def ill_conditioned(n: int, rng: np.random.Generator) -> np.ndarray:
    """Singular values from 1 to 1e-10."""
    u, v = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2))
    return np.asarray(u * np.logspace(0, -10, n) @ v)


@pytest.mark.parametrize("n", [1, 7, elimination.BLOCK + 3, 3 * elimination.BLOCK])
def test_residuals_are_those_of_lapack(n: int, rng: np.random.Generator) -> None:
    """Backward errors of LU, its solutions and Cholesky, also of nearly singular matrices, within 8 times LAPACK's."""
    a, b, x = f64("a", n, n), f64("b", n, 2), f64("x", n, 2)
    p, lower, upper = L.lu(a)
    run = sn.function([a, b], [p @ lower @ upper, L.solve(a, b), L.solve(a.T, b)])
    for matrix in (rng.normal(size=(n, n)), ill_conditioned(n, rng), np.triu(rng.normal(size=(n, n)), -1) * 1e8):
        right = rng.normal(size=(n, 2))
        product, solved, transposed = run(matrix, right)
        scale = np.abs(matrix).max()
        assert np.abs(product - matrix).max() < 1e-14 * n * scale
        for m, found in ((matrix, solved), (matrix.T, transposed)):
            known = np.linalg.solve(m, right)
            error, reference = (np.abs(m @ s - right).max() / (scale * np.abs(s).max()) for s in (found, known))
            assert error < 8 * max(reference, 2e-16 * np.sqrt(n)), (error, reference)
    gram = sn.function([a], L.cholesky(a))
    positive = rng.normal(size=(n, n))
    positive = positive @ positive.T + 1e-8 * np.eye(n)
    factor = gram(positive)
    assert np.abs(factor @ factor.T - positive).max() < 1e-14 * n * np.abs(positive).max()
    np.testing.assert_array_equal(factor, np.tril(factor))
    assert x.shape == (n, 2)


def test_float32_and_other_types(rng: np.random.Generator) -> None:
    a = sn.input("a", (40, 40))
    values = rng.normal(size=(40, 40)).astype("float32") + 8 * np.eye(40, dtype="float32")
    found = sn.function([a], L.inv(a))(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found @ values, np.eye(40), atol=2e-5)
    assert L.solve(sn.constant(np.eye(2)), np.array([1, 2])).dtype == "float64"
    assert L.det(np.array([[1, 2], [3, 4]])).dtype == "float32"
    np.testing.assert_allclose(sn.evaluate(L.det(np.array([[1, 2], [3, 4]]))), -2, rtol=1e-6)


def test_singular_matrices_give_inf_or_nan_and_determinants_zero() -> None:
    a = f64("a", 3, 3)
    run = sn.function([a], [L.det(a), *L.slogdet(a), L.logdet(a), L.inv(a), L.solve(a, np.ones(3))])
    singular = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
    det, sign, size, log, inverse, solved = run(singular)
    assert (det, sign, size, log) == (0.0, 0.0, -np.inf, -np.inf)
    assert not np.isfinite(inverse).all()
    assert not np.isfinite(solved).all()
    assert np.isnan(sn.function([a], L.cholesky(a))(-np.eye(3))).any()
    flipped = np.diag([1.0, 2.0, 3.0])[[1, 0, 2]]
    det, sign, size, log, *_ = run(flipped)
    np.testing.assert_allclose((det, sign, size), (-6, -1, np.log(6)))
    assert np.isnan(log)


def test_named_sizes_and_stacks(rng: np.random.Generator) -> None:
    a, b = f64("a", "B", "N", "N"), f64("b", "N")
    run = sn.function([a, b], [L.solve(a, b[:, None])[..., 0], L.slogdet(a).logabsdet, L.cholesky(a @ a.mT)])
    for n in (4, 9):
        stack, right = rng.normal(size=(2, n, n)), rng.normal(size=n)
        solved, size, factor = run(stack, right)
        np.testing.assert_allclose(solved, np.linalg.solve(stack, np.broadcast_to(right[:, None], (2, n, 1)))[..., 0])
        np.testing.assert_allclose(size, np.linalg.slogdet(stack)[1])
        np.testing.assert_allclose(factor, np.linalg.cholesky(stack @ stack.transpose(0, 2, 1)), rtol=1e-6, atol=1e-9)


def test_one_factorisation_serves_solution_determinant_and_gradients() -> None:
    a, b = f64("a", 6, 6), f64("b", 6)
    loss = sn.sum(L.solve(a, b) ** 2) + L.slogdet(a).logabsdet
    program = sn.function([a, b], [loss, *sn.grad(loss, [a, b])])
    program(np.eye(6), np.ones(6))
    # the first pivot, one in the loop over columns, and the inverse of the order of the rows
    assert program.source("loops").count("= argmax(") == 3


X, A, B, a, b = f64("X", 4, 4), f64("A", 4, 4), f64("B", 4, 4), f64("a", 4), f64("b", 4)


@pytest.mark.parametrize(
    ("expression", "text", "gradient"),
    [
        (L.logdet(X), "log(det(X))", "X⁻ᵀ"),
        (L.slogdet(X).logabsdet, "log(|det(X)|)", "X⁻ᵀ"),
        (sn.log(L.det(X)), "log(det(X))", "X⁻ᵀ"),
        (sn.log(sn.abs(L.det(X))), "log(|det(X)|)", "X⁻ᵀ"),
        (L.det(X), "det(X)", "det(X) X⁻ᵀ"),
        (a @ L.inv(X) @ b, "aᵀ X⁻¹ b", "−X⁻ᵀ a bᵀ X⁻ᵀ"),
        (a @ L.solve(X, b), "aᵀ X⁻¹ b", "−X⁻ᵀ a bᵀ X⁻ᵀ"),
        (a @ L.solve(X.T, b), "aᵀ X⁻ᵀ b", "−X⁻ᵀ b aᵀ X⁻ᵀ"),
        (L.trace(A @ X), "tr(A X)", "Aᵀ"),
        (L.trace(L.inv(X) @ A), "tr(X⁻¹ A)", "−X⁻ᵀ Aᵀ X⁻ᵀ"),
        (L.trace(X.T @ A @ X), "tr(Xᵀ A X)", "(A + Aᵀ) X"),
        (L.logdet(X @ X.T), "log(det(X Xᵀ))", "2 X⁻ᵀ"),
        (a @ X @ a, "aᵀ X a", "a aᵀ"),
        (sn.sum(sn.kron(A, X)), "Σ A ⊗ X", None),
        (L.norm(X), "‖X‖", "X / ‖X‖"),
    ],
)
def test_formulas_are_those_of_a_formulary(expression: Expr, text: str, gradient: str | None) -> None:
    assert str(expression) == text
    if gradient is not None:
        assert str(sn.grad(expression, X)) == gradient
    assert expression.latex()
    assert expression._repr_html_()


def test_notation_in_latex_and_of_transposes() -> None:
    assert L.inv(X).T.latex() == r"X^{-\mathsf{T}}"
    assert sn.kron(A, B).latex() == r"A \otimes B"
    assert str(L.inv(A @ B)) == "(A B)⁻¹"
    assert str(L.solve_triangular(X, b, lower=True)) == "tril(X)⁻¹ b"


def test_second_derivatives(rng: np.random.Generator) -> None:
    """The Hessian of log det at X is −(X⁻ᵀ ⊗ X⁻¹), up to the order of axes."""
    x = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    node = f64("x", 3, 3)
    hessian = sn.evaluate(sn.hessian(L.slogdet(node).logabsdet, node), {"x": x})
    inverse = np.linalg.inv(x)
    np.testing.assert_allclose(hessian, -np.einsum("li,jk->ijkl", inverse, inverse), rtol=1e-9, atol=1e-12)


def test_norms_like_numpy(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 4))
    node = f64("x", 2, 3, 4)
    for order, axis in ((None, None), (None, 1), (3, 2), ("fro", (0, 2)), (1, (1, 0)), (-np.inf, (2, 1)), (np.inf, 0)):
        for keepdims in (False, True):
            found = sn.evaluate(L.norm(node, order, axis, keepdims), {"x": x})
            np.testing.assert_allclose(found, np.linalg.norm(x, order, axis, keepdims), rtol=1e-12)


def test_products_like_numpy(rng: np.random.Generator) -> None:
    arrays = [rng.normal(size=s) for s in ((3,), (3, 50), (50, 2), (2, 7), (7,))]
    nodes = [f64(f"m{i}", *array.shape) for i, array in enumerate(arrays)]
    values = dict(zip(nodes, arrays, strict=True))
    np.testing.assert_allclose(sn.evaluate(L.multi_dot(nodes), values), np.linalg.multi_dot(arrays))
    assert L.multi_dot(nodes[1:4]).args[1] is nodes[3], "the long side is summed first"
    for left, right in (((2, 3), (4,)), ((2,), (3, 2, 2)), ((), (2, 2))):
        p, q = rng.normal(size=left), rng.normal(size=right)
        np.testing.assert_allclose(sn.evaluate(sn.kron(p, q)), np.kron(p, q))
    u, v = rng.normal(size=(3, 4)), rng.normal(size=(3, 1))
    np.testing.assert_allclose(sn.evaluate(sn.cross(u, v, axis=0)), np.cross(u, np.broadcast_to(v, (3, 4)), axis=0))
    m = rng.normal(size=(3, 3))
    for n in (-3, 0, 1, 6):
        np.testing.assert_allclose(sn.evaluate(L.matrix_power(m, n)), np.linalg.matrix_power(m, n), rtol=1e-9)


@pytest.mark.parametrize(
    ("mistake", "error", "text"),
    [
        (lambda: L.inv(f64("r", 2, 3)), ShapeError, "inverse: the matrix is float64[2, 3], expected square matrices"),
        (lambda: L.det(f64("v", 3)), ShapeError, "det: the matrix is float64[3], expected square"),
        (lambda: L.solve(X, f64("w", 3)), ShapeError, "solve: [4, 4] x = [3, 1]: expected as many rows on the right"),
        (lambda: L.solve_triangular(X, b, trans="X"), UsageError, "trans is 'X', expected 0, 1, 2, 'N', 'T' or 'C'"),
        (lambda: L.matrix_power(X, 1.5), UsageError, "the power is 1.5, expected an integer"),
        (lambda: L.multi_dot([X]), UsageError, "got 1 arrays, expected at least two"),
        (lambda: L.multi_dot([X, a, X]), ShapeError, "array 1 is float64[4], expected a matrix"),
        (lambda: sn.cross(a, b), ShapeError, "axis -1 of [4] has size 4, expected 3"),
        (lambda: L.norm(f64("x", 2, 2, 2), 2), UsageError, "needs one axis or two"),
        (lambda: L.norm(f64("x", 2, 2), "fro", 0), UsageError, "is one of matrices, got one axis"),
    ],
)  # fmt: skip
def test_mistakes_are_told(mistake: Callable[[], Expr], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        mistake()
    assert text in str(raised.value)


def test_symmetric_inputs(rng: np.random.Generator) -> None:
    """W and Wᵀ are one, in formulas, in programs and after the text form; what cannot be symmetric is refused."""
    symmetric = sn.input("W", (4, 4), "float64", symmetric=True)
    form = a @ symmetric @ a
    gradient = sn.grad(form, a)
    assert str(gradient) == "2 W a"
    assert str(sn.grad(a @ L.inv(symmetric) @ b, b)) == "W⁻¹ a"
    assert sn.loads(sn.dumps(gradient)) is gradient
    assert sn.simplify(symmetric.T) is symmetric
    value, u = rng.normal(size=(4, 4)), rng.normal(size=4)
    value = value + value.T
    np.testing.assert_allclose(sn.function([symmetric, a], gradient)(value, u), 2 * value @ u, rtol=1e-12)
    with pytest.raises(ShapeError, match=r"'V' is \[4, 3\], which cannot be symmetric; expected square matrices"):
        sn.input("V", (4, 3), symmetric=True)


def test_diagonals_like_numpy(rng: np.random.Generator) -> None:
    vector, matrix, wide = rng.normal(size=4), rng.normal(size=(4, 4)), rng.normal(size=(3, 5))
    for k in (-2, 0, 1):
        for array in (vector, matrix, wide):
            node = f64("n", *array.shape)
            run = sn.function([node], [sn.diag(node, k), sn.grad(sn.sum(sn.square(sn.diag(node, k))), node)])
            found, gradient = run(array)
            np.testing.assert_array_equal(found, np.diag(array, k))
            kept = np.ones_like(array) if array.ndim == 1 else np.eye(*array.shape, k)
            np.testing.assert_allclose(gradient, 2 * array * kept)
            if array.ndim == 2:
                triangles = sn.function([node], [sn.tril(node, k), sn.triu(node, k)])(array)
                np.testing.assert_array_equal(triangles[0], np.tril(array, k))
                np.testing.assert_array_equal(triangles[1], np.triu(array, k))
    with pytest.raises(ShapeError, match="diag: got float64\\[2, 3, 3\\], expected a vector or a matrix"):
        sn.diag(f64("stack", 2, 3, 3))


def test_inner_products_like_numpy(rng: np.random.Generator) -> None:
    for left, right in (((3,), (3,)), ((2, 3), (4, 3)), ((2, 3), (3,)), ((), (3,))):
        p, q = rng.normal(size=left), rng.normal(size=right)
        np.testing.assert_allclose(sn.evaluate(sn.inner(p, q)), np.inner(p, q), rtol=1e-12)
    p, q = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
    np.testing.assert_allclose(sn.evaluate(sn.vdot(p, q)), np.vdot(p, q), rtol=1e-12)
    np.testing.assert_allclose(sn.evaluate(sn.vdot(p, q.T)), np.vdot(p, q.T), rtol=1e-12)


def test_products_with_vectors_come_first() -> None:
    """A B x is two products of a matrix and a vector, and a bᵀ X one, however they are written."""
    assert [node.shape for node in _contractions(sn.simplify((A @ B) @ X @ a))] == [(4,)] * 3
    assert [node.shape for node in _contractions(sn.simplify(sn.outer(a, b) @ X @ A))] == [(4,)] * 2
    named = sn.input("n", ("N", 4), "float64")
    kept = (named @ A) @ B  # for one row this order is better, for many the other
    assert sn.simplify(kept) is kept


def _contractions(node: Expr) -> list[Expr]:
    return [inner for inner in postorder([node]) if inner.op == "contract"]
