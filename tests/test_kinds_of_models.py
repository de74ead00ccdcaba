"""What a model predicts, classes or quantiles, is in its fields and not in the names of outputs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from handloom import (
    Adam,
    ConfigurationError,
    Dataset,
    Dense,
    MeanSquaredError,
    Model,
    ModelError,
    Pinball,
    Sequential,
    Trainer,
    evaluate,
)
from handloom.data import AsFloat, Scale
from handloom.files import read_set, write_set
from handloom.model import DESCRIPTION, KIND, VERSION, WEIGHTS

QUANTILES = (0.1, 0.5, 0.9)
X = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
ROWS = Dataset(X, X[:, :1] + 1.0, ("price",))


class LowToHigh(Pinball):
    """A pinball loss with output names of its own."""

    def output_names(self, target_names: tuple[str, ...]) -> tuple[str, ...]:
        return ("low", "middle", "high")


def of_quantiles(loss: Pinball | None = None) -> Model:
    network = Sequential([Dense(3)]).build((2,), seed=0)
    trainer = Trainer(network, Adam(), 0.05, loss=loss or Pinball(QUANTILES), epochs=5)
    trainer.fit(ROWS)
    return trainer.model()


def of_two_classes(shape: tuple[int, ...] = (2,), dtype: str = "float32") -> Model:
    network = Sequential([Dense(1)]).build((int(np.prod(shape)),), seed=0)
    transform = Scale() if dtype == "uint8" else AsFloat()
    return Model(
        *(network, transform, ("yes",), shape, dtype),
        output_activation="sigmoid",
        binary_classes=("no", "yes"),
    )


def test_renamed_outputs_keep_their_quantiles(tmp_path: Path) -> None:
    model = of_quantiles()
    renamed = replace(model, class_names=("low", "middle", "high"))
    renamed.save(tmp_path)
    for each in (renamed, Model.load(tmp_path)):
        assert each.quantiles == model.quantiles == QUANTILES
        metrics, expected = evaluate(each, ROWS).quantiles, evaluate(model, ROWS).quantiles
        assert metrics is not None
        assert expected is not None
        assert (metrics.losses, metrics.coverage) == (expected.losses, expected.coverage)


def test_a_loss_may_name_the_outputs_of_its_quantiles() -> None:
    model = of_quantiles(LowToHigh(QUANTILES))
    assert model.class_names == ("low", "middle", "high")
    assert model.quantiles == QUANTILES


def test_only_models_of_several_quantiles_have_quantiles(tmp_path: Path) -> None:
    network = Sequential([Dense(1)]).build((2,), seed=0)
    trainer = Trainer(network, Adam(), 0.05, loss=Pinball(0.9), epochs=1)
    trainer.fit(ROWS)
    trainer.model().save(tmp_path)
    assert Model.load(tmp_path).quantiles is None
    assert "quantiles" not in json.loads(read_set(tmp_path, KIND, VERSION)[DESCRIPTION])


@pytest.mark.parametrize(
    ("names", "quantiles"),
    [
        (("a, quantile 2, quantile 0.1", "a, quantile 2, quantile 0.75"), (0.1, 0.75)),
        (("low", "high"), None),
        (("0.1", "0.9"), None),
        (("price, quantile 0.1", "high"), None),
        (("price, quantile 0.1", "fare, quantile 0.9"), None),
        (("price, quantile low", "price, quantile high"), None),
    ],
)
def test_a_file_from_before_the_field_has_the_quantiles_of_its_names(
    names: tuple[str, str], quantiles: tuple[float, float] | None, tmp_path: Path
) -> None:
    network = Sequential([Dense(2)]).build((2,), seed=3)
    described = {
        "network": network.config(),
        "transform": {"name": "as_float"},
        "class_names": names,
        "row_shape": [2],
        "row_dtype": "float32",
        "trained_on": "houses",
        "output_activation": "sort",
        "column_names": None,
    }
    weights = {name: array.copy() for name, array in network.parameters.weights.items()}
    files = {DESCRIPTION: json.dumps(described).encode(), WEIGHTS: save(weights)}
    write_set(tmp_path / "old", KIND, VERSION, files)
    old = Model.load(tmp_path / "old")
    assert (old.class_names, old.quantiles) == (names, quantiles)
    np.testing.assert_allclose(old.predict(X), np.sort(network.predict(X), axis=1), rtol=1e-6)
    old.save(tmp_path / "new")
    new = Model.load(tmp_path / "new")
    assert new.quantiles == quantiles
    assert np.array_equal(new.predict(X), old.predict(X))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"quantiles": (0.1, 0.9)}, ModelError, "quantiles 0.1, 0.9 do not fit 3 outputs"),
        ({"output_activation": "identity"}, ModelError, "='identity', expected 'sort'"),
        ({"quantiles": (0.9, 0.5, 0.1)}, ConfigurationError, "in ascending order"),
        ({"quantiles": ("a", "b", "c")}, ConfigurationError, "above 0 and below 1, got 'a'"),
    ],
)
def test_quantiles_that_are_not_those_of_the_outputs_are_refused(
    changed: Any, error: type[Exception], message: str, tmp_path: Path
) -> None:
    model = of_quantiles()
    with pytest.raises(error, match=message):
        replace(model, **changed)
    model.save(tmp_path)
    files = read_set(tmp_path, KIND, VERSION)
    files[DESCRIPTION] = json.dumps(json.loads(files[DESCRIPTION]) | changed).encode()
    write_set(tmp_path, KIND, VERSION, files)
    with pytest.raises(ModelError, match=message):
        Model.load(tmp_path)


def test_two_classes_of_one_output_are_classes() -> None:
    model = of_two_classes()
    assert model.classes == ("no", "yes")
    assert model.predicts_classes
    assert repr(model).endswith("sigmoid of 2 classes: 'no', 'yes')")
    assert "no, yes" in model._repr_html_()


def test_outputs_that_are_no_classes_are_named_in_singular_and_plural() -> None:
    of_one = replace(of_two_classes(), binary_classes=None)
    assert (of_one.classes, of_one.predicts_classes) == ((), False)
    assert repr(of_one).endswith("sigmoid of 1 output: 'yes')")
    of_several = replace(of_quantiles(), class_names=("a", "b", "c"))
    assert repr(of_several).endswith("sort of 3 outputs: 'a', 'b', 'c')")


def test_the_class_of_a_photograph_may_be_one_of_two_of_a_single_output() -> None:
    pytest.importorskip("PIL")
    model = of_two_classes((4, 4), "uint8")
    for image in np.random.default_rng(0).integers(0, 256, (8, 4, 4), np.uint8):
        prediction = model.predict_image(image, as_is=True)
        (second,) = model.predict(prediction.pixels[None])[0]
        assert prediction.class_names == ("no", "yes")
        np.testing.assert_allclose(prediction.probabilities, [1.0 - second, second])
        assert prediction.class_name == ("yes" if second > 0.5 else "no")
        assert prediction.probability == max(second, 1.0 - second)


def test_a_photograph_has_no_class_without_classes() -> None:
    several = replace(of_two_classes((4, 4), "uint8"), binary_classes=None)
    with pytest.raises(
        ModelError, match=r"mutually exclusive classes, .* outputs yes with .*='sigmoid'"
    ):
        several.predict_image(np.zeros((4, 4), np.uint8))
    network = Sequential([Dense(1)]).build((2,), seed=0)
    trainer = Trainer(network, Adam(), 0.05, loss=MeanSquaredError(), epochs=1)
    trainer.fit(ROWS)
    with pytest.raises(
        ModelError, match=r"mutually exclusive classes, .* outputs price with .*='identity'"
    ):
        trainer.model().check_takes_photographs()
