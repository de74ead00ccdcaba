"""Predictions of the rows of a table, written to a CSV file that no spreadsheet runs."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

from handloom.cli.console import note, say, show_table
from handloom.cli.datasets import table_of_run
from handloom.cli.options import require_folder_of, require_new_file
from handloom.data.cells import TEXT
from handloom.data.formats.tables import open_file
from handloom.data.frames import Column
from handloom.data.table import Chunk
from handloom.errors import ConfigurationError
from handloom.files import FileError
from handloom.model import Model
from handloom.parameters import Array
from handloom.predictions import both_classes
from handloom.training.evaluation_metrics import checked_positive, checked_threshold
from handloom.training.run_folder import RunFolder, is_run
from handloom.training.tables import predictions_of

FIRST_ROWS = 10
"""The number of rows that are shown without a file."""

FEW_CLASSES = 4
"""The number of classes whose probabilities are all shown."""

RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The first characters of a text that a spreadsheet may run, also those of full width."""


class _Limit(NamedTuple):
    """Of two classes, the probability of the positive one above which it is predicted."""

    threshold: float
    positive: int

    def predicted(self, values: Array) -> npt.NDArray[np.intp]:
        """Return the index of the class of each row of probabilities, shape (n, 2)."""
        above = values[:, self.positive] > self.threshold
        return np.where(above, self.positive, 1 - self.positive)


def predict_table(
    run: Path,
    model: Model,
    path: Path,
    out: Path | None,
    threshold: float | None = None,
    positive: str | None = None,
) -> None:
    """Predict the rows of a table, and write them with their predictions, or show the first.

    Parameters
    ----------
    run : Path
        The folder of the model, for the title.
    model : Model
    path : Path
        The table.
    out : Path or None
        The new CSV file.
    threshold : float, optional
        Of two classes: the probability of the positive one above which it is predicted.
    positive : str, optional
        The name of the positive class, by default the second.

    Raises
    ------
    DataError, ConfigurationError
        If the table cannot be read, or does not fit the model.
    FileError
        If the file exists, or cannot be written.
    """
    if out is not None:
        require_new_file("--out", out, ".csv")
        require_folder_of("--out", out)
    if positive is not None and threshold is None:
        raise ConfigurationError(
            "--positive says whose probability --threshold is about: add --threshold"
        )
    limit = _Limit(
        checked_threshold(threshold, binary=len(model.classes) == 2),
        checked_positive(positive, model.classes),
    )
    mark = None if model.columns is None else model.columns.decimal_mark
    table = open_file(path, decimal_mark=mark, tell=note)
    names = prediction_names(model, table.names)
    own = table_of_run(RunFolder.open(run).description) if is_run(run) else None
    predicted = predictions_of(model, table, own, tell=note)
    if out is None:
        _, values = next(predicted)
        predicted.close()  # tells the notes
        _show_first(f"{run} on {path}, the first rows", model, values[:FIRST_ROWS], limit)
        return
    count = _write(out, (*table.names, *names), _records(model, predicted, limit))
    say(f"Wrote {count:,} rows with predictions to {out}")


def _show_first(title: str, model: Model, values: Array, limit: _Limit) -> None:
    """Show rows with their predictions, and the probabilities of the most probable classes."""
    classes = model.classes
    cells = list(_cells(model, values, limit))
    heads = ["prediction"] if classes else _outputs(model)
    if 0 < len(classes) <= FEW_CLASSES:
        heads += [f"probability of {name}" for name in classes]
        cells = [[best, *(f"{float(each):.3f}" for each in shares)] for best, *shares in cells]
    elif classes:
        heads += ["probability", "next", "probability"]
        cells = [[best, *_leading(shares, classes)] for best, *shares in cells]
    rows = [(index, *row) for index, row in enumerate(cells, start=1)]
    show_table(title, ("row", *heads), rows, left=2)
    say("For all rows: --out predictions.csv")


