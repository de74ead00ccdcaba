"""A model that could not be saved is refused before the first step of a training that saves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.rebuilding import helpers

from handloom import (
    BestModel,
    Callback,
    Checkpoints,
    ConfigurationError,
    Dataset,
    Dense,
    Layer,
    Model,
    ReLU,
    Residual,
    Sequential,
    Trainer,
)
from handloom.training import Measurement, TrainingState

X = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
DATA = Dataset(X, (X[:, 0] > 0).astype(int))


class Begins(Callback):
    changes_results = False
    begun = steps = 0

    def on_train_begin(self, *, state: TrainingState) -> None:
        self.begun += 1

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        self.steps += 1


class Likened(Layer):
    """Another layer with the kind of ReLU."""

    kind = "relu"
    forward, backward = helpers.Factor.forward, helpers.Factor.backward
    factor = 3.0


SAVES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "checkpoints": lambda folder: {"checkpoints": Checkpoints(folder / "steps")},
    "best model": lambda folder: {"callbacks": [BestModel(folder / "best", "loss")]},
}

PARTS: dict[str, tuple[Callable[[], Layer], dict[str, Any], str]] = {
    "arguments": (lambda: helpers.AnyArguments(2.0), {}, "AnyArguments has factor 1 in place of 2"),
    "attribute": (lambda: helpers.ForgetsOne(power=3.0), {}, "has power 1.0 in place of 3.0"),
    "kind": (Likened, {}, "Likened must have a kind of its own, since 'relu'"),
    "nested": (lambda: Residual([helpers.Closure(3.0)]), {}, "block.0.closure: .*another output"),
    "transform": (ReLU, {"transform": helpers.Negative()}, "'name' of its own, since 'as_float'"),
    "own transform": (ReLU, {"transform": helpers.Forgetful(2.0)}, "has power 1.0 in place of 2.0"),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("saves", SAVES)
def test_it_is_refused_before_the_first_step(tmp_path: Path, saves: str, part: str) -> None:
    make, options, message = PARTS[part]
    network = Sequential([Dense(4), make(), Dense(2)]).build((4,))
    before, begins = network.parameters.vector.copy(), Begins()
    options = {**options, **SAVES[saves](tmp_path)}
    options["callbacks"] = [begins, *options.get("callbacks", ())]
    with pytest.raises(ConfigurationError, match=message):
        Trainer(network, "sgd", 0.1, epochs=2, **options).fit(DATA)
    assert begins.begun == begins.steps == 0
    assert np.array_equal(network.parameters.vector, before)
    assert not [path for path in tmp_path.rglob("*") if path.name in ("model.json", "state.json")]


@pytest.mark.parametrize("part", PARTS)
def test_without_files_it_is_trained(part: str) -> None:
    make, options, _ = PARTS[part]
    network = Sequential([Dense(4), make(), Dense(2)]).build((4,))
    Trainer(network, "sgd", 0.01, epochs=1, **options).fit(DATA)


def test_parts_of_ones_own_are_trained_with_files_and_loaded(tmp_path: Path) -> None:
    network = Sequential([Dense(4), Residual([helpers.Factor(2.0)]), Dense(2)]).build((4,))
    transform = helpers.OwnTransform(2.0)
    options = {name: option for make in SAVES.values() for name, option in make(tmp_path).items()}
    trainer = Trainer(network, "sgd", 0.01, epochs=2, transform=transform, **options)
    trainer.fit(DATA)
    trainer.model().save(tmp_path / "last")
    loaded = Model.load(
        tmp_path / "last",
        layers={"factor": helpers.Factor},
        transforms={"own": helpers.OwnTransform},
    )
    assert np.array_equal(loaded.predict(X), trainer.model().predict(X))


def test_the_check_does_not_change_a_training(tmp_path: Path) -> None:
    vectors = []
    for saves in (False, True):
        network = Sequential([Dense(4), helpers.Factor(2.0), Dense(2)]).build((4,))
        options = SAVES["checkpoints"](tmp_path) if saves else {}
        Trainer(network, "adam", 0.01, epochs=2, batch_size=5, **options).fit(DATA)
        vectors.append(network.parameters.vector)
    assert np.array_equal(vectors[0], vectors[1])
