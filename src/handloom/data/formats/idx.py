"""IDX files: the format in which MNIST and Fashion-MNIST are published.

An IDX file is a big-endian header, followed by the values only::

    magic number   4 bytes   0x00000800 + the number of dimensions (08 means unsigned bytes)
    sizes          4 bytes   for each dimension
    values         1 byte    each, the last dimension running fastest
"""

import gzip
import io
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset, Splits
from handloom.data.sources.published import name_of
from handloom.errors import DataError
from handloom.files import size_of

MAX_BYTES = 1 << 30
"""The maximum number of values in a header: 1 GiB, about twenty times Fashion-MNIST."""

MAX_RATIO = 1032
"""The maximum compression ratio of a gzip stream."""

FILE_STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""The images and the labels of each part, as published; each may end in ``.gz``."""

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTES = 0x0800
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str], *, dimensions: int) -> npt.NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, compressed with gzip or not.

    Parameters
    ----------
    path : path
        The file. Compression is detected by its content, not by its name.
    dimensions : int
        The number of dimensions that it must have: 1 for labels, 3 for images.

    Returns
    -------
    array of uint8
        In the shape of the header.

    Raises
    ------
    DataError
        If the file cannot be read, is not such an IDX file, or holds more or less than its header
        claims; no more than that is decompressed, and no more memory is allocated than the file can
        fill.
    """
    path = Path(path)
    try:
        size = size_of(path)
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not compressed:
                return _parse(raw, path, dimensions, size, size)
            with gzip.GzipFile(fileobj=raw) as unzipped:
                return _parse(unzipped, path, dimensions, size, MAX_RATIO * size)
    except EOFError as error:
        raise DataError(f"{path}: the gzip stream is truncated: it ends too early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip stream is damaged: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_idx_folder(
    folder: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    name: str | None = None,
) -> Splits:
    """Read a dataset from four IDX files in the layout of MNIST.

    Parameters
    ----------
    folder : path
        Holds the four files of `FILE_STEMS`, each with or without ``.gz``.
    class_names : sequence of str, optional
        The names of the classes; by default the labels from the lowest to the highest, which is
        class 0: ``"1"`` to ``"26"`` for the letters of EMNIST. Labels from 1 to the number of names
        are counted from 1, any other labels from 0.
    name : str, optional
        The name of the dataset; by default the name of the folder.

    Returns
    -------
    Splits
        Images of shape (n, y, x) and dtype uint8, in the order of the files.

    Raises
    ------
    DataError
        If a file is missing or invalid, images and labels differ in number, or a label has no
        class.
    """
    folder = Path(folder)
    arrays, paths = {}, {}
    for part, (images_stem, labels_stem) in FILE_STEMS.items():
        images_path, labels_path = find_idx(folder, images_stem), find_idx(folder, labels_stem)
        images, labels = read_idx(images_path, dimensions=3), read_idx(labels_path, dimensions=1)
        if len(images) != len(labels):
            raise DataError(
                f"{labels_path}: holds {len(labels)} labels, expected {len(images)}, "
                f"one for each image of {images_path.name}"
            )
        arrays[part] = images, labels
        paths[part] = labels_path
    lowest = min(int(labels.min()) for _, labels in arrays.values())
    highest = max(int(labels.max()) for _, labels in arrays.values())
    if class_names is None:
        first, class_names = lowest, [str(label) for label in range(lowest, highest + 1)]
    else:
        first = 1 if (lowest, highest) == (1, len(class_names)) else 0
        for part, (_, labels) in arrays.items():
            _check_labels(labels, first + len(class_names), paths[part])
    train, test = (
        Dataset(
            images, labels.astype(np.int64) - first, tuple(class_names), name or name_of(folder)
        )
        for images, labels in arrays.values()
    )
    try:
        return Splits(train, test)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def find_idx(folder: Path, stem: str) -> Path:
    """Return the path of an IDX file in a folder, compressed or not.

    Raises
    ------
    DataError
        If there is neither; the message names both.
    """
    candidates = [folder / f"{stem}.gz", folder / stem]
    for path in candidates:
        if path.is_file():
            return path
    raise DataError(f"{folder}: a file is missing: expected {stem}.gz or {stem}")


def _parse(
    stream: io.BufferedIOBase, path: Path, dimensions: int, size: int, most: int
) -> npt.NDArray[np.uint8]:
    """Read an IDX stream of a file of ``size`` bytes, which can hold at most ``most``."""
    shape = _read_header(stream, path, dimensions)
    claimed = math.prod(shape)
    if size > 2 * claimed + _CHUNK:  # gzip skips zeros after its data, however many, one by one
        raise DataError(
            f"{path}: trailing bytes: {size} bytes, more than a file of the {claimed} bytes that "
            f"its header claims ({_times(shape)}) can need"
        )
    values = np.empty(min(claimed, most), dtype=np.uint8)
    received = _fill(stream, values.data)
    if received < claimed:
        raise DataError(
            f"{path}: truncated: expected {claimed} bytes after the header, which claims "
            f"{_times(shape)}, got {received}"
        )
    # Reading one more byte also makes gzip verify its checksum.
    if stream.read(1):
        raise DataError(
            f"{path}: trailing bytes: expected the file to end after the {claimed} bytes "
            f"that its header claims ({_times(shape)})"
        )
    return values.reshape(shape)


def _read_header(stream: io.BufferedIOBase, path: Path, dimensions: int) -> tuple[int, ...]:
    size = 4 + 4 * dimensions
    header = stream.read(size)
    expected = _UNSIGNED_BYTES + dimensions
    # A wrong magic number is more informative than a short header, so it is reported first.
    if len(header) >= 4 and int.from_bytes(header[:4], "big") != expected:
        raise DataError(
            f"{path}: wrong magic number 0x{header[:4].hex()}, expected 0x{expected:08x} "
            f"(unsigned bytes in {dimensions} dimension{'s' if dimensions > 1 else ''})"
        )
    if len(header) < size:
        raise DataError(f"{path}: truncated: expected a header of {size} bytes, got {len(header)}")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    if 0 in shape:
        raise DataError(f"{path}: the header claims {_times(shape)}, expected sizes of at least 1")
    if math.prod(shape) > MAX_BYTES:
        raise DataError(
            f"{path}: the header claims {_times(shape)} = {math.prod(shape)} bytes, "
            f"expected at most {MAX_BYTES}"
        )
    return shape


def _fill(stream: io.BufferedIOBase, buffer: memoryview) -> int:
    """Read until the buffer is full or the stream ends; return the number of bytes read."""
    filled = 0
    while filled < len(buffer):
        # GzipFile copies the data of each read, so it is read in small chunks.
        count = stream.readinto(buffer[filled : filled + _CHUNK])
        if not count:
            break
        filled += count
    return filled


def _check_labels(labels: npt.NDArray[np.uint8], classes: int, path: Path) -> None:
    bad = np.flatnonzero(labels >= classes)
    if bad.size:
        raise DataError(
            f"{path}: row {bad[0]} has the label {labels[bad[0]]}, expected 0..{classes - 1}"
        )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)
