"""Targets: each kind becomes classes or continuous values with their names, or is refused."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest

from handloom import Adam, DataError, Dataset, Dense, Sequential, Splits, Trainer
from handloom.metrics import accuracy
from handloom.training import evaluate

X = np.arange(12.0).reshape(6, 2)
INDICES = [2, 0, 1, 2, 0, 1]
LABELS = ["c", "a", "b", "c", "a", "b"]
SHUFFLED = [5, 3, 0, 1, 4, 2]


def polars() -> Any:
    return pytest.importorskip("polars")


def pyarrow() -> Any:
    return pytest.importorskip("pyarrow")


def one_hot(dtype: Any) -> Any:
    return np.eye(3, dtype=dtype)[INDICES]


def dummies() -> Any:
    return pd.get_dummies(pd.Series(LABELS))


CLASSES: dict[str, tuple[Callable[[], Any], Sequence[str]]] = {
    "integers": (lambda: INDICES, "012"),
    "big-endian integers": (lambda: np.array(INDICES, ">u2"), "012"),
    "uint64": (lambda: np.array(INDICES, np.uint64), "012"),
    "column of integers": (lambda: np.array(INDICES)[:, None], "012"),
    "nothing masked": (lambda: np.ma.masked_array(INDICES), "012"),
    "strings": (lambda: LABELS, "abc"),
    "array of strings": (lambda: np.array(LABELS), "abc"),
    "array of objects": (lambda: np.array(LABELS, object), "abc"),
    "variable-width strings": (lambda: np.array(LABELS, np.dtypes.StringDType()), "abc"),
    "column of strings": (lambda: np.array(LABELS)[:, None], "abc"),
    "one-hot": (lambda: one_hot(np.uint8), "012"),
    "one-hot booleans": (lambda: one_hot(bool), "012"),
    "Series, shuffled index": (lambda: pd.Series(INDICES, index=SHUFFLED), "012"),
    "Series of strings": (lambda: pd.Series(LABELS, index=SHUFFLED), "abc"),
    "Series of objects": (lambda: pd.Series(LABELS, dtype=object), "abc"),
    "nullable integers": (lambda: pd.Series(INDICES, dtype="Int64"), "012"),
    "pandas array": (lambda: pd.array(INDICES), "012"),
    "pandas Index": (lambda: pd.Index(LABELS), "abc"),
    "frame of one column": (lambda: pd.DataFrame({"label": LABELS}), "abc"),
    "get_dummies": (dummies, "abc"),
    "get_dummies, integers": (lambda: dummies().astype(int), "abc"),
    "polars": (lambda: polars().Series(INDICES), "012"),
    "polars strings": (lambda: polars().Series(LABELS), "abc"),
    "polars Categorical": (lambda: polars().Series(LABELS, dtype=polars().Categorical), "abc"),
    "polars frame": (lambda: polars().DataFrame({"label": LABELS}), "abc"),
    "polars dummies": (
        lambda: polars().DataFrame({"label": LABELS}).to_dummies().select(r"^.*_[abc]$"),
        ["label_a", "label_b", "label_c"],
    ),
    "pyarrow": (lambda: pyarrow().array(INDICES), "012"),
    "pyarrow chunks": (lambda: pyarrow().chunked_array([LABELS[:2], LABELS[2:]]), "abc"),
    "pyarrow dictionary": (lambda: pyarrow().array(LABELS).dictionary_encode(), "abc"),
    "categories": (lambda: pd.Series(LABELS, index=SHUFFLED).astype("category"), "abc"),
    "categories of integers": (lambda: pd.Series(INDICES).add(7).astype("category"), "789"),
    "Categorical": (lambda: pd.Categorical(LABELS), "abc"),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_of_every_kind(kind: str) -> None:
    make, names = CLASSES[kind]
    data = Dataset(X, make())
    assert data.targets.dtype == np.int64
    assert data.targets.tolist() == INDICES
    assert data.class_names == tuple(names)


ORDERED: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.Series(LABELS).astype(pd.CategoricalDtype(["c", "unused", "b", "a"])),
    "polars": lambda: polars().Series(LABELS, dtype=polars().Enum(["c", "unused", "b", "a"])),
}


@pytest.mark.parametrize("library", ORDERED)
def test_categories_keep_their_order_and_those_that_do_not_occur(library: str) -> None:
    data = Dataset(X, ORDERED[library]())
    assert data.class_names == ("c", "unused", "b", "a")
    assert [data.class_names[target] for target in data.targets] == LABELS


@pytest.mark.parametrize(
    "values", [[True, False] * 3, pd.Series([True, False] * 3, dtype="boolean")]
)
def test_booleans_are_two_classes(values: Any) -> None:
    data = Dataset(X, values)
    assert (data.class_names, data.targets.tolist()) == (("False", "True"), [1, 0] * 3)
    assert Dataset(X, values, ["no", "yes"]).class_names == ("no", "yes")
    assert Dataset(X[:2], [True, True]).class_names == ("False", "True")


@pytest.mark.parametrize(
    "labels", [LABELS, pd.Series(LABELS), pd.Categorical(LABELS), pd.DataFrame({"label": LABELS})]
)
def test_strings_are_matched_by_name(labels: Any) -> None:
    data = Dataset(X, labels, ["b", "z", "c", "a"])
    assert [data.class_names[target] for target in data.targets] == LABELS


@pytest.mark.parametrize("kind", ["category", pd.CategoricalDtype([3, 1, 2])])
def test_categories_of_integers_are_matched_by_name_as_others_are(kind: Any) -> None:
    labels = pd.Series([1, 2, 3, 1, 2, 3], dtype=kind)
    train = Dataset(X, labels)
    some = Dataset(X[:2], labels[:2], class_names=train.class_names)
    assert some.targets.tolist() == train.targets[:2].tolist()
    with pytest.raises(DataError, match=r"'1' in row 0. For class numbers pass targets.astype"):
        Dataset(X, labels, ["ant", "bee", "cat"])


def test_rows_that_lack_a_class_keep_the_classes_of_the_training_rows() -> None:
    train = Dataset(X, LABELS)
    rest = Dataset(X[:4], ["c", "b", "c", "b"], train.class_names)
    assert rest.targets.tolist() == [2, 1, 2, 1]
    alone = Dataset(X[:4], ["c", "b", "c", "b"])  # learns its own names
    trainer = Trainer(Sequential([Dense(3)]).build(2), Adam(), 1e-2, epochs=1)
    line = r"Dataset\(inputs, targets, class_names=train\.class_names\)"
    with pytest.raises(DataError, match=rf"a, b, c, got b, c: pass {line}"):
        trainer.fit(train, alone)
    renamed = Dataset(X, ["c", "b", "d"] * 2)
    with pytest.raises(DataError, match=rf"a, b, c, got b, c, d: pass {line}"):
        trainer.fit(train, renamed)
    trainer.fit(train, Dataset(X[:4] + 1.0, ["c", "b", "c", "b"], train.class_names))
    with pytest.raises(DataError, match=r"class_names=model\.class_names"):
        evaluate(trainer.model(), alone)
    assert evaluate(trainer.model(), rest).confusion[0].sum() == 0
    with pytest.raises(DataError, match=r"class_names=train\.class_names"):
        Splits(train, alone)


CONTINUOUS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "array": (lambda: X[:, 0], ("0",)),
    "column": (lambda: X[:, :1], ("0",)),
    "list": (X[:, 0].tolist, ("0",)),
    "float16": (lambda: X[:, 0].astype(np.float16), ("0",)),
    "big-endian": (lambda: X[:, 0].astype(">f8"), ("0",)),
    "Series": (lambda: pd.Series(X[:, 0], index=SHUFFLED, name="price"), ("price",)),
    "nullable": (lambda: pd.Series(X[:, 0], dtype="Float64"), ("0",)),
    "frame": (lambda: pd.DataFrame({"price": X[:, 0]}), ("price",)),
    "polars": (lambda: polars().Series("price", X[:, 0]), ("price",)),
    "pyarrow": (lambda: pyarrow().array(X[:, 0]), ("0",)),
}


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_floating_point_targets_are_continuous(kind: str) -> None:
    make, names = CONTINUOUS[kind]
    data = Dataset(X, make())
    assert data.targets.dtype in ("float32", "float64")
    assert data.targets.dtype.isnative
    assert np.array_equal(data.targets, X[:, :1])
    assert data.class_names == names
    assert Dataset(X, make(), ["renamed"]).class_names == ("renamed",)


def test_columns_name_several_outputs() -> None:
    both = pd.DataFrame({"price": X[:, 0], "rooms": np.arange(6)})
    data = Dataset(X, both)
    assert data.class_names == ("price", "rooms")
    assert np.array_equal(data.targets, both.to_numpy())
    assert Dataset(X, X).class_names == ("0", "1")
    trainer = Trainer(Sequential([Dense(2)]).build(2), Adam(), 1e-2, loss="huber", epochs=1)
    with pytest.raises(DataError, match="outputs of the training rows, price, rooms, got rooms"):
        trainer.fit(data, Dataset(X, both[["rooms", "price"]]))


NAMES = ["a", "b", "c"]
REFUSED: dict[str, tuple[Any, Any, str]] = {
    "a gap": ([0, 2] * 3, None, r"0 to k - 1, each at least once, got 0, 2: .*astype\(str\)"),
    "from 1": ([1, 2, 3] * 2, None, r"got 1, 2, 3: pass class_names .* targets\.astype\(str\)"),
    "negative": ([-1, 1] * 3, None, r"got -1, 1: .* continuous .*astype\('float32'\)"),
    "out of range": ([0, 3] * 3, NAMES, r"must lie in 0\.\.2 .*, got 0\.\.3"),
    "too large": (np.array([0, 2**64 - 1] * 3, np.uint64), NAMES, r"got 0\.\.18446744073709551615"),
    "names of integers": ([3, 5] * 3, ["3", "5"], r"got 3\.\.5; to match .*\.astype\(str\)"),
    "whole floats": ([0.0, 1.0, 2.0] * 2, NAMES, r"for classes pass targets\.astype\(int\)"),
    "unknown string": (["a", "b", "cc"] * 2, NAMES, "got 'cc' in row 2. Did you mean 'c'"),
    "several labels": (np.ones((6, 2), int), None, "exactly one 1 .* but row 0 is not; several"),
    "counts": (np.diag(range(6)), None, "must be one-hot, .* but row 0 is not"),
    "one-hot, few names": (one_hot(int), ["a", "b"], r"shape \(6, 3\) need 3 names, got a, b"),
    "one-hot, other order": (dummies(), ["c", "b", "a"], "same order, c, b, a, got a, b, c: reord"),
    "floats, few names": (X, ["a"], r"shape \(6, 2\) need 2 names, got a"),
    "three axes": (np.zeros((6, 1, 1)), None, r"shape \(n,\) or \(n, k\), got \(6, 1, 1\)"),
    "table of strings": (np.array([LABELS] * 6), None, r"strings must have shape \(n,\)"),
    "NaN": ([0.0, np.nan, 1.0] * 2, None, r"got NaN \(float64\); the first such row is 1"),
    "infinity": ([0.0, 1.0, np.inf] * 2, None, r"got inf \(float64, .*\); the first such row is 2"),
    "None": (["a", None] * 3, None, "no missing values, got None in row 1"),
    "NaN among strings": (["a", float("nan")] * 3, None, "no missing values, got nan in row 1"),
    "NA": (pd.Series([0, 1, None] * 2, dtype="Int64"), None, "no missing values, .* row 2"),
    "NaN Series": (pd.Series([0, None] * 3, name="y"), None, "column 'y' of targets .* row 1"),
    "no category": (pd.Categorical(["a", None] * 3), None, "no missing values, .* row 1"),
    "masked": (np.ma.masked_equal(INDICES, 1), None, "no masked values, got one in row 2"),
    "mixed": (["a", 1] * 3, None, "got dtype object: all entries must be of one kind"),
    "bytes": (np.array(LABELS, "S"), None, r"got bytes: pass targets\.astype\(str\)"),
    "times": (pd.date_range("2020", periods=6), None, "targets must hold numbers, got datetime64"),
    "MultiIndex": (pd.MultiIndex.from_arrays([LABELS, LABELS]), None, "MultiIndex has no single"),
    "no sequence": (3, None, "targets must be an array, a list of rows or a table, got 3"),
    "names in a string": (INDICES, "abc", "class_names must be a sequence of strings, got 'abc'"),
    "no names": (INDICES, 3, "class_names must be a sequence of strings, got 3"),
    "equal names": (INDICES, ["a", "a", "b"], "class names must differ, got a, a, b"),
    "other rows": (INDICES[:5], None, r"one row each per sample, .*\(6, 2\) .*\(5,\)"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_targets_that_are_refused(kind: str) -> None:
    targets, names, message = REFUSED[kind]
    with pytest.raises(DataError, match=message):
        Dataset(X, targets, names)


def test_class_names_may_be_of_any_type() -> None:
    for names in (range(3), np.array(["0", "1", "2"]), pd.Index([0, 1, 2])):
        assert Dataset(X, INDICES, names).class_names == ("0", "1", "2")


def test_a_shuffled_series_is_not_looked_up_by_its_index() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 600)
    x = 4.0 * np.eye(3)[classes] + 0.3 * rng.standard_normal((600, 3))
    order = rng.permutation(600)
    shuffled = pd.DataFrame(x).iloc[order]
    data = Dataset(shuffled, pd.Series(classes).iloc[order])
    trainer = Trainer(Sequential([Dense(3)]).build(3), Adam(), 0.05, epochs=30, batch_size=50)
    trainer.fit(data)
    predicted = trainer.model().predict(shuffled).argmax(axis=1)
    assert accuracy(classes[order], predicted) > 0.99
