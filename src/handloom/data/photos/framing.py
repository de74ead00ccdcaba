"""Framing: how images of a dataset show their object, in a few figures."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.errors import ConfigurationError, require_known, require_number

FLAT = 24.0
"""The largest difference between pixels of a flat background, in levels."""

_MOSTLY = 0.75  # the part of the border of all images that a flat background covers


@dataclass(frozen=True)
class Framing:
    """The background of images, and the extent, center and contrast of their object.

    Parameters
    ----------
    background : float
        The level of the background, from 0 to 255; that of the channels' mean.
    flat : bool
        Whether the background of most images has this level.
    extent : float
        The side of the object relative to that of the image; the larger of height and width.
    center_y, center_x : float
        The center of the object's bounding box relative to the sides of the image.
    contrast : float
        The largest difference of the object from the background; negative if the object is darker.
    """

    background: float = 0.0
    flat: bool = True
    extent: float = 0.9
    center_y: float = 0.5
    center_x: float = 0.5
    contrast: float = 255.0

    def __post_init__(self) -> None:
        if not isinstance(self.flat, bool):
            raise ConfigurationError(f"flat of a framing must be a bool, got {self.flat!r}")
        for name, low, high in (
            ("background", 0.0, 255.0),
            ("extent", 0.01, 1.0),
            ("center_y", 0.0, 1.0),
            ("center_x", 0.0, 1.0),
            ("contrast", -255.0, 255.0),
        ):
            value = require_number(f"{name} of a framing", getattr(self, name))
            if not low <= value <= high:
                raise ConfigurationError(
                    f"{name} of a framing must be from {low} to {high}, got {value}"
                )
            object.__setattr__(self, name, float(value))

    def box_of(self, height: int, width: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return where an object of a height and width is shown: left, top, right, bottom."""
        scale = self.extent * min(shape[0] / height, shape[1] / width)
        ends = []
        for side, most, center in (
            (width, shape[1], self.center_x),
            (height, shape[0], self.center_y),
        ):
            size = min(max(1, round(scale * side)), most)
            start = min(max(round(center * most - size / 2), 0), most - size)
            ends.append((start, start + size))
        (left, right), (top, bottom) = ends
        return left, top, right, bottom

    def to_config(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Framing":
        """Return the framing that `to_config` described.

        Raises
        ------
        ConfigurationError
            If a figure is unknown, missing or out of its range.
        """
        names = {field.name for field in fields(cls)}
        for name in config:
            require_known("figure of a framing", name, names)
        if missing := names - set(config):
            raise ConfigurationError(f"a framing needs {', '.join(sorted(missing))}")
        return cls(**config)


def framing_of(images: npt.NDArray[np.uint8]) -> Framing:
    """Return the framing of images, shape (n, y, x) or (n, c, y, x)."""
    levels = (images if images.ndim == 3 else images.mean(axis=1)).astype(np.float32)
    height, width = levels.shape[1:]
    border = np.concatenate(
        [levels[:, 0], levels[:, -1], levels[:, :, 0], levels[:, :, -1]], axis=1
    )
    background = float(np.median(border))
    flat = bool((np.abs(border - background) <= FLAT).mean() > _MOSTLY)
    difference = levels - background
    mask = np.abs(difference) > FLAT
    if not flat or not (shown := mask.any(axis=(1, 2))).any():
        return Framing(background, flat)
    mask, difference = mask[shown], difference[shown]
    top, bottom = _ends(mask.any(axis=2))
    left, right = _ends(mask.any(axis=1))
    extent = np.maximum((bottom - top) / height, (right - left) / width)
    sign = math.copysign(1.0, float(difference.sum(dtype=np.float64)))
    return Framing(
        background,
        flat,
        float(np.median(extent)),
        float(np.median((top + bottom) / 2 / height)),
        float(np.median((left + right) / 2 / width)),
        sign * min(255.0, float(np.median((sign * difference).max(axis=(1, 2)).clip(0.0)))),
    )


def _ends(lines: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the start and the stop of the lines that hold the object of each image."""
    return lines.argmax(axis=1), lines.shape[1] - lines[:, ::-1].argmax(axis=1)
