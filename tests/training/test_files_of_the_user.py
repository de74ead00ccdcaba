"""Nothing in a folder that a user made is removed, replaced or emptied by a save."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.helpers.processes import running
from tests.helpers.training import ROWS
from tests.training.helpers import stoppable, trainer

from handloom import BestModel, CSVLog
from handloom.files import FileError, read_set, write_json, write_set
from handloom.locks import only_writer

KIND, FILES = "thing", {"model.json": b"1", "weights.bin": b"2"}
LOCK = """
import sys
from pathlib import Path
from handloom.locks import only_writer
only_writer(Path(sys.argv[1])).__enter__()
"""
TWO_HOURS = 7200
posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")


def test_old_checkpoints_are_removed_and_no_folder_of_the_user(tmp_path: Path) -> None:
    notes = [tmp_path / name / "notes.txt" for name in ("step-1", "step-000000001")]
    for path in notes:
        path.parent.mkdir()
        path.write_text("precious")
    trainer(tmp_path, every=1).fit(ROWS)
    assert [path.read_text() for path in notes] == ["precious"] * 2


def test_a_file_that_was_put_into_a_checkpoint_stays_when_that_is_removed(tmp_path: Path) -> None:
    stoppable(tmp_path, every=1, epochs=2).fit(ROWS)
    oldest = min(tmp_path.glob("step-*"))
    (oldest / "notes.txt").write_text("precious")
    stoppable(tmp_path, every=1, epochs=5).fit(ROWS, resume=True)
    assert [path.name for path in oldest.iterdir()] == ["notes.txt"]


def test_a_save_removes_no_file_with_a_name_like_its_own(tmp_path: Path) -> None:
    paths = [tmp_path / "weights-experiment-1.bin", tmp_path / "model-final_report.json"]
    for path in paths:
        path.write_text("precious")
    write_set(tmp_path, KIND, 1, FILES)
    assert [path.read_text() for path in paths] == ["precious"] * 2


@pytest.mark.parametrize("text", ['{"name": "my site"}', '{"kind": "other thing"}', "[1]"])
def test_the_manifest_of_another_program_or_kind_is_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(FileError, match="choose another folder"):
        write_set(tmp_path, KIND, 1, FILES)
    assert [path.read_text() for path in tmp_path.iterdir()] == [text]


@pytest.mark.parametrize("text", ["", '{"kind": "th'])
def test_a_damaged_manifest_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    write_set(tmp_path, KIND, 1, FILES)
    assert read_set(tmp_path, KIND, 1) == FILES


def test_a_model_is_not_saved_over_a_checkpoint(tmp_path: Path) -> None:
    made = trainer(tmp_path, every=1)
    made.fit(ROWS)
    with pytest.raises(FileError, match="the file of a 'handloom checkpoint'"):
        made.model().save(max(tmp_path.glob("step-*")))
    trainer(tmp_path, every=1, epochs=4).fit(ROWS, resume=True)


@posix
def test_a_lock_file_that_is_a_link_empties_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("precious")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").symlink_to(tmp_path / "diary.txt")
    with pytest.raises(FileError, match="cannot lock the folder"):
        only_writer(folder).__enter__()
    assert (tmp_path / "diary.txt").read_text() == "precious"


@posix
def test_a_lock_file_that_is_a_pipe_is_an_error_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    with running(LOCK, tmp_path, stderr=subprocess.PIPE) as process:
        _, error = process.communicate(timeout=10)
    assert ".lock is not a regular file" in error


@posix
@pytest.mark.parametrize(
    "write", [lambda path: trainer(None, CSVLog(path)).fit(ROWS), lambda path: write_json(path, {})]
)
def test_a_pipe_or_device_is_not_replaced_by_a_file(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    path = tmp_path / "log.csv"
    os.mkfifo(path)
    with pytest.raises(FileError, match="not a regular file"):
        write(path)
    assert stat.S_ISFIFO(path.stat().st_mode)


@posix
def test_a_link_to_itself_is_replaced_by_a_log_and_costs_no_best_model(tmp_path: Path) -> None:
    for name in ("log", "best"):
        (tmp_path / name).symlink_to(tmp_path / name)
    with pytest.warns(UserWarning, match="the best model is not saved"):
        trainer(None, CSVLog(tmp_path / "log"), BestModel(tmp_path / "best", "loss")).fit(ROWS)
    assert (tmp_path / "log").is_file()
    assert len(list(tmp_path.glob("handloom-model-*/manifest.json"))) == 1


def test_the_temporary_files_of_a_killed_saver_are_removed_later(tmp_path: Path) -> None:
    write_set(tmp_path, KIND, 1, FILES)
    names = (".model-0123456789ab.json-0123456789ab", ".manifest.json-0123456789ab")
    recent, mine = tmp_path / ".weights-0123456789ab.bin-0123456789ab", tmp_path / ".mine-1"
    old = [tmp_path / name for name in names]
    for path in (*old, recent, mine):
        path.write_text("half")
    for path in (*old, mine):
        os.utime(path, times=(0, path.stat().st_mtime - TWO_HOURS))
    write_set(tmp_path, KIND, 1, FILES)
    assert [path.exists() for path in (*old, recent, mine)] == [False, False, True, True]


def test_the_temporary_file_of_a_killed_writer_is_removed_later(tmp_path: Path) -> None:
    left = tmp_path / ".results.json-0123456789ab"
    left.write_text("half")
    os.utime(left, times=(0, left.stat().st_mtime - TWO_HOURS))
    write_json(tmp_path / "results.json", {})
    assert not left.exists()


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs two users")
def test_a_lock_file_of_another_user_does_not_block() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / ".saving").touch(0o644)
        if (child := os.fork()) == 0:
            status = 1
            try:
                os.setgid(65534)
                os.setuid(65534)
                write_set(folder, KIND, 1, FILES)
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert read_set(folder, KIND, 1) == FILES
