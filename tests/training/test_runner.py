"""Steps run several at a call; where calls are cut or end changes no result."""

from typing import Any

import numpy as np
import pytest
from tests.helpers.training import features, network

from handloom import (
    EMA,
    SGD,
    Adam,
    BatchNorm,
    Callback,
    Dense,
    Dropout,
    InverseTimeDecay,
    Layer,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
)
from handloom.backend import fused_is_installed
from handloom.data.batches import epoch_order
from handloom.errors import ConfigurationError, ModelError
from handloom.operations import Arrays
from handloom.parameters import Array
from handloom.training import TrainingState, epoch
from handloom.training.objective import Measurement


@pytest.mark.parametrize(
    "backend",
    ["numpy", pytest.param("fused", marks=pytest.mark.skipif(not fused_is_installed(), reason=""))],
)
@pytest.mark.parametrize("batch_size", [7, 100, None])
@pytest.mark.parametrize("minimal", [False, True])
def test_where_calls_of_the_runner_are_cut_changes_no_bit(
    monkeypatch: pytest.MonkeyPatch, backend: str, batch_size: int | None, minimal: bool
) -> None:
    data, held_out, results = features(300), features(300, seed=1), []
    for seconds in (0.0, 1e-3, 1e9):  # a step a call, a few, all that an epoch has
        monkeypatch.setattr(epoch, "CALL_SECONDS", seconds)
        options: dict[str, Any] = {"epochs": 3, "batch_size": batch_size, "backend": backend}
        layers: list[Layer] = [Dense(8), ReLU(), Dense(3)]
        if not minimal:
            options |= {"clip_norm": 0.5, "average": EMA(0.9)}
            layers = [Dense(8), BatchNorm(), ReLU(), Dropout(0.2), Dense(3)]
        made = Sequential(layers).build((5,))
        history = Trainer(made, Adam(), InverseTimeDecay(0.01, 0.1), **options).fit(data, held_out)
        results.append([made.parameters.values, history["loss"], history["validation_loss"]])
    for arrays in results[1:]:
        for array, expected in zip(arrays, results[0], strict=True):
            assert np.array_equal(array, expected)


