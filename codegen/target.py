"""What the generated code runs on: vector width, registers, caches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

from codegen import toolchain
from symnet.errors import UsageError, nearest
from symnet.expr.dtypes import BYTES

NAMED = {
    # name: (vector bytes, vector registers, LLVM cpu)
    "x86-64-v2": (16, 16, "x86-64-v2"),
    "x86-64-v3": (32, 16, "x86-64-v3"),
    "x86-64-v4": (64, 32, "x86-64-v4"),
}


@dataclass(frozen=True)
class Target:
    """A CPU as the code generator sees it; `cpu` and `features` are LLVM's names."""

    name: str
    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    l1_bytes: int = 32 * 1024
    l2_bytes: int = 1024 * 1024
    l3_bytes: int = 16 * 1024 * 1024

    def lanes(self, dtype: str) -> int:
        """How many values of `dtype` one vector register holds."""
        return max(1, self.vector_bytes // BYTES[dtype])

    @property
    def fma(self) -> bool:
        """Whether it has fused multiply-add instructions; without them, LLVM's fma calls a library function."""
        if not self.triple.startswith("x86_64"):
            return True
        return "+fma" in self.features.split(",") or self.cpu in ("x86-64-v3", "x86-64-v4")

    @property
    def bf16(self) -> bool:
        """Whether it multiplies pairs of bfloat16 numbers in vectors of 64 bytes, with float32 sums."""
        return self.vector_bytes == 64 and "+avx512bf16" in self.features.split(",")


@lru_cache(maxsize=None)
def target(name: str = "native") -> Target:
    """The machine this runs on (`native`), or a portable level such as `x86-64-v3`."""
    triple, cpu_name, features = toolchain.host()
    if name != "native":
        if name not in NAMED:
            raise UsageError(f"unknown target {name!r}{nearest(name, ['native', *NAMED])}")
        vector_bytes, registers, cpu = NAMED[name]
        return Target(name, triple, cpu, "", vector_bytes, registers)
    if features.get("avx512f") and features.get("avx512vl") and features.get("avx512dq"):
        vector_bytes, registers = 64, 32
    elif features.get("avx2") and features.get("fma"):
        vector_bytes, registers = 32, 16
    elif triple.startswith(("aarch64", "arm64")):
        vector_bytes, registers = 16, 32
    else:
        vector_bytes, registers = 16, 16
    l1, l2, l3 = _cache_bytes(0) or 32 * 1024, _cache_bytes(2) or 1024 * 1024, _cache_bytes(3) or 16 * 1024 * 1024
    listed = ",".join(f"{'+' if there else '-'}{feature}" for feature, there in sorted(features.items()))
    return Target(name, triple, cpu_name, listed, vector_bytes, registers, l1, l2, l3)


def _cache_bytes(index: int) -> int | None:
    """Size of the first core's cache `index` (0: first-level data, 2: second level, 3: third) as Linux reports it."""
    path = f"/sys/devices/system/cpu/cpu0/cache/index{index}/size"
    if not os.path.exists(path):
        return None
    with open(path) as file:
        text = file.read().strip()
    return int(text[:-1]) * {"K": 1024, "M": 1024**2}[text[-1]] if text[-1:] in "KM" else int(text)
