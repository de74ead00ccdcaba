"""The prediction of a single image."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class ImagePrediction:
    """The prediction of a single image, from `handloom.Model.predict_image`.

    Attributes
    ----------
    class_name : str
        The most probable class.
    probability : float
        Its probability.
    probabilities : array, shape (k,)
        The probability of every class.
    pixels : array of uint8
        The input of the network, in the shape of its training rows.
    familiar : bool or None
        Whether the pixels resemble those of the training data; None if the model has no measure of
        it.
    prepared : bool
        Whether the object was cut out and centered; otherwise the image was only resized.
    """

    class_name: str
    probability: float
    probabilities: npt.NDArray[np.floating]
    pixels: npt.NDArray[np.uint8]
    familiar: bool | None
    prepared: bool

    @property
    def is_blank(self) -> bool:
        """Whether all pixels are equal: no object was found, and the class is arbitrary."""
        return bool((self.pixels == self.pixels.flat[0]).all())

    def __repr__(self) -> str:
        size = "x".join(map(str, self.pixels.shape))
        return (
            f"ImagePrediction({self.class_name!r}, probability={self.probability:.3f}, "
            f"familiar={self.familiar}, prepared={self.prepared}, "
            f"pixels={size}{', blank' if self.is_blank else ''})"
        )
