"""What `symnet demo` shows: a network learns to read handwritten digits, from its formulas to native code."""

from __future__ import annotations

import os
import textwrap
import time
from pathlib import Path

import symnet as sn
from symnet import data
from symnet.errors import FileError

BATCH = 32
LEARNING_RATE = 2e-3


def run(seed: int = 0, epochs: int = 60, plot: str = "loss.png") -> float:
    """Define, derive, compile, train and test; prints what it does, writes the picture `plot`, returns the accuracy."""
    check_writable(plot)
    (images, labels), (test_images, test_labels) = data.digits_split()

    print("1. Define: a network of three layers, its loss, and where the numbers come in\n")
    model, logits, loss = network()
    for name, parameter in model.named_parameters():
        print(f"   {name:10} {list(parameter.shape)}")

    print("\n2. Derive: the gradient of the loss in every parameter\n")
    derivation = sn.explain(loss, wrt=model.parameters())
    print(textwrap.indent(derivation.summary(), "   "))
    print(f"\n   (by {len(derivation.steps)} rules; print(sn.explain(loss, wrt=...)) shows each with its reason)")

    print("\n3. Compile: forward, backward and the update of Adam as one native function\n")
    started = time.perf_counter()
    program = sn.compile(
        loss=loss,
        optimizer=sn.optim.Adam(lr=LEARNING_RATE),
        outputs={"logits": logits},
        batch={"N": BATCH},
        seed=seed,
    )
    print(f"   {time.perf_counter() - started:.2f} s")

    print(f"\n4. Train on {len(labels)} images, {epochs} times each\n")
    history = program.fit({"x": images, "y": labels}, epochs=epochs, batch_size=BATCH, progress=True)
    history.plot(plot)
    print(f"   the loss is drawn in {plot}")

    print(f"\n5. Test on {len(test_labels)} images it has not seen\n")
    answers = program.predict("logits", x=test_images).argmax(axis=1)
    accuracy = float((answers == test_labels).mean())
    print(f"test accuracy {100 * accuracy:.1f}%")
    return accuracy


def check_writable(plot: str) -> None:
    """Refuse a picture that cannot be written now, not after the training."""
    folder = Path(plot).absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise FileError(f"cannot write the picture {plot!r}: the folder {folder} does not exist or is not writable")


def network() -> tuple[sn.nn.Module, sn.Expr, sn.Expr]:
    """The digits network, its logits [N, 10] and its loss, as expressions of the inputs "x" [N, 64] and "y" [N]."""
    x = sn.input("x", shape=("N", 64))
    y = sn.input("y", shape=("N",), dtype="int64")
    model = sn.nn.Sequential(
        sn.nn.Linear(64, 64),
        sn.nn.ReLU(),
        sn.nn.Linear(64, 32),
        sn.nn.ReLU(),
        sn.nn.Linear(32, 10),
    )
    logits = model(x)
    return model, logits, sn.losses.CrossEntropyLoss()(logits, y)
