"""EMA: the average of the weights, and the parts of training that use it."""

import sys
from collections.abc import Callable
from itertools import count
from types import FrameType
from typing import Any

import numpy as np
import pytest
from tests.helpers.gradients import Float64
from tests.helpers.training import At, features, loss_of, network, spoil

from handloom import (
    EMA,
    SGD,
    Adam,
    BatchNorm,
    BestWeights,
    Callback,
    Dense,
    EarlyStopping,
    ModelError,
    ReLU,
    Sequential,
    Trainer,
)
from handloom.errors import ConfigurationError
from handloom.initializers import Zeros
from handloom.parallel.partition import LANES, UPDATE_CUT_WEIGHTS
from handloom.parallel.pool import Pool
from handloom.parameters import Parameters, ParameterSpec
from handloom.training import TrainingState
from handloom.training.objective import Measurement

DATA, HELD_OUT = features(), features(seed=1)


class Seen(Callback):
    """Records all values after every update."""

    def __init__(self) -> None:
        self.seen: list[Float64] = []

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        self.seen.append(state.network.parameters.values.astype(np.float64))


class Watched(Trainer):
    """Records all values after each update."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        watcher = Seen()
        callbacks = [watcher, *options.pop("callbacks", ())]
        super().__init__(*arguments, callbacks=callbacks, **options)
        self.seen = watcher.seen


def weighted_mean(seen: list[Float64], decay: float) -> Float64:
    shares = decay ** np.arange(len(seen))[::-1]
    mean: Float64 = np.einsum("t,tw->w", shares / shares.sum(), np.array(seen))
    return mean


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_network_ends_with_the_weighted_mean_of_all_updated_weights(decay: float) -> None:
    made = Sequential([Dense(8), BatchNorm(), ReLU(), Dense(3)]).build((5,), dtype=np.float64)
    made.freeze("3.dense")
    trainer = Watched(made, Adam(), 0.05, epochs=3, batch_size=64, average=EMA(decay))
    trainer.fit(DATA)
    assert trainer.options.average is not None
    assert trainer.options.average.steps == len(trainer.seen) == 15
    mean = weighted_mean(trainer.seen, decay)
    np.testing.assert_allclose(made.parameters.values, mean, rtol=1e-11, atol=1e-13)
    frozen = made.parameters.weights["3.dense.weights"].ravel()
    assert np.isin(frozen, trainer.seen[0]).all()  # to the bit


def test_training_itself_is_the_one_without_an_average() -> None:
    unaveraged, averaged = network(DATA), network(DATA)
    options: dict[str, Any] = {"epochs": 3, "batch_size": 64}
    without = Watched(unaveraged, Adam(), 0.05, **options)
    beside = Watched(averaged, Adam(), 0.05, average=EMA(0.9), **options)
    losses = [trainer.fit(DATA, HELD_OUT)["loss"] for trainer in (without, beside)]
    assert np.array_equal(without.seen, beside.seen)
    assert np.array_equal(losses[0], losses[1])
    assert not np.array_equal(unaveraged.parameters.vector, averaged.parameters.vector)


def test_validation_measures_the_average() -> None:
    made = network(DATA)
    trainer = Watched(made, SGD(), 0.5, epochs=4, batch_size=64, average=EMA(0.9))
    history = trainer.fit(DATA, HELD_OUT)
    for epoch, measured in enumerate(history["validation_loss"], start=1):
        mean = weighted_mean(trainer.seen[: 5 * epoch], 0.9)
        assert loss_of(mean, HELD_OUT) == pytest.approx(measured, rel=1e-4)
    assert loss_of(trainer.seen[-1], HELD_OUT) != pytest.approx(measured, rel=1e-4)


@pytest.mark.parametrize("watch", [BestWeights, lambda: EarlyStopping(patience=3)])
def test_the_best_weights_are_the_best_average(watch: Callable[[], BestWeights]) -> None:
    made, best = network(DATA), watch()
    options: dict[str, Any] = {"epochs": 30, "batch_size": 64, "callbacks": [best]}
    trainer = Watched(made, SGD(momentum=0.9), 1.5, average=EMA(0.8), **options)
    history = trainer.fit(DATA, HELD_OUT)
    assert best.epoch == int(np.argmin(history["validation_loss"]))
    mean = weighted_mean(trainer.seen[: 5 * (best.epoch + 1)], 0.8)
    np.testing.assert_allclose(made.parameters.vector, mean, rtol=1e-3, atol=1e-5)
    assert loss_of(made.parameters.vector, HELD_OUT) == pytest.approx(best.value, rel=1e-5)


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
def test_a_training_that_broke_down_ends_with_good_weights_and_no_average() -> None:
    made = network(DATA)
    trainer = Watched(made, SGD(), 0.1, epochs=9, average=EMA(0.9), callbacks=[At(4, spoil)])
    with np.errstate(over="ignore", invalid="ignore"):
        history = trainer.fit(DATA)
    assert history.divergence is not None
    assert np.array_equal(made.parameters.vector, trainer.seen[3])


@pytest.mark.parametrize("batch_size", [None, 100])
def test_the_average_is_the_same_to_the_bit_for_any_number_of_threads(
    batch_size: int | None,
) -> None:
    data, vectors = features(2500), []
    for threads in (1, 2, 4):
        made = network(data)
        options: dict[str, Any] = {"threads": threads, "batch_size": batch_size, "epochs": 2}
        Trainer(made, Adam(), 0.01, average=EMA(0.9), clip_norm=0.1, **options).fit(data)
        vectors.append(made.parameters.vector)
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)


def test_an_update_shared_by_threads_covers_every_weight_once() -> None:
    size = UPDATE_CUT_WEIGHTS + 3
    made = Parameters({"w": ParameterSpec((size,), Zeros())}, np.float32)
    calls: list[int] = []

    class Backwards(Pool):
        lanes = LANES

        def run(self, tasks: Any) -> Any:
            calls.append(len(tasks))
            return [task() for task in reversed(tasks)][::-1]

    average = EMA(0.5).bind(made, pool=Backwards())
    for value in (1.0, 4.0):
        made.vector[...] = value
        average.update()
    np.testing.assert_allclose(average.values, (0.5 * 1 + 4) / 1.5, rtol=1e-6)
    assert calls == [4, 4]


def test_what_means_nothing_is_refused() -> None:
    for decay in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="decay"):
            EMA(decay)
    with pytest.raises(ModelError, match="bind the average"):
        EMA().update()
    other = EMA().bind(network(DATA, units=3).parameters)
    with pytest.raises(ModelError, match="an average must be float32 of shape"):
        other.load_state_dict(EMA().bind(network(DATA).parameters).state_dict())
    with pytest.raises(ModelError, match="an average's state must hold steps, values, got steps"):
        other.load_state_dict({"steps": 1})
    with pytest.raises(ModelError, match="must hold steps, values, got nothing"):
        other.load_state_dict({})


class InterruptAt:
    """Raises as Ctrl-C does, before one of the lines of `Parameters.with_values` that run."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: FrameType, event: str, _: object) -> "InterruptAt | None":
        if frame.f_code is not Parameters.with_values.__code__:
            return None
        self.left -= event == "line"
        if self.left == 0:
            sys.settrace(None)
            raise KeyboardInterrupt
        return self


def test_an_interruption_at_any_line_while_the_average_is_in_place_leaves_the_weights() -> None:
    parameters = Sequential([Dense(3)]).build((5,)).parameters
    average, tracing = EMA(0.5).bind(parameters), sys.gettrace()
    parameters.values[:] += 1.0
    own, lines = parameters.values.copy(), 0
    for line in count(1):
        interrupt = InterruptAt(line)
        try:
            sys.settrace(interrupt)
            averaged = average.in_place(parameters.values.copy)
        except KeyboardInterrupt:
            lines += 1
        finally:
            sys.settrace(tracing)
        assert np.array_equal(parameters.values, own)
        if interrupt.left > 0:
            break
    assert lines > 4
    assert np.array_equal(averaged, average.values)
    assert not np.array_equal(averaged, own)
