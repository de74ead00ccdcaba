"""Comparisons over splits of a table: everyone is fitted on the same rows."""

import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tables.contestants import CONTESTANTS, Split
from benchmarks.tables.sources import Source

OURS = "Handloom"
REST = 0.3
"""Seconds before every fit: threads of OpenBLAS look for work for a while after the one before."""


def contestants_of(source: Source) -> list[str]:
    """Return the contestants: all, or those that need no categories."""
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
