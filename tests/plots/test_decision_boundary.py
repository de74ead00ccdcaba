"""The decision boundary: the class at each point, the rows, and which of them are wrong."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.plots.helpers import pixels, render, texts

from handloom import (
    ConfigurationError,
    DataError,
    Dataset,
    Dense,
    Model,
    Sequential,
    Sigmoid,
    moons,
    plots,
    sine,
)
from handloom.data import AsFloat
from handloom.training.evaluation import evaluate

ROWS = np.array([[-1.0, 0.0], [-2.0, 3.0], [1.0, 1.0], [2.0, -1.0]], np.float32)
BLUE, VERMILLION = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0)


def model(scale: float = 5.0, outputs: int = 2) -> Model:
    """Return a model whose class is 1 where the first input is above 0."""
    layers = [Dense(2)] if outputs == 2 else [Dense(1), Sigmoid()]
    network = Sequential(layers).build((2,))
    network.parameters.vector[:] = 0.0
    network.parameters.weights["0.dense.weights"][0, -1] = scale
    activation = "softmax" if outputs == 2 else "identity"
    names = ("left", "right")
    return Model(
        network,
        AsFloat(),
        names[-outputs:],
        (2,),
        "float32",
        output_activation=activation,
        binary_classes=names if outputs == 1 else None,
    )


def data(targets: tuple[int, ...] = (0, 0, 1, 0)) -> Dataset:
    return Dataset(ROWS, np.array(targets), ("left", "right"), "sides", ("width", "height"))


def drawn(of: Model, rows: Dataset) -> Figure:
    return render(plots.decision_boundary(of, rows, title="small"))


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_plane_has_the_color_of_the_class_deeper_where_it_is_certain(outputs: int) -> None:
    shades = pixels(drawn(model(outputs=outputs), data()))
    assert shades.shape == (64, 64, 3)
    for column, color in ((0, BLUE), (-1, VERMILLION)):
        np.testing.assert_allclose(1 - 0.5 * (1 - np.array(color)), shades[5, column], atol=0.01)
    assert shades[5, 31].min() > 0.9


def test_the_boundary_is_a_line_where_both_classes_are_equally_probable() -> None:
    (panel,) = drawn(model(), data()).axes
    outlines = [np.asarray(p.vertices) for c in panel.collections for p in c.get_paths()]
    lines = [each for each in outlines if len(each) > 40]  # those of markers are shorter
    assert lines
    for line in lines:
        np.testing.assert_allclose(line[:, 0], 0.0, atol=1e-6)


def test_rows_are_points_by_class_and_wrong_ones_have_a_dark_edge() -> None:
    figure = drawn(model(), data())
    (panel,) = figure.axes
    by_name = {str(each.get_label()): each for each in panel.collections}
    np.testing.assert_array_equal(by_name["left"].get_offsets(), ROWS[[0, 1, 3]])
    np.testing.assert_array_equal(by_name["right"].get_offsets(), ROWS[[2]])
    dark = np.asarray(by_name["left"].get_edgecolor())[:, 0] < 0.5
    assert dark.tolist() == [False, False, True]
    assert "3 of 4 correct" in texts(figure)
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("width", "height")


def test_the_legend_has_plain_markers_and_an_entry_for_mistakes() -> None:
    (panel,) = drawn(model(), data((1, 0, 1, 0))).axes  # the first point is a mistake
    legend = panel.get_legend()
    assert legend is not None
    assert [each.get_text() for each in legend.get_texts()] == ["left", "right", "misclassified"]
    left, right, mistake = legend.get_lines()
    assert left.get_markeredgecolor() == left.get_color() != right.get_color()
    assert mistake.get_markerfacecolor() == "none"


def test_without_mistakes_the_legend_has_the_classes_alone() -> None:
    (panel,) = drawn(model(), data((0, 0, 1, 1))).axes
    legend = panel.get_legend()
    assert legend is not None
    assert len(legend.get_lines()) == 2


def test_a_network_or_splits_get_an_error_that_says_what_to_pass() -> None:
    of, rows = model(), data()
    with pytest.raises(ConfigurationError, match=r"got Sequential: pass trainer\.model\(\)"):
        plots.decision_boundary(of.network, rows)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"pass splits\.test"):
        plots.decision_boundary(of, moons(10))  # type: ignore[arg-type]


def test_the_plot_says_as_many_are_correct_as_the_evaluation() -> None:
    test = moons(10, test_rows=60).test
    of = model()
    rows = Dataset(test.inputs, test.targets, ("left", "right"), "moons")
    count = round(60 * (evaluate(of, rows).accuracy or 0.0))
    assert f"{count} of 60 correct" in texts(drawn(of, rows))


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
def test_predictions_that_are_not_finite_are_drawn_without_a_line() -> None:
    (panel,) = drawn(model(np.nan), data()).axes
    assert max(len(np.asarray(p.vertices)) for c in panel.collections for p in c.get_paths()) <= 40


def test_a_model_of_other_classes_or_columns_is_refused() -> None:
    swapped = Dataset(ROWS, np.array((0, 0, 1, 0)), ("right", "left"))
    with pytest.raises(DataError, match="classes"):
        plots.decision_boundary(model(), swapped, title="x")


def test_a_constant_feature_has_a_boundary_of_some_width() -> None:
    rows = np.column_stack([ROWS[:, 0], np.ones(len(ROWS), ROWS.dtype)])
    constant = Dataset(rows, np.array((0, 0, 1, 0)), ("left", "right"))
    (panel,) = drawn(model(), constant).axes
    low, high = panel.get_ylim()
    assert low < 1.0 < high


def test_other_rows_are_refused() -> None:
    with pytest.raises(DataError, match=r"two floating-point features .* got float32 of shape"):
        plots.decision_boundary(model(), sine(5, test_rows=1).train, title="x")
    regression = Dataset(ROWS, np.zeros((4, 1)), name="x")
    with pytest.raises(DataError, match="classes for a decision boundary"):
        plots.decision_boundary(model(), regression, title="x")
