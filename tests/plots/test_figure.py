"""Figures are saved whole, and leave global settings alone."""

import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rcParams
from PIL import Image
from tests.plots.helpers import NAMES, WHERE, curves, dataset, falling, history

from handloom import plots
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
