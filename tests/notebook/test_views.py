"""Objects show themselves as HTML in a notebook: complete, bounded, and with every name escaped."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from tests.plots.helpers import falling, history, recording

from handloom import (
    Adam,
    BatchNorm,
    Dataset,
    Dense,
    Model,
    ReLU,
    Sequential,
    Splits,
    StopReason,
    evaluate,
    walkthrough,
)
from handloom.data.transforms import AsFloat
from handloom.training.diagnosis import Diagnosis, LayerProbe, ProbeRecord
from handloom.training.evaluation_metrics import BinaryMetrics
from handloom.training.trainer_options import TrainerOptions

SCRIPT = "<script>alert('&amp;')</script>"
NAMES = (SCRIPT, "dog", "fox")


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("img", "br"):
            self.open.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


def page(shown: object) -> Page:
    return Page(shown._repr_html_())  # type: ignore[attr-defined]


def images(rows: int = 12, names: tuple[str, ...] = NAMES) -> Dataset:
    inputs = np.random.default_rng(0).integers(0, 256, (rows, 6, 5), dtype=np.uint8)
    return Dataset(inputs, np.arange(rows) % len(names), names, SCRIPT)


def features(rows: int = 12, columns: int = 2) -> Dataset:
    inputs = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns) / 7
    names = [f"{SCRIPT}{index}" for index in range(columns)]
    return Dataset(inputs, np.arange(rows) % 3, NAMES, SCRIPT, names)


def model() -> Model:
    network = Sequential([Dense(4), BatchNorm(), ReLU(), Dense(3)]).build((2,), seed=0)
    return Model(network, AsFloat(), NAMES, (2,), "float32", SCRIPT)


def recorded() -> object:
    made = recording(history(falling(4), validated=True))
    made.records[0].recorded[SCRIPT] = 0.5  # type: ignore[index]
    return made


@pytest.mark.parametrize(
    "shown",
    [images(), features(), Splits(images(), images()), model(), evaluate(model(), features())],
    ids=lambda shown: type(shown).__name__,
)
def test_names_are_text(shown: object) -> None:
    made = page(shown)
    assert "script" not in made.tags
    assert SCRIPT in made.text


def test_the_name_of_a_metric_is_text() -> None:
    made = page(recorded())
    assert "script" not in made.tags
    assert SCRIPT in made.text


def test_a_network_is_a_table_of_its_layers() -> None:
    network = model().network
    text = page(network).text
    for name, shape, parameters in network.summary():
        assert re.search(rf"{re.escape(name)}\s+{re.escape(str(shape))}\s+{parameters}", text)
    assert re.search(r"total\s+35\s+140\b", text)  # bytes of float32
    assert re.search(r"not trained\s+8\s+32\b", text)
    assert "not built" in page(Sequential([Dense(3)])).text


def test_a_dataset_of_images_counts_its_classes_and_shows_images() -> None:
    made = page(images())
    assert "12 rows of shape (6, 5), uint8; 3 classes" in made.text
    assert made.tags.count("img") == 3
    assert re.search(r"dog\s+4\b", made.text)


def test_without_pillow_there_is_the_table_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    made = page(images())
    assert "img" not in made.tags
    assert re.search(r"dog\s+4\b", made.text)


def test_a_dataset_of_features_shows_the_first_rows() -> None:
    made = page(features())
    assert re.search(r"1\s+0.2857\s+0.4286\s+dog", made.text)
    assert "2 features, float32" in made.text
    continuous = page(Dataset(np.eye(3), [1.5, 2.5, 3.5], ("price",)))
    assert re.search(r"price\s+0\s+1\s+0\s+0\s+1.5", continuous.text)
    assert "1 continuous target" in continuous.text


def test_splits_show_both_parts() -> None:
    text = page(Splits(images(), images(rows=9))).text
    assert "12 rows" in text
    assert "9 rows" in text


def test_a_view_of_much_is_bounded() -> None:
    many = tuple(map(str, range(500)))
    large = Dataset(np.zeros((500, 3, 400, 400), np.uint8), np.arange(500), many)
    assert len(large._repr_html_()) < 100_000
    assert "and 490 more" in page(large).text
    wide = Dataset(np.zeros((3, 5000)), [0, 1, 2])
    assert len(wide._repr_html_()) < 5_000
    long = history(falling(20_000))
    assert len(long._repr_html_()) < 100_000


def test_a_history_shows_curves_the_last_epoch_and_the_end() -> None:
    made = history(falling(5), validated=True)
    made.stop_reason = StopReason.EARLY_STOPPING
    shown = page(made)
    assert shown.tags.count("svg") == 3  # loss, accuracy, learning rate
    assert "validation" in shown.text
    assert made.ended in shown.text
    assert f"{made['validation_loss'][-1]:.4g}" in shown.text
    assert "currentColor" in shown.html  # on a light ground and on a dark one


def test_a_history_has_the_line_of_guessing_and_lists_its_notes() -> None:
    made = history([2.31, 2.305, 2.302])
    assert "guessing" not in page(made).html
    made.diagnosis = Diagnosis("SGD", 10, rows=50, guessing=2.2)
    made.notes = [SCRIPT, *("a note " * 1_000 for _ in range(50))]
    shown = page(made)
    assert "guessing ends at 2.2" in shown.html
    assert SCRIPT in shown.text
    assert "script" not in shown.tags
    assert "45 more in history.notes" in shown.text
    assert len(shown.html) < 15_000


def test_the_learning_rate_has_a_curve_if_it_changes() -> None:
    made = history(falling(4))
    assert "learning rate by epoch" in page(made).html
    made.records = [replace(each, learning_rate=0.1) for each in made.records]
    assert "learning rate by epoch" not in page(made).html


def test_measurements_are_a_table_with_what_is_usual() -> None:
    layers = tuple(LayerProbe(SCRIPT, 1.5, 0.25, update=1e-3) for _ in range(200))
    made = Diagnosis("Adam", 10, rows=50, guessing=2.3, records=[ProbeRecord(3, 0.5, layers)])
    for shown in (page(made), page(made.records[0])):
        assert "Each layer after epoch 4" in shown.text
        assert re.search(r"1.5\s+0.25\s+0.001", shown.text)
        assert "usually 0.0001 to 0.01" in shown.text
        assert "dead" not in shown.text  # no layer has it
        assert "script" not in shown.tags
        assert len(shown.html) < 15_000
    assert repr(made) == "Diagnosis(after epoch 4; 50 rows, loss of guessing 2.3)"
    assert repr(made.records[0]) == "ProbeRecord(epoch=3, loss=0.5, 200 layers)"
    assert "too short" in page(Diagnosis("Adam", 10, skipped=[0])).text


def test_a_walkthrough_shows_its_parts_with_equations_and_arrays() -> None:
    network = Sequential([Dense(40), ReLU(), Dense(3)]).build((2,), seed=0)
    walked = walkthrough(network, np.eye(3)[:, :2], [0, 1, 2])
    shown = page(walked)
    for part in walked:
        assert part.title in shown.text
        assert part.title in page(part).text
    for equation in walked.equations:
        assert equation.text in shown.text
    assert re.search(r"x \(3, 2\)\s+0\s+1\s+0\s+1\s+0\s+1\s+0\s+1", page(walked.parts[1]).text)
    assert len(shown.html) < 40_000
    assert repr(walked.parts[1]) == "Part('Forward: 0.dense'; y0 = x W0 + b0; arrays x, W0, b0, y0)"


def test_options_and_metrics_of_two_classes_are_tables() -> None:
    options = TrainerOptions(Adam(), 1e-3, epochs=3)
    assert re.search(r"epochs\s+3\b", page(options).text)
    metrics = BinaryMetrics(SCRIPT, 0.5, 0.91234, 0.1)
    assert re.search(r"0.5\s+0.9123\s+0.1", page(metrics).text)


def test_a_history_without_epochs_or_with_values_that_are_not_finite_is_shown() -> None:
    assert "0 epochs" in page(history([])).text
    assert "svg" in page(history([1.0, np.nan, np.inf, 0.5])).tags


def test_an_evaluation_shows_metrics_and_confusion() -> None:
    measured = evaluate(model(), features())
    text = page(measured).text
    assert f"{100 * measured.accuracy:.2f} %" in text
    assert "Rows by true and predicted class" in text
    many = tuple(map(str, range(40)))
    network = Sequential([Dense(40)]).build((2,), seed=0)
    wide = Model(network, AsFloat(), many, (2,), "float32")
    rows = Dataset(np.ones((40, 2)), np.arange(40), many)
    assert "The most frequent mistakes, of 40 classes" in page(evaluate(wide, rows)).text


def test_a_regression_shows_its_errors() -> None:
    network = Sequential([Dense(1)]).build((2,), seed=0)
    of = Model(network, AsFloat(), ("price",), (2,), "float64", output_activation="identity")
    text = page(evaluate(of, Dataset(np.eye(3)[:, :2], [1.0, 2.0, 3.0], ("price",)))).text
    assert "MAE" in text
    assert "accuracy" not in text
