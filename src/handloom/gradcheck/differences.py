"""Directional derivatives by central differences, and their comparison with a gradient."""

from __future__ import annotations  # numpy.random is loaded when it is used

from collections.abc import Callable
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from handloom.gradcheck.report import DIRECTIONS, OK, TINY, UNDECIDED, WRONG, ArrayCheck, Entry
from handloom.parameters import Array

ENTRIES = 3
"""The number of single entries that the fast mode also checks: the steepest, others at random."""

STEPS = (2.0**-15, 2.0**-18, 2.0**-21, 2.0**-24)
"""The steps ``h`` to try, relative to the size of an array's values, until one meets no kink."""


@dataclass(frozen=True)
class Probe:
    """Directional derivatives of a function with respect to one array.

    Attributes
    ----------
    value : callable
        The function, at the current values.
    center : float
        The function's value at the unchanged array.
    flat : array, shape (size,)
        The array, as a view; changed by a step, and restored.
    scale : float
        The size of the array's values. Steps are relative to it, and slopes are per scale.
    resolution : float
        The smallest slope that is distinguishable from rounding.
    tolerance : float
        The required relative accuracy of a slope.
    """

    value: Callable[[], float]
    center: float
    flat: Array
    scale: float
    resolution: float
    tolerance: float

    def __call__(self, index: int | slice, direction: Array | float) -> tuple[float, bool]:
        """Return the slope, NaN if every step meets a kink, and whether the first step met one."""
        original = np.copy(self.flat[index])

        def at(step: float) -> float:
            self.flat[index] = original + (step * self.scale) * direction
            return self.value()

        try:
            for step in STEPS:
                slope, roughness = _difference(at, self.center, step)
                if roughness <= 0.3 * self.tolerance * abs(slope) + self.resolution:
                    return slope, step != STEPS[0]
            return nan, True
        finally:
            self.flat[index] = original


def _difference(at: Callable[[float], float], center: float, step: float) -> tuple[float, float]:
    """Return the central difference over half a step, and its possible error due to a kink.

    For a smooth function, halving the step leaves the central difference unchanged and halves the
    gap between the two one-sided differences. A kink within the step breaks one or both.
    """
    above, below, near_above, near_below = at(step), at(-step), at(step / 2), at(-step / 2)
    wide, narrow = (above - below) / (2 * step), (near_above - near_below) / step
    wide_gap = (above - 2 * center + below) / step
    narrow_gap = (near_above - 2 * center + near_below) / (step / 2)
    return narrow, float(np.maximum(abs(wide - narrow), abs(wide_gap - 2 * narrow_gap)))


def compare(
    name: str, gradient: Array, probe: Probe, thorough: bool, generator: np.random.Generator
) -> ArrayCheck:
    """Compare single entries and, unless these are all entries, random directions."""
    analytic = gradient.reshape(-1)
    every = thorough or analytic.size <= DIRECTIONS + ENTRIES
    entries = range(analytic.size) if every else _some(analytic, generator)
    by_entry = [(analytic[i] * probe.scale, *probe(int(i), 1.0)) for i in entries]
    compared = by_entry
    if not every:
        directions = generator.standard_normal((DIRECTIONS, analytic.size))
        compared = [
            (float(np.dot(analytic, v)) * probe.scale, *probe(slice(None), v)) for v in directions
        ]

    a, n, met = (np.array(column, np.float64) for column in zip(*compared, strict=True))
    known = np.isfinite(n)
    a, n, count = a[known], n[known], int(known.sum())
    floor = sqrt(count) * probe.resolution / probe.tolerance
    norms = float(np.linalg.norm(a)), float(np.linalg.norm(n))
    error = _over(float(np.linalg.norm(a - n)), max(*norms, floor))
    verdict = OK if error <= probe.tolerance else WRONG
    if verdict == OK and 2 * count <= len(known):
        verdict = UNDECIDED
    elif verdict == OK and 0.0 < norms[0] <= floor * probe.tolerance:
        verdict = TINY
    unit = probe.scale * (1.0 if every else sqrt(max(count, 1)))  # of a norm, or of its estimate
    return ArrayCheck(
        name,
        gradient.shape,
        norms[0] / unit,
        norms[1] / unit,
        error if count else nan,
        _worst(gradient.shape, entries, by_entry, probe.scale),
        count,
        int(met.sum()),
        len(known) - count,
        verdict,
        _factor(a, n) if verdict == WRONG else None,
    )


def _some(analytic: Array, generator: np.random.Generator) -> list[int]:
    """Return the steepest entry and a few others."""
    steepest = int(np.abs(analytic).argmax())
    others = generator.choice(analytic.size, ENTRIES, replace=False)
    return [steepest, *(int(i) for i in others if i != steepest)][:ENTRIES]


def _worst(
    shape: tuple[int, ...],
    entries: range | list[int],
    by_entry: list[tuple[float, float, bool]],
    scale: float,
) -> Entry | None:
    """Return the entry with the largest difference, of the entries with a finite slope."""
    known = [
        (abs(a - n), i, a, n)
        for i, (a, n, _) in zip(entries, by_entry, strict=True)
        if np.isfinite(n)
    ]
    if not known:
        return None
    _, i, a, n = max(known)
    index = tuple(int(axis_index) for axis_index in np.unravel_index(i, shape))
    return Entry(index, float(a) / scale, float(n) / scale)


def _factor(a: Array, n: Array) -> float | None:
    """Return the factor ``c`` if ``a`` is nearly ``c n``, else None."""
    squared_norm = float(np.dot(n, n))
    if len(a) < 2 or not squared_norm:
        return None
    factor = float(np.dot(a, n)) / squared_norm
    return factor if np.linalg.norm(a - factor * n) <= 1e-4 * np.linalg.norm(n) else None


def _over(difference: float, size: float) -> float:
    return difference / size if difference else 0.0
