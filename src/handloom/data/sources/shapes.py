"""Shapes as signed distances, on a canvas of pixels.

A shape is an array with the signed distance of every pixel from the shape's edge: negative inside,
zero on the edge, positive outside. The union of shapes is their minimum, the intersection their
maximum, the complement the negative. `coverage` turns a shape into pixels with soft edges.

All images of a class are drawn in one call. Pixels have the shape ``(n, 28, 28)``; a parameter that
differs between images, such as a width or an angle, has the shape ``(n, 1, 1)``. Coordinates reach
from -1 to 1; x points right and y points down.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np
import numpy.typing as npt

SIDE = 28
PIXEL = 2.0 / SIDE

Array = npt.NDArray[np.floating]  # float32, at half the memory and twice the speed of float64
Flags = npt.NDArray[np.bool_]
Number = Array | float
Point = tuple[Number, Number]


@dataclass(frozen=True)
class Canvas:
    """The coordinates of all pixels of n images, and the generator of their random parameters.

    Attributes
    ----------
    x, y : array, shape (n, 28, 28)
    rng : numpy.random.Generator
    """

    x: Array
    y: Array
    rng: np.random.Generator

    def uniform(self, low: float, high: float) -> Array:
        """Return a uniform number for each image, from ``low`` to ``high``."""
        return self.rng.uniform(low, high, (len(self.x), 1, 1)).astype(np.float32)

    def chance(self, share: float) -> Flags:
        """Return a flag for each image, True with the probability ``share``."""
        return self.rng.random((len(self.x), 1, 1)) < share

    def signed(self, low: float, high: float) -> Array:
        """Return a number for each image, from ``low`` to ``high``, with a random sign."""
        size = self.uniform(low, high)
        return np.where(self.chance(0.5), size, -size)

    def uniform_or_zero(self, share: float, low: float, high: float) -> Array:
        """Return a number from ``low`` to ``high`` with the probability ``share``, else 0."""
        return np.where(self.chance(share), self.uniform(low, high), 0.0)

    def folded(self) -> Canvas:
        """Return the canvas folded at x = 0, for shapes that are symmetric."""
        return replace(self, x=np.abs(self.x))

    def rotated(self, angle: Array) -> Canvas:
        """Return the canvas rotated about its center, by an angle in radians."""
        cos, sin = np.cos(angle), np.sin(angle)
        return replace(self, x=cos * self.x + sin * self.y, y=cos * self.y - sin * self.x)


def blank_canvas(n: int, rng: np.random.Generator) -> Canvas:
    """Return n canvases, each slightly shifted, scaled, rotated and sheared."""
    middles = (np.arange(SIDE, dtype=np.float32) + 0.5) * PIXEL - 1.0
    # one row of x and one column of y suffice before the rotation, which mixes the two
    x = np.broadcast_to(middles, (n, 1, SIDE))
    y = np.broadcast_to(middles[:, None], (n, SIDE, 1))
    flat = Canvas(x, y, rng)
    placed = Canvas(
        (x - flat.uniform(-0.14, 0.14)) * flat.uniform(0.9, 1.2),
        (y - flat.uniform(-0.14, 0.14)) * flat.uniform(0.95, 1.2),
        rng,
    )
    rotated = placed.rotated(placed.uniform(-0.16, 0.16))
    return replace(rotated, x=rotated.x + rotated.uniform(-0.12, 0.12) * rotated.y)


def join(*shapes: Array) -> Array:
    """Return the union of shapes."""
    return reduce(np.minimum, shapes)


def overlap(*shapes: Array) -> Array:
    """Return the intersection of shapes."""
    return reduce(np.maximum, shapes)


def cut(shape: Array, *holes: Array) -> Array:
    """Return a shape without the holes."""
    return overlap(shape, *(-hole for hole in holes))


def rim(shape: Array, width: Number) -> Array:
    """Return a line along the edge of the shape, ``width`` to either side.

    ``x - a`` is the half-plane left of ``a``; its rim is a vertical line.
    """
    return np.abs(shape) - width


def ellipse(canvas: Canvas, middle: Point, across: Number, down: Number) -> Array:
    """Return an ellipse with the half axes ``across`` and ``down``."""
    u, v = (canvas.x - middle[0]) / across, (canvas.y - middle[1]) / down
    # in units of the half axes the edge is a unit circle; the shorter axis scales it back
    shorter: Array = np.minimum(across, down, dtype=np.float32)
    radius: Array = np.sqrt(u * u + v * v)
    return (radius - 1.0) * shorter


def bar(canvas: Canvas, start: Point, end: Point, start_width: Number, end_width: Number) -> Array:
    """Return a straight bar with flat ends, with its half widths at start and end."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    norm = (dx * dx + dy * dy) ** 0.5
    dx, dy = dx / norm, dy / norm
    u, v = canvas.x - start[0], canvas.y - start[1]
    along = u * dx + v * dy
    across = np.abs(u * dy - v * dx)
    width = start_width + (end_width - start_width) / norm * along
    return overlap(across - width, -along, along - norm)


def curve(at: Array, knots: Sequence[Point]) -> Array:
    """Return the heights at ``at`` of a smooth curve with slope 0 at each knot."""
    height = np.zeros_like(at) + knots[0][1]
    for (left, low), (right, high) in pairwise(knots):
        u = np.clip((at - left) / (right - left), 0.0, 1.0)
        height += (high - low) * u * u * (3.0 - 2.0 * u)
    return height


def every(at: Array, spacing: Number) -> Array:
    """Return the distance from the nearest multiple of the spacing."""
    multiples = at / spacing
    fraction: Array = np.abs(multiples - np.rint(multiples))
    return fraction * spacing


def coverage(shape: Array) -> Array:
    """Return the fraction of each pixel that the shape covers."""
    covered: Array = np.clip(0.5 - shape / PIXEL, 0.0, 1.0)
    return covered


def mark(shape: Array, depth: Number) -> Array:
    """Return brightness factors, ``1 - depth`` inside the shape and 1 outside."""
    return 1.0 - depth * coverage(shape)
