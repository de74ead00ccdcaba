"""The object in a photograph: the pixels that differ from a smooth background."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.data.photos.background import border_of, fit_background
from handloom.data.photos.components import components

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

NOISE = 5.0
"""An object differs by at least this number of standard deviations of the background."""

FAINTEST = 12.0
"""The smallest difference of an object from its background, in levels."""

SHADOW = 0.22
"""Pixels with less than this fraction of the object's difference are shadow."""

SIGNIFICANT = 0.08
"""The size of a component that is a part of the object, as a fraction of the largest."""


@dataclass(frozen=True, eq=False)
class PhotoObject:
    """An object and its contrast.

    Attributes
    ----------
    mask : array of bool, shape (y, x)
        The pixels of the object.
    contrast : array, shape (y, x)
        The difference of every pixel from the background, in the direction in which the object
        differs; zero for the other direction.
    threshold : float
        The smallest contrast of the pixels of the object.
    """

    mask: Mask
    contrast: Floats
    threshold: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The bounding box: left, top, right, bottom."""
        rows = np.flatnonzero(self.mask.any(axis=1))
        columns = np.flatnonzero(self.mask.any(axis=0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def find_object(pixels: Floats) -> PhotoObject | None:
    """Return the object in a photograph, or None if nothing differs from the background.

    Parameters
    ----------
    pixels : array, shape (y, x, c)
        The levels of each channel, 0 to 255.
    """
    border = border_of(pixels.shape)
    first = _find(pixels, border)
    if first is None:
        return None
    # again, with the background inside of the frame
    samples = ~grown(first.contrast > 0.5 * first.threshold)
    if samples.mean() < 0.1:
        return first
    return _find(pixels, samples) or first


def _find(pixels: Floats, samples: Mask) -> PhotoObject | None:
    difference = pixels - fit_background(pixels, samples)
    distance = np.sqrt((difference**2).mean(axis=2))
    noise = 1.4826 * float(np.median(distance[samples]))
    faintest = max(NOISE * noise, FAINTEST)
    strong = distance > max(faintest, 0.5 * float(np.quantile(distance, 0.995)))
    if not strong.any():
        return None
    direction = difference[strong].mean(axis=0)
    direction /= max(float(np.linalg.norm(direction)), 1e-9)
    contrast = np.maximum(difference @ direction, 0.0) / np.sqrt(pixels.shape[2])
    peak = float(np.quantile(contrast[strong], 0.9))
    threshold = max(faintest, SHADOW * peak)
    mask = _significant(contrast > threshold, contrast)
    return PhotoObject(mask, contrast, threshold) if mask.any() else None


def _significant(mask: Mask, contrast: Floats) -> Mask:
    """Return the components of a mask that are not much smaller than the largest."""
    labels = components(mask)
    sizes = np.bincount(labels.reshape(-1), weights=contrast.reshape(-1))
    sizes[0] = 0.0
    return np.asarray((sizes > SIGNIFICANT * sizes.max())[labels])


def grown(mask: Mask) -> Mask:
    """Return a mask with the pixels within a distance of 2 in either direction."""
    padded = np.pad(mask, 2)
    height, width = mask.shape
    views = [padded[i : i + height, j : j + width] for i in range(5) for j in range(5)]
    return np.asarray(np.logical_or.reduce(views))
