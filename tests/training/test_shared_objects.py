"""An object that a training changes is refused to every other one until the first has ended.

A first training is held in the middle, in a hook, while a second one asks for a part of it.
"""

import copy
import functools
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Event, Semaphore
from typing import Any

import numpy as np
import pytest
from tests.helpers.processes import running

from handloom import (
    EMA,
    SGD,
    Adam,
    BatchNorm,
    BestModel,
    BestWeights,
    Callback,
    Checkpoints,
    CSVLog,
    Dense,
    Dropout,
    EarlyStopping,
    Flip,
    History,
    Progress,
    ReLU,
    Sequential,
    Softmax,
    Trainer,
    Warmup,
    silhouettes,
)
from handloom.data.augment import Draw, Images
from handloom.errors import DataError, ModelError
from handloom.optimizers import OPTIMIZERS
from handloom.parameters import Array
from handloom.training import LayerNorms, TrainingState
from handloom.training.snapshot import Snapshot
from handloom.training.triggers import EveryMinutes

DATA = silhouettes(rows=120, test_rows=40)
Options = dict[str, Any]


class Hold(Callback):
    """Holds a training after its first epoch, until it is released."""

    def __init__(self) -> None:
        self.inside, self.release = Event(), Event()

    def on_epoch_end(self, **_: Any) -> None:
        self.inside.set()
        assert self.release.wait(30)


class Own(Callback):
    """A callback of a user's own, with a state that no checkpoint saves."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_epoch_end(self, *, record: Any, **_: Any) -> None:
        self.losses.append(record.loss)


class Noise:
    """An augmentation with a generator of its own."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(0)

    def __call__(self, images: Images, draw: Draw) -> None:
        images ^= self.generator.integers(0, 2, images.shape, np.uint8)


@dataclass(frozen=True)
class Often:
    """An augmentation around another one."""

    inner: Noise

    def __call__(self, images: Images, draw: Draw) -> None:
        self.inner(images, draw)


