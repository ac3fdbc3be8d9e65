"""Random contraction kernels as loop programs: any axes in any role, any order of indices, guards, steps, epilogues."""

from __future__ import annotations

import math

import numpy as np

EXTENTS = (1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 33, 40)
LARGEST = 300_000
"""Multiply-adds of the largest program, for the sake of the interpreter."""
CONSTANTS = {"f32": ("0.0f", "1.0f"), "f64": ("0.0", "1.0"), "i64": ("0", "1")}

Axes = list[tuple[str, int | str]]


class RandomContraction:
    """One program; `text` is it, `dims` its named dimension (if any) with its capacity, `dtype` that of its numbers."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.dtype = str(rng.choice(["f32", "f32", "f32", "f64", "i64"]))
        self.zero, self.one = CONSTANTS[self.dtype]
        self.dims: dict[str, int] = {}
        self.buffers: list[str] = []
        self.roles = self._roles()
        self.text = self._text()

    def _chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _shuffled(self, axes: Axes, probability: float) -> Axes:
        return [axes[at] for at in self.rng.permutation(len(axes))] if self._chance(probability) else list(axes)

    def _roles(self) -> dict[str, Axes]:
        """Role -> axes with their extents, one of them perhaps named, all together not too many iterations."""
        names = iter("abcdefghijklmnop")
        counts = {"batch": [0, 0, 0, 1, 2], "rows": [0, 1, 1, 1, 2, 3], "cols": [0, 1, 1, 2], "inner": [1, 1, 1, 2, 3]}
        sizes = {role: [int(n) for n in self.rng.choice(EXTENTS, self.rng.choice(c))] for role, c in counts.items()}
        while math.prod(size for role in sizes.values() for size in role) > LARGEST:
            role = max(sizes, key=lambda one: math.prod(sizes[one]))
            sizes[role] = [max(1, size // 2) for size in sizes[role]]
        roles: dict[str, Axes] = {role: [(next(names), size) for size in sizes[role]] for role in sizes}
        if self._chance(0.4):
            role = str(self.rng.choice([one for one in roles if roles[one]]))
            at = int(self.rng.integers(len(roles[role])))
            name, size = roles[role][at]
            roles[role][at], self.dims = (name, "N"), {"N": int(size)}
        return roles

    def _operand(self, buffer: str, axes: Axes) -> str:
        """A load indexed by the axes, perhaps with steps, reversals, sums of two axes; guarded where one leaves it."""
        indices, shape, guarded = [], [], False
        left = self._shuffled(axes, 0.6)
        while left:
            axis, size = left.pop(0)
            kind = self.rng.random()
            if isinstance(size, str) or kind > 0.35:
                index, extent = axis, size
            elif kind < 0.1:
                step, shift = self.rng.integers(1, 3), int(self.rng.integers(0, 3))
                index, extent, guarded = f"{step}*{axis} + {shift} - 1", max(1, size + shift - 1), True
            elif kind < 0.2 and left and not isinstance(left[0][1], str):
                index, extent, guarded = f"{axis} + {left.pop(0)[0]} - 1", size, True
            elif kind < 0.28:
                index, extent = f"2*{axis} + 1", 2 * size + 1
            else:
                index, extent = f"-{axis} + {size - 1}", size
            indices.append(index)
            shape.append(extent)
        self.buffers.append(f"{buffer}: {self.dtype}[{_list(shape)}] input")
        return f"{buffer}[{', '.join(indices)}{f' else {self.zero}' if guarded else ''}]"

    def _epilogue(self, out: Axes) -> list[str]:
        """A plain store, a bias with a function, or an update in place."""
        order = self._shuffled(out, 0.5)
        place, shape = _list(axis for axis, _ in order), _list(size for _, size in order)
        self.buffers.append(f"C: {self.dtype}[{shape}] output")
        if out and self._chance(0.4):
            some = self._shuffled(out, 1.0)[: int(self.rng.integers(1, len(out) + 1))]
            self.buffers.append(f"b: {self.dtype}[{_list(size for _, size in some)}] input")
            bias = f"b[{_list(axis for axis, _ in some)}]"
            return [f"z = acc + {bias}", f"C[{place}] = maximum(z, {self.zero})"]
        if self._chance(0.4):
            self.buffers.append(f"W: {self.dtype}[{shape}] parameter")
            return [f"W[{place}] = W[{place}] - acc", f"C[{place}] = acc"]
        return [f"C[{place}] = acc"]

    def _text(self) -> str:
        roles = self.roles
        a = self._operand("A", [*roles["batch"], *roles["rows"], *roles["inner"]])
        b = self._operand("B", [*roles["batch"], *roles["cols"], *roles["inner"]])
        if self._chance(0.25):
            a = f"({a} + {self.one})"
        if self._chance(0.25):
            b = f"where({b} > {self.zero}, {b}, {self.zero})"
        out = [*roles["batch"], *roles["rows"], *roles["cols"]]
        kernel_axes = self._shuffled(out, 0.5)
        epilogue = self._epilogue(out)
        named = {role: _list((axis for axis, _ in axes), ",") for role, axes in roles.items()}
        words = ["contract", *(f"{role}={names}" for role, names in named.items() if names)]
        if parallel := int(self.rng.integers(len(out) + 1)):
            words.append(f"parallel={parallel}")
        if roles["cols"] and self._chance(0.3):
            words.append(f"vector={roles['cols'][-1][0]}")
        lines = ["program t", *(f"  dim {name} <= {size}" for name, size in self.dims.items())]
        lines += [f"  buffer {buffer}" for buffer in self.buffers]
        lines += ["", f"  kernel g ({_bound(kernel_axes)}) [{' '.join(words)}]:"]
        factors = (a, b) if self._chance(0.7) else (b, a)
        lines += [f"    acc = sum({_bound(roles['inner'])}) {factors[0]} * {factors[1]}"]
        return "\n".join([*lines, *(f"    {line}" for line in epilogue)]) + "\n"


def _list(items: object, between: str = ", ") -> str:
    return between.join(map(str, items))  # type: ignore[call-overload]


def _bound(axes: Axes) -> str:
    return ", ".join(f"{axis}: {size}" for axis, size in axes)
