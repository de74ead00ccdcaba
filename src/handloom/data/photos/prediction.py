"""The prediction of a single image."""

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from handloom.data.pictures import channels_of, picture, png
from handloom.markup import Element, element, render, table

MOST_SHOWN = 5
"""The largest number of classes that a notebook shows."""

LARGEST, BAR = 112, 120
"""The largest side of the image, and the width of a bar for a probability of 1, in pixels."""


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
    class_names : tuple of str, length k
        The names of the classes.
    """

    class_name: str
    probability: float
    probabilities: npt.NDArray[np.floating]
    pixels: npt.NDArray[np.uint8]
    familiar: bool | None
    prepared: bool
    class_names: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Return the input of the network beside the most probable classes, as a notebook does."""
        order = np.argsort(-self.probabilities, kind="stable")[:MOST_SHOWN]
        names = self.class_names or tuple(f"class {k}" for k in range(len(self.probabilities)))
        rows = [
            [names[k], _bar(float(self.probabilities[k])), f"{100 * self.probabilities[k]:.1f} %"]
            for k in order.tolist()
        ]
        more = len(self.probabilities) - len(rows)
        caption = f"The most probable of {len(self.probabilities)} classes" if more else None
        unfamiliar = (
            "The pixels do not resemble the training data." if self.familiar is False else ""
        )
        return render(
            element(
                "div",
                self._image(),
                table(["class", "", "probability"], rows, caption),
                element("p", unfamiliar) if unfamiliar else None,
            )
        )

    def _image(self) -> Element | None:
        """Return the pixels, about 112 wide; None if they are no image, or Pillow is missing."""
        if channels_of(self.pixels.shape) is None or find_spec("PIL") is None:
            return None
        shown = picture(self.pixels, LARGEST)
        factor = max(1, LARGEST // max(shown.shape[:2]))
        large = shown.repeat(factor, axis=0).repeat(factor, axis=1)
        high, wide = large.shape[:2]
        return element("img", src=png(large), width=wide, height=high, alt="input of the network")

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


def _bar(probability: float) -> Element:
    """Return a bar, which repeats the probability of its row."""
    return element(
        "svg",
        element("rect", x=0, y=2, width=BAR * probability, height=10, fill="#0072b2"),
        width=BAR,
        height=14,
        viewBox=f"0 0 {BAR} 14",
        aria_hidden="true",
    )
