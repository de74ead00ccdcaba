"""Tables on the command line: their options, and the rows of a run that was trained on one."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handloom.cli.console import note
from handloom.cli.options import flag
from handloom.data import ImageOptions, Splits
from handloom.data.formats.tables import is_table, open_file
from handloom.data.notes import Tell
from handloom.data.sources.open_table import read_splits
from handloom.data.sources.published import RESERVED
from handloom.data.table_options import TEST, DataOptions, TableOptions
from handloom.errors import ConfigurationError, DataError
from handloom.text import listed

TABLE_OPTIONS: Mapping[str, tuple[Any, object, str]] = {
    "target": (str | None, None, "Tables: the name of the target column."),
    "task": (
        str | None,
        None,
        "Tables: classification | regression. [default: classes if the target holds texts, "
        "booleans or few different integers]",
    ),
    "drop": (list[str] | None, None, "Tables: a column to leave out; may be repeated."),
    "categorical": (
        list[str] | None,
        None,
        "Tables: a column of numbers that are categories; may be repeated.",
    ),
    "embed": (
        list[str] | None,
        None,
        "Tables: a column of categories, each of which gets a learned vector; may be repeated.",
    ),
    "embed_all": (bool, False, "Tables: the same for all columns of categories."),
    "drop_missing_targets": (bool, False, "Tables: leave out rows without a target."),
    "target_scaling": (
        str | None,
        None,
        "Tables: of continuous targets, standardize | log | divide: log for positive targets over "
        "several magnitudes, divide for --loss poisson. [default: standardize]",
    ),
    "positive": (
        str | None,
        None,
        "Tables: of two classes the positive one. [default: the second in their order]",
    ),
    "image_shape": (
        str | None,
        None,
        "Tables: the columns are the pixels of images of this size, such as 28x28 "
        "(width x height).",
    ),
}
"""The options of tables: type, default and help."""

RUN_DEFAULTS: Mapping[str, Any] = {"batch_size": 32, "epochs": 50}
"""Settings of a training on a table, unless they are set: most tables have few rows."""


def data_options_of(values: Mapping[str, Any]) -> DataOptions:
    """Return the options of a table if a target is named, or else those of image folders.

    Raises
    ------
    ConfigurationError
        If options of both kinds are set, or those of tables without a target.
    """
    tables = {name: values[name] for name in TABLE_OPTIONS}
    images = {name: value for name, value in values.items() if name not in TABLE_OPTIONS}
    chosen = {name: value for name, value in tables.items() if value}
    if "target" not in chosen:
        if chosen:
            raise ConfigurationError(
                f"{flag(next(iter(chosen)))} needs --target with the name of the target column"
            )
        return ImageOptions(**images)
    test = images.pop("test")
    if others := ImageOptions(**images).to_json():
        raise ConfigurationError(
            f"{flag(next(iter(others)))} is for folders of images and would be ignored beside "
            "--target; leave it out"
        )
    if "image_shape" in chosen:
        chosen["image_shape"] = images_shape(chosen["image_shape"])
    if chosen.pop("embed_all", False):
        if "embed" in chosen:
            raise ConfigurationError("--embed would be ignored beside --embed-all; leave it out")
        chosen["embed"] = True
    if isinstance(test, str) and is_table(test):
        test = str(Path(test).resolve())  # a run is evaluated from any folder
    return TableOptions(**chosen, test=TEST if test is None else test)


def images_shape(text: str) -> tuple[int, int]:
    """Return ``(y, x)`` for the text ``"<x>x<y>"``.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    sides = text.lower().replace("\u00d7", "x").split("x")
    if len(sides) != 2 or not all(each.isascii() and each.isdecimal() for each in sides):
        raise ConfigurationError(
            f"--image-shape must be <width>x<height>, such as 28x28, got {text!r}"
        )
    return int(sides[1][:9]), int(sides[0][:9])


def names_table(named: str | None) -> bool:
    """Return whether ``--data`` names the file of a table."""
    return named is not None and named not in RESERVED and is_table(named)


def refuse_table(named: str | None, command: str) -> None:
    """Refuse a table for a command that has no option to name its target.

    Raises
    ------
    ConfigurationError
        If ``--data`` names a table.
    """
    if named is not None and names_table(named):
        raise ConfigurationError(
            f"{named} is a table; handloom {command} takes images or a named dataset. A table is "
            f"trained with: handloom train --data {shlex.quote(named)} --target COLUMN"
        )


def load_table(named: str | None, options: DataOptions, *, tell: Tell = note) -> Splits:
    """Return the training and the test part of a table.

    Raises
    ------
    ConfigurationError
        If it is no table, or no target is named.
    DataError
        If it cannot be read.
    """
    if named is None or not names_table(named):
        if named is not None and Path(named).suffix and not Path(named).is_dir():
            open_file(named, tell=tell)  # refuses the suffix
        raise ConfigurationError(
            f"--target is for tables: name a CSV or Parquet file with --data, got {named}"
        )
    if not isinstance(options, TableOptions):
        names = open_file(named, tell=tell).names
        raise ConfigurationError(
            f"{named}: --target must name the target column, one of {listed(names)}"
        )
    return read_splits(named, options, tell=tell)


def existing_table(named: str) -> None:
    """Check that the table of a run is still there.

    Raises
    ------
    DataError
        If it is not.
    """
    if not Path(named).is_file():
        raise DataError(f"{named}: does not exist, expected the table of the run")


def quiet(_: str) -> None:
    """Take the notes about the data of a run, which its training has told."""
