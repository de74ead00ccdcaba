"""The statistics of training images that the preparation of a photograph needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.photos.familiarity import Familiarity, familiarity_of
from handloom.data.photos.framing import Framing, framing_of
from handloom.errors import require_known

SAMPLE = 1500
"""The number of rows that the statistics are computed from."""

SMALLEST_SIDE = 8
"""The smallest side of images that have statistics."""


@dataclass(frozen=True, eq=False)
class ImageStatistics:
    """Framing and familiarity of training images.

    Parameters
    ----------
    framing : Framing
    familiarity : Familiarity, optional
        None for few images.
    """

    framing: Framing
    familiarity: Familiarity | None = None

    def to_config(self) -> dict[str, Any]:
        """Return the figures as a JSON object; `arrays` has the others."""
        figures = {"framing": self.framing.to_config()}
        if self.familiarity is not None:
            figures["familiarity"] = self.familiarity.to_config()
        return figures

    def arrays(self) -> dict[str, npt.NDArray[np.floating]]:
        """Return the arrays by name, possibly none."""
        return {} if self.familiarity is None else self.familiarity.arrays()

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        arrays: Mapping[str, npt.NDArray[Any]],
        row_shape: tuple[int, ...],
    ) -> "ImageStatistics":
        """Return the statistics that `to_config` and `arrays` described.

        Raises
        ------
        ConfigurationError
            If a figure or an array is unknown, missing or invalid, or does not fit the images.
        """
        for name in config:
            require_known("statistic of images", name, ("framing", "familiarity"))
        familiarity = None
        if "familiarity" in config or arrays:
            familiarity = Familiarity.from_config(config["familiarity"], arrays)
            familiarity.check_shape(row_shape)
        return cls(Framing.from_config(config["framing"]), familiarity)


def takes_photographs(row_shape: tuple[int, ...]) -> bool:
    """Return whether rows have the shape (y, x), or (c, y, x) with 1, 3 or 4 channels."""
    channels = row_shape[:-2]
    return len(row_shape) in (2, 3) and channels in ((), (1,), (3,), (4,))


def statistics_of(data: Dataset) -> ImageStatistics | None:
    """Return the statistics of a sample of the rows, or None if they are no images of bytes."""
    shape = data.input_shape
    if data.inputs.dtype != np.uint8 or not takes_photographs(shape):
        return None
    if min(shape[-2:]) < SMALLEST_SIDE:
        return None
    sample = np.linspace(0, len(data) - 1, min(SAMPLE, len(data))).astype(np.int64)
    images = np.asarray(data.inputs[sample], np.uint8)
    classes = data.targets[sample] if data.has_classes else None
    return ImageStatistics(framing_of(images[::4]), familiarity_of(images, classes))
