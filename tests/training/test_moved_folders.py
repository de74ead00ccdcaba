"""A folder that is moved, deleted, replaced or unlocked while a training writes to it."""

import copy
import gc
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import ROWS
from tests.training.helpers import Watcher, resumed_from, steps_kept, stoppable, trainer

from handloom import BestModel, Checkpoints, CSVLog, Model, StopReason
from handloom.files import FileError
from handloom.locks import LOCK, only_writer
from handloom.training import EpochRecord, RunDescription, RunFolder

linux = pytest.mark.skipif(sys.platform != "linux", reason="the system tells no path of a handle")


class Attack(Watcher):
    """Does something after an epoch, once."""

    def __init__(self, attack: Callable[[], object], epoch: int = 1) -> None:
        self.attack, self.epoch = attack, epoch

    def on_epoch_end(self, *, record: EpochRecord, **_: Any) -> None:
        if record.epoch == self.epoch:
            self.attack()


def train(folder: Path, attack: Callable[[], object]) -> list[str]:
    """Train with a checkpoint after every epoch, under attack; return the warnings."""
    said: list[str] = []
    made = stoppable(folder, every=1, keep=9, callbacks=(Attack(attack),), warn=said.append)
    assert made.fit(ROWS).stop_reason is StopReason.MAX_EPOCHS
    return said


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@linux
def test_checkpoints_follow_a_folder_that_is_moved(tmp_path: Path) -> None:
    folder, moved = tmp_path / "run", tmp_path / "moved"
    (said,) = train(folder, lambda: folder.rename(moved))
    assert f"{folder} was moved to {moved}" in said
    assert not folder.exists()
    assert steps_kept(moved) == [5, 10, 15, 20]
    assert resumed_from(moved)[0] == 20


@linux
def test_a_folder_that_is_moved_stays_locked(tmp_path: Path) -> None:
    folder, moved = tmp_path / "run", tmp_path / "moved"
    refused: list[str] = []

    class Second(Watcher):
        def on_epoch_end(self, *, record: EpochRecord, **_: Any) -> None:
            if record.epoch == 3:
                with pytest.raises(FileError) as error:
                    stoppable(moved).fit(ROWS, resume=True)
                refused.append(str(error.value))

    made = stoppable(
        folder,
        every=1,
        callbacks=(Attack(lambda: folder.rename(moved)), Second()),
        warn=lambda text: None,
    )
    made.fit(ROWS)
    assert "being written to by another training" in refused[0]
    assert made.options.checkpoints is not None
    assert made.options.checkpoints.folder == moved


def test_checkpoints_of_a_folder_that_is_deleted_go_to_a_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (said,) = train(folder, lambda: shutil.rmtree(folder))
    assert f"{folder} was deleted" in said
    assert f"the new folder {folder}" in said
    assert steps_kept(folder) == [10, 15, 20]
    assert resumed_from(folder)[0] == 20


def test_a_folder_above_that_is_deleted_costs_no_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "run"
    (said,) = train(folder, lambda: shutil.rmtree(folder.parent))
    assert f"the new folder {folder}" in said
    assert steps_kept(folder) == [10, 15, 20]


@pytest.mark.parametrize("move", [shutil.rmtree, lambda folder: folder.rename("elsewhere")])
def test_the_recreated_folder_of_another_training_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    held: list[dict[Path, bytes]] = []

    def another() -> None:
        move(folder)
        stoppable(folder, every=1, epochs=2).fit(ROWS)
        held.append(files(folder))

    (said,) = train(folder, another)
    assert files(folder) == held[0]
    ours = tmp_path / ("run-2" if move is shutil.rmtree else "elsewhere")
    assert str(ours) in said
    assert steps_kept(ours)[-3:] == [10, 15, 20]
    assert resumed_from(ours)[0] == 20


def test_another_training_that_recreates_the_folder_above_is_left_alone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    folder = run / "checkpoints"

    def another() -> None:
        shutil.rmtree(run)
        run.mkdir()
        (run / "run.json").write_text("of another training")

    (said,) = train(folder, another)
    assert [path.name for path in run.iterdir()] == ["run.json"]
    ours = tmp_path / "run-2" / "checkpoints"
    assert str(ours) in said
    assert steps_kept(ours) == [10, 15, 20]


def test_a_lock_file_that_is_removed_is_made_again(tmp_path: Path) -> None:
    said: list[str] = []
    refused: list[str] = []

    def second() -> None:
        with pytest.raises(FileError) as error:
            stoppable(tmp_path).fit(ROWS, resume=True)
        refused.append(str(error.value))

    made = stoppable(
        tmp_path,
        every=1,
        keep=9,
        callbacks=(Attack((tmp_path / LOCK).unlink), Attack(second, 2)),
        warn=said.append,
    )
    made.fit(ROWS)
    assert len(said) == 1
    assert f"{tmp_path / LOCK} was removed while it was in use; it is locked again" in said[0]
    assert "being written to by another training" in refused[0]
    assert steps_kept(tmp_path) == [5, 10, 15, 20]


def test_a_second_training_that_took_the_lock_keeps_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def another() -> None:
        (folder / LOCK).unlink()
        stoppable(folder, epochs=6).fit(ROWS, resume=True)

    (said,) = train(folder, another)
    assert "lost its lock file to another training" in said
    assert steps_kept(folder) == [5, 30]  # the second one's are not removed as too new
    assert steps_kept(tmp_path / "run-2") == [10, 15, 20]


