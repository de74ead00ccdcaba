"""LayerNorms callback: l2 norms of each layer's weights, gradients and updates, per epoch."""

from collections.abc import Mapping
from typing import Any, ClassVar

from handloom.parameters import Parameters, l2_norm
from handloom.secondary import Secondary
from handloom.training.callbacks.base import Callback
from handloom.training.history import EpochRecord, LayerRecord
from handloom.training.state import TrainingState


class LayerNorms(Callback):
    """Keeps the l2 norms of each array of weights in ``history.layer_norms``; see `LayerRecord`.

    An update norm of about a thousandth of the weights' norm is usual; a layer whose gradient is
    zero does not learn.
    """

    changes_results: ClassVar[bool] = False

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Reset the state of an earlier training."""
        self._state, self._restored = state, dict[str, Any]()
        self._measuring = Secondary("history.layer_norms lacks epochs")

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Measure every array that is trained; if that fails, warn and go on."""
        with self._measuring:
            state.history.layer_norms.extend(self._measured(state, record.epoch))

    def _measured(self, state: TrainingState, epoch: int) -> list[LayerRecord]:
        parameters = state.network.parameters
        before = parameters.views(state.good_weights)  # those before the epoch's first update
        gradients = _gradients(parameters)
        if (
            self._restored.get("steps") == state.progress.steps
        ):  # stopped after the last step of the epoch
            gradients = self._restored["gradients"]
        records = []
        for name, gradient in gradients.items():
            weights = parameters.weights[name]
            update = l2_norm((weights - before[name]).reshape(-1))
            norm = l2_norm(weights.reshape(-1))
            records.append(LayerRecord(epoch, name, norm, gradient, update))
        return records

    def state_dict(self) -> dict[str, Any]:
        """Return the gradient norms of the latest step; a checkpoint has no gradients."""
        parameters = self._state.network.parameters
        return {"steps": self._state.progress.steps, "gradients": _gradients(parameters)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the state that `state_dict` returned."""
        self._restored = dict(state)


def _gradients(parameters: Parameters) -> dict[str, float]:
    return {name: l2_norm(array.reshape(-1)) for name, array in parameters.gradients.items()}
