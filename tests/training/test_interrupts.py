"""Signals: training ends after a whole step, then they are delivered to the application."""

import asyncio
import faulthandler
import multiprocessing
import os
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.processes import running
from tests.helpers.training import At, features, network

from handloom import (
    EMA,
    SGD,
    BestWeights,
    Callback,
    Dense,
    History,
    Sequential,
    StopReason,
    Trainer,
    silhouettes,
)
from handloom.errors import ConfigurationError
from handloom.training import Checkpoints, EpochRecord, TrainingState
from handloom.training.objective import Measurement

DATA = silhouettes(rows=100, test_rows=20).train
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


class Send(Callback):
    """Sends a signal to this process after the third epoch."""

    changes_results = False

    def __init__(self, number: int) -> None:
        self.number = number

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch == 2:
            os.kill(os.getpid(), self.number)


def training(*callbacks: Callback, **options: Any) -> Trainer:
    made = Sequential([Dense(10)]).build((784,))
    options = {"epochs": 5, "threads": 1, "backend": "numpy", **options}
    return Trainer(made, SGD(), 0.1, callbacks=callbacks, **options)


class Mark(Callback):
    """Writes down which process trains, after the third epoch; raises after two minutes."""

    changes_results = False

    def __init__(self, path: Path) -> None:
        self.path, self.patience = path, time.monotonic() + 120

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch == 2:
            write_down_this_process(self.path)
        if time.monotonic() > self.patience:
            raise TimeoutError("nothing ended this training")


def write_down_this_process(mark: Path) -> None:
    """Write this process's number; the file appears whole, whoever else writes it too."""
    draft = mark.with_name(f"{mark.name}-{os.getpid()}-{threading.get_ident()}")
    draft.write_text(str(os.getpid()))
    draft.replace(mark)


def fit_for_long(mark: Path, **options: Any) -> int:
    """Fit until the process is ended."""
    return len(training(Mark(mark), **{"epochs": 10**7, **options}).fit(DATA))


def wait_for(mark: Path) -> int:
    """Return which process trains, once it does."""
    patience = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < patience, "nothing began to train"
        time.sleep(0.01)
    return int(mark.read_text())


