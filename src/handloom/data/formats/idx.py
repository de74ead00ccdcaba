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
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError
from handloom.files import size_of

MAX_BYTES = 1 << 30
"""The maximum number of values in a header: 1 GiB, about twenty times Fashion-MNIST."""

MAX_RATIO = 1032
"""The maximum compression ratio of a gzip stream."""

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


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)
