"""A recurrent network of one's own that learns to add, and an optimizer of one's own that trains it.

    python examples/recurrent.py [--steps N]

At each step of a sequence come a number and a mark; the target is the sum of the marked numbers.
"""

import argparse

import numpy as np

import symnet as sn


class Recurrent(sn.nn.Module):
    """h ← tanh(W x + U h + c) along the sequence; the answer is read from the last h."""

    def __init__(self, inputs, hidden):
        self.input = sn.nn.Linear(inputs, hidden)
        self.recurrent = sn.nn.Parameter((hidden, hidden), init=sn.init.orthogonal(0.9))
        self.output = sn.nn.Linear(hidden, 1)

    def forward(self, xs):
        driven = self.input(xs)  # [T, N, hidden]: what does not depend on h is done for all steps at once

        def cell(h, x):
            return sn.tanh(x + h @ self.recurrent), None

        _, h = sn.scan(cell, init=sn.zeros_like(driven[0]), xs=driven)
        return self.output(h)[:, 0]


class ClippedMomentum(sn.optim.Optimizer):
    """Momentum on gradients that are shortened to at most `limit`, each parameter for itself."""

    def update(self, p, g, s, t):
        length = sn.sqrt(sn.sum(g * g) + 1e-12)
        s.v = self.mu * s.v + g * sn.minimum(1.0, self.limit / length)
        return p - self.lr * s.v


def sequences(count, steps, rng):
    """Inputs float32[steps, count, 2] and sums float32[count]; two numbers of each sequence are marked."""
    numbers = rng.uniform(-1, 1, (steps, count))
    marks = np.zeros((steps, count))
    for column in range(count):
        marks[rng.choice(steps, 2, replace=False), column] = 1
    return np.stack([numbers, marks], axis=-1).astype("float32"), (numbers * marks).sum(0).astype("float32")


arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--steps", type=int, default=1500)
steps = arguments.parse_args().steps

xs = sn.input("xs", shape=("T", "N", 2))
target = sn.input("target", shape=("N",))
answer = Recurrent(2, 24)(xs)
loss = sn.losses.mse_loss(answer, target)

program = sn.compile(
    loss=loss,
    optimizer=ClippedMomentum(lr=0.02, mu=0.9, limit=1.0),
    outputs={"answer": answer},
    batch={"T": 12, "N": 64},
)
rng = np.random.default_rng(0)
for step in range(steps):
    batch, sums = sequences(64, 10, rng)
    value = program.step(xs=batch, target=sums)["loss"]
    if step % max(1, steps // 5) == 0:
        print(f"step {step:5}   loss {value:.4f}")

batch, sums = sequences(64, 12, rng)  # longer than what was trained on: T is bound by the data
error = np.abs(program.predict("answer", xs=batch) - sums).mean()
print(f"mean error on longer sequences {error:.3f} (always answering 0: {np.abs(sums).mean():.3f})")
