"""Confusion and mistakes are drawn with their names and counts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.data.helpers import images
from tests.plots.helpers import NAMES, WHERE, dataset, pixels, render, texts

from handloom import plots
from handloom.errors import DataError
from handloom.metrics import confusion_matrix


class TestConfusion:
    def test_shows_counts_recall_and_precision(self) -> None:
        matrix = confusion_matrix(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 3)
        figure = render(plots.confusion(matrix, NAMES, title="small", dataset=WHERE))
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
        assert "no rows" in texts(plots.confusion(empty, NAMES, title="x", dataset=WHERE))

    def test_refuses_another_number_of_classes(self) -> None:
        with pytest.raises(DataError, match=r"3 classes must have shape \(3, 3\), got \(2, 2\)"):
            plots.confusion(np.eye(2, dtype=np.int64), NAMES, title="x", dataset=WHERE)


class TestConfidentMistakes:
    def draw(self, probabilities: Sequence[Sequence[float]], count: int = 20) -> Figure:
        samples = dataset(rows=len(probabilities))
        return render(
            plots.mistakes(
                samples.inputs,
                samples.targets,
                np.array(probabilities),
                NAMES,
                title="small",
                dataset=WHERE,
                count=count,
            )
        )

    def test_orders_by_confidence_and_says_what_was_taken_for_what(self) -> None:
        figure = self.draw([[0.1, 0.6, 0.3], [0.0, 1.0, 0.0], [0.9999, 0.0, 0.0001]])
        drawn = [(axes.get_title(), axes.get_xlabel()) for axes in figure.axes if axes.images]
        assert drawn == [
            ("pred. cat > 99.9 %", "true $fox$"),
            ("pred. dog 60.0 %", "true cat"),
        ]
        assert figure.get_suptitle() == "pets-3: small\nthe most confident of 2 mistakes"

    @pytest.mark.parametrize("shape", [(3, 9, 7), (4, 96, 64), (3, 700, 500)])
    def test_shows_colors(self, shape: tuple[int, ...], tmp_path: Path) -> None:
        inputs, targets = images(3, *shape), np.arange(3)
        figure = plots.mistakes(
            inputs, targets, np.roll(np.eye(3), 1, axis=1), NAMES, title="x", dataset=WHERE
        )
        first = pixels(figure)
        assert first.shape[2] == 3
        assert max(first.shape) <= 480
        if shape == (3, 9, 7):
            np.testing.assert_array_equal(first, np.moveaxis(inputs[0], 0, -1))
        plots.save(figure, tmp_path / "mistakes.png")
        assert (tmp_path / "mistakes.png").stat().st_size < 1_000_000

    def test_refuses_images_of_two_channels(self) -> None:
        with pytest.raises(DataError, match=r"3 \(RGB\) or 4 \(RGBA\), got uint8"):
            plots.mistakes(
                images(3, 2, 9, 9), np.arange(3), np.eye(3), NAMES, title="x", dataset=WHERE
            )

    def test_draws_no_more_than_asked(self) -> None:
        figure = self.draw([[0.0, 0.0, 1.0]] * 2 + [[1.0, 0.0, 0.0]] * 10, count=6)
        assert sum(bool(axes.images) for axes in figure.axes) == 6

    def test_says_when_there_is_none(self) -> None:
        figure = self.draw(np.eye(3).tolist())
        assert "no mistake in 3 images" in texts(figure)
        assert WHERE in figure.get_suptitle()

    def test_refuses_arrays_that_do_not_belong_together(self) -> None:
        with pytest.raises(DataError, match=r"\(2,\) and \(2, 3\), got"):
            self.draw([[0.5, 0.5], [0.5, 0.5]])
