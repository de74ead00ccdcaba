"""to_onnx: inputs, outputs, metadata, the comparison; parts without an operator are named."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession
from tests.helpers.own_layers import Scale as OwnScale

import handloom
from handloom import (
    ConfigurationError,
    Conv2D,
    DataError,
    Dense,
    Flatten,
    Model,
    ModelError,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    to_onnx,
)
from handloom.data import AsFloat, Scale, Transform
from handloom.errors import MissingExtraError
from handloom.interop.onnx import Graph
from handloom.interop.onnx.files import newest_opset
from handloom.training.loaded_run import LoadedRun


def model_of_images(dtype: str = "float32") -> Model:
    layers = [Conv2D(4, 3), ReLU(), Flatten(), Dense(3), Softmax()]
    network = Sequential(layers).build((1, 8, 8), seed=1, dtype=dtype)
    return Model(network, Scale(), ("shoe", "Hemd", "día"), (8, 8), "uint8")


def model_of_features(outputs: int, activation: str, **options: Any) -> Model:
    network = Sequential([Dense(4), ReLU(), Dense(outputs)]).build(5, seed=1)
    names = tuple(f"price, quantile {(index + 1) / 10}" for index in range(outputs))
    model_options = {"output_activation": activation, **options}
    return Model(network, AsFloat(), names, (5,), "float32", **model_options)


def run(path: Path, rows: np.ndarray) -> dict[str, np.ndarray]:
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {"input": rows}), strict=True))


def metadata(path: Path) -> dict[str, str]:
    return {each.key: each.value for each in onnx.load(path).metadata_props}


def test_images_go_in_as_bytes_and_come_out_as_logits_and_probabilities(tmp_path: Path) -> None:
    path, model = tmp_path / "model.onnx", model_of_images()
    rows = np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8)
    exported = to_onnx(model, path, rows=rows)
    outputs = run(path, rows)
    assert list(outputs) == ["logits", "probabilities"]
    np.testing.assert_allclose(outputs["logits"], model.logits(rows), atol=1e-5)
    np.testing.assert_allclose(outputs["probabilities"], model.predict(rows), atol=1e-6)
    assert (exported.path, exported.format, exported.compared_rows) == (path, "onnx", 30)
    assert exported.largest_difference is not None
    assert 0 <= exported.largest_difference < 1e-6
    assert json.loads(metadata(path)["class_names"]) == ["shoe", "Hemd", "día"]


def test_the_batch_has_a_name_and_the_file_the_oldest_version_for_its_operators(
    tmp_path: Path,
) -> None:
    to_onnx(model_of_images(), tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    for each in (*proto.graph.input, *proto.graph.output):
        assert each.type.tensor_type.shape.dim[0].dim_param == "n"
    assert [(each.domain, each.version) for each in proto.opset_import] == [("", 17)]
    assert (proto.ir_version, proto.producer_name) == (8, "handloom")
    assert proto.producer_version == handloom.__version__


@pytest.mark.parametrize(
    ("outputs", "activation", "name"),
    [
        (3, "softmax", "probabilities"),
        (3, "sigmoid", "probabilities"),
        (2, "identity", "values"),
        (1, "exp", "values"),
        (3, "sort", "values"),
    ],
)
def test_each_output_activation(outputs: int, activation: str, name: str, tmp_path: Path) -> None:
    model, path = model_of_features(outputs, activation), tmp_path / "model.onnx"
    rows = np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32)
    to_onnx(model, path)
    predicted = run(path, rows)
    assert list(predicted) == ["logits", name]
    np.testing.assert_allclose(predicted[name], model.predict(rows), rtol=1e-5, atol=1e-6)
    kind = "class_names" if name == "probabilities" else "output_names"
    assert json.loads(metadata(path)[kind]) == list(model.class_names)


def test_two_classes_of_one_output(tmp_path: Path) -> None:
    model = model_of_features(1, "sigmoid", binary_classes=("no", "yes"))
    to_onnx(model, tmp_path / "model.onnx")
    assert json.loads(metadata(tmp_path / "model.onnx")["class_names"]) == ["no", "yes"]


def test_an_output_activation_of_the_network_that_the_loss_does_not_apply(tmp_path: Path) -> None:
    network = Sequential([Dense(2), Sigmoid()]).build(3)
    model = Model(network, AsFloat(), ("a", "b"), (3,), "float64", output_activation="identity")
    rows = np.random.default_rng(0).standard_normal((9, 3))
    to_onnx(model, tmp_path / "model.onnx", rows=rows)
    outputs = run(tmp_path / "model.onnx", rows.astype(np.float32))
    np.testing.assert_allclose(outputs["logits"], model.logits(rows), atol=1e-6)
    np.testing.assert_allclose(outputs["probabilities"], model.predict(rows), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_arithmetic_may_have_another_dtype_than_the_network(dtype: str, tmp_path: Path) -> None:
    path, model = tmp_path / "model.onnx", model_of_features(2, "identity")
    exported = to_onnx(model, path, dtype=dtype)
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-5
    outputs = run(path, np.zeros((2, 5), dtype))
    assert {str(values.dtype) for values in outputs.values()} == {dtype}


def test_any_opset_from_17_on(tmp_path: Path) -> None:
    for opset in range(17, newest_opset() + 1):
        exported = to_onnx(model_of_images(), tmp_path / "model.onnx", opset=opset)
        assert exported.largest_difference is not None, exported
        assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == opset


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 16}, "opset must be a whole number of at least 17, got 16"),
        ({"opset": 999}, f"opset must be at most {newest_opset()}"),
        ({"dtype": "float16"}, "dtype must be float32 or float64, got float16"),
        ({"dtype": "float23"}, "dtype must be float32 or float64, got 'float23'"),
    ],
)
def test_options_that_are_refused(options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        to_onnx(model_of_images(), tmp_path / "model.onnx", **options)


class Doubled(Dense):
    """A layer of one's own, without a counterpart."""

    def forward(self, x: Any, **options: Any) -> Any:
        return 2.0 * super().forward(x, **options)


