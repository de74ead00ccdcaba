"""Thinning: fewer points of a long line, with its extremes."""

import math
from collections.abc import Sequence

MOST_POINTS = 1200
"""The largest number of points of a line: more than the pixels of a chart."""

DIGITS = 5
"""The significant digits of a value in a page."""


def thinned(
    x: Sequence[float], y: Sequence[float | None]
) -> tuple[list[float], list[float | None]]:
    """Return the points of a line, at most about `MOST_POINTS`.

    Of each group of consecutive points the lowest and the highest remain, so that no peak is lost,
    and the first and the last point of the line. Values that are not finite become None.
    """
    clean = [_clean(value) for value in y]
    if len(clean) <= MOST_POINTS:
        return list(x), clean
    size = math.ceil(len(clean) / (MOST_POINTS // 2))
    kept = {0, len(clean) - 1}
    for start in range(0, len(clean), size):
        group = range(start, min(start + size, len(clean)))
        finite = [(value, index) for index in group if (value := clean[index]) is not None]
        kept.update({min(finite)[1], max(finite)[1]} if finite else {start})
    order = sorted(kept)
    return [x[index] for index in order], [clean[index] for index in order]


def _clean(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
