"""Transforms: those that a file would not make again are refused, the others loaded by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.rebuilding import helpers
from tests.rebuilding.helpers import OwnTransform, TripledByName, kept_weights, model_of

from handloom import ConfigurationError, Dataset, Dense, Model, ModelError, Trainer
from handloom.data import Transform
from handloom.parameters import Array
from handloom.training import RunDescription, RunFolder

X = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)

REFUSED: dict[str, tuple[Transform, str]] = {
    "a subclass of Scale": (helpers.Tripled(), "'name' of its own, since 'scale' is that of Scale"),
    "a subclass of AsFloat": (helpers.Negative(), "since 'as_float' is that of AsFloat"),
    "forgets": (helpers.Forgetful(2.0), r"the Forgetful has power 1\.0 in place of 2\.0"),
    "inherits": (helpers.Inherits(2.0, 1.0), "class Inherits has a constructor .* no to_config"),
    "nameless": (helpers.Nameless(2.0), r"to_config\(\) must hold a string 'name'"),
    "an array": (helpers.ArrayForJson(2.0), "ArrayForJson must hold values for JSON only"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_transform_that_a_file_would_not_make_again_is_refused(tmp_path: Path, case: str) -> None:
    transform, message = REFUSED[case]
    model_of().save(tmp_path / "model")
    model = model_of(Dense(4), transform=transform)
    with pytest.raises(
        ConfigurationError, match=f"transform {type(transform).__name__}: .*{message}"
    ):
        model.save(tmp_path / "model")
    Model.load(tmp_path / "model")  # the earlier one
    first = model.network.parameters.weights["0.dense.weights"]
    assert np.array_equal(kept_weights(tmp_path), first)


@pytest.mark.parametrize("transform", [OwnTransform(2.0), TripledByName(1.0, 2.0)])
def test_a_transform_of_ones_own_is_loaded_by_name(tmp_path: Path, transform: Transform) -> None:
    model = model_of(transform=transform)
    model.save(tmp_path)
    name = transform.to_config()["name"]
    with pytest.raises(
        ModelError, match=rf"a custom transform is loaded with transforms=.'{name}'"
    ):
        Model.load(tmp_path)
    loaded = Model.load(tmp_path, transforms={name: type(transform)})
    assert type(loaded.transform) is type(transform)
    assert np.array_equal(loaded.predict(X), model.predict(X))
    loaded.save(tmp_path / "again")


def test_a_transform_with_slots_is_compared(tmp_path: Path) -> None:
    @dataclass(frozen=True, slots=True)
    class Slots:
        shift: float = 0.0

        def __call__(self, inputs: helpers.Rows, out: Array) -> Array:
            return np.add(inputs, self.shift, out=out)

        def to_config(self) -> dict[str, Any]:
            return {"name": "slots"}

    with pytest.raises(ConfigurationError, match=r"the Slots has shift 0\.0 in place of 1\.0"):
        model_of(transform=Slots(1.0)).save(tmp_path)


def test_another_class_for_a_transform_is_refused(tmp_path: Path) -> None:
    model_of(transform=TripledByName(1.0, 2.0)).save(tmp_path)
    for wrong, message in (
        ({"tripled": helpers.Tripled}, "got Tripled by 'tripled'"),
        ({"scale": helpers.Tripled}, "names of their own, got 'scale'"),
        ([helpers.Tripled], "a mapping from names to classes"),
        ({"tripled": OwnTransform}, "transform 'tripled': .*shift"),
    ):
        with pytest.raises(ModelError, match=message):
            Model.load(tmp_path, transforms=wrong)  # type: ignore[arg-type]


def test_a_run_with_parts_of_ones_own_is_loaded(tmp_path: Path) -> None:
    data = Dataset(X, (X[:, 0] > 0).astype(int))
    network = model_of(helpers.Factor(2.0)).network
    trainer = Trainer(network, "sgd", 0.1, epochs=1, transform=OwnTransform(2.0))
    trainer.fit(data)
    run = RunFolder(tmp_path, RunDescription({}, "X", None, 1))
    run.write_description()
    run.write_model(trainer.model(), best_weights=network.parameters.vector)
    parts: dict[str, Any] = {
        "layers": {"factor": helpers.Factor},
        "transforms": {"own": OwnTransform},
    }
    for loaded in (run.model(**parts), run.best_model(**parts)):
        assert np.array_equal(loaded.predict(X), trainer.model().predict(X))


def test_what_calls_of_a_transform_change_is_no_setting(tmp_path: Path) -> None:
    transform = helpers.CountingRows(2.0)
    model = helpers.model_of(Dense(2), transform=transform)
    rows = np.ones((3, 4), np.float32)
    expected = model.predict(rows)
    assert transform.rows
    model.save(tmp_path)
    again = Model.load(tmp_path, transforms={"counting_rows": helpers.CountingRows})
    assert np.array_equal(again.predict(rows), expected)
