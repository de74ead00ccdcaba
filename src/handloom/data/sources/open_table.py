"""Opening a table in a CSV or Parquet file, or a frame, as training and test part."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.cells import cells_of
from handloom.data.column_statistics import ColumnStatistics
from handloom.data.columns import Columns
from handloom.data.dataset import Dataset, Splits
from handloom.data.formats.tables import open_file
from handloom.data.notes import Tell, warn
from handloom.data.table import Table, require_columns, table_of
from handloom.data.table_learning import (
    TargetCells,
    choose_test_rows,
    encode_parts,
    encode_whole,
    learn_columns,
    read_target,
    rows_with_target,
)
from handloom.data.table_options import TEST, TableOptions
from handloom.data.table_target import Scaling, TableTarget, Task, learn_target, require_numbers
from handloom.errors import DataError


def open_table(
    path: str | os.PathLike[str],
    target: str,
    *,
    test: float | str | os.PathLike[str] = TEST,
    seed: int = 0,
    task: Task | None = None,
    embed: bool | Sequence[str] = False,
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    drop_missing_targets: bool = False,
    target_scaling: Scaling = "standardize",
    positive: str | None = None,
    name: str | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Splits:
    """Read a CSV or Parquet file, and split it into a training and a test part.

    The encoding of its columns is learned from the training part alone; see
    `handloom.Dataset.from_frame`. A CSV file is text in UTF-8 (or in UTF-16 with a byte order
    mark, or in Windows-1252, which is told) whose first line names the columns; its cells are
    separated by commas, semicolons or tabs. A file may be larger than memory.

    Parameters
    ----------
    path : path
        A file with the suffix ``.csv``, ``.tsv``, ``.txt`` or ``.parquet``; the last needs pyarrow.
    target : str
        The name of the target column.
    test : float or path
        The fraction of test rows, of every class; or another file, whose rows are the test rows,
        encoded as the training rows of ``path``.
    seed : int
        The seed of the choice of test rows.
    task, embed, categorical, drop, drop_missing_targets, target_scaling, positive
        As in `handloom.Dataset.from_frame`.
    name : str, optional
        The name of the dataset; by default that of the file.
    cache : path, optional
        A folder for rows that do not fit into memory; by default that of temporary files.

    Returns
    -------
    Splits

    Raises
    ------
    DataError
        If the file cannot be read, or as `handloom.Dataset.from_frame`.
    ConfigurationError
        If an option is invalid.
    """
    options = TableOptions(
        target,
        test=test,
        seed=seed,
        task=task,
        embed=embed,
        categorical=categorical,
        drop=drop,
        drop_missing_targets=drop_missing_targets,
        target_scaling=target_scaling,
        positive=positive,
    )
    folder = None if cache is None else Path(cache)
    return read_splits(path, options, name=name, cache=folder)


def split_frame(
    frame: object,
    target: str,
    *,
    test: float = TEST,
    seed: int = 0,
    task: Task | None = None,
    embed: bool | Sequence[str] = False,
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    drop_missing_targets: bool = False,
    target_scaling: Scaling = "standardize",
    positive: str | None = None,
    name: str = "table",
) -> Splits:
    """Split a raw frame into a training and a test part, and learn from the training part alone.

    Parameters
    ----------
    frame : pandas or polars DataFrame, or pyarrow table
    target, test, seed, task, embed, categorical, drop, drop_missing_targets, target_scaling,
    positive, name
        As in `open_table`.

    Returns
    -------
    Splits

    Raises
    ------
    DataError, ConfigurationError
        As `handloom.Dataset.from_frame`.
    """
    options = TableOptions(
        target,
        test=test,
        seed=seed,
        task=task,
        embed=embed,
        categorical=categorical,
        drop=drop,
        drop_missing_targets=drop_missing_targets,
        target_scaling=target_scaling,
        positive=positive,
    )
    return _splits(table_of(frame), options, None, name, tell=warn)


def read_splits(
    path: str | os.PathLike[str],
    options: TableOptions,
    columns: Columns | None = None,
    *,
    name: str | None = None,
    cache: Path | None = None,
    tell: Tell = warn,
) -> Splits:
    """Read the table in a file as training and test part; see `open_table`.

    Parameters
    ----------
    path, name, cache
        See `open_table`.
    options : TableOptions
    columns : Columns, optional
        Those of a model: nothing is learned.
    tell : callable, optional
        Called with each note; by default it is a `DataWarning`.

    Raises
    ------
    DataError
        As `open_table`.
    """
    mark = None if columns is None else columns.decimal_mark
    table = open_file(path, decimal_mark=mark, tell=tell)
    return _splits(table, options, columns, name or table.name, tell=tell, cache=cache)


def read_whole(
    path: str | os.PathLike[str],
    columns: Columns,
    options: TableOptions,
    *,
    tell: Tell = warn,
) -> Dataset:
    """Return all rows of a file as a dataset, by the columns of a model.

    Raises
    ------
    DataError
        As `handloom.Dataset.from_frame`.
    """
    table = open_file(path, decimal_mark=columns.decimal_mark, tell=tell)
    columns, rows, targets, kept = encode_whole(table, options, columns, tell=tell)
    return _dataset(table.name, columns, (rows, targets), kept)


def _dataset(
    name: str,
    columns: Columns,
    part: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    mask: npt.NDArray[np.bool_],
) -> Dataset:
    """Return the flat rows and the targets that a mask selected of a table as a dataset."""
    own = np.flatnonzero(mask)
    return Dataset(*part, columns.class_names, name, columns=columns, row_numbers=own)


def _splits(
    table: Table,
    options: TableOptions,
    columns: Columns | None,
    name: str,
    *,
    tell: Tell,
    cache: Path | None = None,
) -> Splits:
    if options.image_shape is not None:
        options = replace(options, task="classification")
    target = read_target(table, options, tell=tell)
    if options.test_file is not None:
        return _of_two_files(table, options, target, columns, name, tell=tell, cache=cache)
    assert isinstance(options.test, float | int)
    test = choose_test_rows(target, options.test, options.seed, table.where)
    train = target.kept & ~test
    if options.image_shape is not None:
        return _images(table, options, (train, test), name)
    if columns is None:
        columns = learn_columns(table, options, target.task, train, tell=tell)
    masks = (train, test)
    parts = encode_parts(table, columns, masks, tell=tell, cache=cache)
    return Splits(*(_dataset(name, columns, *each) for each in zip(parts, masks, strict=True)))


def _of_two_files(
    table: Table,
    options: TableOptions,
    target: TargetCells,
    columns: Columns | None,
    name: str,
    *,
    tell: Tell,
    cache: Path | None,
) -> Splits:
    """Return a table as training part, and the table in the file of the test rows as test part."""
    assert options.test_file is not None
    if table.where and os.path.realpath(options.test_file) == os.path.realpath(table.where[:-2]):
        raise DataError(f"{table.where}test must be another file than that of the training rows")
    other = open_file(options.test_file, decimal_mark=table.decimal_mark, tell=tell)
    if options.target not in other.names:
        raise DataError(
            f"{other.where}lacks the target {options.target!r}, so that nothing can be measured on "
            "its rows: name a fraction with test=0.2 (--test 0.2), and predict them later"
        )
    if columns is None:
        columns = learn_columns(table, options, target.task, target.kept, tell=tell)
    (train,) = encode_parts(table, columns, (target.kept,), tell=tell, cache=cache)
    assert columns.target is not None
    kept = rows_with_target(other, columns.target, options, tell=tell)
    (test,) = encode_parts(other, columns, (kept,), tell=tell, cache=cache)
    parts = (train, target.kept), (test, kept)
    return Splits(*(_dataset(name, columns, *each) for each in parts))


def _images(
    table: Table, options: TableOptions, masks: Sequence[npt.NDArray[np.bool_]], name: str
) -> Splits:
    """Return a table of a class and pixels in each row as datasets of images."""
    assert options.image_shape is not None
    statistics = ColumnStatistics(options.target, table.where, categorical=True)
    for chunk in table.chunks([options.target]):
        statistics.add(chunk)
    target = learn_target(statistics, "classification")
    require_columns(options.drop, table.names, "drop", table.where)
    left_out = (*options.drop, options.target)
    names = [each for each in table.names if each not in left_out]
    pixels, labels = read_pixels(table, names, options.image_shape, target)
    assert labels is not None
    return Splits(
        *(
            Dataset(
                pixels[mask], labels[mask], target.classes, name, row_numbers=np.flatnonzero(mask)
            )
            for mask in masks
        )
    )


def read_pixels(
    table: Table,
    names: Sequence[str],
    shape: tuple[int, ...],
    target: TableTarget | None = None,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64] | None]:
    """Return the columns of a table as images, shape (n, y, x), and their classes.

    Raises
    ------
    DataError
        If there are more or fewer columns than pixels, or one is no integer from 0 to 255.
    """
    if len(names) != int(np.prod(shape)):
        raise DataError(
            f"{table.where}images of shape {tuple(shape)} need {int(np.prod(shape)):,} columns of "
            f"pixels, got {len(names):,}"
        )
    images, labels = [], []
    for chunk in table.chunks():
        pixels = np.empty((len(chunk), len(names)), np.uint8)
        for index, name in enumerate(names):
            cells = cells_of(chunk.columns[name])
            require_numbers(cells, name, chunk, table.where)
            values = cells.values
            valid = (values >= 0) & (values <= 255) & (values == np.floor(values))
            if not valid.all():
                row = int(valid.argmin())
                got = cells.texts[row] or "no value"
                raise DataError(
                    f"{table.where}column {name!r} must hold pixels from 0 to 255, got {got} in "
                    f"{chunk.row(row)}"
                )
            pixels[:, index] = values
        images.append(pixels.reshape(len(chunk), *shape))
        if target is not None:
            labels.append(target.values(chunk, table.where))
    return np.concatenate(images), np.concatenate(labels) if target is not None else None
