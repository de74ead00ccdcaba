"""The learning rate falls where a metric stands still, and a resume knows where it was."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, network
from tests.training.helpers import StopAfter, figures, stoppable

from handloom import (
    SGD,
    Callback,
    ConfigurationError,
    InverseTimeDecay,
    MLPClassifier,
    Progress,
    ReduceOnPlateau,
    Trainer,
)
from handloom.schedules import Schedule
from handloom.training import EpochRecord, Measurement, TrainingState


class Script(Callback):
    """Records a metric of some values."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def on_validation_end(self, *, state: TrainingState, measured: Measurement) -> None:
        state.record("scripted", self.values[state.progress.epoch])


def rates_of(
    values: list[float], learning_rate: float | Schedule = 1.0, goal: Any = "low", **options: Any
) -> list[float]:
    """Return the learning rate of each epoch."""
    plateau = ReduceOnPlateau("scripted", goal=goal, **options)
    callbacks = [Script(values), plateau]
    trainer = Trainer(
        network(ROWS), SGD(), learning_rate, epochs=len(values), callbacks=callbacks, diagnose=False
    )
    rates: list[float] = trainer.fit(ROWS, HELD_OUT)["learning_rate"].tolist()
    return rates


def test_the_rate_is_reduced_when_patience_is_over() -> None:
    values = [3.0, 2.0, 2.5, 2.0, 1.9, 2.0, 2.0, 2.0, 2.0]
    # the best values are in the epochs 1, 2 and 5; after 4, 7 and 9 two epochs were no better
    expected = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert rates_of(values, patience=2) == expected


def test_a_reduction_after_the_last_epoch_is_not_announced() -> None:
    plateau = ReduceOnPlateau("scripted", goal="low", patience=2)
    options: dict[str, Any] = {
        "epochs": 3,
        "callbacks": [Script([1.0] * 3), plateau],
        "diagnose": False,
    }
    trainer = Trainer(network(ROWS), SGD(), 1.0, **options)
    trainer.fit(ROWS, HELD_OUT)
    assert trainer.state.rate_scale == 0.5  # for a resume with more epochs
    assert trainer.state.announcements == []


def test_in_a_cooldown_no_epoch_counts() -> None:
    values = [1.0] * 9
    # reduced after epoch 3; epochs 4 and 5 cool down, 6 and 7 count
    assert rates_of(values, patience=2, cooldown=2) == [
        1.0,
        1.0,
        1.0,
        0.5,
        0.5,
        0.5,
        0.5,
        0.25,
        0.25,
    ]


def test_a_gain_below_min_delta_does_not_count() -> None:
    values = [1.0, 0.95, 0.91, 0.89]
    assert rates_of(values, patience=1, min_delta=0.1) == [1.0, 1.0, 0.5, 0.25]


def test_the_rate_does_not_fall_below_the_minimum() -> None:
    rates = rates_of([1.0] * 6, 0.1, factor=0.3, patience=1, min_rate=0.02)
    assert rates == pytest.approx([0.1, 0.1, 0.03, 0.02, 0.02, 0.02])
    assert rates_of([1.0] * 4, 0.1, patience=1, min_rate=0.2) == [0.1] * 4


def test_a_high_metric_is_the_better_one_where_it_is_said() -> None:
    assert rates_of([0.5, 0.6, 0.7, 0.7], goal="high", patience=1) == [1.0, 1.0, 1.0, 1.0]
    assert rates_of([0.7, 0.6, 0.5, 0.5], goal="high", patience=1) == [1.0, 1.0, 0.5, 0.25]


def test_nan_is_no_improvement() -> None:
    assert rates_of([1.0, math.nan, math.nan, 1.0], patience=2) == [1.0, 1.0, 1.0, 0.5]


def test_a_schedule_is_scaled() -> None:
    schedule = InverseTimeDecay(1.0, 0.1)  # full batch: a step an epoch
    rates = rates_of([1.0] * 4, schedule, patience=1)
    scales = [1.0, 1.0, 0.5, 0.25]
    assert rates == pytest.approx([schedule(step) * s for step, s in enumerate(scales)], rel=1e-12)


