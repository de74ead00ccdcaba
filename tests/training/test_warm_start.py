"""A warm start takes weights and optimizer from another training, or is refused."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from tests.helpers.training import ROWS, features, network
from tests.training.helpers import small_network, stoppable, trainer

from handloom import (
    EMA,
    SGD,
    Adam,
    BestWeights,
    Callback,
    ConfigurationError,
    Dense,
    EarlyStopping,
    InverseTimeDecay,
    ModelError,
    Muon,
    ReLU,
    Sequential,
    StopReason,
    Tanh,
    Trainer,
)
from handloom.parameters import Parameters
from handloom.training import TrainingState


def test_a_training_continues_another_as_if_they_were_one() -> None:
    data = features()
    options: dict[str, Any] = {"batch_size": 50, "seed": 3}
    whole = Trainer(network(data), Adam(), InverseTimeDecay(0.01, 0.1), epochs=5, **options)
    losses = list(whole.fit(data)["loss"])
    first = Trainer(network(data), Adam(), InverseTimeDecay(0.01, 0.1), epochs=2, **options)
    results = list(first.fit(data)["loss"])
    other = Trainer(first.network, Adam(), InverseTimeDecay(0.01, 0.1), epochs=3, **options)
    prepared = other.prepare(data, warm=first.state)
    prepared.state.continue_from(first.state.progress)
    results += list(other.run(prepared)["loss"])
    assert results == losses
    assert other.state.progress.steps == whole.state.progress.steps
    assert np.array_equal(other.network.parameters.vector, whole.network.parameters.vector)


def test_a_warm_start_takes_weights_and_optimizer_and_begins_all_else_anew() -> None:
    data, held_out = features(), features(seed=1)
    first = Trainer(network(data), Adam(), 0.05, epochs=30, batch_size=50)
    first.fit(data, held_out)
    moment = first.state.optimizer.state["first_moment"].copy()
    weights = first.network.parameters.vector.copy()
    stopping, rates = EarlyStopping(patience=3), []

    def falling(step: int) -> float:
        rates.append(step)
        return 1e-6

    class Start(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            if state.progress.epoch == 0:
                assert np.array_equal(state.optimizer.state["first_moment"], moment)
                assert np.array_equal(state.network.parameters.vector, weights)
                assert (state.progress.steps, state.optimizer.steps) == (0, 180)

    second = Trainer(
        *(network(data), Adam(), falling),
        epochs=4,
        batch_size=50,
        callbacks=[stopping, Start()],
    )
    history = second.fit(data, held_out, warm=first.state)
    assert min(rates) == 0  # the schedule begins anew
    assert [record.epoch for record in history] == [0, 1, 2, 3]
    assert stopping.epoch is not None  # a best of its own, though the first training had a better
    other = Trainer(network(data, units=3), Adam(), 0.1)
    with pytest.raises(
        ModelError,
        match=r"among the arrays, 0\.dense\.weights is \(5, 3\), the earlier .* \(5, 16\)",
    ):
        other.fit(data, warm=first.state)
    with pytest.raises(
        ModelError, match="the optimizer is sgd with velocity, the earlier training has adam"
    ):
        Trainer(network(data), SGD(momentum=0.9), 0.1).fit(data, warm=first.state)


def test_a_warm_start_goes_by_names_or_not_at_all() -> None:
    first = trainer(None, optimizer=SGD(), epochs=9)
    first.fit(ROWS)
    frozen = Sequential([Dense(8), ReLU(), Dense(3)])
    frozen.build((5,)).freeze("0.dense")
    others = [
        (frozen, "among the trained arrays, 0.dense.weights"),
        (small_network(Dense(4), ReLU(), Dense(6), ReLU(), Dense(3)), "among the arrays"),
    ]
    for other, message in others:
        start = other.parameters.values.copy()
        with pytest.raises(ModelError, match=message):
            Trainer(other, SGD(), 0.1).fit(ROWS, warm=first.state)
        np.testing.assert_array_equal(other.parameters.values, start)
    again = small_network(Dense(8), Tanh(), Dense(3), seed=9)
    second = Trainer(again, SGD(), 1e-30, epochs=1)
    second.fit(ROWS, warm=first.state)
    for name, array in first.network.parameters.weights.items():
        np.testing.assert_array_equal(again.parameters.weights[name], array)


def test_a_refused_warm_start_changes_nothing() -> None:
    first, second = trainer(None, optimizer=SGD(momentum=0.9)), trainer(None)
    first.fit(ROWS)
    second.fit(ROWS)
    weights = second.network.parameters.values.copy()
    with pytest.raises(
        ModelError,
        match=r"the optimizer is adam with .*, the earlier training has sgd with velocity",
    ):
        second.fit(ROWS, warm=first.state)
    np.testing.assert_array_equal(second.network.parameters.values, weights)
    assert (second.state.optimizer.steps, len(second.history)) == (9, 3)
    single = Trainer(network(ROWS), SGD(), 0.1, epochs=1)
    double = Trainer(network(ROWS, dtype=np.float64), SGD(), 0.1, epochs=1)
    single.fit(ROWS)
    double.fit(ROWS)
    with pytest.raises(ModelError, match=r"weights' must be float64 .*, got float32"):
        double.fit(ROWS, warm=single.state)
    assert double.state.optimizer.bindings == 1
    with pytest.raises(ConfigurationError, match=r"got a Trainer: pass its \.state"):
        second.fit(ROWS, warm=first)  # type: ignore[arg-type]


def test_a_warm_start_with_an_average_ends_with_the_warm_weights() -> None:
    class StopAtOnce(Callback):
        def on_epoch_begin(self, *, state: TrainingState) -> None:
            state.stop(StopReason.INTERRUPTED)

    first = trainer(None)
    first.fit(ROWS)
    second = trainer(None, StopAtOnce(), average=EMA())
    second.network.parameters.values[...] = np.nan
    second.fit(ROWS, warm=first.state)
    np.testing.assert_array_equal(second.network.parameters.values, first.network.parameters.values)


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
def test_no_training_starts_warm_from_one_that_diverged() -> None:
    first = trainer(None, optimizer=SGD(momentum=0.9), learning_rate=1e30)
    first.fit(ROWS)
    with pytest.raises(ModelError, match="that diverged"):
        trainer(None, optimizer=SGD(momentum=0.9)).fit(ROWS, warm=first.state)


def test_an_optimizer_that_trained_another_network_since_is_no_warm_start() -> None:
    optimizer = Adam()
    first, second = trainer(None, optimizer=optimizer), trainer(None, optimizer=optimizer)
    first.fit(ROWS)
    second.fit(ROWS)
    with pytest.raises(ModelError, match="another training has used that optimizer since"):
        trainer(None).fit(ROWS, warm=first.state)
    trainer(None).fit(ROWS, warm=second.state)


def test_a_warm_start_that_a_callback_refuses_leaves_the_network_as_it_is() -> None:
    first, second = trainer(None), trainer(None, BestWeights("validation_loss"))
    first.fit(ROWS)
    before = second.network.parameters.values.copy()
    with pytest.raises(ConfigurationError, match="not measured"):
        second.fit(ROWS, warm=first.state)
    np.testing.assert_array_equal(second.network.parameters.values, before)


def test_a_warm_start_that_the_optimizer_refuses_leaves_the_network_as_it_is() -> None:
    first, average = trainer(None, optimizer=Muon()), EMA()
    first.fit(ROWS)
    second = trainer(None, optimizer=Muon(adam_for=("nope",)), average=average)
    before = second.network.parameters.values.copy()
    with pytest.raises(ModelError, match="unknown layer in adam_for 'nope'"):
        second.fit(ROWS, warm=first.state)
    np.testing.assert_array_equal(second.network.parameters.values, before)
    assert average.bindings == 0


def test_an_optimizer_of_ones_own_is_bound_to_the_weights_of_a_warm_start() -> None:
    class Anchored(SGD):
        def bind(self, parameters: Parameters, *arguments: Any, **options: Any) -> Self:
            super().bind(parameters, *arguments, **options)
            self.anchor = parameters.vector.copy()
            return self

    first, optimizer = trainer(None, optimizer=Anchored()), Anchored()
    first.fit(ROWS)
    warm = first.network.parameters.vector.copy()
    trainer(None, optimizer=optimizer).fit(ROWS, warm=first.state)
    np.testing.assert_array_equal(optimizer.anchor, warm)


def test_a_training_is_resumed_or_starts_warm(tmp_path: Path) -> None:
    first = stoppable(tmp_path / "first")
    first.fit(ROWS)
    with pytest.raises(ConfigurationError, match="resumed or starts warm, not both"):
        stoppable(tmp_path / "first").fit(ROWS, resume=True, warm=first.state)
    stoppable(tmp_path / "second").fit(ROWS, warm=first.state)
