"""Photographs of garments, drawn: cloth on a table or on paper, by uneven light."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Photo:
    """A photograph, and the way in which it was taken.

    Attributes
    ----------
    file : bytes
        A JPEG.
    extent : float
        The longer side of the garment, as a fraction of the shorter side of the frame.
    """

    file: bytes
    extent: float

    @property
    def image(self) -> Image.Image:
        """The opened file."""
        return Image.open(io.BytesIO(self.file))


def photos(garments: Pixels, *, light: bool, seed: int) -> Iterator[Photo]:
    """Yield a photograph of each garment, light on black, shape (n, y, x).

    Parameters
    ----------
    garments : array of uint8, shape (n, y, x)
    light : bool
        Whether dark cloth lies on light paper; else light cloth lies on a dark table.
    seed : int
    """
    for index, garment in enumerate(garments):
        yield _photo(_cut_out(garment), light, np.random.default_rng((seed, index)))


def _cut_out(garment: Pixels) -> Pixels:
    rows, columns = np.flatnonzero(garment.any(axis=1)), np.flatnonzero(garment.any(axis=0))
    return garment[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _photo(garment: Pixels, light: bool, rng: np.random.Generator) -> Photo:
    width, height = (int(side) for side in rng.integers(240, 480, 2))
    extent = rng.uniform(0.25, 0.8)
    scale = extent * min(width, height) / max(garment.shape)
    size = [max(2, round(side * scale)) for side in garment.shape]
    top = int(rng.uniform(0.02, 0.98) * (height - size[0]))
    left = int(rng.uniform(0.02, 0.98) * (width - size[1]))
    cloth = np.zeros((height, width))
    enlarged = Image.fromarray(garment).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    cloth[top : top + size[0], left : left + size[1]] = np.asarray(enlarged) / 255.0
    ground = _light(height, width, rng) * (rng.uniform(185, 240) if light else rng.uniform(25, 70))
    ground *= 1.0 - _shadow(cloth, scale * max(garment.shape), rng)
    if light:
        levels = ground * (1.0 - rng.uniform(0.75, 0.92) * cloth)
    else:
        levels = ground + (rng.uniform(200, 245) - ground) * rng.uniform(0.8, 1.0) * cloth
    tint = rng.uniform(0.94, 1.0, 3)
    noisy = levels[..., None] * tint + rng.normal(0.0, rng.uniform(1.0, 5.0), (height, width, 3))
    picture = Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(rng.integers(60, 93)))
    return Photo(file.getvalue(), extent)


def _light(height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the brightness of uneven light: brighter on one side, and darker in the corners."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.25)
    corners = rng.uniform(0.0, 0.12) * (x * x + y * y)
    return np.asarray(1.0 - slope * (1.0 + np.cos(angle) * x + np.sin(angle) * y) / 2.0 - corners)


def _shadow(
    cloth: npt.NDArray[np.float64], extent: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return the share of the light that a soft shadow takes, beside and below the cloth."""
    outline = Image.fromarray(np.where(cloth > 0.04, 255, 0).astype(np.uint8))
    soft = outline.filter(ImageFilter.GaussianBlur(rng.uniform(0.02, 0.06) * extent))
    down, right = rng.uniform(-0.06, 0.06, 2) * extent
    moved = soft.transform(soft.size, Image.Transform.AFFINE, (1, 0, -right, 0, 1, -down))
    return rng.uniform(0.05, 0.3) * np.asarray(moved) / 255.0
