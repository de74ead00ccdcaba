"""Divergence: the report names the first array that was not finite, and loses no good weight."""

from typing import Any

import numpy as np
import pytest
from tests.training.test_trainer import features

from handloom import SGD, Adam, Dense, Layer, ReLU, Sequential, SoftmaxCrossEntropy, Trainer
from handloom.parameters import Array
from handloom.training import StopReason
from handloom.training.divergence import Divergence

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
    options = {"batch_size": 100, "epochs": 5, **options}
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
