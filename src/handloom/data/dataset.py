"""Datasets: inputs, targets and class names, with their training and test split."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
import numpy.typing as npt

from handloom.data.columns import Columns, require_same_columns
from handloom.data.conversion import convert_inputs, describe_not_finite
from handloom.data.formats.image_options import Fit
from handloom.data.formats.joined_rows import JoinedRows
from handloom.data.hold_out import held_out_rows
from handloom.data.mapped_rows import is_mapped
from handloom.data.notes import warn
from handloom.data.preview import preview, size
from handloom.data.row_reader import RowReader
from handloom.data.rows_on_demand import checked_rows
from handloom.data.selected_rows import SelectedRows, select_rows
from handloom.data.table import table_of
from handloom.data.table_learning import encode_whole
from handloom.data.table_options import TableOptions
from handloom.data.table_target import Scaling, Task
from handloom.data.targets import convert_targets
from handloom.elsewhere import DATASET, AdvisesOnNames
from handloom.errors import (
    DataError,
    MissingMethodError,
    has_channels_last,
    require_bool,
    require_fraction,
    require_instance,
    require_known,
    require_number,
)
from handloom.markup import element, render
from handloom.randomness import Purpose, Stream
from handloom.text import listed, printable

CHECKED_AT_ONCE = 1 << 21
"""The number of values checked at once: small enough for memory, large enough for speed."""


@dataclass(frozen=True, init=False)
class Dataset(AdvisesOnNames):
    """A dataset: rows of inputs, their targets, and the class names.

    Inputs and targets may be arrays, pandas or polars tables and Series, pyarrow tables and arrays,
    tensors, or lists. They become plain arrays, row by row in their order: an index is not used.

    Parameters
    ----------
    inputs : array-like, shape (n, ...)
        ``uint8`` images ``(n, y, x)`` as stored, or finite features ``(n, d)``, which become
        floating-point numbers. All columns of a table must be numeric. An object that loads rows on
        demand is kept as it is; see `handloom.data.row_reader.StoredRows`.
    targets : array-like, shape (n,), (n, 1) or (n, k)
        Classes: strings, booleans, categories, integers from 0 to k - 1, or one-hot rows of
        integers or booleans, stored as int64 of shape (n,). Or continuous targets: finite
        floating-point numbers, one for each of a network's outputs, stored with shape (n, k).
    class_names : sequence of str, length k, optional
        The names of the classes, or of the outputs. By default they are learned from the targets:
        sorted strings, the categories in their order, ``False`` and ``True``, the columns of a
        table, or ``"0"`` to ``"k - 1"``. Pass ``train.class_names`` for other rows than the
        training rows: strings are then matched by name.
    name : str
        The name of the dataset, for tables, plots and result files.
    column_names : tuple of str, optional
        The names of the columns of ``inputs``; by default those of a table.
    fit : {"pad", "crop", "stretch"}, optional
        How image files of another aspect ratio were resized to these inputs, for
        `handloom.Model.predict_image`; by default the inputs were not read from image files.
    channels_last : bool
        Whether ``inputs`` are images of shape (n, y, x, c). They are stored as (n, c, y, x), the
        shape that layers and augmentations take.
    columns : Columns, optional
        The encoding of the table that ``inputs`` are flat rows of; see `from_frame`.
    row_numbers : array-like of int, shape (n,), optional
        The number of each row in its table, counted from 0: in a CSV file the row after the header
        is 0, and blank lines do not count. Known of tables, and kept by `take` and `split`.

    Attributes
    ----------
    inputs : array, shape (n, ...)
        ``uint8`` or floating-point. Rows of several files, selected rows of a file, and those of an
        object that loads rows are read when they are indexed; ``inputs[:]`` is an array of them.
    targets : array of int64, shape (n,), or floating-point array, shape (n, k)

    Raises
    ------
    DataError
        If there are no rows, rows and targets differ in number, classes are out of range, the
        number of names is wrong, values are missing, masked or not finite, or the data have
        another kind.
    """

    inputs: npt.NDArray[np.generic]
    targets: npt.NDArray[Any]
    class_names: tuple[str, ...]
    name: str = "unnamed"
    column_names: tuple[str, ...] | None = None
    fit: Fit | None = None
    columns: Columns | None = None
    row_numbers: npt.NDArray[np.int64] | None = None
    _elsewhere: ClassVar[Mapping[str, str]] = DATASET

    if not TYPE_CHECKING:  # a type checker knows that it is not indexed

        def __getitem__(self, _: object) -> None:
            """Refuse an index, and with it iteration and unpacking.

            Raises
            ------
            MissingMethodError
                Always.
            """
            raise MissingMethodError(
                "a Dataset is not indexed or unpacked: write data.inputs and data.targets, or "
                "data.take(slice(0, 5)) for a dataset of some rows"
            )

    def __repr__(self) -> str:
        rows = f"{len(self.targets):,} rows of {self.inputs.dtype} {self.input_shape}"
        count = len(self.class_names)
        kind = ("class", "classes") if self.has_classes else ("output", "outputs")
        return printable(f"Dataset({self.name!r}, {rows}, {count} {kind[count != 1]})")

    def __init__(
        self,
        inputs: object,
        targets: object,
        class_names: Iterable[object] | None = None,
        name: str = "unnamed",
        column_names: Iterable[str] | None = None,
        fit: Fit | None = None,
        *,
        channels_last: bool = False,
        columns: Columns | None = None,
        row_numbers: npt.ArrayLike | None = None,
    ) -> None:
        converted = convert_inputs(inputs)
        rows = converted.rows
        if require_bool("channels_last", channels_last):
            rows = _channels_first(rows)
        check_inputs(rows)
        values, names = convert_targets(targets, class_names)
        if len(rows) != len(values):
            raise DataError(
                f"inputs and targets must have one row each per sample, got inputs of shape "
                f"{rows.shape} and targets of shape {values.shape}"
            )
        self._set("inputs", rows)
        self._set("targets", values)
        self._set("class_names", names)
        self._set("name", name)
        names_of_columns = column_names or converted.column_names
        if columns is not None:
            require_instance("columns", columns, Columns)
            names_of_columns = columns.names
        self._set("column_names", _column_names(rows, names_of_columns))
        self._set("columns", columns)
        if fit is not None:
            require_known("fit", fit, get_args(Fit))
        self._set("fit", fit)
        self._set("row_numbers", _row_numbers(row_numbers, len(values)))

    @classmethod
    def from_frame(
        cls,
        frame: object,
        target: str,
        *,
        task: Task | None = None,
        columns: Columns | None = None,
        embed: bool | Sequence[str] = False,
        categorical: Sequence[str] = (),
        drop: Sequence[str] = (),
        drop_missing_targets: bool = False,
        target_scaling: Scaling = "standardize",
        positive: str | None = None,
        name: str = "table",
    ) -> "Dataset":
        """Return a dataset of a raw table, whose columns may have texts and missing values.

        Numbers are standardized, categories become columns of 0 and 1, and a column with missing
        values gets a further one that is 1 in those rows. All rows are training rows, from which
        this is learned: to hold rows out, use `handloom.split_frame`, not `split`. Notes, such as
        of columns that are constant, are a `DataWarning`.

        Parameters
        ----------
        frame : pandas or polars DataFrame, or pyarrow table
        target : str
            The name of the target column.
        task : {"classification", "regression"}, optional
            By default texts, booleans and few different integers are classes, and other numbers
            continuous targets, which are standardized.
        columns : Columns, optional
            Those of the training rows, ``train.columns``, for other rows. Nothing is learned then.
        embed : bool or sequence of str
            The columns of categories, all or those that are named, that become indices for an
            embedding, not columns of 0 and 1.
        categorical : sequence of str
            Columns of numbers that are categories.
        drop : sequence of str
            Columns to leave out.
        drop_missing_targets : bool
            Whether rows without a target are left out, not refused.
        target_scaling : {"standardize", "log", "divide"}
            How continuous targets are scaled for the training: to mean 0 and deviation 1; so after
            their logarithm, for positive targets over several magnitudes; or divided by their mean,
            for `handloom.Poisson`, which takes none below 0. Raw rows are predicted in the units
            of the column.
        positive : str, optional
            Of two classes the positive one, which becomes the second. By default classes have the
            order of a categorical dtype; else that of numbers, or of texts.
        name : str
            The name of the dataset.

        Returns
        -------
        Dataset
            Its ``columns`` are the learned encoding.

        Raises
        ------
        DataError
            If a column is missing, holds dates, free text or infinity, a target is missing, or it
            does not fit the task.
        ConfigurationError
            If an option is invalid, or would be ignored beside ``columns``.
        """
        options = TableOptions(
            target,
            task=task,
            embed=embed,
            categorical=categorical,
            drop=drop,
            drop_missing_targets=drop_missing_targets,
            target_scaling=target_scaling,
            positive=positive,
        )
        table = table_of(frame)
        columns, rows, targets, kept = encode_whole(table, options, columns, tell=warn)
        own = np.flatnonzero(kept)
        return cls(rows, targets, columns.class_names, name, columns=columns, row_numbers=own)

    def _repr_html_(self) -> str:
        """Return a preview: images of each class or the first rows, as a notebook shows them."""
        return render(preview(self))

    def _set(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self.inputs.shape[1:]

    @property
    def has_classes(self) -> bool:
        """Whether targets are classes, not continuous."""
        return self.targets.ndim == 1

    @property
    def rows_per_class(self) -> npt.NDArray[np.int64]:
        """The number of rows of each class, shape (k,).

        Raises
        ------
        DataError
            If targets are continuous.
        """
        if not self.has_classes:
            raise DataError(f"the targets of {self.name} must be classes, got continuous targets")
        return np.bincount(self.targets, minlength=len(self.class_names))

    def take(self, rows: npt.NDArray[np.integer] | slice) -> "Dataset":
        """Return a dataset of ``rows``, in their order.

        Inputs in memory are copied. Those of a mapped file, or of an object that loads rows, stay
        where they are, and are read on demand.

        Raises
        ------
        DataError
            If they are not indices of rows, a mask or a slice.
        """
        if not isinstance(rows, slice):
            rows = checked_rows(rows, len(self))
        inputs, targets = select_rows(self.inputs, rows), self.targets[rows]
        return Dataset(
            inputs,
            targets,
            class_names=self.class_names,
            name=self.name,
            column_names=self.column_names,
            fit=self.fit,
            columns=self.columns,
            row_numbers=None if self.row_numbers is None else self.row_numbers[rows],
        )

    def sorted_by_class(self) -> "Dataset":
        """Return the rows sorted by class; the rows of a class keep their order."""
        return self.take(np.argsort(self.targets, kind="stable"))

    def shuffled(self, stream: Stream) -> "Dataset":
        """Return the dataset in a random order, drawn from ``stream``."""
        return self.take(stream.at(Purpose.SHUFFLE).generator().permutation(len(self)))

    def split(self, fraction: float, stream: Stream) -> tuple["Dataset", "Dataset"]:
        """Split off held-out rows at random, stratified by class if targets are classes.

        Parameters
        ----------
        fraction : float
            The fraction held out, above 0 and below 1. Of every class, or of all rows, at least
            one row is held out and at least one is not.
        stream : Stream
            The source of random numbers.

        Returns
        -------
        rest, held_out : Dataset, Dataset
            Both keep the order of the rows.

        Raises
        ------
        ConfigurationError
            If the fraction is not between 0 and 1.
        DataError
            If a class, or the dataset, has a single row, so that it cannot be split.
        """
        require_number("the fraction to hold out", fraction, minimum=0.0, exclusive=True)
        require_fraction("the fraction to hold out", fraction)
        strata = self.targets if self.has_classes else np.zeros(len(self), np.int64)
        self._require_no_single_row(strata)
        held_out = held_out_rows(strata, np.ones(len(self), bool), fraction, stream)
        return self.take(np.flatnonzero(~held_out)), self.take(np.flatnonzero(held_out))

    def _require_no_single_row(self, strata: npt.NDArray[np.int64]) -> None:
        """Refuse a class or, for continuous targets, a dataset of a single row."""
        single = np.flatnonzero(np.bincount(strata) == 1)
        if len(single):
            name = f"class {self.class_names[single[0]]!r}" if self.has_classes else "the dataset"
            raise DataError(f"{name} must have at least 2 rows to be split, got a single row")


def require_channels_first(data: Dataset) -> None:
    """Check that the shape of images (n, c, y, x) does not look like (n, y, x, c).

    Raises
    ------
    DataError
        If it does, as for operations along the axes y and x.
    """
    if has_channels_last(data.input_shape):
        raise DataError(
            f"images must have shape (n, c, y, x), got {data.inputs.shape}, which looks like "
            "(n, y, x, c): pass channels_last=True to Dataset"
        )


def _column_names(
    rows: npt.NDArray[np.generic], names: Iterable[str] | None
) -> tuple[str, ...] | None:
    """Return the names of the columns of rows, shape (n, d), or None."""
    if names is None:
        return None
    names = (names,) if isinstance(names, str) else tuple(names)
    if rows.shape[1:] != (len(names),):
        raise DataError(
            f"column_names must have one name for each column of inputs of shape {rows.shape}, "
            f"got {listed(names)}"
        )
    return names


def _row_numbers(indices: npt.ArrayLike | None, rows: int) -> npt.NDArray[np.int64] | None:
    """Return the numbers of rows in their table, shape (n,), or None."""
    if indices is None:
        return None
    values = np.asarray(indices)
    if values.shape != (rows,) or values.dtype.kind not in "iu" or (values < 0).any():
        raise DataError(
            f"row_numbers must hold an integer from 0 for each of the {rows:,} rows, got "
            f"{values.dtype} of shape {values.shape}"
        )
    return values.astype(np.int64)


def _channels_first(images: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return images of shape (n, y, x, c) as (n, c, y, x); mapped ones remain mapped."""
    if images.ndim != 4:
        raise DataError(
            f"inputs must have shape (n, y, x, c) with channels_last=True, got {images.shape}"
        )
    if isinstance(images, JoinedRows):
        return JoinedRows([_channels_first(file) for file in images.files])  # type: ignore[return-value]
    moved = np.moveaxis(images[:], -1, 1)  # rows on demand are loaded
    return moved if is_mapped(images) else np.ascontiguousarray(moved)


