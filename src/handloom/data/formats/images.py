"""Image files: checked by their headers, decoded, and fitted to a size."""

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from handloom.data.formats.image_options import Fit
from handloom.data.formats.unread_formats import unread_content, unread_format
from handloom.errors import DataError, MissingExtraError
from handloom.files import size_of

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MAX_PIXELS = 1 << 24
"""The maximum number of pixels of an image that keeps its size."""

MAX_PIXELS_RESIZED = 89_478_485
"""The maximum number of pixels of an image that is resized: Pillow warns of bombs above it."""

MAX_FILE_BYTES = 1 << 26
"""The maximum size of an image file, 64 MiB: it is read whole."""

NOT_DECODED = frozenset({"EPS", "IPTC"})
"""PostScript would run another program; IPTC opens its content in any format, PostScript too."""

Mode = Literal["L", "RGB", "RGBA"]
"""Gray, color, and color with transparency, as Pillow calls them."""

MODES: tuple[Mode, ...] = ("L", "RGB", "RGBA")
"""Each holds the pixels of those before it without loss."""

_DRAFT = 2
"""A JPEG file is decoded at no less than this multiple of the size that it is reduced to."""


_DEEP = re.compile(r";16[BLN]")
"""In a raw mode of Pillow: channels of 16 bits, of which it reads the upper 8 where there are
several; ``BGR;16`` is a pixel of 16 bits."""

_BITS_PER_SAMPLE = 258
"""The tag of a TIFF file that has the bits of each channel."""


class BadImageError(DataError):
    """A file is not an image, is damaged, or has pixels that are not read."""


class ReadImage(NamedTuple):
    """The pixels of a file, (y, x) or (y, x, c), the mode of the file, and where its image is."""

    pixels: npt.NDArray[np.uint8]
    own: "Mode"
    inner: tuple[slice, slice]
    """The rows and columns of ``pixels`` that are not padding."""


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


def image_suffixes() -> frozenset[str]:
    """Return the suffixes of the files that Pillow reads, such as ``".jpg"``.

    Raises
    ------
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow("reading images")
    from PIL import Image

    known, readable = Image.registered_extensions(), readable_formats()
    return frozenset(suffix for suffix, kind in known.items() if kind in readable)


def read_image(
    path: Path,
    mode_for: Callable[[Mode], Mode] = lambda own: own,
    shape: tuple[int, int] | None = None,
    fit: Fit = "pad",
) -> ReadImage:
    """Read the pixels of an image, turned upright as its EXIF orientation says.

    Parameters
    ----------
    path : Path
        The file.
    mode_for : callable
        Takes the mode of the file, and returns that of the pixels: by default the same. Transparent
        pixels show black if the mode has no transparency.
    shape : tuple of int, optional
        The shape ``(y, x)`` to resize to; by default that of the file.
    fit : {"pad", "crop", "stretch"}
        See `ImageOptions`.

    Returns
    -------
    ReadImage

    Raises
    ------
    BadImageError
        If the file is not an image, is damaged, too large, deeper than 8 bits, or several images.
    DataError
        If the file cannot be read.
    """
    from PIL import Image, ImageOps

    most = MAX_PIXELS if shape is None else MAX_PIXELS_RESIZED
    with naming(path, most):
        stream, formats = content_of(path), readable_formats()
        with Image.open(stream, formats=formats) as image:
            _check_header(image, path, most)
            # Decoding a PNG ignores its checksums; verify() makes the opened image unusable.
            image.verify()
            if image.format == "PNG":  # the most common: other formats need not be tried again
                formats = ("PNG",)
        with Image.open(stream, formats=formats) as image:
            own = _mode_of(image)
            mode = mode_for(own)
            if shape is not None:
                draft(image, shape)
            image.load()  # here, so that its errors are not mistaken for those of an array
            if image.info:  # the orientation is part of it
                ImageOps.exif_transpose(image, in_place=True)
            pixels = converted(image, mode)
            if shape is None:
                shape = pixels.height, pixels.width
            filled = pixels.size if fit == "pad" else (shape[1], shape[0])
            inner = _inner_box(filled, shape)
            return ReadImage(np.asarray(resized(pixels, shape, fit)), own, inner)


def write_png(pixels: npt.NDArray[np.uint8], path: str | os.PathLike[str]) -> None:
    """Write pixels of shape (y, x), (3, y, x) or (4, y, x) to a PNG file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from PIL import Image

    channels_last = pixels if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1)
    Image.fromarray(np.ascontiguousarray(channels_last)).save(path, format="PNG")


def _mode_of(image: "PillowImage") -> Mode:
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode in ("L", "1") else "RGB"


def _is_deep(image: "PillowImage") -> bool:
    """Return whether a file has more than 8 bits per channel, which an 8-bit mode does not tell."""
    if image.format == "TIFF":  # with channels in planes, Pillow reads wrong pixels
        return any(bits > 8 for bits in getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ()))
    tiles = getattr(image, "tile", ())
    return any(_DEEP.search(str(tile[3])) for tile in tiles)  # the last entry holds the raw mode


