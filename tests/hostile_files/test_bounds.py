"""The input of a reader is bounded, in bytes, pixels and numbers."""

import math
import os
from pathlib import Path

import pytest
from fuzz import seeds
from fuzz.targets import MB, TARGETS
from fuzz.watch import attempt, memory_limit
from PIL import Image
from tests.hostile_files.helpers import linux_only, png

from handloom import DataError, ModelError, files
from handloom.data.formats import class_names, idx, images, npy, photographs
from handloom.data.formats.photographs import read_photograph
from handloom.files import FileError, read_set, write_set
from handloom.layers import Dense, Flatten, MaxPool2D
from handloom.model import MAX_DIMENSIONS
from handloom.network import Sequential
from handloom.training.run_folder import MAX_HISTORY_BYTES

pytestmark = linux_only


def test_what_the_bounds_are() -> None:
    assert (idx.MAX_BYTES, images.MAX_PIXELS, photographs.MAX_PIXELS) == (2**30, 2**24, 89_478_485)
    assert (images.MAX_FILE_BYTES, photographs.MAX_FILE_BYTES) == (64 * MB, 1024 * MB)
    assert (npy.MAX_HEADER_BYTES, class_names.MAX_CLASSES) == (2**14, 2**16)
    assert (files.MAX_MANIFEST_BYTES, files.MAX_SET_BYTES) == (MB, 8192 * MB)
    assert (files.MAX_JSON_BYTES, MAX_HISTORY_BYTES) == (MB, 1024 * MB)
    assert MAX_DIMENSIONS == 8


@pytest.mark.long
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG2000"])
def test_the_largest_photograph_keeps_within_its_memory(kind: str, tmp_path: Path) -> None:
    side = math.isqrt(photographs.MAX_PIXELS)
    Image.new("RGBA", (side, side), (40, 50, 60, 70)).save(tmp_path / "image", kind)
    with memory_limit(TARGETS["photographs"].memory):
        read_photograph(tmp_path / "image", (28, 28))


@pytest.mark.parametrize("target", ["images", "photographs"])
def test_a_bomb_is_refused_where_pillow_has_been_told_to_take_any(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    refused = attempt(TARGETS[target].prepare(tmp_path), png(100_000, 100_000))
    assert "claims 100,000 x 100,000 pixels, 10,000.0 megapixels" in str(refused)


def test_a_network_of_few_weights_cannot_ask_for_huge_rows() -> None:
    layers = [MaxPool2D(100_000), Flatten(), Dense(2)]
    with memory_limit(16 * MB), pytest.raises(ModelError, match="10,000,000,000 numbers"):
        Sequential(layers).build((1, 100_000, 100_000))


def test_an_image_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.touch()
    os.truncate(path, images.MAX_FILE_BYTES + 1)  # takes no room on the disk
    with memory_limit(16 * MB), pytest.raises(DataError, match="expected an image of at most"):
        images.read_image(path)


def test_a_set_beyond_the_bound_is_neither_written_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path, "thing", 1, seeds.FILES)
    monkeypatch.setattr(files, "MAX_SET_BYTES", sum(map(len, seeds.FILES.values())) - 1)
    with pytest.raises(ModelError, match="more than 71 bytes"):
        read_set(tmp_path, "thing", 1)
    with pytest.raises(FileError, match="72 bytes, expected at most 71"):
        write_set(tmp_path, "thing", 1, seeds.FILES)
