"""Sentences for the steps of a derivation: why the derivative of each operation is what it is."""

from __future__ import annotations

from symnet.expr.node import Expr

# The choice made where a function has no derivative. It is the one of PyTorch, however the function is spelled.
KINKS = {
    "relu": "relu′(z) is 1 for z > 0 and 0 for z < 0; at the kink z = 0 it is taken as 0",
    "absolute": "|x|′ is sign(x); at the kink x = 0 it is taken as 0",
    "maximum": "the larger operand carries the derivative; where both are equal each gets half",
    "minimum": "the smaller operand carries the derivative; where both are equal each gets half",
    "max_pool": "the largest element of each window carries its derivative; of equal ones the first",
    "max": "the largest element carries the derivative; elements that tie for it share evenly",
    "min": "the smallest element carries the derivative; elements that tie for it share evenly",
}

_REASONS: dict[str, str | tuple[str, ...]] = {
    "add": "a sum passes its cotangent on to each term",
    "subtract": (
        "a difference passes its cotangent on to its first term",
        "a difference passes the negative of its cotangent on to its second term",
    ),
    "multiply": ("∂(a·b)/∂a = b", "∂(a·b)/∂b = a"),
    "divide": ("∂(a/b)/∂a = 1/b", "∂(a/b)/∂b = −a/b²"),
    "negative": "(−x)′ = −1",
    "power": ("∂(xᵃ)/∂x = a·xᵃ⁻¹", "∂(xᵃ)/∂a = xᵃ·log x"),
    "mod": ("∂(a mod b)/∂a = 1", "∂(a mod b)/∂b = −⌊a/b⌋"),
    "sqrt": "(√x)′ = 1/(2·√x)",
    "rsqrt": "(1/√x)′ = −1/(2·x·√x)",
    "square": "(x²)′ = 2·x",
    "reciprocal": "(1/x)′ = −1/x²",
    "exp": "(exp x)′ = exp x",
    "expm1": "(exp x − 1)′ = exp x",
    "log": "(log x)′ = 1/x",
    "log1p": "log(1 + x)′ = 1/(1 + x)",
    "tanh": "tanh′ = 1 − tanh²",
    "sigmoid": "σ′ = σ·(1 − σ)",
    "log_sigmoid": "(log σ(x))′ = 1 − σ(x) = σ(−x)",
    "softplus": "log(1 + exp x)′ = σ(x)",
    "huber": (
        "huber′ is the difference itself, limited to the range from −delta to delta",
        "∂huber/∂delta = max(|d| − delta, 0)",
    ),
    "log_cosh": "(log cosh x)′ = tanh x",
    "xlogy": ("∂(a·log b)/∂a = log b", "∂(a·log b)/∂b = a/b"),
    "bernoulli_nll": (
        "(−t·log p − (1 − t)·log(1 − p))′ = (p − t)/(p·(1 − p))",
        "∂(−t·log p − (1 − t)·log(1 − p))/∂t = log(1 − p) − log p",
    ),
    "bernoulli_logit_slope": ("σ′ = σ·(1 − σ)", "∂(σ(x) − t)/∂t = −1"),
    "bernoulli_logit_nll": ("(softplus(x) − t·x)′ = σ(x) − t", "∂(softplus(x) − t·x)/∂t = −x"),
    "gelu": "gelu(x) = x·Φ(x), so gelu′(x) = Φ(x) + x·φ(x)",
    "gelu_tanh": "the product rule on x·(1 + tanh u(x))/2",
    "silu": "(x·σ(x))′ = σ(x)·(1 + x·(1 − σ(x)))",
    "erf": "erf′(x) = 2/√π·exp(−x²)",
    "sin": "sin′ = cos",
    "cos": "cos′ = −sin",
    "clip": "what is held at a limit does not follow its operand",
    "where": "each element's cotangent goes to the branch it was taken from",
    "cast": "a change of precision passes the cotangent on",
    "sum": "every element counts once, so each gets the cotangent of its sum",
    "prod": "∂(∏x)/∂xᵢ is the product of the other elements",
    "mean": "each of the n elements counts 1/n",
    "var": "∂var/∂xᵢ = 2·(xᵢ − mean)/(n − correction)",
    "logsumexp": "∂logsumexp(x)/∂x = softmax(x)",
    "unit": "∂(x/‖x‖)/∂x keeps the part across x, divided by ‖x‖",
    "norm": "∂‖x‖/∂x = x/‖x‖, and 0 where x is 0, a subgradient",
    "softmax": "∂pᵢ/∂zⱼ = pᵢ·(1[i = j] − pⱼ)",
    "log_softmax": "∂(log pᵢ)/∂zⱼ = 1[i = j] − pⱼ",
    "contract": (
        "a sum of products is linear in its first factor: the cotangent meets the second",
        "a sum of products is linear in its second factor: the first meets the cotangent",
    ),
    "inverse": "dX⁻¹ = −X⁻¹ dX X⁻¹",
    "solve": ("d(A⁻¹b) = −A⁻¹ dA A⁻¹b", "A⁻¹b is linear in b"),
    "solve_triangular": ("d(T⁻¹b) = −T⁻¹ dT T⁻¹b, in the triangle that is read", "T⁻¹b is linear in b"),
    "det": "d det(X) = det(X)·tr(X⁻¹ dX)",
    "logdet": "d log det(X) = tr(X⁻¹ dX)",
    "logabsdet": "d log |det(X)| = tr(X⁻¹ dX)",
    "cholesky": "dL = L·Φ(L⁻¹ dA L⁻ᵀ), where Φ takes the lower triangle with half the diagonal",
    "trace": "each element of the diagonal counts once",
    "kron": ("a ⊗ b is linear in a", "a ⊗ b is linear in b"),
    "reshape": "a reshape moves no value: its cotangent is reshaped back",
    "transpose": "the cotangent is transposed back",
    "broadcast_to": "a value used many times gets the sum of the cotangents of its uses",
    "slice": "the cotangent goes back to where the slice was taken; the rest gets 0",
    "place": "the cotangent of the part that was placed",
    "concat": "each part gets its own piece of the cotangent",
    "gather": "each element gets the sum of the cotangents of the places it was copied to",
    "scatter_add": "each update gets the cotangent of the place it was added to",
    "windows": "each element gets the sum of the cotangents of its places in the windows",
    "overlap_add": "what a window holds gets the cotangent of the place it was added to",
    "unpool": "each value gets the cotangent of the place it was put",
    "cumsum": "an element counts in every later sum: the cotangents are summed from the other end",
    "dropout": "what was kept passes its cotangent on, scaled alike; what was dropped passes none",
    "alpha_dropout": "what was kept passes its cotangent on, scaled alike; what was dropped passes none",
    "rrelu": "rrelu′(x) is 1 for x > 0, else the slope that was drawn; at the kink x = 0 it is that slope",
    "standardize": "moving and scaling x changes nothing: the cotangent loses its mean and its part along the result",
    "scale_to_unit": "scaling x changes nothing: the cotangent loses its part along the result",
    "batch_norm": (
        "moving and scaling a channel changes nothing, so the cotangent loses its mean and its part along x̂",
        "∂(γ·x̂ + β)/∂γ = x̂",
        "∂(γ·x̂ + β)/∂β = 1",
    ),
    "scan": "backpropagation through time: the loop runs in reverse, carrying the cotangent of its carries",
    "cond": "the derivative of the side that was chosen",
    "stop_gradient": "nothing flows through stop_gradient",
}


def chain_reason(node: Expr, operand: int) -> str:
    """Why `node` contributes what it does to its operand number `operand`."""
    reason = _REASONS.get(node.op)
    if reason is None:
        from_definition = node.declaration.pullback is None and node.declaration.define is not None
        return f"by the definition of {node.op}" if from_definition else f"the derivative of {node.op}"
    if isinstance(reason, tuple):
        return reason[min(operand, len(reason) - 1)]
    return reason
