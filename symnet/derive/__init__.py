"""Derivatives as expressions: reverse mode, forward mode, Jacobians, Hessians, of any order.

`reverse.py` and `forward.py` are the two modes, `jacobians.py` builds whole matrices with `batch.py`, on which
`vmap.py` is built too, `api.py` is what users call, and `reasons.py` holds the sentences of the derivation.
"""

from symnet.derive.api import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from symnet.derive.reverse import pullback
from symnet.derive.vmap import vmap

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "pullback", "value_and_grad", "vjp", "vmap"]
