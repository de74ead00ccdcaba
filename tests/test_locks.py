"""A folder has a single writer, until it leaves or its process ends."""

from pathlib import Path

from handloom.locks import LOCK, only_writer


def test_a_lock_that_was_left_behind_does_not_block(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("1\n")
    with only_writer(tmp_path):
        assert (tmp_path / LOCK).read_text() != "1\n"
