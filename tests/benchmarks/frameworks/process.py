"""The processes of the contestants: their environment, their turns, their figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tests.benchmarks.frameworks.contestants import Contestant
from tests.benchmarks.frameworks.job import Setting
from tests.benchmarks.frameworks.workloads import Networked, StartUp, Workload

PAUSE = 0.05
"""Seconds before a turn, in which the threads of the one before stop spinning."""

AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_cpu_experimental_ynn_fusion_type=",
    "OPENBLAS_CORETYPE": "Haswell",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "",
}
RESTRICTIONS: Mapping[str, Mapping[str, str]] = {"native": {}, "x86-64-v3": AVX2}
"""How each framework is kept from instructions above a level. XLA's library of products knows no level, and is left
out: with it, JAX multiplies at 235 GFLOP/s on one core, twice what AVX2 can do."""
UNRESTRICTED = ("onnxruntime",)
"""Has no such setting: left out of restricted runs."""
DROPPED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE", "SYMNET_THREADS", "SYMNET_CHECK")
"""Variables of the caller's that would change what is measured."""


class LeftOut(Exception):
    """A contestant that cannot take part here, and why."""


@dataclass
class Taken:
    """The figures of one contestant at one workload, as they are stored.

    seconds  for each part, those of one repetition in each turn
    first    seconds from the start of its work to the end of its first turn, compiling included
    peak     bytes resident at most; `above`: above what was resident before it began
    """

    name: str
    seconds: list[list[float]]
    first: float = 0.0
    peak: int = 0
    above: int = 0
    profile: dict[str, Any] | None = None


