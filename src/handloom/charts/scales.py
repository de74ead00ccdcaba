"""Scales: from values to coordinates, with ticks at round values."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""The steps between ticks, up to a power of ten."""

FINE, COARSE, POWERS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0,)
"""The ticks of a decade, for a logarithmic scale of less than one, of several and of many."""

SKEWNESS = 2.0
"""The skewness of positive values from which an axis is logarithmic; an exponential has it."""

LEAST_DECADES, FEW_DECADES = 0.5, 3.5
"""Below the first a logarithmic scale has ticks like a linear one; above the second, powers."""


@dataclass(frozen=True)
class Scale:
    """A scale, linear or logarithmic.

    Attributes
    ----------
    low, high : float
        The values at its ends, which differ; both positive if it is logarithmic.
    start, end : float
        Their coordinates.
    logarithmic : bool
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""
        low, high, at = map(self._linear, (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def _linear(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def ticks(self, count: int = 5) -> list[float]:
        """Return about ``count`` round values within the scale."""
        decades = math.log10(self.high / self.low) if self.logarithmic else 0.0
        if decades < LEAST_DECADES:
            return _round_values(self.low, self.high, count)
        return _round_ratios(self.low, self.high, decades, count)


def _round_ratios(low: float, high: float, decades: float, count: int) -> list[float]:
    """Return round values at about equal ratios."""
    of_decade = FINE if decades < 1.0 else COARSE if decades < FEW_DECADES else POWERS
    step = math.ceil(decades / count) if of_decade == POWERS else 1
    first, last = (math.floor(math.log10(end) + 1e-9) for end in (low, high))
    if step > 1:
        first = math.ceil(math.log10(low) - 1e-9)
    values = [
        _rounded(each * 10.0**power) for power in range(first, last + 1, step) for each in of_decade
    ]
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")


def _round_values(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in STEPS if each * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [_rounded(index * step) for index in range(first, last + 1)]


def very_skewed(values: npt.NDArray[np.floating]) -> bool:
    """Return whether values, shape (n,), are all positive and very skewed, as prices are.

    The skewness is the mean of ``((v - mean) / standard deviation)**3``.
    """
    if not len(values) or values.min() <= 0.0:
        return False
    deviations = values - values.mean()
    spread = float(deviations.std())
    return bool(spread) and float(np.mean((deviations / spread) ** 3)) > SKEWNESS


def bounds(values: Iterable[float | None], *, logarithmic: bool) -> tuple[float, float]:
    """Return the ends of a scale for values, with a margin; others than finite ones are ignored."""
    shown = [
        value
        for value in values
        if value is not None and math.isfinite(value) and (value > 0 or not logarithmic)
    ]
    if not shown:
        return (0.1, 1.0) if logarithmic else (0.0, 1.0)
    low, high = min(shown), max(shown)
    if logarithmic:
        return (low / 1.3, high * 1.3)
    margin = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    if low >= 0.0 and (low < 0.3 * high or low < margin):
        return 0.0, high + margin
    return low - margin, high + margin


def tick_text(value: float) -> str:
    """Return the text of a tick."""
    if value == 0.0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e5:
        mantissa, _, exponent = f"{value:.9e}".partition("e")
        return f"{float(mantissa):.10g}e{int(exponent)}"
    return f"{value:.10g}"
