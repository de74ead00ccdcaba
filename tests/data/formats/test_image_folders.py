"""Folders of images are read pixel for pixel, or the invalid file is named."""

import shutil
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.helpers import same, small_splits

from handloom import DataError, Dataset, Splits
from handloom.data import read_image_folders, write_image_folders
from handloom.data.formats import image_folders, image_rows
from handloom.errors import MissingExtraError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid folder of three classes."""
    write_image_folders(small_splits(), tmp_path / "small")
    return tmp_path / "small"


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_image_folders(folder)
    return str(caught.value)


def save(pixels: object, path: Path, mode: str = "L") -> None:
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).convert(mode).save(path)


def test_what_was_written_is_read_back_in_the_order_of_the_classes(folder: Path) -> None:
    splits = small_splits()
    read = read_image_folders(folder)
    assert same(read.train, splits.train.sorted_by_class())
    assert same(read.test, splits.test.sorted_by_class())
    assert read.train.inputs.dtype == np.uint8
    assert read.train.class_names == ("0", "1", "2")
    assert read.name == "small"


def test_numbers_are_labels_even_from_ten_on(tmp_path: Path) -> None:
    splits = small_splits(24, 24, classes=12)
    write_image_folders(splits, tmp_path / "twelve")
    read = read_image_folders(tmp_path / "twelve")
    assert same(read.train, splits.train.sorted_by_class())
    assert read.train.class_names[9:] == ("9", "10", "11")


def test_names_are_labeled_in_sorted_order(folder: Path) -> None:
    for part in ("train", "test"):
        for old, new in (("0", "shoe"), ("1", "bag"), ("2", "coat")):
            (folder / part / old).rename(folder / part / new)
    read = read_image_folders(folder, "things")
    assert read.train.class_names == ("bag", "coat", "shoe")
    assert np.array_equal(read.train.inputs[8], small_splits().train.inputs[0])
    assert read.name == "things"


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "pgm"])
def test_other_formats_are_read_pixel_for_pixel(folder: Path, suffix: str) -> None:
    pixels = np.arange(25, dtype=np.uint8).reshape(5, 5) * 10
    (folder / "train" / "0" / "0000.png").unlink()
    save(pixels, folder / "train" / "0" / f"0000.{suffix}")
    assert np.array_equal(read_image_folders(folder).train.inputs[0], pixels)


def test_black_and_white_become_0_and_255(folder: Path) -> None:
    pixels = np.eye(5, dtype=np.uint8) * 255
    save(pixels, folder / "train" / "0" / "0000.png", mode="1")
    assert np.array_equal(read_image_folders(folder).train.inputs[0], pixels)


def test_what_systems_leave_behind_is_passed_over(folder: Path) -> None:
    for directory in (folder, folder / "train", folder / "train" / "0"):
        for name in (".DS_Store", "Thumbs.db"):
            (directory / name).write_bytes(b"\0")
    assert len(read_image_folders(folder).train) == 12


def test_progress_is_told_up_to_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folders, "ROWS_A_REPORT", 8)
    calls: list[tuple[int, int]] = []
    read_image_folders(folder, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(8, 18), (16, 18), (18, 18)]


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_missing_part(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    assert refusal(folder).startswith(f"{folder / part}: missing")


def test_no_classes(folder: Path) -> None:
    shutil.rmtree(folder / "train")
    (folder / "train").mkdir()
    assert refusal(folder).startswith(f"{folder / 'train'}: empty, expected one folder of images")


def test_a_single_class(folder: Path) -> None:
    for label in ("1", "2"):
        shutil.rmtree(folder / "train" / label)
    assert "only the class folder '0', expected at least two" in refusal(folder)


def test_an_empty_class_folder(folder: Path) -> None:
    for path in (folder / "test" / "1").iterdir():
        path.unlink()
    assert refusal(folder).startswith(f"{folder / 'test' / '1'}: an empty class folder")


def test_a_class_that_one_part_lacks(folder: Path) -> None:
    shutil.rmtree(folder / "test" / "2")
    assert "the class folder '2' is in train/ only" in refusal(folder)


def test_a_class_that_one_part_has_beside_the_others(folder: Path) -> None:
    shutil.copytree(folder / "test" / "2", folder / "test" / "3")
    assert "the class folder '3' is in test/ only" in refusal(folder)


def test_numbers_with_a_gap(folder: Path) -> None:
    (folder / "train" / "2").rename(folder / "train" / "3")
    message = refusal(folder)
    assert "must be consecutive numbers, got 0, 1, 3" in message


def test_a_file_beside_the_class_folders_is_ignored_unless_it_is_an_image(folder: Path) -> None:
    (folder / "train" / "readme.txt").write_text("hello")
    assert len(read_image_folders(folder).train) > 0
    path = folder / "train" / "loose.JPG"
    path.write_bytes((folder / "train" / "0" / "0000.png").read_bytes())
    message = refusal(folder)
    assert message.startswith(f"{path}: an image beside the class folders; move it into the folder")
    assert "skip_bad=True" in message


def test_images_in_folders_of_a_class_folder_belong_to_the_class(folder: Path) -> None:
    before = read_image_folders(folder).train
    within = folder / "train" / "1" / "Urlaub 2023"
    (within / "leer").mkdir(parents=True)
    (folder / "train" / "1" / "0000.png").rename(within / "z.png")
    (within / "parent").symlink_to(folder / "train")
    (within / "twice").symlink_to(within)
    after = read_image_folders(folder).train
    assert after.rows_per_class.tolist() == before.rows_per_class.tolist()
    of_class = before.inputs[before.targets == 1]
    np.testing.assert_array_equal(
        after.inputs[after.targets == 1], np.concatenate([of_class[1:], of_class[:1]])
    )


def test_a_link_to_nothing_is_a_bad_file(folder: Path) -> None:
    path = folder / "train" / "1" / "link.png"
    path.symlink_to("moved.png")
    message = refusal(folder)
    assert message.startswith(f"{path}: a link to moved.png, which does not exist; remove the link")
    assert "skip_bad=True" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC, which Pillow does not read here"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a video, expected an image"),
        (b"\xff\x0a\xfa\x41", "JPEG XL"),
    ],
)
def test_a_format_that_is_not_read_is_named_with_the_remedy(
    folder: Path, content: bytes, words: str
) -> None:
    (folder / "train" / "1" / "photo.jpg").write_bytes(content)
    message = refusal(folder)
    assert words in message
    assert "as JPEG or PNG" in message


@pytest.mark.parametrize("content", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_a_file_that_is_no_image(folder: Path, content: bytes) -> None:
    (folder / "train" / "1" / "note.png").write_bytes(content)
    message = refusal(folder)
    assert message.startswith(f"{folder / 'train' / '1' / 'note.png'}: not an image")


def test_every_truncation_is_refused_that_loses_pixels(folder: Path) -> None:
    path = folder / "train" / "2" / "0001.png"
    content = path.read_bytes()
    pixels_end = content.index(b"IEND") - 4
    for size in range(0, pixels_end, 3):
        path.write_bytes(content[:size])
        assert refusal(folder).startswith(f"{path}: ")


def test_every_flipped_bit_among_the_pixels_is_noticed(folder: Path) -> None:
    path = folder / "test" / "0" / "0000.png"
    content = path.read_bytes()
    for offset in range(content.index(b"IDAT") + 4, content.index(b"IEND") - 4):
        damaged = bytearray(content)
        damaged[offset] ^= 4
        path.write_bytes(bytes(damaged))
        assert refusal(folder).startswith(f"{path}: ")


def test_images_of_another_size_are_named_with_the_first(folder: Path) -> None:
    path = folder / "test" / "1" / "0001.png"
    save(np.zeros((6, 4)), path)
    first = folder / "train" / "0" / "0000.png"
    assert refusal(folder) == (
        f"{path}: measures 4 x 6 pixels, expected 5 x 5 pixels like {first}; "
        "size= (--size) resizes all images"
    )


@pytest.mark.parametrize("mode", ["I;16", "F"])
def test_what_is_deeper_than_8_bits_is_refused_with_its_mode(folder: Path, mode: str) -> None:
    path = folder / "train" / "0" / "0000.png"
    path.unlink()
    Image.new(mode, (5, 5)).save(path.with_suffix(".tif"))
    message = refusal(folder)
    assert f"mode {mode!r}, expected at most 8 bits per channel" in message
    assert ("// 257" if mode == "I;16" else "scale its levels to 8 bits") in message


@pytest.mark.parametrize(("color", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_in_color_or_with_transparency_are_refused(
    folder: Path, color: int, channels: int
) -> None:
    path = folder / "train" / "0" / "0000.png"
    header = struct.pack(">IIBBBBB", 5, 5, 16, color, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x12\xff" * channels * 5) * 5)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
            for name, content in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
        )
    )
    assert "0000.png: 16 bits per channel, expected at most 8" in refusal(folder)


def test_16_bits_in_planes_of_a_tiff_file_are_refused(folder: Path) -> None:
    (folder / "train" / "0" / "0000.png").unlink()
    side, data = 5, b"\x12\xff" * 25
    starts = [200 + plane * len(data) for plane in range(3)]
    entries = [
        (256, 3, 1, struct.pack("<HH", side, 0)),
        (257, 3, 1, struct.pack("<HH", side, 0)),
        (258, 3, 3, struct.pack("<I", 150)),  # bits per sample
        (259, 3, 1, struct.pack("<HH", 1, 0)),
        (262, 3, 1, struct.pack("<HH", 2, 0)),
        (273, 4, 3, struct.pack("<I", 160)),  # where the planes are
        (277, 3, 1, struct.pack("<HH", 3, 0)),
        (278, 3, 1, struct.pack("<HH", side, 0)),
        (279, 4, 3, struct.pack("<I", 180)),
        (284, 3, 1, struct.pack("<HH", 2, 0)),  # planes
    ]
    directory = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0\0\0\0"
    head = head.ljust(150, b"\0") + struct.pack("<HHH", 16, 16, 16)
    head = head.ljust(160, b"\0") + struct.pack("<III", *starts)
    head = head.ljust(180, b"\0") + struct.pack("<III", *[len(data)] * 3)
    path = folder / "train" / "0" / "0000.tif"
    path.write_bytes(head.ljust(200, b"\0") + 3 * data)
    with Image.open(path) as image:
        assert image.mode == "RGB"
    assert "0000.tif: 16 bits per channel, expected at most 8" in refusal(folder)


def test_several_frames(folder: Path) -> None:
    frames = [Image.new("L", (5, 5), color) for color in (0, 255)]
    frames[0].save(folder / "train" / "0" / "0.tif", save_all=True, append_images=frames[1:])
    assert "0.tif: holds several frames" in refusal(folder)


@pytest.mark.parametrize("side", [5_000, 12_000, 60_000])
def test_a_bomb_is_refused_by_its_header(folder: Path, side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    path = folder / "train" / "0" / "0000.png"
    header = chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    message = refusal(folder)
    assert message.startswith(f"{path}: claims")
    assert f"{side * side / 1e6:,.1f} megapixels, expected at most 16.8 megapixels" in message
    assert ("size=" if side == 5_000 else "reduce it first") in message


def test_more_images_than_memory_should_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_rows, "MAX_BYTES", 12 * 25 - 1)
    assert "12 images of 5 x 5 pixels need 300 bytes, expected at most 299" in refusal(folder)


def test_an_image_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(folder).endswith("0000.png: cannot be read: Permission denied")


def test_pillow_is_asked_for_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match="'pillow': install Handloom with the extra 'cli'"):
        read_image_folders(folder)


def test_nothing_is_written_over(folder: Path) -> None:
    with pytest.raises(DataError, match="not empty"):
        write_image_folders(small_splits(), folder)


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    splits = small_splits()
    lacking = Splits(splits.train, splits.test.take(np.flatnonzero(splits.test.targets != 1)))
    with pytest.raises(
        DataError, match="the test part must have rows of every class, got no row of class '1'"
    ):
        write_image_folders(lacking, tmp_path / "out")
    features = Dataset(np.zeros((2, 3)), np.array([0, 1]), ("0", "1"))
    with pytest.raises(DataError, match=r"must be uint8 images of shape \(n, y, x\)"):
        write_image_folders(Splits(features, features), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_target_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: cannot be written"):
        write_image_folders(small_splits(), tmp_path / "file")


def test_the_advice_for_16_bit_images_keeps_their_levels(folder: Path) -> None:
    path = folder / "train" / "0" / "0000.png"
    levels = np.full((5, 5), 30000, np.uint16)
    levels[:, 2:] = 2000
    Image.fromarray(levels).save(path)
    assert "(numpy.asarray(Image.open(path)) // 257).astype('uint8')" in refusal(folder)
    Image.fromarray((np.asarray(Image.open(path)) // 257).astype("uint8")).save(path)
    assert np.asarray(Image.open(path))[0].tolist() == [116, 116, 7, 7, 7]
