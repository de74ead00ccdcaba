"""A unit is dead if it is 0 for every one of many rows, not only for those first measured."""

from collections.abc import Callable
from itertools import count

import numpy as np
import pytest

from handloom import SGD, Dataset, Dense, Dropout, History, ReLU, Sequential, Trainer
from handloom.training import probe
from handloom.training.dead_units import dead_fractions
from handloom.training.findings import findings


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SHORT_SECONDS", 1e9)


def rare_rows() -> Dataset:
    """Return 8,000 rows; the first feature is above 0 in ten that the first search does not see."""
    x = np.random.default_rng(0).standard_normal((8000, 4)).astype("float32")
    x[:, 0] = -1.0
    seen, sought = (np.linspace(0, 7999, rows).astype(int) for rows in (256, 4096))
    x[np.setdiff1d(sought, seen)[::400], 0] = 1.0
    return Dataset(x, (x[:, 1] > 0).astype(int))


def fitted(*, scale: float = 1.0, bias: float = 0.0, epochs: int = 1) -> History:
    """Train a network whose 8 units see the first feature alone, at a rate that changes nothing."""
    made = Sequential([Dense(8), ReLU(), Dropout(0.5), Dense(2)]).build((4,), seed=0)
    weights = made.get_weights()
    weights["0.dense.weights"] = np.zeros((4, 8), np.float32)
    weights["0.dense.weights"][0] = scale * np.linspace(0.5, 1.0, 8)
    weights["0.dense.biases"] = np.full(8, bias, np.float32)
    made.set_weights(weights)
    return Trainer(made, SGD(), 1e-9, epochs=epochs, batch_size=80).fit(rare_rows())


def test_units_that_are_active_for_rare_rows_are_not_dead() -> None:
    done = fitted()
    assert done.diagnosis is not None
    (record,) = done.layers
    assert record.layers[1].dead == 0.0
    assert record.dead_rows > done.diagnosis.rows == 256


def test_units_that_are_dead_on_many_rows_are_named_with_their_number() -> None:
    done = fitted(bias=-10.0)
    (record,) = done.layers
    assert (record.layers[1].dead, record.dead_rows) == (1.0, 4096)
    assert any("output 0 for all 4,096 rows measured" in str(each) for each in findings(done))
    assert "every one of 4,096 rows" in record._repr_html_()
    again = History.from_json(done.to_json())
    assert again.layers == done.layers


def test_where_no_unit_is_dead_on_the_sample_no_more_rows_are_read() -> None:
    done = fitted(scale=-1.0)
    (record,) = done.layers
    assert (record.layers[1].dead, record.dead_rows) == (0.0, 256)


def test_without_time_the_first_rows_are_measured_alone() -> None:
    made = Sequential([Dense(3), ReLU(), Dense(2)]).build((4,), seed=0)
    x = np.zeros((10, 4), np.float32)
    fractions, rows = dead_fractions(made.replica(), [x, x], go_on=lambda: False)
    assert (fractions, rows) == ({"1.relu": 1.0}, 10)
    fractions, rows = dead_fractions(made.replica(), [x, x], go_on=lambda: True)
    assert (fractions, rows) == ({"1.relu": 1.0}, 20)


def test_the_search_leaves_time_for_the_measurements_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def take_all(*_: object, go_on: Callable[[], bool]) -> tuple[dict[str, float], int]:
        while go_on():
            pass
        return {}, 256

    clock = count()
    monkeypatch.setattr(probe, "SHORT_SECONDS", 0.02)
    monkeypatch.setattr("time.thread_time", lambda: 1e-4 * next(clock))
    monkeypatch.setattr(probe, "dead_fractions", take_all)
    done = fitted(bias=-10.0, epochs=5)
    assert [record.epoch + 1 for record in done.layers] == [1, 2, 4, 5]


def test_a_large_network_is_measured_on_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SEARCH_PRODUCTS", 58 * 1100)  # 58 weights
    (record,) = fitted(bias=-10.0).layers
    assert record.dead_rows == 1024
