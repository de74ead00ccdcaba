"""Learning the columns of a table from its training rows, and the rows and targets of its parts."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handloom.data.cells import Cells, cells_of
from handloom.data.column_learning import learn_inputs
from handloom.data.column_statistics import MAX_DISTINCT, ColumnStatistics
from handloom.data.columns import Columns, Remarks
from handloom.data.hold_out import Mask, held_out_rows
from handloom.data.notes import Tell
from handloom.data.row_store import RowStore
from handloom.data.table import Chunk, Table, require_columns
from handloom.data.table_options import TableOptions
from handloom.data.table_target import (
    FILL,
    TableTarget,
    Task,
    learn_target,
    learn_task,
    rescaled,
)
from handloom.errors import ConfigurationError, DataError, require_instance
from handloom.randomness import Stream


@dataclass(frozen=True)
class TargetCells:
    """The target of every row, before anything is learned of the inputs.

    Attributes
    ----------
    task : {"classification", "regression"}
    kept : array of bool, shape (n,)
        The rows that have a target.
    strata : array, shape (n,)
        The number of the class of each row, or 0.
    """

    task: Task
    kept: Mask
    strata: npt.NDArray[np.int64]


def read_target(table: Table, options: TableOptions, *, tell: Tell) -> TargetCells:
    """Return the target of every row.

    Raises
    ------
    DataError
        If there is no such column, a target is missing, or the values do not fit the task.
    """
    name, categorical = options.target, options.task == "classification"
    require_columns([name], table.names, "target", table.where)
    statistics = ColumnStatistics(name, table.where, categorical=categorical)
    kept, strata, index = [], [], dict[str, int]()
    for chunk in table.chunks([name]):
        cells = cells_of(chunk.columns[name])
        kept.append(_with_target(cells, chunk, table, options))
        statistics.add(chunk)
        if len(index) <= MAX_DISTINCT:
            texts = cells.texts.tolist()
            strata.append(np.array([index.setdefault(text, len(index)) for text in texts]))
    task, mask = learn_task(statistics, options.task, tell=tell), np.concatenate(kept)
    _tell_left_out(mask, table, tell)
    classes = task == "classification"
    return TargetCells(task, mask, np.concatenate(strata) if classes else np.zeros(len(mask), int))


def choose_test_rows(target: TargetCells, fraction: float, seed: int, where: str = "") -> Mask:
    """Return the rows of the test part: a fraction of every class, or of all rows.

    A class of a single row has none. The choice depends on the seed and the targets alone.

    Parameters
    ----------
    target : TargetCells
        The targets of n rows.
    fraction : float
        Of the rows that have a target, above 0 and below 1.
    seed : int
    where : str
        The beginning of error messages; see `Table`.

    Returns
    -------
    array of bool, shape (n,)

    Raises
    ------
    DataError
        If no row would be in either part.
    """
    test = held_out_rows(target.strata, target.kept, fraction, Stream(seed))
    if not test.any():
        several = " of one class, got one of each" if target.strata.any() else ", got one"
        raise DataError(f"{where}a table to be split must have at least 2 rows{several}")
    return test


def learn_columns(
    table: Table, options: TableOptions, task: Task, training: Mask, *, tell: Tell
) -> Columns:
    """Return the columns of a table, learned from some of its rows.

    Parameters
    ----------
    table : Table
        Of n rows, read once.
    options : TableOptions
    task : {"classification", "regression"}
    training : array of bool, shape (n,)
        The rows to learn from.
    tell : callable
        Called with each note.

    Raises
    ------
    DataError
        If a column cannot be used, an option names none, or two columns would have one name in
        flat rows.
    """
    where = table.where
    embed = () if isinstance(options.embed, bool) else options.embed
    named = {"drop": options.drop, "categorical": options.categorical, "embed": embed}
    for argument, names in named.items():
        require_columns(names, table.names, argument, where)
        if argument != "drop" and (both := set(names) & set(options.drop)):
            raise DataError(f"{where}drop and {argument} both name the column {min(both)!r}")
    used = [name for name in table.names if name not in (*options.drop, options.target)]
    if not used:
        raise DataError(
            f"{where}the table must have a column besides the target {options.target!r}"
        )
    statistics = {
        name: ColumnStatistics(name, where, categorical=name in options.categorical)
        for name in used
    }
    target = ColumnStatistics(options.target, where, categorical=task == "classification")
    continuous: list[npt.NDArray[np.float64]] = []
    for chunk in selected(table, training, [*used, options.target]):
        for each in (*statistics.values(), target):
            each.add(chunk)
        if task == "regression":
            continuous.append(cells_of(chunk.columns[options.target]).values)
    learned = learn_target(target, task, options.positive)
    if task == "regression":
        values, scaling = np.concatenate(continuous), options.target_scaling
        learned = rescaled(learned, scaling, values, where, tell=tell)
    elif options.target_scaling != "standardize":
        raise ConfigurationError(
            f"target_scaling={options.target_scaling!r} is for a regression, but the target "
            f"{options.target!r} holds classes: pass task='regression' (--task regression), or "
            "leave it out"
        )
    inputs, constant = learn_inputs(statistics, options.embeds, where=where, tell=tell)
    left_out, rows = (*options.drop, *constant), int(training.sum())
    return Columns(inputs, left_out, learned, rows, table.decimal_mark)


def encode_parts(
    table: Table, columns: Columns, parts: Sequence[Mask], *, tell: Tell, cache: Path | None = None
) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Return the flat rows and the targets of each part of a table, which is read once.

    Flat rows are float32, shape (m, d); targets are int64 classes, shape (m,), or standardized
    float32, shape (m, 1). A part is a mask of the n rows of the table, shape (n,).

    Rows that need much memory are written to a file without a name in ``cache``, or in the folder
    of temporary files, and mapped; the file vanishes with the rows.

    Raises
    ------
    DataError
        As `Columns.transform`; and if a target is missing, or no class of the training rows.
    """
    assert columns.target is not None
    columns.check_names(table, tell=tell)
    require_columns([columns.target.name], table.names, "target", table.where)
    width, remarks = len(columns.names), Remarks(columns)
    targets: list[list[npt.NDArray[Any]]] = [[] for _ in parts]
    names = [*(each.name for each in columns.inputs), columns.target.name]
    with ExitStack() as stack:
        sizes = [(int(part.sum()), width) for part in parts]
        stores = [stack.enter_context(closing(RowStore(size, cache))) for size in sizes]
        start = 0
        for chunk in table.chunks(names):
            for part, store, own in zip(parts, stores, targets, strict=True):
                rows = chunk.take(part[start : start + len(chunk)])
                if len(rows):
                    own.append(columns.target.values(rows, table.where))
                    store.append(columns.encode(rows, remarks, table.where))
            start += len(chunk)
        remarks.tell(tell)
        joined = [np.concatenate(own) for own in targets]
        return [(store.rows(), own) for store, own in zip(stores, joined, strict=True)]


