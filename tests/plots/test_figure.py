"""Figures are saved whole, and leave global settings alone."""

import math
import sys
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from tests.helpers.terminal import HOSTILE, acting
from tests.plots.helpers import (
    curves,
    dataset,
    evaluation,
    falling,
    history,
    render,
    texts,
)

from handloom import Conv2D, Dataset, Dense, Flip, Model, Sequential, plots
from handloom.data import AsFloat
from handloom.errors import ConfigurationError, DataError, MissingExtraError
from handloom.plots.figure import class_labels, color_of, drawing, marker_of
from handloom.plots.fonts import families, fitted, legible, width
from handloom.training import Evaluation
from handloom.training.evaluation_metrics import RegressionMetrics


class TestSave:
    def test_the_file_opens(self, tmp_path: Path) -> None:
        path = tmp_path / "curves.png"
        plots.save(curves(history(falling(5))), path)
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
            assert image.size == (1650, 1425)

    @pytest.mark.parametrize(("suffix", "begins"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
    def test_the_suffix_decides_the_format(
        self, tmp_path: Path, suffix: str, begins: bytes
    ) -> None:
        plots.save(curves(history(falling(3))), tmp_path / f"curves.{suffix}")
        assert (tmp_path / f"curves.{suffix}").read_bytes().startswith(begins)

    def test_another_suffix_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"ends in \.png, \.pdf, \.svg, got"):
            plots.save(curves(history(falling(3))), tmp_path / "curves.jpg")
        assert not list(tmp_path.iterdir())

    def test_replaces_an_earlier_file_and_leaves_nothing_else(self, tmp_path: Path) -> None:
        path = tmp_path / "samples.png"
        path.write_text("an earlier one")
        plots.save(plots.samples(dataset()), path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert list(tmp_path.iterdir()) == [path]


def test_global_settings_are_neither_used_nor_changed() -> None:
    before = dict(rcParams)
    plots.confusion(evaluation())
    with pytest.raises(DataError):
        plots.mistakes(evaluation(), dataset(rows=4))
    curves(history(falling(5)))
    assert dict(rcParams) == before


def test_missing_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="the extra 'cli'"):
        plots.samples(dataset())


def regression() -> Evaluation:
    metrics = RegressionMetrics.of(np.ones((4, 1)), np.zeros((4, 1)))
    none = np.empty((4, 0)), np.empty((0, 0), np.int64)
    return Evaluation(
        *(1.0, math.nan, *none), regression=metrics, class_names=(HOSTILE,), dataset=HOSTILE
    )


def hostile_figures() -> dict[str, Figure]:
    """Return every kind of figure, with hostile names throughout."""
    images = dataset().inputs
    names = (HOSTILE, f"{HOSTILE}2", "$\\frac$")
    recorded = history(falling(4))
    recorded.records[0].recorded[HOSTILE] = 0.5  # type: ignore[index]
    targets = np.arange(len(images)) % 3
    return {
        "comparison": plots.comparison({HOSTILE: [recorded]}, HOSTILE, dataset=HOSTILE),
        "history": plots.history([recorded], title=HOSTILE, dataset=HOSTILE),
        "samples": plots.samples(Dataset(images, targets, names, HOSTILE)),
        "confusion": plots.confusion(evaluation(names=names, where=HOSTILE), title=HOSTILE),
        "calibration": plots.calibration(evaluation(names=names, where=HOSTILE), title=HOSTILE),
        "predicted_against_true": plots.predicted_against_true(regression(), title=HOSTILE),
        "residuals": plots.residuals(regression(), title=HOSTILE),
        "mistakes": plots.mistakes(
            evaluation(probabilities=np.eye(3)[(targets + 1) % 3], names=names, where=HOSTILE),
            Dataset(images, targets, names, HOSTILE),
            title=HOSTILE,
        ),
        "activations": plots.activations(
            Model(Sequential([Dense(3)]).build((2,)), AsFloat(), names, (2,), "float64", HOSTILE),
            [0.5, 1.0],
            title=HOSTILE,
        ),
        "augmented_samples": plots.augmented_samples(
            Dataset(images, targets, names, HOSTILE), [Flip()]
        ),
        "weights": plots.weights(
            Sequential([Conv2D(3, 3)]).build((1, 5, 7)), title=HOSTILE, dataset=HOSTILE
        ),
        "decision_boundary": plots.decision_boundary(
            Model(Sequential([Dense(3)]).build((2,)), AsFloat(), names, (2,), "float64"),
            Dataset(np.eye(3)[:, :2], np.arange(3), names, HOSTILE, (HOSTILE, "height")),
            title=HOSTILE,
        ),
    }


@pytest.mark.slow
def test_names_are_drawn_with_control_characters_escaped() -> None:
    figures = hostile_figures()
    assert {*figures, "save"} == set(plots.__all__)
    for name, figure in figures.items():
        shown = texts(render(figure))
        assert acting(shown) == [], name
        assert r"\x1b]52" in shown, name
        assert "error: forged" not in shown.splitlines(), name


def test_a_class_name_that_is_not_utf8_or_very_long_is_drawn(tmp_path: Path) -> None:
    names = ("\udcff", "x" * 10**6, "$\\frac$")
    figure = plots.confusion(evaluation(names=names, where="\udcff"), title="\udcff")
    plots.save(figure, tmp_path / "confusion.png")
    assert r"\udcff" in texts(figure)
    assert "$\\frac$" in texts(figure)


def test_no_two_of_many_classes_have_the_same_color_and_marker() -> None:
    classes = range(49)
    assert len({(color_of(index), marker_of(index)) for index in classes}) == len(classes)


def test_names_that_are_cut_to_the_same_text_have_the_index_of_their_class_in_front() -> None:
    names = [f"a name that is cut {middle} in the middle" for middle in ("here", "there")]
    with drawing():
        assert class_labels([*names, "cat"], longest=14) == [
            "0: a n...iddle",
            "1: a n...iddle",
            "cat",
        ]
        assert class_labels(names, longest=14, indices=[7, 3])[0] == "7: a n...iddle"
        first, second = class_labels(names, 2.0)  # inches
        assert first.startswith("0: a na")
        assert second.startswith("1: a na")
        assert class_labels(names) == names


def inside(figure: Figure) -> bool:
    """Return whether every text is on the page; but for a pixel, to which text is rounded."""
    page = figure.bbox.padded(1)
    boxes = [
        text.get_window_extent()
        for text in render(figure).findobj(Text)
        if isinstance(text, Text) and text.get_text() and text.get_visible()
    ]
    return all(page.contains(*box.min) and page.contains(*box.max) for box in boxes)


@pytest.mark.parametrize("classes", [2, 8])
@pytest.mark.parametrize("length", [1, pytest.param(16, marks=pytest.mark.long), 40])
@pytest.mark.slow
def test_names_of_any_length_stay_on_the_page_and_apart(classes: int, length: int) -> None:
    names = tuple(f"{'W' * (length - 1)}{index}" for index in range(classes))
    targets = np.arange(5 * classes) % classes
    images = np.zeros((len(targets), 9, 9), np.uint8)
    mistaken = evaluation(
        probabilities=np.eye(classes)[(targets + 1) % classes], names=names, where="cats"
    )
    every = evaluation(np.full((classes, classes), 9999), names=names, where="cats")
    title = "a model, best weights by validation accuracy"
    confusion = plots.confusion(every, title=title)
    mistakes = plots.mistakes(mistaken, Dataset(images, targets, names, "cats"), title=title)
    calibration = plots.calibration(mistaken, title=title)
    samples = plots.samples(Dataset(images, targets, names, "cats"))
    model = Model(Sequential([Dense(classes)]).build((2,)), AsFloat(), names, (2,), "float32")
    points = Dataset(np.eye(classes)[:, :2], np.arange(classes), names, "cats", names[:2])
    boundary = plots.decision_boundary(model, points, title=title)
    assert inside(boundary)
    assert boundary.axes[0].bbox.width > 0.5 * boundary.bbox.width
    assert inside(confusion)
    assert inside(mistakes)
    assert inside(calibration)
    assert inside(plots.activations(model, points.inputs[0], title=title))
    assert inside(samples)
    captions = [text for panel in mistakes.axes for text in (panel.title, panel.xaxis.label)]
    for drawn in (confusion.axes[0].texts, captions):
        boxes = [text.get_window_extent() for text in drawn]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    (panel,) = confusion.axes
    left = panel.yaxis.label.get_window_extent().x1
    assert left < min(label.get_window_extent().x0 for label in panel.get_yticklabels())


def test_names_in_other_scripts_are_drawn_without_a_warning(tmp_path: Path) -> None:
    """With a font that has them: STIX, which matplotlib contains, has a frown and a smile."""
    names = ("\u65e5\u672c\u8a9e", "\u2322\u2323", "\u0378")  # the last is in no font
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plots.confusion(evaluation(names=names, where=names[0]), title=names[0])
        plots.save(figure, tmp_path / "confusion.png")
        plots.save(
            plots.comparison({names[0]: history(falling(3))}, "loss", dataset=names[1]),
            tmp_path / "comparison.png",
        )
    assert "\u2322\u2323" in texts(figure)
    assert r"\u0378" in texts(figure)


def test_a_font_is_chosen_for_the_characters_that_the_first_lacks() -> None:
    assert families(["plain", "Zo\u00eb"]) == ["DejaVu Sans"]
    others = families(["\u2322"])[1:]
    assert len(others) == 1
    assert legible("\u2322") == "\u2322"


def test_a_wide_line_is_cut_in_the_middle() -> None:
    with plots.figure.drawing():
        assert fitted("cat", 2.0, 12) == "cat"
        cut = fitted("a class of cats, gray, number 17", 2.0, 12)
        assert cut.startswith("a class")
        assert cut.endswith("number 17")
        assert 1.5 < width(cut, 12) <= 2.0
        assert width(fitted("x" * 10**6, 2.0, 12), 12) <= 2.0
