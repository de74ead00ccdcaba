"""Figures are saved whole, and leave global settings alone."""

import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from PIL import Image
from tests.helpers.terminal import HOSTILE, acting
from tests.plots.helpers import NAMES, WHERE, curves, dataset, falling, history, render, texts

from handloom import Conv2D, Dataset, Flip, Sequential, plots
from handloom.errors import DataError, MissingExtraError


class TestSave:
    def test_the_file_opens(self, tmp_path: Path) -> None:
        path = tmp_path / "curves.png"
        plots.save(curves(history(falling(5))), path)
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
            assert image.size == (1650, 1425)

    def test_replaces_an_earlier_file_and_leaves_nothing_else(self, tmp_path: Path) -> None:
        path = tmp_path / "samples.png"
        path.write_text("an earlier one")
        plots.save(plots.sample_grid(dataset()), path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert list(tmp_path.iterdir()) == [path]


def test_global_settings_are_neither_used_nor_changed() -> None:
    before = dict(rcParams)
    plots.confusion(np.eye(3, dtype=np.int64), NAMES, title="x", dataset=WHERE)
    with pytest.raises(DataError):
        plots.confusion(np.eye(2, dtype=np.int64), NAMES, title="x", dataset=WHERE)
    curves(history(falling(5)))
    assert dict(rcParams) == before


def test_missing_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="the extra 'cli'"):
        plots.sample_grid(dataset())


def hostile_figures() -> dict[str, Figure]:
    """Return every kind of figure, with hostile names throughout."""
    images = dataset().inputs
    names = (HOSTILE, f"{HOSTILE}2", "$\\frac$")
    recorded = history(falling(4))
    recorded.records[0].recorded[HOSTILE] = 0.5  # type: ignore[index]
    targets = np.arange(len(images)) % 3
    return {
        "comparison": plots.comparison({HOSTILE: [recorded]}, HOSTILE, dataset=HOSTILE),
        "training_curves": plots.training_curves([recorded], title=HOSTILE, dataset=HOSTILE),
        "sample_grid": plots.sample_grid(Dataset(images, targets, names, HOSTILE)),
        "confusion": plots.confusion(
            np.eye(3, dtype=np.int64), names, title=HOSTILE, dataset=HOSTILE
        ),
        "confident_mistakes": plots.confident_mistakes(
            images, targets, np.eye(3)[(targets + 1) % 3], names, title=HOSTILE, dataset=HOSTILE
        ),
        "augmented_samples": plots.augmented_samples(
            Dataset(images, targets, names, HOSTILE), [Flip()]
        ),
        "weights": plots.weights(
            Sequential([Conv2D(3, 3)]).build((1, 5, 7)), title=HOSTILE, dataset=HOSTILE
        ),
    }


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
    figure = plots.confusion(np.eye(3, dtype=np.int64), names, title="\udcff", dataset="\udcff")
    plots.save(figure, tmp_path / "confusion.png")
    assert r"\udcff" in texts(figure)
    assert "$\\frac$" in texts(figure)
