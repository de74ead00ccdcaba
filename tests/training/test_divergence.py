"""Divergence: the first array that is not finite is named, and good weights are kept."""

from typing import Any

import numpy as np
import pytest
from tests.helpers.training import At, features, network, spoil
from tests.training.helpers import trainer

from handloom import (
    SGD,
    Adam,
    Callback,
    Dense,
    Layer,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
)
from handloom.parameters import Array
from handloom.training import Measurement, TrainingState
from handloom.training.divergence import Divergence

pytestmark = pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")

ROWS = features()


class Breaks(Layer):
    """Passes everything on, but from a given call of one of its passes an infinity is in it."""

    kind = "breaks"

    def __init__(self, broken: str, after: int) -> None:
        super().__init__()
        self.broken, self.after = broken, after
        self.calls = {"forward": [0], "backward": [0]}  # shared by all replicas

    def _pass(self, which: str, x: Array) -> Array:
        self.calls[which][0] += 1
        y = x.copy()
        if which == self.broken and self.calls[which][0] > self.after:
            y[0, 0] = np.inf
        return y

    def forward(self, x: Array, *, training: bool = False, rng: Any = None) -> Array:
        return self._pass("forward", x)

    def backward(self, dy: Array, *, need_dx: bool = True) -> Array | None:
        return self._pass("backward", dy)


def trained(layer: Layer, **options: Any) -> Trainer:
    network = Sequential([Dense(4), layer, Dense(3)]).build((5,))
    options = {"batch_size": 100, "epochs": 5, "diagnose": False, **options}
    trainer = Trainer(network, SGD(), options.pop("learning_rate", 0.125), **options)
    trainer.fit(ROWS)
    return trainer


def explained(trainer: Trainer) -> Divergence:
    divergence = trainer.history.divergence
    assert divergence is not None
    assert np.isfinite(trainer.network.parameters.vector).all()
    return divergence