def test_without_a_plateau_rates_are_those_of_the_schedule_to_the_bit() -> None:
    schedule = InverseTimeDecay(0.1, 0.37)
    values = [float(-epoch) for epoch in range(5)]
    assert rates_of(values, schedule) == [schedule(step) for step in range(5)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1.0}, "factor must be at least 0 and below 1, got 1.0"),
        ({"factor": 0.0}, "factor must be"),
        ({"patience": 0}, "patience must be"),
        ({"cooldown": -1}, "cooldown must be"),
        ({"min_rate": -0.1}, "min_rate must be"),
        ({"min_delta": -0.1}, "min_delta must be"),
        ({"monitor": "val_loss"}, "Did you mean 'validation_loss'"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ReduceOnPlateau(**options)


def test_a_metric_that_is_not_measured_is_refused_before_training() -> None:
    trainer = Trainer(network(ROWS), SGD(), 0.1, callbacks=[ReduceOnPlateau()])
    with pytest.raises(ConfigurationError, match="ReduceOnPlateau monitors 'validation_loss'"):
        trainer.fit(ROWS)


@pytest.mark.parametrize("last_step", [9, 40, 65])
def test_a_resume_continues_with_the_same_rates_to_the_bit(tmp_path: Path, last_step: int) -> None:
    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        plateau = ReduceOnPlateau(
            "accuracy", patience=1, factor=0.7, cooldown=1, min_delta=0.05, min_rate=1e-4
        )
        made = stoppable(
            folder, last_step=last_step, callbacks=(plateau,), learning_rate=0.01, epochs=20
        )
        made.fit(ROWS, resume=resume)
        made.plateau = plateau  # type: ignore[attr-defined]
        return made

    whole = run(tmp_path / "whole")
    steps = whole.state.progress.steps
    run(tmp_path / "cut", min(last_step, steps - 2))
    resumed = run(tmp_path / "cut", resume=True)
    assert len(set(whole.history["learning_rate"])) > 3  # it was reduced before and after
    assert figures(resumed.history) == figures(whole.history)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)
    assert resumed.state.rate_scale == whole.state.rate_scale < 1.0
    ours, theirs = (made.plateau.state_dict() for made in (resumed, whole))  # type: ignore[attr-defined]
    assert ours == theirs


def test_a_second_training_starts_with_the_whole_rate() -> None:
    plateau = ReduceOnPlateau("scripted", goal="low", patience=1)
    for _ in range(2):
        trainer = Trainer(
            network(ROWS), SGD(), 1.0, epochs=3, callbacks=[Script([1.0] * 3), plateau]
        )
        assert trainer.fit(ROWS, HELD_OUT)["learning_rate"].tolist() == [1.0, 1.0, 0.5]


@pytest.mark.parametrize("first", [True, False], ids=["progress first", "progress last"])
def test_progress_says_what_was_done(capsys: pytest.CaptureFixture[str], first: bool) -> None:
    own: list[Callback] = [Script([1.0] * 4), ReduceOnPlateau("scripted", goal="low", patience=2)]
    shown: list[Callback] = [Progress("mine", every=100)]
    callbacks = shown + own if first else own + shown
    Trainer(network(ROWS), SGD(), 0.01, epochs=4, callbacks=callbacks).fit(ROWS, HELD_OUT)
    lines = [line for line in capsys.readouterr().err.splitlines() if "reduced" in line]
    assert lines == [
        "mine  epoch 3: scripted has not improved for 2 epochs; the learning rate is reduced from "
        "0.01 to 0.005"
    ]


def test_a_callback_of_ones_own_may_scale_the_rate() -> None:
    class Halve(Callback):
        def on_epoch_end(self, *, state: TrainingState, **_: Any) -> None:
            state.rate_scale *= 0.5

    trainer = Trainer(network(ROWS), SGD(), 1.0, epochs=3, callbacks=[Halve()])
    assert trainer.fit(ROWS)["learning_rate"].tolist() == [1.0, 0.5, 0.25]
    with pytest.raises(ConfigurationError, match="rate_scale must be"):
        trainer.state.rate_scale = -1.0


def test_estimators_take_it_in_fit_and_refuse_it_in_partial_fit() -> None:
    exceptions = pytest.importorskip("sklearn.exceptions")
    x, y = ROWS.inputs, ROWS.targets
    plateau = ReduceOnPlateau("loss", patience=1, min_delta=10.0)
    rates: list[float] = []

    class Rates(Callback):
        changes_results = False

        def on_epoch_end(self, *, record: EpochRecord, **_: Any) -> None:
            rates.append(record.learning_rate)

    callbacks = [plateau, Rates()]
    model = MLPClassifier((4,), max_iter=4, tol=0.0, callbacks=callbacks, random_state=0)
    with pytest.warns(exceptions.ConvergenceWarning):
        model.fit(x, y)
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4], rel=1e-12)
    with pytest.raises(ValueError, match="ReduceOnPlateau in partial_fit"):
        MLPClassifier((4,), callbacks=[plateau]).partial_fit(x, y, classes=np.unique(y))
