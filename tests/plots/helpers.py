"""Histories and images to draw, and the texts of a figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from handloom import plots
from handloom.data.dataset import Dataset
from handloom.metrics import confusion_matrix
from handloom.training.evaluation import Evaluation
from handloom.training.history import EpochRecord, History

NAMES = ("cat", "dog", "$fox$")
WHERE = "pets-3"


def history(losses: Sequence[float], *, validated: bool = False) -> History:
    """A history with these losses; the accuracy is high where the loss is low."""
    made = History()
    for epoch, loss in enumerate(losses):
        accuracy = 0.9 / (1.0 + loss)
        made.records.append(
            EpochRecord(
                epoch=epoch,
                loss=loss,
                data_loss=loss,
                penalty=0.0,
                accuracy=accuracy,
                learning_rate=0.1 / (1 + epoch),
                seconds=0.5,
                validation_loss=1.1 * loss if validated else None,
                validation_accuracy=0.9 * accuracy if validated else None,
            )
        )
    return made


def recording(made: History) -> History:
    """The same history with a figure that a callback recorded in every other epoch."""
    for epoch, record in enumerate(made.records):
        if epoch % 2 == 0:
            record.recorded["top5"] = 0.5 + epoch / 20  # type: ignore[index]
    return made


def falling(epochs: int, start: float = 2.3) -> list[float]:
    return [0.4 + (start - 0.4) * 0.8**epoch for epoch in range(epochs)]


def dataset(rows: int = 12, shape: tuple[int, int] = (5, 7)) -> Dataset:
    images = np.arange(rows * shape[0] * shape[1]).reshape(rows, *shape) % 256
    return Dataset(images.astype(np.uint8), np.arange(rows) % 3, NAMES, WHERE)


def evaluation(
    matrix: npt.NDArray[np.int64] | None = None,
    *,
    probabilities: npt.ArrayLike | None = None,
    names: Sequence[str] = NAMES,
    where: str = WHERE,
) -> Evaluation:
    """The evaluation of predictions of the rows of `dataset`, or with this confusion matrix."""
    predicted = np.eye(len(names)) if probabilities is None else np.asarray(probabilities)
    targets = np.arange(len(predicted)) % len(names)
    if matrix is None:
        matrix = confusion_matrix(targets, predicted.argmax(axis=1), len(names))
    return Evaluation(
        0.5, 0.5, predicted, matrix, class_names=tuple(names), targets=targets, dataset=where
    )


def texts(figure: Figure) -> str:
    objects = figure.findobj(Text)
    return "\n".join(text.get_text() for text in objects if isinstance(text, Text))


def pixels(figure: Figure) -> npt.NDArray[Any]:
    """The array that the first panel shows."""
    return np.asarray(figure.axes[0].images[0].get_array())


def render(figure: Figure) -> Figure:
    figure.draw_without_rendering()
    return figure


def curves(*histories: History, from_epoch: int = 0) -> Figure:
    return plots.history(histories, title="small", dataset=WHERE, from_epoch=from_epoch)


def assert_shows(axes: Axes, values: Sequence[float]) -> None:
    """The vertical axis covers the values, and is at most twice as long as they need."""
    low, high = axes.get_ylim()
    assert low <= min(values)
    assert max(values) <= high
    assert high - low < 2 * (max(values) - min(values))
