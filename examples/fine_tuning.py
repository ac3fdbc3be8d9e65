"""Fine-tuning: a network that knows the digits 0 to 4 learns 5 to 9.

First only a new head is trained on the frozen features, then everything, the features with a smaller learning rate.

    python examples/fine_tuning.py [--epochs 20]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

import symnet as sn

parser = argparse.ArgumentParser(description="Fine-tune a network with frozen layers, on handwritten digits.")
parser.add_argument("--epochs", type=int, default=20, help="passes over the data in each of the three parts")
epochs = parser.parse_args().epochs


class Net(sn.nn.Module):
    """Features, and a head that tells five digits apart by them."""

    def __init__(self) -> None:
        self.features = sn.nn.Sequential(sn.nn.Linear(64, 128), sn.nn.ReLU(), sn.nn.Linear(128, 64), sn.nn.ReLU())
        self.head = sn.nn.Linear(64, 5)

    def forward(self, images: sn.Expr) -> sn.Expr:
        return self.head(self.features(images))


def compiled(net: Net, optimizer: sn.optim.Optimizer, seed: int):
    images, labels = sn.input("images", ("N", 64)), sn.input("labels", ("N",), dtype="int64")
    logits = net(images)
    loss = sn.losses.cross_entropy(logits, labels)
    return sn.compile(loss=loss, optimizer=optimizer, outputs={"logits": logits}, batch={"N": 32}, seed=seed)


def train(program, digits, first: int) -> None:
    """Train on five digits from `first` on, and print the accuracy on those held out."""
    parts = []
    for images, labels in digits:
        chosen = (labels >= first) & (labels < first + 5)
        parts.append({"images": images[chosen], "labels": labels[chosen] - first})
    program.fit(parts[0], epochs=epochs, batch_size=32, progress=False)
    answers = program.predict("logits", images=parts[1]["images"]).argmax(axis=1)
    print(f"digits {first} to {first + 4}: {100 * (answers == parts[1]['labels']).mean():.1f}%")


digits = sn.data.digits_split()
print("from scratch,", end=" ")
program = compiled(Net(), sn.optim.Adam(lr=2e-3), seed=0)
train(program, digits, first=0)

# What was learned, as a file and read again: safetensors, as PyTorch has them too.
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "digits_0_to_4.safetensors")
    save_file(dict(program.parameters), file)
    pretrained = {name: value for name, value in load_file(file).items() if not name.startswith("head")}

# A new network starts from the features; its head is new. Frozen parameters are no business of the optimizer.
net = Net()
print("loaded:", net.load_state_dict(pretrained, strict=False))
net.features.requires_grad_(False)
program = compiled(net, sn.optim.Adam(net.parameters(), lr=1e-2), seed=1)
print("head alone,", end=" ")
train(program, digits, first=5)
same = all(np.array_equal(program.parameters[name], value) for name, value in pretrained.items())
print("the features are the same to the last bit:", same)

# Now everything, in two groups with learning rates of their own.
net.features.requires_grad_(True)
groups = [
    {"params": net.features.parameters(), "name": "features", "lr": 5e-4},
    {"params": net.head.parameters(), "name": "head"},
]
tuned = compiled(net, sn.optim.Adam(groups, lr=2e-3), seed=1)
tuned.load_parameters(program.parameters)
print("hyperparameters:", tuned.hyper)
print("everything,", end=" ")
train(tuned, digits, first=5)
