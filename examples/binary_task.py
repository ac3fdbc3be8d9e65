"""Two classes: a network for points on two spirals, trained with BCEWithLogits, judged by precision and recall.

python examples/binary_task.py [--epochs N]
"""

import argparse

import numpy as np

import symnet as sn

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=40)
epochs = parser.parse_args().epochs

# The data: points on two spirals, three times as many of class 0 as of class 1, with some noise.
rng = np.random.default_rng(0)
label = (rng.random(2000) < 0.25).astype("float32")
angle = rng.uniform(0.5, 3 * np.pi, 2000)
radius = angle / (3 * np.pi) * np.where(label == 1, 1, -1)
point = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + rng.normal(scale=0.04, size=(2000, 2))
train, test = sn.data.train_test_split({"x": point.astype("float32"), "y": label}, test_size=0.25, stratify=label)

# The network gives one logit for each point. A point of class 1 counts as much as three of class 0.
x, y = sn.input("x", ("N", 2)), sn.input("y", ("N",))
model = sn.nn.Sequential(
    sn.nn.Linear(2, 32), sn.nn.Tanh(), sn.nn.Linear(32, 32), sn.nn.Tanh(), sn.nn.Linear(32, 1), sn.nn.Flatten(0)
)
logits = model(x)
loss = sn.losses.BCEWithLogitsLoss(pos_weight=sn.constant(3.0))(logits, y)
program = sn.compile(loss, sn.optim.Adam(lr=0.01), outputs={"logits": logits}, batch={"N": 50})

# Train, and stop when the F1 score on the held-out points has not become better for ten epochs.
stopper = sn.callbacks.EarlyStopping("val_f1", patience=10, restore_best=True)
history = program.fit(
    train,
    epochs=epochs,
    validation=test,
    metrics=["accuracy", "precision", "recall", "f1", "auc"],
    callbacks=[stopper],
    progress=False,
)
for epoch in history.epochs[:: max(1, len(history.epochs) // 8)]:
    print(
        f"epoch {epoch['epoch']:3.0f}   loss {epoch['loss']:.3f}   "
        + "   ".join(f"{name} {epoch[f'val_{name}']:.3f}" for name in ("precision", "recall", "f1"))
    )

# The best epoch on the held-out points. A higher threshold gives more precision and less recall.
scores = program.predict("logits", x=test["x"])
print("rows: what is, columns: what is predicted\n", sn.metrics.ConfusionMatrix()(scores, test["y"]))
for threshold in (-2.0, 0.0, 2.0):
    precision = sn.metrics.Precision(threshold=threshold)(scores, test["y"])
    recall = sn.metrics.Recall(threshold=threshold)(scores, test["y"])
    print(f"threshold {threshold:+.0f}: precision {precision:.3f}, recall {recall:.3f}")
f1, auc = sn.metrics.F1()(scores, test["y"]), sn.metrics.AUC()(scores, test["y"])
print(f"best epoch {stopper.best_epoch}: F1 {f1:.3f}, area under the ROC curve {auc:.3f}")
