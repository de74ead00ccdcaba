"""Datasets on the command line: their names, and the options of image folders."""

import inspect
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from handloom.cli.console import note
from handloom.cli.options import flag
from handloom.cli.table_options import (
    TABLE_OPTIONS,
    data_options_of,
    existing_table,
    load_table,
    names_table,
    quiet,
)
from handloom.data import DownloadError, ImageOptions, Splits, fashion_mnist, silhouettes
from handloom.data.formats.idx_names import idx_sets
from handloom.data.formats.image_options import MAX_SIDE
from handloom.data.notes import Tell
from handloom.data.sources.fashion_mnist import VARIABLE
from handloom.data.sources.generated import GENERATED
from handloom.data.sources.open_folder import existing_folder, holds_files_of_rows, read_folder
from handloom.data.sources.published import NAME, RESERVED
from handloom.data.table_options import (
    DataOptions,
    TableOptions,
    data_options_from_json,
    option_words,
)
from handloom.errors import ConfigurationError, DataError, unknown_name
from handloom.files import FileError
from handloom.model import Model
from handloom.training.run_description import RunDescription
from handloom.training.run_folder import RunFolder, is_run
from handloom.training.tables import TrainingTable, table_for, test_rows_sum

NAMES = ", ".join(RESERVED)
"""The names of datasets, for help texts."""

Data = Annotated[
    str | None,
    typer.Option(
        help="A folder (IDX, .npy, images), a table (CSV, Parquet), or a name: "
        f"{NAMES}. "
        "[default: Fashion-MNIST, if it is found or can be downloaded]",
        show_default=False,
    ),
]

RunData = Annotated[
    str | None,
    typer.Option(
        help="A folder (IDX, .npy, images), a table (CSV, Parquet), or a name: "
        f"{NAMES}. "
        "[default: the data of the run]",
        show_default=False,
    ),
]

ImageData = Annotated[
    str | None,
    typer.Option(
        help="A folder (IDX, .npy, images), or a name: "
        f"{NAMES}. "
        "[default: Fashion-MNIST, if it is found or can be downloaded]",
        show_default=False,
    ),
]

DEFAULT = ImageOptions()

OPTIONS: Mapping[str, tuple[Any, object, str]] = {
    "size": (
        str | None,
        None,
        "Image folders: resize all images, to 64 (a square) or 64x48 (width x height).",
    ),
    "fit": (str, DEFAULT.fit, "With --size, for other aspect ratios: pad | crop | stretch."),
    "color": (str | None, None, "Image folders: convert all images: gray | rgb | rgba."),
    "test": (
        str | None,
        None,
        "Class folders: the fraction of each class held out as test set, such as 0.2.",
    ),
    "skip_bad": (bool, False, "Image folders: skip files that are damaged or no images."),
}
"""The options of image folders: type, default and help."""

TEST_OF_BOTH = (
    str | None,
    None,
    "Class folders, and tables (by default 0.2): the fraction of each class held out as test "
    "set, such as 0.2; of tables also the file of the test rows, such as test.csv.",
)
"""The option ``--test`` of commands that take tables with options too."""


def with_image_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command with the options of image folders, as its argument ``options``."""
    return _with_options(command, OPTIONS, lambda chosen: ImageOptions(**chosen))


def with_data_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command with the options of image folders and tables, as ``options``."""
    options = {**OPTIONS, "test": TEST_OF_BOTH, **TABLE_OPTIONS}
    return _with_options(command, options, data_options_of)


def _with_options(
    command: Callable[..., None],
    named: Mapping[str, tuple[Any, object, str]],
    make: Callable[[dict[str, Any]], DataOptions],
) -> Callable[..., None]:
    parameters = [
        parameter
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name != "options"
    ]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, _option(name, kind, text)],
        )
        for name, (kind, default, text) in named.items()
    ]

    @wraps(command)
    def with_options(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in named}
        chosen["size"], chosen["test"] = _size(chosen["size"]), _test(chosen["test"])
        command(options=make(chosen), **values)

    # typer reads the signature and calls by keyword
    with_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        sorted([*parameters, *added], key=lambda parameter: parameter.kind)
    )
    return with_options


def _option(name: str, kind: object, text: str) -> Any:
    if kind is bool:
        return typer.Option(flag(name), help=text)
    repeated = kind == list[str] | None
    return typer.Option(help=text, metavar="<str>" if repeated else None)


