"""A folder has a single writer, until it leaves or its process ends."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.helpers.processes import running

from handloom.files import FileError
from handloom.locks import LOCK, only_writer

HOLD = """
import sys
from pathlib import Path
from handloom.locks import only_writer
with only_writer(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_lock_that_was_left_behind_does_not_block(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("1\n")
    with only_writer(tmp_path):
        assert (tmp_path / LOCK).read_text() != "1\n"


def test_a_second_writer_is_told_who_the_first_one_is(tmp_path: Path) -> None:
    with only_writer(tmp_path), pytest.raises(FileError, match=rf"\(process {os.getpid()}\)"):
        only_writer(tmp_path).__enter__()
    with only_writer(tmp_path):  # free again
        pass


def test_the_folder_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArithmeticError), only_writer(tmp_path):
        raise ArithmeticError
    with only_writer(tmp_path):
        pass


def test_the_folder_is_free_after_an_interruption_while_it_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupting:
        interrupting.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            only_writer(tmp_path).__enter__()
    with only_writer(tmp_path):
        pass


def test_a_process_that_is_killed_leaves_the_folder_free(tmp_path: Path) -> None:
    with running(HOLD, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(FileError, match=rf"\(process {holder.pid}\)"):
            only_writer(tmp_path).__enter__()
        holder.kill()
        holder.wait()
        with only_writer(tmp_path):
            pass


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"cannot lock the folder .*absent: No such file"):
        only_writer(tmp_path / "absent").__enter__()


def test_a_lock_file_that_was_just_replaced_is_not_taken_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers would each hold a lock, on files of the same name."""
    monkeypatch.setattr("handloom.locks.os.path.samestat", lambda one, other: False)
    with pytest.raises(FileError, match="being written to by another training"):
        only_writer(tmp_path).__enter__()
