"""Failures beside a training, such as of a log: each is told once, and the training goes on."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, short_trainer
from tests.training.helpers import Watcher, no_file_larger_than, small_network, trainer

from handloom import Adam, BestModel, Checkpoints, CSVLog, Model, Progress, StopReason, Trainer
from handloom.training import EpochRecord, TrainingState


class UnprintableError(Exception):
    """Cannot be printed."""

    def __str__(self) -> str:
        raise LookupError("mine")


ERRORS = [MemoryError(), LookupError("mine"), RecursionError("mine"), UnprintableError()]


class BrokenState(Watcher):
    """Has a state that cannot be had, in some calls."""

    def __init__(self, error: Exception, calls: set[int]) -> None:
        self.error, self.broken, self.calls = error, calls, 0

    def state_dict(self) -> dict[str, Any]:
        self.calls += 1
        if self.calls in self.broken:
            raise self.error
        return {}


def with_checkpoints(folder: Path, *callbacks: Watcher, **options: Any) -> Trainer:
    every = options.pop("every", 1)
    return Trainer(
        *(small_network(), Adam(), 0.01),
        epochs=3,
        callbacks=callbacks,
        checkpoints=Checkpoints(folder, every=every, keep=9, **options),
    )


def complete(made: Trainer) -> bool:
    return made.history.stop_reason is StopReason.MAX_EPOCHS and len(made.history) == 3


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("calls", [{1}, {2, 3}, {1, 2, 3, 4, 5}], ids=["first", "later", "all"])
def test_a_state_dict_that_raises_costs_checkpoints_and_not_the_training(
    tmp_path: Path, error: Exception, calls: set[int]
) -> None:
    said: list[str] = []
    made = with_checkpoints(tmp_path, BrokenState(error, calls), warn=said.append)
    made.fit(ROWS)
    assert complete(made)
    assert len(said) == len(calls)
    assert all(type(error).__name__ in text and "no checkpoint" in text for text in said)


def test_a_checkpoint_that_safetensors_refuses_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    safetensors = pytest.importorskip("safetensors")

    def refuse(*_: object) -> None:
        raise safetensors.SafetensorError("mine")

    monkeypatch.setattr("safetensors.numpy.save", refuse)
    said: list[str] = []
    made = with_checkpoints(tmp_path, warn=said.append)
    made.fit(ROWS)
    assert complete(made)
    assert len(said) == 4  # three epochs, and the end
    assert all("SafetensorError: mine" in text for text in said)


def test_an_array_whose_name_no_file_can_hold_costs_no_training(tmp_path: Path) -> None:
    class Named(Watcher):
        def state_dict(self) -> dict[str, Any]:
            return {"\udce9": np.zeros(2)}

    said: list[str] = []
    made = with_checkpoints(tmp_path, Named(), warn=said.append)
    made.fit(ROWS)
    assert complete(made)
    assert said


def test_an_array_that_no_memory_can_hold_costs_no_training(tmp_path: Path) -> None:
    class Huge(Watcher):
        def state_dict(self) -> dict[str, Any]:
            return {"all": np.empty(1 << 60, np.uint8)}

    said: list[str] = []
    made = with_checkpoints(tmp_path, Huge(), warn=said.append)
    made.fit(ROWS)
    assert complete(made)
    assert all("Unable to allocate" in text for text in said)


@pytest.mark.parametrize("method", ["due", "reset"])
def test_a_trigger_that_raises_costs_checkpoints_and_not_the_training(
    tmp_path: Path, method: str
) -> None:
    class Broken:
        def due(self, state: TrainingState) -> bool:
            return self._fail("due")

        def reset(self, state: TrainingState) -> None:
            self._fail("reset")

        def _fail(self, called: str) -> bool:
            if called == method:
                raise LookupError("mine")
            return True

    said: list[str] = []
    made = with_checkpoints(tmp_path, every=Broken(), warn=said.append)
    made.fit(ROWS)
    assert complete(made)
    assert len(said) == 1
    assert "the trigger of the checkpoints failed: LookupError: mine" in said[0]
    assert list(tmp_path.glob("step-*/manifest.json"))  # that of the end


def test_a_warn_that_raises_costs_no_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def warn(text: str) -> None:
        raise LookupError("mine")

    made = with_checkpoints(tmp_path, BrokenState(MemoryError(), {2}), warn=warn)
    made.fit(ROWS)
    assert complete(made)
    assert "no checkpoint was written: MemoryError" in capsys.readouterr().err


@pytest.mark.filterwarnings("error")
def test_warnings_that_are_errors_are_printed_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = with_checkpoints(tmp_path, BrokenState(MemoryError(), {1, 2, 3, 4, 5}))
    made.fit(ROWS)
    assert complete(made)
    assert capsys.readouterr().err.count("MemoryError") == 5


def test_a_diagnosis_without_memory_costs_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("handloom.training.probe._passes", fail)
    made = short_trainer(diagnose=True, epochs=3)
    with pytest.warns(UserWarning, match="the diagnosis is incomplete: MemoryError") as said:
        made.fit(ROWS)
    assert complete(made)
    assert len(said) == 1


class ReplaceByFolder(Watcher):
    """Puts a folder where a file is."""

    def __init__(self, path: Path, epoch: int) -> None:
        self.path, self.epoch = path, epoch

    def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
        if record.epoch == self.epoch:
            self.path.unlink()
            self.path.mkdir()


def test_a_log_that_cannot_be_written_any_more_is_said_once(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    made = trainer(None, ReplaceByFolder(log, 0), CSVLog(log))
    with pytest.warns(UserWarning, match=r"log\.csv lacks epochs: IsADirectoryError") as said:
        made.fit(ROWS)
    assert complete(made)
    assert len(said) == 1


def test_a_log_without_room_is_said_once(tmp_path: Path) -> None:
    class Fill(Watcher):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            limit.__enter__() if record.epoch == 0 else None

    limit, log = no_file_larger_than(10), tmp_path / "log.csv"
    made = trainer(None, Fill(), CSVLog(log))
    try:
        with pytest.warns(UserWarning, match="lacks epochs: .*File too large") as said:
            made.fit(ROWS)
    finally:
        limit.__exit__(None, None, None)
    assert complete(made)
    assert len(said) == 1


@pytest.mark.parametrize("error", ["safetensors", "memory"])
def test_a_best_model_that_cannot_be_saved_costs_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    from safetensors import SafetensorError

    def fail(*_: object, **__: object) -> None:
        raise SafetensorError("mine") if error == "safetensors" else MemoryError

    monkeypatch.setattr("safetensors.numpy.save", fail)
    best = BestModel(tmp_path / "best", "loss")
    made = trainer(None, best)
    with pytest.warns(UserWarning, match="the best model is not saved") as said:
        made.fit(ROWS)
    assert complete(made)
    first, last = (str(each.message) for each in said)
    assert "tried again when training ends" in first
    assert "not saved anywhere else either" in last
    assert "BestModel.weights" in last
    assert best.weights is not None


def test_a_best_model_without_a_folder_is_saved_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    folder.write_text("a file")
    made = trainer(None, BestModel(folder, "loss"))
    with pytest.warns(UserWarning, match="the best model is not saved") as said:
        made.fit(ROWS)
    assert complete(made)
    (saved,) = tmp_path.glob("handloom-model-*")
    assert f"the model is saved to {saved} instead: move it to {folder}" in str(said[-1].message)
    assert np.array_equal(
        Model.load(saved).network.parameters.vector, made.network.parameters.vector
    )


class BrokenStream:
    """A stream that no longer takes anything."""

    encoding = "utf-8"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error

    def isatty(self) -> bool:
        return False


@pytest.fixture
def no_reader() -> Iterator[int]:
    """Return the end of a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


