"""Measurements of each layer: the norms of its weights, gradients and updates, epoch by epoch."""

from collections.abc import Mapping
from typing import Any, ClassVar

from handloom.parameters import Parameters, l2_norm
from handloom.training.callbacks.base import Callback
from handloom.training.history import EpochRecord, LayerRecord
from handloom.training.state import TrainingState


class LayerNorms(Callback):
    """Keeps the l2 norms of each array of weights in ``history.layers``; see `LayerRecord`.

    A layer whose update is a thousandth of its weights learns at a usual pace; one whose gradient
    is zero does not learn at all.
    """

    changes_results: ClassVar[bool] = False

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Forget an earlier training."""
        self._state, self._kept = state, dict[str, Any]()

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Measure every array that is trained."""
        parameters = state.network.parameters
        before = parameters.named(state.good_weights)  # those before the epoch's first update
        gradients = _gradients(parameters)
        if self._kept.get("steps") == state.progress.steps:  # a stop came after the last step
            gradients = self._kept["gradients"]
        for name, gradient in gradients.items():
            weights = parameters.weights[name]
            update = l2_norm((weights - before[name]).reshape(-1))
            norm = l2_norm(weights.reshape(-1))
            state.history.layers.append(LayerRecord(record.epoch, name, norm, gradient, update))

    def state_dict(self) -> dict[str, Any]:
        """Return the norms of the latest step's gradient, which a checkpoint does not hold."""
        parameters = self._state.network.parameters
        return {"steps": self._state.progress.steps, "gradients": _gradients(parameters)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._kept = dict(state)


def _gradients(parameters: Parameters) -> dict[str, float]:
    return {name: l2_norm(array.reshape(-1)) for name, array in parameters.gradients.items()}