@pytest.fixture
def restored() -> Iterator[None]:
    """Put back the handlers that a test replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@BOTH
@pytest.mark.usefixtures("restored")
def test_a_handler_of_the_application_runs_once_when_training_has_ended(
    number: int, tmp_path: Path
) -> None:
    heard: list[object] = []
    trainer = training(Send(number), checkpoints=Checkpoints(tmp_path, every=1))

    def handler(received: int, frame: object) -> None:
        heard.append((received, trainer.history.stop_reason, len(trainer.history)))
        again = training(checkpoints=Checkpoints(tmp_path, every=1))
        assert len(again.fit(DATA, resume=True)) == 5  # lock and checkpoint are in order

    signal.signal(number, handler)
    trainer.fit(DATA)
    assert heard == [(number, StopReason.INTERRUPTED, 3)]
    assert signal.getsignal(number) is handler


@BOTH
@pytest.mark.usefixtures("restored")
def test_what_a_handler_raises_comes_out_of_fit_and_the_weights_are_whole(number: int) -> None:
    def leave(received: int, frame: object) -> None:
        raise SystemExit(received)

    signal.signal(number, leave)
    trainer = training(Send(number))
    with pytest.raises(SystemExit, match=str(number)):
        trainer.fit(DATA)
    uninterrupted = training(epochs=3)
    uninterrupted.fit(DATA)
    assert np.array_equal(
        trainer.network.parameters.vector, uninterrupted.network.parameters.vector
    )
    assert trainer.state.progress.steps == uninterrupted.state.progress.steps


@BOTH
@pytest.mark.usefixtures("restored")
def test_a_fit_that_is_told_to_finish_keeps_the_signal(number: int) -> None:
    heard: list[int] = []
    signal.signal(number, lambda received, frame: heard.append(received))
    trainer = training(Send(number), on_signal="finish")
    assert trainer.fit(DATA).stop_reason is StopReason.INTERRUPTED
    assert not heard
    assert trainer.signals == [number]


def test_an_unknown_way_to_take_signals_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"on_signal.*'finsh'.*finish"):
        training(on_signal="finsh")


def test_an_event_loop_counts_a_signal_once() -> None:
    async def work() -> list[str]:
        heard: list[str] = []
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, heard.append, "told")
        training(Send(signal.SIGTERM)).fit(DATA)
        await asyncio.sleep(0.05)
        return heard

    assert asyncio.run(work()) == ["told"]


SCRIPT = """
import sys
from pathlib import Path
from handloom.training import Checkpoints
from tests.training.test_interrupts import fit_for_long
first, second, folder = map(Path, sys.argv[1:])
fit_for_long(first, checkpoints=Checkpoints(folder))
fit_for_long(second)
"""


@pytest.mark.slow
def test_kill_ends_a_script_of_several_fits_with_its_checkpoint_written(tmp_path: Path) -> None:
    first, second, folder = (tmp_path / name for name in ("first", "second", "checkpoints"))
    with running(SCRIPT, first, second, folder) as process:
        assert wait_for(first) == process.pid
        process.terminate()
        assert process.wait(timeout=20) == -signal.SIGTERM
    assert not second.exists()
    snapshot = Checkpoints(folder).newest()
    assert snapshot is not None
    assert len(snapshot.values["history"]["records"]) >= 3


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.slow
def test_a_pool_can_end_its_workers(method: str, tmp_path: Path) -> None:
    context: Any = multiprocessing.get_context(method)
    mark, began = tmp_path / "mark", time.monotonic()
    with context.Pool(1) as pool:
        result = pool.apply_async(fit_for_long, (mark,))
        worker = wait_for(mark)
        with pytest.raises(multiprocessing.TimeoutError):
            result.get(timeout=0.2)
    pool.join()  # it was terminated when the block was left
    assert time.monotonic() - began < 60
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.slow
def test_a_worker_of_an_executor_can_be_killed(method: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as executor:
        future = executor.submit(fit_for_long, mark)
        os.kill(wait_for(mark), signal.SIGTERM)
        with pytest.raises(BrokenProcessPool):
            future.result(timeout=20)


@pytest.mark.long
def test_joblib_can_end_its_workers(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    marks = [tmp_path / "0", tmp_path / "1"]
    with pytest.raises(multiprocessing.TimeoutError):
        joblib.Parallel(n_jobs=2, backend="loky", timeout=8)(
            joblib.delayed(fit_for_long)(mark) for mark in marks
        )
    patience = time.monotonic() + 20
    for worker in map(wait_for, marks):
        while Path(f"/proc/{worker}").exists() and time.monotonic() < patience:
            time.sleep(0.05)
        assert time.monotonic() < patience


@pytest.mark.slow
def test_a_search_in_threads_leaves_signals_to_the_application(tmp_path: Path) -> None:
    """The main thread waits in joblib: a signal acts there as without a training."""
    pytest.importorskip("joblib")
    mark = tmp_path / "mark"
    script = f"""
import sys
from pathlib import Path
import joblib
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.training.test_interrupts import fit_for_long
joblib.Parallel(n_jobs=2, backend="threading")(
    joblib.delayed(fit_for_long)(Path({str(mark)!r})) for _ in range(2)
)
"""
    with running(script) as process:
        wait_for(mark)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == -signal.SIGTERM


def test_fits_in_threads_leave_what_belongs_to_the_process_as_it_was() -> None:
    joblib = pytest.importorskip("joblib")
    before = environment()
    joblib.Parallel(n_jobs=3, backend="threading")(
        joblib.delayed(training(epochs=2).fit)(DATA) for _ in range(6)
    )
    after = environment()
    assert after[:-1] == before[:-1]  # joblib may keep its own threads


def sleep_long(mark: Path) -> None:
    write_down_this_process(mark)
    time.sleep(60)


class Fork(Callback):
    """Starts a process in the middle of a fit, and tells it to end."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch == 0:
            fork = multiprocessing.get_context("fork")
            child = fork.Process(target=sleep_long, args=(self.mark,), daemon=True)
            child.start()
            wait_for(self.mark)  # Python loses signals that arrive while a process is being forked
            child.terminate()
            child.join(20)
            self.ended = child.exitcode


def test_a_process_that_was_forked_during_a_fit_can_be_ended(tmp_path: Path) -> None:
    fork = Fork(tmp_path / "mark")
    trainer = training(fork)
    trainer.fit(DATA)
    assert fork.ended == -signal.SIGTERM
    assert not trainer.signals


