"""Random kernels: random axes, accesses, reductions, inner loops and schedules, as text.

`python -m tests.codegen.llvm.nest_fuzz 1000` runs the first thousand seeds.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from symnet.expr.dtypes import SHORT
from tests.codegen.llvm.native import Native, agree

SIZES = {"N": (1, 7, 33), "M": (2, 16, 19)}
BINARY = ("({} + {})", "({} - {})", "({} * {})", "maximum({}, {})", "minimum({}, {})")
FLOAT_UNARY = ("tanh({})", "abs({})", "-{}", "exp(minimum({}, {one}))", "sqrt(abs({}))")
REDUCERS = ("sum", "max", "min", "prod", "argmax", "argmin", "any", "all")


class Fuzz:
    """One random program of one kernel."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.sizes = {name: int(self.rng.choice(sizes)) for name, sizes in SIZES.items()}
        self.capacity = {name: size + int(self.rng.integers(0, 3)) for name, size in self.sizes.items()}
        self.dtype = str(self.rng.choice(["float32", "float64", "float64", "int64", "int32"]))
        self.kind = SHORT[self.dtype]
        self.buffers: list[str] = []
        self.memory: dict[str, Any] = {}
        self.count = 0
        self.axes: list[tuple[str, str]] = []  # in scope: (name, extent)

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def extent(self) -> str:
        return str(self.rng.choice(["N", "M", "5", "16", "3"]))

    def size(self, extent: str) -> int:
        return self.sizes.get(extent) or int(extent)

    def const(self) -> str:
        value = int(self.rng.integers(-3, 4))
        return f"{value}" if self.kind == "i64" else f"{value}i" if self.kind == "i32" else self.float(value / 2)

    def float(self, value: float) -> str:
        return f"{value}f" if self.kind == "f32" else f"{value}"

    def load(self) -> str:
        """A load over some of the axes in scope, in any order, sometimes shifted or mirrored behind a guard."""
        count = min(len(self.axes), int(self.rng.integers(0, 4)))
        chosen = [self.axes[i] for i in self.rng.permutation(len(self.axes))[:count]]
        name, dtype = self.name("x"), self.dtype
        shape = ", ".join(extent for _, extent in chosen)
        self.buffers.append(f"  buffer {name}: {self.kind}[{shape}] input")
        self.memory[name] = self.values(tuple(self.size(extent) for _, extent in chosen), dtype)
        index = [axis for axis, _ in chosen]
        if index and self.chance(0.3):
            place = int(self.rng.integers(len(index)))
            form = str(self.rng.choice(["{} - 1", "{} + 2", "2*{} - 1", "{e} - {}"]))
            index[place] = form.format(index[place], e=chosen[place][1])
            return f"{name}[{', '.join(index)} else {self.const()}]"
        return f"{name}[{', '.join(index)}]"

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        if dtype.startswith("float"):
            values = self.rng.normal(size=shape).astype(dtype)
            if self.chance(0.1):
                values = np.where(self.rng.random(shape) < 0.05, np.nan, values).astype(dtype)
            return np.asarray(values)
        return np.asarray(self.rng.integers(-4, 5, shape), dtype)

    def gather(self) -> str:
        """A row picked by an index that is data."""
        axis, extent = self.axes[int(self.rng.integers(len(self.axes)))]
        index, table = self.name("i"), self.name("t")
        self.buffers.append(f"  buffer {index}: i64[{extent}] input")
        self.buffers.append(f"  buffer {table}: {self.kind}[7, {extent}] input")
        self.memory[index] = self.rng.integers(0, 7, self.size(extent))
        self.memory[table] = self.values((7, self.size(extent)), self.dtype)
        return f"{table}[{{{index}[{axis}]}}, {axis}]"

    def scalar(self, names: list[str], depth: int = 2) -> str:
        choice = self.rng.random()
        if depth == 0 or choice < 0.35:
            kinds = ["load", "load", "name", "const", "position", "gather"]
            kind = str(self.rng.choice(kinds))
            if kind == "name" and names:
                return str(self.rng.choice(names))
            if kind == "const":
                return self.const()
            if kind == "position" and self.axes:
                axis = self.axes[int(self.rng.integers(len(self.axes)))][0]
                return f"{self.kind}(@(2*{axis} - 3))"
            if kind == "gather" and self.axes:
                return self.gather()
            return self.load()
        if choice < 0.5 and self.dtype.startswith("float"):
            return str(self.rng.choice(FLOAT_UNARY)).format(self.scalar(names, depth - 1), one=self.float(1.0))
        if choice < 0.6:
            a, b = self.scalar(names, depth - 1), self.scalar(names, depth - 1)
            return f"where({self.load()} < {self.const()}, {a}, {b})"
        return str(self.rng.choice(BINARY)).format(self.scalar(names, depth - 1), self.scalar(names, depth - 1))

    def block(self, indent: str, names: list[str], depth: int, stores: bool) -> list[str]:
        lines: list[str] = []
        for _ in range(int(self.rng.integers(1, 4))):
            kind = str(self.rng.choice(["let", "reduce", "loop", "store"]))
            if kind == "reduce" and depth:
                lines += self.reduce(indent, names, depth)
            elif kind == "loop" and depth and stores:
                axis = self.name("l"), self.extent()
                lines.append(f"{indent}for {axis[0]}: {axis[1]}:")
                self.axes.append(axis)
                lines += [*self.block(indent + "  ", list(names), depth - 1, True), self.store(indent + "  ", names)]
                self.axes.pop()
            elif kind == "store" and stores:
                lines.append(self.store(indent, names))
            else:
                value = self.scalar(names)
                names.append(self.name("a"))
                lines.append(f"{indent}{names[-1]} = {value}")
        return lines

    def reduce(self, indent: str, names: list[str], depth: int) -> list[str]:
        reducer = str(self.rng.choice(REDUCERS))
        axes = [
            (self.name("r"), self.extent()) for _ in range(1 if reducer.startswith("arg") else self.rng.integers(1, 3))
        ]
        name = self.name("a")
        self.axes += axes
        inner = list(names)
        lines = [f"{indent}{name} = {reducer}({', '.join(f'{a}: {e}' for a, e in axes)}):"]
        lines += self.block(indent + "  ", inner, depth - 1, False)
        value = self.scalar(inner)
        if reducer in ("any", "all"):
            value = f"{self.load()} < {self.const()}"
        elif reducer == "prod":
            value = f"maximum({self.float(0.9) if self.dtype.startswith('float') else self.const()}, {self.const()})"
        elif reducer.startswith("arg"):
            value = self.load()  # what is computed may differ in the last bit, and so the position
        lines.append(f"{indent}  yield {value}")
        del self.axes[len(self.axes) - len(axes) :]
        if reducer in ("any", "all") or reducer.startswith("arg"):
            plain = name
            name = self.name("a")
            lines.append(f"{indent}{name} = {self.kind}({plain})")
        names.append(name)
        return lines

    def store(self, indent: str, names: list[str]) -> str:
        order = [self.axes[i] for i in self.rng.permutation(len(self.axes))]
        if self.chance(0.5):
            order = list(self.axes)
        name = self.name("o")
        self.buffers.append(f"  buffer {name}: {self.kind}[{', '.join(e for _, e in order)}] output")
        return f"{indent}{name}[{', '.join(a for a, _ in order)}] = {self.scalar(names)}"

    def text(self) -> str:
        axes = [(self.name("k"), self.extent()) for _ in range(int(self.rng.integers(0, 4)))]
        self.axes = list(axes)
        names: list[str] = []
        lines = [*self.block("    ", names, 2, True), self.store("    ", names)]
        known = [
            name
            for name in (f"{c}{i}" for c in "klr" for i in range(self.count + 1))
            if f" {name}:" in " ".join(lines) or f"({name}:" in " ".join(lines)
        ]
        vector = str(self.rng.choice([axis for axis, _ in axes] + known + [""])) if axes or known else ""
        parallel = int(self.rng.integers(0, len(axes) + 1))
        words = [f"parallel={parallel}"] * bool(parallel) + [f"vector={vector}"] * bool(vector)
        head = f"  kernel k ({', '.join(f'{a}: {e}' for a, e in axes)}) [{' '.join(words)}]:".replace(" []", "")
        dims = [f"  dim {name} <= {size}" for name, size in self.capacity.items()]
        return "\n".join(["program p", *dims, *self.buffers, head, *lines]) + "\n"


def run(seed: int) -> None:
    """Compile the program of a seed and compare with the interpreter, on one and two threads."""
    fuzz = Fuzz(seed)
    text = fuzz.text()
    try:
        native = Native(text)
        agree(native.program, fuzz.memory, fuzz.sizes, {"float32": 2e-3, "float64": 1e-8}.get(fuzz.dtype, 0.0), native)
    except BaseException:
        print(f"seed {seed}, sizes {fuzz.sizes}:\n{text}")  # noqa: T201
        raise


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        run(number)
    print(f"{sys.argv[1]} random kernels agree")  # noqa: T201
