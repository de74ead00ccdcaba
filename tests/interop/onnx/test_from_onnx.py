"""from_onnx: the same model to the bit; damaged and hostile files are refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.helpers.random_networks import SINGLE_LAYERS, random_model

from handloom import Conv2D, Dense, Flatten, Model, ModelError, Sequential, from_onnx, to_onnx
from handloom.data import AsFloat, Scale, silhouettes
from handloom.data.photos.statistics import statistics_of
from handloom.files import FileError
from handloom.interop.example_rows import example_rows
from handloom.interop.onnx import metadata

Change = Callable[[onnx.ModelProto], None]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer_comes_back_with_the_same_bits(dtype: str, tmp_path: Path) -> None:
    for shape, layers in SINGLE_LAYERS.values():
        model = random_model(shape, layers, np.random.default_rng(1), dtype=dtype)
        to_onnx(model, tmp_path / "model.onnx")
        again = from_onnx(tmp_path / "model.onnx")
        assert again.network.config() == model.network.config()
        for name, array in model.network.parameters.weights.items():
            assert array.tobytes() == again.network.parameters.weights[name].tobytes(), name
        rows = example_rows(model)
        np.testing.assert_array_equal(again.predict(rows), model.predict(rows))


def test_everything_else_about_a_model_comes_back(tmp_path: Path) -> None:
    train = silhouettes(60).train
    network = Sequential([Flatten(), Dense(10)]).build(train.input_shape)
    model = Model(
        network,
        Scale(100.0, 50.0),
        train.class_names,
        train.input_shape,
        "uint8",
        "made up",
        image_statistics=statistics_of(train),
    )
    to_onnx(model, tmp_path / "model.onnx")
    again = from_onnx(tmp_path / "model.onnx")
    assert again.description_files() == model.description_files()


def test_a_file_in_another_dtype_is_a_model_of_that_dtype(tmp_path: Path) -> None:
    model = small()
    to_onnx(model, tmp_path / "model.onnx", dtype="float64")
    again = from_onnx(tmp_path / "model.onnx").network.parameters
    assert again.dtype == np.float64
    np.testing.assert_array_equal(again.vector, model.network.parameters.vector)


def small() -> Model:
    network = Sequential([Conv2D(2, 3), Flatten(), Dense(2)]).build((1, 4, 4), seed=3)
    return Model(network, AsFloat(), ("a", "b"), (1, 4, 4), "float32")


def weights(proto: onnx.ModelProto, name: str = "2.dense.weights") -> Any:
    return next(each for each in proto.graph.initializer if each.name == name)


def property_of(proto: onnx.ModelProto, key: str) -> Any:
    return next(each for each in proto.metadata_props if each.key == key)


def remove_metadata(proto: onnx.ModelProto) -> None:
    del proto.metadata_props[:]


def raise_version(proto: onnx.ModelProto) -> None:
    property_of(proto, metadata.FORMAT).value = "2"


def rename(proto: onnx.ModelProto) -> None:
    weights(proto).name = "other"


def turn(proto: onnx.ModelProto) -> None:
    weights(proto).dims[:] = [2, 8]


def claim_more(proto: onnx.ModelProto) -> None:
    weights(proto).dims[:] = [1 << 40, 1 << 40]


def claim_less(proto: onnx.ModelProto) -> None:
    weights(proto).dims[:] = [-1, -1]


def claim_many_axes(proto: onnx.ModelProto) -> None:
    weights(proto).dims[:] = [1] * 100 + [8, 2]


def empty(proto: onnx.ModelProto) -> None:
    weights(proto).dims[:] = [0, 1 << 62, 1 << 62]
    weights(proto).raw_data = b""


def change_type(proto: onnx.ModelProto) -> None:
    weights(proto).data_type = onnx.TensorProto.FLOAT16


def change_a_bit(proto: onnx.ModelProto) -> None:
    data = bytearray(weights(proto).raw_data)
    data[5] ^= 1
    weights(proto).raw_data = bytes(data)


def refer_to_another_file(proto: onnx.ModelProto) -> None:
    tensor = weights(proto)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def change_description(proto: onnx.ModelProto) -> None:
    described = property_of(proto, f"{metadata.PREFIX}model.json")
    described.value = described.value.replace('"units": 2', '"units": 1000000')


def change_class_names(proto: onnx.ModelProto) -> None:
    described = property_of(proto, f"{metadata.PREFIX}model.json")
    described.value = described.value.replace('"a"', '"c"')


def name_an_unknown_layer(proto: onnx.ModelProto) -> None:
    described = property_of(proto, f"{metadata.PREFIX}model.json")
    described.value = described.value.replace('"flatten"', '"os.system"')


def break_description(proto: onnx.ModelProto) -> None:
    property_of(proto, f"{metadata.PREFIX}model.json").value = "[" * 100_000


CHANGES: dict[Change, str] = {
    remove_metadata: "no description of a model of Handloom: it was not written by to_onnx",
    raise_version: "version '2' of the description, expected '1'",
    rename: r"array '2.dense.weights' of shape \(8, 2\) is missing",
    turn: "changed after they were written",
    claim_more: r"array '2.dense.weights' of float32 of shape .* must have .* bytes, got 64",
    claim_less: "array '2.dense.weights' of float32 of shape .* must have",
    claim_many_axes: "array '2.dense.weights'",
    empty: "array '2.dense.weights'",
    change_type: "array '2.dense.weights' must be float32, float64",
    change_a_bit: "the weights or the description were changed after they were written",
    refer_to_another_file: "array '2.dense.weights' is in another file, which is not read",
    change_description: "changed after they were written",
    change_class_names: "changed after they were written",
    name_an_unknown_layer: "unknown layer 'os.system'",
    break_description: "invalid description of a network",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_file_that_was_changed_is_refused_by_name(change: Change, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    to_onnx(small(), path)
    proto = onnx.load(path)
    change(proto)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match=CHANGES[change]) as caught:
        from_onnx(path)
    assert str(path) in str(caught.value)


def test_weights_that_do_not_fit_are_refused_before_memory_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    to_onnx(small(), path)
    proto = onnx.load(path)
    change_description(proto)
    described = property_of(proto, f"{metadata.PREFIX}model.json")
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in proto.graph.initializer}
    names = ("0.conv2d.weights", "0.conv2d.biases", "2.dense.weights", "2.dense.biases")
    arrays = {name: arrays[name] for name in names}
    arrays[names[0]] = arrays[names[0]].transpose(2, 3, 1, 0)
    signed = metadata.digest({"model.json": described.value.encode()}, arrays)
    property_of(proto, metadata.DIGEST).value = signed
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match=r"'2.dense.weights' must be float32 of shape \(8, 10000"):
        from_onnx(path)


@pytest.mark.parametrize("content", [b"", b"text", b"\x80\x05.", bytes(1000)])
def test_what_is_no_file_of_onnx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="no file of ONNX"):
        from_onnx(path)


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    to_onnx(small(), path)
    content = path.read_bytes()
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        with pytest.raises(ModelError):
            from_onnx(path)


def test_a_text_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    to_onnx(small(), path)
    path.write_bytes(path.read_bytes().replace(b"class_names", b"class\xffnames"))
    with pytest.raises(ModelError, match="a name or a text in it is not UTF-8"):
        from_onnx(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        from_onnx(tmp_path / "model.onnx")


def test_metadata_is_what_save_writes(tmp_path: Path) -> None:
    model = small()
    to_onnx(model, tmp_path / "model.onnx")
    described = property_of(onnx.load(tmp_path / "model.onnx"), f"{metadata.PREFIX}model.json")
    assert json.loads(described.value) == json.loads(model.description_files()["model.json"])