def _check_header(image: "PillowImage", path: Path, most: int) -> None:
    """Refuse an image that is too large, deeper than 8 bits, or several images."""
    shape = (image.height, image.width)
    if image.height * image.width > most:
        raise BadImageError(f"{path}: {too_many_pixels(shape, most)}")
    if image.mode.startswith("I") or image.mode == "F":  # convert("L") would clip at 255
        scaled = "numpy.asarray(Image.open(path)) // 257"
        advice = f"scale 16 bits to 8 first: Image.fromarray(({scaled}).astype('uint8'))"
        raise BadImageError(
            f"{path}: an image of Pillow's mode {image.mode!r}, expected at most 8 bits per "
            f"channel; {'scale its levels to 8 bits first' if image.mode == 'F' else advice}"
        )
    if _is_deep(image):
        raise BadImageError(
            f"{path}: 16 bits per channel, expected at most 8: save it with 8 from the program "
            "that wrote it"
        )
    # The further images of an MPO file, as cameras write it, are not frames of an animation.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise BadImageError(f"{path}: holds several frames, expected a single image")


def draft(image: "PillowImage", shape: tuple[int, int]) -> None:
    """Have a JPEG file that is to be resized to ``shape`` decoded at a reduced size, quickly."""
    image.draft(None, (_DRAFT * max(shape), _DRAFT * max(shape)))


def converted(image: "PillowImage", mode: Mode, background: int = 0) -> "PillowImage":
    """Return an image in a mode; without transparency, it shows a background: black.

    A gray or RGB image may have a transparent color.
    """
    from PIL import Image

    if mode == "RGBA" or not image.has_transparency_data:
        return image if image.mode == mode else image.convert(mode)
    canvas = Image.new("RGBA", image.size, (background, background, background, 255))
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")  # memory for one copy less
    return Image.alpha_composite(canvas, rgba).convert(mode)


@lru_cache(maxsize=256)  # so that rows of one size share it
def _inner_box(size: tuple[int, int], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of ``shape`` (y, x) that an image (width, height) fills."""
    height, width = shape
    ratio = min(width / size[0], height / size[1])
    across, down = (max(1, round(side * ratio)) for side in size)
    left, top = (width - across) // 2, (height - down) // 2
    return slice(top, top + down), slice(left, left + across)


def resized(
    image: "PillowImage", shape: tuple[int, int], fit: Fit, background: int = 0
) -> "PillowImage":
    """Return the image of shape ``(y, x)``, padded (transparent in RGBA), cropped or stretched."""
    from PIL import Image

    height, width = shape
    if image.size == (width, height):
        return image
    filtering = Image.Resampling.LANCZOS
    ratios = (width / image.width, height / image.height)
    if fit == "stretch":
        return image.resize((width, height), filtering)
    if fit == "crop":
        across, down = width / max(ratios), height / max(ratios)
        left, top = (image.width - across) / 2, (image.height - down) / 2
        right, bottom = min(image.width, left + across), min(image.height, top + down)
        box = (max(0, left), max(0, top), right, bottom)
        return image.resize((width, height), filtering, box=box)
    rows, columns = _inner_box(image.size, shape)
    levels = (background,) * len(image.getbands())
    canvas = Image.new(image.mode, (width, height), (*levels[:3], 0) if levels[3:] else levels)
    within = (columns.stop - columns.start, rows.stop - rows.start)
    canvas.paste(image.resize(within, filtering), (columns.start, rows.start))
    return canvas


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
        raise BadImageError(f"{path}: {size:,} bytes, expected an image of at most {most:,} bytes")
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
        claimed = re.search(r"\d+", str(error))  # the message of Pillow begins with the size
        count = int(claimed[0]) if claimed else MAX_PIXELS_RESIZED + 1
        raise BadImageError(f"{path}: {too_many_pixels((1, count), most)}") from error
    except UnidentifiedImageError as error:
        problem = (
            unread_format(path, image_suffixes())
            or unread_content(path)
            or "not an image, or its header is damaged, expected a format that Pillow reads"
        )
        raise BadImageError(f"{path}: {problem}") from error
    except Exception as error:
        # A decoder may raise nearly any error for a damaged file: OSError, SyntaxError,
        # zlib.error, struct.error, IndexError. Only system errors have an errno.
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            raise BadImageError(
                f"{path}: a link to {path.readlink()}, which does not exist; remove the link"
            ) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        reason = str(error) or type(error).__name__
        raise BadImageError(f"{path}: a damaged or truncated image: {reason}") from error


def pixels_of(shape: tuple[int, int]) -> str:
    """Return the size of an image for a message: ``28 x 28 pixels``."""
    return f"{shape[1]:,} x {shape[0]:,} pixels"


def too_many_pixels(shape: tuple[int, int], most: int) -> str:
    """Return the message about an image of a size above a limit, with the remedy."""
    count = shape[0] * shape[1]
    size = f"{pixels_of(shape)}, " if shape[0] > 1 else ""
    helps = (
        "reduce it first, in an image editor or by Pillow's Image.reduce"
        if count > MAX_PIXELS_RESIZED
        else "size= (--size) resizes all images"
    )
    return (
        f"claims {size}{count / 1e6:,.1f} megapixels, expected at most {most / 1e6:,.1f} "
        f"megapixels; {helps}"
    )
