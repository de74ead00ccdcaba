"""Confusion and mistakes are drawn with their names and counts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.data.helpers import images
from tests.plots.helpers import NAMES, WHERE, dataset, evaluation, pixels, render, texts

from handloom import Adam, Dataset, Dense, Model, ReLU, Sequential, Trainer, evaluate, plots, spiral
from handloom.errors import ConfigurationError, DataError
from handloom.metrics import confusion_matrix
from handloom.training.evaluation import Evaluation


def trained_on_spiral() -> Model:
    network = Sequential([Dense(8), ReLU(), Dense(3)]).build((2,), seed=0)
    trainer = Trainer(network, Adam(), 0.01, epochs=1, batch_size=20)
    trainer.fit(spiral(40, test_rows=8).train)
    return trainer.model()


class TestConfusion:
    def test_shows_counts_recall_and_precision(self) -> None:
        matrix = confusion_matrix(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 3)
        figure = render(plots.confusion(evaluation(matrix), title="small"))
        (axes,) = figure.axes
        written = {text.get_position(): text.get_text() for text in axes.texts}
        assert written[1, 1] == "2"
        assert written[1, 0] == "1"  # of class 0, called class 1
        assert written[3, 0] == "50.0 %"
        assert written[1, 3] == "66.7 %"
        assert written[2, 3] == written[3, 2] == "none"
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
        assert axes.get_title() == "75.0 % of 4 correct"
        assert figure.get_suptitle() == "pets-3: small"

    def test_of_nothing(self) -> None:
        empty = np.zeros((3, 3), np.int64)
        assert "no rows" in texts(plots.confusion(evaluation(empty)))

    def test_of_a_model_is_that_of_its_evaluation(self) -> None:
        data, model = spiral(40, test_rows=8), trained_on_spiral()
        both = plots.confusion(model, data.test), plots.confusion(evaluate(model, data.test))
        assert texts(both[0]) == texts(both[1])
        assert both[0].get_suptitle() == "spiral: confusion matrix"

    def test_says_what_is_missing(self) -> None:
        with pytest.raises(ConfigurationError, match=r"pass \(model, data\), or the result of"):
            plots.confusion(trained_on_spiral())
        with pytest.raises(ConfigurationError, match="must be a Dataset, got Splits"):
            plots.confusion(trained_on_spiral(), spiral(9))  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="model must be a Model, got Sequential"):
            plots.confusion(trained_on_spiral().network, spiral(9).test)  # type: ignore[arg-type]

    def test_refuses_a_regression(self) -> None:
        regression = Evaluation(0.1, np.nan, np.empty((3, 0)), np.empty((0, 0), np.int64))
        with pytest.raises(DataError, match="must be of classes, got continuous targets"):
            plots.confusion(regression)


class TestConfidentMistakes:
    def draw(self, probabilities: Sequence[Sequence[float]], count: int = 20) -> Figure:
        samples = dataset(rows=len(probabilities))
        return render(
            plots.mistakes(
                evaluation(probabilities=probabilities), samples, title="small", count=count
            )
        )

    def test_orders_by_confidence_and_says_what_was_taken_for_what(self) -> None:
        figure = self.draw([[0.1, 0.6, 0.3], [0.0, 1.0, 0.0], [0.9999, 0.0, 0.0001]])
        drawn = [(axes.get_title(), axes.get_xlabel()) for axes in figure.axes if axes.images]
        assert drawn == [
            ("pred. cat > 99.9 %", "true $fox$ 0.0 %"),
            ("pred. dog 60.0 %", "true cat 10.0 %"),
        ]
        assert [text for text in texts(figure).split("\n") if text.startswith("row")] == [
            "row 2",
            "row 0",
        ]
        assert figure.get_suptitle() == "pets-3: small\nthe most confident of 2 mistakes"

    @pytest.mark.parametrize(
        ("name", "caption"),
        [
            ("Ankle boot", "pred. Ankle boot\n> 99.9 %"),
            ("a name too long for a line", "pred. a name to...r a line\n> 99.9 %"),
        ],
    )
    def test_a_caption_has_two_lines_if_its_name_is_long(self, name: str, caption: str) -> None:
        wrong = evaluation(probabilities=[[0.0001, 0.9999, 0.0]], names=["a", name, "c"])
        figure = render(plots.mistakes(wrong, dataset(rows=1), title="small"))
        assert figure.axes[0].get_title() == caption
        assert figure.axes[0].get_xlabel() == "true a 0.0 %"

    @pytest.mark.parametrize("shape", [(3, 9, 7), (4, 96, 64), (3, 700, 500)])
    def test_shows_colors(self, shape: tuple[int, ...], tmp_path: Path) -> None:
        inputs, targets = images(3, *shape), np.arange(3)
        wrong = evaluation(probabilities=np.roll(np.eye(3), 1, axis=1))
        figure = plots.mistakes(wrong, Dataset(inputs, targets, NAMES, WHERE))
        first = pixels(figure)
        assert first.shape[2] == 3
        assert max(first.shape) <= 480
        if shape == (3, 9, 7):
            np.testing.assert_array_equal(first, np.moveaxis(inputs[0], 0, -1))
        plots.save(figure, tmp_path / "mistakes.png")
        assert (tmp_path / "mistakes.png").stat().st_size < 1_000_000

    def test_refuses_images_of_two_channels(self) -> None:
        with pytest.raises(DataError, match=r"3 \(RGB\) or 4 \(RGBA\), got uint8"):
            plots.mistakes(evaluation(), Dataset(images(3, 2, 9, 9), np.arange(3), NAMES))

    def test_draws_no_more_than_asked(self) -> None:
        figure = self.draw([[0.0, 0.0, 1.0]] * 2 + [[1.0, 0.0, 0.0]] * 10, count=6)
        assert sum(bool(axes.images) for axes in figure.axes) == 6

    def test_says_when_there_is_none(self) -> None:
        figure = self.draw(np.eye(3).tolist())
        assert "no mistake in 3 images" in texts(figure)
        assert WHERE in figure.get_suptitle()

    def test_refuses_rows_of_another_evaluation(self) -> None:
        with pytest.raises(DataError, match="must be the 3 rows of the evaluation, got 4"):
            plots.mistakes(evaluation(), dataset(rows=4))
