"""Callback that draws the curves in a notebook's cell while training runs."""

import time
from typing import Any, ClassVar

from handloom.errors import ConfigurationError, require_number
from handloom.secondary import Secondary, in_notebook
from handloom.training.callbacks.base import Callback
from handloom.training.history import EpochRecord, History
from handloom.training.state import TrainingState


class LivePlot(Callback):
    """Draws loss, accuracy and recorded metrics in the cell of a notebook, after epochs.

    They are drawn as a `History` is shown, in about a millisecond, without matplotlib. The last
    drawing stays. It cannot be used outside of a notebook; `Progress` can.

    Parameters
    ----------
    seconds : float
        The least time between two drawings.

    Raises
    ------
    ConfigurationError
        If ``seconds`` is negative; at the beginning of a training, if this is no notebook.
    """

    changes_results: ClassVar[bool] = False

    def __init__(self, *, seconds: float = 0.5) -> None:
        self.seconds = require_number("seconds", seconds, minimum=0.0)
        self._reset()

    def _reset(self) -> None:
        self._drawing = Secondary("the curves are not drawn")
        self._output: Any = None
        self._at = -self.seconds

    def __getstate__(self) -> dict[str, object]:
        """Return the state of a copy or a pickle, without the output of a cell."""
        return {**self.__dict__, "_output": None}

    def check(self, *, state: TrainingState) -> None:
        """Raise an error if there is no notebook to draw in."""
        if not in_notebook():
            raise ConfigurationError(
                "LivePlot draws in the cell of a notebook, and this is none: use Progress(), or "
                "handloom.plots.history(history) after the training"
            )

    def on_train_begin(self, *, state: TrainingState) -> None:
        """Make room in the output of the cell."""
        self._reset()
        self._draw(state.history)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        """Draw the epochs so far, unless that was done a moment ago."""
        if time.monotonic() - self._at >= self.seconds:
            self._draw(state.history)

    def on_train_end(self, *, state: TrainingState) -> None:
        """Draw all epochs."""
        self._draw(state.history)

    def _draw(self, history: History) -> None:
        with self._drawing:
            from IPython.display import display

            data = {"text/html": history._repr_html_(), "text/plain": history.ended}
            if self._output is None:
                self._output = display(data, raw=True, display_id=True)
            else:
                self._output.update(data, raw=True)
            self._at = time.monotonic()