@pytest.mark.parametrize(
    ("broken", "reason", "array"),
    [
        ("forward", StopReason.NON_FINITE_LOSS, "the output of 1.breaks"),
        ("backward", StopReason.NON_FINITE_GRADIENT, "the gradient of the input of 1.breaks"),
    ],
)
@pytest.mark.parametrize("after", [0, 1, 7])
def test_the_first_bad_array_is_named_with_its_place(
    broken: str, reason: StopReason, array: str, after: int
) -> None:
    trainer = trained(Breaks(broken, after))
    divergence = explained(trainer)
    assert trainer.history.stop_reason is reason
    assert (divergence.array, divergence.step, divergence.epoch) == (array, after, after // 3)
    assert divergence.learning_rate == 0.125
    assert (divergence.gradient_norm is None) == (after == 0)
    assert "smaller learning rate" in str(divergence)
    assert array in str(divergence)


def test_the_norm_is_that_of_the_update_before() -> None:
    before = trained(Breaks("forward", 10**6), epochs=1, batch_size=None)
    norm = np.linalg.norm(before.network.parameters.gradient)
    divergence = explained(trained(Breaks("forward", 1), batch_size=None))
    assert divergence.gradient_norm == pytest.approx(norm, rel=1e-6)


def test_weights_that_an_update_overflowed_are_named() -> None:
    trainer = trained(ReLU(), epochs=1, batch_size=None, learning_rate=1e39)
    divergence = explained(trainer)
    assert trainer.history.stop_reason is StopReason.NON_FINITE_WEIGHTS
    assert divergence.array.startswith("the weights 0.dense.weights")
    assert (divergence.step, divergence.epoch) == (0, 0)


def test_weights_that_were_not_finite_before_training_are_named_as_such() -> None:
    network = Sequential([Dense(4), ReLU(), Dense(3)]).build((5,))
    network[0].weights["weights"][0, 0] = np.nan
    history = Trainer(network, SGD(), 0.1, batch_size=100).fit(ROWS)
    assert history.stop_reason is StopReason.NON_FINITE_LOSS
    assert history.divergence is not None
    assert (history.divergence.step, history.divergence.epoch) == (0, 0)
    assert str(history.divergence) == (
        "the weights 0.dense.weights were not finite before the first step. Build the network "
        "again, or set weights that are finite"
    )


def test_a_loss_of_ones_own_that_overflows_is_named() -> None:
    class Overflows(SoftmaxCrossEntropy):
        def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
            value, gradient = super().__call__(*arguments, **options)
            return value * float("inf"), gradient

    assert explained(trained(ReLU(), loss=Overflows())).array == "the loss"


@pytest.mark.parametrize("threads", [1, 2])
def test_it_is_found_in_any_shard_of_a_large_batch(threads: int) -> None:
    rows = features(3000)
    network = Sequential([Dense(4), ReLU(), Dense(3)]).build((5,))
    rows.inputs[2900] = 1e300
    trainer = Trainer(network, Adam(), 0.1, threads=threads)
    trainer.fit(rows)
    assert explained(trainer).array == "the input"


def test_the_first_of_several_bad_rows_decides() -> None:
    rows = features(3000)
    rows.inputs[2900] = 1e300
    rows.inputs[10] = 1e30  # its output overflows, its input does not
    network = Sequential([Dense(4), ReLU(), Dense(3)]).build((5,))
    network.parameters.vector[:] = 1e10
    trainer = Trainer(network, Adam(), 0.1)
    trainer.fit(rows)
    assert explained(trainer).array == "the output of 0.dense"


def test_a_training_that_ends_well_has_no_report() -> None:
    assert trained(ReLU()).history.divergence is None


def test_a_loss_that_is_not_finite_ends_training_with_the_last_good_weights() -> None:
    data = features()
    made = network(data)
    good: list[np.ndarray] = []
    keep = At(3, lambda state: good.append(state.network.parameters.vector.copy()))
    trainer = Trainer(made, SGD(), 0.1, epochs=10, callbacks=[keep, At(4, spoil)])
    with np.errstate(over="ignore", invalid="ignore"):
        history = trainer.fit(data)
    assert history.stop_reason is StopReason.NON_FINITE_LOSS
    assert (len(history), history.stopped_in) == (5, 5)
    assert np.array_equal(made.parameters.vector, good[0])  # those of epoch 4, before its update
    assert np.isfinite(history["loss"]).all()


def test_a_diverging_rate_ends_in_a_reason_not_in_a_page_of_nan() -> None:
    data = features()
    made = network(data)
    history = Trainer(made, SGD(), 1e30, epochs=50).fit(data)
    assert history.stop_reason in (StopReason.NON_FINITE_LOSS, StopReason.NON_FINITE_GRADIENT)
    assert np.isfinite(made.parameters.vector).all()
    assert np.isfinite(history["loss"]).all()


def test_weights_that_the_last_update_broke_are_not_kept() -> None:
    data = features()
    made = network(data)
    start = made.parameters.vector.copy()
    history = Trainer(made, SGD(), 1e39, epochs=1).fit(data)
    assert history.stop_reason is StopReason.NON_FINITE_WEIGHTS
    assert np.array_equal(made.parameters.vector, start)


def test_a_gradient_that_is_not_finite_ends_training_before_the_update() -> None:
    data = features()
    made = network(data)
    start = made.parameters.vector.copy()

    class Broken(SoftmaxCrossEntropy):
        def __call__(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            value, gradient = super().__call__(*args, **kwargs)
            gradient[0, 0] = np.inf
            return value, gradient

    history = Trainer(made, SGD(), 0.1, loss=Broken()).fit(data)
    assert history.stop_reason is StopReason.NON_FINITE_GRADIENT
    assert np.array_equal(made.parameters.vector, start)


def test_a_step_that_breaks_weights_is_told_though_a_callback_stopped_there() -> None:
    class Stops(Callback):
        def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
            if state.progress.steps == 4:
                state.stop(StopReason.EARLY_STOPPING)

    made = trainer(
        None, Stops(), optimizer=SGD(), learning_rate=lambda step: 1e39 if step == 3 else 0.01
    )
    assert made.fit(ROWS).divergence is not None
    assert np.isfinite(made.network.parameters.values).all()
