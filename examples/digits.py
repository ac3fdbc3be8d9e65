"""A network that reads handwritten digits: define, look at a gradient, compile, train, test.

python examples/digits.py
"""

import symnet as sn

# Define. "N", the number of images at a time, is bound when numbers come in.
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
loss = sn.losses.CrossEntropyLoss()(logits, y)

# Look: how the gradient in the first layer's weight follows, and what it is.
print(sn.explain(loss, wrt=model[0].weight))

# Compile the training step, and train.
(images, labels), (test_images, test_labels) = sn.data.digits_split()
program = sn.compile(loss=loss, optimizer=sn.optim.Adam(lr=2e-3), outputs={"logits": logits}, batch={"N": 32}, seed=0)
history = program.fit({"x": images, "y": labels}, epochs=40, batch_size=32)
print(f"loss of the first batch {history.losses[0]:.3f}, of the last {history.losses[-1]:.3f}")

# Test.
answers = program.predict("logits", x=test_images).argmax(axis=1)
print(f"test accuracy {100 * (answers == test_labels).mean():.1f}%")
