"""The probe changes nothing of a training, and keeps to its time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import BACKENDS, HELD_OUT, ROWS, continuous_targets
from tests.training.helpers import StopAt, figures

from handloom import (
    EMA,
    SGD,
    Adam,
    BatchNorm,
    Checkpoints,
    ConfigurationError,
    Conv2D,
    Dense,
    Dropout,
    EarlyStopping,
    Flatten,
    History,
    Layer,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
    ReLU,
    Reshape,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
    Trainer,
    silhouettes,
)
from handloom.training import probe
from handloom.training.diagnosis import QUANTILES, Diagnosis
from handloom.training.probe import guessing


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SHORT_SECONDS", 1e9)


def layers() -> list[Layer]:
    block = [Dense(8), BatchNorm(), ReLU(), Dropout(0.3), Dense(8)]
    return [Dense(8), BatchNorm(), ReLU(), Dropout(0.2), Residual(block), Dense(3)]


def fit(folder: Path | None = None, **options: Any) -> Trainer:
    network = Sequential(layers()).build((5,), seed=0)
    options = {"epochs": 5, "batch_size": 64, "average": EMA(0.9), **options}
    checkpoints = None if folder is None else Checkpoints(folder)
    trainer = Trainer(network, Adam(), 0.01, checkpoints=checkpoints, **options)
    trainer.fit(ROWS, HELD_OUT, resume=folder is not None and folder.exists())
    return trainer


def diagnosed(history: History) -> Diagnosis:
    assert history.diagnosis is not None
    return history.diagnosis


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_are_the_same_to_the_bit_without_it(backend: str) -> None:
    measured, alone = (fit(backend=backend, diagnose=on) for on in (True, False))
    for values in ("values", "gradient"):
        ours, theirs = (getattr(each.network.parameters, values) for each in (measured, alone))
        assert np.array_equal(ours, theirs)
    assert figures(measured.history) == figures(alone.history)
    assert [each.epoch for each in diagnosed(measured.history).records] == [0, 1, 3, 4]
    assert alone.history.diagnosis is None


def test_images_give_the_same_to_the_bit_too() -> None:
    def weights(*, diagnose: bool) -> np.ndarray:
        network = Sequential(
            [Reshape((1, 28, 28)), Conv2D(4, 3), BatchNorm(), ReLU(), Flatten(), Dense(10)]
        )
        trainer = Trainer(
            network.build((784,)),
            SGD(momentum=0.9),
            0.01,
            epochs=2,
            batch_size=32,
            diagnose=diagnose,
        )
        history = trainer.fit(silhouettes(rows=200, test_rows=10).train)
        if diagnose:
            assert len(diagnosed(history).records) == 2
        return network.parameters.values

    assert np.array_equal(weights(diagnose=True), weights(diagnose=False))


@pytest.mark.parametrize("step", range(1, 20, 3))
def test_a_resume_has_the_measurements_of_a_whole_training(tmp_path: Path, step: int) -> None:
    whole = fit(tmp_path / "whole").history
    fit(tmp_path / "cut", callbacks=[StopAt(step)])
    resumed = fit(tmp_path / "cut").history
    assert diagnosed(resumed).records == diagnosed(whole).records
    assert len(diagnosed(whole).records) == 4
    assert History.from_json(whole.to_json()).diagnosis == diagnosed(whole)


def test_rows_that_join_the_batch_before_them_make_no_step() -> None:
    assert len(ROWS) == 13 * 23 + 1  # batch norm needs two rows
    made = fit(batch_size=23)
    assert made.state.progress.steps == 5 * 13
    assert diagnosed(made.history).steps == 13


def test_a_longer_training_forgets_the_last_epoch_of_the_shorter_one(tmp_path: Path) -> None:
    fit(tmp_path / "both", epochs=3)
    longer = fit(tmp_path / "both", epochs=5).history
    assert [each.epoch for each in diagnosed(longer).records] == [0, 1, 3, 4]


def test_the_last_epoch_is_measured_if_training_stops_early() -> None:
    stop = EarlyStopping("loss", patience=1, min_delta=1e9)
    history = fit(epochs=50, callbacks=[stop], batch_size=None).history
    records = diagnosed(history).records
    assert records[-1].epoch == history.records[-1].epoch
    stop = EarlyStopping("loss", patience=4, min_delta=1e9)
    history = fit(epochs=50, callbacks=[stop], batch_size=None).history
    assert [each.epoch for each in diagnosed(history).records] == [0, 1, 3, 4]


def test_the_update_is_that_of_the_last_step() -> None:
    network = Sequential([Dense(4), ReLU(), Dense(3)]).build((5,), seed=0)
    before = network.parameters.vector.copy()
    history = Trainer(network, SGD(), 0.1, epochs=1).fit(ROWS)
    after = network.parameters.weights
    named = network.parameters.views(before)
    for layer in (0, 2):
        arrays = [f"{layer}.dense.weights", f"{layer}.dense.biases"]
        change = np.concatenate([(after[each] - named[each]).ravel() for each in arrays])
        size = np.concatenate([after[each].ravel() for each in arrays])
        ratio = float(np.linalg.norm(change) / np.linalg.norm(size))
        assert diagnosed(history).records[0].layers[layer].update == pytest.approx(ratio, rel=1e-5)


def test_the_loss_and_the_gradient_are_those_of_the_rows() -> None:
    network = Sequential([Dense(4), ReLU(), Dense(3)]).build((5,), seed=0)
    rows = ROWS.take(slice(0, 40))  # all of them are measured
    history = Trainer(network, SGD(), 0.1, epochs=1).fit(rows)
    x = rows.inputs.astype(np.float32)
    y = network.predict(x)
    loss, dy = SoftmaxCrossEntropy()(y, rows.targets)
    record = diagnosed(history).records[0]
    assert record.loss == pytest.approx(loss, rel=1e-5)
    assert record.layers[2].output == pytest.approx(np.sqrt((y**2).mean()), rel=1e-5)
    assert record.layers[2].gradient == pytest.approx(np.sqrt((dy**2).mean()) * 40, rel=1e-5)
    hidden = np.maximum(x @ network.parameters.weights["0.dense.weights"], 0)
    assert record.layers[1].dead == (hidden.max(axis=0) <= 0).mean()


def test_measurements_are_skipped_if_their_time_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SHORT_SECONDS", 0.0)
    monkeypatch.setattr(probe, "SHORT_FRACTION", 0.0)
    diagnosis = diagnosed(fit().history)
    assert (diagnosis.records, diagnosis.skipped) == ([], [0, 1, 3, 4])
    monkeypatch.setattr(probe, "SHORT_SECONDS", 1e9)
    diagnosis = diagnosed(fit().history)
    assert not diagnosis.skipped
    assert diagnosis.seconds > 0.0


@pytest.mark.parametrize(("elapsed", "allowed"), [(0.1, 0.02), (1, 0.05), (5, 0.1), (60, 0.6)])
def test_measurements_may_take_a_fraction_of_the_run(
    elapsed: float, allowed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert probe.allowed_seconds(elapsed) == pytest.approx(allowed)


def test_second_moments_are_kept_where_the_optimizer_has_them() -> None:
    trainer = fit(epochs=1)
    moments = trainer.options.chosen_optimizer.state["second_moment"]
    last = diagnosed(trainer.history).records[-1].layers[-1].second_moment
    assert list(last) == pytest.approx(np.quantile(moments[-27:], QUANTILES), rel=1e-4)
    network = Sequential([Dense(3)]).build((5,))
    plain = Trainer(network, SGD(momentum=0.9), 0.1, epochs=1).fit(ROWS)
    assert diagnosed(plain).records[0].layers[0].second_moment == ()


def test_guessing_is_the_best_constant() -> None:
    rows = continuous_targets()
    targets = np.abs(rows.targets)
    for loss, best in (
        (MeanSquaredError(), targets.mean(axis=0)),
        (MeanAbsoluteError(), np.median(targets, axis=0)),
        (Pinball(0.9), np.quantile(targets, 0.9, axis=0)),
        (Poisson(), np.log(targets.mean(axis=0))),
    ):
        expected, _ = loss(np.broadcast_to(best, targets.shape), targets)
        assert guessing(loss, targets, None, targets.shape, np.float64) == pytest.approx(expected)
    shares = np.bincount(ROWS.targets[:100]) / 100
    value = guessing(SoftmaxCrossEntropy(), ROWS.targets[:100], None, (100, 3), np.float64)
    assert value == pytest.approx(-(shares * np.log(shares)).sum())


def test_the_option_is_true_or_false() -> None:
    with pytest.raises(ConfigurationError, match="diagnose must be True or False"):
        Trainer(Sequential([Dense(3)]).build((5,)), SGD(), 0.1, diagnose=1)  # type: ignore[arg-type]
