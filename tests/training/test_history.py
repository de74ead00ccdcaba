"""Metrics that callbacks record are columns of the history like any others."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, short_trainer
from tests.training.helpers import trainer

from handloom import (
    BestWeights,
    Callback,
    Checkpoints,
    ConfigurationError,
    CSVLog,
    History,
    Progress,
    StopReason,
)
from handloom.training import Measurement, TrainingState


class Errors(Callback):
    """Records the fraction of wrong predictions on validation rows."""

    changes_results = False

    def on_validation_end(self, *, state: TrainingState, measured: Measurement) -> None:
        state.record("validation_error", 1.0 - measured.accuracy)


def test_a_recorded_figure_is_a_column_like_any_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, best = tmp_path / "log.csv", BestWeights("validation_error", goal="low")
    made = short_trainer(CSVLog(log), best, Progress(every=1), Errors(), epochs=4)
    history = made.fit(ROWS, HELD_OUT)
    np.testing.assert_allclose(
        history["validation_error"], 1.0 - history["validation_accuracy"], rtol=1e-12
    )
    assert best.epoch == int(history["validation_error"].argmin())
    assert log.read_text() == history.to_csv()
    (first, *_) = csv.DictReader(log.read_text().splitlines())
    assert float(first["validation_error"]) == history["validation_error"][0]
    assert "validation_error 0." in capsys.readouterr().err
    again = History.from_json(history.to_json())
    assert again.columns == history.columns
    np.testing.assert_array_equal(again["validation_error"], history["validation_error"])


def test_a_figure_that_is_recorded_now_and_then_is_nan_in_between(tmp_path: Path) -> None:
    class Odd(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            if state.progress.epoch % 2:
                state.record("odd", state.progress.epoch)

    log = tmp_path / "log.csv"
    history = short_trainer(Odd(), CSVLog(log), epochs=4).fit(ROWS)
    np.testing.assert_array_equal(history["odd"], [np.nan, 1.0, np.nan, 3.0])
    assert log.read_text() == history.to_csv()
    again = History.from_json(history.to_json())
    np.testing.assert_array_equal(again["odd"], history["odd"])


def test_a_figure_recorded_in_the_middle_of_an_epoch_survives_a_stop(tmp_path: Path) -> None:
    class Early(Callback):
        changes_results = False

        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.record("rate", 0.5 + state.progress.epoch)

    class Stop(Callback):
        changes_results = False

        def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
            if state.progress.steps == 3:
                state.stop(StopReason.INTERRUPTED)

    short_trainer(Early(), Stop(), checkpoints=Checkpoints(tmp_path)).fit(ROWS)
    history = short_trainer(Early(), checkpoints=Checkpoints(tmp_path)).fit(ROWS, resume=True)
    assert list(history["rate"]) == [0.5, 1.5]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("loss", 1.0, "'loss' is measured by the trainer"),
        ("top 5", 1.0, "must be a word"),
        ("a,b", 1.0, "must be a word"),
        ("", 1.0, "must be a word"),
        ("top5", "high", "top5 must be a number, got 'high'"),
        ("top5", True, "top5 must be a number"),
        ("top5", None, "top5 must be a number"),
    ],
)
def test_a_figure_that_no_column_can_hold_is_refused(name: str, value: Any, message: str) -> None:
    class Records(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.record(name, value)

    with pytest.raises(ConfigurationError, match=message):
        short_trainer(Records()).fit(ROWS)


@pytest.mark.parametrize(
    "value", [np.array([1.0, 2.0]), np.array([1.0]), 10**400, "1.5", np.bool_(1), 1j, None]
)
def test_a_recorded_figure_is_one_number(value: Any) -> None:
    class Records(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.record("mine", value)

    with pytest.raises(ConfigurationError, match="mine must be a number"):
        trainer(None, Records()).fit(ROWS)


def test_a_figure_cannot_be_recorded_after_the_last_epoch() -> None:
    class Late(Callback):
        def on_train_end(self, *, state: TrainingState) -> None:
            state.record("late", 1.0)

    with pytest.raises(ConfigurationError, match="late: training has ended"):
        trainer(None, Late()).fit(ROWS)
