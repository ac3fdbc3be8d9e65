"""The training loop, written out step by step, beside the calls that do it all: prog.step and prog.fit.

    python examples/training_loop.py [--epochs N]

The same network learns the handwritten digits three times from the same start, with SGD and momentum. By hand: iterate
over batches, forward, loss, backward, update, each a line of its own, the update in NumPy. With `step`: one native call
a batch. With `fit`: one call for everything. The losses and the parameters are equal.
"""

import argparse

import numpy as np

import symnet as sn

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--epochs", type=int, default=5)
epochs = arguments.parse_args().epochs

# Data.
(images, labels), (test_images, test_labels) = sn.data.digits_split()
images, test_images = images.astype("float64"), test_images.astype("float64")

# Define the network, the loss and the optimizer.
x = sn.input("x", ("N", 64), dtype="float64")
y = sn.input("y", ("N",), dtype="int64")
model = sn.nn.Sequential(sn.nn.Linear(64, 32, dtype="float64"), sn.nn.ReLU(), sn.nn.Linear(32, 10, dtype="float64"))
logits = model(x)
loss = sn.losses.cross_entropy(logits, y)
lr, momentum, batch_size = 0.05, 0.9, 32


def program():
    """The compiled program; with the same seed it begins with the same parameters."""
    return sn.compile(
        loss=loss,
        optimizer=sn.optim.SGD(lr=lr, momentum=momentum),
        outputs={"logits": logits},
        batch={"N": batch_size},
        seed=0,
    )


def batches():
    """One epoch of batches, in the order of the rows."""
    for start in range(0, len(images), batch_size):
        yield {"x": images[start : start + batch_size], "y": labels[start : start + batch_size]}


# By hand. Gradients start from nothing at every call: there is no zero_grad().
by_hand = program()
velocity = {name: np.zeros_like(value) for name, value in by_hand.parameters.items()}
hand_losses = []
for _ in range(epochs):
    for batch in batches():
        outputs = by_hand.evaluate(**batch)  # forward: the loss and the logits
        gradients = by_hand.gradients(**batch)  # backward: the gradient of the loss by each parameter's name
        for name, gradient in gradients.items():  # update
            velocity[name] = momentum * velocity[name] + gradient
            by_hand.parameters[name] = by_hand.parameters[name] - lr * velocity[name]
        hand_losses.append(float(outputs["loss"]))

# One call a batch: forward, backward and update in native code.
by_step = program()
step_losses = [float(by_step.step(**batch)["loss"]) for _ in range(epochs) for batch in batches()]

# One call for everything.
by_fit = program()
history = by_fit.fit({"x": images, "y": labels}, epochs=epochs, batch_size=batch_size, shuffle=False, progress=False)

# Compare.
print("epoch   by hand    prog.step  prog.fit   (mean loss over the batches)")
per_epoch = len(hand_losses) // epochs
for epoch in range(epochs):
    part = slice(epoch * per_epoch, (epoch + 1) * per_epoch)
    means = [np.mean(losses[part]) for losses in (hand_losses, step_losses, history.losses)]
    print(f"{epoch + 1:5}   " + "  ".join(f"{mean:.7f}" for mean in means))

apart = max(
    np.abs(other.parameters[name] - by_hand.parameters[name]).max()
    for other in (by_step, by_fit)
    for name in by_hand.parameters
)
print(f"parameters differ by at most {apart:.1e}")
answers = by_fit.predict("logits", x=test_images).argmax(axis=1)
print(f"test accuracy {100 * (answers == test_labels).mean():.1f}%")
