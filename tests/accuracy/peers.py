"""The same formulas in PyTorch and JAX, as their users run them: eager, float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.accuracy.formula import Formula
from tests.accuracy.measure import Names, Results

Array = np.ndarray


def run_torch(formula: Formula, point: Sequence[Array], weights: Array) -> Results:
    import torch

    tensors = [torch.tensor(array) for array in point]
    by = [tensor.requires_grad_() for tensor in tensors[: formula.wrt] if tensor.dtype == torch.float32]
    value = formula.function(_torch_names(), *tensors)
    slopes = torch.autograd.grad(torch.sum(value * torch.tensor(weights)), by, allow_unused=True)
    found = [np.zeros(t.shape, np.float32) if s is None else s.numpy() for t, s in zip(by, slopes, strict=True)]
    return value.detach().numpy(), found


def _torch_names() -> Names:
    import torch

    def tensor(value: Any) -> Any:
        return (
            torch.as_tensor(value, dtype=torch.float32) if isinstance(value, (int, float)) else torch.as_tensor(value)
        )

    def on_tensors(name: str) -> Any:
        return lambda *values: getattr(torch, name)(*map(tensor, values))

    def over(name: str) -> Any:
        def reduce(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            return getattr(torch, name)(x) if axis is None else getattr(torch, name)(x, dim=axis, keepdim=keepdims)

        return reduce

    def where(condition: Any, a: Any, b: Any) -> Any:
        return torch.where(torch.as_tensor(condition), tensor(a), tensor(b))

    return Names(
        torch,
        where=where,
        take_along_axis=lambda x, i, axis: torch.take_along_dim(x, i, dim=axis),
        array_=lambda v: torch.tensor(v, dtype=torch.float32),
        float_=lambda m: m.to(torch.float32),
        max=lambda x, axis=None, keepdims=False: (
            torch.max(x) if axis is None else torch.amax(x, dim=axis, keepdim=keepdims)
        ),
        **{name: over(name) for name in ("sum", "mean", "prod")},
        **{name: on_tensors(name) for name in ("maximum", "minimum", "log", "exp", "abs", "sqrt")},
    )


def run_jax(formula: Formula, point: Sequence[Array], weights: Array) -> Results:
    import jax
    import jax.numpy as jnp

    names = Names(jnp, erf=jax.scipy.special.erf, array_=lambda v: jnp.array(v, jnp.float32),
                  float_=lambda m: m.astype(jnp.float32))  # fmt: skip
    by = [i for i, array in enumerate(point[: formula.wrt]) if array.dtype == np.float32]

    def weighted(*arrays: Any) -> tuple[Any, Any]:
        value = formula.function(names, *arrays)
        return jnp.sum(value * weights), value

    slopes, value = jax.jit(jax.grad(weighted, by, has_aux=True))(*map(jnp.asarray, point))
    return np.asarray(value), [np.asarray(slope) for slope in slopes]
