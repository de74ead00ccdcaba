"""The statistics of training images that the preparation of a photograph needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset
from handloom.data.formats.image_options import Fit
from handloom.data.photos.familiarity import Familiarity, familiarity_of
from handloom.data.photos.framing import Framing, framing_of
from handloom.data.photos.preparation import look_prepared
from handloom.errors import require_bool, require_known

SAMPLE = 1500
"""The number of rows that the statistics are computed from."""

SMALLEST_SIDE = 8
"""The smallest side of images that have statistics."""

LOOKED_AT = 12
"""The number of rows that tell whether photographs are prepared: each takes some milliseconds."""


@dataclass(frozen=True, eq=False)
class ImageStatistics:
    """Framing and familiarity of training images, and how others become like them.

    Parameters
    ----------
    framing : Framing
    familiarity : Familiarity, optional
        None for few images.
    fit : {"pad", "crop", "stretch"}
        How the training images were resized.
    prepared : bool
        Whether photographs are prepared by default, since the training images look prepared and
        were not read from image files; others are only resized, as the training images were.
    """

    framing: Framing
    familiarity: Familiarity | None = None
    fit: Fit = "pad"
    prepared: bool = True

    def __post_init__(self) -> None:
        require_known("fit", self.fit, get_args(Fit))
        require_bool("prepared", self.prepared)

    def to_config(self) -> dict[str, Any]:
        """Return the figures as a JSON object; `arrays` has the others."""
        figures: dict[str, Any] = {
            "framing": self.framing.to_config(),
            "fit": self.fit,
            "prepared": self.prepared,
        }
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
            known = ("framing", "familiarity", "fit", "prepared")
            require_known("statistic of images", name, known)
        familiarity = None
        if "familiarity" in config or arrays:
            familiarity = Familiarity.from_config(config["familiarity"], arrays)
            familiarity.check_shape(row_shape)
        framing = Framing.from_config(config["framing"])
        # models of earlier versions have neither fit nor prepared
        return cls(framing, familiarity, config.get("fit", "pad"), config.get("prepared", True))


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
    framing = framing_of(images[::4])
    few = images[np.linspace(0, len(images) - 1, min(LOOKED_AT, len(images))).astype(np.int64)]
    # a file must become the row that it was in training, however prepared it looks
    prepared = data.fit is None and look_prepared(few, framing)
    return ImageStatistics(framing, familiarity_of(images, classes), data.fit or "pad", prepared)
