"""The networks, written once for symnet and PyTorch, whose modules have the same names."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def mlp(nn: Any, sizes: tuple[int, ...]) -> Any:
    """Linear layers with ReLU between them."""
    layers: list[Any] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn(nn: Any, channels: int, first: int, second: int, hidden: int) -> Any:
    """A 5×5 and a 3×3 convolution, each with a pool, and two linear layers, for images [N, channels, 28, 28]."""
    return nn.Sequential(
        nn.Conv2d(channels, first, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(second * 49, hidden), nn.ReLU(), nn.Linear(hidden, 10),
    )  # fmt: skip


def resnet(nn: Any, widths: tuple[int, ...], blocks: int) -> Any:
    """The residual network of He et al. (2016) for images [N, 3, 32, 32]: a stage of blocks for each width."""

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, n_in: int, n_out: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(n_out)
            self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(n_out)
            self.relu = nn.ReLU()
            self.shortcut = nn.Sequential()
            if stride != 1 or n_in != n_out:
                project = nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False)
                self.shortcut = nn.Sequential(project, nn.BatchNorm2d(n_out))

        def forward(self, x: Any) -> Any:
            y = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    layers = [nn.Conv2d(3, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    n_in = widths[0]
    for stage, width in enumerate(widths):
        for block in range(blocks):
            layers.append(Block(n_in, width, 2 if stage and not block else 1))
            n_in = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, 10))


def recurrent(nn: Any, kind: str, inputs: int, hidden: int) -> Any:
    """An LSTM or GRU over [N, T, inputs], and a linear layer on its last state."""

    class Recurrent(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = getattr(nn, kind)(inputs, hidden, batch_first=True)
            self.head = nn.Linear(hidden, 10)

        def forward(self, x: Any) -> Any:
            states, _ = self.layer(x)
            return self.head(states[:, -1])

    return Recurrent()


def gpt(nn: Any, kinds: int, size: int, heads: int, layers: int, context: int) -> Any:
    """A decoder of causal attention for text [N, T]; gives [N T, kinds]."""
    functional = nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
            self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
            self.wide, self.narrow = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
            self.gelu = nn.GELU()

        def forward(self, x: Any) -> Any:
            parts = self.qkv(self.norm1(x)).reshape(-1, context, 3, heads, size // heads)
            q, k, v = (parts[:, :, i].swapaxes(1, 2) for i in range(3))
            seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(seen.swapaxes(1, 2).reshape(-1, context, size))
            return x + self.narrow(self.gelu(self.wide(self.norm2(x))))

    class GPT(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.token, self.position = nn.Embedding(kinds, size), nn.Embedding(context, size)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm, self.head = nn.LayerNorm(size), nn.Linear(size, kinds, bias=False)

        def forward(self, text: Any) -> Any:
            x = self.blocks(self.token(text) + self.position.weight)
            return self.head(self.norm(x)).reshape(-1, kinds)

    return GPT()
