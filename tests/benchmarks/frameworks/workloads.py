"""What is timed: networks with their data, optimizers and starting values, and single operations, the same for all.

A new workload is one line of `WORKLOADS`. Each is of a kind; `contestants.py` says who takes part in which kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from tests.benchmarks.frameworks import networks

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Something that every contestant does `steps` times in one turn.

    goal   how many times the speed of the best peer symnet should have at least
    parts  names of what is timed one by one; one part without a name for most
    """

    name: str
    steps: int
    goal: float = 1.2
    kind: ClassVar[str]
    parts: ClassVar[tuple[str, ...]] = ("",)

    @property
    def title(self) -> str:
        return self.name

    def times(self, part: int) -> int:
        """How often the part is done in one turn."""
        return self.steps


@dataclass(frozen=True, kw_only=True)
class Networked(Workload):
    """A network (nn) -> module, also the name and sizes by which functional sides build it, and its input.

    sample  shape of one sample
    kinds   how many kinds of symbols there are where samples are numbers of symbols
    """

    network: partial[Any]
    sample: tuple[int, ...]
    batch: int
    kinds: int = 0
    classes: int = 10

    def inputs(self) -> Array:
        """[steps, batch, *sample]: another batch for each step."""
        rng = np.random.default_rng(0)
        shape = (self.steps, self.batch, *self.sample)
        return rng.integers(0, self.kinds, shape) if self.kinds else rng.random(shape, np.float32)

    def start(self, shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, Array]:
        """Starting values of parameters of these names and shapes: norms as usual, others uniform by their fan-in."""
        rng = np.random.default_rng(1)
        values: dict[str, Array] = {}
        for name, shape in sorted(shapes):
            if len(shape) > 1:
                table = name in ("token.weight", "position.weight")
                bound = 0.05 if table else float(np.sqrt(1 / np.prod(shape[1:])))
                values[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
            else:
                values[name] = np.full(shape, float(name.endswith("weight")), np.float32)
        return values


@dataclass(frozen=True, kw_only=True)
class Training(Networked):
    """Steps of training with cross-entropy.

    targets  how many class numbers a sample has (0: one, without an axis)
    """

    optimizer: str
    settings: dict[str, Any] = field(default_factory=dict)
    targets: int = 0
    kind = "train"

    @property
    def title(self) -> str:
        return f"{self.name}, batch {self.batch}, {self.optimizer}"

    def batches(self) -> list[tuple[Array, Array]]:
        """(x, y) of each step."""
        wanted = (self.steps, self.batch, self.targets) if self.targets else (self.steps, self.batch)
        return list(zip(self.inputs(), np.random.default_rng(2).integers(0, self.classes, wanted), strict=True))


@dataclass(frozen=True, kw_only=True)
class StartUp(Training):
    """From the start of a process to the end of the first step.

    warm  what was compiled before is kept on disk
    """

    warm: bool
    kind = "start"

    @property
    def title(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Rounded(Training):
    """Steps of training in which matrix products are of numbers rounded to bfloat16."""

    kind = "rounded"


@dataclass(frozen=True, kw_only=True)
class Inference(Networked):
    """The network's values for one batch after the other."""

    kind = "infer"


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Workload):
    """The loss of logits [rows, classes] and its gradient by them."""

    rows: int
    classes: int
    goal: float = 2.0
    kind = "loss"

    def data(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(0)
        return rng.standard_normal((self.rows, self.classes), np.float32), rng.integers(0, self.classes, self.rows)


@dataclass(frozen=True, kw_only=True)
class Update(Workload):
    """Steps of an optimizer for given gradients."""

    shapes: tuple[tuple[int, ...], ...]
    optimizer: str
    settings: dict[str, Any] = field(default_factory=dict)
    kind = "update"

    def data(self) -> list[tuple[Array, Array]]:
        """(parameter, gradient) of each tensor."""
        rng = np.random.default_rng(0)
        return [(rng.standard_normal(s, np.float32), rng.standard_normal(s, np.float32)) for s in self.shapes]


@dataclass(frozen=True, kw_only=True)
class Products(Workload):
    """Matrix products ROWSxINNERxCOLSxLAYOUT; the layout says for each operand whether it is stored transposed.

    A linear layer with torch's weights is NT forward, NN for the gradient of its input, TN for that of its weights.
    """

    parts: tuple[str, ...]  # type: ignore[misc]
    flops: float
    goal: float = 1.1
    kind = "product"

    def sizes(self, part: int) -> tuple[int, int, int, str]:
        rows, inner, cols, layout = self.parts[part].split("x")
        return int(rows), int(inner), int(cols), layout

    def times(self, part: int) -> int:
        rows, inner, cols, _ = self.sizes(part)
        return max(3, min(20_000, int(self.flops / (2 * rows * inner * cols))))

    def operands(self, part: int) -> tuple[Array, Array]:
        """A [rows, inner] and B [inner, cols], views of arrays that are stored as the layout says."""
        rows, inner, cols, layout = self.sizes(part)
        rng = np.random.default_rng(part)
        a = rng.standard_normal((inner, rows) if layout[0] == "T" else (rows, inner), np.float32)
        b = rng.standard_normal((cols, inner) if layout[1] == "T" else (inner, cols), np.float32)
        return a.T if layout[0] == "T" else a, b.T if layout[1] == "T" else b


def sample(array: Any, count: int = 200) -> list[float]:
    """Some elements of a result, by which contestants are compared."""
    flat = np.asarray(array).reshape(-1)
    return [float(value) for value in flat[:: max(1, flat.size // count)][:count]]


# --- the workloads ------------------------------------------------------------------------------------------------


def _mlp(
    name: str, sizes: tuple[int, ...], batch: int, steps: int, optimizer: str, goal: float, **settings: Any
) -> Training:
    network = partial(networks.mlp, sizes=sizes)
    return Training(name=name, network=network, sample=sizes[:1], batch=batch, steps=steps, optimizer=optimizer,
                    settings=settings, classes=sizes[-1], goal=goal)  # fmt: skip


def _resnet(name: str, widths: tuple[int, ...], batch: int) -> Training:
    settings = {"lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4}
    network = partial(networks.resnet, widths=widths, blocks=1)
    return Training(name=name, network=network, sample=(3, 32, 32), batch=batch, steps=6, optimizer="SGD",
                    settings=settings, goal=1.5)  # fmt: skip


def _recurrent(name: str, kind: str, length: int, hidden: int) -> Training:
    network = partial(networks.recurrent, kind=kind, inputs=32, hidden=hidden)
    return Training(name=name, network=network, sample=(length, 32), batch=64, steps=8, optimizer="RMSprop",
                    settings={"lr": 1e-3, "alpha": 0.99}, goal=2.0)  # fmt: skip


def _gpt(name: str, size: int, layers: int, context: int, batch: int) -> Training:
    network = partial(networks.gpt, kinds=96, size=size, heads=size // 32, layers=layers, context=context)
    return Training(name=name, network=network, sample=(context,), batch=batch, steps=8, optimizer="AdamW", kinds=96,
                    settings={"lr": 1e-3, "weight_decay": 0.01}, classes=96, targets=context, goal=2.0)  # fmt: skip


def _start(work: Training, warm: bool) -> StartUp:
    given = {**vars(work), "steps": 1, "goal": 8.0 if warm else 3.0}
    return StartUp(**{**given, "name": f"start {work.name}, {'warm' if warm else 'empty'} cache"}, warm=warm)


def _rounded(work: Training) -> Rounded:
    return Rounded(**{**vars(work), "name": f"{work.name} bf16", "goal": 1.0})


TRAINING = (
    _mlp("tiny MLP", (128, 64, 32, 10), 32, 300, "SGD", 3.0, lr=0.05),
    _mlp("MLP", (784, 512, 512, 10), 128, 40, "Adam", 1.5, lr=1e-3),
    _mlp("wide MLP", (1024, 4096, 4096, 1024), 256, 8, "Adam", 1.5, lr=1e-4),
    Training(name="CNN", network=partial(networks.cnn, channels=1, first=32, second=64, hidden=128),
             sample=(1, 28, 28), batch=64, steps=8, optimizer="Adam", settings={"lr": 1e-3}, goal=2.0),
    _resnet("ResNet 16-32-64", (16, 32, 64), 64),
    _resnet("ResNet 32-64-128", (32, 64, 128), 64),
    _recurrent("LSTM 128", "LSTM", 64, 128),
    _recurrent("LSTM 256", "LSTM", 128, 256),
    _recurrent("GRU 128", "GRU", 64, 128),
    _gpt("GPT 128", 128, 4, 64, 16),
    _gpt("GPT 256", 256, 4, 128, 8),
)  # fmt: skip

SHAPES = (
    "64x784x256xNT", "256x64x784xTN", "64x256x128xNT", "64x256x128xNN", "128x784x512xNT", "512x128x784xTN",
    "128x512x512xNN", "256x1024x4096xNT", "4096x256x1024xTN", "256x4096x4096xNT", "1024x128x512xNT",
    "512x1024x128xTN", "1024x128x384xNT", "1024x256x1024xNT", "64x128x512xNT", "64x512x128xNN", "32x128x64xNT",
    "1x784x256xNT", "512x512x512xNN", "1024x1024x1024xNN",
)  # fmt: skip

WORKLOADS: tuple[Workload, ...] = (
    *TRAINING,
    CrossEntropy(name="cross-entropy 2048×50000", rows=2048, classes=50_000, steps=2),
    CrossEntropy(name="cross-entropy 4096×32000", rows=4096, classes=32_000, steps=2),
    Update(name="update of 10 million", shapes=((2500, 2000), (2000, 1500), (1500, 1000), (1000, 499), (1000,)),
           optimizer="Adam", settings={"lr": 1e-3}, steps=5, goal=1.0),
    Inference(name="inference MLP", network=partial(networks.mlp, sizes=(784, 256, 128, 10)), sample=(784,), batch=1,
              steps=300, goal=2.0),
    Inference(name="inference CNN", network=partial(networks.cnn, channels=1, first=8, second=16, hidden=64),
              sample=(1, 28, 28), batch=1, steps=100, goal=1.5),
    Products(name="matrix products", parts=SHAPES, flops=5e9, steps=1),
    *(_start(work, warm) for work in TRAINING if work.name in ("MLP", "CNN", "GPT 128") for warm in (False, True)),
    *(_rounded(work) for work in TRAINING if work.name in ("wide MLP", "GPT 128", "GPT 256")),
)  # fmt: skip
