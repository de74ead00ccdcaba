"""Plots of a regression: predictions against true targets, and residuals, in their units."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.plots.helpers import render, texts

from handloom import (
    SGD,
    ConfigurationError,
    DataError,
    Dataset,
    Dense,
    Sequential,
    Trainer,
    plots,
)
from handloom.plots.regression import MOST_OUTPUTS, MOST_POINTS
from handloom.training import Evaluation
from handloom.training.evaluation_metrics import RegressionMetrics

TRUE = np.array([[100.0], [200.0], [400.0]])
PREDICTED = np.array([[110.0], [180.0], [400.0]])


def evaluation(
    true: object = TRUE, predicted: object = PREDICTED, names: tuple[str, ...] = ("rent ($)",)
) -> Evaluation:
    metrics = RegressionMetrics.of(np.asarray(true, float), np.asarray(predicted, float))
    none = np.empty((len(metrics.predictions), 0), np.float32)
    return Evaluation(
        *(metrics.mse, float("nan"), none, np.empty((0, 0), np.int64)),
        regression=metrics,
        class_names=names,
        dataset="flats",
    )


def against(*arguments: Any, **options: Any) -> Figure:
    return render(plots.predicted_against_true(evaluation(*arguments, **options), title="small"))


def residuals(*arguments: Any, **options: Any) -> Figure:
    return render(plots.residuals(evaluation(*arguments, **options), title="small"))


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


def test_a_model_with_its_rows_does_too() -> None:
    x = np.linspace(-1.0, 1.0, 40, dtype=np.float32)[:, None]
    data = Dataset(x, 2.0 * x, ("y",), "line")
    network = Sequential([Dense(1)]).build((1,), seed=0)
    trainer = Trainer(network, SGD(), 0.1, epochs=5, loss="mean_squared_error")
    trainer.fit(data)
    figure = render(plots.predicted_against_true(trainer.model(), data))
    assert "line: predictions" in texts(figure)
    assert len(points(figure)) == 40


def test_wrong_arguments_are_refused() -> None:
    classes = Dataset(np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1]), ("no", "yes"))
    network = Sequential([Dense(2)]).build((2,), seed=0)
    trainer = Trainer(network, SGD(), 0.1, epochs=1)
    trainer.fit(classes)
    with pytest.raises(DataError, match="must be of continuous targets, got classes"):
        plots.residuals(trainer.model(), classes)
    with pytest.raises(DataError, match="data must be the 3 rows of the evaluation, got 4"):
        plots.residuals(evaluation(), classes)
    with pytest.raises(ConfigurationError, match="model must be"):
        plots.residuals("metrics", classes)  # type: ignore[arg-type]


def test_axes_are_logarithmic_where_those_of_the_report_are() -> None:
    true = np.exp(np.random.default_rng(0).normal(0.0, 1.5, (400, 1)))
    predicted = true.copy()
    predicted[:3] = -1.0
    figure = render(plots.predicted_against_true(evaluation(true, predicted)))
    (panel,) = figure.axes
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
    assert "at the lower edge: 3 predictions below" in texts(figure)
    (linear,) = plots.predicted_against_true(evaluation()).axes
    assert (linear.get_xscale(), linear.get_yscale()) == ("linear", "linear")
