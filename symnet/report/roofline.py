"""What the machine allows a kernel: the roofline, with a roof for each cache.

A kernel needs at least the time of its additions and products at the peak, or of its bytes at the rate of a copy of as
many bytes, on as many threads. Small data stay in a near cache, where copies are faster, so every size has a rate of
its own. All rates are measured; where a kernel did better than the loop that was to find the limit (which other
programs may have disturbed), its own rate is the limit. So no kernel is beyond what is stated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from symnet.report.model import Copy, Kernel, Machine

if TYPE_CHECKING:
    from symnet.runtime.profile import Profile

BLOCKS = tuple(1 << bits for bits in (14, 16, 18, 20, 22, 24, 27))
"""The sizes of copies, from 16 KiB to what is larger than any cache."""
NEARER = 1.3
"""A copy that is faster than one in memory by this factor happens in a cache."""


@dataclass
class Limits:
    """Rates that this machine can reach.

    flops  (threads, dtype) -> floating-point operations a second
    copy   (threads, bytes) -> bytes a second
    """

    flops: Callable[[int, str], float]
    copy: Callable[[int, int], float]
    _computed: dict[tuple[int, str], float] = field(default_factory=dict)
    _moved: dict[tuple[int, int], float] = field(default_factory=dict)

    def peak(self, kernel: Kernel) -> float:
        """Of the kernel's type, on its threads."""
        key = kernel.threads, kernel.dtype
        return max(self.flops(*key), self._computed.get(key, 0.0))

    def bandwidth(self, threads: int, size: int) -> float:
        """Of so many threads, within so many bytes: of a copy of as many, or of more."""
        larger = [block for block in BLOCKS if block >= block_of(size)]
        return max(max(self.copy(threads, block), self._moved.get((threads, block), 0.0)) for block in larger)

    def seen(self, kernel: Kernel) -> None:
        """Note what a kernel that was measured has reached."""
        if not kernel.time_us:
            return
        seconds, key = kernel.time_us * 1e-6, (kernel.threads, block_of(size_of(kernel)))
        if self.bound(kernel)[1] == "compute":
            own = kernel.threads, kernel.dtype
            self._computed[own] = max(self._computed.get(own, 0.0), kernel.flops / seconds)
        else:
            self._moved[key] = max(self._moved.get(key, 0.0), kernel.bytes / seconds)

    def bound(self, kernel: Kernel) -> tuple[float, str]:
        """The seconds that the kernel needs at least, and what for: "compute", "cache" or "memory"."""
        rate = self.bandwidth(kernel.threads, size_of(kernel))
        compute, move = kernel.flops / self.peak(kernel), kernel.bytes / rate
        if compute >= move:
            return compute, "compute"
        return move, "cache" if rate > NEARER * self.bandwidth(kernel.threads, BLOCKS[-1]) else "memory"

    def machine(self, threads: int, kernels: Sequence[Kernel], arena: int) -> Machine:
        """All of it for all threads: what a roofline shows."""
        dtypes = sorted({kernel.dtype for kernel in kernels})
        peaks = {dtype: self.flops(threads, dtype) for dtype in dtypes}
        for (_, dtype), rate in self._computed.items():
            peaks[dtype] = max(peaks[dtype], rate)
        smallest = min(block_of(size_of(kernel)) for kernel in kernels)
        counts = {threads, *(kernel.threads for kernel in kernels)}
        rates = {b: max(self.bandwidth(count, b) for count in counts) for b in BLOCKS if b >= smallest}
        copies = [Copy(size, rate) for size, rate in rates.items()]
        return Machine(threads, peaks, self.bandwidth(threads, arena), copies)


def size_of(kernel: Kernel) -> int:
    """The bytes that one run of a kernel works on."""
    return kernel.bytes // max(1, kernel.runs)


def block_of(size: int) -> int:
    """The size of the copy that stands for so many bytes: the next one of `BLOCKS`."""
    return next((block for block in BLOCKS if block >= size), BLOCKS[-1])


def bounded(kernels: Sequence[Kernel], limits: Limits) -> list[Kernel]:
    """The kernels with the time that the roofline leaves them, and the share of it that they reach if measured."""
    for kernel in kernels:
        limits.seen(kernel)
    result = []
    for kernel in kernels:
        seconds, limit = limits.bound(kernel)
        own = kernel.time_us and min(1.0, seconds * 1e6 / kernel.time_us)
        result.append(replace(kernel, bound_us=seconds * 1e6, limit=limit, of_roof=own))
    return result


def measured(kernels: Sequence[Kernel], profile: Profile) -> list[Kernel]:
    """The kernels with what a profile says of them."""
    return [
        replace(
            kernel,
            time_us=found.time,
            share=found.share,
            of_peak=found.of_peak,
            of_bandwidth=found.of_bandwidth,
        )
        for kernel, found in zip(kernels, profile.kernels, strict=True)
    ]
