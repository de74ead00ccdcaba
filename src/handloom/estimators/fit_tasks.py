"""scikit-learn's callbacks (its ``set_callbacks``): a fit is a task, and each epoch a task of it.

scikit-learn has them since version 1.9. With an earlier one, estimators have no ``set_callbacks``.
"""

import copy
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from handloom.network import Sequential
from handloom.training import Callback, EpochRecord, StopReason, TrainingState

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    Method = TypeVar("Method", bound=Callable[..., Any])

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """There are no callbacks before scikit-learn 1.9."""

    def with_callbacks(method: Method) -> Method:
        """Return the method itself: there are no callbacks before scikit-learn 1.9."""
        return method


__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]


class FitTasks(Callback):
    """Tells scikit-learn's callbacks of the beginning and the end of a fit and of its epochs.

    Parameters
    ----------
    estimator : NetworkEstimator
        It has callbacks, or one that contains it has.
    tasks : int
        The maximum number of epochs, or of iterations of L-BFGS.
    attributes : callable
        ``attributes(network)`` returns the fitted attributes of an estimator of a network.
    X, y, sample_weight : arrays
        Passed on as they were passed to `fit`.
    """

    changes_results: ClassVar[bool] = False  # it can only end a fit

    def __init__(
        self,
        estimator: Any,
        tasks: int,
        attributes: Callable[[Sequential], dict[str, Any]],
        *,
        X: Any,
        y: Any,
        sample_weight: Any,
    ) -> None:
        self._attributes = attributes
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._passed = {"estimator": estimator, "X": X, "y": y, "metadata": weights}
        self._fit = estimator._init_callback_context(max_subtasks=tasks)
        self._epoch: Any = None
        self._fit.call_on_fit_task_begin(**self._passed)

    def on_epoch_begin(self, *, state: TrainingState) -> None:
        """Begin the task of an epoch."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._passed)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """End the task of an epoch, and training if a callback returns True."""
        epoch, self._epoch = self._epoch, None
        if self._end(epoch, state.network):
            state.stop(StopReason.EARLY_STOPPING)

    def end_iteration(self, network: Sequential) -> bool:
        """Begin and end the task of an iteration of L-BFGS; return whether the fit is to end."""
        iteration = self._fit.subcontext(task_name="iteration")
        iteration.call_on_fit_task_begin(**self._passed)
        return self._end(iteration, network)

    def end(self, network: Sequential) -> None:
        """End the task of the fit, and of an epoch that was not completed."""
        if self._epoch is not None:
            self._end(self._epoch, network)
        self._end(self._fit, network)

    def _end(self, task: Any, network: Sequential) -> bool:
        """End a task; a callback that asks for it gets an estimator with a copy of the network."""

        def fitted() -> dict[str, Any]:
            return self._attributes(copy.deepcopy(network))

        return bool(task.call_on_fit_task_end(**self._passed, reconstruction_attributes=fitted))
