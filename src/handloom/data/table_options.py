"""Options of a table: its target, the task, and how its columns are used."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Self, get_args

from handloom.data.formats.image_options import MAX_SIDE, ImageOptions
from handloom.data.formats.tables import SUFFIXES, is_table
from handloom.data.table_target import Scaling, Task
from handloom.errors import (
    ConfigurationError,
    require_bool,
    require_count,
    require_known,
    require_number,
)

TEST = 0.2
"""The default fraction of test rows of a table in one file."""


@dataclass(frozen=True)
class TableOptions:
    """The options of a table.

    Parameters
    ----------
    target : str
        The name of the target column.
    task : {"classification", "regression"}, optional
        By default texts, booleans and few different integers are classes; other numbers are
        continuous.
    drop : sequence of str
        Columns that are left out.
    categorical : sequence of str
        Columns of numbers that are categories.
    embed : bool or sequence of str
        The columns of categories, all or those that are named, that become indices for
        `handloom.Embedding`, not columns of 0 and 1.
    drop_missing_targets : bool
        Whether rows without a target are left out, not refused.
    test : float or path
        The fraction of test rows, of every class; or another file, whose rows are the test rows.
    seed : int
        The seed of the choice of test rows.
    image_shape : tuple of two int, optional
        The shape (y, x) of images whose pixels, from 0 to 255, are the columns.
    target_scaling : {"standardize", "log", "divide"}
        How continuous targets are scaled for the training; see `handloom.Dataset.from_frame`.
    positive : str, optional
        Of two classes the positive one, which becomes the second.

    Raises
    ------
    ConfigurationError
        If a value is invalid.
    """

    target: str
    _: KW_ONLY
    task: Task | None = None
    drop: Sequence[str] = ()
    categorical: Sequence[str] = ()
    embed: bool | Sequence[str] = False
    drop_missing_targets: bool = False
    test: float | str | os.PathLike[str] = TEST
    seed: int = 0
    image_shape: tuple[int, int] | None = None
    target_scaling: Scaling = "standardize"
    positive: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.target, str) or not self.target:
            raise ConfigurationError(f"target must be the name of a column, got {self.target!r}")
        if self.task is not None:
            require_known("task", self.task, get_args(Task))
        for name in ("drop", "categorical", *(() if isinstance(self.embed, bool) else ("embed",))):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
            if self.target in getattr(self, name):
                raise ConfigurationError(f"{name} must not name the target {self.target!r}")
        require_bool("drop_missing_targets", self.drop_missing_targets)
        require_known("target_scaling", self.target_scaling, get_args(Scaling))
        if self.positive is not None and not isinstance(self.positive, str):
            raise ConfigurationError(f"positive must be the name of a class, got {self.positive!r}")
        if self.task == "classification" and self.target_scaling != "standardize":
            raise ConfigurationError(
                f"target_scaling={self.target_scaling!r} is for a regression, got "
                "task='classification'"
            )
        self._check_test()
        require_count("seed", self.seed, minimum=0)
        if self.image_shape is not None:
            self._check_images(self.image_shape)

    @property
    def test_file(self) -> str | None:
        """The file of the test rows; None if they are a fraction."""
        return self.test if isinstance(self.test, str) else None

    def _check_test(self) -> None:
        if isinstance(self.test, str | os.PathLike):
            file = os.fspath(self.test)
            if not is_table(file):
                raise ConfigurationError(
                    f"test must be a fraction, such as 0.2, or the file of a table with the suffix "
                    f"{', '.join(SUFFIXES)}, got {file!r}"
                )
            object.__setattr__(self, "test", file)
            return
        if require_number("test", self.test, minimum=0.0, exclusive=True) >= 1.0:
            raise ConfigurationError(
                f"test must be a fraction below 1, such as 0.2, got {self.test!r}"
            )

    def _check_images(self, shape: object) -> None:
        if not isinstance(shape, tuple | list) or len(shape) != 2:
            raise ConfigurationError(f"image_shape must be (y, x), got {shape!r}")
        height, width = (require_count("image_shape", side) for side in shape)
        if max(height, width) > MAX_SIDE:
            raise ConfigurationError(f"image_shape must be at most {MAX_SIDE}, got {shape!r}")
        object.__setattr__(self, "image_shape", (height, width))
        ignored = ("categorical", "embed", "drop_missing_targets")
        if self.test_file is not None:
            raise ConfigurationError(
                f"test must be a fraction beside image_shape, got the file {self.test!r}"
            )
        if self.target_scaling != "standardize" or self.positive is not None:
            raise ConfigurationError("target_scaling and positive are not for images; leave it out")
        if self.task == "regression" or any(getattr(self, name) for name in ignored):
            raise ConfigurationError(
                f"image_shape is for classes of images: leave out task, {', '.join(ignored)}"
            )

    def embeds(self, name: str, kind: str) -> bool:
        """Return whether a column of a kind, such as ``"category"``, becomes indices."""
        if isinstance(self.embed, bool):
            return self.embed and kind == "category"
        return name in self.embed

    def to_json(self) -> dict[str, Any]:
        """Return the target and the options that are not the default, for JSON."""
        return {
            each.name: list(value) if isinstance(value, tuple) else value
            for each in fields(self)
            if (value := getattr(self, each.name)) != each.default
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the options that `to_json` returned.

        Raises
        ------
        ConfigurationError
            If an option is unknown or invalid.
        """
        for name in values:
            require_known("option of a table", name, [each.name for each in fields(cls)])
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})


def _names(option: str, names: Any) -> tuple[str, ...]:
    """Return names of columns as a tuple."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigurationError(f"{option} must be a sequence of column names, got {names!r}")
    checked = tuple(names)
    if not all(isinstance(name, str) for name in checked):
        raise ConfigurationError(f"{option} must be a sequence of column names, got {names!r}")
    return tuple(dict.fromkeys(checked))


DataOptions = ImageOptions | TableOptions
"""The options of a dataset: those of a folder of images, or of a table."""


def data_options_from_json(values: Mapping[str, Any]) -> DataOptions:
    """Return the options that `to_json` of either class returned; only tables have a target.

    Raises
    ------
    ConfigurationError
        If an option is unknown or invalid.
    """
    return (TableOptions if "target" in values else ImageOptions).from_json(values)


def option_words(values: Mapping[str, Any]) -> list[str]:
    """Return the result of `to_json` of options as words of a command: ``--size 64 --test 0.2``."""
    words: list[str] = []
    for name, value in values.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append("--embed-all" if name == "embed" else flag)
        elif isinstance(value, list) and name in ("size", "image_shape"):
            words += [flag, f"{value[1]}x{value[0]}"]  # width x height
        elif isinstance(value, list):
            words += [word for column in value for word in (flag, str(column))]
        elif value is not False:
            words += [flag, str(value)]
    return words
