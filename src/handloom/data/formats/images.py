"""Grayscale image files: reading to an array and writing, pixel for pixel."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError, MissingExtraError
from handloom.files import size_of

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MAX_PIXELS = 1 << 24
"""The maximum number of pixels of an image."""

MAX_FILE_BYTES = 1 << 26
"""The maximum size of an image file, 64 MiB: it is read whole."""

NOT_DECODED = frozenset({"EPS", "IPTC"})
"""PostScript would run another program; IPTC opens its content in any format, PostScript too."""


class Size(NamedTuple):
    """The required shape (y, x) of images, and the file that set it."""

    shape: tuple[int, int]
    path: Path


def require_pillow(purpose: str) -> None:
    """Raise `MissingExtraError` if Pillow is not installed."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pillow", "cli", purpose) from error


def readable_formats() -> tuple[str, ...]:
    """Return all formats that Pillow decodes without another program."""
    from PIL import Image

    Image.init()
    return tuple(sorted(set(Image.OPEN) - NOT_DECODED))


def read_size(path: Path) -> Size:
    """Return the size of a grayscale image from its header; the pixels are not decoded.

    Raises
    ------
    DataError
        As `read_gray`.
    """
    from PIL import Image

    with naming(path), Image.open(content_of(path), formats=readable_formats()) as image:
        return Size(_checked_shape(image, path), path)


def read_gray(path: Path, size: Size) -> npt.NDArray[np.uint8]:
    """Read the pixels of a grayscale image.

    Parameters
    ----------
    path : Path
        The file.
    size : Size
        The required size; another one is refused before decoding.

    Returns
    -------
    array of uint8, shape (y, x)
        The gray levels as stored; black and white become 0 and 255.

    Raises
    ------
    DataError
        If the file cannot be read, is not an image, is damaged, not grayscale or of another size.
    """
    from PIL import Image

    with naming(path):
        stream = content_of(path)
        with Image.open(stream, formats=readable_formats()) as image:
            shape = _checked_shape(image, path)
            if shape != size.shape:
                raise DataError(
                    f"{path}: measures {_pixels(shape)}, expected {_pixels(size.shape)} "
                    f"like {size.path}"
                )
            # Decoding a PNG ignores its checksums; verify() makes the opened image unusable.
            image.verify()
        with Image.open(stream, formats=readable_formats()) as image:
            image.load()  # here, so that its errors are not mistaken for those of an array
            return np.asarray(image if image.mode == "L" else image.convert("L"))


def write_png(pixels: npt.NDArray[np.uint8], path: str | os.PathLike[str]) -> None:
    """Write grayscale pixels of shape (y, x) to a PNG file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from PIL import Image

    Image.fromarray(pixels).save(path, format="PNG")


def _checked_shape(image: "PillowImage", path: Path) -> tuple[int, int]:
    """Return the shape (y, x) of an image, checked: grayscale, one frame and not too large."""
    shape = (image.height, image.width)
    if image.height * image.width > MAX_PIXELS:
        raise DataError(f"{path}: claims {_pixels(shape)}, expected at most {MAX_PIXELS} pixels")
    if image.mode.startswith("I"):  # convert("L") would clip its levels at 255
        raise DataError(
            f"{path}: an image of Pillow's mode {image.mode!r}, expected 8-bit grayscale ('L') or "
            "black and white ('1'); scale 16 bits to 8 first: "
            "Image.fromarray((numpy.asarray(Image.open(path)) // 257).astype('uint8'))"
        )
    if image.mode not in ("L", "1"):
        raise DataError(
            f"{path}: an image of Pillow's mode {image.mode!r}, expected 8-bit grayscale ('L') or "
            f"black and white ('1'); convert it first: Image.open(path).convert('L')"
        )
    if getattr(image, "n_frames", 1) > 1:
        raise DataError(f"{path}: holds several frames, expected a single image")
    return shape


def content_of(path: Path, most: int = MAX_FILE_BYTES) -> BytesIO:
    """Return the content of a file of at most ``most`` bytes as a stream in memory.

    A file read allocates the number of bytes that a header claims; a stream in memory returns only
    the bytes that exist.

    Raises
    ------
    OSError
        If the file cannot be read.
    DataError
        If it is larger.
    """
    size = size_of(path)
    if size > most:
        raise DataError(f"{path}: {size} bytes, expected an image of at most {most} bytes")
    with path.open("rb") as file:
        return BytesIO(file.read())


@contextmanager
def naming(path: Path, most: int = MAX_PIXELS) -> Iterator[None]:
    """Convert errors of opening and decoding an image to a `DataError` that names the file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except DataError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: claims too much, expected at most {most} pixels") from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"{path}: not an image, or its header is damaged, expected a format that Pillow reads"
        ) from error
    except Exception as error:
        # A decoder may raise nearly any error for a damaged file: OSError, SyntaxError,
        # zlib.error, struct.error, IndexError. Only system errors have an errno.
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        raise DataError(f"{path}: a damaged or truncated image: {error}") from error


def _pixels(shape: tuple[int, int]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"
