"""GridPredictions callback: predictions on a grid of one or two inputs, over the epochs."""

import math
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, DivergenceWarning, require_instance
from handloom.parameters import Array
from handloom.secondary import Secondary
from handloom.training.boundary import grid_axes, grid_rows, has_grid
from handloom.training.callbacks.base import Callback
from handloom.training.grid_frames import LEVELS, GridFrames
from handloom.training.history import EpochRecord
from handloom.training.state import TrainingState

PER_DOUBLING = 3
"""The number of recorded epochs for each doubling of their number."""

PROBABILITIES = ("softmax", "sigmoid")
"""The output activations whose predictions are probabilities."""


def is_recorded(epoch: int) -> bool:
    """Return whether the network is recorded after some epochs: 1, 2, 3, 4, 5, 6, 8, 10, 13, ..."""
    power = round(PER_DOUBLING * math.log2(max(epoch, 1)))
    return epoch == round(math.pow(2.0, power / PER_DOUBLING))


class GridPredictions(Callback):
    """Keeps the predictions for a grid of one or two inputs, before training and after epochs.

    A report shows them: the decision boundary over the epochs, or the curve of a single input. The
    epochs are 1, 2, 3, 4, 5, 6, 8, 10, 13, 16 and so on, three for each doubling, and the last one;
    the weights are those that are validated. A frame of two inputs takes 4 KB for each output.

    Parameters
    ----------
    data : Dataset
        The training rows, of one or two floating-point features; the grid is around them.

    Raises
    ------
    ConfigurationError
        If rows have another shape.
    """

    changes_results: ClassVar[bool] = False

    def __init__(self, data: Dataset) -> None:
        require_instance("data of GridPredictions", data, Dataset)
        if not has_grid(data.input_shape, data.inputs.dtype, data.columns):
            raise ConfigurationError(
                "data of GridPredictions must have one or two floating-point features, and no "
                f"categories or missing values, got {data.inputs.dtype} of shape "
                f"{data.input_shape}"
            )
        self._axes = grid_axes(np.asarray(data.inputs[:]))
        self._frames: dict[int, npt.NDArray[np.generic]] = {}

    @property
    def frames(self) -> GridFrames | None:
        """The recorded predictions; None before a training."""
        if not self._frames:
            return None
        epochs = sorted(self._frames)
        return GridFrames(
            np.array(epochs, np.int64),
            self._axes,
            np.stack([self._frames[epoch] for epoch in epochs]),
        )

    def check(self, *, state: TrainingState) -> None:
        """Refuse a network of another number of inputs.

        Raises
        ------
        ConfigurationError
            With both numbers.
        """
        if state.model.row_shape != (len(self._axes),):
            raise ConfigurationError(
                f"data of GridPredictions must be the training rows, got rows of shape "
                f"{(len(self._axes),)}, expected {state.model.row_shape}"
            )

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Forget an earlier training, and record the network before the first epoch."""
        self._frames = {}
        self._recording = Secondary("the predictions on a grid lack epochs")
        self._last: tuple[int, Array] | None = None
        if state.progress.epoch_steps == 0:
            self._record(state, state.progress.epoch, state.validated_weights)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Record an epoch that is due; if that fails, warn and go on."""
        epoch, self._last = record.epoch + 1, None
        if is_recorded(epoch):
            self._record(state, epoch, state.validated_weights)
        else:
            self._last = (epoch, state.validated_weights.copy())  # in case it is the last one

    def on_train_end(self, *, state: TrainingState) -> None:
        """Record the last epoch, whose weights may have been replaced by better ones."""
        if self._last is not None:
            self._record(state, *self._last)

    def _record(self, state: TrainingState, epoch: int, weights: Array) -> None:
        with self._recording:
            self._frames[epoch] = self._predicted(state, weights)

    def _predicted(self, state: TrainingState, weights: Array) -> npt.NDArray[np.generic]:
        model = state.model
        with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
            warnings.simplefilter("ignore", DivergenceWarning)
            predict = partial(model.predict, grid_rows(self._axes))
            predicted = state.parameters.with_values(weights, predict)
        grid = predicted.reshape(*(len(axis) for axis in reversed(self._axes)), -1)
        if model.predicts_classes or model.output_activation in PROBABILITIES:
            return np.round(LEVELS * np.nan_to_num(grid)).astype(np.uint8)
        return grid.astype(np.float32)

    def state_dict(self) -> dict[str, Any]:
        """Return the frames."""
        frames = self.frames
        if frames is None:
            return {}
        return {"epochs": frames.epochs, "predictions": frames.predictions}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the frames that `state_dict` returned."""
        if state:
            epochs = state["epochs"].tolist()
            self._frames = dict(zip(epochs, state["predictions"], strict=True))