def _leading(shares: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Return the largest probability, and the second class with its own."""
    first, second = sorted(range(len(shares)), key=lambda each: -float(shares[each]))[:2]
    return [f"{float(shares[first]):.3f}", classes[second], f"{float(shares[second]):.3f}"]


def prediction_names(model: Model, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of predictions: all differ, also from those of the table."""
    added = ["prediction"] if model.classes else _outputs(model)
    added += [f"probability of {name}" for name in model.classes]
    taken = list(names)
    for name in added:
        numbered = (f"{name} (handloom {number})" for number in count(2))
        possible = chain([name, f"{name} (handloom)"], numbered)
        taken.append(next(each for each in possible if each not in taken))
    return tuple(taken[len(names) :])


def _outputs(model: Model) -> list[str]:
    """Return the names of continuous predictions: with several outputs, those are in them."""
    if (quantiles := model.quantiles) is not None:
        return [f"prediction (quantile {q:g})" for q in quantiles]
    names = model.class_names
    return ["prediction"] if len(names) == 1 else [f"prediction ({name})" for name in names]


def harmless(text: str) -> str:
    """Return a text that no spreadsheet runs: a formula gets an apostrophe in front of it."""
    stripped = text.lstrip(" ")
    if not stripped.startswith(RUN_BY_SPREADSHEETS):
        return text
    try:
        float(stripped.replace(",", "."))
    except ValueError:
        return f"'{text}"
    return text


def _records(
    model: Model, predicted: Iterator[tuple[Chunk, Array]], limit: _Limit
) -> Iterator[list[str]]:
    """Yield the rows of a table as texts, with their predictions."""
    for chunk, values in predicted:
        texts = [_texts(column) for column in chunk.columns.values()]
        cells = _cells(model, values, limit)
        for row, added in zip(zip(*texts, strict=True), cells, strict=True):
            yield [*map(harmless, row), *added]


def _cells(model: Model, values: Array, limit: _Limit) -> Iterator[list[str]]:
    """Yield the cells of the predictions of each row."""
    names = model.classes
    if not names:
        for row in values:
            yield [f"{value:.9g}" for value in row]
        return
    values = both_classes(values)
    predicted = limit.predicted(values) if len(names) == 2 else values.argmax(axis=1)
    for row, best in zip(values, predicted, strict=True):
        yield [harmless(names[best]), *(f"{value:.6g}" for value in row)]


def _texts(column: Column) -> list[str]:
    """Return the cells of a column as they are written; missing ones are empty."""
    if column.dtype == TEXT:
        return list(map(str, column.values))
    # str of a NumPy scalar is the shortest text of its own precision: 0.1 of a float32
    texts = _times(column) if column.values.dtype.kind == "M" else map(str, column.values)
    return ["" if absent else text for text, absent in zip(texts, column.missing, strict=True)]


def _times(column: Column) -> Iterable[str]:
    """Return dates and times in ISO 8601; those with a time zone are in UTC, with a Z."""
    if "tz=" in column.dtype:
        return map(str, np.datetime_as_string(column.values, timezone="UTC"))
    return map(str, np.datetime_as_string(column.values, unit="auto"))


def _write(out: Path, header: Sequence[str], records: Iterator[list[str]]) -> int:
    """Write a new CSV file, and return the number of rows; after an error it is removed.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            return _write_rows(file, header, records)
    except FileExistsError:
        raise FileError(f"--out must name a new file, but {out} exists") from None
    except BaseException as error:
        with suppress(OSError):
            out.unlink()
        if isinstance(error, OSError) and not isinstance(error, FileError):
            raise FileError(f"{out} cannot be written: {error.strerror or error}") from None
        raise


def _write_rows(file: TextIO, header: Sequence[str], records: Iterator[list[str]]) -> int:
    writer, count = csv.writer(file, lineterminator="\n"), 0
    writer.writerow(map(harmless, header))
    for record in records:
        writer.writerow(record)
        count += 1
    return count
