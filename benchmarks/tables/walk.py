"""A walk through the commands: verify a table, train, evaluate, predict new rows, summarize."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

from benchmarks.measure import spent
from benchmarks.tables.sources import Source
from handloom import Model
from handloom.predictions import both_classes

EVERY = 5
"""The number of rows of which one is a new row, without its target."""

PROGRESS = "training  "
"""The beginning of the lines of progress."""


@dataclass(frozen=True)
class Step:
    """A command, its exit status, the seconds that it took, and its notes."""

    command: str
    status: int
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Walk:
    """The steps on one table.

    Attributes
    ----------
    steps : tuple of Step
    rows : int
        The number of rows that were predicted.
    agrees : bool
        Whether the written predictions are those of the model in Python.
    """

    steps: tuple[Step, ...]
    rows: int
    agrees: bool

    def to_json(self) -> dict[str, Any]:
        """Return the walk as JSON can hold it."""
        return asdict(self)


def walk(source: Source, folder: Path) -> Walk:
    """Run the commands on a table, in a folder that must exist.

    Parameters
    ----------
    source : Source
    folder : Path
        Gets the table, new rows, a run folder with its report, and predictions.
    """
    path, run, out = source.write(folder), folder / "run", folder / "predictions.csv"
    table = _options(source)
    new = folder / "new.csv"
    frame = pd.read_csv(path)[::EVERY].drop(columns=source.options.target)
    frame.to_csv(new, index=False)
    commands = [
        ["data", "verify", path.name, *table],
        ["train", "--data", path.name, *table, "--out", run.name, "--report"],
        ["evaluate", run.name],
        ["predict", run.name, new.name, "--out", out.name],
        ["summary", run.name],
    ]
    steps = tuple(_step(command, folder) for command in commands)
    agrees = out.exists() and agree(Model.load(run / "model"), new, out)
    return Walk(steps, len(frame), agrees)


def agree(model: Model, new: Path, out: Path) -> bool:
    """Return whether the predictions in a file are those of a model for raw rows.

    Values are written with nine digits, and probabilities with six.
    """
    expected = model.predict(pd.read_csv(new))
    written = pd.read_csv(out).iloc[:, len(pd.read_csv(new, nrows=0).columns) :]
    if not model.predicts_classes:
        return bool(np.allclose(written, expected, rtol=1e-8, atol=0.0))
    expected = both_classes(expected)
    best = [model.classes[index] for index in expected.argmax(axis=1)]
    close = np.allclose(written.iloc[:, 1:], expected, rtol=1e-5, atol=0.0)
    return bool(close) and written["prediction"].astype(str).tolist() == best


def _options(source: Source) -> list[str]:
    """Return the options of a table as arguments of a command."""
    options = source.options
    arguments = ["--target", options.target]
    arguments += [word for name in options.drop for word in ("--drop", name)]
    arguments += [word for name in options.categorical for word in ("--categorical", name)]
    return arguments + ["--drop-missing-targets"] * options.drop_missing_targets


def _step(command: Sequence[str], folder: Path) -> Step:
    done: list[subprocess.CompletedProcess[str]] = []
    full = [sys.executable, "-m", "handloom", *command]

    def call() -> None:
        done.append(subprocess.run(full, cwd=folder, capture_output=True, text=True, check=False))

    seconds = spent(call).seconds
    notes = tuple(
        line for line in done[0].stderr.splitlines() if line and not line.startswith(PROGRESS)
    )
    return Step(" ".join(["handloom", *command]), done[0].returncode, seconds, notes)