class Process:
    """A contestant at work."""

    def __init__(
        self, contestant: Contestant, work: Workload, setting: Setting, interpreters: Mapping[str, str], cache: str = ""
    ) -> None:
        python = interpreters.get(contestant.interpreter, "") if contestant.interpreter else sys.executable
        if not python:
            raise LeftOut(f"give its Python with --python {contestant.interpreter}=PATH")
        if setting.target != "native" and contestant.interpreter in UNRESTRICTED:
            raise LeftOut(f"it cannot be restricted to {setting.target}")
        environment = {name: value for name, value in os.environ.items() if name not in DROPPED}
        environment |= RESTRICTIONS[setting.target]
        environment |= {"OMP_NUM_THREADS": str(setting.threads), "OPENBLAS_NUM_THREADS": str(setting.threads)}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", **contestant.environment}
        # PyTorch finds what it compiled for AVX2 again for AVX-512, and damages its memory with it
        kept = os.path.join(tempfile.gettempdir(), f"inductor-{setting.target}-{setting.threads}")
        environment["TORCHINDUCTOR_CACHE_DIR"] = kept
        if cache:
            environment[contestant.cache] = cache
        self.taken = Taken(contestant.name, [[] for _ in work.parts])
        command = [python, "-m", "tests.benchmarks.frameworks.worker", contestant.make, work.name]
        self._process = subprocess.Popen(
            [*command, json.dumps(asdict(setting))],
            env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def start(self) -> None:
        """Wait until its first turn is done."""
        self._note(self._answer())

    def figures(self) -> list[list[float]]:
        """What it computed in its first turns, by which contestants are compared."""
        found: list[list[float]] = self._answer()["figures"]
        return found

    def turn(self, part: int) -> None:
        time.sleep(PAUSE)
        found = self._asked(str(part))
        self.taken.seconds[part].append(found["seconds"])
        self._note(found)

    def profile(self) -> None:
        self.taken.profile = self._asked("profile")["profile"]

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _note(self, found: Mapping[str, Any]) -> None:
        self.taken.first = found.get("first", self.taken.first)
        self.taken.peak, self.taken.above = found["peak"], found["above"]

    def _asked(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        _, errors = self._process.communicate()
        told = [line for line in errors.splitlines() if line.strip()]
        raise LeftOut(told[-1].strip()[:200] if told else f"it ended without a word ({self._process.returncode})")


def compared(
    work: Workload, contestants: Sequence[Contestant], setting: Setting, interpreters: Mapping[str, str], rounds: int
) -> tuple[list[Taken], dict[str, str]]:
    """The figures of those that took part, and why others did not."""
    setting = with_shapes(work, setting)
    if isinstance(work, StartUp):
        return _started(work, contestants, setting, interpreters, rounds)
    running: list[Process] = []
    figures: list[list[list[float]]] = []
    left_out: dict[str, str] = {}
    try:
        for contestant in contestants:
            try:
                process = Process(contestant, work, setting, interpreters)
                running.append(process)
                process.start()
                figures.append(process.figures())
            except LeftOut as reason:
                left_out[contestant.name] = str(reason)
                if len(running) > len(figures):
                    running.pop().stop()
        for process, found in zip(running, figures, strict=True):
            _check(work, process.taken.name, found, running[0].taken.name, figures[0])
        for _ in range(rounds):
            for part in range(len(work.parts)):
                for process in running:
                    process.turn(part)
        if running and running[0].taken.name.startswith("symnet"):
            running[0].profile()
    finally:
        for process in running:
            process.stop()
    return [process.taken for process in running], left_out


def _started(
    work: StartUp, contestants: Sequence[Contestant], setting: Setting, interpreters: Mapping[str, str], rounds: int
) -> tuple[list[Taken], dict[str, str]]:
    """A new process for each turn. One before that fills caches: of bytecode for all, and if warm, what it keeps."""
    found: dict[str, Taken] = {}
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(-1, rounds):
            for contestant in contestants:
                if contestant.name in left_out:
                    continue
                cache = os.path.join(folder, contestant.name if work.warm else f"{contestant.name} {turn}")
                try:
                    taken = _started_once(contestant, work, setting, interpreters, cache if contestant.cache else "")
                except LeftOut as reason:
                    left_out[contestant.name] = str(reason)
                    continue
                if turn >= 0:
                    found.setdefault(contestant.name, taken).seconds[0].append(taken.first)
    return list(found.values()), left_out


def _started_once(
    contestant: Contestant, work: Workload, setting: Setting, interpreters: Mapping[str, str], cache: str
) -> Taken:
    """The figures of one start; `first` counts from the start of the process."""
    time.sleep(PAUSE)
    started = time.perf_counter()
    process = Process(contestant, work, setting, interpreters, cache)
    try:
        process.start()
        process.taken.first = time.perf_counter() - started
        process.figures()
    finally:
        process.stop()
    return process.taken


@lru_cache(maxsize=None)
def _layout(name: str) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """Shapes of parameters by name, and the names of batch norms, of the workload's network."""
    import symnet as sn
    from tests.benchmarks.frameworks.workloads import WORKLOADS

    work = next(work for work in WORKLOADS if work.name == name)
    assert isinstance(work, Networked)
    model = work.network(sn.nn)
    shapes = {name: tuple(map(int, p.shape)) for name, p in model.named_parameters()}
    return shapes, tuple(sorted({name.rpartition(".")[0] for name, _ in model.named_buffers()}))


def with_shapes(work: Workload, setting: Setting) -> Setting:
    """The setting with what sides need that write the network as a function of its parameters."""
    if not isinstance(work, Networked):
        return setting
    shapes, norms = _layout(work.name)
    return Setting(setting.threads, setting.target, shapes, norms)


def _check(work: Workload, name: str, found: list[list[float]], base_name: str, expected: list[list[float]]) -> None:
    """All must compute the same up to rounding, which training amplifies."""
    for got, wanted in zip(map(np.array, found), map(np.array, expected), strict=True):
        if work.kind == "train":
            gap = np.abs(got - wanted) / np.abs(wanted)
            agree = gap[:5].max() < 2e-4 and gap.max() < 5e-2
        elif work.kind == "rounded":  # by whom, is different
            gap = np.abs(got - wanted) / np.abs(wanted)
            agree = gap[:5].max() < 1e-2 and gap.max() < 5e-2
        else:
            gap = np.abs(got - wanted) / np.abs(wanted).max()
            agree = gap.max() < 1e-3
        if not agree:
            raise SystemExit(f"{work.name}: the figures of {name} and {base_name} differ by {gap.max():.1e}")