def check_inputs(inputs: npt.NDArray[np.generic]) -> None:
    """Check inputs: at least one row, uint8 or floating-point, and finite.

    Raises
    ------
    DataError
        If they are invalid; the message names the first row that is not finite.
    """
    if inputs.ndim == 1 and len(inputs):
        raise DataError(
            f"inputs must have at least one row and one column, got shape {inputs.shape}: the "
            "values of a single feature are inputs.reshape(-1, 1), a single row is "
            "inputs.reshape(1, -1)"
        )
    if inputs.ndim < 2 or inputs.size == 0:
        raise DataError(
            f"inputs must have at least one row and one column, got shape {inputs.shape}"
        )
    if inputs.dtype == np.uint8:
        return
    if not np.issubdtype(inputs.dtype, np.floating):
        raise DataError(f"inputs must be uint8 or floating-point, got {inputs.dtype}")
    if isinstance(inputs, SelectedRows):
        return  # rows of a dataset, which were checked when it was made
    row_size = int(np.prod(inputs.shape[1:]))
    rows = max(1, CHECKED_AT_ONCE // row_size)
    read = RowReader(inputs).rows if len(inputs) > rows else inputs.__getitem__
    for start in range(0, len(inputs), rows):
        values = read(slice(start, start + rows)).reshape(-1)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            row = start + int(bad[0]) // row_size
            raise DataError(
                f"inputs must be finite, got {describe_not_finite(values[bad[0]])}; "
                f"the first such row is {row}"
            )


@dataclass(frozen=True)
class Splits:
    """The training and the test part of a dataset, as published: ``train, test = splits``."""

    train: Dataset
    test: Dataset

    def __post_init__(self) -> None:
        if self.train.input_shape != self.test.input_shape:
            raise DataError(
                f"training and test rows must have one shape, got {self.train.input_shape} "
                f"and {self.test.input_shape}"
            )
        if self.train.class_names != self.test.class_names:
            raise DataError(
                f"training and test part must have the same classes, got "
                f"{listed(self.train.class_names)} and {listed(self.test.class_names)}: match the "
                "labels of the test part by class_names=train.class_names"
            )
        require_same_columns(self.test.column_names, self.train.column_names, "test rows")

    def __iter__(self) -> Iterator[Dataset]:
        """Yield the training part and the test part."""
        return iter((self.train, self.test))

    def _repr_html_(self) -> str:
        """Return a preview of the training part, and the size of the test part."""
        parts = (("train", preview(self.train)), ("test", size(self.test)))
        return render([[element("p", element("code", name)), shown] for name, shown in parts])

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self.train.name
