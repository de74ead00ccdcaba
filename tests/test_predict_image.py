"""``Model.predict_image``, and the statistics of images that are saved with a model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")

from fuzz.targets import replace_in_set
from PIL import Image

from handloom import (
    Adam,
    ConfigurationError,
    DataWarning,
    Dense,
    Model,
    ModelError,
    ReLU,
    Sequential,
    Trainer,
    silhouettes,
)
from handloom.files import read_set
from handloom.model import KIND, VERSION

DATA = silhouettes(600, test_rows=20)


@pytest.fixture(scope="module")
def model() -> Model:
    network = Sequential([Dense(16), ReLU(), Dense(10)]).build((784,), seed=0)
    trainer = Trainer(network, Adam(), 1e-2, epochs=3, batch_size=50)
    trainer.fit(DATA.train)
    return trainer.model()


def test_a_prediction_has_the_class_the_pixels_and_the_familiarity(model: Model) -> None:
    row = np.asarray(DATA.test.inputs[0], np.uint8)
    prediction = model.predict_image(row)
    expected = model.predict(row[None])[0]
    assert np.array_equal(prediction.pixels, row)
    assert np.array_equal(prediction.probabilities, expected)
    assert prediction.class_name == model.class_names[expected.argmax()]
    assert prediction.probability == expected.max()
    assert prediction.familiar is True
    assert repr(prediction).startswith(f"ImagePrediction({prediction.class_name!r}, probability=")


def test_a_blank_image_is_not_familiar_and_gets_a_warning(model: Model) -> None:
    with pytest.warns(DataWarning, match="no object found"):
        prediction = model.predict_image(Image.new("RGB", (300, 200), (240, 240, 240)))
    assert prediction.familiar is False
    assert prediction.is_blank
    assert repr(prediction).endswith(", blank)")


def test_a_model_without_statistics_does_not_know(model: Model, tmp_path: Path) -> None:
    replace(model, image_statistics=None).save(tmp_path)
    assert Model.load(tmp_path).predict_image(DATA.test.inputs[0]).familiar is None


def test_as_is_resizes_only(model: Model) -> None:
    image = Image.new("L", (56, 56), 200)
    image.paste(0, (4, 4, 20, 30))
    row = model.predict_image(image, as_is=True).pixels
    negative = model.predict_image(image, as_is=True, invert=True).pixels
    assert np.array_equal(row, 255 - negative)
    assert row[20, 20] == 200
    with pytest.raises(ConfigurationError, match="pass as_is=True too"):
        model.predict_image(image, invert=True)


def test_a_loaded_model_predicts_the_same(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded, image = Model.load(tmp_path), np.asarray(DATA.test.inputs[3])
    assert loaded.image_statistics is not None
    assert model.image_statistics is not None
    assert loaded.image_statistics.to_config() == model.image_statistics.to_config()
    for name, array in model.image_statistics.arrays().items():
        assert np.array_equal(loaded.image_statistics.arrays()[name], array)
    ours, theirs = model.predict_image(image), loaded.predict_image(image)
    assert np.array_equal(ours.probabilities, theirs.probabilities)


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"framing": {}}, "a framing needs"),
        ({"familiarity": {"limit": -1.0, "faintest": 1.0}}, "limit of a familiarity"),
        ({"familiarity": {}}, "a familiarity needs"),
        ({"more": 1}, "unknown statistic of images"),
        (None, "unknown statistic of images"),
    ],
)
def test_damaged_statistics_are_refused(
    model: Model, tmp_path: Path, figures: dict[str, object] | None, message: str
) -> None:
    model.save(tmp_path)
    described = json.loads(read_set(tmp_path, KIND, VERSION)["model.json"])
    if figures is None:
        described["image_statistics"] = [1]
    else:
        described["image_statistics"] |= figures
    replace_in_set(tmp_path, "model.json", json.dumps(described).encode())
    with pytest.raises(ModelError, match=message):
        Model.load(tmp_path)


def test_statistics_of_another_shape_are_refused(model: Model, tmp_path: Path) -> None:
    from safetensors.numpy import save

    model.save(tmp_path)
    arrays = {"means": np.zeros((10, 9), np.float32), "whitening": np.eye(9, dtype=np.float32)}
    replace_in_set(tmp_path, "image_statistics.safetensors", save(arrays))
    with pytest.raises(ModelError, match="has 196 entries, got 9"):
        Model.load(tmp_path)


def test_rows_that_are_no_images_are_refused() -> None:
    network = Sequential([Dense(3)]).build((5,), seed=0)
    from handloom.data import AsFloat

    model = Model(network, AsFloat(), ("a", "b", "c"), (5,), "float32")
    with pytest.raises(ModelError, match=r"must take uint8 images .* got rows of float32"):
        model.predict_image(np.zeros((20, 20), np.uint8))


def test_a_notebook_shows_the_pixels_and_the_most_probable_classes(model: Model) -> None:
    prediction = model.predict_image(DATA.test.inputs[0])
    shown = prediction._repr_html_()
    assert '<img src="data:image/png;base64,' in shown
    assert f"{100 * prediction.probability:.1f} %" in shown
    order = np.argsort(-prediction.probabilities)
    names = [model.class_names[k] for k in order]
    assert all(name in shown for name in names[:5])
    assert "The most probable of 10 classes" in shown
    with pytest.warns(DataWarning, match="no object found"):
        blank = model.predict_image(Image.new("RGB", (300, 200), (240, 240, 240)))
    assert "do not resemble" in blank._repr_html_()
