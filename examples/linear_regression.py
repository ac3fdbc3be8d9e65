"""Linear regression: read the gradient, train for 100 epochs, and compare with the solution that linear algebra gives.

python examples/linear_regression.py [--epochs N]
"""

import argparse

import numpy as np

import symnet as sn

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--epochs", type=int, default=100)
epochs = arguments.parse_args().epochs

# Define.
X = sn.input("X", shape=("N", 3))
y = sn.input("y", shape=("N",))
w = sn.parameter("w", (3,), init=sn.init.zeros())
b = sn.parameter("b", (), init=sn.init.zeros())
z = X @ w + b
loss = sn.mean((z - y) ** 2)

# Look.
print(sn.explain(loss, wrt=[w, b]))

# Some data: y = 2 x0 - x1 + 0.5 x2 + 3, with noise.
rng = np.random.default_rng(0)
features = rng.normal(size=(500, 3)).astype("float32")
targets = features @ np.array([2, -1, 0.5], "float32") + 3 + 0.1 * rng.normal(size=500).astype("float32")

# Compile and train: every epoch is one step on all the data.
program = sn.compile(loss=loss, optimizer=sn.optim.SGD(lr=0.05), outputs={"z": z}, batch={"N": 500})
print()
for epoch in range(1, epochs + 1):
    value = program.step(X=features, y=targets)["loss"]
    if epoch == 1 or epoch % 10 == 0:
        print(f"epoch {epoch:3}   loss {value:.6f}")

# Compare.
exact, *_ = np.linalg.lstsq(np.column_stack([features, np.ones(500)]), targets, rcond=None)
print(f"\ntrained  w = {program.parameters['w'].round(3)}, b = {program.parameters['b']:.3f}")
print(f"exact    w = {exact[:3].round(3)}, b = {exact[3]:.3f}")
