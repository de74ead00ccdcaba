"""Plots of a regression: predictions against true targets, and residuals, in their units."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.plots.helpers import render, texts

from handloom import ConfigurationError, DataError, plots
from handloom.plots.regression import MOST_OUTPUTS, MOST_POINTS
from handloom.training.evaluation_metrics import RegressionMetrics

TRUE = np.array([[100.0], [200.0], [400.0]])
PREDICTED = np.array([[110.0], [180.0], [400.0]])


def metrics(true: object = TRUE, predicted: object = PREDICTED) -> RegressionMetrics:
    return RegressionMetrics.of(np.asarray(true, float), np.asarray(predicted, float))


def against(*arguments: object, names: tuple[str, ...] = ("rent ($)",)) -> Figure:
    return render(
        plots.predicted_against_true(metrics(*arguments), names, title="small", dataset="flats")
    )


def residuals(*arguments: object, names: tuple[str, ...] = ("rent ($)",)) -> Figure:
    return render(plots.residuals(metrics(*arguments), names, title="small", dataset="flats"))


def points(figure: Figure, panel: int = 0) -> np.ndarray:
    (drawn,) = figure.axes[panel].collections
    return np.asarray(drawn.get_offsets())


def test_predictions_stand_against_true_targets_in_their_units() -> None:
    figure = against()
    np.testing.assert_allclose(points(figure), np.hstack([TRUE, PREDICTED]))
    (panel,) = figure.axes
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("true rent ($)", "predicted rent ($)")
    assert panel.get_xlim() == panel.get_ylim()
    (line,) = panel.lines
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    for text in ("flats: small", "predicted exactly", "3 rows"):
        assert text in texts(figure)


def test_residuals_are_true_minus_predicted() -> None:
    figure = residuals()
    np.testing.assert_allclose(points(figure), np.hstack([PREDICTED, TRUE - PREDICTED]))
    scatter, histogram = figure.axes
    assert "(true - predicted)" in scatter.get_ylabel()
    assert sum(bar.get_width() for bar in histogram.patches) == 3  # type: ignore[attr-defined]


def test_of_many_rows_and_outputs_some_are_drawn() -> None:
    rows = np.random.default_rng(0).normal(size=(2 * MOST_POINTS, 6))
    figure = against(rows, rows, names=tuple("abcdef"))
    assert len(figure.axes) == MOST_OUTPUTS
    assert len(points(figure)) == MOST_POINTS
    assert "5,000 of 10,000 rows" in texts(figure)


def test_rows_that_are_not_finite_are_left_out() -> None:
    predicted = [[110.0], [np.nan], [np.inf]]
    with np.errstate(invalid="ignore"):
        assert len(points(against(TRUE, predicted))) == 1
        for draw in (against, residuals):
            assert "no finite prediction" in texts(draw(TRUE, np.full((3, 1), np.nan)))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(DataError, match="one name for each output, got 2 for 1 outputs"):
        against(names=("a", "b"))
    with pytest.raises(ConfigurationError, match="metrics must be"):
        plots.residuals("metrics", ("a",), title="small", dataset="flats")  # type: ignore[arg-type]
