"""A time limit ends a training after a whole step, and a resume continues it."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, network

from handloom import SGD, Checkpoints, ConfigurationError, StopReason, TimeLimit, Trainer
from handloom.training import Callback, EpochRecord, TrainingState

TINY = 1e-9
"""Over after the first step."""


def trainer(limit: float, epochs: int = 3, **options: Any) -> Trainer:
    made, batch_size = network(ROWS), options.pop("batch_size", 8)
    return Trainer(
        made, SGD(), 0.05, epochs=epochs, batch_size=batch_size, callbacks=[TimeLimit(limit)],
        **options,
    )  # fmt: skip


def test_training_ends_after_a_whole_step_in_time() -> None:
    made = trainer(0.2, epochs=10**7)
    begun = time.perf_counter()
    history = made.fit(ROWS, HELD_OUT)
    assert 0.2 <= time.perf_counter() - begun < 20  # far from 10 million epochs
    assert history.stop_reason is StopReason.TIME_LIMIT
    assert history.ended == f"stopped after {len(history)} epochs: time limit reached"
    assert made.state.at_step_boundary


def test_at_least_one_step_is_made() -> None:
    made = trainer(TINY)
    history = made.fit(ROWS)
    assert made.state.progress.steps == 1
    assert (len(history), history.stopped_in) == (0, 0)
    assert history.stop_reason is StopReason.TIME_LIMIT


def test_an_epoch_whose_steps_are_done_is_complete() -> None:
    history = trainer(TINY, batch_size=None).fit(ROWS, HELD_OUT)
    assert len(history) == 1
    assert history.validated
    assert history.stopped_in is None
    assert history.stop_reason is StopReason.TIME_LIMIT


def test_a_training_that_is_done_has_all_its_epochs() -> None:
    history = trainer(TINY, epochs=1, batch_size=None).fit(ROWS)
    assert history.stop_reason is StopReason.MAX_EPOCHS
    assert trainer(1e6).fit(ROWS).stop_reason is StopReason.MAX_EPOCHS


def test_resumes_end_where_an_uninterrupted_training_ends(tmp_path: Path) -> None:
    whole = trainer(1e6)
    expected = whole.fit(ROWS, HELD_OUT)
    checkpoints = Checkpoints(tmp_path)
    parts = 0
    while True:
        part = trainer(TINY, checkpoints=checkpoints)
        history = part.fit(ROWS, HELD_OUT, resume=True)
        parts += 1
        if history.stop_reason is StopReason.MAX_EPOCHS:
            break
        assert not history.stop_reason.final  # type: ignore[union-attr]
        if parts == 2:
            trainer(1e6, checkpoints=checkpoints).fit(ROWS, HELD_OUT, resume=True)  # another limit
    assert parts > 2
    assert np.array_equal(part.network.parameters.values, whole.network.parameters.values)
    assert history["validation_loss"].tolist() == expected["validation_loss"].tolist()


def test_the_shortest_limit_counts_and_an_earlier_reason_is_kept() -> None:
    class Enough(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            state.stop(StopReason.EARLY_STOPPING)

    two = [TimeLimit(1e6), TimeLimit(TINY)]
    history = Trainer(network(ROWS), SGD(), 0.05, epochs=3, batch_size=8, callbacks=two).fit(ROWS)
    assert history.stop_reason is StopReason.TIME_LIMIT
    both = [Enough(), TimeLimit(TINY)]
    history = Trainer(network(ROWS), SGD(), 0.05, epochs=3, callbacks=both).fit(ROWS)
    assert history.stop_reason is StopReason.EARLY_STOPPING


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), "3", True])
def test_limits_that_mean_nothing_are_refused(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="seconds must be a finite number above 0"):
        TimeLimit(seconds)
