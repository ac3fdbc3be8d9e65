"""Whatever a user gets wrong: a message that says what was expected, what came and where, and nothing has changed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import symnet as sn

ROWS, CLASSES = 20, 4
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, 3)).astype("float32")
Y = rng.integers(0, CLASSES, ROWS)


def classifier(**options: Any) -> sn.program.Program:
    x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",), "int64")
    z = x @ sn.parameter("W", (3, CLASSES), init=sn.init.normal()) + sn.parameter("b", (CLASSES,), init=sn.init.zeros())
    settings = {"loss": sn.losses.cross_entropy(z, y), "optimizer": sn.optim.Adam(), "outputs": {"logits": z}}
    return sn.compile(**(settings | {"batch": {"N": 8}} | options))


@pytest.fixture(scope="module")
def program() -> sn.program.Program:
    """One whose optimizer has state, so that a change would show."""
    made = classifier()
    made.step(x=X[:8], y=Y[:8])
    return made


def state(program: sn.program.Program) -> dict[str, Any]:
    """All that a program keeps, bit for bit."""
    instance = program.instance
    kept: dict[str, Any] = {name: instance.read(name).tobytes() for name in instance.persistent}
    return kept | {"epochs": program.epochs_done, "seed": program.seed}


def refused(program: sn.program.Program, call: Callable[[], Any], error: type[Exception], *words: str) -> None:
    before = state(program)
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, sn.SymnetError)
    for word in words:
        assert word in str(caught.value)
    assert state(program) == before


BAD_CALLS: dict[str, tuple[dict[str, Any], type[Exception], tuple[str, ...]]] = {
    "size": ({"x": X[:8].repeat(2, axis=1)}, ValueError, ("axis 1 of x is 6, expected 3",)),
    "rank": ({"x": X[0]}, ValueError, ("x has 1 axes [3], expected 2: [N, 3]",)),
    "conflict": ({"y": Y[:5]}, ValueError, ("axis 0 of y is 5, expected 8", "N = 8 from axis 0 of x")),
    "float64": ({"x": X[:8].astype("float64")}, TypeError, ("x: expected float32, got float64", "numpy.asarray(x")),
    "float labels": ({"y": Y[:8].astype("float32")}, TypeError, ("y: expected int64, got float32",)),
    "unsigned labels": ({"y": Y[:8].astype("uint64")}, TypeError, ("y: expected int64, got uint64",)),
    "big numbers": ({"y": [2**63] * 8}, TypeError, ("y: expected int64, integers from -9223372036854775808",)),
    "unknown": ({"z": X[:8]}, KeyError, ("there is no input 'z'; known: x, y",)),
    "none": ({"x": None}, TypeError, ("x: expected float32, got object",)),
    "text": ({"x": "abc"}, TypeError, ("x: expected float32",)),
    "complex": ({"x": X[:8] + 0j}, TypeError, ("x: expected float32, got complex64",)),
    "ragged": ({"x": [[1, 2], [3]]}, TypeError, ("x: expected an array of float32, got a list that makes none",)),
    "masked": ({"x": np.ma.masked_array(X[:8], X[:8] > 0)}, TypeError, ("x: ", "masked array", ".filled")),
    "empty": ({"x": X[:0], "y": Y[:0]}, ValueError, ("N is 0; a batch has at least one row",)),
    "class too large": ({"y": Y[:8] + CLASSES}, IndexError, ("y: an index into axis 1 of size 4 is outside [0, 4)",)),
    "class negative": ({"y": Y[:8] - CLASSES}, IndexError, ("y: an index into axis 1 of size 4 is outside [0, 4)",)),
}


@pytest.mark.parametrize("call", ["step", "evaluate", "gradients"])
@pytest.mark.parametrize("case", BAD_CALLS)
def test_calls(program: sn.program.Program, call: str, case: str) -> None:
    changed, error, words = BAD_CALLS[case]
    inputs = {"x": X[:8], "y": Y[:8]} | changed
    refused(program, lambda: getattr(program, call)(**inputs), error, *words)


def test_missing_inputs_and_too_many_rows(program: sn.program.Program) -> None:
    refused(program, lambda: program.step(x=X[:8]), KeyError, "step: missing input y [N] int64")
    for call in (program.step, program.gradients):
        refused(program, lambda call=call: call(x=X, y=Y), ValueError, "N is 20", "at most 8", "batch={'N': 20}")


def test_predict(program: sn.program.Program) -> None:
    refused(program, lambda: program.predict("logit", x=X), KeyError, "did you mean 'logits'?")
    refused(program, lambda: program.predict(X), TypeError, "predict: an output is given by its name", "ndarray")
    refused(program, lambda: program.predict("logits", x=X, y=Y), KeyError, "predict 'logits': there is no input 'y'")
    refused(program, lambda: program.predict("logits", x=X[:0]), ValueError, "N is 0")


def test_tensors_of_torch_that_are_no_arrays(program: sn.program.Program) -> None:
    torch = pytest.importorskip("torch")
    bad = [torch.zeros(8, 3).bfloat16(), torch.zeros(8, 3).to_sparse(), torch.zeros(8, 3, device="meta")]
    for tensor in bad:
        refused(program, lambda tensor=tensor: program.step(x=tensor, y=Y[:8]), TypeError, "x: expected an array of")


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("W", np.zeros((CLASSES, 3), "float32"), ValueError),
        ("W", np.zeros((3, CLASSES)), TypeError),
        ("W", 0.0, ValueError),
        ("w", 1.0, KeyError),
    ],
)
def test_parameters(program: sn.program.Program, name: str, value: Any, error: type[Exception]) -> None:
    refused(program, lambda: program.parameters.__setitem__(name, value), error)
    good = {"b": np.ones(CLASSES, "float32")}
    refused(program, lambda: program.load_parameters(good | {name: value}), error)


@pytest.mark.parametrize(
    ("name", "value", "error", "word"),
    [
        ("lr", "a", TypeError, "expected a number"),
        ("lr", None, TypeError, "expected a number"),
        ("lr", 1j, TypeError, "expected a number"),
        ("lr", [1.0], ValueError, "is a number"),
        ("betas", 0.9, ValueError, "is 2 numbers"),
        ("betas", (0.9, None), TypeError, "expected a number"),
        ("betas", (0.9, (1, 2)), TypeError, "expected a number"),
        ("beta", 0.9, KeyError, "did you mean 'betas'?"),
    ],
)
def test_hyperparameters(program: sn.program.Program, name: str, value: Any, error: type[Exception], word: str) -> None:
    refused(program, lambda: program.hyper.__setitem__(name, value), error, word)


BAD_FITS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "epochs": ({"epochs": 1.5}, TypeError, "epochs is 1.5, expected a whole number"),
    "no epochs": ({"epochs": None}, TypeError, "epochs is None"),
    "negative": ({"epochs": -1}, ValueError, "epochs is -1"),
    "batch": ({"batch_size": 9}, ValueError, "batch_size is 9; the program was compiled for batch={'N': 8}"),
    "zero batch": ({"batch_size": 0}, ValueError, "batch_size is 0"),
    "text": ({"batch_size": "4"}, TypeError, "batch_size is '4'"),
    "metrics": ({"metrics": "accuracy"}, TypeError, 'expected a list such as ["accuracy"]'),
    "metric": ({"metrics": ["acc"]}, KeyError, "there is no metric 'acc'"),
    "callback": ({"callbacks": print}, TypeError, "expected a list of functions"),
    "callbacks": ({"callbacks": [3]}, TypeError, "expected a list of functions"),
    "validation": ({"validation": (X, Y)}, TypeError, "fit, validation: expected a mapping"),
    "half of it": ({"validation": {"x": X}}, KeyError, "fit, validation: missing input y"),
    "validation classes": ({"validation": {"x": X, "y": Y + 9}}, IndexError, "outside [0, 4)"),
    "data": ({"data": (X, Y)}, TypeError, "fit: expected a mapping"),
    "rows": ({"data": {"x": X, "y": Y[:10]}}, ValueError, "axis 0 of y is 10, expected 20"),
    "no rows": ({"data": {"x": X[:0], "y": Y[:0]}}, ValueError, "the data has no rows"),
}


@pytest.mark.parametrize("case", BAD_FITS)
def test_fit(program: sn.program.Program, case: str) -> None:
    changed, error, words = BAD_FITS[case]
    arguments = {"data": {"x": X, "y": Y}, "progress": False} | changed
    refused(program, lambda: program.fit(**arguments), error, words)


def test_a_bad_class_undoes_the_batches_before_it(program: sn.program.Program) -> None:
    labels = Y.copy()
    labels[13] = 7
    data = {"x": X, "y": labels}
    words = ("batch 2, with rows 8, 9, 10, 11, 12, 13, 14, 15", "y: an index into axis 1 of size 4")
    refused(program, lambda: program.fit(data, shuffle=False, progress=False), IndexError, *words)
    refused(program, lambda: program.fit(data, epochs=3, progress=False), IndexError, "y: an index")


def test_nan() -> None:
    x = X[:8].copy()
    x[2, 1] = np.nan
    careful, data = classifier(check_finite=True), {"x": x, "y": Y[:8]}
    for call in (careful.step, careful.evaluate, careful.gradients):
        refused(careful, lambda call=call: call(**data), ValueError, "x[2, 1] is nan")
    refused(careful, lambda: careful.fit(data, progress=False), ValueError, "fit: x[2, 1] is nan")
    program = classifier()
    program.fit({"x": X, "y": Y}, progress=False)
    words = "step 1 of epoch 2"
    refused(program, lambda: program.fit(data, progress=False, check_finite=True), ValueError, words)


def test_checkpoints(program: sn.program.Program, tmp_path: Path) -> None:
    good = tmp_path / "good.safetensors"
    program.save(good)
    content = good.read_bytes()
    for size in (0, 5, 20, len(content) - 5):
        cut = tmp_path / "cut.safetensors"
        cut.write_bytes(content[:size])
        for call in (program.load, program.load_parameters):
            refused(program, lambda call=call, cut=cut: call(cut), OSError, "cut.safetensors")
    for call in (program.save, program.load, program.load_parameters):
        refused(program, lambda call=call: call(3), TypeError, "expected the path of a file, got int")
        refused(program, lambda call=call: call(tmp_path / "no" / "such"), OSError, "such")
    for about in ("{", "[1]", "{}", json.dumps({"format": 1})):
        save_file({"W": np.zeros((3, CLASSES), "float32")}, tmp_path / "other.safetensors", {"symnet": about})
        refused(program, lambda: program.load(tmp_path / "other.safetensors"), OSError, "other.safetensors")
    other = classifier(optimizer=sn.optim.SGD())
    other.save(good)
    refused(program, lambda: program.load(good), OSError, "of another program", "missing", "W.m")


x, y = sn.input("x", ("N", 3)), sn.input("y", ("N",), "int64")
W = sn.parameter("W", (3,), init=sn.init.zeros())
BAD_PROGRAMS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "capacity": ({"batch": None}, ValueError, 'the dimension N needs a largest size: batch={"N": 64}'),
    "dimension": ({"batch": {"N": 4, "M": 4}}, KeyError, "there is no dimension 'M'; the program has N"),
    "zero": ({"batch": {"N": 0}}, ValueError, "the capacity of 'N' is 0, expected a positive integer"),
    "a number": ({"batch": 4}, TypeError, "batch is a int, expected a mapping"),
    "memory": ({"batch": {"N": 10**15}}, ValueError, "of memory"),
    "dtype": ({"dtype": "float16"}, TypeError, "'float16'"),
    "backend": ({"backend": "gpu"}, ValueError, "there is no backend 'gpu'"),
    "loss shape": ({"loss": x @ W}, ValueError, "the loss has the shape [N], expected a scalar"),
    "loss dtype": ({"loss": sn.sum(y)}, TypeError, "the loss is int64"),
    "nothing to train": ({"loss": sn.mean(x)}, ValueError, "no trainable parameter"),
    "nothing behind": ({"loss": sn.mean(x @ sn.stop_gradient(W))}, ValueError, "no trainable parameter"),
    "optimizer": ({"optimizer": sn.optim.SGD}, TypeError, "the class SGD, expected an optimizer such as sn.optim.SGD("),
    "outputs": ({"outputs": [x]}, TypeError, "outputs is a list, expected a mapping"),
    "output name": ({"outputs": {3: x}}, ValueError, "3 cannot name an output"),
    "seed": ({"seed": "a"}, TypeError, "seed is 'a', expected a whole number"),
    "no seed": ({"seed": None}, TypeError, "seed is None"),
    "large seed": ({"seed": 2**70}, ValueError, "expected a whole number from 0 to"),
    "threads": ({"threads": 0}, ValueError, "threads is 0, expected an integer from 1"),
    "target": ({"target": "x86-64-v9"}, ValueError, "did you mean"),
}


@pytest.mark.parametrize("case", BAD_PROGRAMS)
def test_compile(case: str) -> None:
    changed, error, words = BAD_PROGRAMS[case]
    settings = {"loss": sn.mean((x @ W) ** 2), "optimizer": sn.optim.SGD(), "batch": {"N": 4}} | changed
    with pytest.raises(error) as caught:
        sn.compile(**settings)
    assert isinstance(caught.value, sn.SymnetError)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: sn.optim.SGD(lr="a"), TypeError, "SGD: lr is 'a', expected a number"),
        (lambda: sn.optim.Adam(lr=None), TypeError, "Adam: lr is None, expected a number"),
        (lambda: sn.optim.Adam(betas=(1.0, 0.9)), ValueError, "betas is 1.0, expected a number in [0, 1)"),
        (lambda: sn.input("x", None), ValueError, "a shape is a tuple of integers and names, got None"),
        (lambda: sn.input("x", (1.5,)), ValueError, "a dimension is an integer or a name, got 1.5"),
        (lambda: sn.function(x, [x]), TypeError, "the inputs are a Expr, expected a list"),
        (lambda: sn.function([x], 3), TypeError, "the outputs are a int, expected a list"),
        (lambda: sn.function([x], [x @ W]), KeyError, "the parameter 'W': list it among the inputs"),
        (lambda: sn.function([sn.input("d", ("2*M",))], [x[0]]), KeyError, "the input 'x': list it"),
        (lambda: pickle.dumps(sn.function([x], [x])), TypeError, "cannot be copied or pickled"),
        (lambda: pickle.dumps(classifier()), TypeError, "save() and load()"),
    ],
)
def test_definitions(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert isinstance(caught.value, sn.SymnetError)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SYMNET_THREADS", v) for v in ("0", "-1", "two", "2.5", " 2", "1025", "٣", "²")]
    + [("SYMNET_CHECK", "x"), ("SYMNET_CHECK", "3"), ("SYMNET_DUMP", "/dev/null/x")],
)
def test_environment(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises((sn.UsageError, sn.FileError), match=variable):
        classifier()


def test_what_is_accepted(program: sn.program.Program) -> None:
    """Other layouts, owners and lossless types than the plainest; all give the same bits."""
    wanted = program.evaluate(x=X[:8], y=Y[:8])
    unaligned = np.zeros(8 * 12 + 1, "uint8")[1:].view("float32").reshape(8, 3)
    unaligned[...] = X[:8]
    frozen = X[:8].copy()
    frozen.flags.writeable = False
    arrays = [
        np.asfortranarray(X[:8]), X[:8].repeat(2, axis=0)[::2], X[7::-1][::-1], unaligned, frozen, memoryview(X[:8]),
    ]  # fmt: skip
    labels = [Y[:8].astype("int32"), Y[:8].astype("uint8"), Y[:8].tolist(), np.stack([Y, Y], axis=1)[:8, 0]]
    for array in arrays:
        assert program.evaluate(x=array, y=Y[:8])["loss"] == wanted["loss"]
    for array in labels:
        assert program.evaluate(x=X[:8], y=array)["loss"] == wanted["loss"]