class Exported(OwnScale):
    """One that brings its own."""

    kind = "exported"

    def to_onnx(self, graph: Graph, name: str, x: str, shape: tuple[int, ...]) -> str:
        gain = graph.constant(f"{name}.gain", self.weights["gain"])
        shift = graph.constant(f"{name}.shift", self.weights["shift"])
        return graph.add("Add", graph.add("Mul", x, gain), shift, name=name)


class Inherited(Exported):
    """One whose base class has it: its own forward may be another one."""


class Wrong(Exported):
    def to_onnx(self, graph: Graph, name: str, x: str, shape: tuple[int, ...]) -> Any:
        graph.add("Neg", x)


class Invalid(Exported):
    def to_onnx(self, graph: Graph, name: str, x: str, shape: tuple[int, ...]) -> str:
        return graph.add("Nonsense", x)


def with_layer(layer: handloom.Layer, transform: Transform | None = None) -> Model:
    network = Sequential([Dense(3), layer]).build(3, seed=2)
    return Model(network, transform or AsFloat(), ("a", "b", "c"), (3,), "float32")


def test_a_layer_of_ones_own_brings_its_nodes(tmp_path: Path) -> None:
    layer = Exported()
    model = with_layer(layer)
    layer.weights["gain"][...] = [1.0, -2.0, 3.0]
    exported = to_onnx(model, tmp_path / "model.onnx")
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-6
    again = handloom.from_onnx(tmp_path / "model.onnx", layers={"exported": Exported})
    assert type(again.network.layers[1]) is Exported
    np.testing.assert_array_equal(again.network.layers[1].weights["gain"], [1.0, -2.0, 3.0])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Doubled(3), "layer 1.doubled: Doubled has no counterpart in ONNX: give the class"),
        (Inherited(), "layer 1.inherited: Inherited has no counterpart in ONNX"),
        (Wrong(), "layer 1.wrong: to_onnx of Wrong must return the name of its output"),
        (Invalid(), "no valid ONNX.*Nonsense"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_layer_that_cannot_leave_is_named_and_an_earlier_file_stays(
    layer: handloom.Layer, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    to_onnx(model_of_images(), path)
    earlier = path.read_bytes()
    with pytest.raises(ModelError, match=r"(?s)" + message):
        to_onnx(with_layer(layer), path)
    assert path.read_bytes() == earlier


class Halved:
    """A transform of one's own."""

    def __call__(self, inputs: Any, out: Any) -> Any:
        np.divide(inputs.reshape(out.shape), 2.0, out=out)
        return out

    def to_config(self) -> dict[str, Any]:
        return {"name": "halved"}


class ExportedHalved(Halved):
    def to_onnx(self, graph: Graph, name: str, x: str, shape: tuple[int, ...]) -> str:
        return graph.add("Div", x, graph.constant(f"{name}.divisor", 2.0), name=name)


class WrongHalved(Halved):
    def to_onnx(self, graph: Graph, name: str, x: str, shape: tuple[int, ...]) -> Any:
        graph.add("Identity", x, name=name)


def test_a_transform_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the transform: to_onnx of WrongHalved must return"):
        to_onnx(with_layer(ReLU(), WrongHalved()), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="transform Halved has no counterpart"):
        to_onnx(with_layer(ReLU(), Halved()), tmp_path / "model.onnx")
    exported = to_onnx(with_layer(ReLU(), ExportedHalved()), tmp_path / "model.onnx")
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-6


def test_what_is_no_model_is_refused_with_the_way_to_one(tmp_path: Path) -> None:
    network = model_of_images().network
    with pytest.raises(ConfigurationError, match=r"got Sequential: pass Model\(network"):
        to_onnx(network, tmp_path / "model.onnx")  # type: ignore[arg-type]


def test_a_run_leaves_with_its_model(tmp_path: Path) -> None:
    run = LoadedRun(tmp_path, cast(Any, None), model_of_images(), None, None, None)
    assert to_onnx(run, tmp_path / "model.onnx").compared_rows == 64
    with pytest.raises(ModelError, match="has no model yet"):
        to_onnx(replace(run, model=None), tmp_path / "model.onnx")


def test_rows_that_do_not_fit_are_refused_before_a_file_is_written(tmp_path: Path) -> None:
    with pytest.raises((ModelError, DataError)):
        to_onnx(model_of_images(), tmp_path / "model.onnx", rows=np.zeros((2, 3)))
    assert not (tmp_path / "model.onnx").exists()


def test_without_onnxruntime_the_result_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    exported = to_onnx(model_of_images(), tmp_path / "model.onnx")
    assert (exported.compared_rows, exported.largest_difference) == (0, None)
    assert "onnxruntime is not installed" in str(exported)
    assert exported.path.exists()


def test_without_the_package_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    for action in (
        lambda: to_onnx(model_of_images(), tmp_path / "m"),
        lambda: handloom.from_onnx(tmp_path / "m"),
    ):
        with pytest.raises(MissingExtraError, match="extra 'onnx'"):
            action()
