"""Predictions on a grid over the epochs: which are recorded, of which weights, also by a resume."""

import time
from pathlib import Path

import numpy as np
import pytest

from handloom import (
    EMA,
    Adam,
    BestWeights,
    Callback,
    Checkpoints,
    ConfigurationError,
    Dense,
    GridPredictions,
    MeanSquaredError,
    Sequential,
    StopReason,
    Tanh,
    Trainer,
    moons,
    silhouettes,
    sine,
)
from handloom.layers import softmax
from handloom.training import EpochRecord, TrainingState
from handloom.training.boundary import boundary_grid, grid_axes, grid_rows
from handloom.training.callbacks.grid_predictions import is_recorded

DATA = moons(rows=60, test_rows=10)


def trainer(*callbacks: Callback, epochs: int = 7, **options: object) -> Trainer:
    network = Sequential([Dense(6), Tanh(), Dense(2)]).build((2,), seed=0)
    return Trainer(
        network,
        Adam(),
        1e-2,
        epochs=epochs,
        batch_size=20,
        callbacks=callbacks,
        **options,  # type: ignore[arg-type]
    )


def expected(made: Trainer) -> np.ndarray:
    grid = boundary_grid(made.model(), DATA.train.inputs)["grid_predictions"]
    return np.round(255 * grid).astype(np.uint8)


def test_epochs_are_three_for_each_doubling() -> None:
    recorded = [epoch for epoch in range(1, 1_000) if is_recorded(epoch)]
    assert recorded[:12] == [1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25]
    assert len(recorded) == 27


def test_the_network_is_recorded_before_the_first_epoch_and_after_the_last() -> None:
    grid = GridPredictions(DATA.train)
    made = trainer(grid)
    rows = grid_rows(grid_axes(DATA.train.inputs))
    before = softmax(made.network.predict(rows)).reshape(64, 64, 2)
    made.fit(DATA.train)
    frames = grid.frames
    assert frames is not None
    assert frames.epochs.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert frames.predictions.shape == (8, 64, 64, 2)
    np.testing.assert_array_equal(frames.predictions[0], np.round(255 * before))
    np.testing.assert_array_equal(frames.predictions[-1], expected(made))
    np.testing.assert_allclose(frames.values(7), expected(made) / 255)


def test_before_a_training_there_are_no_frames() -> None:
    assert GridPredictions(DATA.train).frames is None


def test_the_last_epoch_is_that_of_its_own_weights_where_better_ones_are_restored() -> None:
    grid, alone = GridPredictions(DATA.train), GridPredictions(DATA.train)
    best = BestWeights("validation_loss")
    trainer(best, grid).fit(DATA.train, 0.2)
    trainer(alone).fit(DATA.train, 0.2)
    assert grid.frames is not None
    assert alone.frames is not None
    np.testing.assert_array_equal(grid.frames.predictions, alone.frames.predictions)


def test_averaged_weights_are_recorded_and_results_stay_the_same() -> None:
    grid = GridPredictions(DATA.train)
    made, without = (trainer(*each, average=EMA(0.9)) for each in ([grid], []))
    made.fit(DATA.train)
    without.fit(DATA.train)
    values = without.network.parameters.values
    np.testing.assert_array_equal(made.network.parameters.values, values)
    assert grid.frames is not None
    np.testing.assert_array_equal(grid.frames.predictions[-1], expected(made))


class StopAfter(Callback):
    """Interrupts a training after some epochs."""

    changes_results = False

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch + 1 == self.epochs:
            state.stop(StopReason.INTERRUPTED)


def test_a_resume_keeps_the_earlier_epochs(tmp_path: Path) -> None:
    whole = GridPredictions(DATA.train)
    trainer(whole, epochs=9).fit(DATA.train)
    first, second = GridPredictions(DATA.train), GridPredictions(DATA.train)
    trainer(first, StopAfter(6), epochs=9, checkpoints=Checkpoints(tmp_path)).fit(DATA.train)
    trainer(second, epochs=9, checkpoints=Checkpoints(tmp_path)).fit(DATA.train, resume=True)
    assert whole.frames is not None
    assert second.frames is not None
    np.testing.assert_array_equal(second.frames.epochs, whole.frames.epochs)
    np.testing.assert_array_equal(second.frames.predictions, whole.frames.predictions)


def test_a_single_input_and_continuous_targets_are_a_curve_in_float32() -> None:
    data = sine(rows=40, test_rows=5)
    grid = GridPredictions(data.train)
    network = Sequential([Dense(4), Tanh(), Dense(1)]).build((1,), seed=0)
    Trainer(
        network, Adam(), 1e-2, epochs=1, batch_size=20, loss=MeanSquaredError(), callbacks=[grid]
    ).fit(data.train)
    assert grid.frames is not None
    assert grid.frames.predictions.dtype == np.float32
    assert grid.frames.predictions.shape == (2, 256, 1)
    (x,) = grid.frames.axes
    np.testing.assert_allclose(
        network.predict(x[:, None]), grid.frames.predictions[-1], rtol=1e-5, atol=1e-6
    )


def test_rows_of_another_shape_are_refused() -> None:
    images = silhouettes(rows=10, test_rows=2).train
    with pytest.raises(ConfigurationError, match="one or two floating-point features, and no"):
        GridPredictions(images)
    with pytest.raises(ConfigurationError, match=r"rows of shape \(1,\), expected \(2,\)"):
        trainer(GridPredictions(sine(rows=10, test_rows=2).train)).fit(DATA.train)


def test_it_takes_a_small_share_of_a_training() -> None:
    """Of 400 epochs, 23 are predicted; each takes a few milliseconds."""
    grid = GridPredictions(DATA.train)
    made = trainer(grid, epochs=1)
    made.fit(DATA.train)
    started = time.perf_counter()
    for _ in range(5):
        grid.on_epoch_end(state=made.state, record=made.state.history.records[0])
    assert (time.perf_counter() - started) / 5 < 0.1
