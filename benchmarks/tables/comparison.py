"""Paired comparisons over splits of a table, and their intervals."""

import gc
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t

from benchmarks.tables.contestants import CONTESTANTS, Split
from benchmarks.tables.sources import Source

OURS = "Handloom"
CONFIDENCE = 0.95
REST = 0.3
"""Seconds before every fit: threads of OpenBLAS look for work for a while after the one before."""


class Interval(NamedTuple):
    """A mean with the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def has_zero(self) -> bool:
        """Whether no difference is inside."""
        return self.low <= 0.0 <= self.high


def paired(first: Sequence[float], second: Sequence[float], test: float) -> Interval:
    """Return the mean of the differences ``first - second``, with a 95 % t-interval.

    The training rows of random splits overlap, so differences are correlated. Their variance is
    multiplied by ``1 / n + test / (1 - test)`` in place of ``1 / n``, for ``n`` splits (Nadeau,
    Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003).

    Parameters
    ----------
    first, second : sequence of float, shape (n,)
        Scores on the same splits.
    test : float
        The fraction of test rows.
    """
    differences = np.subtract(first, second)
    rows = len(differences)
    variance = differences.var(ddof=1) * (1.0 / rows + test / (1.0 - test))
    width = float(t.ppf(0.5 + CONFIDENCE / 2.0, rows - 1)) * math.sqrt(variance)
    mean = float(differences.mean())
    return Interval(mean, mean - width, mean + width)


def contestants_of(source: Source) -> list[str]:
    """Return who takes part: all, or those that need no categories."""
    return [name for name in CONTESTANTS if source.embed or "embedded" not in name]


def compare(
    source: Source, path: Path, runs: list[dict[str, Any]], most: int
) -> Iterator[list[dict[str, Any]]]:
    """Fit all contestants on the splits that are not there yet; yield all runs after each split.

    Parameters
    ----------
    source : Source
    path : Path
        Its CSV file.
    most : int
        The largest number of splits; a source may have fewer.
    runs : list of dict
        Those of an earlier call, in the order of their splits.
    """
    names = contestants_of(source)
    for seed in range(len(runs), min(source.splits, most)):
        split = Split.of(path, source.options, seed)
        run: dict[str, Any] = {}
        for name in names[seed % len(names) :] + names[: seed % len(names)]:
            gc.collect()
            time.sleep(REST)
            fitted = CONTESTANTS[name](split)
            run[name] = {
                **split.scores(fitted.predicted),
                "seconds": fitted.spent.seconds,
                "processor": fitted.spent.processors,
                "epochs": fitted.epochs,
            }
        runs = [*runs, {name: run[name] for name in names}]
        yield runs
