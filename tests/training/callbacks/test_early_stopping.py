"""Early stopping ends a training when the metric has not improved for long enough."""

from typing import Any

import pytest
from tests.helpers.training import HELD_OUT, ROWS, network
from tests.training.helpers import trainer

from handloom import (
    SGD,
    BestWeights,
    Callback,
    ConfigurationError,
    EarlyStopping,
    History,
    StopReason,
    Trainer,
)
from handloom.training import EpochRecord, TrainingState


class Script(Callback):
    """Passes a callback some metrics."""

    def __init__(self, under_test: BestWeights, values: list[float]) -> None:
        self.under_test, self.values = under_test, values

    def on_train_begin(self, *, state: TrainingState) -> None:
        self.under_test.on_train_begin(state=state)

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        value = self.values[record.epoch]
        scripted = EpochRecord(record.epoch, value, value, 0.0, value, 0.1, 0.1, value, value)
        self.under_test.on_epoch_end(state=state, record=scripted)


def stopped_after(values: list[float], monitor: str = "loss", **options: float) -> History:
    stopping = EarlyStopping(monitor, **options)  # type: ignore[arg-type]
    script = Script(stopping, values)
    trainer = Trainer(network(ROWS), SGD(), 0.01, epochs=len(values), callbacks=[script])
    return trainer.fit(ROWS, HELD_OUT)


def test_early_stopping_waits_for_its_patience() -> None:
    history = stopped_after([3.0, 2.0, 2.5, 2.6, 2.7, 1.0], patience=3)
    assert (history.stop_reason, len(history)) == (StopReason.EARLY_STOPPING, 5)


def test_early_stopping_goes_on_while_there_is_a_better_figure() -> None:
    history = stopped_after([3.0, 2.0, 2.5, 1.9, 2.5, 1.8], patience=2)
    assert history.stop_reason is StopReason.MAX_EPOCHS


def test_a_gain_below_min_delta_does_not_count() -> None:
    assert len(stopped_after([3.0, 2.99, 2.98, 2.97], patience=2, min_delta=0.1)) == 3


def test_an_accuracy_is_best_large() -> None:
    assert len(stopped_after([0.5, 0.6, 0.7, 0.6, 0.6], "accuracy", patience=2)) == 5


def test_nan_is_never_the_best() -> None:
    stopping = EarlyStopping("loss", patience=2)
    script = Script(stopping, [float("nan"), 2.0, float("nan"), float("nan"), 1.0])
    history = Trainer(network(ROWS), SGD(), 0.01, epochs=5, callbacks=[script]).fit(ROWS)
    assert (stopping.epoch, stopping.value, len(history)) == (1, 2.0, 4)


def test_a_figure_may_be_recorded_in_some_epochs_only() -> None:
    class Third(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            if state.progress.epoch % 3 == 0:
                state.record("third", -state.progress.epoch)

    best = EarlyStopping("third", goal="high", patience=2)
    assert len(trainer(None, Third(), best, epochs=9).fit(ROWS)) == 7
    assert best.epoch == 0


@pytest.mark.parametrize("monitor", ["epoch", "seconds", "learning_rate", "bad name", 3])
def test_what_no_figure_can_be_is_not_watched(monitor: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown metric to monitor|must be a word"):
        EarlyStopping(monitor, goal="low")


def test_patience_counts_the_epochs_that_have_the_figure() -> None:
    class Second(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            if state.progress.epoch % 2 == 0:
                state.record("second", 1.0)

    stopping = EarlyStopping("second", goal="high", patience=3)
    assert len(trainer(None, Second(), stopping, epochs=20).fit(ROWS)) == 7