FIT_WITH_PROGRESS = """
import os, sys
from tests.helpers.training import ROWS
from tests.training.helpers import trainer
from handloom import Progress
from handloom.secondary import report
if sys.argv[2] == "closed":
    sys.stderr.close()
made = trainer(sys.argv[1], Progress(every=1))
made.fit(ROWS)
report("and more")
os.write(1, f"{len(made.history)} epochs".encode())
os._exit(0)  # the exit status is the application's
"""


@pytest.mark.parametrize("stream", ["full", "unread", "closed"])
@pytest.mark.slow
def test_progress_that_cannot_be_shown_is_said_once_on_the_other_stream(
    stream: str, tmp_path: Path, no_reader: int
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-u", "-c", FIT_WITH_PROGRESS, str(tmp_path), stream],
            stdout=subprocess.PIPE,
            stderr={"full": full.fileno(), "unread": no_reader, "closed": None}[stream],
            text=True,
            timeout=60,
            check=False,
        )
    first, second, last = done.stdout.splitlines()
    assert first.startswith("the progress is not shown: ")
    assert (second, last) == ("and more", "3 epochs")


def test_a_bar_on_a_broken_terminal_costs_no_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich")
    before = sys.stdout

    class Terminal(BrokenStream):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal(OSError(5, "gone")))
    made = trainer(None, Progress())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.fit(ROWS)
    assert complete(made)
    assert sys.stdout is before
    assert isinstance(sys.stderr, Terminal)


def test_a_hook_of_the_users_own_still_ends_training() -> None:
    class Mine(Progress):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            raise OSError(28, "mine")

    with pytest.raises(OSError, match="mine"):
        trainer(None, Mine()).fit(ROWS, HELD_OUT)


FIT = """
import numpy as np
from handloom import MLPClassifier
x = np.random.default_rng(0).standard_normal((60, 4))
model = MLPClassifier((4,), max_iter=30, verbose=True, solver={solver!r}, tol=0.0)
import warnings
warnings.filterwarnings("ignore", module="sklearn")
model.fit(x, np.arange(60) % 2)
import os
os.write(2, b"fitted")
os._exit(0)  # the lost output is not the matter of this test
"""


@pytest.mark.long
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_verbose_fit_outlives_the_reader_of_its_lines(no_reader: int, solver: str) -> None:
    pytest.importorskip("sklearn")
    if solver == "lbfgs":
        pytest.importorskip("scipy")
    done = subprocess.run(
        [sys.executable, "-u", "-c", FIT.format(solver=solver)],
        stdout=no_reader,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.endswith("fitted"), done.stderr
    assert done.stderr.count("the iterations are not printed: BrokenPipeError") == 1