def _size(text: str | None) -> int | tuple[int, int] | None:
    """Return ``(y, x)`` for the text ``"<x>x<y>"``, or the side of a square."""
    if text is None:
        return None
    sides = [side.strip() for side in text.lower().replace("\u00d7", "x").split("x")]
    if len(sides) > 2 or not all(map(_is_side, sides)):
        raise ConfigurationError(
            f"--size must be a whole number or <width>x<height>, such as 64 or 64x48, of at most "
            f"{MAX_SIDE}, got {text!r}"
        )
    return int(sides[0]) if len(sides) == 1 else (int(sides[1]), int(sides[0]))


def _is_side(text: str) -> bool:
    digits = text.isascii() and text.isdecimal() and len(text) < 9
    return digits and 1 <= int(text) <= MAX_SIDE


def _test(text: str | None) -> float | None:
    """Return the fraction that a text is; other text is refused with the options."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return cast(float, text)


def load_dataset(named: str | None, options: DataOptions = DEFAULT, *, tell: Tell = note) -> Splits:
    """Return the named dataset; by default Fashion-MNIST or else silhouettes.

    Raises
    ------
    DataError
        If the named dataset cannot be loaded; no other one is loaded in its place.
    ConfigurationError
        If there are options for another kind of data, or no target of a table.
    """
    if isinstance(options, TableOptions) or names_table(named):
        return load_table(named, options, tell=tell)
    if named is None or named in RESERVED:
        refuse_options(options, named)
    if named is not None and named in GENERATED:
        return GENERATED[named]()
    if named == NAME:
        splits = fashion_mnist()
        if splits.name != NAME:
            raise DataError(f"{VARIABLE} must name a folder of {NAME}, got {splits.name}")
        return splits
    if named is not None:
        check_known(named)
        return read_folder(named, options=options, tell=tell)
    try:
        return fashion_mnist()
    except DownloadError as error:
        note(
            "using the generated dataset silhouettes instead of Fashion-MNIST",
            f"(it was not found, and {error})",
        )
        return silhouettes()


def refuse_options(options: DataOptions, named: str | None) -> None:
    """Refuse options of image folders or tables for another dataset.

    Raises
    ------
    ConfigurationError
        If there are any.
    """
    for name in options.to_json():
        if named is None:
            raise ConfigurationError(f"{flag(name)} needs --data with a folder of images")
        raise ConfigurationError(f"{flag(name)} would be ignored for {named}; leave it out")


def check_known(named: str) -> None:
    """Refuse a name that is neither a folder nor that of a dataset.

    Raises
    ------
    DataError
        With the names that are known; the error for a path is that of opening it.
    """
    path = Path(named)
    if named in RESERVED:
        return
    if named and path.name == named and not path.exists() and named not in idx_sets(path.parent):
        raise DataError(f"{unknown_name('dataset', named, RESERVED)} Or name a folder")


def refuse_in_images(out: Path, named: str | None) -> None:
    """Refuse an output within the named folder of images: it would be a class, or an image of one.

    Raises
    ------
    FileError
        If it is there.
    """
    if named is None or named in RESERVED:
        return
    try:
        folder = existing_folder(named)
    except DataError:  # reading the data says so
        return
    inside = folder.is_dir() and out.resolve().is_relative_to(folder.resolve())
    if inside and not holds_files_of_rows(folder):
        raise FileError(
            f"the output must not be in the folder of images {folder}, got {out}: name a path "
            "beside it with --out"
        )


def dataset_source(named: str | None, splits: Splits) -> str:
    """Return a name or an absolute path by which a loaded dataset can be loaded again."""
    if named is None:
        generated = splits.name == "silhouettes"
        named = "silhouettes" if generated else os.environ.get(VARIABLE) or NAME
    return named if named in RESERVED else str(Path(named).resolve())


def recorded_data(description: RunDescription, model: Model | None = None) -> str:
    """Return the name or the folder of the data of a run.

    Where the folder is gone, the name of the dataset that the model was trained on, if known.

    Raises
    ------
    DataError
        If the folder is gone.
    """
    named = description.data
    if named in RESERVED:
        return named
    try:
        if names_table(named):
            existing_table(named)
        else:
            existing_folder(named)
    except DataError as error:
        if model is not None and model.trained_on in RESERVED:
            return model.trained_on
        raise DataError(f"{error}; name its new place with --data") from error
    return named


def options_for_resume(run: Path, description: RunDescription, options: DataOptions) -> DataOptions:
    """Return the options of the data of a run, which a resume does not change.

    Raises
    ------
    ConfigurationError
        If others are chosen.
    """
    own = options_of_run(description)
    if options.to_json() and options != own:
        has = f"was read with {flags(own)}" if own.to_json() else "was read without such options"
        raise ConfigurationError(
            f"{flags(options)}: the data of {run} {has}, which cannot change; leave them out"
        )
    return own


def flags(options: DataOptions) -> str:
    """Return options as they are written on the command line: ``--size 64 --test 0.2``."""
    return _flags(options.to_json())


def _flags(values: Mapping[str, Any]) -> str:
    return " ".join(option_words(values))


def _with_those_of_run(
    named: str, options: ImageOptions, own: ImageOptions, model: Model
) -> ImageOptions:
    """Return options for images of the user, with those of a run where none are chosen.

    Size and color are those of the rows of its model.
    """
    if named in RESERVED:
        return options
    check_known(named)
    folder = existing_folder(named)
    if not folder.is_dir() or holds_files_of_rows(folder):
        return options
    recorded, chosen = {**own.to_json(), **_size_and_color(model)}, options.to_json()
    added = {name: recorded[name] for name in recorded if name not in (*chosen, "test", "seed")}
    merged = ImageOptions.from_json({**added, **chosen})
    shown = {name: value for name, value in merged.to_json().items() if name in added}
    if shown:
        note(f"{named}: read with {_flags(shown)}, as the data of the run")
    return merged


def _size_and_color(model: Model) -> dict[str, Any]:
    """Return the options ``size`` and ``color`` that give images the shape of a model's rows."""
    shape = model.row_shape
    color = {(): "gray", (3,): "rgb", (4,): "rgba"}.get(shape[:-2])
    if model.row_dtype != "uint8" or len(shape) < 2 or color is None or max(shape[-2:]) > MAX_SIDE:
        return {}
    return {"size": list(shape[-2:]), "color": color}