def test_a_callback_that_looks_at_every_step_sees_each_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch, "CALL_SECONDS", 1e9)
    seen: list[tuple[int, int, float]] = []

    class Steps(Callback):
        def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
            seen.append((state.progress.steps, measured.rows, measured.loss))
            if state.progress.steps == 7:
                state.stop(StopReason.EARLY_STOPPING)

    data = features(100)
    trainer = Trainer(network(data), SGD(), 0.1, epochs=9, batch_size=40, callbacks=[Steps()])
    history = trainer.fit(data)
    assert [step for step, _, _ in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [rows for _, rows, _ in seen] == [40, 40, 20, 40, 40, 20, 40]
    losses = [
        np.average([loss for _, _, loss in seen[e : e + 3]], weights=[40, 40, 20]) for e in (0, 3)
    ]
    np.testing.assert_allclose(history["loss"], losses)
    assert history.stop_reason is StopReason.EARLY_STOPPING
    assert history.stopped_in == 2


@pytest.mark.parametrize("bad", [-1.0, ArithmeticError("mine")])
def test_a_bad_rate_ends_training_after_the_steps_before_it(bad: Any) -> None:
    def schedule(step: int) -> float:
        if step < 5:
            return 0.1
        if isinstance(bad, Exception):
            raise bad
        return float(bad)

    data = features(100)
    trainer = Trainer(network(data), SGD(), schedule, epochs=9, batch_size=20)
    with pytest.raises(
        (ConfigurationError, ArithmeticError),
        match=r"at step 5 .*, got -1\.0|mine",
    ):
        trainer.fit(data)
    assert trainer.state.progress.steps == trainer.state.optimizer.steps == 5


def test_a_step_that_is_refused_changes_nothing() -> None:
    """Not even the running statistics, which a later step would commit."""
    data = features(40)
    made = Sequential([Dense(4), BatchNorm(), Dense(3)]).build((5,))
    trainer = Trainer(made, SGD(), 0.1, batch_size=20)
    prepared = trainer.prepare(data)
    with prepared.threads, np.errstate(all="ignore"):
        runner, arrays = prepared.runner, Arrays(data.inputs, data.targets)
        made.parameters.vector[0] = np.inf
        before = made.parameters.values.copy()
        result = runner.run(arrays, epoch_order(40, 20, None, 0), [0.1, 0.1])
        assert result.stop_reason is StopReason.NON_FINITE_LOSS
        assert not result.measured
        assert np.array_equal(made.parameters.values, before)
        made.parameters.vector[0] = 0.0
        assert len(runner.run(arrays, epoch_order(40, 20, None, 0), [0.1, 0.1]).measured) == 2
    assert np.isfinite(made.parameters.values).all()


class FailsAt(SoftmaxCrossEntropy):
    """Raises at a call."""

    def __init__(self, call: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = [call], error  # shared by shallow copies

    def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
        self.left[0] -= 1
        if not self.left[0]:
            raise self.error
        return super().__call__(*arguments, **options)


@pytest.mark.filterwarnings("ignore:fit was called again")
@pytest.mark.parametrize("error", [ArithmeticError("mine"), KeyboardInterrupt()])
def test_an_error_in_the_middle_of_a_run_of_steps_leaves_all_counts_as_they_are(
    error: BaseException,
) -> None:
    data = features(100)
    options: dict[str, Any] = {"epochs": 3, "batch_size": 10, "diagnose": False}
    trainer = Trainer(network(data), Adam(), 0.01, loss=FailsAt(18, error), **options)
    with pytest.raises(type(error)):
        trainer.fit(data)
    state = trainer.state
    assert state.progress.steps == state.optimizer.steps == 17
    assert state.progress.epoch_steps == 7
    trainer.fit(data, warm=state)  # and it goes on
    assert trainer.state.optimizer.steps == 17 + trainer.state.progress.steps > 17


def test_a_prepared_training_goes_on_after_an_error_between_updates() -> None:
    data, made = features(100), [network(features(100)) for _ in range(2)]
    options: dict[str, Any] = {"epochs": 3, "batch_size": 10, "diagnose": False}
    never, once = [FailsAt(call, ArithmeticError("mine")) for call in (1_000, 18)]
    Trainer(made[0], SGD(), 0.1, loss=never, **options).fit(data)
    trainer = Trainer(made[1], SGD(), 0.1, loss=once, **options)
    prepared = trainer.prepare(data)
    with pytest.raises(ArithmeticError):
        trainer.run(prepared)
    trainer.run(prepared)
    assert np.array_equal(made[0].parameters.vector, made[1].parameters.vector)


def test_a_prepared_training_with_half_an_update_is_refused() -> None:
    class Fails(SGD):
        def step(self, learning_rate: float) -> None:
            super().step(learning_rate)
            if self.steps == 3:
                raise ArithmeticError("mine")

    data = features(100)
    trainer = Trainer(network(data), Fails(), 0.1, epochs=1, batch_size=10)
    prepared = trainer.prepare(data)
    with pytest.raises(ArithmeticError):
        trainer.run(prepared)
    for go_on in (trainer.run, trainer.run_epoch):
        with pytest.raises(ModelError, match="ended this training in the middle of an update"):
            go_on(prepared)


def test_a_hook_of_one_object_is_called_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch, "CALL_SECONDS", 1e9)
    data, made = features(100), network(features(100))
    seen: list[Array] = []
    callback: Any = Callback()
    callback.on_step_end = lambda *, state, measured: seen.append(made.parameters.vector.copy())
    Trainer(made, SGD(), 0.1, epochs=1, batch_size=20, callbacks=[callback]).fit(data)
    assert len({vector.tobytes() for vector in seen}) == 5
