"""The sections of images: their numbers are those of NumPy, and their pixels those of the rows."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.networks import network as small_network
from tests.helpers.pages import Parsed, parsed

from handloom import (
    BatchNorm,
    Conv2D,
    Dataset,
    Dense,
    Embedding,
    Flatten,
    Model,
    ReLU,
    Residual,
    Sequential,
)
from handloom.data.transforms import AsFloat, Scale
from handloom.metrics import reliability
from handloom.reporting.first_loss import first_loss
from handloom.reporting.markup import render
from handloom.reporting.report import report_of
from handloom.reporting.run import ReportedRun
from handloom.reporting.sections.calibration import BOTTOM, LEFT, SIZE
from handloom.reporting.sections.embedding import last_hidden, principal_components
from handloom.reporting.sections.network import network
from handloom.reporting.sections.weights import first_layer, palette, shades
from handloom.reporting.thumbnails import Thumbnails, png
from handloom.reporting.wording import percent
from handloom.training import RunDescription, evaluate

Image = pytest.importorskip("PIL.Image")

NAMES = ("coat", "bag", "shoe")
RNG = np.random.default_rng(0)


def images(rows: int, *shape: int) -> Dataset:
    inputs = RNG.integers(0, 256, (rows, *shape), np.uint8)
    return Dataset(inputs, np.arange(rows) % 3, NAMES, "noise")


def run_of(data: Dataset, *layers: object) -> ReportedRun:
    size = int(np.prod(data.input_shape))
    own = Sequential([*(layers or [Dense(7), ReLU()]), Dense(3)]).build((size,))
    model = Model(own, Scale(), NAMES, data.input_shape, "uint8", data.name)
    measured = evaluate(model, data)
    return ReportedRun("noise", model, test=data, probabilities=measured.probabilities)


def pixels(address: str) -> np.ndarray:
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    return np.asarray(image.convert("L") if image.mode == "P" else image)


@pytest.mark.parametrize("shape", [(9, 7), (1, 9, 7), (3, 9, 7)])
def test_a_thumbnail_shows_the_pixels_of_its_row(shape: tuple[int, ...]) -> None:
    data = images(100, *shape)
    thumbnails = Thumbnails(data)
    order = RNG.permutation(100)[:60]
    shown = [parsed(render(thumbnails.of(int(row), "x"))).children[0] for row in order]
    sheets = {
        f"#{each.attributes['id']}": pixels(each.attributes["href"])
        for each in parsed(render(thumbnails.definitions())).all("image")
    }
    for row, each in zip(order, shown, strict=True):
        x, y, width, height = map(int, each.attributes["viewbox"].split())
        sheet = sheets[next(each.all("use")).attributes["href"]]
        own = sheet[y : y + height, x : x + width]
        expected = data.inputs[row]
        if shape[0] == 3:
            expected = np.moveaxis(expected, 0, -1)
        step = 1 if shape[0] == 3 else 17  # 16 gray levels
        assert np.array_equal(own, step * np.round(expected.reshape(own.shape) / step))


def test_a_row_is_stored_once_and_large_images_are_scaled_down() -> None:
    data = images(4, 200, 100)
    thumbnails = Thumbnails(data)
    assert render(thumbnails.of(2, "a")) == render(thumbnails.of(2, "a"))
    (sheet,) = parsed(render(thumbnails.definitions())).all("image")
    assert pixels(sheet.attributes["href"]).shape == (32, 16)


def test_every_cell_of_the_confusion_matrix_opens_its_images() -> None:
    data = images(90, 6, 6)
    run = run_of(data)
    page = parsed(report_of(run).html)
    cells = [cell for row in page.by_id("confusion").all("tr") for cell in row.all("td")]
    confusion = run.confusion
    assert confusion is not None
    counts = [cell.whole_text.strip() for cell in cells[:9]]
    assert counts == [str(count) for count in confusion.reshape(-1)]
    for true in range(3):
        for predicted in range(3):
            if count := confusion[true, predicted]:
                images_of = page.by_id(f"cell-{true}-{predicted}")
                assert len(list(images_of.all("use"))) == min(count, 18)
                (back,) = images_of.all("a")
                address = f"#cell-{true}-{predicted}"
                assert page.by_id(back.attributes["href"][1:]).attributes["href"] == address
    assert "predicted class" in [each.text for each in page.by_id("confusion").all("th")]


def test_how_many_of_the_images_behind_a_cell_are_shown_is_said() -> None:
    data = images(90, 6, 6)
    probabilities = np.tile(np.array([0.2, 0.7, 0.1], np.float32), (90, 1))
    run = replace(run_of(data), probabilities=probabilities)
    cell = parsed(report_of(run).html).by_id("cell-0-1").whole_text
    assert "Shown are 18 of 30, the most confident ones" in cell
    assert "70.0" in cell


def test_mistakes_come_in_the_order_of_their_confidence() -> None:
    run = run_of(images(90, 6, 6))
    shown = parsed(report_of(run).html).by_id("mistakes")
    said = [float(each) for each in re.findall(r"(\d+\.\d)\xa0%\s*labeled", shown.whole_text)]
    assert said == sorted(said, reverse=True)


def test_reliability_is_that_of_each_interval() -> None:
    confidence = np.array([0.05, 0.11, 0.19, 0.95, 1.0])
    counts, means, accuracies = reliability(confidence, np.array([1.0, 0.0, 1.0, 1.0, 0.0]))
    assert counts.tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    np.testing.assert_allclose(means[[0, 1, 9]], [0.05, 0.15, 0.975])
    np.testing.assert_allclose(accuracies[[0, 1, 9]], [1.0, 0.5, 0.5])


def test_a_reliable_point_is_at_its_mean_confidence_and_accuracy() -> None:
    data = images(90, 6, 6)
    probabilities = np.zeros((90, 3), np.float32)
    probabilities[:] = [0.08, 0.9, 0.02]
    probabilities[:30] = [0.35, 0.33, 0.32]
    probabilities[data.targets == 0, :] = [0.08, 0.9, 0.02]
    probabilities[:3] = [0.32, 0.33, 0.35]
    run = replace(run_of(data), probabilities=probabilities)
    section = parsed(report_of(run).html).by_id("calibration")
    assert run.predicted is not None
    sure = probabilities.max(axis=1)
    counts, means, accuracies = reliability(
        sure.astype(float), (run.predicted == data.targets).astype(float)
    )
    shown = [(float(c.attributes["cx"]), float(c.attributes["cy"])) for c in section.all("circle")]
    side = SIZE - LEFT - 14
    expected = [
        (LEFT + mean * side, SIZE - BOTTOM - accuracy * side)
        for count, mean, accuracy in zip(counts, means, accuracies, strict=True)
        if count
    ]
    assert len(shown) == 2
    np.testing.assert_allclose(shown, expected, atol=0.006)
    assert not list(section.all("rect"))


def test_equal_activations_get_a_sentence_in_place_of_a_map() -> None:
    data = images(30, 4, 4)
    run = run_of(data)
    assert run.model is not None
    assert "map" in [each.attributes.get("class") for each in _map_of(run).all("svg")]
    run.model.network.parameters.weights["0.dense.weights"][...] = 0.0
    assert "nearly the same activations" in _map_of(run).whole_text
    assert not list(_map_of(run).all("svg"))


def _map_of(run: ReportedRun) -> Parsed:
    return parsed(report_of(run).html).by_id("embedding")


def test_the_accuracy_of_kept_weights_stands_at_a_glance() -> None:
    run = run_of(images(30, 4, 4))
    glance = parsed(report_of(run).html).by_id("overview").whole_text
    assert "best weights" not in glance
    results = {"test_accuracy": 0.1, "best_test_accuracy": 0.797}
    glance = parsed(report_of(replace(run, results=results)).html).by_id("overview").whole_text
    assert "Test accuracy, last weights" in glance
    assert "79.70" in glance
    measured = parsed(report_of(replace(run, best_model=run.model)).html).by_id("overview")
    assert measured.whole_text.count(percent(accuracy_of(run), 2)) == 2


def accuracy_of(run: ReportedRun) -> float:
    assert run.test is not None
    assert run.predicted is not None
    return float((run.predicted == run.test.targets).mean())


def test_principal_components_are_those_of_the_singular_value_decomposition() -> None:
    values = RNG.normal(size=(50, 6)) * np.array([5, 3, 1, 1, 0.5, 0.1])
    points, shares = principal_components(values)
    centered = values - values.mean(axis=0)
    u, s, _ = np.linalg.svd(centered, full_matrices=False)
    np.testing.assert_allclose(np.abs(points), np.abs(u[:, :2] * s[:2]), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(shares, s[:2] ** 2 / (s**2).sum())
    assert principal_components(values[:, :1])[0].shape == (50, 2)


def test_the_last_hidden_layer_is_the_input_of_the_last_weights() -> None:
    data = images(5, 4, 4)
    run = run_of(data, Dense(7), ReLU())
    assert run.model is not None
    hidden = last_hidden(run.model, data)
    weights = run.model.network.parameters.weights
    logits = hidden @ weights["2.dense.weights"] + weights["2.dense.biases"]
    np.testing.assert_allclose(logits, run.model.logits(data.inputs), rtol=1e-4, atol=1e-5)


def test_the_first_layer_is_shown_as_images() -> None:
    run = run_of(images(5, 3, 6, 5), Dense(4), ReLU())
    assert run.model is not None
    name, stack, unit = first_layer(run.model) or ("", np.empty(0), "")
    weights = run.model.network.parameters.weights["0.dense.weights"]
    assert (name, unit, stack.shape) == ("0.dense", "unit", (4, 6, 5))
    np.testing.assert_allclose(stack[2], weights[:, 2].reshape(3, 6, 5).sum(axis=0), rtol=1e-6)


def test_the_filters_of_a_convolution_are_shown_as_images() -> None:
    own = Sequential([Conv2D(4, 3), Flatten(), Dense(3)]).build((2, 8, 8))
    model = Model(own, Scale(), NAMES, (2, 8, 8), "uint8")
    name, stack, unit = first_layer(model) or ("", np.empty(0), "")
    assert (name, unit, stack.shape) == ("0.conv2d", "filter", (4, 3, 3))
    weights = own.parameters.weights["0.conv2d.weights"]  # (k, k, c, f)
    np.testing.assert_allclose(stack[1], weights[:, :, 0, 1] + weights[:, :, 1, 1], rtol=1e-5)


def test_the_largest_weight_has_the_strongest_color_and_zero_none() -> None:
    colors = pixels(png(shades(np.array([[-2.0, 0.0, 1.0]], np.float32)), palette()))
    stored = np.asarray(palette())
    assert shades(np.array([[-2.0, 0.0, 1.0]], np.float32)).tolist() == [[0, 30, 45]]
    assert colors.shape == (1, 3)
    assert stored[30].tolist() == [247, 247, 247]


def test_the_diagram_has_shapes_parameters_and_products() -> None:
    block = Residual([Conv2D(4, 3, padding="same"), BatchNorm()])
    own = Sequential([Conv2D(4, 3), block, Flatten(), Dense(3)]).build((1, 8, 8))
    model = Model(own, Scale(), NAMES, (1, 8, 8), "uint8")
    section = network(ReportedRun("x", model))
    layers = [each.whole_text for each in _parsed(section).all("li")]
    assert "4 \u00d7 6 \u00d7 6" in layers[1]
    assert "40 parameters" in layers[1]
    assert f"{36 * 4 * 9:,} multiplications" in layers[1]
    assert "144 parameters" not in layers[1]
    assert f"{4 * 4 * 9 + 4 + 8:,} parameters" in layers[2]  # the block, with its inner layers
    assert f"{own.parameters.vector.size:,} parameters were learned" in _parsed(section).whole_text


def test_an_embedding_of_the_diagram_has_parameters_and_no_products() -> None:
    own = Sequential([Embedding({0: 12}, width=4), Dense(3)]).build((2,))
    section = network(ReportedRun("x", Model(own, AsFloat(), NAMES, (2,), "float32")))
    _, embedding, dense = [each.whole_text for each in _parsed(section).all("li")]
    assert f"{14 * 4} parameters" in embedding
    assert "multiplications" not in embedding
    assert "15 multiplications" in dense


def _parsed(section: object) -> Parsed:
    return parsed(render(section.body))  # type: ignore[attr-defined]


def test_the_loss_before_training_is_that_of_the_seed() -> None:
    data = images(60, 4, 4)
    run = run_of(data)
    description = RunDescription({"seed": 0}, "noise", None, 1)
    run = replace(run, train=data, description=description)
    assert run.model is not None
    assert first_loss(run) == pytest.approx(evaluate(run.model, data).loss, rel=1e-5)
    run.model.network.parameters.vector[...] = 0.0
    assert first_loss(run) != pytest.approx(evaluate(run.model, data).loss, rel=1e-3)
    assert first_loss(replace(run, description=None)) is None


def test_a_network_without_hidden_layers_gets_a_page() -> None:
    data = images(30, 4, 4)
    own = Sequential([Dense(3)]).build((16,))
    model = Model(own, Scale(), NAMES, (4, 4), "uint8")
    measured = evaluate(model, data)
    run = ReportedRun("x", model, test=data, probabilities=measured.probabilities)
    sections = {each.attributes.get("id") for each in parsed(report_of(run).html).all("section")}
    assert "embedding" not in sections
    assert {"network", "confusion", "weights"} <= sections


def test_a_model_of_features_has_no_first_layer_of_images() -> None:
    model = Model(small_network(softmax=False), Scale(), NAMES, (6,), "float64")
    assert first_layer(model) is None
