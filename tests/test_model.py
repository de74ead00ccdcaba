"""Models: saved and loaded without pickle, and the same afterwards."""

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

from handloom import Adam, Dense, Layer, Model, ModelError, ReLU, Sequential, Trainer, silhouettes

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


def test_the_weights_of_another_moment_can_be_saved(tmp_path: Path) -> None:
    model = trained()
    zeros = np.zeros_like(model.network.parameters.vector)
    model.save(tmp_path, weights=zeros)
    assert model.network.parameters.vector.any()
    assert not Model.load(tmp_path).network.parameters.vector.any()


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
    with pytest.raises(ModelError, match="learned from uint8 rows, got rows of float64"):
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
    with pytest.raises(ModelError, match=r"takes rows of shape \(28, 28\), got .* \(27, 28\)"):
        trained().predict(DATA.test.inputs[:, 1:])
