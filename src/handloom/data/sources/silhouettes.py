"""Silhouettes: a generated dataset of garments, which needs no file and no network.

It has the classes and the shape of Fashion-MNIST. A linear model reaches less than 85 % accuracy:
tops, for instance, differ by a collar or a seam.

`handloom.data.sources.garments` draws the garments, from the shapes of
`handloom.data.sources.shapes`; this file gives them a fabric and arranges the rows.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset, Splits
from handloom.data.sources.garments import CLASS_NAMES, GARMENTS, Drawing
from handloom.data.sources.shapes import (
    SIDE,
    Array,
    Canvas,
    blank_canvas,
    coverage,
    ellipse,
    every,
    mark,
)
from handloom.errors import require_count
from handloom.randomness import Purpose, Stream

PER_CLASS = 100  # images of each class in a chunk, which fits the cache


def silhouettes(rows: int = 10_000, *, test_rows: int = 2_000, seed: int = 0) -> Splits:
    """Generate a dataset of garments: ten classes, 28 x 28 gray pixels, a black background.

    Row ``i`` of a part depends on the seed and on ``i`` alone: asking for more rows adds rows at
    the end, and neither part changes with the size of the other. Every ten rows in turn hold each
    class once, in random order, so the classes are balanced wherever the rows end.

    Parameters
    ----------
    rows : int
        The rows of the training part.
    test_rows : int
        The rows of the test part.
    seed : int
        The seed, zero or more.

    Returns
    -------
    Splits
        Both parts with ``uint8`` inputs of shape (n, 28, 28) and the class names of Fashion-MNIST.

    Raises
    ------
    ConfigurationError
        If a number of rows is not a whole number of at least 1, or the seed not one of at least 0.
    """
    rows = require_count("rows", rows)
    test_rows = require_count("test_rows", test_rows)
    stream = Stream(seed).at(Purpose.GENERATE)
    return Splits(train=draw_part(rows, stream.at(0)), test=draw_part(test_rows, stream.at(1)))


def draw_part(rows: int, stream: Stream) -> Dataset:
    """Return the dataset of ``rows`` rows, drawn in chunks."""
    images = np.empty((rows, SIDE, SIDE), dtype=np.uint8)
    targets = np.empty(rows, dtype=np.int64)
    chunk_rows = PER_CLASS * len(GARMENTS)
    for chunk, start in enumerate(range(0, rows, chunk_rows)):
        part = slice(start, min(start + chunk_rows, rows))
        # a chunk is drawn whole and then cut, so that its rows do not depend on the number of rows
        chunk_images, chunk_targets = draw_chunk(stream.at(chunk))
        images[part] = chunk_images[: part.stop - start]
        targets[part] = chunk_targets[: part.stop - start]
    return Dataset(images, targets, CLASS_NAMES, "silhouettes")


def draw_chunk(stream: Stream) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return images and classes of one chunk, each ten rows with one image of every class."""
    rng = stream.generator()
    by_class = np.stack([draw(garment, PER_CLASS, rng) for garment in GARMENTS.values()])
    rounds = np.tile(np.arange(len(GARMENTS)), (PER_CLASS, 1))
    targets = rng.permuted(rounds, axis=1)  # round r takes the r-th image of every class
    images = by_class[targets, np.arange(PER_CLASS)[:, None]]
    return images.reshape(-1, SIDE, SIDE), targets.reshape(-1)


def draw(
    garment: Callable[[Canvas], Drawing], n: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return n images of one garment, shape (n, 28, 28)."""
    canvas = blank_canvas(n, rng)
    outline, light = garment(canvas)
    # above 0, to keep dark garments visible on the black background
    gray = np.clip(light * fabric(canvas) * shadow(canvas), 0.06, 1.0)
    return np.rint(255.0 * gray * coverage(outline)).astype(np.uint8)


def fabric(canvas: Canvas) -> Array:
    """Return the brightness of the fabric: a gray, a gradient, stripes or checks, and noise."""
    gray = canvas.uniform(0.3, 0.95)
    gradient = canvas.uniform(-0.25, 0.25) * canvas.x + canvas.uniform(-0.25, 0.25) * canvas.y
    tilted = canvas.rotated(canvas.uniform(0.0, 3.14))
    spacing = canvas.uniform(0.25, 0.8)
    stripes = every(tilted.x + canvas.uniform(0.0, 0.8), spacing)
    checks = np.where(canvas.chance(0.3), every(tilted.y, spacing), 0.0)
    pattern = (stripes + checks) / spacing * canvas.uniform_or_zero(0.35, 0.2, 0.8)
    grain = canvas.uniform(0.05, 0.2) * canvas.rng.random(canvas.x.shape, dtype=np.float32)
    return gray * (1.0 + gradient) * (1.0 - pattern) * (1.0 - grain)


def shadow(canvas: Canvas) -> Array:
    """Return brightness factors of a dark spot, in a quarter of the images."""
    middle = (canvas.uniform(-0.8, 0.8), canvas.uniform(-0.8, 0.8))
    spot = ellipse(canvas, middle, canvas.uniform(0.1, 0.4), canvas.uniform(0.1, 0.4))
    return mark(spot, canvas.uniform_or_zero(0.25, 0.4, 1.0))
