"""A model of a table leaves as ONNX with its raw columns, and predicts there as it does here."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handloom import (
    DataError,
    Dataset,
    DataWarning,
    Dense,
    Embedding,
    MLPClassifier,
    MLPRegressor,
    Model,
    ModelError,
    ReLU,
    Sequential,
)
from handloom.data.cells import MISSING_TEXTS
from handloom.data.transforms import AsFloat
from handloom.interop.onnx import Graph, feeds, from_onnx, to_onnx
from handloom.interop.onnx.columns import add_columns, indices_by_text
from handloom.interop.onnx.feeds import Feeds

pytest.importorskip("onnx")
onnxruntime: Any = pytest.importorskip("onnxruntime")
pd: Any = pytest.importorskip("pandas")

ROWS = 80


def flats() -> Any:
    """Return training rows: numbers, texts, booleans, missing values, categories as numbers."""
    rng = np.random.default_rng(0)
    area = rng.normal(70.0, 20.0, ROWS)
    floor = np.where(rng.random(ROWS) < 0.2, np.nan, rng.integers(0, 9, ROWS))
    return pd.DataFrame(
        {
            "area": area,
            "floor": floor,
            "quarter": rng.choice(np.array(["north", "köln süd", "a, b", None]), ROWS),
            "heating": rng.choice(["gas", "oil"], ROWS),
            "zone": rng.integers(1, 4, ROWS),
            "half": rng.choice([0.5, 1.0, 1.5], ROWS),
            "lift": rng.random(ROWS) < 0.5,
            "balcony": pd.array(rng.choice(np.array([True, False, None]), ROWS), "boolean"),
            "level": np.where(rng.random(ROWS) < 0.3, np.nan, 2.0),
            "rent": 1e5 + 3e3 * area + rng.normal(0.0, 100.0, ROWS),
            "kind": rng.choice(["flat", "house", "loft"], ROWS),
        }
    )


def unlike() -> Any:
    """Return rows that are unlike the training rows, with columns in another order."""
    return pd.DataFrame(
        {
            "zone": [2, 9, 1, 3],
            "half": [0.5, 1.0, 7.0, np.nan],
            "area": [np.nan, 1e6, 71.25, -3.0],
            "floor": [1.0, np.nan, 4.0, 1e-3],
            "quarter": ["north", "east", None, " köln süd "],
            "heating": ["oil", None, "wood", "gas"],
            "lift": [True, False, True, True],
            "balcony": pd.array([True, None, False, None], "boolean"),
            "level": [2.0, np.nan, 3.0, np.nan],
        }
    )


def dataset(target: str, *, embed: bool | Sequence[str] = False, scaling: Any = None) -> Dataset:
    other = {"rent": "kind", "kind": "rent"}[target]
    options = {} if scaling is None else {"target_scaling": scaling}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return Dataset.from_frame(
            flats(), target, embed=embed, categorical=["zone", "half"], drop=[other], **options
        )


def model(data: Dataset, names: tuple[str, ...] | None = None, **options: Any) -> Model:
    """Return a model with random weights of the columns of a dataset."""
    columns = data.columns
    assert columns is not None
    names = names or columns.class_names
    layers = [Embedding(columns.embedded)] if columns.embedded else []
    network = Sequential([*layers, Dense(8), ReLU(), Dense(len(names))])
    network.build(len(columns.names), seed=1, dtype=options.pop("dtype", "float32"))
    shape = (len(columns.names),)
    return Model(network, AsFloat(), names, shape, "float32", columns=columns, **options)


def session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def outputs(path: Path, inputs: Feeds) -> npt.NDArray[Any]:
    """Return the predictions of a file, its last output."""
    predicted: npt.NDArray[Any] = session(path).run(None, inputs)[-1]
    return predicted


def check(own: Model, path: Path, **options: Any) -> None:
    """Check the predictions of a file for training rows, rows unlike them, and made-up ones."""
    exported = to_onnx(own, path, **options)
    assert exported.compared_rows >= 64
    for frame in (flats(), unlike()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            inputs, expected = feeds(own, frame), own.predict(frame)
        actual = outputs(path, inputs)
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("embed", [False, True, ["quarter", "zone"]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_classes_of_raw_rows(embed: bool | list[str], dtype: str, tmp_path: Path) -> None:
    check(model(dataset("kind", embed=embed), dtype=dtype), tmp_path / "kind.onnx")


@pytest.mark.parametrize("scaling", ["standardize", "log", "divide"])
def test_a_regression_is_in_the_units_of_its_target(scaling: str, tmp_path: Path) -> None:
    activation = "exp" if scaling == "divide" else "identity"
    own = model(dataset("rent", scaling=scaling), output_activation=activation)
    check(own, tmp_path / "rent.onnx")
    check(own, tmp_path / "rent64.onnx", dtype="float64", opset=21)


def test_quantiles_are_sorted_and_restored(tmp_path: Path) -> None:
    names = ("rent, quantile 0.1", "rent, quantile 0.5", "rent, quantile 0.9")
    kind: Any = {"output_activation": "sort", "quantiles": (0.1, 0.5, 0.9)}
    own = model(dataset("rent", scaling="log"), names, **kind)
    check(own, tmp_path / "rent.onnx")
    actual = outputs(tmp_path / "rent.onnx", feeds(own, flats()))
    assert (np.diff(actual, axis=1) >= 0.0).all()
    assert from_onnx(tmp_path / "rent.onnx").quantiles == own.quantiles


def test_inputs_are_the_raw_columns_and_nothing_else(tmp_path: Path) -> None:
    own = model(dataset("kind"))
    to_onnx(own, tmp_path / "kind.onnx")
    described = {
        each.name: (each.type, each.shape) for each in session(tmp_path / "kind.onnx").get_inputs()
    }
    texts = {"quarter", "heating", "zone", "half"}
    numbers = {"area", "floor", "lift", "balcony", "level"}
    assert described == {
        **{name: ("tensor(string)", ["n", 1]) for name in texts},
        **{name: ("tensor(double)", ["n", 1]) for name in numbers},
    }


def test_a_row_without_the_helper_that_makes_inputs(tmp_path: Path) -> None:
    own = model(dataset("kind"))
    to_onnx(own, tmp_path / "kind.onnx")
    row = {
        **{"area": 71.5, "floor": np.nan, "lift": 1.0, "balcony": np.nan, "level": 2.0},
        **{"quarter": "north", "heating": "", "zone": "2", "half": "1.0"},
    }
    inputs = {name: np.array([[value]]) for name, value in row.items()}
    frame = pd.DataFrame([row]).assign(heating=None, zone=2, half=1.0)
    with pytest.warns(DataWarning, match="'heating'"):
        expected = own.predict(frame)
    np.testing.assert_allclose(outputs(tmp_path / "kind.onnx", inputs), expected, rtol=1e-5)


def test_estimators_with_categorical_features(tmp_path: Path) -> None:
    frame = flats()[["area", "floor", "quarter", "zone", "lift", "rent", "kind"]]
    rows, rent, kind = frame.drop(columns=["rent", "kind"]), frame["rent"] / 1e5, frame["kind"]
    common: dict[str, Any] = {"max_iter": 3, "random_state": 0, "backend": "numpy"}
    common["categorical_features"] = ["quarter", "zone"]
    estimators: list[tuple[Any, dict[str, Any], Any]] = [
        (MLPClassifier, {"categorical_encoding": "embed"}, kind),
        (MLPClassifier, {"solver": "lbfgs"}, kind == "flat"),
        (MLPRegressor, {"loss": "quantile", "quantile": [0.2, 0.8]}, rent),
        (MLPRegressor, {"loss": "poisson"}, rent.rename(None)),
    ]
    for estimator, own, y in estimators:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = estimator(hidden_layer_sizes=(6,), **common, **own).fit(rows, y)
            described = fitted.to_model()
            to_onnx(described, tmp_path / "own.onnx")
            expected = described.predict(rows)
        actual = outputs(tmp_path / "own.onnx", feeds(described, rows))
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("embed", [False, True])
def test_a_model_of_a_table_comes_back(embed: bool, tmp_path: Path) -> None:
    own = model(dataset("rent", embed=embed, scaling="log"), output_activation="identity")
    to_onnx(own, tmp_path / "rent.onnx")
    again = from_onnx(tmp_path / "rent.onnx")
    assert again.columns == own.columns
    np.testing.assert_array_equal(again.predict(flats()), own.predict(flats()))


def test_feeds_of_a_session_are_those_of_its_model(tmp_path: Path) -> None:
    own = model(dataset("kind"))
    to_onnx(own, tmp_path / "kind.onnx")
    expected, actual = feeds(own, flats()), feeds(session(tmp_path / "kind.onnx"), flats())
    assert list(actual) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(actual[name], values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "the columns in the file are damaged"),
        ("[" * 100_000, "the columns in the file are damaged"),
        ('{"version": 1}', "the columns in the file are damaged: columns must hold version, rows"),
        (None, "it was not written by to_onnx"),
    ],
    ids=["cut off", "nested", "incomplete", "of another program"],
)
def test_feeds_of_a_session_with_another_file_are_refused(
    content: str | None, message: str
) -> None:
    described = {"handloom.format": "1", "handloom.file.columns.json": content}
    metadata = {} if content is None else described
    meta = SimpleNamespace(custom_metadata_map=metadata)
    with pytest.raises(ModelError, match=message):
        feeds(SimpleNamespace(get_modelmeta=lambda: meta), flats())


def test_feeds_take_a_mapping_of_columns() -> None:
    own, frame = model(dataset("kind")), flats().head(3)
    lists = {
        name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame
    }
    for rows in (lists, {name: frame[name] for name in frame}):
        inputs = feeds(own, rows)
        for name, values in feeds(own, frame).items():
            assert values.shape == (3, 1)
            np.testing.assert_array_equal(inputs[name], values)


def test_feeds_tell_of_rows_that_are_unlike_the_training_rows() -> None:
    own = model(dataset("kind"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        inputs = feeds(own, unlike())
    with warnings.catch_warnings(record=True) as expected:
        warnings.simplefilter("always")
        own.predict(unlike())
    assert [str(each.message) for each in told] == [str(each.message) for each in expected]
    assert {each.filename for each in told} == {__file__}
    assert inputs["quarter"][:, 0].tolist() == ["north", "east", "", "köln süd"]
    assert inputs["half"][:, 0].tolist() == ["0.5", "1", "7", ""]


def test_feeds_refuse_rows_that_the_model_refuses() -> None:
    own, frame = model(dataset("kind")), flats()
    with pytest.raises(DataError, match="column 'area' of the training rows is missing"):
        feeds(own, frame.drop(columns="area"))
    with pytest.raises(DataError, match="'area' must hold numbers"):
        feeds(own, frame.assign(area="large"))
    with pytest.raises(DataError, match="'area' must hold finite numbers"):
        feeds(own, frame.assign(area=np.inf))
    far = frame.assign(area=1e300)  # finite, but not in float32 once it is standardized
    with pytest.raises(DataError, match="'area' must hold numbers like the training") as refused:
        own.predict(far)
    with pytest.raises(DataError) as same:
        feeds(own, far)
    assert str(same.value) == str(refused.value)
    with pytest.raises(
        DataError, match=r"'area' must be a list .* for a single row pass \[value\]"
    ):
        feeds(own, {"area": 70.0})
    with pytest.raises(DataError, match="'b' must have as many values as the first one"):
        feeds(own, {"a": [1.0], "b": [1.0, 2.0]})
    network = Sequential([Dense(2)]).build(2, seed=0)
    flat = Model(network, AsFloat(), ("a", "b"), (2,), "float32")
    with pytest.raises(ModelError, match="its only input takes the rows as they are"):
        feeds(flat, frame)


def test_rows_for_the_comparison_are_raw_rows(tmp_path: Path) -> None:
    own = model(dataset("kind"))
    exported = to_onnx(own, tmp_path / "kind.onnx", rows=flats())
    assert exported.compared_rows == ROWS
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-6
    with pytest.raises(DataError, match="rows must be a pandas or polars DataFrame"):
        to_onnx(own, tmp_path / "kind.onnx", rows=np.zeros((2, 9)))


def test_a_category_that_is_a_number_may_be_written_in_two_ways() -> None:
    columns = dataset("kind").columns
    assert columns is not None
    zone, half = (each for each in columns.inputs if each.name in ("zone", "half"))
    missing = dict.fromkeys(MISSING_TEXTS, 0)
    numbers = {"1": 2, "2": 3, "3": 4, "1.0": 2, "2.0": 3, "3.0": 4}
    assert indices_by_text(zone) == missing | numbers
    assert indices_by_text(half) == missing | {"0.5": 2, "1": 3, "1.5": 4, "1.0": 3}


def test_missing_values_of_object_arrays_are_missing(tmp_path: Path) -> None:
    own, path = model(dataset("kind")), tmp_path / "kind.onnx"
    to_onnx(own, path)
    frame = flats().head(4).assign(quarter=None)
    inputs = feeds(own, frame)
    expected = outputs(path, inputs)
    for value in (None, np.nan, "NA"):
        cells = np.full((len(frame), 1), value, object)
        np.testing.assert_array_equal(outputs(path, {**inputs, "quarter": cells}), expected)


def test_feeds_predict_as_the_model_does_however_categories_are_written(tmp_path: Path) -> None:
    own, path = model(dataset("kind")), tmp_path / "kind.onnx"
    to_onnx(own, path)
    frame = pd.concat([unlike()] * 2, ignore_index=True)
    frame["zone"] = ["2.0", "02", "2e+0", "two", "NA", "1_0", "3", ""]
    frame["quarter"] = ["NA", "nan", None, "north", " north ", "None", "a, b", "unseen"]
    with pytest.warns(DataWarning):
        inputs = feeds(own, frame)
    with pytest.warns(DataWarning):
        expected = own.predict(frame)
    np.testing.assert_allclose(outputs(path, inputs), expected, atol=1e-6)
    assert inputs["zone"][:3, 0].tolist() == ["2", "2", "2"]


def test_inputs_keep_the_names_of_their_columns() -> None:
    frame = pd.DataFrame(
        {
            "a": [1.0, np.nan, 2.0],
            "a is NaN": [1.0, 2.0, 4.0],
            "encoded": [3.0, 1.0, 2.0],
            "y": list("bcb"),
        }
    )
    columns = Dataset.from_frame(frame, "y").columns
    assert columns is not None
    graph = Graph()
    add_columns(graph, columns)
    assert [each.name for each in graph.inputs] == ["a", "a is NaN", "encoded"]


def test_columns_may_have_the_names_of_outputs(tmp_path: Path) -> None:
    def model_of(name: str) -> Model:
        frame = pd.DataFrame({name: np.arange(9.0) % 4, "y": np.arange(9.0)})
        data = Dataset.from_frame(frame, "y")
        network = Sequential([Dense(1)]).build(data.input_shape)
        return Model(
            network,
            AsFloat(),
            ("y",),
            (1,),
            "float32",
            output_activation="identity",
            columns=data.columns,
        )

    model = model_of("values")
    exported = to_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(exported.path))
    assert [each.name for each in session.get_outputs()] == ["logits", "values_2"]
    assert exported.outputs == ("logits", "values_2")


def test_a_column_named_like_an_array_of_the_network_comes_back(tmp_path: Path) -> None:
    data = Dataset.from_frame(
        pd.DataFrame(
            {"0.dense.weights": [0.5, 2.0, 1.0], "0.dense.weights_2": [3.0, 1.0, 0.0]}
        ).assign(kind=["a", "b", "a"]),
        "kind",
    )
    own = model(data)
    to_onnx(own, tmp_path / "m.onnx")
    read = from_onnx(tmp_path / "m.onnx")
    np.testing.assert_array_equal(read.network.parameters.vector, own.network.parameters.vector)
