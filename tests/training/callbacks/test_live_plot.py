"""Curves that are drawn while training runs: only in a notebook, and not too often."""

import copy
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.helpers.training import ROWS, short_trainer

from handloom import ConfigurationError, LivePlot


class Cell:
    """A stand-in for a cell of a notebook: it records the objects displayed in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[str] = []
        ipython: Any = ModuleType("IPython")
        ipython.get_ipython = lambda: SimpleNamespace(kernel=self)
        ipython.display = ModuleType("IPython.display")
        ipython.display.display = self.display
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> "Cell":
        assert raw
        assert display_id
        self.update(data, raw=raw)
        return self

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert "<div>" in data["text/html"]
        self.shown.append(data["text/plain"])


def test_each_epoch_is_drawn_and_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(monkeypatch)
    short_trainer(LivePlot(seconds=0)).fit(ROWS)
    assert cell.shown == [
        "0 epochs done so far",
        "1 epoch done so far",
        "2 epochs done so far",
        "all 2 epochs done",
    ]


def test_it_is_not_drawn_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell(monkeypatch)
    short_trainer(LivePlot(seconds=1000), epochs=20).fit(ROWS)
    assert cell.shown == ["0 epochs done so far", "all 20 epochs done"]


def test_outside_of_a_notebook_it_names_what_can_be_used_instead() -> None:
    with pytest.raises(ConfigurationError, match=r"cell of a notebook.*use Progress\(\)"):
        short_trainer(LivePlot()).fit(ROWS)
    with pytest.raises(ConfigurationError, match="seconds"):
        LivePlot(seconds=-1)


def test_a_drawing_that_fails_does_not_end_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("mine")

    monkeypatch.setattr(Cell, "display", fail)
    Cell(monkeypatch)
    with pytest.warns(UserWarning, match="the curves are not drawn: RuntimeError: mine"):
        history = short_trainer(LivePlot()).fit(ROWS)
    assert len(history) == 2


def test_a_trained_one_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, plot = Cell(monkeypatch), LivePlot(seconds=0)
    short_trainer(plot).fit(ROWS)
    other = copy.deepcopy(plot)
    short_trainer(other).fit(ROWS)
    assert len(cell.shown) == 8
