"""Tables for a model: the rows of the one that it was trained on, of another one, predictions."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path

import numpy as np

from handloom.data.dataset import Dataset, Splits
from handloom.data.fingerprint import fingerprint
from handloom.data.formats.tables import names_in_file, open_file
from handloom.data.notes import Tell
from handloom.data.overlap import rows_in_common
from handloom.data.sources.open_table import read_pixels, read_splits, read_whole
from handloom.data.table import Chunk, MemoryTable, Table
from handloom.data.table_options import TableOptions
from handloom.data.table_target import TableTarget
from handloom.errors import ConfigurationError, DataError
from handloom.model import Model
from handloom.parameters import Array

MOST_COMPARED = 100_000_000
"""The largest table of a run, in bytes, that is read again to compare its rows with others."""


@dataclass(frozen=True)
class TrainingTable:
    """The table that a model was trained on.

    Parameters
    ----------
    path : str
    options : TableOptions
        With which it was read.
    test_rows : str or None
        The SHA-256 of its test rows; None in runs of earlier versions.
    """

    path: str
    options: TableOptions
    test_rows: str | None = None


def test_rows_sum(splits: Splits) -> str:
    """Return the SHA-256 of the test rows of a dataset and their targets."""
    return str(fingerprint(splits.test)["sha256"])


def table_for(model: Model, named: str, own: TrainingTable | None, *, tell: Tell) -> Splits:
    """Return the rows of a table for a model that was trained on one.

    Parameters
    ----------
    model : Model
    named : str
        The path of the table.
    own : TrainingTable or None
        The table that it was trained on. It, or a copy, is split again in the same way; of
        another one all rows are used, and rows that equal training rows are told.
    tell : callable
        Called with each note.

    Raises
    ------
    ConfigurationError
        If the model was not trained on a table.
    DataError
        As `handloom.open_table`; and if the table of the training has changed.
    """
    if own is not None and _same_file(Path(named), Path(own.path)):
        return _own_rows(model, named, own)
    options = None if own is None else own.options
    if model.columns is None and own is not None and own.options.image_shape is not None:
        return _images(named, model, own, tell=tell)
    if model.columns is not None and model.columns.target is None:
        raise ConfigurationError(
            f"{named}: the model knows the input columns of its table, but not the target: fit the "
            "estimator with y as a Series or a frame of one column, whose name is the target's"
        )
    if model.columns is None or model.columns.target is None:
        raise ConfigurationError(
            f"{named}: the model was not trained on a table, so that rows of one cannot be used"
        )
    if options is None:
        options = TableOptions(model.columns.target.name)
    known = TableOptions(options.target, drop_missing_targets=options.drop_missing_targets)
    whole = read_whole(named, model.columns, known, tell=tell)
    if own is not None:
        tell(f"{named}: {_of_another_table(model, whole, own)}")
    return Splits(whole, whole)


def _of_another_table(model: Model, whole: Dataset, own: TrainingTable) -> str:
    """Return a note that all rows are used, and how many of them the model was trained on."""
    note = f"all {len(whole):,} rows are used, as it is not the table of the run"
    shared = _training_rows_among(model, whole, own)
    if not shared:
        return note
    if shared < len(whole):
        equal = f"{shared:,} of them equal{'s' * (shared == 1)}"
        return f"{note}; {equal} a training row of the run in all inputs and the target"
    return f"{note}; all equal training rows of the run: their metrics are not those of new rows"


def _training_rows_among(model: Model, whole: Dataset, own: TrainingTable) -> int:
    """Return how many rows equal a training row; 0 if the training rows are gone, or too many."""
    try:
        if Path(own.path).stat().st_size > MOST_COMPARED:
            return 0
        return rows_in_common(_own_rows(model, own.path, own).train, whole)
    except (OSError, DataError):  # it has moved or changed since
        return 0


def _own_rows(model: Model, named: str, own: TrainingTable) -> Splits:
    """Return the parts of the table of the training, whose notes the training has told."""
    columns = model.columns
    splits = read_splits(named, own.options, columns, name=model.trained_on, tell=lambda _: None)
    changed = own.test_rows is not None and test_rows_sum(splits) != own.test_rows
    if changed or (columns is not None and len(splits.train) != columns.rows):
        raise DataError(
            f"{named}: has changed since the training, so that some test rows may be training rows "
            "of then: name the earlier table, or a file of new rows, with --data"
        )
    return splits


def _same_file(path: Path, other: Path) -> bool:
    """Return whether two files are the same, or copies."""
    if path.resolve() == other.resolve():
        return True
    try:
        return cmp(path, other, shallow=False)
    except OSError:
        return False


def _images(named: str, model: Model, own: TrainingTable, *, tell: Tell) -> Splits:
    """Return all rows of a table of pixels, by the classes of a model."""
    table = open_file(named, tell=tell)
    names = _pixel_names(table, own, tell=tell)
    target = TableTarget(own.options.target, "classification", model.class_names)
    pixels, classes = read_pixels(table, names, model.row_shape, target)
    whole = Dataset(pixels, classes, model.class_names, table.name)
    return Splits(whole, whole)


def _pixel_names(table: Table, own: TrainingTable, *, tell: Tell) -> Sequence[str]:
    """Return the columns of pixels of a table in the order of the table of a run.

    Those of other names than there, or of a run whose table is gone, keep their own order.
    """
    left_out = (own.options.target, *own.options.drop)
    names = [name for name in table.names if name not in left_out]
    try:
        known = [name for name in names_in_file(own.path) if name not in left_out]
    except DataError:
        tell(f"{table.where}pixels are the columns in their order: {own.path} of the run is gone")
        return names
    if sorted(names) == sorted(known):
        return known
    tell(f"{table.where}pixels are the columns in their order: those of the run have other names")
    return names


def predictions_of(
    model: Model, table: Table, own: TrainingTable | None = None, *, tell: Tell
) -> Generator[tuple[Chunk, Array], None, None]:
    """Yield the chunks of a table of raw rows or of pixels, each with its predictions, (n, k).

    Parameters
    ----------
    model : Model
    table : Table
    own : TrainingTable, optional
        The table that the model was trained on, whose names put columns of pixels into their order.
    tell : callable
        Called with each note.

    Raises
    ------
    DataError, ConfigurationError
        If the table does not fit the model.
    """
    if model.columns is not None:
        yield from model.predict_chunks(table, tell=tell)
        return
    _require_images_of_one_channel(model, table)
    if own is not None and own.options.image_shape is not None:
        names = _pixel_names(table, own, tell=tell)
    elif len(names := table.names) == int(np.prod(model.row_shape)) + 1:
        names = [name for name in names if name.lower() not in ("label", "class", "target")]
    for chunk in table.chunks():
        rows = MemoryTable(chunk, table.names, table.name, table.where)
        pixels, _ = read_pixels(rows, names, model.row_shape)
        yield chunk, model.predict(pixels)


def _require_images_of_one_channel(model: Model, table: Table) -> None:
    if model.row_dtype != "uint8" or len(model.row_shape) != 2:
        raise ConfigurationError(
            f"{table.where}the model was not trained on a table: train it with handloom train "
            "--data file.csv --target name, or save it with columns"
        )
