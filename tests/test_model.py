"""Models: saved and loaded without pickle, and the same afterwards."""

import json
import pickle
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import (
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    ConfigurationError,
    Dataset,
    Dense,
    Layer,
    MeanSquaredError,
    Model,
    ModelError,
    Poisson,
    ReLU,
    Sequential,
    Trainer,
    evaluate,
    silhouettes,
)
from handloom.files import FileError, read_set, write_set
from handloom.model import DESCRIPTION, KIND, VERSION

DATA = silhouettes(rows=300, test_rows=50)


def trained(*layers: Layer) -> Model:
    network = Sequential([*(layers or (Dense(8), ReLU())), Dense(10)]).build((784,))
    trainer = Trainer(network, Adam(), 1e-3, epochs=1, batch_size=100)
    trainer.fit(DATA.train)
    return trainer.model()


def test_a_loaded_model_is_the_saved_one(tmp_path: Path) -> None:
    model = trained()
    model.save(tmp_path)
    again = Model.load(tmp_path)
    assert np.array_equal(again.predict(DATA.test.inputs), model.predict(DATA.test.inputs))
    assert again.class_names == DATA.train.class_names
    assert again.trained_on == "silhouettes"
    assert again.row_shape == (28, 28)


LOSSES = {"identity": MeanSquaredError(), "exp": Poisson(), "sigmoid": BinaryCrossEntropy()}


@pytest.mark.parametrize("activation", LOSSES)
def test_a_model_of_numbers_predicts_numbers(tmp_path: Path, activation: str) -> None:
    draw = np.random.default_rng(0)
    x = draw.standard_normal((400, 3)).astype(np.float32)
    outputs = x @ np.array([[0.5, -1.0], [1.0, 0.5], [0.2, 0.0]], np.float32) + 0.3
    expected = {
        "identity": outputs,
        "exp": np.exp(outputs),
        "sigmoid": 1.0 / (1.0 + np.exp(-outputs)),
    }[activation]
    network = Sequential([Dense(2)]).build((3,), seed=0)
    rows = Dataset(x, expected, ("a", "b"))
    trainer = Trainer(
        network, Adam(), 0.05, epochs=60, batch_size=50, loss=LOSSES[activation], backend="numpy"
    )
    trainer.fit(rows)
    trainer.model().save(tmp_path)
    model = Model.load(tmp_path)
    np.testing.assert_allclose(model.predict(x), expected, atol=0.05 * float(expected.std()))
    if activation == "sigmoid":
        with pytest.raises(ModelError, match="only predictions of one class a row"):
            evaluate(model, rows)
        return
    metrics = evaluate(model, rows).regression
    assert metrics is not None
    assert metrics.r2 > 0.99
    np.testing.assert_allclose(metrics.predictions, model.predict(x), rtol=1e-5)


def test_an_unknown_output_activation_or_dtype_of_rows_is_refused() -> None:
    model = trained()
    with pytest.raises(ConfigurationError, match=r"output activation 'softmx'.*softmax"):
        replace(model, output_activation="softmx")
    with pytest.raises(ConfigurationError, match="unknown row_dtype 'object'"):
        replace(model, row_dtype="object")


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", "<f8", "g", "u1"])
def test_rows_of_every_dtype_of_a_dataset_have_a_model(dtype: str) -> None:
    name = str(np.dtype(dtype))
    assert replace(trained(), row_dtype=name).row_dtype == name


def add_field(described: dict[str, Any], files: dict[str, bytes]) -> None:
    described["bytes_order"] = "big"


def add_entry_of_network(described: dict[str, Any], files: dict[str, bytes]) -> None:
    described["network"]["input_shapes"] = [784]


def change_dtype(described: dict[str, Any], files: dict[str, bytes]) -> None:
    described["row_dtype"] = "object"


def add_file(described: dict[str, Any], files: dict[str, bytes]) -> None:
    files["column.json"] = b"{}"


def leave_weights_out(described: dict[str, Any], files: dict[str, bytes]) -> None:
    del files["weights.safetensors"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_field, "unknown field of model.json 'bytes_order'"),
        (add_entry_of_network, "unknown entry of a network 'input_shapes'; .* 'input_shape'"),
        (change_dtype, "unknown row_dtype 'object'"),
        (add_file, r"unknown file of a model 'column.json'; .* Did you mean 'columns.json'"),
        (leave_weights_out, "the file weights.safetensors is missing"),
    ],
)
def test_what_a_model_does_not_know_or_lacks_is_named(
    change: Callable[[dict[str, Any], dict[str, bytes]], None], message: str, tmp_path: Path
) -> None:
    trained().save(tmp_path)
    files = read_set(tmp_path, KIND, VERSION)
    described = json.loads(files[DESCRIPTION])
    change(described, files)
    files[DESCRIPTION] = json.dumps(described).encode()
    write_set(tmp_path, KIND, VERSION, files)
    with pytest.raises(ModelError, match=f"^{re.escape(str(tmp_path))}: {message}"):
        Model.load(tmp_path)


