"""The door for data: every kind of input gives the predictions of plain arrays, or is refused."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from tests.helpers.training import BACKENDS

from handloom import (
    Adam,
    DataError,
    Dataset,
    Dense,
    Flatten,
    Model,
    ModelError,
    ReLU,
    Sequential,
    Splits,
    Trainer,
)
from handloom.data.conversion import convert_weights

X = np.random.default_rng(0).integers(-8, 8, (12, 3)) / 4.0  # exact in float16
INTEGERS = np.arange(36).reshape(12, 3) % 7
CLASSES = np.arange(12) % 3
LABELS = np.array(["ant", "bee", "cat"])[CLASSES]
SHUFFLED = np.random.default_rng(1).permutation(12)
COLUMNS = ["u", "v", "w"]

NETWORK = Sequential([Dense(3)]).build(3, seed=0)
EXPECTED = NETWORK.predict(X)


def model(column_names: tuple[str, ...] | None = None) -> Model:
    """Return a model of 3 features and 3 classes."""
    trainer = Trainer(Sequential([Dense(3)]).build(3, seed=0), Adam(), 1e-2, epochs=1)
    trainer.fit(Dataset(X, CLASSES, column_names=column_names))
    return trainer.model()


MODEL = model()


def polars() -> Any:
    return pytest.importorskip("polars")


def pyarrow() -> Any:
    return pytest.importorskip("pyarrow")


def torch() -> Any:
    return pytest.importorskip("torch")


def frame(values: Any = X, **options: Any) -> Any:
    return pd.DataFrame(values, columns=COLUMNS, copy=True, **options)


def polars_frame(values: Any) -> Any:
    return polars().DataFrame({name: values[:, i] for i, name in enumerate(COLUMNS)})


def arrow_table(values: Any) -> Any:
    return pyarrow().table({name: values[:, i] for i, name in enumerate(COLUMNS)})


class Wrapped:
    """An object of another library, which NumPy can take."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.values, dtype)


SAME: dict[str, Callable[[Any], Any]] = {
    "float64": lambda x: x,
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "big-endian": lambda x: x.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "reversed view": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "read-only": lambda x: np.broadcast_to(x[None], (1, *x.shape))[0],
    "numpy.matrix": lambda x: x.view(np.matrix),
    "nothing masked": np.ma.masked_array,
    "lists": lambda x: x.tolist(),
    "tuple of arrays": tuple,
    "list of Series": lambda x: [pd.Series(row, index=[2, 0, 1]) for row in x],
    "any __array__": Wrapped,
    "pandas": frame,
    "pandas, shuffled index": lambda x: frame(x, index=SHUFFLED),
    "pandas, the same index": lambda x: frame(x, index=[7] * 12),
    "pandas, MultiIndex": lambda x: frame(x, index=[SHUFFLED, SHUFFLED]),
    "pandas, numbered columns": pd.DataFrame,
    "pandas, equal columns": lambda x: pd.DataFrame(x, columns=["a", "a", "b"]),
    "pandas, nullable": lambda x: frame(x).astype("Float64"),
    "pandas, several dtypes": lambda x: frame(x).astype({"u": "float32", "v": "Float32"}),
    "pandas, sparse columns": lambda x: frame(x).astype(pd.SparseDtype(float, 0.0)),
    "polars": polars_frame,
    "pyarrow": arrow_table,
    "pyarrow batch": lambda x: arrow_table(x).to_batches()[0],
    "torch": lambda x: torch().from_numpy(x),
    "torch, with gradient": lambda x: torch().tensor(x, requires_grad=True),
}


@pytest.mark.parametrize("kind", SAME)
def test_every_kind_of_inputs_gives_the_predictions_of_plain_arrays(kind: str) -> None:
    inputs = SAME[kind](X)
    data = Dataset(inputs, CLASSES)
    assert type(data.inputs) is np.ndarray
    assert data.inputs.dtype in ("float32", "float64")
    assert data.inputs.dtype.isnative
    assert np.array_equal(data.inputs, X)
    assert np.array_equal(NETWORK.predict(inputs), EXPECTED)
    assert np.array_equal(MODEL.predict(inputs), MODEL.predict(X))


