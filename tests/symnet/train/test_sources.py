"""Whatever the data is given as: the same batches give the same training, and what cannot be is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import IndexOutOfRange
from symnet.train.sources import Filed, source
from tests.symnet.train.conftest import BATCH, ROWS, Make, classifier, numbers, regression, rows


def in_batches(data: dict[str, np.ndarray], size: int = BATCH) -> list[dict[str, np.ndarray]]:
    return [{n: a[i : i + size] for n, a in data.items()} for i in range(0, len(data["x"]), size)]


def expected(fresh: Callable[[Make], Any], epochs: int = 2) -> list[float]:
    return list(fresh(classifier).fit(rows(), epochs=epochs, shuffle=False, progress=False).losses)


def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    return [(b["x"], b["y"]) for b in in_batches(rows())]


SOURCES: dict[str, Callable[[], Any]] = {
    "mappings": lambda: in_batches(rows()),
    "tuples": pairs,
    "lists": lambda: [[*pair] for pair in pairs()],
    "a function": lambda: lambda: iter(pairs()),
    "a generator function": lambda: lambda: (pair for pair in pairs()),
    "sn.data.batches": lambda: sn.data.batches((rows()["x"], rows()["y"]), BATCH, shuffle=False),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_batches_of_any_form(kind: str, fresh: Callable[[Make], Any]) -> None:
    wanted = expected(fresh)
    history = fresh(classifier).fit(SOURCES[kind](), epochs=2, progress=False)
    assert history.losses == wanted
    assert history.ends == [3, 6]
    np.testing.assert_allclose(history["loss"][0], np.average(wanted[:3], weights=[8, 8, 5]), rtol=1e-12)


def test_inputs_are_in_the_order_of_their_definition(fresh: Callable[[Make], Any]) -> None:
    """The loss of the regression mentions t before x; x was defined first."""
    assert fresh(classifier).inputs == ("x", "y")
    program = fresh(regression)
    assert program.inputs == ("x", "t")
    data = numbers()
    wanted = program.fit(data, shuffle=False, progress=False).losses
    loader = [(b["x"], b["t"]) for b in in_batches(data)]
    assert fresh(regression).fit(loader, progress=False).losses == wanted


def test_a_dataloader_of_torch(fresh: Callable[[Make], Any]) -> None:
    torch = pytest.importorskip("torch")
    data = rows()
    wanted = expected(fresh)
    tensors = torch.utils.data.TensorDataset(torch.from_numpy(data["x"]), torch.from_numpy(data["y"]))
    loader = torch.utils.data.DataLoader(tensors, batch_size=BATCH)
    history = fresh(classifier).fit(loader, epochs=2, validation=loader, metrics=["accuracy"], progress=False)
    assert history.losses == wanted
    again = fresh(classifier).fit({n: torch.from_numpy(a) for n, a in data.items()}, 2, None, False, progress=False)
    assert again.losses == wanted
    assert history["accuracy"] == history["val_accuracy"]


def test_one_input_takes_bare_arrays() -> None:
    x = sn.input("x", ("N", 3))
    program = sn.compile(sn.mean((x @ sn.parameter("w", (3,))) ** 2), sn.optim.SGD(lr=0.1), batch={"N": 4})
    batch = np.ones((4, 3), "float32")
    assert program.fit([batch, batch[:2]], progress=False).ends == [2]


def test_an_iterator_gives_its_batches_once(fresh: Callable[[Make], Any], program: Any) -> None:
    wanted = expected(fresh, epochs=1)
    program = fresh(classifier)
    given = iter(pairs())
    assert program.fit(given, progress=False).losses == wanted
    with pytest.raises(sn.UsageError, match="gave no batch"):
        program.fit(given, progress=False)
    with pytest.raises(sn.UsageError, match=r"an iterator \(a list_iterator\).*pass a function"):
        program.fit(iter(pairs()), epochs=2, progress=False)
    assert program.epochs_done == 2
    with pytest.raises(sn.UsageError, match="metrics on the training data need a second pass"):
        program.fit(iter(pairs()), metrics=["accuracy"], progress=False)


def test_steps_per_epoch_of_batches_goes_on_where_it_ended(fresh: Callable[[Make], Any]) -> None:
    wanted = expected(fresh, epochs=2)
    history = fresh(classifier).fit(pairs(), epochs=3, steps_per_epoch=2, progress=False)
    assert history.losses == wanted
    assert history.ends == [2, 4, 6]

    def without_end() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            yield from pairs()

    history = fresh(classifier).fit(without_end(), epochs=2, steps_per_epoch=3, progress=False)
    assert history.losses == wanted
    with pytest.raises(sn.UsageError, match="enough batches for steps_per_epoch"):
        fresh(classifier).fit(iter(pairs()), epochs=2, steps_per_epoch=2, progress=False)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7])
def test_steps_per_epoch_of_arrays_is_a_portion_of_endless_passes(steps: int, fresh: Callable[[Make], Any]) -> None:
    wanted = fresh(classifier).fit(rows(), epochs=7, progress=False).losses
    epochs = len(wanted) // steps
    program = fresh(classifier)
    history = program.fit(rows(), epochs=epochs - 1, steps_per_epoch=steps, progress=False)
    history += program.fit(rows(), steps_per_epoch=steps, progress=False)
    assert history.losses == wanted[: epochs * steps]
    assert history.ends == [steps * (i + 1) for i in range(epochs)]


def test_shuffling_goes_on_after_loading(fresh: Callable[[Make], Any], tmp_path: Path) -> None:
    wanted = fresh(classifier).fit(rows(), epochs=4, progress=False).losses
    program = fresh(classifier)
    first = program.fit(rows(), epochs=2, progress=False)
    program.save(tmp_path / "run.safetensors")
    program = fresh(classifier)
    program.load(tmp_path / "run.safetensors")
    assert (first + program.fit(rows(), epochs=2, progress=False)).losses == wanted


def test_a_loop_by_hand_visits_what_fit_visits(fresh: Callable[[Make], Any]) -> None:
    wanted = fresh(classifier).fit(rows(), epochs=2, progress=False).losses
    program = fresh(classifier)
    loader = sn.data.batches(rows(), BATCH, seed=program.seed)
    assert len(loader) == 3
    assert [float(program.step(**batch)["loss"]) for _ in range(2) for batch in loader] == wanted


# --- files and tables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["as it is", "other type", "other layout"])
def test_arrays_mapped_from_files(how: str, fresh: Callable[[Make], Any], tmp_path: Path) -> None:
    data = rows()
    data["x"] = np.round(data["x"] * 20).clip(-100, 100)
    stored = data["x"].astype("int8") if how == "other type" else data["x"]
    np.save(tmp_path / "x.npy", np.asfortranarray(stored) if how == "other layout" else stored)
    wanted = fresh(classifier).fit(data, epochs=2, validation=data, metrics=["accuracy"], progress=False)
    mapped = {"x": np.load(tmp_path / "x.npy", mmap_mode="r"), "y": data["y"]}
    program = fresh(classifier)
    history = program.fit(mapped, epochs=2, validation=mapped, metrics=["accuracy"], progress=False)
    assert history.losses == wanted.losses
    for name in ("accuracy", "val_accuracy", "val_loss"):
        np.testing.assert_allclose(history[name], wanted[name], rtol=1e-6)
    taken = source(program, mapped, "fit", None, True, None)
    assert isinstance(taken, Filed) == (how != "as it is")
    assert isinstance(taken.data["x"], np.memmap) or np.shares_memory(taken.data["x"], mapped["x"])  # type: ignore[attr-defined]


def test_bad_arrays_in_files(program: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((ROWS, 5)))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with pytest.raises(sn.DTypeError, match="expected float32, got float64"):
        program.fit({"x": mapped, "y": rows()["y"]}, progress=False)
    np.save(tmp_path / "x.npy", np.zeros((ROWS, 5), "int16"))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with pytest.raises(sn.ShapeError, match=r"different numbers of rows: \{'x': 21, 'y': 20\}"):
        program.fit({"x": mapped, "y": rows()["y"][:20]}, progress=False)
    with pytest.raises(sn.ShapeError, match="axis 1 of x is 4, expected 5"):
        program.fit({"x": mapped[:, :4], "y": rows()["y"]}, progress=False)
    with pytest.raises(sn.UnknownName, match="no input 'z'"):
        program.fit({"x": mapped, "y": rows()["y"], "z": mapped}, progress=False)


def test_tables(fresh: Callable[[Make], Any]) -> None:
    pandas = pytest.importorskip("pandas")
    data = rows()
    table = pandas.DataFrame(data["x"].astype("float64"), columns=list("abcde")).assign(label=data["y"])
    wanted = expected(fresh)
    program = fresh(classifier)
    given = {"x": table[list("abcde")], "y": table["label"]}
    history = program.fit(given, 2, None, False, validation=given, metrics=["accuracy"], progress=False)
    assert history.losses == wanted
    assert program.predict("logits", x=table[list("abcde")]).shape == (ROWS, 3)

    u, v = sn.input("u", ("N",)), sn.input("v", ("N",))
    w = sn.parameter("w", (), init=sn.init.zeros())
    plain = sn.compile(sn.mean((v - w * u) ** 2), sn.optim.SGD(lr=0.1), batch={"N": 4})
    table = pandas.DataFrame({"v": [2.0, 4.0, 6.0, 8.0, 10.0], "u": [1, 2, 3, 4, 5], "name": list("abcde")})
    assert plain.fit(table, epochs=2, progress=False).ends == [2, 4]
    with pytest.raises(sn.UsageError, match=r"the table has no column 'v'; its columns are u, name"):
        plain.fit(table.drop(columns="v"), progress=False)
    with pytest.raises(sn.DTypeError, match=r"v: values are missing, 2 in 'v'"):
        plain.fit(table.assign(v=[1, None, None, 2, 3]), progress=False)
    with pytest.raises(sn.DTypeError, match=r"v: the column 'name' is .*, expected numbers"):
        plain.fit({"u": table["u"], "v": table["name"]}, progress=False)
    with pytest.raises(sn.DTypeError, match=r"y: expected int64, got a column"):
        program.fit({"x": data["x"], "y": pandas.Series(data["y"] + 0.5)}, progress=False)


# --- what cannot be -----------------------------------------------------------------------------------------------


def unchanged(program: Any, call: Callable[[], object], error: type[Exception], words: str) -> None:
    before = program.instance.snapshot()
    with pytest.raises(error, match=words):
        call()
    assert (program.instance.snapshot() == before).all()


def test_bad_batches(program: Any) -> None:
    x, y = rows()["x"], rows()["y"]

    def fit(data: object, **options: Any) -> Callable[[], object]:
        return lambda: program.fit(data, progress=False, **options)

    unchanged(program, fit([(x[:8],)]), TypeError, r"a batch is a tuple of 1, expected .* a tuple of 2: x, y")
    unchanged(program, fit([x[:8]]), TypeError, "a batch is a ndarray, expected a mapping")
    unchanged(program, fit([{"x": x[:8]}]), KeyError, "missing input y")
    unchanged(program, fit([(x, y)]), ValueError, "N is 21, but the program was compiled for at most 8")
    unchanged(program, fit([(y[:8], x[:8])]), TypeError, "x: expected float32, got int64")
    unchanged(program, fit([]), ValueError, "the data gave no batch")
    unchanged(program, fit(lambda: 3), TypeError, "the function gave int, expected an iterable")
    unchanged(program, fit(pairs(), batch_size=4), ValueError, "batch_size is 4, but the data comes in batches")
    unchanged(program, fit((x, y)), TypeError, "expected a mapping from input names to arrays, or an iterable")
    unchanged(program, fit(rows(), steps_per_epoch=0), ValueError, "steps_per_epoch is 0")
    unchanged(program, fit(rows(), steps_per_epoch=1.5), TypeError, "steps_per_epoch is 1.5")


def test_a_bad_batch_of_many_leaves_the_ones_before(fresh: Callable[[Make], Any]) -> None:
    wanted = expected(fresh, epochs=1)
    program = fresh(classifier)
    bad = [*pairs()[:2], (rows()["x"][:8], np.full(8, 7))]
    with pytest.raises(IndexError) as caught:
        program.fit(bad, progress=False)
    assert caught.value.__notes__ == ["in batch 3 of this epoch"]
    assert program.history.losses == wanted[:2]
    assert program.epochs_done == 0


# --- undoing an epoch ----------------------------------------------------------------------------------------------


def test_checks_that_no_row_can_fail(fresh: Callable[[Make], Any]) -> None:
    """What the compiled code tells of its checks decides whether an epoch must be undone after an error."""
    program, data = fresh(classifier), rows(40)
    assert program.code("step").bounds("step") == {"y": 3}
    assert program.fits_all_checks("step", data)
    for bad in (-1, 3):
        assert not program.fits_all_checks("step", {**data, "y": np.where(np.arange(40) == 33, bad, data["y"])})
    many = np.zeros(program.instance.persistent_bytes() // 8 + 1, np.int64)
    assert not program.fits_all_checks("step", {**data, "y": many})  # to copy what persists is quicker


def test_an_index_that_is_computed_has_no_bounds() -> None:
    x, i = sn.input("x", ("N", 5)), sn.input("i", ("N",), "int64")
    near = x[sn.arange(x.shape[0]), i * i]
    program = sn.compile(sn.mean(near * sn.parameter("w", (1,))), sn.optim.SGD(lr=0.1), {}, {"N": 4})
    assert program.code("step").bounds("step") is None
    assert not program.fits_all_checks("step", {"x": np.ones((4, 5), np.float32), "i": np.zeros(4, np.int64)})


@pytest.mark.parametrize("where", ["train", "validation"])
def test_a_bad_index_undoes_the_epoch(where: str, fresh: Callable[[Make], Any]) -> None:
    program, good = fresh(classifier), rows(40)
    bad = {**good, "y": np.where(np.arange(40) == 33, 3, good["y"])}
    program.fit(good, progress=False)
    before = program.instance.snapshot()
    given = {"data": bad} if where == "train" else {"data": good, "validation": bad}
    with pytest.raises(IndexOutOfRange):
        program.fit(**given, progress=False, shuffle=False)
    np.testing.assert_array_equal(program.instance.snapshot(), before)
    assert (program.epochs_done, program.history.losses) == (1, [])
