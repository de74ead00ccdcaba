"""IDX files are read exactly, or refused by name."""

import gzip
import os
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tests.data.helpers import idx_bytes, same, small_splits, write_idx_folder

from handloom import DataError
from handloom.data import read_idx, read_idx_folder

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def refusal(path: Path, content: bytes, dimensions: int = 3) -> str:
    """Return the message about a file, which must begin with its path."""
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path, dimensions=dimensions)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("compressed", [True, False])
def test_the_content_tells_whether_a_file_is_compressed(
    tmp_path: Path, name: str, compressed: bool
) -> None:
    content = idx_bytes(IMAGES)
    (tmp_path / name).write_bytes(gzip.compress(content) if compressed else content)
    read = read_idx(tmp_path / name, dimensions=3)
    assert read.dtype == np.uint8
    assert np.array_equal(read, IMAGES)


def test_labels_have_one_dimension(tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes(idx_bytes(np.array([3, 0, 255])))
    assert read_idx(tmp_path / "labels", dimensions=1).tolist() == [3, 0, 255]


def test_a_wrong_magic_number_is_shown_beside_the_right_one(tmp_path: Path) -> None:
    message = refusal(tmp_path / "file", idx_bytes(np.arange(4)), dimensions=3)
    assert "0x00000801, expected 0x00000803" in message
    assert "magic number" in refusal(tmp_path / "file", b"%PDF-1.7 is no IDX file at all")


@pytest.mark.parametrize("size", [0, 3, 4, 15])
def test_a_truncated_header(tmp_path: Path, size: int) -> None:
    message = refusal(tmp_path / "file", idx_bytes(IMAGES)[:size])
    assert f"expected a header of 16 bytes, got {size}" in message


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_truncated_body(tmp_path: Path, pack: type[bytes]) -> None:
    message = refusal(tmp_path / "file", pack(idx_bytes(IMAGES)[:-1]))
    assert "truncated: expected 24 bytes after the header, which claims 2 x 3 x 4" in message
    assert message.endswith("got 23")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_trailing_bytes(tmp_path: Path, pack: type[bytes]) -> None:
    assert "trailing bytes" in refusal(tmp_path / "file", pack(idx_bytes(IMAGES) + b"\0"))


@pytest.mark.parametrize("keep", [2, 12, -9, -1])
def test_a_truncated_gzip_stream(tmp_path: Path, keep: int) -> None:
    message = refusal(tmp_path / "file", gzip.compress(idx_bytes(IMAGES))[:keep])
    assert "the gzip stream is truncated" in message


def test_a_damaged_gzip_checksum(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[-8] ^= 1
    assert "the gzip stream is damaged: CRC" in refusal(tmp_path / "file", bytes(content))


@pytest.mark.parametrize("offset", range(10, 34))
def test_a_damaged_gzip_stream(tmp_path: Path, offset: int) -> None:
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[offset] ^= 0xFF
    refusal(tmp_path / "file", bytes(content))


def test_rubbish_after_a_gzip_stream(tmp_path: Path) -> None:
    message = refusal(tmp_path / "file", gzip.compress(idx_bytes(IMAGES)) + b"rubbish")
    assert "damaged" in message


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(idx_bytes(IMAGES) + bytes(1 << 26))
    tracemalloc.start()
    try:
        assert "trailing bytes" in refusal(tmp_path / "file", bomb)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("position", ["after the data", "amid the data"])
def test_zeros_that_fill_a_file_are_not_read(tmp_path: Path, position: str) -> None:
    """A file that takes no space on the disk would otherwise be read for hours."""
    content = idx_bytes(IMAGES)
    parts = [content] if position == "after the data" else [content[:20], content[20:]]
    path = tmp_path / "file"
    with path.open("wb") as file:
        for part in parts:
            file.write(gzip.compress(part))
            file.truncate(file.seek(20_000_000, os.SEEK_END))
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"trailing bytes: [0-9]+ bytes, more than a file"):
        read_idx(path, dimensions=3)
    assert time.perf_counter() - start < 1.0


def test_a_header_that_claims_too_much(tmp_path: Path) -> None:
    header = struct.pack(">4I", 0x0803, 1 << 20, 1 << 10, 1 << 10)
    assert f"= {1 << 40} bytes, expected at most {1 << 30}" in refusal(tmp_path / "file", header)


def test_a_header_that_claims_nothing(tmp_path: Path) -> None:
    message = refusal(tmp_path / "file", struct.pack(">4I", 0x0803, 0, 28, 28))
    assert "claims 0 x 28 x 28" in message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: cannot be read: No such file"):
        read_idx(tmp_path / "nowhere", dimensions=1)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret").touch()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"secret: cannot be read: Permission denied"):
        read_idx(tmp_path / "secret", dimensions=1)


def test_a_folder_gives_both_parts(tmp_path: Path) -> None:
    splits = small_splits()
    read = read_idx_folder(write_idx_folder(tmp_path / "digits", splits))
    assert same(read.train, splits.train)
    assert same(read.test, splits.test)
    assert read.train.targets.dtype == np.int64
    assert read.train.class_names == ("0", "1", "2")
    assert read.name == "digits"


def test_names_can_be_given(tmp_path: Path) -> None:
    read = read_idx_folder(write_idx_folder(tmp_path), ("a", "b", "c", "d"), "letters")
    assert (read.train.class_names, read.name) == (("a", "b", "c", "d"), "letters")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_idx_folder(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"missing: expected t10k-labels-idx1-ubyte\.gz or"):
        read_idx_folder(tmp_path)


def test_images_and_labels_that_differ_in_number(tmp_path: Path) -> None:
    write_idx_folder(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(idx_bytes(np.zeros(11)))
    with pytest.raises(DataError, match=r"train-labels.*holds 11 labels, expected 12.*images"):
        read_idx_folder(tmp_path)


def test_a_label_out_of_range_is_named_with_its_row(tmp_path: Path) -> None:
    write_idx_folder(tmp_path)
    with pytest.raises(DataError, match=r"train-labels.*row 2 has the label 2, expected 0\.\.1"):
        read_idx_folder(tmp_path, ("a", "b"))


def test_parts_whose_images_differ_in_size(tmp_path: Path) -> None:
    write_idx_folder(tmp_path)
    content = idx_bytes(np.zeros((6, 4, 4)))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"one shape, got \(5, 5\) and \(4, 4\)"):
        read_idx_folder(tmp_path)
