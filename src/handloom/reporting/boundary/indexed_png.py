"""PNG images of indexed colors, as the PNG specification (W3C, second edition) describes them."""

import struct
import zlib
from base64 import b64encode

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def indexed_png(indices: Bytes, palette: Bytes) -> str:
    """Return an image as a data URI.

    Parameters
    ----------
    indices : array of uint8, shape (y, x)
    palette : array of uint8, shape (n, 4)
        The colors of the indices with their opacity, at most 256.
    """
    height, width = indices.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    unfiltered = np.zeros((height, 1), np.uint8)  # the filter of each line: none
    lines = np.concatenate([unfiltered, indices], axis=1).tobytes()
    chunks = [
        (b"IHDR", header),
        (b"PLTE", palette[:, :3].tobytes()),
        (b"tRNS", palette[:, 3].tobytes()),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    return f"data:image/png;base64,{b64encode(content).decode()}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