class Slower:
    """A schedule that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, step: int) -> float:
        self.calls += 1
        return 0.01 / self.calls

    def rate(self, step: int) -> float:
        return self(step)


def network(seed: int = 0) -> Sequential:
    return Sequential([Dense(8), ReLU(), Dense(10), Softmax()]).build((784,), seed=seed)


def trainer(*callbacks: Callback, **options: Any) -> Trainer:
    made = options.pop("network", None) or network()
    optimizer, rate = options.pop("optimizer", None) or Adam(), options.pop("learning_rate", 0.01)
    options = {"epochs": 3, "batch_size": 30, "threads": 1, "backend": "numpy", **options}
    callbacks = (*options.pop("callbacks", ()), *callbacks)
    return Trainer(made, optimizer, rate, callbacks=callbacks, diagnose=False, **options)


def fit(made: Trainer) -> History:
    return made.fit(DATA.train, DATA.test)


def weights(made: Trainer) -> Array:
    return made.network.parameters.values


@contextmanager
def held(first: Trainer, hold: Hold) -> Iterator[Future[History]]:
    """Hold a training in another thread, after its first epoch, until the end of the block."""
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(fit, first)
        try:
            while not hold.inside.wait(0.05):
                assert not training.done(), training.exception()
            yield training
        finally:
            hold.release.set()
        training.result()


def fitted(made: Trainer) -> Trainer:
    fit(made)
    return made


Pair = tuple[Options, Options]


def both(**options: Any) -> Pair:
    return options, options


def triggers(folder: Path) -> Pair:
    every = EveryMinutes(1.0)
    first, second = (Checkpoints(folder / name, every=every) for name in ("first", "second"))
    return {"checkpoints": first}, {"checkpoints": second}


def methods(made: Slower) -> Pair:
    return {"learning_rate": made.rate}, {"learning_rate": made.rate}


def inner_schedules(then: Slower) -> Pair:
    return tuple({"learning_rate": Warmup(2, then=then)} for _ in range(2))  # type: ignore[return-value]


def inner_augmentations(inner: Noise) -> Pair:
    return {"augment": [Often(inner)]}, {"augment": [Flip(), inner]}


def writers(kind: Callable[[Path], Callback], path: Path) -> Pair:
    return {"callbacks": [kind(path)]}, {"callbacks": [kind(path)]}


def networks(change: Callable[[Sequential], Sequential]) -> Pair:
    made = network()
    return {"network": made}, {"network": change(made)}


SHARED: dict[str, tuple[str, Callable[[Path], Pair]]] = {
    "an optimizer": ("the optimizer Adam", lambda _: both(optimizer=Adam())),
    "an optimizer without a state": ("the optimizer SGD", lambda _: both(optimizer=SGD())),
    "an average": ("the average EMA", lambda _: both(average=EMA(0.9))),
    "early stopping": (
        "the callback EarlyStopping",
        lambda _: both(callbacks=[EarlyStopping("validation_loss")]),
    ),
    "best weights": ("the callback BestWeights", lambda _: both(callbacks=[BestWeights()])),
    "layer norms": ("the callback LayerNorms", lambda _: both(callbacks=[LayerNorms()])),
    "a progress bar": ("the callback Progress", lambda _: both(callbacks=[Progress()])),
    "a callback of one's own": ("the callback Own", lambda _: both(callbacks=[Own()])),
    "a trigger": ("the trigger EveryMinutes", triggers),
    "an augmentation with a generator": (
        "the augmentation Noise",
        lambda _: both(augment=[Noise()]),
    ),
    "an augmentation in another": (
        "the augmentation Noise",
        lambda _: inner_augmentations(Noise()),
    ),
    "a schedule with a count": ("the schedule Slower", lambda _: both(learning_rate=Slower())),
    "a method as a schedule": ("the schedule Slower", lambda _: methods(Slower())),
    "a schedule in another": ("the schedule Slower", lambda _: inner_schedules(Slower())),
    "a file": (
        "log.csv, which CSVLog writes,",
        lambda folder: writers(CSVLog, folder / "log.csv"),
    ),
    "a folder of a model": (
        "best, which BestModel writes,",
        lambda folder: writers(BestModel, folder / "best"),
    ),
    "a network": ("the network", lambda _: networks(lambda made: made)),
    "the memory of a network": ("the network", lambda _: networks(lambda made: made.replica())),
    "a network without its softmax": (
        "the network",
        lambda _: networks(lambda made: made.without_activation("softmax")),
    ),
}
"""Shared objects by kind: the name in the error, and the options of two trainings that share it."""

kinds = pytest.mark.parametrize("kind", SHARED)


@kinds
@pytest.mark.slow
def test_what_a_training_in_another_thread_uses_is_refused(kind: str, tmp_path: Path) -> None:
    name, make = SHARED[kind]
    for folder in ("alone", "shared"):
        (tmp_path / folder).mkdir()
    alone = fitted(trainer(**make(tmp_path / "alone")[0]))
    hold, (options, others) = Hold(), make(tmp_path / "shared")
    first, second = trainer(hold, **options), trainer(**others)
    with held(first, hold):
        before = weights(second).copy()
        for attempt in (fit, lambda each: each.prepare(DATA.train, DATA.test)):
            with pytest.raises(ModelError) as refused:
                attempt(second)
            message = str(refused.value)
            assert f"{name} is in use by another training, in another thread" in message
            assert "make one for each training (copy.deepcopy copies one)" in message
        assert np.array_equal(weights(second), before)
    assert np.array_equal(weights(first), weights(alone))
    assert len(fit(second)) == 3  # free again


@kinds
def test_what_the_training_of_a_callback_uses_is_refused(kind: str, tmp_path: Path) -> None:
    name, make = SHARED[kind]
    options, others = make(tmp_path)
    messages: list[str] = []

    class Nested(Callback):
        def on_epoch_end(self, **_: Any) -> None:
            with pytest.raises(ModelError) as refused:
                fit(trainer(**others))
            messages.append(str(refused.value))

    fit(trainer(Nested(), **options))
    assert len(messages) == 3
    for message in messages:
        assert f"{name} is in use by the training that called this, by a callback" in message


def test_a_trainer_does_one_training_at_a_time() -> None:
    class Nested(Callback):
        def on_train_begin(self, **_: Any) -> None:
            with pytest.raises(ModelError, match="the trainer is in use by the training that"):
                fit(first)

    hold = Hold()
    first = trainer(Nested(), hold)
    with held(first, hold):
        for attempt in (fit, lambda each: each.prepare(DATA.train)):
            with pytest.raises(ModelError, match="the trainer is in use by another"):
                attempt(first)
    assert np.array_equal(weights(first), weights(fitted(trainer())))


@pytest.mark.parametrize("kind", ["an optimizer", "early stopping", "an average", "a network"])
def test_of_trainings_that_begin_at_once_one_goes_on(kind: str, tmp_path: Path) -> None:
    count = 4
    options = SHARED[kind][1](tmp_path)[0]
    barrier, refusals = Barrier(count), Semaphore(0)

    class WaitForTheOthers(Callback):
        def on_epoch_end(self, **_: Any) -> None:
            for _other in range(count - 1):
                assert refusals.acquire(timeout=5)
            refusals.release(count - 1)

    def begin(_: int) -> bool:
        made = trainer(WaitForTheOthers(), **options)
        barrier.wait(30)
        try:
            fit(made)
        except ModelError:
            refusals.release()
            return False
        return True

    with ThreadPoolExecutor(count) as pool:
        assert sum(pool.map(begin, range(count))) == 1


def test_callbacks_in_another_order_are_refused_too() -> None:
    hold, shared = Hold(), [EarlyStopping("loss"), BestWeights("loss")]
    second = trainer(*reversed(shared))
    with (
        held(trainer(*shared, hold), hold),
        pytest.raises(ModelError, match="is in use by another training"),
    ):
        fit(second)


# Cases that are not refused


STATELESS: dict[str, Options] = {
    "augmentations of the library": {"augment": [Flip()]},
    "a schedule of the library": {"learning_rate": Warmup(2, then=0.01)},
    "a function": {"learning_rate": lambda step: 0.01 / (1 + step)},
    "a cached function": {"learning_rate": functools.cache(lambda step: 0.01 / (1 + step))},
    "a loss": {"loss": "softmax_cross_entropy"},
}


@pytest.mark.parametrize("kind", STATELESS)
def test_functions_may_be_shared(kind: str) -> None:
    options, hold = STATELESS[kind], Hold()
    with held(trainer(hold, **options), hold):
        fit(trainer(**options))


COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda part: pickle.loads(pickle.dumps(part)),  # noqa: S301 - its own
}


@pytest.mark.parametrize("made_by", COPIES)
def test_copies_of_objects_in_use_are_free(made_by: str, tmp_path: Path) -> None:
    def options() -> Options:
        logs = [CSVLog(tmp_path / "log.csv"), BestModel(tmp_path / "best")]
        return {
            "optimizer": Adam(),
            "average": EMA(0.9),
            "callbacks": [EarlyStopping("validation_loss"), Own(), *logs],
            "network": network(),
            "learning_rate": Slower(),
        }

    make, hold, shared = COPIES[made_by], Hold(), options()
    first = trainer(hold, **shared)
    with held(first, hold):
        made = make({**shared, "network": network()})
        second = trainer(**made)
        fit(second)
        again = trainer(network=make(first.network))
        fit(again)
    assert (tmp_path / "log-2.csv").exists()
    assert (tmp_path / "best-2").exists()
    assert np.array_equal(weights(first), weights(fitted(trainer(**options()))))


@pytest.mark.parametrize("error", [ArithmeticError, KeyboardInterrupt])
def test_after_an_error_all_objects_are_free(error: type[BaseException], tmp_path: Path) -> None:
    class Fails(Callback):
        failed = False

        def on_epoch_end(self, **_: Any) -> None:
            if not self.failed:
                self.failed = True
                raise error

    made = trainer(Fails(), EarlyStopping("loss"), CSVLog(tmp_path / "log.csv"), average=EMA(0.9))
    with pytest.raises(error):
        fit(made)
    with pytest.raises(DataError):
        made.fit(DATA.train, DATA.test.take(slice(0, 0)))
    with pytest.warns(UserWarning, match="fit was called again"):
        fit(made)


@pytest.mark.parametrize("kind", [*OPTIMIZERS, "average", "early stopping"])
def test_one_after_another_each_training_begins_anew(kind: str) -> None:
    def options() -> Options:
        if kind == "average":
            return {"average": EMA(0.9)}
        if kind == "early stopping":
            return {"callbacks": [EarlyStopping("validation_loss", patience=2)]}
        return {"optimizer": OPTIMIZERS[kind]()}

    shared = options()
    fit(trainer(**shared, seed=5, network=network(seed=5)))
    second = fitted(trainer(**shared))
    assert np.array_equal(weights(second), weights(fitted(trainer(**options()))))


FORKED = """
import os, threading
from tests.training.test_shared_objects import *

