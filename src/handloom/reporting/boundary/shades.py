"""Shades of a plane of two inputs: the predicted class and its certainty, or a continuous value."""

import numpy as np
import numpy.typing as npt

from handloom.reporting.boundary.indexed_png import Bytes, indexed_png

Floats = npt.NDArray[np.float64]

COLORS = ("#0072b2", "#d55e00", "#00805c", "#a5477f", "#8a6d00", "#2d7fb8", "#545d66", "#7a3ea0")
"""The colors of the classes, those of the series in `styles/base.css` on a light page."""

LEVELS = 7
"""The number of shades of a class."""

MOST_CLASSES = 36
"""The largest number of classes: all shades are in one palette of 256 colors."""

PALEST, DEEPEST = 0.08, 0.55
"""The opacity at a probability of 1/k, and at 1."""

FINER = 4
"""The number of pixels between two points of a grid."""

LINE = (110, 118, 126, 255)
"""The color of the line between two classes, on a light and on a dark page."""

BANDS = 24
"""The number of shades of continuous values."""


def probabilities_of(values: Floats) -> Floats:
    """Return the probability of each class in the last axis; one output is that of class 1."""
    return np.concatenate([1.0 - values, values], axis=-1) if values.shape[-1] == 1 else values


def class_picture(probabilities: Floats) -> str:
    """Return a picture of the class at each point, shape (y, x, k), as a data URI.

    A color is deeper where the probability is higher; a line separates the classes.
    """
    planes = finer(probabilities)[::-1]  # the second input grows upward
    k = planes.shape[-1]
    label = planes.argmax(axis=-1)
    certainty = (planes.max(axis=-1) - 1 / k) / (1 - 1 / k)
    level = np.clip((certainty * LEVELS).astype(np.intp), 0, LEVELS - 1)
    edge = np.zeros(label.shape, bool)
    edge[:, 1:] |= label[:, 1:] != label[:, :-1]
    edge[1:] |= label[1:] != label[:-1]
    indices = np.where(edge, k * LEVELS, label * LEVELS + level)
    opacity = np.linspace(PALEST, DEEPEST, LEVELS)
    palette = [(*rgb(color_of(own)), round(255 * each)) for own in range(k) for each in opacity]
    return indexed_png(indices.astype(np.uint8), np.array([*palette, LINE], np.uint8))


def value_picture(values: Floats, low: float, high: float) -> str:
    """Return a picture of continuous values, shape (y, x), as a data URI: blue low, orange high."""
    bands = band_of(finer(values[..., None])[::-1, :, 0], low, high)
    return indexed_png(bands.astype(np.uint8), band_colors())


def band_of(values: Floats, low: float, high: float) -> npt.NDArray[np.intp]:
    """Return the shade of continuous values between two others."""
    share = (values - low) / (high - low or 1.0)
    return np.clip((np.nan_to_num(share) * BANDS).astype(np.intp), 0, BANDS - 1)


def band_colors() -> Bytes:
    """Return the shades of continuous values, shape (`BANDS`, 4): pale in the middle."""
    side = np.linspace(-1.0, 1.0, BANDS)
    opacity = PALEST + (0.85 - PALEST) * np.abs(side)
    colors = np.where(side[:, None] < 0, rgb(COLORS[0]), rgb(COLORS[1]))
    return np.concatenate([colors, np.round(255 * opacity)[:, None]], axis=1).astype(np.uint8)


def band_fills() -> list[str]:
    """Return the same colors on white, for points."""
    colors, opacity = np.split(band_colors().astype(np.float64), [3], axis=1)
    mixed = 255 - opacity / 255 * (255 - colors)
    return ["#" + bytes(each).hex() for each in mixed.round().astype(np.uint8)]


def color_of(label: int) -> str:
    """Return the color of a class."""
    return COLORS[label % len(COLORS)]


def rgb(color: str) -> tuple[int, int, int]:
    """Return the parts of a color, ``"#rrggbb"``."""
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return red, green, blue


def finer(planes: Floats) -> Floats:
    """Return planes (y, x, k) on a finer grid, by linear interpolation."""
    for axis in (0, 1):
        planes = np.moveaxis(planes, axis, 0)
        at = np.linspace(0, len(planes) - 1, FINER * (len(planes) - 1) + 1)
        low = np.minimum(at.astype(np.intp), len(planes) - 2)
        share = (at - low)[:, None, None]
        planes = np.moveaxis((1 - share) * planes[low] + share * planes[low + 1], 0, axis)
    return planes