WHOLE: dict[str, Callable[[Any], Any]] = {
    "int64": lambda x: x,
    "uint16, big-endian": lambda x: x.astype(">u2"),
    "lists of int": lambda x: x.tolist(),
    "pandas": frame,
    "pandas uint8": lambda x: frame(x, dtype=np.uint8),
    "pandas Int64": lambda x: frame(x).astype("Int64"),
    "polars uint8": lambda x: polars_frame(x.astype(np.uint8)),
    "pyarrow uint8": lambda x: arrow_table(x.astype(np.uint8)),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_numbers_are_features_and_are_not_scaled(kind: str) -> None:
    data = Dataset(WHOLE[kind](INTEGERS), CLASSES)
    assert data.inputs.dtype.kind == "f"
    assert np.array_equal(data.inputs, INTEGERS)
    trainer = Trainer(Sequential([Dense(3)]).build(3), Adam(), 1e-2, epochs=1)
    trainer.fit(data)
    predicted = trainer.model().predict(WHOLE[kind](INTEGERS))
    assert np.array_equal(predicted, trainer.model().predict(INTEGERS.astype(float)))


@pytest.mark.parametrize(
    "dtype", [bool, np.int8, np.uint16, np.int32, np.uint64, np.float16, np.longdouble]
)
def test_numbers_become_the_smallest_dtype_that_holds_all_of_them(dtype: Any) -> None:
    data = Dataset((INTEGERS % 2).astype(dtype), CLASSES)
    exact = np.can_cast(dtype, np.float32, "safe")
    assert data.inputs.dtype == (np.float32 if exact else np.float64)


def test_flat_bytes_are_neither_pixels_nor_features_until_a_transform_says_so() -> None:
    flat = Dataset(INTEGERS.astype(np.uint8), CLASSES)

    def predictions(**options: Any) -> Any:
        trainer = Trainer(Sequential([Dense(3)]).build(3), "adam", 1e-2, epochs=1, **options)
        trainer.fit(flat)
        return trainer.model().predict(flat.inputs)

    with pytest.raises(ValueError, match=r"transform=Scale\(\) for pixels, .*AsFloat\(\) for"):
        predictions()
    assert not np.allclose(predictions(transform="scale"), predictions(transform="as_float"))


def test_a_mapped_array_stays_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert Dataset(mapped, CLASSES).inputs is mapped
    assert np.array_equal(NETWORK.predict(mapped), EXPECTED)
    assert Dataset(mapped[2:8], CLASSES[2:8]).inputs.base is mapped


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "dtype",
    ["f2", ">f4", *(pytest.param(each, marks=pytest.mark.long) for each in (">f8", "longdouble"))],
)
def test_mapped_rows_of_any_floating_point_dtype_train_as_arrays(
    dtype: str, backend: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", X.astype(dtype))

    def trained(inputs: Any) -> Any:
        network = Sequential([Dense(4), ReLU(), Dense(3)]).build(3)
        trainer = Trainer(network, Adam(), 1e-2, epochs=2, batch_size=5, backend=backend)
        trainer.fit(Dataset(inputs, CLASSES))
        return trainer.model().predict(inputs)

    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert Dataset(mapped, CLASSES).inputs is mapped
    assert np.array_equal(trained(mapped), trained(X))


def test_mapped_integers_are_not_loaded_unasked(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", INTEGERS)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with pytest.raises(DataError, match=r"memory-mapped inputs must be uint8 .* numpy\.array\(inp"):
        Dataset(mapped, CLASSES)
    assert np.array_equal(Dataset(mapped.astype(float), CLASSES).inputs, INTEGERS)


def missing(values: Any, column: str = "v", row: int = 5) -> Any:
    """Return a frame with one missing value."""
    changed = frame(values)
    changed.iloc[row, COLUMNS.index(column)] = None
    return changed


def polars_missing() -> Any:
    return polars().DataFrame({"u": [1.0, None] * 6, "v": X[:, 1], "w": X[:, 2]})


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "NaN": (lambda: missing(X), "column 'v' of .* no missing values, got one in row 5"),
    "NA": (lambda: missing(X).convert_dtypes(), "column 'v' of .*, got one in row 5"),
    "None": (lambda: missing(X).astype({"v": object}), "column 'v' of .*, got one in row 5"),
    "polars null": (polars_missing, "column 'u' of .*, got one in row 1 "),
    "pyarrow null": (lambda: polars_missing().to_arrow(), "column 'u' of .*, got one in row 1 "),
    "None in lists": (lambda: [[1.0, None, 2.0]] * 12, "no missing values, got None in row 0"),
    "masked": (lambda: np.ma.masked_equal(X, X[4, 2]), "no masked values, got one in row"),
    "masked in a list": (lambda: [np.ma.masked_equal(X[0], X[0, 1])], "list of masked arrays"),
    "strings": (
        lambda: frame().assign(v=LABELS),
        r"column 'v' of .* must hold numbers, got .*: encode .* pandas\.get_dummies",
    ),
    "categories": (
        lambda: frame().assign(v=pd.Categorical(LABELS)),
        r"column 'v' of .* must hold numbers, got category: encode",
    ),
    "times": (
        lambda: frame().assign(v=pd.date_range("2020", periods=12)),
        r"column 'v' of .* got datetime64.*: convert times to numbers, .* to days",
    ),
    "objects": (
        lambda: frame().assign(v=[1, "x"] * 6),
        r"column 'v' of .* got object: convert .* pandas\.to_numeric",
    ),
    "polars strings": (
        lambda: polars().DataFrame({"u": LABELS.tolist()}),
        r"column 'u' of .* got String: encode .*to_dummies",
    ),
    "polars lists": (
        lambda: polars().DataFrame({"u": [[1, 2]] * 12}),
        r"column 'u' of .* must hold numbers, got List\(Int64\)",
    ),
    "polars lazy": (lambda: polars().LazyFrame({"u": [1]}), r"got LazyFrame: .* collect\(\)"),
    "no column": (lambda: pd.DataFrame(index=range(12)), "one row and one column, got no column"),
    "array of strings": (
        lambda: X.astype(str),
        "must be numbers, got dtype [<|].*: encode strings",
    ),
    "array of bytes": (lambda: X.astype("S"), "must be numbers, got dtype [<|].*: encode strings"),
    "array of objects": (lambda: X.astype(object), r"dtype object: .* \.astype\(float\)"),
    "complex": (lambda: X.astype(complex), "complex128: pass real and imaginary parts"),
    "datetime64": (lambda: INTEGERS.astype("M8[D]"), r"datetime64\[D\]: convert it"),
    "structured": (
        lambda: np.zeros(12, [("a", float), ("b", int)]),
        "got dtype .*, records with the fields a, b",
    ),
    "sparse": (
        lambda: pytest.importorskip("scipy.sparse").csr_array(X),
        r"must be dense, got a sparse csr_array: pass .*\.toarray\(\) .* MLPClassifier",
    ),
    "ragged": (lambda: [[1.0, 2.0, 3.0], [4.0]], "must have rows of one length"),
    "generator": (lambda: (row for row in X), r"got generator: pass numpy\.array\(list"),
    "dict": (lambda: {"u": X[:, 0]}, r"got dict: pass pandas\.DataFrame"),
    "set": (lambda: {1.0, 2.0}, "got set, which has no order of rows"),
    "None instead": (lambda: None, "or a table, got None"),
    "text": (lambda: "u", "or a table, got 'u'"),
    "number": (lambda: 3.0, r"or a table, got 3\.0"),
    "0-d": (lambda: np.array(3.0), "one entry for each row, got the single value"),
    "class": (lambda: pd.DataFrame, "got the class DataFrame"),
    "unwilling": (lambda: Wrapped([[1], [1, 2]]), "got a Wrapped that NumPy cannot take"),
    "torch, elsewhere": (
        lambda: torch().zeros(12, 3, device="meta"),
        r"got a torch\.Tensor on the device meta: pass .*\.cpu\(\)",
    ),
}


@pytest.mark.parametrize(
    "door", [lambda x: Dataset(x, CLASSES), MODEL.predict, NETWORK.predict], ids=["D", "M", "N"]
)
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_table_of_numbers_is_refused_at_every_door(
    kind: str, door: Callable[[Any], Any]
) -> None:
    make, message = REFUSED[kind]
    with pytest.raises(DataError, match=message):
        door(make())


def test_images_of_integers_are_ambiguous_where_bytes_are_scaled() -> None:
    pixels = np.arange(12 * 4).reshape(12, 2, 2)
    for door in (lambda x: Dataset(x, CLASSES), MODEL.predict):
        with pytest.raises(DataError, match=r"ambiguous: convert pixels with \.astype\('uint8'\)"):
            door(pixels)
    images = Sequential([Flatten(), Dense(3)]).build((1, 2, 2))
    assert np.array_equal(
        images.predict(pixels[:, None]), images.predict(pixels[:, None].astype(float))
    )


@pytest.fixture
def fake_torch(monkeypatch: pytest.MonkeyPatch) -> type:
    """A module with a class Tensor, for the refusals where PyTorch is not installed."""

    class Tensor:
        def __init__(self, device: str, values: Any) -> None:
            self.device, self.values = SimpleNamespace(type=device), values

        def detach(self) -> "Tensor":
            return self

        def numpy(self) -> Any:
            if self.values is None:
                raise TypeError("unsupported ScalarType BFloat16")
            return self.values

    module = ModuleType("torch")
    module.Tensor = Tensor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", module)
    return Tensor


def test_a_tensor_is_detached_and_another_device_is_refused(fake_torch: Any) -> None:
    assert np.array_equal(NETWORK.predict(fake_torch("cpu", X)), EXPECTED)
    with pytest.raises(DataError, match=r"on the device .*cuda.*: pass inputs\.cpu\(\)"):
        Dataset(fake_torch("cuda", X), CLASSES)
    with pytest.raises(DataError, match=r"NumPy cannot take the torch\.Tensor: .*BFloat16"):
        Dataset(fake_torch("cpu", None), CLASSES)


@pytest.mark.parametrize("inputs", [X[:, 0], pd.Series(X[:, 0], name="u")])
def test_a_single_feature_is_a_column(inputs: Any) -> None:
    with pytest.raises(DataError, match=r"a single feature are inputs\.reshape\(-1, 1\)"):
        Dataset(inputs, CLASSES)


@pytest.mark.parametrize("row", [X[0], X[0].tolist(), pd.Series(X[0])])
def test_a_single_row_is_refused_with_the_line_to_write(row: Any) -> None:
    with pytest.raises(ModelError, match=r"got a single row: pass inputs\[None\]"):
        MODEL.predict(row)
    with pytest.raises(ModelError, match=r"got a single row: pass x\[None\]"):
        NETWORK.predict(row)


WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "list": lambda w: w.tolist(),
    "Series, shuffled index": lambda w: pd.Series(w, index=SHUFFLED),
    "nullable": lambda w: pd.Series(w, dtype="Float64"),
    "integers": lambda w: w.astype(int),
    "big-endian": lambda w: w.astype(">f4"),
    "polars": lambda w: polars().Series(w),
    "pyarrow": lambda w: pyarrow().array(w),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_sample_weights_are_taken_row_by_row(kind: str) -> None:
    weights = np.arange(12.0)
    converted = convert_weights(WEIGHTS[kind](weights))
    assert converted.dtype in ("float32", "float64")
    assert np.array_equal(converted, weights)


def fitted_weights(sample_weights: Any) -> Any:
    trainer = Trainer(Sequential([Dense(3)]).build(3), Adam(), 1e-2, epochs=1)
    trainer.fit(Dataset(X, CLASSES), sample_weights=sample_weights)
    return trainer.network.parameters.vector


def test_sample_weights_of_a_fit() -> None:
    weights = np.arange(12.0)
    assert np.array_equal(
        fitted_weights(pd.Series(weights, index=SHUFFLED)), fitted_weights(weights)
    )
    assert not np.array_equal(fitted_weights(weights[::-1]), fitted_weights(weights))
    for wrong, message in [
        (np.ma.masked_equal(weights, 3), "sample_weights must have no masked values, .* row 3"),
        (pd.Series([1.0, None] * 6), "sample_weights must have no missing values, .* row 1"),
        (["heavy"] * 12, "sample_weights must be numbers, got dtype .*: encode strings"),
        (2.0, r"sample_weights must be an array, .* got 2\.0"),
        (np.ones((12, 1)), r"sample_weights must have shape \(12,\), got \(12, 1\)"),
    ]:
        with pytest.raises(DataError, match=message):
            fitted_weights(wrong)


NAMED = model(("u", "v", "w"))


@pytest.mark.parametrize("names", [["u", "w", "v"], ["u", "v", "x"], ["u", "v"]])
def test_columns_of_other_names_or_in_another_order_are_refused(names: list[str]) -> None:
    with pytest.raises(DataError, match=r"table must have the columns .* same order, u, v, w: "):
        NAMED.predict(pd.DataFrame(X[:, : len(names)], columns=names))


def test_columns_that_are_counted_are_refused_in_another_order() -> None:
    counted = pd.DataFrame(X)
    assert np.array_equal(MODEL.predict(counted), MODEL.predict(X))
    with pytest.raises(DataError, match="in the same order, 0, 1, 2: got '2' in place of '0'"):
        MODEL.predict(counted[[2, 1, 0]])
    assert np.array_equal(MODEL.predict(frame()), MODEL.predict(X))


def test_the_names_of_columns_are_compared_wherever_both_are_known(tmp_path: Path) -> None:
    train, other = Dataset(frame(), CLASSES), Dataset(frame()[["w", "v", "u"]], CLASSES)
    assert train.column_names == ("u", "v", "w")
    assert train.take(slice(0, 5)).column_names == ("u", "v", "w")
    for names in (["u", "v"], "uvw"):
        with pytest.raises(DataError, match=r"one name for each column of .*\(12, 3\), got u"):
            Dataset(X, CLASSES, column_names=names)
    with pytest.raises(DataError, match=r"the test rows must .*: got 'w' in place of 'u'"):
        Splits(train, other)
    trainer = Trainer(Sequential([Dense(3)]).build(3), Adam(), 1e-2, epochs=1)
    with pytest.raises(DataError, match=r"the validation rows must .*: got 'w' in place of 'u'"):
        trainer.fit(train, other)
    trainer.fit(train, Dataset(frame(X + 1.0), CLASSES))
    trainer.model().save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert loaded.column_names == ("u", "v", "w")
    assert np.array_equal(loaded.predict(frame()), loaded.predict(X))
    with pytest.raises(DataError, match="got 'w' in place of 'u'"):
        loaded.predict(other_frame := frame()[["w", "v", "u"]])
    assert list(other_frame) == ["w", "v", "u"]
    assert np.array_equal(MODEL.predict(frame()), MODEL.predict(X))  # trained without names


def test_no_library_is_loaded_to_look_at_data() -> None:
    code = """
import sys
import numpy as np
from handloom import Dataset
Dataset(np.ones((4, 2)), ["a", "b"] * 2)
print(sorted({"pandas", "polars", "pyarrow", "torch", "scipy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