def test_a_folder_of_models_is_no_model(tmp_path: Path) -> None:
    for name in ("b", "a"):
        trained().save(tmp_path / name)
    expected = f"but its folders 'a', 'b' are: Model.load({str(tmp_path / 'a')!r})"
    with pytest.raises(ModelError, match=re.escape(expected)):
        Model.load(tmp_path)


def test_a_model_has_a_folder_with_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained()
    monkeypatch.chdir(tmp_path)
    for use in (model.save, Model.load):
        with pytest.raises(FileError, match="the folder of a model must have a name, got ''"):
            use("")
    assert not list(tmp_path.iterdir())
    model.save(".")
    assert Model.load(".").class_names == model.class_names


def test_numbers_need_a_loss_that_is_named() -> None:
    rows = Dataset(np.ones((4, 3), np.float32), np.arange(8.0).reshape(4, 2), ("a", "b"))
    network = Sequential([Dense(2)]).build((3,))
    with pytest.raises(ConfigurationError, match=r"continuous targets.*loss=MeanSquaredError\(\)"):
        Trainer(network, Adam(), 0.05).fit(rows)


def test_the_weights_of_another_moment_can_be_saved(tmp_path: Path) -> None:
    model = trained()
    zeros = np.zeros_like(model.network.parameters.vector)
    model.save(tmp_path, weights=zeros)
    assert model.network.parameters.vector.any()
    assert not Model.load(tmp_path).network.parameters.vector.any()


def test_weights_to_save_have_the_dtype_of_the_network(tmp_path: Path) -> None:
    model = trained()
    moments = [model.network.parameters.vector, np.ones_like(model.network.parameters.vector)]
    mean = np.average(moments, axis=0, weights=[1, 2])
    assert mean.dtype == np.float64
    model.save(tmp_path, weights=mean)
    loaded = Model.load(tmp_path).network.parameters.vector
    assert np.array_equal(loaded, mean.astype(np.float32))


@pytest.mark.parametrize("kind", ["short", "long", "named", "list", "complex"])
def test_weights_of_another_kind_are_refused_and_the_earlier_model_stays(
    tmp_path: Path, kind: str
) -> None:
    model = trained()
    model.save(tmp_path)
    parameters = model.network.parameters
    weights: Any = {
        "short": parameters.vector[1:],
        "long": np.zeros(len(parameters) + 1),
        "named": parameters.weights,
        "list": [*parameters.weights.values()],
        "complex": parameters.vector.astype(np.complex64),
    }[kind]
    size = len(parameters)
    with pytest.raises(ModelError, match=rf"weights must be .* of shape \({size},\), got "):
        model.save(tmp_path, weights=weights)
    assert np.array_equal(Model.load(tmp_path).network.parameters.vector, parameters.vector)


def test_weights_to_save_may_have_the_running_statistics_too(tmp_path: Path) -> None:
    model = trained(BatchNorm())
    values = 2.0 * model.network.parameters.values.astype(np.float64)
    model.save(tmp_path, weights=values)
    assert np.array_equal(Model.load(tmp_path).network.parameters.values, values)
    size, total = len(model.network.parameters), len(values)
    with pytest.raises(
        ModelError, match=rf"of shape \({size},\) or \({total},\), got .* shape \({size + 1},\)"
    ):
        model.save(tmp_path, weights=values[: size + 1])


def test_nothing_in_a_model_is_a_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained().save(tmp_path)
    for reader in ("load", "loads", "Unpickler"):
        monkeypatch.delattr(pickle, reader)
    Model.load(tmp_path)


def test_a_layer_of_ones_own_is_loaded_by_name_only(tmp_path: Path) -> None:
    class Own(ReLU):
        kind = "own"

    trained(Dense(4), Own()).save(tmp_path)
    with pytest.raises(ModelError, match="unknown layer 'own'"):
        Model.load(tmp_path)
    assert isinstance(Model.load(tmp_path, layers={"own": Own}).network.layers[1], Own)


def test_numbers_of_another_meaning_are_refused() -> None:
    with pytest.raises(ModelError, match=r"rows must be uint8, .* got float64"):
        trained().predict(DATA.test.inputs / 255.0)  # type: ignore[operator]


def test_a_model_can_be_loaded_while_it_is_being_replaced(tmp_path: Path) -> None:
    models = [trained(Dense(4)), trained(Dense(8))]
    models[0].save(tmp_path)
    done = threading.Event()

    def save() -> None:
        for turn in range(40):
            models[turn % 2].save(tmp_path)
        done.set()

    saving = threading.Thread(target=save)
    saving.start()
    loads = 0
    while not done.is_set():
        Model.load(tmp_path)
        loads += 1
    saving.join()
    assert loads > 0


def test_rows_of_another_shape_are_refused() -> None:
    with pytest.raises(
        ModelError, match=r"rows must have shape \(28, 28\), .* got shape \(27, 28\)"
    ):
        trained().predict(DATA.test.inputs[:, 1:])
