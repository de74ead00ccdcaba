"""Augmentation: images changed at random, so that a network never sees the same one again.

An augmentation takes the stored bytes of a few images and changes them in place. What it draws is a
function of seed, epoch, step and the place of the rows in the step, and nothing else.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.errors import (
    ConfigurationError,
    DataError,
    require_count,
    require_known,
    require_number,
)
from handloom.randomness import StepStream, Stream

Images = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Draw:
    """What an augmentation may draw from.

    Attributes
    ----------
    rng : numpy.random.Generator
        Of these images in this step alone.
    rows : integer array, shape (n,)
        Which rows of the dataset the images are.
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
    """What changes images at random; a frozen dataclass, whose fields a checkpoint compares."""

    def __call__(self, images: Images, draw: Draw) -> None:
        """Change images of shape (n, ..., y, x) in place."""


@dataclass(frozen=True)
class Flip:
    """Mirrors images left to right.

    Parameters
    ----------
    alternating : bool
        Without it each image is mirrored with probability one half, each time anew. With it each
        image is mirrored in every other epoch, half of all in the even ones and the other half in
        the odd ones, so that two epochs in a row show each image both ways.

    References
    ----------
    Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, section 3.6, on alternating.
    """

    alternating: bool = False

    def __call__(self, images: Images, draw: Draw) -> None:
        """Mirror about half of the images in place."""
        if self.alternating:
            mirrored = _coins(draw.rows, draw.seed) ^ bool(draw.epoch % 2)
        else:
            mirrored = draw.rng.random(len(images), np.float32) < 0.5
        chosen = np.flatnonzero(mirrored)
        images[chosen] = images[chosen, ..., ::-1]


@dataclass(frozen=True)
class Shift:
    """Moves images by up to so many pixels each way, with zeros where nothing was.

    This is padding with zeros and cropping at a random place. All moves are equally likely.

    Parameters
    ----------
    pixels : int
        The longest move along each axis.

    Raises
    ------
    ConfigurationError
        If that is no whole number of at least 1.
    """

    pixels: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", require_count("pixels", self.pixels))

    def __call__(self, images: Images, draw: Draw) -> None:
        """Move the images in place."""
        n, most = len(images), self.pixels
        y, x = images.shape[-2:]
        padded = np.zeros((*images.shape[:-2], y + 2 * most, x + 2 * most), images.dtype)
        padded[..., most : most + y, most : most + x] = images
        crops = np.lib.stride_tricks.sliding_window_view(padded, (y, x), axis=(-2, -1))
        top, left = draw.rng.integers(0, 2 * most + 1, (2, n))
        # the windows' places come before their pixels, and channels before both
        places = np.moveaxis(crops, (-4, -3), (1, 2))
        images[...] = places[np.arange(n), top, left]


@dataclass(frozen=True)
class Erase:
    """Overwrites a rectangle of some images, of random size, shape and place.

    Its area is drawn evenly between two fractions of the image's, the logarithm of its height over
    its width evenly between those of ``aspect`` and ``1 / aspect``; a side that would be longer
    than the image's is cut to it. Every place where it lies inside is equally likely.

    Parameters
    ----------
    probability : float
        Of an image to be touched, above 0 and at most 1.
    smallest, largest : float
        The fractions, above 0 and at most 1.
    aspect : float
        Above 0 and at most 1.
    value : int
        What is written, 0 to 255.

    Raises
    ------
    ConfigurationError
        If a number is out of range, or the smallest area above the largest.

    References
    ----------
    Zhong, Zheng, Kang, Li, Yang, "Random Erasing Data Augmentation", AAAI 2020. There sizes that do
    not fit are drawn again, and pixels are overwritten with noise.
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
"""Augmentations by name, with what they do where nobody says."""


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
        Of the step; each run of its rows has a place of its own below it.
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
            Which rows of the dataset they are.
        start : int
            Where in the step the first of them stands.
        """
        numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        rng = self.stream.at(start).generator()
        draw = Draw(rng, numbers, self.epoch, self.stream.seed)
        for change in self.changes:
            change(images, draw)


def check_images(data: Dataset) -> None:
    """Refuse rows that no augmentation can take.

    Raises
    ------
    DataError
        If they are not images of bytes.
    """
    if data.inputs.dtype != np.uint8 or data.inputs.ndim < 3:
        raise DataError(
            f"augmentation takes uint8 images of shape (n, y, x), the training rows are "
            f"{data.inputs.dtype} of shape {data.inputs.shape}"
        )


def _inside(length: Numbers, place: Numbers, size: int) -> npt.NDArray[np.bool_]:
    """Return which pixels of an axis lie in a run of about a length, shape (n, size).

    Parameters
    ----------
    length : array, shape (n,)
        Rounded, and cut to 1..size.
    place : array, shape (n,)
        Where the run begins, from 0 at one end to below 1 at the other.
    size : int
        How many pixels the axis has.
    """
    length = np.clip(np.rint(length), 1, size)
    start = np.floor(place * (size - length + 1))[:, None]
    pixels = np.arange(size)
    inside: npt.NDArray[np.bool_] = (pixels >= start) & (pixels < start + length[:, None])
    return inside


def _coins(rows: npt.NDArray[np.integer], seed: int) -> npt.NDArray[np.bool_]:
    """Return a fair coin for each row, the same one whenever a row is asked for.

    Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014: SplitMix64.
    """
    start = np.array([seed % (1 << 64)], np.uint64)
    z = _mix(start) + rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    coins: npt.NDArray[np.bool_] = _mix(z) >> np.uint64(63) == 1
    return coins


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Stir the bits of 64-bit numbers."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