@pytest.mark.usefixtures("restored")
def test_a_handler_that_is_installed_during_a_fit_stays() -> None:
    def own(number: int, frame: object) -> None: ...

    class Install(Callback):
        def on_train_begin(self, *, state: TrainingState) -> None:
            signal.signal(signal.SIGTERM, own)

    training(Install()).fit(DATA)
    assert signal.getsignal(signal.SIGTERM) is own


def test_a_fit_in_another_thread_leaves_signals_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    seen: list[object] = []

    class Look(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            seen[:] = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    thread = threading.Thread(target=lambda: training(Look()).fit(DATA))
    thread.start()
    thread.join()
    assert seen == before


def environment() -> tuple[object, ...]:
    """Return the state of the process, which a fit must not change."""
    state: Any = np.random.get_state()  # noqa: NPY002
    return (
        list(warnings.filters),
        np.geterr(),
        state[1].tobytes(),
        faulthandler.is_enabled(),
        threading.active_count(),
    )


def test_a_fit_leaves_what_belongs_to_the_process_as_it_was() -> None:
    before = environment()
    training(threads=2).fit(DATA)
    with pytest.warns(UserWarning, match="interrupted by SIGINT"):
        training(Send(signal.SIGINT), threads=2).fit(DATA)
    assert environment() == before


def test_ctrl_c_ends_training_tidily_and_the_handler_is_restored() -> None:
    data = features()
    made = network(data)
    before = signal.getsignal(signal.SIGINT)
    interrupt = At(2, lambda _: os.kill(os.getpid(), signal.SIGINT))
    with pytest.warns(UserWarning, match="training was interrupted by SIGINT"):
        history = Trainer(made, SGD(), 0.1, epochs=1000, callbacks=[interrupt]).fit(data)
    assert history.stop_reason is StopReason.INTERRUPTED
    assert len(history) == 3
    assert np.isfinite(made.parameters.vector).all()
    assert signal.getsignal(signal.SIGINT) is before


class InterruptedStep(Callback):
    """Sends Ctrl-C to this process after some steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        if state.progress.steps == self.steps:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(("steps", "words"), [(1, "1 step"), (2, "2 steps")])
def test_ctrl_c_in_the_first_epoch_says_how_many_steps_were_made(steps: int, words: str) -> None:
    made = Trainer(network(DATA), SGD(), 0.1, batch_size=50, callbacks=[InterruptedStep(steps)])
    with pytest.warns(UserWarning, match="training was interrupted by SIGINT: it ended after"):
        history = made.fit(DATA)
    assert history.ended == f"stopped in epoch 1 after {words}: interrupted"
    assert (history.stopped_in, history.stopped_steps) == (0, steps)
    assert History.from_json(history.to_json()).ended == history.ended


@pytest.mark.parametrize(
    ("callbacks", "average", "weights"),
    [
        ([], None, "the weights of that step"),
        ([], EMA(), "averaged weights"),
        ([BestWeights("loss", min_delta=1e9)], EMA(), "the best weights, those of epoch 1"),
        ([BestWeights("loss", restore=False)], None, "the weights of that step"),
    ],
)
def test_the_warning_after_ctrl_c_says_which_weights_the_network_has(
    callbacks: list[Callback], average: EMA | None, weights: str
) -> None:
    interrupt = At(2, lambda _: os.kill(os.getpid(), signal.SIGINT))
    made = Trainer(
        network(DATA), SGD(), 0.1, epochs=9, callbacks=[interrupt, *callbacks], average=average
    )
    with pytest.warns(UserWarning, match=f"it ended after a whole step, .* has {weights}$"):
        made.fit(DATA)


class InterruptedEnd(Callback):
    """Sends Ctrl-C to this process in a hook, after the last step."""

    changes_results = False

    def __init__(self, hook: str) -> None:
        setattr(self, hook, self.interrupt)

    def interrupt(self, *, state: TrainingState, **_: Any) -> None:
        if state.progress.steps == 3:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("hook", ["on_validation_end", "on_epoch_end", "on_train_end"])
def test_ctrl_c_after_the_last_step_is_told_and_leaves_the_reason(hook: str) -> None:
    made = training(InterruptedEnd(hook), epochs=3)
    with pytest.warns(UserWarning, match="SIGINT came when training had ended: all 3 epochs done"):
        history = made.fit(DATA, 0.2)
    assert history.stop_reason is StopReason.MAX_EPOCHS
    assert made.signals == [signal.SIGINT]


class InterruptedCheck(Callback):
    """Sends Ctrl-C to this process while a training is prepared."""

    changes_results = False

    def check(self, *, state: TrainingState) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_in_the_preparation_ends_training_before_its_first_step() -> None:
    trainer = training(InterruptedCheck())
    before = trainer.network.get_weights()
    with pytest.warns(UserWarning, match="interrupted by SIGINT before its first step"):
        history = trainer.fit(DATA)
    assert history.ended == "stopped after 0 epochs: interrupted"
    for name, array in trainer.network.get_weights().items():
        np.testing.assert_array_equal(array, before[name])


def test_ctrl_c_in_prepare_takes_effect_after_it() -> None:
    trainer = training(InterruptedCheck())
    with pytest.raises(KeyboardInterrupt):
        trainer.prepare(DATA)
    assert trainer.state.history.lanes  # the preparation was complete
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


IMPORT = """
import os, signal, sys
from handloom import Adam, Dense, Sequential, StopReason, Trainer, silhouettes
from handloom.training import objective_making

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
data = silhouettes(rows=100, test_rows=20).train
network = Sequential([Dense(10)]).build((784,))
trainer = Trainer(network, Adam(), 1e-3, epochs=2, backend="numpy")

choose = objective_making.choose_backend

def load_and_choose(*arguments, **options):  # as for "fused", without its compilation
    import numba

    return choose(*arguments, **options)

objective_making.choose_backend = load_and_choose
history = trainer.fit(data)
assert history.stop_reason is StopReason.INTERRUPTED and len(history) == 0
assert sys.modules["numba"].njit and sys.modules["numba"].core
assert len(trainer.fit(data)) == 2
"""


@pytest.mark.parametrize("module", ["numba.core", "llvmlite.binding"])
@pytest.mark.slow
def test_ctrl_c_in_an_import_leaves_it_whole(module: str) -> None:
    pytest.importorskip("numba")
    with running(IMPORT, module, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "before its first step" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_ignored_signal_stays_ignored(
    number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    data = features()
    earlier = signal.signal(number, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(number, earlier))
    unheard = At(2, lambda _: os.kill(os.getpid(), number))
    history = Trainer(network(data), SGD(), 0.1, epochs=5, callbacks=[unheard]).fit(data)
    assert len(history) == 5
    assert signal.getsignal(number) is signal.SIG_IGN


def test_a_second_ctrl_c_acts_as_it_always_did() -> None:
    data = features()
    before = signal.getsignal(signal.SIGINT)

    def twice(_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        while signal.getsignal(signal.SIGINT) is not before:
            pass  # two signals that arrive together count as one
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Trainer(network(data), SGD(), 0.1, epochs=50, callbacks=[At(2, twice)]).fit(data)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no hang-ups")
def test_a_hang_up_that_the_application_handles_or_ignores_is_left_to_it() -> None:
    heard: list[int] = []
    for handler in (lambda number, frame: heard.append(number), signal.SIG_IGN):
        before = signal.signal(signal.SIGHUP, handler)
        try:
            assert training(Send(signal.SIGHUP)).fit(DATA).stop_reason is StopReason.MAX_EPOCHS
        finally:
            signal.signal(signal.SIGHUP, before)
    assert heard == [signal.SIGHUP]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no hang-ups")
def test_hang_ups_end_a_fit_after_a_step_and_leave_the_default() -> None:
    trainer = training(Send(signal.SIGHUP), Send(signal.SIGHUP), on_signal="finish")
    assert trainer.fit(DATA).stop_reason is StopReason.INTERRUPTED
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_a_signal_of_an_earlier_training_ends_no_later_one() -> None:
    made = training(Send(signal.SIGINT), on_signal="finish")
    assert made.fit(DATA).stop_reason is StopReason.INTERRUPTED
    prepared = made.prepare(DATA)
    with prepared.threads:
        made.run_epoch(prepared)
    assert len(made.history) == 1
    assert made.history.stop_reason is None
