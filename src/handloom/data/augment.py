"""Data augmentation: random changes of training images.

An augmentation changes the stored bytes of a few images in place. Its random draws depend on seed,
epoch, step and the index of the rows within the step, and on nothing else.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset, require_channels_first
from handloom.errors import (
    ConfigurationError,
    DataError,
    require_count,
    require_known,
    require_number,
)
from handloom.operations import (
    LEFT,
    MIRRORED,
    TOP,
    FlipImages,
    Moves,
    ShiftImages,
    operation_of,
)
from handloom.randomness import StepStream, Stream

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Draw:
    """The random generator of an augmentation, and the rows and epoch that it is for.

    Attributes
    ----------
    rng : numpy.random.Generator
        The generator of these images in this step.
    rows : integer array, shape (n,)
        The indices of the images in the dataset.
    epoch : int
        Counted from 0.
    seed : int
        The seed of the training.
    """

    rng: np.random.Generator
    rows: npt.NDArray[np.integer]
    epoch: int
    seed: int


class Augmentation(Protocol):
    """A random change of images; a frozen dataclass, whose fields a resume compares.

    Several threads of a training call it at once, so a call must not change it. Another object with
    attributes might keep a state: it is refused while another training uses it.
    """

    def __call__(self, images: Images, draw: Draw) -> None:
        """Change images of shape (n, ..., y, x) in place."""


@dataclass(frozen=True)
class Flip:
    """Random horizontal flip: mirrors images left to right.

    Parameters
    ----------
    alternating : bool
        If False, each image is mirrored with probability one half in every step. If True, each
        image is mirrored in every other epoch, half of the images in the even epochs and the other
        half in the odd ones, so that two epochs in a row show each image both ways.

    References
    ----------
    Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv 2404.00498, section 3.6,
    on alternating.
    """

    alternating: bool = False

    def __call__(self, images: Images, draw: Draw) -> None:
        """Mirror about half of the images in place."""
        indices = np.flatnonzero(self._mirrored(len(images), draw))
        images[indices] = images[indices, ..., ::-1]

    def as_operation(self) -> FlipImages:
        """Return flips as a record."""
        return FlipImages()

    def add_to(self, moves: Moves, draw: Draw) -> None:
        """Mirror moved images in place; the zeros at one side are then at the other."""
        mirrored = self._mirrored(len(moves), draw)
        moves[:, MIRRORED] ^= mirrored
        moves[mirrored, LEFT] *= -1

    def _mirrored(self, n: int, draw: Draw) -> npt.NDArray[np.bool_]:
        if self.alternating:
            return _coins(draw.rows, draw.seed) ^ bool(draw.epoch % 2)
        mirrored: npt.NDArray[np.bool_] = draw.rng.random(n, np.float32) < 0.5
        return mirrored


@dataclass(frozen=True)
class Shift:
    """Random translation by up to ``pixels`` along each axis, with zeros at the border.

    This is zero padding and a random crop. All translations are equally likely.

    Parameters
    ----------
    pixels : int
        The largest translation along each axis.

    Raises
    ------
    ConfigurationError
        If ``pixels`` is not a whole number of at least 1.
    """

    pixels: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", require_count("pixels", self.pixels))

    def __call__(self, images: Images, draw: Draw) -> None:
        """Translate the images in place."""
        n, most = len(images), self.pixels
        y, x = images.shape[-2:]
        padded = np.zeros((*images.shape[:-2], y + 2 * most, x + 2 * most), images.dtype)
        padded[..., most : most + y, most : most + x] = images
        crops = np.lib.stride_tricks.sliding_window_view(padded, (y, x), axis=(-2, -1))
        top, left = self._corners(n, draw)
        # the axes of the windows' offsets come before their pixels, and channels before both
        by_offset = np.moveaxis(crops, (-4, -3), (1, 2))
        images[...] = by_offset[np.arange(n), top, left]

    def as_operation(self) -> ShiftImages:
        """Return shifts as a record."""
        return ShiftImages()

    def add_to(self, moves: Moves, draw: Draw) -> None:
        """Translate moved images that are not translated yet in place."""
        corners = self._corners(len(moves), draw)
        moves[:, TOP] += corners[0] - self.pixels
        moves[:, LEFT] += corners[1] - self.pixels

    def _corners(self, n: int, draw: Draw) -> npt.NDArray[np.int64]:
        """Return the top and the left of each crop of the padded images, shape (2, n)."""
        return draw.rng.integers(0, 2 * self.pixels + 1, (2, n))


@dataclass(frozen=True)
class Erase:
    """Random erasing: overwrites a rectangle of random size, shape and position.

    The area is drawn uniformly between two fractions of the image's area, the logarithm of the
    aspect ratio (height over width) uniformly between those of ``aspect`` and ``1 / aspect``; a
    side longer than the image's is clipped to it. All positions within the image are equally
    likely.

    Parameters
    ----------
    probability : float
        The probability that an image is changed, above 0 and at most 1.
    smallest, largest : float
        The fractions of the area, above 0 and at most 1.
    aspect : float
        The smallest aspect ratio, above 0 and at most 1.
    value : int
        The pixel value to write, 0 to 255.

    Raises
    ------
    ConfigurationError
        If an option is out of range, or ``smallest`` is above ``largest``.

    References
    ----------
    Zhong, Zheng, Kang, Li, Yang, "Random Erasing Data Augmentation", AAAI 2020. There the aspect
    ratio itself is drawn uniformly, sizes that do not fit are drawn again, and pixels are
    overwritten with noise.
    """

    probability: float = 0.5
    smallest: float = 0.02
    largest: float = 0.4
    aspect: float = 0.3
    value: int = 0

    def __post_init__(self) -> None:
        for option in ("probability", "smallest", "largest", "aspect"):
            value = require_number(
                option, getattr(self, option), minimum=0.0, maximum=1.0, exclusive=True
            )
            object.__setattr__(self, option, value)
        if self.smallest > self.largest:
            raise ConfigurationError(
                f"smallest must be at most largest, got {self.smallest:g} and {self.largest:g}"
            )
        object.__setattr__(self, "value", require_count("value", self.value, minimum=0))
        if self.value > 255:
            raise ConfigurationError(f"value must be at most 255, got {self.value}")

    def __call__(self, images: Images, draw: Draw) -> None:
        """Overwrite rectangles in place."""
        n, (y, x) = len(images), images.shape[-2:]
        touched, size, shape, top, left = draw.rng.random((5, n))
        area = y * x * (self.smallest + (self.largest - self.smallest) * size)
        aspect = self.aspect ** (2.0 * shape - 1.0)
        rows = _inside(np.sqrt(area * aspect), top, y)
        columns = _inside(np.sqrt(area / aspect), left, x)
        rows &= (touched < self.probability)[:, None]
        erased = (rows[:, :, None] & columns[:, None, :]).view(np.uint8)
        erased = erased.reshape(n, *(1,) * (images.ndim - 3), y, x)
        images *= 1 - erased
        if self.value:
            images += np.uint8(self.value) * erased


AUGMENTATIONS: Mapping[str, Callable[[], Augmentation]] = {
    "flip": Flip,
    "alternating-flip": lambda: Flip(alternating=True),
    "shift": Shift,
    "erase": Erase,
}
"""Augmentations by name, with their default options."""


def named_augmentation(name: str) -> Augmentation:
    """Return one of `AUGMENTATIONS`.

    Raises
    ------
    ConfigurationError
        If there is no such augmentation.
    """
    require_known("augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]()


@dataclass(frozen=True)
class StepAugmentation:
    """The augmentations of one training step.

    Parameters
    ----------
    changes : sequence of Augmentation
        Applied in this order.
    stream : StepStream or Stream
        The stream of the step; the generator of rows is keyed by the index of their first row.
    epoch : int
        Counted from 0.
    """

    changes: Sequence[Augmentation]
    stream: StepStream | Stream
    epoch: int

    def __call__(self, images: Images, rows: npt.NDArray[np.integer] | slice, start: int) -> None:
        """Change some images of the step in place.

        Parameters
        ----------
        images : array of uint8, shape (n, ..., y, x)
        rows : slice or integer array, shape (n,)
            The rows of the images in the dataset.
        start : int
            The index of the first image within the step.
        """
        indices = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        draw = self._draw(indices, start)
        for change in self.changes:
            if change(images, draw) is not None:  # type: ignore[func-returns-value]
                raise ConfigurationError(
                    f"the augmentation {change!r} must change images in place and return None, "
                    "got a return value, which would be ignored: images[...] = ..."
                )

    def moves(self, rows: npt.NDArray[np.integer], start: int) -> Moves:
        """Return how a call with these arguments moves images; of flips and one shift at most."""
        moves, draw = np.zeros((len(rows), 3), np.int64), self._draw(rows, start)
        for change in self.changes:
            change.add_to(moves, draw)  # type: ignore[attr-defined]
        return moves

    def _draw(self, rows: npt.NDArray[np.integer], start: int) -> Draw:
        rng = self.stream.at(start).generator()
        return Draw(rng, rows, self.epoch, self.stream.seed)


def can_be_moves(changes: Sequence[Augmentation]) -> bool:
    """Return whether augmentations are moves of images: flips, and one shift at most."""
    operations = [operation_of(change) for change in changes]
    shifts = sum(isinstance(operation, ShiftImages) for operation in operations)
    return None not in operations and shifts <= 1


def check_images(data: Dataset) -> None:
    """Check that the rows of a dataset are images that augmentation accepts.

    Raises
    ------
    DataError
        If they are not uint8 images.
    """
    if data.inputs.dtype != np.uint8 or data.inputs.ndim < 3:
        raise DataError(
            f"augmentation takes uint8 images of shape (n, y, x), got training rows of "
            f"{data.inputs.dtype} of shape {data.inputs.shape}"
        )
    require_channels_first(data)


def _inside(extent: Floats, relative_start: Floats, size: int) -> npt.NDArray[np.bool_]:
    """Return a mask of the pixels of an axis that lie in an interval, shape (n, size).

    Parameters
    ----------
    extent : array, shape (n,)
        The number of pixels in the interval; rounded, and clipped to 1..size.
    relative_start : array, shape (n,)
        The relative start of the interval, from 0 at one end to below 1 at the other.
    size : int
        The number of pixels of the axis.
    """
    extent = np.clip(np.rint(extent), 1, size)
    start = np.floor(relative_start * (size - extent + 1))[:, None]
    pixels = np.arange(size)
    inside: npt.NDArray[np.bool_] = (pixels >= start) & (pixels < start + extent[:, None])
    return inside


def _coins(rows: npt.NDArray[np.integer], seed: int) -> npt.NDArray[np.bool_]:
    """Return a fair coin for each row: a hash of seed and row.

    Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, with
    the mixing function that is there called ``mix64variant13``, as in Java's SplittableRandom.
    """
    start = np.array([seed % (1 << 64)], np.uint64)
    z = _mix(start) + rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    coins: npt.NDArray[np.bool_] = _mix(z) >> np.uint64(63) == 1
    return coins


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the SplitMix64 hash of 64-bit integers."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
