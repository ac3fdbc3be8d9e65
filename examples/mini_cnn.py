"""A small convolutional network that reads digits: two optimizers compared, learning rates varied, weight decay tried.

    python examples/mini_cnn.py [--epochs 5] [--seed 0] [--mnist FOLDER] [--picture optimizers.png]

Without --mnist it takes the 8×8 digits that come with symnet; with it, the IDX files of MNIST (or Fashion-MNIST).
"""

import argparse
import tempfile
from pathlib import Path

import symnet as sn

parser = argparse.ArgumentParser(description="A small convolutional network, two optimizers compared.")
parser.add_argument("--epochs", type=int, default=5, help="passes over the data in each run")
parser.add_argument("--seed", type=int, default=0, help="of the initial parameters and the order of the data")
parser.add_argument("--mnist", type=Path, help="a folder with the IDX files of MNIST")
parser.add_argument("--picture", type=Path, default=Path(tempfile.gettempdir(), "mini_cnn.png"))
chosen = parser.parse_args()

# Ten classes of images, [N, 1, side, side].
if chosen.mnist:
    (images, labels), (test_images, test_labels) = sn.data.mnist(chosen.mnist)
else:
    (images, labels), (test_images, test_labels) = sn.data.digits_split()
    images, test_images = images.reshape(-1, 1, 8, 8), test_images.reshape(-1, 1, 8, 8)
side = images.shape[-1]
print(f"{len(images)} images of {side}×{side} to train on, {len(test_images)} held out")


def mini_cnn() -> sn.nn.Module:
    """Two convolutions, each followed by a pool that halves the image, and a linear layer."""
    return sn.nn.Sequential(
        sn.nn.Conv2d(1, 32, kernel_size=3, padding=1),
        sn.nn.ReLU(),
        sn.nn.MaxPool2d(2),
        sn.nn.Conv2d(32, 64, kernel_size=3, padding=1),
        sn.nn.ReLU(),
        sn.nn.MaxPool2d(2),
        sn.nn.Flatten(),
        sn.nn.Linear(64 * (side // 4) ** 2, 10),
    )


def train(optimizer: sn.optim.Optimizer) -> tuple[sn.History, float]:
    """A new network trained by `optimizer`: its history, and its accuracy on the images held out."""
    x, y = sn.input("x", ("N", 1, side, side)), sn.input("y", ("N",), dtype="int64")
    logits = mini_cnn()(x)
    loss = sn.losses.CrossEntropyLoss()(logits, y)
    program = sn.compile(loss=loss, optimizer=optimizer, outputs={"logits": logits}, batch={"N": 16}, seed=chosen.seed)
    history = program.fit(
        {"x": images, "y": labels},
        epochs=chosen.epochs,
        batch_size=16,
        validation={"x": test_images, "y": test_labels},
        metrics=["accuracy"],
        progress=False,
    )
    return history, 100 * history.epochs[-1]["val_accuracy"]


print(mini_cnn())

# Two optimizers. The loss of every batch is in the history.
runs = {}
for name, optimizer in {"Adam": sn.optim.Adam(lr=4e-3), "SGD": sn.optim.SGD(lr=0.05, momentum=0.9)}.items():
    runs[name], accuracy = train(optimizer)
    losses = runs[name].losses
    logged = range(0, len(losses), max(1, len(losses) // 8))
    print(f"{name}, loss by batch: " + "  ".join(f"{batch + 1}: {losses[batch]:.3f}" for batch in logged))
    print(f"{name}: test accuracy {accuracy:.1f}%")
sn.compare(runs, chosen.picture, title="The same network, two optimizers")
print(f"both curves are in {chosen.picture}")

# Other learning rates: too small learns too little, too large not at all.
for rate in (1e-4, 1e-3, 1e-2, 1e-1):
    history, accuracy = train(sn.optim.Adam(lr=rate))
    print(f"Adam, lr {rate:g}: last loss {history.losses[-1]:.3f}, test accuracy {accuracy:.1f}%")

# Weight decay pulls every parameter towards 0, apart from the gradient.
for decay in (0.0, 0.01, 1.0):
    history, accuracy = train(sn.optim.AdamW(lr=4e-3, weight_decay=decay))
    print(f"AdamW, weight decay {decay:g}: last loss {history.losses[-1]:.3f}, test accuracy {accuracy:.1f}%")
