"""Identities of The Matrix Cookbook (Petersen and Pedersen, version of November 15, 2012), section 2, by their numbers.

What the book writes ∘ is ⊙ here. Its right sides are given twice: as an expression, which is compared by value, and as
the text that is printed there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import symnet as sn
from symnet.expr.node import Expr
from symnet.ops.arrange import matrix_transpose as t
from symnet.ops.leaves import input
from symnet.ops.products import outer

L = sn.linalg


@dataclass(frozen=True, eq=False)
class Case:
    """One identity.

    number     in the book; a name for what is not from there
    spellings  the expression in the ways in which users write it
    wrt        by what it is differentiated; the tangents where `kind` is "differential"
    book       the right side, as an expression
    text       the right side, as it is printed
    how        what differs where ours is not printed so, up to the order of terms
    kind       gradient, jacobian, hessian, or differential (along dX, of X)
    """

    number: str
    spellings: tuple[Expr, ...]
    wrt: tuple[Expr, ...]
    book: Expr
    text: str
    how: str = ""
    kind: str = "gradient"

    @lru_cache(maxsize=None)  # noqa: B019 (cases live as long as the module)
    def derivative(self, expression: Expr) -> Expr:
        """The derivative of one spelling, as symnet gives it."""
        (variable, *_) = self.wrt
        if self.kind == "gradient":
            return sn.grad(expression, variable)
        if self.kind == "hessian":
            found = sn.hessian(expression, variable)
            assert isinstance(found, Expr)
            return found
        if self.kind == "jacobian":
            return sn.jacobian(expression, variable)
        along: Expr = sn.jvp(expression, list(self.wrt), [tangent(variable) for variable in self.wrt])
        return along


def f64(name: str, *shape: int) -> Expr:
    return input(name, shape, "float64")


def tangent(variable: Expr) -> Expr:
    return f64(f"d{variable.name}", *[int(dim) for dim in variable.shape])


# Square matrices and vectors of their size.
X, A, B, C, D, Y = (f64(name, 3, 3) for name in "XABCDY")
a, b, c, d, x, s = (f64(name, 3) for name in "abcdxs")
W, S = (sn.input(name, (3, 3), "float64", symmetric=True) for name in "WS")
I = sn.eye(3, dtype="float64")
# Others: X is m × n with m = 5, n = 3 (`R`), or vectors of five elements beside it.
R, M5 = f64("X", 5, 3), f64("A", 5, 5)
C5 = sn.input("C", (5, 5), "float64", symmetric=True)
B5 = sn.input("B", (5, 5), "float64", symmetric=True)
a5, b5 = f64("a", 5), f64("b", 5)
T = f64("A", 5, 3)
alpha = f64("α")

inv, det, tr = L.inv, L.det, sn.trace


def case(
    number: str, spellings: Expr | list[Expr], wrt: Expr | list[Expr], book: Expr, text: str, how: str = "",
    kind: str = "gradient",
) -> Case:  # fmt: skip
    listed = tuple(spellings) if isinstance(spellings, list) else (spellings,)
    return Case(number, listed, tuple(wrt) if isinstance(wrt, list) else (wrt,), book, text, how, kind)


FACTORED = "the common factor is taken out, which saves a product"
INSIDE = "transposes stand at the factors"
EXPANDED = "written out: products with vectors come first"

DIFFERENTIALS = [
    case("33", alpha * X, [X], alpha * tangent(X), "α dX", kind="differential"),
    case("34", X + Y, [X, Y], tangent(X) + tangent(Y), "dX + dY", kind="differential"),
    case("35", [tr(X), L.trace(X), sn.einsum("ii", X)], [X], tr(tangent(X)), "tr(dX)", kind="differential"),
    case("36", [X @ Y, sn.matmul(X, Y), sn.dot(X, Y), sn.einsum("ij,jk->ik", X, Y), sn.tensordot(X, Y, 1)], [X, Y],
         tangent(X) @ Y + X @ tangent(Y), "dX Y + X dY", kind="differential"),
    case("37", X * Y, [X, Y], tangent(X) * Y + X * tangent(Y), "dX ⊙ Y + X ⊙ dY", kind="differential"),
    case("38", [sn.kron(X, Y), L.kron(X, Y)], [X, Y], sn.kron(tangent(X), Y) + sn.kron(X, tangent(Y)),
         "dX ⊗ Y + X ⊗ dY", kind="differential"),
    case("39", [inv(X), L.inverse(X), L.solve(X, I), L.matrix_power(X, -1)], [X], -inv(X) @ tangent(X) @ inv(X),
         "−X⁻¹ dX X⁻¹", kind="differential"),
    case("41", det(X), [X], det(X) * tr(inv(X) @ tangent(X)), "det(X) tr(X⁻¹ dX)", kind="differential"),
    case("42", [sn.log(det(X)), L.logdet(X)], [X], tr(inv(X) @ tangent(X)), "tr(X⁻¹ dX)",
         kind="differential"),
    case("43", [X.T, t(X), sn.transpose(X), sn.swapaxes(X, 0, 1), sn.einsum("ij->ji", X)], [X], tangent(X).T, "dXᵀ",
         kind="differential"),
]  # fmt: skip

DETERMINANTS = [
    case("49", det(X), X, det(X) * inv(X).T, "det(X) (X⁻¹)ᵀ", INSIDE),
    case("51", det(A @ X @ B), X, det(A @ X @ B) * inv(X).T, "det(A X B) (X⁻¹)ᵀ", INSIDE),
    case("52", det(X.T @ A @ X), X, 2 * det(X.T @ A @ X) * inv(X).T, "2 det(Xᵀ A X) X⁻ᵀ"),
    case("53", det(R.T @ C5 @ R), R, 2 * det(R.T @ C5 @ R) * C5 @ R @ inv(R.T @ C5 @ R),
         "2 det(Xᵀ C X) C X (Xᵀ C X)⁻¹"),
    case("54", det(R.T @ M5 @ R), R,
         det(R.T @ M5 @ R) * (M5 @ R @ inv(R.T @ M5 @ R) + M5.T @ R @ inv(R.T @ M5.T @ R)),
         "det(Xᵀ A X) (A X (Xᵀ A X)⁻¹ + Aᵀ X (Xᵀ Aᵀ X)⁻¹)",
         "the number multiplies the small inverse, which is computed once"),
    case("55", [sn.log(det(R.T @ R)), L.logdet(R.T @ R), L.slogdet(R.T @ R).logabsdet,
                sn.log(sn.abs(det(sn.einsum("ki,kj->ij", R, R))))], R,
         2 * (inv(R.T @ R) @ R.T).T, "2 (X⁺)ᵀ", "X⁺ is (Xᵀ X)⁻¹ Xᵀ"),
    case("57", [sn.log(sn.abs(det(X))), L.slogdet(X).logabsdet], X, inv(X).T, "(X⁻¹)ᵀ", INSIDE),
    case("58", [det(L.matrix_power(X, 3)), det(X @ X @ X)], X, 3 * det(L.matrix_power(X, 3)) * inv(X).T,
         "3 det(X³) X⁻ᵀ"),
]  # fmt: skip

INVERSES = [
    case("60", inv(X), X, -sn.einsum("ki,jl->klij", inv(X), inv(X)), "−(X⁻¹)ₖᵢ (X⁻¹)ⱼₗ",
         "all entries at once: Jᵢⱼ has a single entry 1, at (i, j)", "jacobian"),
    case("61", [a @ inv(X) @ b, a @ L.solve(X, b), sn.inner(a, inv(X) @ b), sn.einsum("i,ij,j->", a, inv(X), b),
                sn.sum(a * L.solve(X, b)), sn.dot(a, sn.dot(inv(X), b)), L.multi_dot([a, inv(X), b])], X,
         -inv(X).T @ outer(a, b) @ inv(X).T, "−X⁻ᵀ a bᵀ X⁻ᵀ"),
    case("62", [det(inv(X)), 1 / det(X)], X, -det(inv(X)) * inv(X).T, "−det(X⁻¹) (X⁻¹)ᵀ",
         "det(X⁻¹) is 1 / det(X)"),
    case("63", [tr(A @ inv(X) @ B), tr(A @ L.solve(X, B)), tr(B @ A @ inv(X)), sn.vdot(A.T, L.solve(X, B))], X,
         -(inv(X) @ B @ A @ inv(X)).T, "−(X⁻¹ B A X⁻¹)ᵀ", INSIDE),
    case("64", tr(inv(X + A)), X, -(inv(X + A) @ inv(X + A)).T, "−((X + A)⁻¹ (X + A)⁻¹)ᵀ", INSIDE),
]  # fmt: skip

EIGENVALUES = [
    case("65", tr(X), X, I, "I"),
    case("66", det(X), X, det(X) * inv(X).T, "det(X) X⁻ᵀ"),
]

FIRST_ORDER = [
    case("69", [x @ a, a @ x, sn.dot(x, a), sn.inner(a, x), sn.vdot(x, a), sn.vecdot(x, a), sn.einsum("i,i->", x, a),
                sn.sum(x * a), sn.tensordot(x, a, 1)], x, a, "a"),
    case("70", [a5 @ R @ b, sn.dot(a5, R @ b), sn.inner(a5, R @ b), sn.einsum("i,ij,j", a5, R, b),
                sn.sum(outer(a5, b) * R), sn.vdot(outer(a5, b), R), L.multi_dot([a5, R, b]),
                tr(outer(b, a5) @ R), sn.sum(a5 * (R @ b))], R, outer(a5, b), "a bᵀ"),
    case("71", [b @ R.T @ a5, sn.einsum("i,ji,j", b, R, a5), b @ (a5 @ R)], R, outer(a5, b), "a bᵀ"),
    case("72", [a @ X @ a, a @ X.T @ a], X, outer(a, a), "a aᵀ"),
    case("73", X, X, sn.einsum("ik,jl->ijkl", I, I), "Jᵢⱼ", kind="jacobian"),
]  # fmt: skip

SECOND_ORDER = [
    case("76", [sn.sum(R) ** 2, sn.square(sn.sum(R)), sn.sum(R) * sn.sum(R)], R,
         2 * sn.sum(R) * sn.ones((5, 3), "float64"), "2 (Σ X)"),
    case("77", [b @ R.T @ R @ c, (R @ b) @ (R @ c), sn.einsum("i,ji,jk,k", b, R, R, c), sn.inner(R @ b, R @ c)], R,
         R @ (outer(b, c) + outer(c, b)), "X (b cᵀ + c bᵀ)", EXPANDED),
    case("78", [(B @ x + b) @ C @ (D @ x + d), sn.dot(B @ x + b, C @ (D @ x + d))], x,
         B.T @ C @ (D @ x + d) + D.T @ C.T @ (B @ x + b), "Bᵀ C (D x + d) + Dᵀ Cᵀ (B x + b)"),
    case("80", X.T @ B @ X, X,
         sn.einsum("ik,jl->ijkl", X.T @ B, I) + sn.einsum("kj,il->ijkl", B @ X, I),
         "Xᵀ B Jᵢⱼ + Jⱼᵢ B X", "by all entries of X, for each entry (i, j) of the result", "jacobian"),
    case("81", [x @ B @ x, sn.dot(x, B @ x), sn.inner(x, B @ x), sn.einsum("i,ij,j", x, B, x), sn.sum(x * (B @ x)),
                sn.sum(outer(x, x) * B), sn.vdot(x, B @ x), tr(B @ outer(x, x)), L.multi_dot([x, B, x])], x,
         (B + B.T) @ x, "(B + Bᵀ) x"),
    case("82", [b @ R.T @ M5 @ R @ c, (R @ b) @ M5 @ (R @ c)], R, M5.T @ R @ outer(b, c) + M5 @ R @ outer(c, b),
         "Aᵀ X b cᵀ + A X c bᵀ"),
    case("83", [(R @ b + a5) @ M5 @ (R @ b + a5)], R, outer((M5 + M5.T) @ (R @ b + a5), b),
         "(A + Aᵀ) (X b + a) bᵀ"),
    case("84", [(x - A @ s) @ W @ (x - A @ s), sn.einsum("i,ij,j", x - A @ s, W, x - A @ s)], s,
         -2 * A.T @ W @ (x - A @ s), "−2 Aᵀ W (x − A s)"),
    case("85", (x - s) @ W @ (x - s), x, 2 * W @ (x - s), "2 W (x − s)"),
    case("86", (x - s) @ W @ (x - s), s, -2 * W @ (x - s), "−2 W (x − s)"),
    case("87", (x - A @ s) @ W @ (x - A @ s), x, 2 * W @ (x - A @ s), "2 W (x − A s)"),
    case("88", (x - A @ s) @ W @ (x - A @ s), A, -2 * outer(W @ (x - A @ s), s), "−2 W (x − A s) sᵀ"),
]  # fmt: skip


def power(n: int) -> Expr:
    return L.matrix_power(X, n)


HIGHER_ORDER = [
    case("91", [a @ power(3) @ b, a @ (X @ X @ X) @ b], X,
         outer(a, b) @ power(2).T + X.T @ outer(a, b) @ X.T + power(2).T @ outer(a, b),
         "a bᵀ (X²)ᵀ + Xᵀ a bᵀ Xᵀ + (X²)ᵀ a bᵀ"),
    case("92", [a @ power(2).T @ power(2) @ b, sn.inner(power(2) @ a, power(2) @ b)], X,
         power(2) @ (outer(a, b) + outer(b, a)) @ X.T + X.T @ power(2) @ (outer(a, b) + outer(b, a)),
         "X² (a bᵀ + b aᵀ) Xᵀ + Xᵀ X² (a bᵀ + b aᵀ)",
         EXPANDED + "; the right side is not the book's, whose terms with (Xⁿ)ᵀ are printed transposed"),
    case("95", (A @ x) @ (A @ x) / ((B @ x) @ (B @ x)), x,
         2 * A.T @ A @ x / (x @ B.T @ B @ x) - 2 * (x @ A.T @ A @ x) * (B.T @ B @ x) / (x @ B.T @ B @ x) ** 2,
         "2 Aᵀ A x / (xᵀ Bᵀ B x) − 2 xᵀ Aᵀ A x Bᵀ B x / (xᵀ Bᵀ B x)²", "the numbers stand in front"),
    case("96", [x @ A @ x + b @ x, sn.einsum("i,ij,j", x, A, x) + sn.dot(b, x)], x, (A + A.T) @ x + b,
         "(A + Aᵀ) x + b"),
    case("97", [x @ A @ x + b @ x, sn.sum(x * (A @ x)) + sn.inner(b, x)], x, A + A.T, "A + Aᵀ", kind="hessian"),
]  # fmt: skip

P4, Q4, F5 = f64("A", 4, 5), f64("B", 3, 4), f64("A", 3, 5)

TRACES = [
    case("99", [tr(X), L.trace(X), sn.einsum("ii", X), sn.sum(sn.diag(X)), sn.sum(X * I), sn.vdot(I, X)], X, I, "I"),
    case("100", [tr(R @ F5), tr(F5 @ R), sn.sum(R * F5.T), sn.einsum("ij,ji", R, F5), sn.vdot(F5.T, R),
                 sn.tensordot(R, F5, ((0, 1), (1, 0))), sn.sum(sn.diag(R @ F5))], R, F5.T, "Aᵀ"),
    case("101", [tr(P4 @ R @ Q4), tr(Q4 @ P4 @ R), sn.einsum("ij,jk,ki", P4, R, Q4), tr(L.multi_dot([P4, R, Q4])),
                 sn.sum((P4 @ R) * Q4.T)], R, P4.T @ Q4.T, "Aᵀ Bᵀ"),
    case("102", [tr(Q4.T @ R.T @ P4.T), sn.einsum("ij,kj,ki", Q4.T, R, P4.T)], R, P4.T @ Q4.T, "Aᵀ Bᵀ"),
    case("103", [tr(R.T @ T), tr(T.T @ R), sn.sum(R * T), sn.vdot(R, T), sn.einsum("ij,ij", R, T),
                 sn.tensordot(R, T, 2), sn.inner(sn.ravel(R), sn.ravel(T))], R, T, "A"),
    case("104", [tr(T @ R.T), tr(R @ T.T)], R, T, "A"),
    case("105", [tr(sn.kron(A, X)), L.trace(L.kron(X, A))], X, tr(A) * I, "tr(A) I"),
    case("106", [tr(X @ X), tr(power(2)), sn.einsum("ij,ji", X, X), sn.sum(X * X.T)], X, 2 * X.T, "2 Xᵀ"),
    case("107", [tr(X @ X @ B), tr(power(2) @ B), tr(B @ X @ X)], X, (X @ B + B @ X).T, "(X B + B X)ᵀ", INSIDE),
    case("108", [tr(R.T @ M5 @ R), sn.einsum("ki,kl,li", R, M5, R), sn.sum(R * (M5 @ R))], R, M5 @ R + M5.T @ R,
         "A X + Aᵀ X", FACTORED),
    case("109", tr(M5 @ R @ R.T), R, M5 @ R + M5.T @ R, "A X + Aᵀ X", FACTORED),
    case("110", tr(R @ R.T @ M5), R, M5 @ R + M5.T @ R, "A X + Aᵀ X", FACTORED),
    case("111", [tr(R @ B @ R.T), sn.vdot(R @ B, R)], R, R @ B.T + R @ B, "X Bᵀ + X B", FACTORED),
    case("112", tr(B @ R.T @ R), R, R @ B.T + R @ B, "X Bᵀ + X B", FACTORED),
    case("113", tr(R.T @ R @ B), R, R @ B.T + R @ B, "X Bᵀ + X B", FACTORED),
    case("114", [tr(A @ X @ B @ X), sn.einsum("ij,jk,kl,li", A, X, B, X)], X, A.T @ X.T @ B.T + B.T @ X.T @ A.T,
         "Aᵀ Xᵀ Bᵀ + Bᵀ Xᵀ Aᵀ"),
    case("115", [tr(R.T @ R), tr(R @ R.T), sn.sum(R * R), sn.sum(R ** 2), sn.vdot(R, R), sn.einsum("ij,ij", R, R)], R,
         2 * R, "2 X"),
    case("116", [tr(B.T @ R.T @ M5 @ R @ B), sn.vdot(R @ B, M5 @ R @ B)], R, M5.T @ R @ B @ B.T + M5 @ R @ B @ B.T,
         "Aᵀ X B Bᵀ + A X B Bᵀ", FACTORED),
    case("117", [tr(R.T @ M5 @ R @ C), sn.einsum("ki,kl,lj,ji", R, M5, R, C), sn.vdot(R, M5 @ R @ C)], R,
         M5 @ R @ C + M5.T @ R @ C.T, "A X C + Aᵀ X Cᵀ"),
    case("118", [tr(A @ X @ B @ X.T @ C)], X, A.T @ C.T @ X @ B.T + C @ A @ X @ B, "Aᵀ Cᵀ X Bᵀ + C A X B"),
    case("119", [tr((A @ X @ B + C) @ (A @ X @ B + C).T), sn.sum((A @ X @ B + C) ** 2), L.norm(A @ X @ B + C) ** 2], X,
         2 * A.T @ (A @ X @ B + C) @ B.T, "2 Aᵀ (A X B + C) Bᵀ"),
    case("120", [tr(sn.kron(X, X)), tr(X) * tr(X), tr(X) ** 2], X, 2 * tr(X) * I, "2 tr(X) I"),
    case("121", [tr(power(4)), tr(X @ X @ X @ X)], X, 4 * power(3).T, "4 (X³)ᵀ"),
    case("122", [tr(A @ power(3)), tr(A @ X @ X @ X)], X,
         (power(2) @ A + X @ A @ X + A @ power(2)).T, "(A X² + X A X + X² A)ᵀ", INSIDE),
    case("123", [tr(B.T @ X.T @ C @ X @ X.T @ C @ X @ B)], X,
         C @ X @ X.T @ C @ X @ B @ B.T + C.T @ X @ B @ B.T @ X.T @ C.T @ X + C @ X @ B @ B.T @ X.T @ C @ X
         + C.T @ X @ X.T @ C.T @ X @ B @ B.T,
         "C X Xᵀ C X B Bᵀ + Cᵀ X B Bᵀ Xᵀ Cᵀ X + C X B Bᵀ Xᵀ C X + Cᵀ X Xᵀ Cᵀ X B Bᵀ", FACTORED),
    case("124", [tr(A @ inv(X) @ B), tr(A @ L.solve(X, B))], X, -inv(X).T @ A.T @ B.T @ inv(X).T, "−X⁻ᵀ Aᵀ Bᵀ X⁻ᵀ"),
    case("125", tr(inv(R.T @ C5 @ R) @ A), R,
         -C5 @ R @ inv(R.T @ C5 @ R) @ (A + A.T) @ inv(R.T @ C5 @ R),
         "−C X (Xᵀ C X)⁻¹ (A + Aᵀ) (Xᵀ C X)⁻¹"),
    case("126", tr(inv(R.T @ C5 @ R) @ (R.T @ B5 @ R)), R,
         -2 * C5 @ R @ inv(R.T @ C5 @ R) @ R.T @ B5 @ R @ inv(R.T @ C5 @ R) + 2 * B5 @ R @ inv(R.T @ C5 @ R),
         "−2 C X (Xᵀ C X)⁻¹ Xᵀ B X (Xᵀ C X)⁻¹ + 2 B X (Xᵀ C X)⁻¹", FACTORED),
    case("127", tr(inv(S + R.T @ C5 @ R) @ (R.T @ B5 @ R)), R,
         -2 * C5 @ R @ inv(S + R.T @ C5 @ R) @ R.T @ B5 @ R @ inv(S + R.T @ C5 @ R)
         + 2 * B5 @ R @ inv(S + R.T @ C5 @ R),
         "−2 C X (S + Xᵀ C X)⁻¹ Xᵀ B X (S + Xᵀ C X)⁻¹ + 2 B X (S + Xᵀ C X)⁻¹", FACTORED),
]  # fmt: skip

NORMS = [
    case("129", [L.norm(x - a), L.vector_norm(x - a), sn.sqrt(sn.sum((x - a) ** 2)), sn.sqrt((x - a) @ (x - a)),
                 L.norm(x - a, 2)], x, (x - a) / L.norm(x - a), "(x − a) / ‖x − a‖"),
    case("130", (x - a) / L.norm(x - a), x, I / L.norm(x - a) - outer(x - a, x - a) / L.norm(x - a) ** 3,
         "I / ‖x − a‖ − (x − a) (x − a)ᵀ / ‖x − a‖³", "the common divisor is taken out", "jacobian"),
    case("131", [L.norm(x) ** 2, x @ x, sn.sum(x * x), sn.sum(sn.square(x)), sn.vdot(x, x), L.norm(x, 2) ** 2], x,
         2 * x, "2 x"),
    case("132", [L.norm(R) ** 2, L.norm(R, "fro") ** 2, L.matrix_norm(R) ** 2, sn.sum(R ** 2), tr(R @ R.T)], R, 2 * R,
         "2 X"),
]  # fmt: skip

# A symmetric matrix, parametrised by a matrix X: its elements off the diagonal are counted twice.
E = sn.name("E", X + X.T - I * X)
STRUCTURED = [
    case("139", tr(A @ E), X, A + A.T - A * I, "A + Aᵀ − A ⊙ I"),
    case("140", det(E), X, det(E) * (2 * inv(E) - inv(E) * I), "det(E) (2 E⁻¹ − E⁻¹ ⊙ I)",
         "the number stands at both terms"),
    case("141", [sn.log(det(E)), L.logdet(E)], X, 2 * inv(E) - inv(E) * I, "2 E⁻¹ − E⁻¹ ⊙ I"),
    case("142", [tr(A @ (X * I)), sn.sum(sn.diag(A) * sn.diag(X))], X, A * I, "A ⊙ I"),
]  # fmt: skip

p = sn.softmax(x)
EVERYDAY = [
    case("least squares", [0.5 * sn.sum((T @ x - b5) ** 2), 0.5 * L.norm(T @ x - b5) ** 2,
                           (T @ x - b5) @ (T @ x - b5) / 2, L.norm(T @ x - b5) ** 2 / 2], x, T.T @ (T @ x - b5),
         "Aᵀ (A x − b)"),
    case("least squares, Hessian", [0.5 * sn.sum((T @ x - b5) ** 2), 0.5 * L.norm(T @ x - b5) ** 2], x, T.T @ T, "Aᵀ A",
         kind="hessian"),
    case("ridge", sn.sum((T @ x - b5) ** 2) + alpha * sn.sum(x ** 2), x,
         2 * T.T @ (T @ x - b5) + 2 * alpha * x, "2 Aᵀ (A x − b) + 2 α x"),
    case("weighted", [(T @ x - b5) @ C5 @ (T @ x - b5)], x, 2 * T.T @ C5 @ (T @ x - b5), "2 Aᵀ C (A x − b)"),
    case("Mahalanobis", [(x - a) @ inv(W) @ (x - a), (x - a) @ L.solve(W, x - a)], x, 2 * inv(W) @ (x - a),
         "2 W⁻¹ (x − a)"),
    case("normal density", [-0.5 * (x - a) @ L.solve(W, x - a) - 0.5 * L.logdet(W)], W,
         0.5 * inv(W) @ outer(x - a, x - a) @ inv(W) - 0.5 * inv(W),
         "0.5 W⁻¹ (x − a) (x − a)ᵀ W⁻¹ − 0.5 W⁻¹"),
    case("matrix factorisation", [0.5 * sn.sum((A - B @ X @ C) ** 2), 0.5 * L.norm(A - B @ X @ C, "fro") ** 2], X,
         -B.T @ (A - B @ X @ C) @ C.T, "−Bᵀ (A − B X C) Cᵀ", "the sign turns the difference round"),
    case("logistic", [sn.sum(sn.log(1 + sn.exp(-b5 * (T @ x)))), sn.sum(sn.softplus(-b5 * (T @ x)))], x,
         -T.T @ (b5 * sn.sigmoid(-b5 * (T @ x))), "−Aᵀ (b ⊙ σ(−b ⊙ (A x)))"),
    case("logistic, Hessian", sn.sum(sn.softplus(T @ x)), x,
         T.T @ sn.diag(sn.sigmoid(T @ x) * sn.sigmoid(-(T @ x))) @ T, "Aᵀ diag(σ(A x) ⊙ σ(−A x)) A", kind="hessian"),
    case("log-sum-exp", [sn.logsumexp(x), sn.log(sn.sum(sn.exp(x)))], x, p, "softmax(x)"),
    case("log-sum-exp, Hessian", [sn.logsumexp(x), sn.log(sn.sum(sn.exp(x)))], x, sn.diag(p) - outer(p, p),
         "diag(softmax(x)) − softmax(x) softmax(x)ᵀ", kind="hessian"),
    case("log-sum-exp of A x + b", [sn.logsumexp(T @ x + b5), sn.log(sn.sum(sn.exp(T @ x + b5)))], x,
         T.T @ sn.softmax(T @ x + b5), "Aᵀ softmax(A x + b)"),
    case("softmax", [sn.softmax(x), sn.exp(x) / sn.sum(sn.exp(x))], x, sn.diag(p) - outer(p, p),
         "diag(softmax(x)) − softmax(x) softmax(x)ᵀ", kind="jacobian"),
    case("log-softmax", [sn.log_softmax(x), sn.log(sn.softmax(x)), x - sn.logsumexp(x)], x,
         I - outer(sn.ones((3,), "float64"), p), "I − 𝟏 softmax(x)ᵀ", kind="jacobian"),
    case("norm, Hessian", [L.norm(x), sn.sqrt(x @ x)], x, (I - outer(x, x) / (x @ x)) / L.norm(x),
         "(I − x xᵀ / ‖x‖²) / ‖x‖", kind="hessian"),
    case("element by element", [sn.exp(x)], x, sn.diag(sn.exp(x)), "diag(exp(x))", kind="jacobian"),
    case("linear map", T @ x, x, T, "A", kind="jacobian"),
    case("quartic, Hessian", (x @ x) ** 2, x, 4 * (x @ x) * I + 8 * outer(x, x),
         "4 (xᵀ x) I + 8 x xᵀ", kind="hessian"),
    case("quadratic form, Hessian", [x @ B @ x, sn.einsum("i,ij,j", x, B, x)], x, B + B.T, "B + Bᵀ", kind="hessian"),
    case("log-determinant, Hessian", [L.logdet(X), L.slogdet(X).logabsdet], X,
         -sn.einsum("jk,li->ijkl", inv(X), inv(X)), "−X⁻ᵀ Jᵢⱼᵀ X⁻ᵀ", kind="hessian"),
    case("trace of the inverse, Hessian", tr(inv(X)), X,
         sn.einsum("jk,li->ijkl", inv(X), inv(X) @ inv(X)) + sn.einsum("jk,li->ijkl", inv(X) @ inv(X), inv(X)),
         "X⁻ᵀ (X⁻ᵀ Jᵢⱼᵀ + Jᵢⱼᵀ X⁻ᵀ) X⁻ᵀ", kind="hessian"),
    case("Hadamard product", [sn.sum(A * X * B), tr((A * X) @ B.T), sn.vdot(A * B, X)], X, A * B, "A ⊙ B"),
    case("diagonal scaling", [a @ sn.diag(x) @ b, sn.sum(a * x * b), tr(sn.diag(x) @ outer(b, a))], x, a * b, "a ⊙ b"),
    case("trace with a diagonal matrix", [tr(A @ sn.diag(x)), sn.sum(sn.diag(A) * x)], x, sn.diag(A), "diag(A)"),
    case("exponential of X a", [sn.sum(sn.exp(R @ a))], R, outer(sn.exp(R @ a), a), "exp(X a) aᵀ"),
]  # fmt: skip

BOOK = [*DIFFERENTIALS, *DETERMINANTS, *INVERSES, *EIGENVALUES, *FIRST_ORDER, *SECOND_ORDER, *HIGHER_ORDER, *TRACES,
        *NORMS, *STRUCTURED]  # fmt: skip
CASES = [*BOOK, *EVERYDAY]