def test_a_change_of_the_current_folder_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = RunFolder("run", RunDescription({}, "rows", None, threads=1))
    run.write_description()
    made = stoppable(
        Path("run/checkpoints"),
        every=1,
        keep=9,
        callbacks=(
            CSVLog("run/log.csv"),
            BestModel("run/best", "loss"),
            Attack(lambda: os.chdir(tmp_path / "there")),
        ),
    )
    history = made.fit(ROWS)
    run.write_history(history)
    run.write_model(made.model())
    assert not list((tmp_path / "there").iterdir())
    there = {path.name for path in (tmp_path / "here" / "run").iterdir()}
    assert there == {
        *("run.json", "history.json", "history.csv", "model"),
        *("checkpoints", "log.csv", "best"),
    }
    assert steps_kept(tmp_path / "here" / "run" / "checkpoints") == [5, 10, 15, 20]


class Written:
    """A run folder with everything that a training writes to it."""

    def __init__(self, path: Path) -> None:
        self.run = RunFolder(path, RunDescription({"mine": 1}, "rows", "5m", threads=1))
        self.run.write_description()

    def train(self, attack: Callable[[], object]) -> None:
        made = trainer(
            *(self.run, CSVLog(self.run), Attack(attack)), every=1, epochs=4, batch_size=64
        )
        self.history = made.fit(ROWS)
        self.weights = made.network.parameters.vector
        self.run.write_history(self.history)
        self.run.write_model(made.model())
        self.run.write_results({"accuracy": 1.0})

    def is_whole(self, path: Path) -> bool:
        run = RunFolder.open(path)
        return (
            run.description.settings == {"mine": 1}
            and np.array_equal(run.model().network.parameters.vector, self.weights)
            and run.history_table.read_text() == self.history.to_csv()
            and len(run.history()) == 4
            and run.results() == {"accuracy": 1.0}
            and steps_kept(run.checkpoints)[-3:] == [10, 15, 20]
        )


@linux
def test_a_run_follows_its_folder_with_one_warning(tmp_path: Path) -> None:
    path, moved = tmp_path / "run", tmp_path / "moved"
    written = Written(path)
    with pytest.warns(UserWarning, match="was moved to") as caught:
        written.train(lambda: path.rename(moved))
    assert len(caught) == 1
    assert written.is_whole(moved)
    assert not path.exists()
    assert written.run.path == moved


def test_a_run_whose_folder_is_deleted_is_whole_in_a_new_one(tmp_path: Path) -> None:
    written = Written(tmp_path / "run")
    with pytest.warns(UserWarning, match="was deleted") as caught:
        written.train(lambda: shutil.rmtree(tmp_path / "run"))
    assert len(caught) == 1
    assert written.is_whole(tmp_path / "run")


def test_two_runs_of_one_name_are_both_whole(tmp_path: Path) -> None:
    path = tmp_path / "run"
    written = Written(path)
    others: list[Written] = []

    def another() -> None:
        shutil.rmtree(path)
        others.append(Written(path))
        others[0].train(lambda: None)

    with pytest.warns(UserWarning, match="was deleted") as caught:
        written.train(another)
    assert len(caught) == 1
    before = files(path)
    assert others[0].is_whole(path)
    assert written.is_whole(tmp_path / "run-2")
    assert files(path) == before


@linux
def test_a_run_that_is_moved_while_it_is_written_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Written(tmp_path / "run")
    written.train(lambda: None)
    replace, moves = os.replace, iter([tmp_path / "moved"])

    def move_first(source: Path, target: Path) -> None:
        for moved in moves:
            (tmp_path / "run").rename(moved)
        replace(source, target)

    monkeypatch.setattr(os, "replace", move_first)
    with pytest.warns(UserWarning, match="was moved to"):
        written.run.write_results({"accuracy": 1.0})
    assert written.is_whole(tmp_path / "moved")
    assert not (tmp_path / "run").exists()


@linux
def test_the_best_model_and_the_log_follow_their_folder(tmp_path: Path) -> None:
    path, moved = tmp_path / "run", tmp_path / "moved"
    path.mkdir()

    def another() -> None:
        path.rename(moved)
        path.mkdir()

    best, log = BestModel(path / "best", "loss"), CSVLog(path / "log.csv")
    made = trainer(None, Attack(another), best, log)
    with pytest.warns(UserWarning, match="was moved to") as caught:
        history = made.fit(ROWS)
    assert len(caught) == 2  # each has its own path
    assert not list(path.iterdir())
    assert best.folder == moved / "best"
    assert np.array_equal(Model.load(moved / "best").network.parameters.vector, best.weights)  # type: ignore[arg-type]
    assert (moved / "log.csv").read_text() == history.to_csv()


def test_a_training_that_is_copied_while_it_runs_takes_no_lock_with_it(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    with checkpoints.lock():
        copies = [copy.deepcopy(checkpoints), pickle.loads(pickle.dumps(checkpoints))]  # noqa: S301
        for each in copies:
            with pytest.raises(FileError, match="another training"):
                each.lock().__enter__()
    for each in copies:
        with each.lock():
            pass


def test_a_process_that_was_forked_keeps_no_folder_locked(tmp_path: Path) -> None:
    ready, go = os.pipe(), os.pipe()
    with only_writer(tmp_path):
        if (child := os.fork()) == 0:  # a worker, which lives on
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
    try:
        with only_writer(tmp_path):
            pass
    finally:
        os.write(go[1], b"x")
        os.waitpid(child, 0)
        for each in (*ready, *go):
            os.close(each)


@pytest.mark.slow
def test_open_files_are_closed_when_training_ends(tmp_path: Path) -> None:
    def opened() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc")
    Written(tmp_path / "first").train(lambda: None)
    before = opened()
    for number in range(3):
        Written(tmp_path / f"run-{number}").train(lambda: None)
    assert opened() == before
