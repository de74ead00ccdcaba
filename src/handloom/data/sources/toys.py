"""Toy datasets: two inputs that can be drawn, and a curve for regression.

Each is a formula of uniform draws ``t`` (and ``s``) from [0, 1), plus normal noise. They need no
file and no network.
"""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset, Splits
from handloom.errors import require_count, require_number
from handloom.randomness import Purpose, Stream

Values = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]

# points(c, t, s) returns the points of classes c without noise, shape (n, 2)
Points = Callable[[Classes, Values, Values], Values]


def moons(rows: int = 1_000, *, test_rows: int = 200, noise: float = 0.1, seed: int = 0) -> Splits:
    """Generate two half circles that reach into each other.

    With ``a = pi t``, and noise added to both inputs::

        upper    (x1, x2) = (cos a, sin a)
        lower    (x1, x2) = (1 - cos a, 1/2 - sin a)

    Row ``i`` of a part depends on the seed and on ``i`` alone, and every two rows in turn hold each
    class once, in random order.

    Parameters
    ----------
    rows : int
        The rows of the training part.
    test_rows : int
        The rows of the test part.
    noise : float
        The standard deviation of the normal noise, at least 0.
    seed : int
        The seed, zero or more.

    Returns
    -------
    Splits
        Both parts with ``float32`` inputs of shape (n, 2), named ``x1`` and ``x2``, and classes.

    Raises
    ------
    ConfigurationError
        If a number of rows is not a whole number of at least 1, the seed not one of at least 0, or
        ``noise`` is negative or not finite.
    """

    def points(c: Classes, t: Values, _: Values) -> Values:
        cos, sin = np.cos(np.pi * t), np.sin(np.pi * t)
        return np.where(c == 0, (cos, sin), (1.0 - cos, 0.5 - sin)).T

    return _classification("moons", ("upper", "lower"), points, rows, test_rows, noise, seed)


def circles(
    rows: int = 1_000, *, test_rows: int = 200, noise: float = 0.1, seed: int = 0
) -> Splits:
    """Generate a circle of radius 1/2 within one of radius 1.

    With ``a = 2 pi t``, and noise added to both inputs::

        inner    (x1, x2) = (cos a / 2, sin a / 2)
        outer    (x1, x2) = (cos a, sin a)

    Parameters, result and errors are those of `moons`.
    """

    def points(c: Classes, t: Values, _: Values) -> Values:
        radius, angle = np.where(c == 0, 0.5, 1.0), 2.0 * np.pi * t
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

    return _classification("circles", ("inner", "outer"), points, rows, test_rows, noise, seed)


def spiral(rows: int = 1_000, *, test_rows: int = 200, noise: float = 0.1, seed: int = 0) -> Splits:
    """Generate a spiral of three arms, each a class, which makes one turn up to radius 3.

    For the arm ``c``, 0, 1 or 2, with ``a = 2 pi (t + c / 3)``, and noise added to both inputs::

        (x1, x2) = (3 t cos a, 3 t sin a)

    Parameters, result and errors are those of `moons`, with three classes in every three rows.
    """

    def points(c: Classes, t: Values, _: Values) -> Values:
        angle = 2.0 * np.pi * (t + c / 3.0)
        return np.stack([3.0 * t * np.cos(angle), 3.0 * t * np.sin(angle)], axis=1)

    names = ("first arm", "second arm", "third arm")
    return _classification("spiral", names, points, rows, test_rows, noise, seed)


def xor(rows: int = 1_000, *, test_rows: int = 200, noise: float = 0.1, seed: int = 0) -> Splits:
    """Generate a square whose class is whether the signs of both inputs differ (XOR).

    Noise is added to both inputs::

        equal signs       (x1, x2) = (2 t - 1, s)     if t >= 1/2, else (2 t - 1, -s)
        opposite signs    (x1, x2) = (2 t - 1, -s)    if t >= 1/2, else (2 t - 1, s)

    Parameters, result and errors are those of `moons`.
    """

    def points(c: Classes, t: Values, s: Values) -> Values:
        return np.stack([2.0 * t - 1.0, np.where((t >= 0.5) == (c == 0), s, -s)], axis=1)

    names = ("equal signs", "opposite signs")
    return _classification("xor", names, points, rows, test_rows, noise, seed)


def sine(rows: int = 1_000, *, test_rows: int = 200, noise: float = 0.1, seed: int = 0) -> Splits:
    """Generate a period of the sine with noise, for regression.

    The input is ``x = pi (2 t - 1)``, the target ``y = sin x`` plus noise.

    Parameters and errors are those of `moons`. The result has ``float32`` inputs of shape (n, 1),
    named ``x``, and targets of shape (n, 1), named ``y``.
    """

    def part(n: int, stream: Stream) -> Dataset:
        t, normal = stream.at(1).generator().random((n, 1)), _normal(n, 1, stream)
        x = np.pi * (2.0 * t - 1.0)
        y = np.sin(x) + noise * normal
        return Dataset(x.astype(np.float32), y.astype(np.float32), ("y",), "sine", ("x",))

    return _splits(part, rows, test_rows, noise, seed)


def _classification(
    name: str,
    class_names: tuple[str, ...],
    points: Points,
    rows: int,
    test_rows: int,
    noise: float,
    seed: int,
) -> Splits:
    """Return points of all classes, with noise."""

    def part(n: int, stream: Stream) -> Dataset:
        count = len(class_names)
        rounds = np.tile(np.arange(count), (-(-n // count), 1))
        # each in a stream of its own, so that more rows only add rows at the end
        classes = stream.at(0).generator().permuted(rounds, axis=1).reshape(-1)[:n]
        t, s = stream.at(1).generator().random((n, 2)).T
        inputs = points(classes, t, s) + noise * _normal(n, 2, stream)
        return Dataset(inputs.astype(np.float32), classes, class_names, name, ("x1", "x2"))

    return _splits(part, rows, test_rows, noise, seed)


def _normal(n: int, columns: int, stream: Stream) -> Values:
    return stream.at(2).generator().standard_normal((n, columns))


def _splits(
    part: Callable[[int, Stream], Dataset], rows: int, test_rows: int, noise: float, seed: int
) -> Splits:
    rows, test_rows = require_count("rows", rows), require_count("test_rows", test_rows)
    require_number("noise", noise, minimum=0.0)
    stream = Stream(seed).at(Purpose.TOY)
    return Splits(train=part(rows, stream.at(0)), test=part(test_rows, stream.at(1)))
