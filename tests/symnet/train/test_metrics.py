"""Metrics in `fit`: by name, for several outputs, on any source; what they judge, and what they refuse.

Their numbers are compared with scikit-learn's in `tests/references`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.program.program import Program
from symnet.train import evaluation
from tests.symnet.train.conftest import Make, classifier, regression, rows

EVERY = ["accuracy", "top_2_accuracy", "precision_macro", "recall_weighted", "f1_micro", "perplexity"]


def test_figures_are_of_the_whole_set(program: Any) -> None:
    """Rows in uneven pieces give what all of them at once give, also where a mean of batches would not."""
    data, held = rows(), rows(19, seed=1)
    confusion = sn.metrics.ConfusionMatrix()
    history = program.fit(data, epochs=2, validation=held, metrics=[*EVERY, confusion], progress=False)
    for prefix, given in (("", data), ("val_", held)):
        logits = program.predict("logits", x=given["x"])
        for name, metric in (
            ("accuracy", sn.metrics.Accuracy()),
            ("top_2_accuracy", sn.metrics.TopK(2)),
            ("precision_macro", sn.metrics.Precision("macro")),
            ("recall_weighted", sn.metrics.Recall("weighted")),
            ("f1_micro", sn.metrics.F1("micro")),
            ("perplexity", sn.metrics.Perplexity()),
        ):
            np.testing.assert_allclose(history.epochs[-1][prefix + name], metric(logits, given["y"]), rtol=1e-12)
        matrix = history.epochs[-1][prefix + "confusion_matrix"]
        np.testing.assert_array_equal(matrix, sn.metrics.ConfusionMatrix()(logits, given["y"]))
    np.testing.assert_allclose(history["val_perplexity"][-1], np.exp(history["val_loss"][-1]), rtol=1e-5)
    assert list(history.epochs[-1])[:4] == ["epoch", "loss", "accuracy", "top_2_accuracy"]


def test_rows_are_evaluated_in_pieces(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    evaluate = Program.evaluate

    def counted(self: Any, /, **inputs: Any) -> Any:
        sizes.append(len(inputs["x"]))
        return evaluate(self, **inputs)

    monkeypatch.setattr(Program, "evaluate", counted)
    program.fit(rows(), epochs=1, metrics=["accuracy"], progress=False)
    assert sizes == [8, 13]  # the first tells how large the outputs are
    sizes.clear()
    monkeypatch.setattr(evaluation, "PIECE_BYTES", 250)  # two batches of outputs
    program.fit(rows(50), epochs=1, metrics=["accuracy"], progress=False)
    assert sizes == [8, 16, 16, 10]
    sizes.clear()
    program.fit(rows(), metrics=["accuracy", lambda outputs, data: 0.0], progress=False)
    assert sizes == [21]


def test_functions_see_everything(fresh: Callable[[Make], Any]) -> None:
    def rows_seen(outputs: Any, data: Any) -> float:
        return float(len(outputs["logits"]) * 1000 + len(data["y"]))

    def right(outputs: Any, data: Any) -> float:
        return float(np.mean(outputs["logits"].argmax(1) == data["y"]))

    data = rows()
    batches = [{name: array[i : i + 8] for name, array in data.items()} for i in (0, 8, 16)]
    for given in (data, batches):
        program = fresh(classifier)
        history = program.fit(
            given, validation=given, metrics=[rows_seen, right, "accuracy"], shuffle=False, progress=False
        )
        assert history["rows_seen"] == history["val_rows_seen"] == [21021]
        assert history["right"] == history["accuracy"]


# --- what is judged -----------------------------------------------------------------------------------------------


def two_headed() -> Any:
    """A class and a number from the same features; the targets are `digit` and `height`."""
    x = sn.input("x", ("N", 4))
    digit, height = sn.input("digit", ("N",), "int64"), sn.input("height", ("N", 1))
    z = x @ sn.parameter("Z", (4, 3), init=sn.init.normal())
    h = x @ sn.parameter("H", (4, 1), init=sn.init.normal())
    loss = sn.losses.cross_entropy(z, digit) + sn.losses.mse_loss(h, height)
    return sn.compile(loss, sn.optim.SGD(lr=0.01), {"which": z, "tall": h}, {"N": 4})


def heads(count: int = 10) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {
        "x": rng.normal(size=(count, 4)).astype("float32"), "digit": rng.integers(0, 3, count),
        "height": rng.normal(size=(count, 1)).astype("float32"),
    }  # fmt: skip


def test_several_outputs(fresh: Callable[[Make], Any]) -> None:
    program, data = fresh(two_headed), heads()
    history = program.fit(
        data,
        metrics={
            "which": [sn.metrics.Accuracy(target="digit")],
            "tall": [sn.metrics.MAE(target="height"), sn.metrics.R2(target="height", name="fit")],
        },
        progress=False,
    )
    outputs = program.evaluate(**data)
    wanted = {
        "which_accuracy": np.mean(outputs["which"].argmax(1) == data["digit"]),
        "tall_mae": np.mean(np.abs(outputs["tall"] - data["height"])),
        "tall_fit": sn.metrics.R2()(outputs["tall"], data["height"]),
    }
    assert list(history.epochs[0])[2:5] == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(history[name][0], value, rtol=1e-6)
    one = program.fit(data, metrics=[sn.metrics.Accuracy(output="which", target="digit")], progress=False)
    assert 0 <= one["accuracy"][0] <= 1


@pytest.mark.parametrize(
    ("metrics", "error", "words"),
    [
        (["accuracy"], sn.UsageError, r'accuracy: say which output it judges, metrics={"OUTPUT": .* which, tall'),
        ({"which": ["accuracy"]}, sn.UsageError, r"say which input holds what 'which' should be.*Accuracy\(target=…\)"),
        ({"wich": ["accuracy"]}, sn.UnknownName, "no output 'wich'; did you mean 'which'"),
        ([sn.metrics.Accuracy(output="tell")], sn.UnknownName, "no output 'tell'; did you mean 'tall'"),
        ({"tall": [sn.metrics.MAE(target="hight")]}, sn.UnknownName, "no input 'hight'; did you mean 'height'"),
        ([sn.metrics.Accuracy], sn.DTypeError, "is the class Accuracy, expected an object"),
        ([3], sn.DTypeError, "the metric is 3, expected a name"),
        (["acuracy"], sn.UnknownName, "no metric 'acuracy'; did you mean 'accuracy'"),
        (["top_0_accuracy"], sn.UsageError, "k is 0"),
        ([len, len], sn.UsageError, "two metrics are called 'len'"),
        ("accuracy", sn.DTypeError, "expected a list"),
    ],
)
def test_what_cannot_be_judged(metrics: Any, error: type[Exception], words: str, fresh: Callable[[Make], Any]) -> None:
    program = fresh(two_headed)
    with pytest.raises(error, match=words):
        program.fit(heads(), metrics=metrics, progress=False)
    assert program.epochs_done == 0


def test_the_target_is_what_the_output_does_not_depend_on(fresh: Callable[[Make], Any]) -> None:
    data = {"x": rows()["x"], "t": rows()["x"][:, 0]}
    history = fresh(regression).fit(data, epochs=30, metrics=["mae", "mse", "rmse", "r2"], progress=False)
    last = history.epochs[-1]
    assert last["r2"] > 0.9
    np.testing.assert_allclose(last["rmse"] ** 2, last["mse"], rtol=1e-9)


@pytest.mark.parametrize("form", ["logits", "sigmoid", "by hand", "softmax", "of another shape"])
def test_probabilities_and_logits_are_told_apart(form: str) -> None:
    """A decision is at 0.5 for what is a sigmoid or a softmax, however it is written, and at 0 for all else."""
    x, y = sn.input("x", ("N", 2)), sn.input("y", ("N",))
    z = x @ sn.parameter("w", (2,), init=sn.init.ones())
    out = {
        "logits": z, "sigmoid": sn.sigmoid(z), "by hand": 1 - 1 / (1 + sn.exp(z)),
        "softmax": sn.softmax(sn.stack([z * 0, z], axis=1), axis=1)[:, 1],
        "of another shape": sn.sigmoid(z)[:, None],
    }[form]  # fmt: skip
    loss = sn.losses.binary_cross_entropy_with_logits(z, y)
    program = sn.compile(loss, sn.optim.SGD(lr=0.0), {"out": out}, {"N": 4})
    assert program.about.outputs["out"].probabilities == (form != "logits")
    given = np.random.default_rng(0).normal(size=(30, 2)).astype("float32")
    data = {"x": given, "y": (given.sum(1) > 0).astype("float32")}
    names = ["accuracy", "binary_accuracy", "precision", "recall", "f1", "auc"]
    history = program.fit(data, metrics=names, progress=False)
    assert [history[name] for name in names] == [[1.0]] * 6
    moved = program.fit(data, metrics=[sn.metrics.Precision(threshold=0.9)], progress=False)
    assert moved["precision"] == [1.0]
    assert program.fit(data, metrics=[sn.metrics.Recall(threshold=0.9)], progress=False)["recall"][0] < 1


# --- shapes -------------------------------------------------------------------------------------------------------


def test_where_the_classes_are(rng: np.random.Generator) -> None:
    target = rng.integers(0, 4, (3, 5))
    last = rng.normal(size=(3, 5, 4))
    wanted = np.mean(last.argmax(-1) == target)
    assert sn.metrics.Accuracy()(last, target) == wanted
    assert sn.metrics.Accuracy()(np.moveaxis(last, -1, 1), target) == wanted
    square = rng.normal(size=(3, 4, 4))
    with pytest.raises(sn.UsageError, match="may be along axis 1 or the last; say axis="):
        sn.metrics.Accuracy()(square, target[:, :4])
    assert sn.metrics.Accuracy(axis=1)(square, target[:, :4]) == np.mean(square.argmax(1) == target[:, :4])
    for metric in (sn.metrics.Accuracy(), sn.metrics.TopK(2), sn.metrics.Perplexity()):
        with pytest.raises(sn.ShapeError, match=r"predictions have the shape \[3, 5, 4\], the targets \[2, 5\]"):
            metric(last, target[:2])
    assert sn.metrics.Accuracy()(last.argmax(-1), target) == wanted  # classes already


def test_what_is_ignored(rng: np.random.Generator) -> None:
    scores, target = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    masked = target.copy()
    masked[::3] = -100
    kept = masked >= 0
    for make in (sn.metrics.Accuracy, sn.metrics.TopK, sn.metrics.Perplexity, sn.metrics.ConfusionMatrix):
        options = {"k": 2} if make is sn.metrics.TopK else {}
        found = make(ignore_index=-100, **options)(scores, masked)
        np.testing.assert_array_equal(found, make(**options)(scores[kept], target[kept]))
        with pytest.raises(sn.IndexOutOfRange, match="the target -100 is no class, expected"):
            make(**options)(scores, masked)
        with pytest.raises(sn.IndexOutOfRange, match="the target 3 is no class, expected one from 0 to 2"):
            make(**options)(scores, np.full(20, 3))
    assert np.isnan(sn.metrics.Accuracy(ignore_index=-100)(scores, np.full(20, -100)))


def test_decisions_of_many_columns(rng: np.random.Generator) -> None:
    scores, target = rng.normal(size=(12, 3)), rng.integers(0, 2, (12, 3)).astype("float32")
    with pytest.raises(sn.UsageError, match=r'"binary_accuracy" .*"categorical_accuracy"'):
        sn.metrics.Accuracy()(scores, target)
    assert sn.metrics.BinaryAccuracy()(scores, target) == np.mean((scores > 0) == (target > 0.5))
    assert sn.metrics.CategoricalAccuracy()(scores, target) == np.mean(scores.argmax(1) == target.argmax(1))
    with pytest.raises(sn.UsageError, match=r"there are 3 labels; say how to average"):
        sn.metrics.F1()(scores, target)
    with pytest.raises(sn.UsageError, match=r"there are 3 classes; say how to average .* \(\"f1_macro\" by name\)"):
        sn.metrics.F1()(scores, np.zeros(12, int))
    column, flat = scores[:, :1], target[:, 0]
    assert sn.metrics.F1()(column, flat) == sn.metrics.F1()(column[:, 0], flat)
    assert sn.metrics.MAE()(column, flat) == np.mean(np.abs(column[:, 0] - flat))
    for metric in (sn.metrics.MAE(), sn.metrics.F1(), sn.metrics.BinaryAccuracy()):
        with pytest.raises(sn.ShapeError):
            metric(scores, target[:, :2])


def test_two_scores_a_row_are_two_classes(rng: np.random.Generator) -> None:
    scores, target = rng.normal(size=(30, 2)), rng.integers(0, 2, 30)
    difference = scores[:, 1] - scores[:, 0]
    for make in (sn.metrics.AUC, sn.metrics.Precision, sn.metrics.Recall, sn.metrics.F1, sn.metrics.Accuracy):
        np.testing.assert_allclose(make()(scores, target), make()(difference, target))
    with pytest.raises(sn.ShapeError, match="one score a row, or two"):
        sn.metrics.AUC()(np.zeros((4, 3)), np.zeros(4))
    assert np.isnan(sn.metrics.AUC()(difference, np.zeros(30)))


def test_arguments() -> None:
    for make, words in (
        (lambda: sn.metrics.F1("mean"), "average is 'mean'"),  # type: ignore[arg-type]
        (lambda: sn.metrics.ConfusionMatrix(normalize="rows"), "normalize is 'rows'"),  # type: ignore[arg-type]
        (lambda: sn.metrics.TopK(1.5), "k is 1.5"),  # type: ignore[arg-type]
    ):
        with pytest.raises(sn.UsageError, match=words):
            make()
    with pytest.raises(TypeError):
        sn.metrics.MAE(threshold=1.0)  # type: ignore[call-arg]


def test_a_loop_by_hand(program: Any) -> None:
    torch = pytest.importorskip("torch")
    data = rows()
    metric = sn.metrics.Accuracy()
    for start in (0, 8, 16):
        target = torch.from_numpy(data["y"][start : start + 8])
        metric.update(program.predict("logits", x=data["x"][start : start + 8]), target)
    assert metric.result() == np.mean(program.predict("logits", x=data["x"]).argmax(1) == data["y"])


def test_a_metric_of_ones_own(program: Any) -> None:
    class Margin(sn.metrics.Metric):
        """The mean distance between the two largest scores."""

        short = "margin"

        def reset(self) -> None:
            self.total = self.rows = 0.0

        def add(self, prediction: Any, target: Any) -> None:
            ordered = np.sort(prediction, axis=1)
            self.total += float((ordered[:, -1] - ordered[:, -2]).sum())
            self.rows += len(target)

        def result(self) -> float:
            return self.total / self.rows

    history = program.fit(rows(), metrics=[Margin()], progress=False)
    ordered = np.sort(program.predict("logits", x=rows()["x"]), axis=1)
    np.testing.assert_allclose(history["margin"], [np.mean(ordered[:, -1] - ordered[:, -2])], rtol=1e-5)


def test_figures_have_the_inference_meaning() -> None:
    """Dropout and batch norm are evaluated, not trained, in validation and in metrics."""
    x, y = sn.input("x", ("N", 5)), sn.input("y", ("N",), "int64")
    weight = sn.parameter("w", (5, 3), init=sn.init.normal())
    z = sn.nn.functional.dropout(sn.nn.BatchNorm1d(5, affine=False)(x), 0.5) @ weight
    program = sn.compile(sn.losses.cross_entropy(z, y), sn.optim.SGD(lr=0.05), {"logits": z}, {"N": 8})
    data = rows()
    for given in (data, [(data["x"][i : i + 7], data["y"][i : i + 7]) for i in (0, 7, 14)]):
        history = program.fit(given, epochs=2, validation=given, metrics=["accuracy"], progress=False)
        mean, variance = program.buffers["running_mean"], program.buffers["running_var"]
        scores = ((data["x"] - mean) / np.sqrt(variance + 1e-5)) @ program.parameters["w"]
        lost = np.log(np.exp(scores).sum(1)) - scores[np.arange(len(scores)), data["y"]]
        np.testing.assert_allclose(history["val_loss"][-1], lost.mean(), rtol=1e-5)
        assert history["val_accuracy"][-1] == history["accuracy"][-1] == np.mean(scores.argmax(1) == data["y"])
