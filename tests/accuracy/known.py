"""Formulas of the corpus that are not right yet, each with the reason."""

from __future__ import annotations

KNOWN: dict[str, str] = {
    "shifted softplus": "log 2 in the graph is a float64 number, and what that lacks is left where the rest is 0",
    "swiglu": "a factor is below the normal numbers of float32, the product with it is not",
    "identity: either of two": "1 - (1 - p)(1 - q) for p and q below 10⁻¹⁶, which float64 takes for 0",
    "softmax of two axes": "shares that lack less than 10⁻¹⁶ to 1, which float64 takes for 1",
    "log-mean-exp": "the log 3 that is computed and that of the formula differ in the last bit of float64",
    "gumbel softmax": "z - log(…) is rounded at 1000 before it is multiplied by 10 and exponentiated",
    "sparse share": "at a kink of the positive part: the derivative is 0 there, the mean of both sides is wanted",
    "maximum of two branches": "in float32 both branches are equal near 0, and the derivative is the mean of both",
    "power by log": "the derivative is infinite at 0, and the product with the guard is no number",
    "density: logit-normal": "near a zero of the sum, where the terms of ordinary size have one bit too few",
}
