"""Measurements of each layer: the norms of its weights, gradients and updates, epoch by epoch."""

from typing import ClassVar

from handloom.parameters import Array, l2_norm
from handloom.training.callbacks.base import Callback
from handloom.training.history import EpochRecord, LayerRecord
from handloom.training.state import TrainingState


class LayerNorms(Callback):
    """Keeps the l2 norms of each array of weights in ``history.layers``; see `LayerRecord`.

    A layer whose update is a thousandth of its weights learns at a usual pace; one whose gradient
    is zero does not learn at all.
    """

    changes_results: ClassVar[bool] = False

    def __init__(self) -> None:
        self._before: dict[str, Array] = {}

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Keep the weights that training begins with."""
        self._before = _copies(state)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Measure every array that is trained."""
        parameters = state.network.parameters
        for name, gradient in parameters.gradients.items():
            weights = parameters.weights[name]
            state.history.layers.append(
                LayerRecord(
                    record.epoch,
                    name,
                    l2_norm(weights.reshape(-1)),
                    l2_norm(gradient.reshape(-1)),
                    l2_norm((weights - self._before[name]).reshape(-1)),
                )
            )
        self._before = _copies(state)


def _copies(state: TrainingState) -> dict[str, Array]:
    parameters = state.network.parameters
    return {name: parameters.weights[name].copy() for name in parameters.gradients}
