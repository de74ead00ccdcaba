"""No file reaches outside its folder, and nobody waits at a pipe."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fuzz import seeds
from fuzz.targets import signed
from fuzz.watch import FindingError, Watch
from tests.hostile_files.helpers import entry, linux_only, time_limit

from handloom import HandloomError, ModelError, read_npy
from handloom.data import read_idx
from handloom.data.formats import images
from handloom.data.formats.photographs import read_photograph
from handloom.files import MANIFEST, read_set, write_set

pytestmark = linux_only


@pytest.mark.parametrize("stored_as", ["../secret", "{folder}/../secret", "x/../../secret"])
def test_no_name_in_a_manifest_reaches_outside_its_folder(
    stored_as: str, tmp_path: Path, watch: Watch
) -> None:
    folder = tmp_path / "set"
    write_set(folder, "thing", 1, seeds.FILES)
    secret = b"a secret"
    (tmp_path / "secret").write_bytes(secret)
    data = entry(
        stored_as=stored_as.format(folder=folder),
        bytes=len(secret),
        sha256=hashlib.sha256(secret).hexdigest(),
    )
    (folder / MANIFEST).write_bytes(signed(data))
    with watch.over(folder), pytest.raises(ModelError, match="secret' is missing"):
        read_set(folder, "thing", 1)


def test_the_watch_notices_what_is_opened_outside(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "secret").touch()
    with pytest.raises(FindingError, match="secret"), watch.over(tmp_path / "set"):
        (tmp_path / "set" / ".." / "secret").read_bytes()


def labels_beside(path: Path) -> Path:
    np.save(path.parent / "labels.npy", seeds.LABELS)
    return path.parent / "labels.npy"


@pytest.mark.parametrize(
    "read",
    [
        lambda pipe: read_idx(pipe, dimensions=1),
        lambda pipe: read_npy(pipe, labels_beside(pipe)),
        lambda pipe: read_npy(labels_beside(pipe), pipe),
        lambda pipe: read_photograph(pipe, (28, 28)),
        images.read_image,
        lambda pipe: read_set(pipe.parent, "thing", 1),
    ],
    ids=["idx", "npy inputs", "npy targets", "photograph", "image", "manifest"],
)
def test_nobody_waits_at_a_pipe(read: Callable[[Path], object], tmp_path: Path) -> None:
    pipe = tmp_path / MANIFEST
    os.mkfifo(pipe)
    with time_limit(20), pytest.raises(HandloomError, match=r"not a regular file|is missing"):
        read(pipe)


def test_nobody_waits_at_a_pipe_in_a_set(tmp_path: Path) -> None:
    write_set(tmp_path, "thing", 1, seeds.FILES)
    (path,) = tmp_path.glob("a-*")
    path.unlink()
    os.mkfifo(path)
    with time_limit(20), pytest.raises(ModelError, match="is missing"):
        read_set(tmp_path, "thing", 1)
