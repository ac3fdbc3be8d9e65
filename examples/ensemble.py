"""An ensemble: five networks with a seed and a learning rate each, trained on the digits as one program.

    python examples/ensemble.py [--epochs 20]

Prints what every member reaches and what they reach together, and takes one member out as a network of its own.
"""

from __future__ import annotations

import argparse

import numpy as np

import symnet as sn

RATES = [3e-2, 1e-2, 3e-3, 1e-3, 3e-4]


def make() -> sn.nn.Module:
    return sn.nn.Sequential(sn.nn.Linear(64, 48), sn.nn.ReLU(), sn.nn.Dropout(0.1), sn.nn.Linear(48, 10))


def main(epochs: int) -> None:
    images, labels = sn.input("images", ("N", 64)), sn.input("labels", ("N",), dtype="int64")
    members = sn.nn.Ensemble(make, seeds=len(RATES))
    logits = members(images)
    losses = sn.vmap(lambda z: sn.losses.cross_entropy(z, labels))(logits)
    together = sn.mean(sn.softmax(logits), axis=0)

    program = sn.compile(
        loss=sn.sum(losses),
        optimizer=sn.optim.Adam(lr=RATES),
        outputs={"logits": logits, "together": together},
        batch={"N": 64},
    )
    (train_images, train_labels), (test_images, test_labels) = sn.data.digits_split()
    program.fit({"images": train_images, "labels": train_labels}, epochs=epochs, batch_size=64, progress=False)

    answers = program.predict("logits", images=test_images).argmax(axis=-1)
    for member, (rate, own) in enumerate(zip(RATES, answers, strict=True)):
        print(f"member {member}   learning rate {rate:<7g} accuracy {np.mean(own == test_labels):.2%}")
    answer = program.predict("together", images=test_images).argmax(axis=-1)
    print(f"all together                   accuracy {np.mean(answer == test_labels):.2%}")

    best = int(np.argmax((answers == test_labels).mean(axis=1)))
    network = make()
    network.load_state_dict(members.state_of(best, program.parameters))
    alone = sn.inference(network(images))
    values = {node: sn.nn.init.initial_value(node, 0) for node in network.parameters()}
    same = sn.evaluate(alone, {images: test_images, **values}).argmax(axis=1) == answers[best]
    print(f"member {best} by itself gives the same answers: {bool(same.all())}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    main(parser.parse_args().epochs)