hold = Hold()
options = {"optimizer": Adam(), "average": EMA(0.9), "callbacks": [EarlyStopping("loss")]}
shared = network()

def in_a_child():
    child = os.fork()
    if child == 0:
        hold.release.set()
        fit(trainer(network=shared, **options))
        os._exit(17)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

class Fork(Callback):
    def on_epoch_end(self, *, record, **_):
        if record.epoch == 1:
            in_a_child()  # by the thread that trains

with held(trainer(hold, Fork(), network=shared, **options), hold):
    in_a_child()  # by another thread
"""


@pytest.mark.skipif("not hasattr(__import__('os'), 'fork')", reason="needs fork")
@pytest.mark.slow
def test_a_forked_process_trains_its_own_copy() -> None:
    with running(FORKED, stdout=-1, stderr=-1) as process:
        out, err = process.communicate(timeout=120)
    assert out.split() == ["17", "17"], err


# Between preparation and run, and after a training


@pytest.mark.parametrize("part", ["optimizer", "average"])
def test_a_prepared_training_is_refused_once_another_has_used_its_parts(part: str) -> None:
    shared: Options = {part: Adam() if part == "optimizer" else EMA(0.9)}
    first, second = trainer(**shared), trainer(**shared, network=network(seed=1))
    prepared = first.prepare(DATA.train, DATA.test)
    fit(second)
    before = weights(second).copy()
    for attempt in (first.run, first.run_epoch):
        with pytest.raises(ModelError, match=f"another training has used the {part} since"):
            attempt(prepared)
    assert np.array_equal(weights(second), before)
    first.run(first.prepare(DATA.train, DATA.test))
    alone = fitted(trainer(**copy.deepcopy(shared)))
    assert np.array_equal(weights(first), weights(alone))


def test_a_prepared_training_is_refused_while_another_uses_its_parts() -> None:
    hold, optimizer = Hold(), Adam()
    second = trainer(optimizer=optimizer)
    prepared = second.prepare(DATA.train)
    with held(trainer(hold, optimizer=optimizer), hold):
        for attempt in (second.run, second.run_epoch):
            with pytest.raises(ModelError, match="the optimizer Adam is in use by another"):
                attempt(prepared)


def test_no_snapshot_has_the_optimizer_of_another_training() -> None:
    optimizer = Adam()
    first = fitted(trainer(optimizer=optimizer))
    copied = copy.deepcopy(first.state)
    own = Snapshot.take(first.state).arrays
    fit(trainer(optimizer=optimizer, seed=1))
    with pytest.raises(ModelError, match="another training has used the optimizer since"):
        Snapshot.take(first.state)
    for name, array in Snapshot.take(copied).arrays.items():
        assert np.array_equal(array, own[name])


def test_no_warm_start_from_a_training_that_goes_on_in_another_thread() -> None:
    hold, warm = Hold(), trainer()
    first = trainer(hold)
    with (
        held(first, hold),
        pytest.raises(ModelError, match=r"the network is in use .*no warm start before"),
    ):
        warm.fit(DATA.train, warm=first.state)
    warm.fit(DATA.train, warm=first.state)


def test_a_callback_starts_another_training_warm() -> None:
    histories = []

    class Side(Callback):
        def on_epoch_end(self, *, state: TrainingState, **_: Any) -> None:
            histories.append(trainer().fit(DATA.train, warm=state))

    fit(trainer(Side()))
    assert len(histories) == 3


def test_many_trainings_begin_with_the_weights_of_one_that_has_ended() -> None:
    first, together = fitted(trainer()), Barrier(4)

    def begin(index: int) -> Array:
        made = trainer()
        for _ in range(50):
            together.wait(30)
            made.network.copy_weights(first.network)
        together.wait(30)
        made.fit(DATA.train, warm=first.state)
        return weights(made)

    with ThreadPoolExecutor(4) as pool:
        each = list(pool.map(begin, range(4)))
    assert all(np.array_equal(each[0], other) for other in each)


# A network that is being trained


def test_predictions_during_a_training_do_not_change_it() -> None:
    def network_with_statistics() -> Sequential:
        layers = [Dense(8), BatchNorm(), ReLU(), Dropout(0.1), Dense(10)]
        return Sequential(layers).build((784,), seed=0)

    def whole() -> Trainer:
        return trainer(network=network_with_statistics(), average=EMA(0.9), epochs=10)

    stop, made = Event(), whole()
    rows = DATA.test.inputs.reshape(40, 784).astype(np.float32)

    def predict() -> int:
        count = 0
        while not stop.is_set() or not count:
            assert made.network.predict(rows).shape == (40, 10)
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        predictions = pool.submit(predict)
        try:
            fit(made)
        finally:
            stop.set()
        assert predictions.result() > 0
    assert np.array_equal(weights(made), weights(fitted(whole())))


CHANGES: dict[str, Callable[[Sequential], object]] = {
    "build": lambda made: made.build((784,), seed=1),
    "freeze": lambda made: made.freeze("0.dense"),
    "unfreeze": lambda made: made.unfreeze("0.dense"),
    "copy_weights to it": lambda made: made.copy_weights(network(seed=1)),
    "copy_weights from it": lambda made: network(seed=1).copy_weights(made),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_network_is_not_changed_while_another_thread_trains_it(change: str) -> None:
    hold = Hold()
    first = trainer(hold)
    with held(first, hold):
        with pytest.raises(ModelError, match="the network is in use by another training, in anot"):
            CHANGES[change](first.network)
        assert first.network.layers[0].trainable
    assert np.array_equal(weights(first), weights(fitted(trainer())))
    CHANGES[change](first.network)


@pytest.mark.parametrize("change", ["build", "freeze"])
def test_a_callback_does_not_replace_the_arrays_of_its_training(change: str) -> None:
    class Change(Callback):
        def on_epoch_end(self, *, state: TrainingState, **_: Any) -> None:
            with pytest.raises(ModelError, match="cannot be frozen or built again during the tr"):
                CHANGES[change](state.network)
            state.network.copy_weights(state.network)  # values may change between two steps

    made = fitted(trainer(Change()))
    assert np.array_equal(weights(made), weights(fitted(trainer())))