def encode_whole(
    table: Table,
    options: TableOptions,
    columns: Columns | None,
    *,
    tell: Tell,
) -> tuple[Columns, npt.NDArray[Any], npt.NDArray[Any], Mask]:
    """Return the columns, the flat rows and the targets of a whole table, and which rows they are.

    Raises
    ------
    DataError
        As `learn_columns` and `encode_parts`.
    ConfigurationError
        If options would be ignored beside known columns.
    """
    if columns is None:
        target = read_target(table, options, tell=tell)
        kept = target.kept
        columns = learn_columns(table, options, target.task, kept, tell=tell)
    else:
        require_instance("columns", columns, Columns)
        _check_known(columns, options)
        assert columns.target is not None
        kept = rows_with_target(table, columns.target, options, tell=tell)
    ((rows, targets),) = encode_parts(table, columns, [kept], tell=tell)
    return columns, rows, targets, kept


def _check_known(columns: Columns, options: TableOptions) -> None:
    """Refuse options beside known columns, and another target."""
    changed = options.to_json()
    for name in ("drop", "categorical", "embed", "target_scaling", "positive"):
        if changed.get(name):
            raise ConfigurationError(f"{name} would be ignored beside columns=; leave it out")
    known = columns.target
    if known is None or known.name != options.target:
        has = "no target" if known is None else f"the target {known.name!r}"
        raise ConfigurationError(f"the columns have {has}, got target={options.target!r}")
    if options.task not in (None, known.task):
        raise ConfigurationError(
            f"the columns are those of a {known.task}, got task={options.task!r}"
        )


def rows_with_target(
    table: Table, target: TableTarget, options: TableOptions, *, tell: Tell
) -> Mask:
    """Return the rows that have a target, which is known from the training rows.

    Raises
    ------
    DataError
        If there is no such column, or a target is missing and such rows are not left out.
    """
    require_columns([target.name], table.names, "target", table.where)
    chunks = table.chunks([target.name])
    masks = [_with_target(target.cells(chunk), chunk, table, options) for chunk in chunks]
    mask = np.concatenate(masks)
    _tell_left_out(mask, table, tell)
    return mask


def _with_target(cells: Cells, chunk: Chunk, table: Table, options: TableOptions) -> Mask:
    """Return the rows of a chunk that have a target; see `rows_with_target`."""
    missing = cells.missing
    if missing.any() and not options.drop_missing_targets:
        row = chunk.row(int(missing.argmax()))
        raise DataError(f"{table.where}the target {options.target!r} has no value in {row}: {FILL}")
    return ~missing


def _tell_left_out(kept: Mask, table: Table, tell: Tell) -> None:
    if dropped := len(kept) - int(kept.sum()):
        tell(f"{table.where}{dropped:,} row{'s' * (dropped > 1)} without a target left out")


def selected(table: Table, mask: Mask, names: Sequence[str]) -> Iterator[Chunk]:
    """Yield the rows of a table that a mask selects, chunk by chunk, with some of the columns."""
    start = 0
    for chunk in table.chunks(names):
        rows = chunk.take(mask[start : start + len(chunk)])
        start += len(chunk)
        if len(rows):
            yield rows
