"""The reliability diagram shows the accuracy of each interval of confidence."""

import numpy as np
import pytest
from tests.plots.helpers import evaluation, render, texts

from handloom import plots
from handloom.errors import ConfigurationError, DataError

CORRECT, WRONG = [0.9, 0.05, 0.05], [0.02, 0.96, 0.02]
"""Probabilities of a row of the first class: correct with 90 %, wrong with 96 %."""


def test_each_interval_has_its_accuracy_and_its_rows() -> None:
    of = evaluation(probabilities=[CORRECT, np.roll(CORRECT, 1), np.roll(WRONG, 2), WRONG])
    figure = render(plots.calibration(of, bins=20))
    diagram, rows = figure.axes
    (points,) = diagram.collections[1:]  # the first are the gaps
    np.testing.assert_allclose(points.get_offsets(), [[90.0, 100.0], [96.0, 0.0]])
    assert [bar.get_height() for bar in rows.patches if bar.get_height()] == [2, 2]  # type: ignore[attr-defined]
    # half of the rows are 10 % off, the other half 96 %
    assert "(ECE): 53.0 %" in texts(figure)


def test_it_says_what_cannot_be_drawn() -> None:
    with pytest.raises(DataError, match="must be finite"):
        plots.calibration(evaluation(probabilities=np.full((3, 3), np.nan)))
    with pytest.raises(ConfigurationError, match="bins"):
        plots.calibration(evaluation(), bins=0)
