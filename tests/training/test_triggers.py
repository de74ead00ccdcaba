"""Checkpoints are written when they are due: every few epochs, minutes, or by a rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import ROWS
from tests.training.helpers import Watcher, steps_kept, stoppable, trainer

from handloom import Checkpoints, ConfigurationError
from handloom.training import TrainingState


def test_checkpoints_are_written_every_few_epochs_and_the_last_are_kept(
    tmp_path: Path,
) -> None:
    seen: list[list[int]] = []

    class Look(Watcher):
        def on_epoch_end(self, **_: Any) -> None:
            seen.append(steps_kept(tmp_path))

    stoppable(tmp_path, every=2, epochs=7, callbacks=(Look(),)).fit(ROWS)
    # five steps an epoch; a look is before the checkpoint of its epoch
    assert seen == [[], [], [10], [10], [10, 20], [10, 20], [20, 30]]
    assert steps_kept(tmp_path) == [30, 35]


def test_checkpoints_are_written_every_so_many_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: Iterator[float] = iter(range(10**6))
    monkeypatch.setattr("handloom.training.triggers.time.monotonic", lambda: next(ticks))
    monkeypatch.setattr("handloom.training.epoch.CALL_SECONDS", 0.0)
    # six ticks: one per call, per epoch and per save
    stoppable(tmp_path, every="0.1m", epochs=2).fit(ROWS)
    assert steps_kept(tmp_path) == [5, 10]


@pytest.mark.parametrize("every", [0, -1, "", "m", "²", "٣m", "0m", "-5m", "5h", "ab", "1.5", 2.5])
def test_a_frequency_that_means_nothing_is_refused(every: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"every|minutes"):
        Checkpoints(tmp_path, every=every)


def test_a_trigger_may_have_any_attributes(tmp_path: Path) -> None:
    @dataclass
    class WhenAFileAppears:
        path: Path
        rows: np.ndarray

        def reset(self, state: TrainingState) -> None: ...

        def due(self, state: TrainingState) -> bool:
            return self.path.exists()

    every = WhenAFileAppears(tmp_path / "now", np.arange(3))
    trainer(tmp_path / "run", every=every).fit(ROWS)
    assert steps_kept(tmp_path / "run") == [9]
