"""Sets of files: replaced atomically, and refused if a file is missing or damaged."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from handloom import ModelError
from handloom.files import (
    MANIFEST,
    FileError,
    make_folder,
    new_folder,
    read_set,
    size_of,
    write_bytes,
    write_set,
)

CONTENT = {"a.json": b'{"x": 1}', "b.bin": bytes(range(256))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_set(tmp_path / "set", "thing", 1, CONTENT)
    return tmp_path / "set"


def stored(folder: Path, name: str) -> Path:
    manifest = json.loads((folder / MANIFEST).read_text())
    return folder / str(manifest["files"][name]["stored_as"])


def test_what_was_written_is_read(folder: Path) -> None:
    assert read_set(folder, "thing", 1) == CONTENT


def test_a_new_set_replaces_the_old_one(folder: Path) -> None:
    write_set(folder, "thing", 1, {**CONTENT, "a.json": b"new"})
    assert read_set(folder, "thing", 1)["a.json"] == b"new"
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_write_that_fails_leaves_the_old_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    calls, replace = [], os.replace

    def full_disk(source: str, target: str) -> None:
        calls.append(target)
        if len(calls) == fails_at:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(FileError, match="No space left"):
        write_set(folder, "thing", 1, {"a.json": b"other", "b.bin": b"other"})
    monkeypatch.undo()
    assert read_set(folder, "thing", 1) == CONTENT
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("name", list(CONTENT))
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    path = stored(folder, name)
    path.unlink()
    with pytest.raises(ModelError, match=rf"{path.name}.*missing"):
        read_set(folder, "thing", 1)


@pytest.mark.parametrize("name", list(CONTENT))
def test_a_truncated_file_is_named(folder: Path, name: str) -> None:
    path = stored(folder, name)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=rf"{path.name}.*truncated"):
        read_set(folder, "thing", 1)


@pytest.mark.parametrize("name", list(CONTENT))
def test_a_tampered_file_is_named(folder: Path, name: str) -> None:
    path = stored(folder, name)
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"{path.name}.*changed"):
        read_set(folder, "thing", 1)


def test_a_tampered_manifest_is_refused(folder: Path) -> None:
    path = folder / MANIFEST
    for text in ("", "{}", "[]", "nonsense", path.read_text().replace("thing", "thong")):
        path.write_text(text)
        with pytest.raises(ModelError, match=r"manifest\.json.*damaged"):
            read_set(folder, "thing", 1)


def test_a_manifest_cannot_reach_outside_its_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(CONTENT["a.json"])
    from handloom.files import _digest

    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["sha256"]
    for outside in ("../secret", str(tmp_path / "secret")):
        manifest["files"]["a.json"]["stored_as"] = outside
        whole = {**manifest, "sha256": _digest(manifest)}
        (folder / MANIFEST).write_text(json.dumps(whole))
        with pytest.raises(ModelError, match="missing"):
            read_set(folder, "thing", 1)


def test_another_kind_or_version_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(ModelError, match="holds a 'thing', expected a 'model'"):
        read_set(folder, "model", 1)
    with pytest.raises(
        ModelError,
        match="version 1 of the format, written by an earlier Handloom; this one reads version 2",
    ):
        read_set(folder, "thing", 2)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is not a folder that holds a thing"):
        read_set(tmp_path / "nowhere", "thing", 1)
    with pytest.raises(ModelError, match=r"manifest.json is missing$"):  # other files may be there
        read_set(tmp_path, "thing", 1)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="cannot write to the folder"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(FileError, match="cannot write"):
        write_bytes(tmp_path / "nowhere" / "file", b"x")


def test_a_set_can_be_read_while_it_is_replaced_and_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path, "thing", 1, CONTENT)
    pending = [True]

    def look_too_late(path: Path) -> int:
        if path.name == MANIFEST or not pending:
            return size_of(path)
        pending.clear()
        write_set(tmp_path, "thing", 1, dict.fromkeys(CONTENT, b"other"))
        try:
            return size_of(path)
        finally:
            write_set(tmp_path, "thing", 1, CONTENT)

    monkeypatch.setattr("handloom.files.size_of", look_too_late)
    assert read_set(tmp_path, "thing", 1) == CONTENT
    assert not pending


@pytest.mark.parametrize("path", ["a", "a/b/c"])
def test_each_new_folder_is_its_own(tmp_path: Path, path: str) -> None:
    wanted = tmp_path / path
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(new_folder(wanted))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = ["", "-2", "-3", "-4", "-5", "-6"]
    assert sorted(made) == sorted(wanted.with_name(f"{wanted.name}{n}") for n in names)


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match=r"cannot create .*file"):
        new_folder(tmp_path / "file" / "below")


@pytest.mark.parametrize("path", ["", ".", "/", "a\0b"])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(FileError, match="not the name of a file"):
        write_bytes(Path(path), b"x")


def test_a_folder_with_a_null_character_is_refused() -> None:
    with pytest.raises(FileError, match="null"):
        make_folder(Path("a\0b"))


def test_a_file_that_another_removes_after_a_look_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, look = tmp_path / "weights", Path.stat
    path.write_bytes(b"old")

    def removing(looked_at: Path, **options: Any) -> os.stat_result:
        result = look(looked_at, **options)
        if looked_at == path:
            path.unlink()
        return result

    monkeypatch.setattr(Path, "stat", removing)
    write_bytes(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"new"
