"""Callbacks: their hooks, the arguments of these, and the consequences of errors."""

import sys
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.helpers.training import ROWS, network
from tests.training.helpers import Boom, trainer

from handloom import (
    SGD,
    BestWeights,
    Callback,
    ConfigurationError,
    DataError,
    EarlyStopping,
    History,
    StopReason,
    Trainer,
)
from handloom.training import EpochRecord, TrainingState


def test_the_end_is_told_even_if_the_beginning_failed() -> None:
    told = []

    class First(Callback):
        def on_train_end(self, *, state: TrainingState) -> None:
            told.append("end")

    class Second(Callback):
        def on_train_begin(self, *, state: TrainingState) -> None:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        Trainer(network(ROWS), SGD(), 0.1, callbacks=[First(), Second()]).fit(ROWS)
    assert told == ["end"]


def test_a_callback_that_refuses_to_begin_ends_nothing() -> None:
    best = BestWeights()
    Trainer(network(ROWS), SGD(), 0.1, epochs=2, callbacks=[best]).fit(ROWS, 0.2)
    other = network(ROWS)
    before = other.parameters.vector.copy()
    with pytest.raises(ConfigurationError, match="there is no validation set"):
        Trainer(other, SGD(), 0.1, callbacks=[best]).fit(ROWS)
    np.testing.assert_array_equal(other.parameters.vector, before)


def test_options_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'los'.*Did you mean 'loss'"):
        BestWeights("los")
    with pytest.raises(ConfigurationError, match="patience"):
        EarlyStopping(patience=0)
    with pytest.raises(ConfigurationError, match="no validation set"):
        Trainer(network(ROWS), SGD(), 0.1, callbacks=[EarlyStopping()]).fit(ROWS)
    with pytest.raises(ConfigurationError, match="unknown column"):
        History()["los"]
    with pytest.raises(DataError):
        Trainer(network(ROWS), SGD(), 0.1).fit(ROWS.take(slice(0, 0)))


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


def test_the_error_that_ended_training_is_the_one_that_is_raised() -> None:
    class Also(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            raise KeyError("second")

        def on_train_end(self, *, state: TrainingState) -> None:
            raise LookupError("third")

    with pytest.raises(RuntimeError, match="mine") as caught:
        trainer(None, Boom("on_epoch_end", 3), Also()).fit(ROWS)
    assert any("second" in note for note in caught.value.__notes__)
    assert any("third" in note for note in caught.value.__notes__)


def test_an_exit_in_one_end_does_not_keep_others_from_theirs() -> None:
    class Leaves(Callback):
        def on_train_end(self, *, state: TrainingState) -> None:
            sys.exit(3)

    best = BestWeights("loss")
    made = trainer(None, Leaves(), best)
    with pytest.raises(SystemExit):
        made.fit(ROWS)
    np.testing.assert_array_equal(made.network.parameters.values, best.weights)


def test_an_interrupt_comes_before_every_other_error() -> None:
    class Interrupts(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(None, Boom("on_epoch_end", 3), Interrupts()).fit(ROWS)


@pytest.mark.parametrize("reason", ["plateau", None, 3])
def test_a_reason_to_stop_is_one_of_those_there_are(reason: Any) -> None:
    class Stops(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            state.stop(reason)

    message = r"reason must be StopReason.MAX_EPOCHS or .*INTERRUPTED, got"
    with pytest.raises(ConfigurationError, match=message):
        trainer(None, Stops()).fit(ROWS)


def test_a_callback_cannot_say_that_a_training_diverged() -> None:
    class Says(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            state.stop(StopReason.NON_FINITE_LOSS)

    with pytest.raises(ConfigurationError, match="only the trainer sets"):
        trainer(None, Says()).fit(ROWS)


def test_a_callback_is_there_once() -> None:
    twice = EarlyStopping("loss")
    with pytest.raises(ConfigurationError, match="got the same EarlyStopping twice"):
        trainer(None, twice, twice)


def test_a_hook_with_other_arguments_is_refused_where_it_is_defined() -> None:
    with pytest.raises(ConfigurationError, match=r"Old\.on_epoch_end is called with state, record"):

        class Old(Callback):
            def on_epoch_end(self, *, trainer: Any, record: Any) -> None: ...  # type: ignore[override]

    class Fine(Callback):
        def on_epoch_end(self, **_: Any) -> None: ...

    Fine()


def test_hooks_may_be_static() -> None:
    class Static(Callback):
        calls: list[int] = []  # noqa: RUF012

        @staticmethod
        def on_epoch_end(*, state: TrainingState, record: EpochRecord) -> None:
            Static.calls.append(record.epoch)

        @classmethod
        def on_epoch_begin(cls, *, state: TrainingState) -> None:
            cls.calls.append(-1)

    trainer(None, Static(), epochs=2).fit(ROWS)
    assert Static.calls == [-1, 0, -1, 1]