def options_of_run(description: RunDescription) -> DataOptions:
    """Return the options with which the dataset of a run was read."""
    return data_options_from_json(description.data_options)


def table_of_run(description: RunDescription) -> TrainingTable | None:
    """Return the table that a run was trained on; None if that is other data."""
    own = options_of_run(description)
    if not isinstance(own, TableOptions):
        return None
    return TrainingTable(description.data, own, description.test_rows)


def drawn_test_rows(splits: Splits, options: DataOptions) -> str | None:
    """Return the SHA-256 of test rows that were drawn by options; None if the data have a part."""
    drawn = isinstance(options, TableOptions) or options.test is not None
    return test_rows_sum(splits) if drawn else None


def _draws_others(description: RunDescription | None, splits: Splits) -> bool:
    """Return whether a run recorded its test rows, and they are others."""
    recorded = None if description is None else description.test_rows
    return recorded is not None and recorded != test_rows_sum(splits)


def dataset_for(
    run: Path,
    model: Model,
    named: str | None,
    options: ImageOptions,
    *,
    measured: bool = False,
) -> Splits:
    """Return the named dataset, or else the one that the model of a folder was trained on.

    Raises
    ------
    DataError
        If it cannot be loaded, or neither its name nor the run says where it is; and if the test
        rows are to be measured, and are others than in the training.
    ConfigurationError
        If there are options for a dataset that is not named.
    """
    description = RunFolder.open(run).description if is_run(run) else None
    own = DEFAULT if description is None else options_of_run(description)
    source = None if description is None else description.data
    if names_table(named) or (named is None and isinstance(own, TableOptions)):
        refuse_options(options, named)
        if named is None:
            assert description is not None
            named = recorded_data(description, model)
        assert named is not None
        of_run = None if description is None else table_of_run(description)
        return table_for(model, named, of_run, tell=note)
    if named is not None:
        own = own if isinstance(own, ImageOptions) else DEFAULT
        chosen = _with_those_of_run(named, options, own, model)
        splits = load_dataset(named, chosen)
        same = description is not None and str(Path(named).resolve()) == description.data
        if same and chosen.fit == own.fit and _draws_others(description, splits):
            note(f"{named}: other test rows than in the training; some may be training rows")
        return splits
    refuse_options(options, None)
    if description is not None:
        source = recorded_data(description, model)
        same = source == description.data
        own = options_of_run(description) if same else DEFAULT
        splits = load_dataset(source, own, tell=quiet)
        if measured and same and _draws_others(description, splits):
            raise DataError(
                f"{source}: its test rows are not those of the training, since files or their "
                "pixels have changed, and some may be training rows of then: name the earlier "
                "folder, or one of new images, with --data"
            )
        return splits
    if model.trained_on in RESERVED:
        return load_dataset(model.trained_on)
    raise DataError(f"the model was trained on {model.trained_on}; name its folder with --data")
