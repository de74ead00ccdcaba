"""Callbacks: the best weights are those at which the figure was measured."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from tests.training.test_trainer import At, features, network, spoil

from handloom import (
    SGD,
    Adam,
    BestModel,
    BestWeights,
    Callback,
    CSVLog,
    DataError,
    EarlyStopping,
    History,
    Model,
    Progress,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
)
from handloom.errors import ConfigurationError
from handloom.training import EpochRecord, TrainingState

DATA, HELD_OUT = features(), features(seed=1)


def loss_of(vector: np.ndarray, data: object = DATA) -> float:
    made = network(DATA)
    made.parameters.vector[...] = vector
    value, _ = SoftmaxCrossEntropy()(made.logits(data.inputs), data.targets)  # type: ignore[attr-defined]
    return value


@pytest.mark.parametrize("batch_size", [None, 64])
def test_best_by_validation_loss_are_the_weights_measured_then(batch_size: int | None) -> None:
    best, made = BestWeights("validation_loss"), network(DATA)
    trainer = Trainer(
        made, SGD(momentum=0.9), 1.5, epochs=30, batch_size=batch_size, callbacks=[best]
    )
    history = trainer.fit(DATA, HELD_OUT)
    assert best.epoch == int(np.argmin(history["validation_loss"]))
    assert best.value == history["validation_loss"].min()
    assert loss_of(made.parameters.vector, HELD_OUT) == pytest.approx(best.value, rel=1e-5)


def test_best_by_training_loss_are_the_weights_before_that_epochs_update() -> None:
    best, made = BestWeights("loss"), network(DATA)
    history = Trainer(made, SGD(momentum=0.9), 1.5, epochs=30, callbacks=[best]).fit(DATA)
    assert best.epoch == int(np.argmin(history["loss"]))
    assert loss_of(made.parameters.vector) == pytest.approx(best.value, rel=1e-5)


def test_the_best_weights_are_restored_when_training_breaks_down() -> None:
    best, made = BestWeights("validation_loss"), network(DATA)
    trainer = Trainer(made, SGD(), 0.1, epochs=20, callbacks=[best, At(5, spoil)])
    with np.errstate(over="ignore", invalid="ignore"):
        history = trainer.fit(DATA, HELD_OUT)
    assert history.stop_reason is StopReason.NON_FINITE_LOSS
    assert loss_of(made.parameters.vector, HELD_OUT) == pytest.approx(best.value, rel=1e-5)


def test_the_best_weights_are_restored_when_a_callback_fails() -> None:
    best, made = BestWeights("loss"), network(DATA)

    def fail(state: TrainingState) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        Trainer(made, SGD(), 0.1, epochs=9, callbacks=[best, At(4, fail)]).fit(DATA)
    assert loss_of(made.parameters.vector) == pytest.approx(best.value, rel=1e-5)


def test_restoring_can_be_left_off() -> None:
    best, made = BestWeights("loss", restore=False), network(DATA)
    Trainer(made, SGD(), 0.1, epochs=3, callbacks=[best]).fit(DATA)
    assert best.weights is not None
    assert not np.array_equal(made.parameters.vector, best.weights)


def test_the_end_is_told_even_if_the_beginning_failed() -> None:
    told = []

    class First(Callback):
        def on_train_end(self, *, state: TrainingState) -> None:
            told.append("end")

    class Second(Callback):
        def on_train_begin(self, *, state: TrainingState) -> None:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        Trainer(network(DATA), SGD(), 0.1, callbacks=[First(), Second()]).fit(DATA)
    assert told == ["end"]


def test_a_callback_that_refuses_to_begin_ends_nothing() -> None:
    best = BestWeights()
    Trainer(network(DATA), SGD(), 0.1, epochs=2, callbacks=[best]).fit(DATA, 0.2)
    other = network(DATA)
    before = other.parameters.vector.copy()
    with pytest.raises(ConfigurationError, match="there is no validation set"):
        Trainer(other, SGD(), 0.1, callbacks=[best]).fit(DATA)
    np.testing.assert_array_equal(other.parameters.vector, before)


class Script(Callback):
    """Passes a callback some figures."""

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
    trainer = Trainer(network(DATA), SGD(), 0.01, epochs=len(values), callbacks=[script])
    return trainer.fit(DATA, HELD_OUT)


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
    history = Trainer(network(DATA), SGD(), 0.01, epochs=5, callbacks=[script]).fit(DATA)
    assert (stopping.epoch, stopping.value, len(history)) == (1, 2.0, 4)


def test_the_best_model_is_saved_whole(tmp_path: Path) -> None:
    best, made = BestModel(tmp_path / "best"), network(DATA)
    Trainer(made, SGD(momentum=0.9), 1.5, epochs=30, callbacks=[best]).fit(DATA, HELD_OUT)
    saved = Model.load(tmp_path / "best")
    assert loss_of(saved.network.parameters.vector, HELD_OUT) == pytest.approx(best.value, rel=1e-5)


def test_the_csv_log_has_a_line_an_epoch(tmp_path: Path) -> None:
    log = CSVLog(tmp_path / "log.csv")
    history = Trainer(network(DATA), Adam(), 0.01, epochs=3, callbacks=[log]).fit(DATA)
    assert (tmp_path / "log.csv").read_text() == history.to_csv()


def test_progress_prints_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress("mine", every=2)
    Trainer(network(DATA), SGD(), 0.1, epochs=5, callbacks=[progress]).fit(DATA, HELD_OUT)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "epoch 1/5",
        "epoch 2/5",
        "epoch 4/5",
        "epoch 5/5",
    ]
    assert "mine" in lines[0]
    assert "validation loss" in lines[0]
    assert lines[-1].endswith("0:00 left")


def test_options_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'los'.*Did you mean 'loss'"):
        BestWeights("los")
    with pytest.raises(ConfigurationError, match="patience"):
        EarlyStopping(patience=0)
    with pytest.raises(ConfigurationError, match="no validation set"):
        Trainer(network(DATA), SGD(), 0.1, callbacks=[EarlyStopping()]).fit(DATA)
    with pytest.raises(ConfigurationError, match="unknown column"):
        History()["los"]
    with pytest.raises(DataError):
        Trainer(network(DATA), SGD(), 0.1).fit(DATA.take(slice(0, 0)))


def test_a_hook_that_nothing_calls_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match=r"hook of Typo.*'on_epoch_ends'.*'on_epoch_end'"):

        class Typo(Callback):
            def on_epoch_ends(self, *, state: TrainingState, record: EpochRecord) -> None: ...

    with pytest.raises(ConfigurationError, match="on_best"):

        class NothingIsBest(Callback):
            def on_best(self, *, state: TrainingState, record: EpochRecord) -> None: ...


def test_a_class_that_calls_hooks_of_its_own_names_them() -> None:
    class Halves(Callback, hooks=["on_half"]):
        def on_half(self) -> None: ...

    class Thirds(Callback, hooks=["on_third"]):
        def on_third(self) -> None: ...

    class Both(Halves, Thirds):
        hooks: ClassVar = ["mine"]
        on_failure: str = "stop"

        def on_third(self) -> None: ...

        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None: ...

        @property
        def on_gpu(self) -> bool:
            return False

    class Typo:
        def on_epoch_edn(self) -> None: ...

    with pytest.raises(ConfigurationError, match="on_epoch_edn"):

        class Mixed(Typo, Callback): ...

    assert not Both().on_gpu
