"""Views: other ways to look at the same images, whose predictions may be averaged in evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handloom.errors import require_known


@dataclass(frozen=True)
class View:
    """One way to look at images in evaluation: mirrored or not, and moved by some pixels.

    Parameters
    ----------
    flip : bool
        Whether images are mirrored left to right.
    down, right : int
        By how many pixels they are moved, with zeros where nothing was; negative for up and left.
    """

    flip: bool = False
    down: int = 0
    right: int = 0

    def __call__(self, images: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return how images of shape (n, ..., y, x) look, or the images where they stay as is."""
        seen = images[..., ::-1] if self.flip else images
        if not (self.down or self.right):
            return np.ascontiguousarray(seen)
        moved = np.zeros_like(images)
        y, x = images.shape[-2:]
        moved[..., _target(self.down, y), _target(self.right, x)] = seen[
            ..., _target(-self.down, y), _target(-self.right, x)
        ]
        return moved


MIRRORED = (View(), View(flip=True))
"""Each image as it is, and mirrored."""

MIRRORED_AND_MOVED = (
    *(View(), View(flip=True)) * 2,
    *(View(flip, step, step) for flip in (False, True) for step in (-1, 1)),
)
"""Each image both ways, in the middle and a pixel up and left or down and right.

The middle counts twice, as in Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024.
"""

VIEWS: Mapping[str, tuple[View, ...]] = {
    "mirrored": MIRRORED,
    "mirrored-and-moved": MIRRORED_AND_MOVED,
}
"""Sets of views by name."""


def named_views(name: str) -> tuple[View, ...]:
    """Return one of `VIEWS`.

    Raises
    ------
    ConfigurationError
        If there is no such set.
    """
    require_known("set of views", name, VIEWS)
    return VIEWS[name]


def _target(move: int, size: int) -> slice:
    """Return where along an axis there is something after a move."""
    return slice(min(max(move, 0), size), max(min(size + move, size), 0))
