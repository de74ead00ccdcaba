"""States of callbacks and metrics come back from a checkpoint as they were."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS
from tests.training.helpers import StopAfter, StopAt, Watcher, steps_kept, stoppable, trainer

from handloom import ConfigurationError, EarlyStopping, History
from handloom.training import Measurement, TrainingState
from handloom.training.preparation import PreparedTraining
from handloom.training.serialization import pack, unpack


class Odd(Watcher):
    """Has a state of every kind that a checkpoint holds."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        return {
            "best": -math.inf,
            "nan": math.nan,
            "count": np.int64(3),
            "rate": np.float32(0.5),
            "a": {"b": np.arange(3), "c": [np.ones(2), {"d": None}]},
            "a.b": np.arange(4.0),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.state = dict(state)


def test_a_state_may_hold_infinity_nested_arrays_and_dots(tmp_path: Path) -> None:
    trainer(tmp_path, Odd(), EarlyStopping("loss", patience=math.inf), StopAt(4)).fit(ROWS)
    odd = Odd()
    trainer(tmp_path, odd, EarlyStopping("loss", patience=math.inf)).fit(ROWS, resume=True)
    state = odd.state
    assert state["best"] == -math.inf
    assert math.isnan(state["nan"])
    assert (state["count"], state["rate"]) == (3, 0.5)
    np.testing.assert_array_equal(state["a"]["b"], [0, 1, 2])
    np.testing.assert_array_equal(state["a"]["c"][0], [1, 1])
    assert state["a"]["c"][1] == {"d": None}
    np.testing.assert_array_equal(state["a.b"], [0, 1, 2, 3])


@pytest.mark.parametrize("value", [{1, 2}, np.array(["a"]), np.array([1j]), object(), {1: 2}])
def test_a_state_that_no_checkpoint_can_hold_is_refused_by_its_place(
    tmp_path: Path, value: Any
) -> None:
    class Holds(Watcher):
        def state_dict(self) -> dict[str, Any]:
            return {"deep": [{"er": value}]}

    with pytest.raises(ConfigurationError, match=r"callbacks\.Holds\.state\.deep\.0\.er"):
        trainer(tmp_path, Holds()).fit(ROWS)


def test_arrays_whose_names_would_clash_are_all_kept() -> None:
    one, two, three = np.ones(1), np.full(1, 2.0), np.full(1, 3.0)
    arrays: dict[str, Any] = {}
    packed = pack({"a.b'": one, "a": {"b": two}, "a.b": three}, arrays)
    unpacked = unpack(packed, arrays)
    assert (unpacked["a.b'"], unpacked["a"]["b"], unpacked["a.b"]) == (one, two, three)
    with pytest.raises(ConfigurationError, match="MaskedArray"):
        pack({"a": np.ma.masked_array([1.0], [True])}, {})


def test_a_figure_that_is_not_a_number_in_the_middle_of_an_epoch_is_kept(tmp_path: Path) -> None:
    class Records(Watcher):
        def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
            state.record("odd", math.nan if state.progress.steps < 6 else 1.0)

    trainer(tmp_path, Records(), StopAt(4)).fit(ROWS)
    assert steps_kept(tmp_path) == [4]
    history = trainer(tmp_path, Records()).fit(ROWS, resume=True)
    np.testing.assert_array_equal(history["odd"], [math.nan, 1.0, 1.0])


def test_a_schedule_may_give_numbers_of_numpy(tmp_path: Path) -> None:
    rates = np.full(100, 0.01, np.float32)
    history = trainer(tmp_path, learning_rate=lambda step: rates[step], every=1).fit(ROWS)
    assert steps_kept(tmp_path) == [3, 6, 9]
    assert type(history.records[0].learning_rate) is float
    assert History.from_json(history.to_json()).records == history.records


def test_figures_that_are_not_finite_are_kept_too(tmp_path: Path) -> None:
    class Spoil(StopAfter):
        def run_epoch(self, prepared: PreparedTraining) -> None:
            super().run_epoch(prepared)
            records = prepared.state.history.records
            records[-1] = replace(records[-1], validation_loss=float("nan"))

    made = stoppable(tmp_path)
    made.__class__ = Spoil
    made.fit(ROWS, HELD_OUT)
    history = stoppable(tmp_path).fit(ROWS, HELD_OUT, resume=True)
    assert np.isnan(history["validation_loss"]).all()
    assert len(history) == 4
