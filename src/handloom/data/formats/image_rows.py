"""The rows of a dataset of images: one mode and one size, agreed on while files are read."""

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.data.formats.image_listing import ClassFolder, Part, loose_image
from handloom.data.formats.image_options import ImageOptions
from handloom.data.formats.images import (
    MODES,
    BadImageError,
    Mode,
    ReadImage,
    pixels_of,
    read_image,
)
from handloom.errors import DataError

MAX_BYTES = 1 << 32
"""The maximum memory for the images of one part: 4 GiB."""

SHOWN = 3
"""The number of skipped files that a message names."""

_NAMES: dict[Mode, str] = {"L": "gray", "RGB": "RGB", "RGBA": "RGBA"}
_MODE_OF: dict[str, Mode] = {"gray": "L", "rgb": "RGB", "rgba": "RGBA"}

_CHANNELS: dict[Mode, int] = {"L": 1, "RGB": 3, "RGBA": 4}

Pixels = npt.NDArray[np.uint8]


class ImageReader:
    """Reads the images of one or two parts of a dataset.

    The mode of the dataset is the least that holds all files: gray, then RGB, then RGBA. Each holds
    the pixels of the one before without loss, so files are opened once: the rows read so far are
    widened when a file needs it.

    Parameters
    ----------
    folder : Path
        The folder of the dataset.
    options : ImageOptions
    """

    def __init__(self, folder: Path, options: ImageOptions) -> None:
        self.folder, self.options = folder, options
        self.modes: Counter[Mode] = Counter()
        self.skipped: list[tuple[str, str]] = []
        """The skipped files, relative to the folder, and the reason of each."""
        self._mode: Mode = _MODE_OF[options.color] if options.color else "L"
        self._first: Path | None = None
        self._shape = options.shape

    def read(self, path: Path) -> ReadImage | None:
        """Return the image of a file, or None if it is skipped.

        Raises
        ------
        DataError
            If the file is bad and not skipped, cannot be read, or has another size.
        """
        try:
            image = read_image(path, self._mode_for, self.options.shape, self.options.fit)
        except BadImageError as error:
            self.skip(path, error)
            return None
        shape = image.pixels.shape[:2]
        if self._shape is None:
            self._shape, self._first = shape, path
        if shape != self._shape:
            raise DataError(
                f"{path}: measures {pixels_of(shape)}, expected {pixels_of(self._shape)} like "
                f"{self._first}; size= (--size) resizes all images"
            )
        self._mode = self._mode_for(image.own)
        self.modes[image.own] += 1
        return image

    def skip(self, path: Path, error: BadImageError) -> None:
        """Count a bad file, or raise its error if bad files are not skipped."""
        if not self.options.skip_bad:
            raise DataError(f"{error}; skip_bad=True (--skip-bad) skips bad files") from error
        name = str(path.relative_to(self.folder))
        self.skipped.append((name, str(error).removeprefix(f"{path}: ")))

    def _mode_for(self, own: Mode) -> Mode:
        """Return the mode of the dataset if a file of a mode is one of its rows."""
        if self.options.color:
            return self._mode
        return MODES[max(MODES.index(own), MODES.index(self._mode))]

    @property
    def channels(self) -> int:
        """The number of channels of the mode of the dataset."""
        return _CHANNELS[self._mode]

    def notes(self) -> list[str]:
        """Return notes for the user: mixed modes, and skipped files."""
        notes = []
        if len(self.modes) > 1 and not self.options.color:
            modes = [mode for mode in MODES if mode in self.modes]
            counts = ", ".join(f"{self.modes[mode]:,} {_NAMES[mode]}" for mode in modes)
            notes.append(
                f"mixed images ({counts}): all became {_NAMES[self._mode]}; color= (--color) "
                "chooses another mode"
            )
        if self.skipped:
            count = len(self.skipped)
            names: dict[str, list[str]] = {}
            for name, reason in self.skipped[:SHOWN]:
                names.setdefault(reason, []).append(name)
            shown = "; ".join(f"{', '.join(each)}: {reason}" for reason, each in names.items())
            more = f"; and {count - SHOWN:,} more" if count > SHOWN else ""
            files = "file" if count == 1 else "files"
            notes.append(f"skipped {count:,} bad {files}: {shown}{more}")
        return notes


class PartRows:
    """The rows of one part, of which some files may be skipped.

    Parameters
    ----------
    part : Part
    reader : ImageReader
    """

    def __init__(self, part: Part, reader: ImageReader) -> None:
        self._part, self._reader = part, reader
        self._images: Pixels | None = None
        self._labels = np.empty(part.size, dtype=np.int64)
        self._inner: list[tuple[slice, slice]] = []
        for path in part.loose:
            reader.skip(path, loose_image(path, len(part.loose)))

    @property
    def _count(self) -> int:
        """The number of rows so far."""
        return len(self._inner)

    def append(self, path: Path, label: int) -> None:
        """Read a file as the next row, unless it is skipped."""
        image = self._reader.read(path)
        if image is None:
            return
        pixels = image.pixels
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        if self._images is None:
            self._images = self._allocated((channels, *pixels.shape[:2]))
        elif channels > self._images.shape[1]:
            self._images = self._widened(self._images, channels)
        self._images[self._count] = pixels if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        self._labels[self._count] = label
        self._inner.append(image.inner)

    def close_class(self, one: ClassFolder, label: int) -> None:
        """Refuse a class whose files were all skipped."""
        if not self._count or self._labels[self._count - 1] != label:
            raise DataError(
                f"{self._part.folder}: the class {one.name!r} has no image left: all "
                f"{len(one.files)} files are bad, such as {': '.join(self._reader.skipped[-1])}"
            )

    def rows(self) -> tuple[Pixels, npt.NDArray[np.int64]]:
        """Return the images and labels, after the last part was read."""
        assert self._images is not None  # close_class has refused a part without rows
        images, channels = self._images, self._reader.channels
        if channels > images.shape[1]:
            images = self._widened(images, channels)
        images = images[: self._count]
        return images[:, 0] if channels == 1 else images, self._labels[: self._count]

    def _widened(self, images: Pixels, channels: int) -> Pixels:
        """Return images (n, c, y, x) with more channels; padding becomes transparent."""
        wide, rows = self._allocated((channels, *images.shape[2:])), slice(self._count)
        wide[rows, :3] = images[rows]
        wide[rows, 3:] = 0
        for row, inner in zip(wide, self._inner, strict=False):  # fewer than there are files
            row[(slice(3, None), *inner)] = 255
        return wide

    def _allocated(self, shape: tuple[int, ...]) -> Pixels:
        channels, height, width = shape
        count = self._part.size
        size = count * channels * height * width
        if size > MAX_BYTES:
            raise DataError(
                f"{self._part.folder}: {count} images of {width} x {height} pixels need {size} "
                f"bytes, expected at most {MAX_BYTES}"
            )
        return np.empty((count, *shape), dtype=np.uint8)
