"""The best weights are those at which the metric was measured."""

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, At, loss_of, network, short_trainer, spoil

from handloom import (
    SGD,
    BestWeights,
    Callback,
    ConfigurationError,
    EarlyStopping,
    StopReason,
    Trainer,
)
from handloom.training import TrainingState
from handloom.training.objective import Measurement


@pytest.mark.parametrize("batch_size", [None, 64])
def test_best_by_validation_loss_are_the_weights_measured_then(batch_size: int | None) -> None:
    best, made = BestWeights("validation_loss"), network(ROWS)
    trainer = Trainer(
        made, SGD(momentum=0.9), 1.5, epochs=30, batch_size=batch_size, callbacks=[best]
    )
    history = trainer.fit(ROWS, HELD_OUT)
    assert best.epoch == int(np.argmin(history["validation_loss"]))
    assert best.value == history["validation_loss"].min()
    assert loss_of(made.parameters.vector, HELD_OUT) == pytest.approx(best.value, rel=1e-5)


def test_best_by_training_loss_are_the_weights_before_that_epochs_update() -> None:
    best, made = BestWeights("loss"), network(ROWS)
    history = Trainer(made, SGD(momentum=0.9), 1.5, epochs=30, callbacks=[best]).fit(ROWS)
    assert best.epoch == int(np.argmin(history["loss"]))
    assert loss_of(made.parameters.vector) == pytest.approx(best.value, rel=1e-5)


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
def test_the_best_weights_are_restored_when_training_breaks_down() -> None:
    best, made = BestWeights("validation_loss"), network(ROWS)
    trainer = Trainer(made, SGD(), 0.1, epochs=20, callbacks=[best, At(5, spoil)])
    with np.errstate(over="ignore", invalid="ignore"):
        history = trainer.fit(ROWS, HELD_OUT)
    assert history.stop_reason is StopReason.NON_FINITE_LOSS
    assert loss_of(made.parameters.vector, HELD_OUT) == pytest.approx(best.value, rel=1e-5)


def test_the_best_weights_are_restored_when_a_callback_fails() -> None:
    best, made = BestWeights("loss"), network(ROWS)

    def fail(state: TrainingState) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        Trainer(made, SGD(), 0.1, epochs=9, callbacks=[best, At(4, fail)]).fit(ROWS)
    assert loss_of(made.parameters.vector) == pytest.approx(best.value, rel=1e-5)


def test_restoring_can_be_left_off() -> None:
    best, made = BestWeights("loss", restore=False), network(ROWS)
    Trainer(made, SGD(), 0.1, epochs=3, callbacks=[best]).fit(ROWS)
    assert best.weights is not None
    assert not np.array_equal(made.parameters.vector, best.weights)


def test_whether_to_restore_is_true_or_false() -> None:
    for value in ("no", None, 2):
        with pytest.raises(
            ConfigurationError, match=f"restore must be True or False, got {value!r}"
        ):
            BestWeights("loss", restore=value)  # type: ignore[arg-type]
    assert BestWeights("loss", restore=np.False_).restore is False  # type: ignore[arg-type]


class Top5(Callback):
    def on_validation_end(self, *, state: TrainingState, measured: Measurement) -> None:
        state.record("top5", measured.accuracy)


def test_an_unknown_monitor_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'val_loss'.*Did you mean 'validation_loss'"):
        EarlyStopping("val_loss")
    with pytest.raises(ConfigurationError, match=r"'top4'.*top5.*Did you mean 'top5'"):
        short_trainer(Top5(), BestWeights("top4", goal="high")).fit(ROWS, HELD_OUT)
    with pytest.raises(ConfigurationError, match="'loss' is best low, got goal='high'"):
        BestWeights("loss", goal="high")
    with pytest.raises(ConfigurationError, match="unknown goal 'max'"):
        BestWeights("top5", goal="max")  # type: ignore[arg-type]


def test_a_criterion_of_improvement_can_be_passed() -> None:
    def any_at_all(value: float, best: float) -> bool:
        return value != best

    last = BestWeights("validation_loss", improves=any_at_all)
    short_trainer(last, epochs=5).fit(ROWS, HELD_OUT)
    assert last.epoch == 4
    never = EarlyStopping("loss", patience=2, improves=lambda value, best: False)
    assert len(short_trainer(never, epochs=9).fit(ROWS)) == 3
    with pytest.raises(ConfigurationError, match="improves replaces goal and min_delta"):
        BestWeights("loss", improves=any_at_all, min_delta=0.1)
