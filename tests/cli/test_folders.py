"""Output folders of commands that run at once, or that are moved while a command runs."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.helpers.processes import running

from handloom.cli.app import run
from handloom.cli.options import output_folder
from handloom.files import FileError
from handloom.locks import LOCK
from handloom.training import EpochRecord, Progress, RunFolder, TrainingState

MAIN = "from handloom.cli import main; main()"


def test_of_six_commands_at_once_each_gets_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    barrier, failed, mkdir = threading.Barrier(6, timeout=10), list[BaseException](), os.mkdir
    calls = count()

    def all_at_once(path: Path, *arguments: Any) -> None:
        if Path(path).name == "train-1" and next(calls) < 6:
            barrier.wait()  # all have chosen it
        mkdir(path, *arguments)

    def start() -> None:
        try:
            with output_folder(None, "train"):
                barrier.wait()
        except BaseException as error:
            failed.append(error)
            barrier.abort()

    monkeypatch.setattr(os, "mkdir", all_at_once)
    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    names = {path.name for path in (tmp_path / "runs").iterdir()}
    assert names == {f"train-{number}" for number in range(1, 7)}


@pytest.mark.long
def test_of_six_processes_at_once_each_writes_its_run(tiny_folder: Path, tmp_path: Path) -> None:
    arguments = ("train", "--data", tiny_folder, "--epochs", 1)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(MAIN, *arguments, cwd=tmp_path, **pipes)) for _ in range(6)
        ]
        ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, ended
    for number in range(1, 7):
        assert len(RunFolder.open(tmp_path / "runs" / f"train-{number}").history()) == 1


def test_a_place_for_runs_that_is_a_file_is_named(
    handloom: Command, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("mine")
    ended = handloom("train", "--data", tiny_folder)
    assert ended.status == 1
    assert "cannot write to the folder runs" in ended.err


@pytest.mark.parametrize("files", [[], ["state.json"]])
def test_an_interruption_before_the_first_file_leaves_no_folder(
    tmp_path: Path, files: list[str]
) -> None:
    out = tmp_path / "run"

    def interrupted() -> None:
        with output_folder(out, "train"):
            (out / "checkpoints").mkdir()
            (out / "checkpoints" / ".lock").write_text("")
            for name in files:
                (out / "checkpoints" / name).write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert out.exists() == bool(files)


def test_a_folder_of_a_start_that_fails_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError), output_folder(None, "train"):
        raise FileError
    assert not list((tmp_path / "runs").iterdir())


@contextmanager
def training(data: Path, out: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a long training, and wait for its first epochs."""
    arguments = ("train", "--data", data, "--epochs", 10**6, "--out", out)
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(MAIN, *arguments, "--checkpoint-every", 10**6, **pipes) as process:
        wait_for_lines(process, out / "history.csv")
        yield process


def wait_for_lines(process: "subprocess.Popen[str]", path: Path) -> None:
    deadline = time.monotonic() + 20
    while not (path.exists() and len(path.read_text().splitlines()) > 2):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_whole(path: Path) -> None:
    """Check that a run folder has everything, of one training, and can be resumed."""
    opened = RunFolder.open(path)
    epochs = len(opened.history())
    assert opened.results()["epochs"] == epochs
    assert opened.history_table.read_text() == opened.history().to_csv()
    opened.model()
    assert len(list(opened.checkpoints.glob("step-*"))) == 1


@pytest.fixture
def attacked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function that sets the attack on the next training, after its first epoch."""
    pending: list[Callable[[], object]] = []

    class Attacked(Progress):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            super().on_epoch_end(state=state, record=record)
            if pending:
                pending.pop()()

    monkeypatch.setattr("handloom.cli.training.Progress", Attacked)
    return pending.append


def test_a_run_that_is_moved_goes_on_where_it_is(
    handloom: Command,
    tiny_folder: Path,
    tmp_path: Path,
    attacked: Callable[[Callable[[], object]], None],
) -> None:
    out, moved = tmp_path / "run", tmp_path / "moved"
    attacked(lambda: out.rename(moved))
    ended = handloom("train", "--data", tiny_folder, "--epochs", 3, "--out", out)
    assert ended.status == 0
    assert ended.err.count(f"was moved to {moved}") == 1
    assert f"Wrote to {moved}" in ended.out
    assert not out.exists()
    assert_whole(moved)
    assert handloom("train", "--resume", moved, "--epochs", 4).status == 0


@pytest.mark.long
def test_a_run_whose_folder_another_one_takes_is_whole_beside_it(
    handloom: Command,
    tiny_folder: Path,
    tmp_path: Path,
    attacked: Callable[[Callable[[], object]], None],
) -> None:
    out, ours = tmp_path / "run", tmp_path / "run-2"
    arguments = ("train", "--data", tiny_folder, "--out", out, "--epochs")
    before: dict[Path, bytes] = {}

    def another() -> None:
        shutil.rmtree(out)
        assert run([str(each) for each in (*arguments, 2)]) == 0
        before.update({path: path.read_bytes() for path in out.rglob("*") if path.is_file()})

    attacked(another)
    ended = handloom(*arguments, 3)
    assert ended.status == 0
    assert ended.err.count(f"writes to the new folder {ours}") == 1
    assert f"Wrote to {ours}" in ended.out
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert_whole(out)
    assert_whole(ours)


@pytest.mark.long
def test_a_process_whose_run_is_moved_is_whole_where_it_is(
    tiny_folder: Path, tmp_path: Path
) -> None:
    out, moved = tmp_path / "run", tmp_path / "moved"
    with training(tiny_folder, out) as process:
        out.rename(moved)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.count(f"was moved to {moved}") == 1
    assert f"Wrote to {moved}" in output
    assert f"--resume {moved}" in errors
    assert not out.exists()
    assert_whole(moved)


@pytest.mark.long
@pytest.mark.parametrize("attack", ["deleted", "unlocked"])
def test_two_runs_in_one_folder_are_both_whole(
    handloom: Command, tiny_folder: Path, tmp_path: Path, attack: str
) -> None:
    out, ours = tmp_path / "run", tmp_path / "run-2"
    with training(tiny_folder, out) as process:
        os.kill(process.pid, signal.SIGSTOP)
        if attack == "deleted":
            shutil.rmtree(out)
        else:  # a cleanup of all but the lock, which then is another's
            (out / LOCK).unlink()
            for path in out.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        ended = handloom("train", "--data", tiny_folder, "--epochs", 2, "--out", out)
        assert ended.status == 0
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        os.kill(process.pid, signal.SIGCONT)
        wait_for_lines(process, ours / "history.csv")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.count(str(ours)) == 2, errors  # the warning, and how to resume
    assert f"Wrote to {ours}" in output
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert_whole(out)
    assert_whole(ours)
