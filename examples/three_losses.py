"""The three losses that most tutorials begin with, on numbers written by hand: value, formula, gradient.

python examples/three_losses.py
"""

import numpy as np

import symnet as sn


def show(title: str, loss: sn.Expr, wrt: sn.Expr, **values: list[object]) -> None:
    """The formula of a loss and of its gradient, and both computed by native code."""
    arrays = {name: np.array(value) for name, value in values.items()}
    inputs = [sn.input(name, array.shape, array.dtype) for name, array in arrays.items()]
    gradient = sn.grad(loss, wrt)
    value, slope = sn.function(inputs, [loss, gradient])(*arrays.values())
    print(f"{title}\n  loss      {sn.simplify(loss)}\n            = {value:.6f}")
    print(f"  gradient  {gradient}\n            = {np.array2string(slope, precision=6).replace(chr(10), '')}\n")


# Regression: the mean of the squared differences.
x = sn.input("x", shape=(3,), dtype="float64")
y = sn.input("y", shape=(3,), dtype="float64")
mse = sn.losses.MSELoss()(x, y)
show("mean squared error", mse, x, x=[2.5, 0.0, 2.0], y=[3.0, -0.5, 2.0])

# One class of several: the negative logarithm of the probability that softmax gives to it.
z = sn.input("z", shape=(1, 2), dtype="float64")
c = sn.input("c", shape=(1,), dtype="int64")
cross_entropy = sn.losses.CrossEntropyLoss()(z, c)
show("cross entropy", cross_entropy, z, z=[[0.2, 0.8]], c=[1])

# Yes or no: the same for the sigmoid of a logit.
s = sn.input("s", shape=(3,), dtype="float64")
t = sn.input("t", shape=(3,), dtype="float64")
binary = sn.losses.BCEWithLogitsLoss()(s, t)
show("binary cross entropy with logits", binary, s, s=[1.5, -0.5, 2.0], t=[1.0, 0.0, 1.0])

# Why the gradient of the last one is so short: every rule that was applied.
print(sn.explain(binary, wrt=s))
