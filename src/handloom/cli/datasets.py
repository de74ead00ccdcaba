"""Datasets on the command line: their names, and the options of image folders."""

import inspect
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from handloom.cli.console import note
from handloom.data import DownloadError, ImageOptions, Splits, fashion_mnist, silhouettes
from handloom.data.formats.idx_names import idx_sets
from handloom.data.sources.fashion_mnist import VARIABLE
from handloom.data.sources.open_folder import read_folder
from handloom.data.sources.published import NAME, RESERVED
from handloom.errors import ConfigurationError, DataError, unknown_name
from handloom.model import Model
from handloom.training.run_folder import RunDescription, RunFolder, is_run

Data = Annotated[
    str | None,
    typer.Option(
        help="A folder of IDX files, an image folder, or a name: fashion-mnist, silhouettes. "
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
    "test": (float | None, None, "Class folders: the fraction of each class held out as test set."),
    "skip_bad": (bool, False, "Image folders: skip files that are damaged or no images."),
}
"""The options of image folders: type, default and help."""


def with_image_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorate a command with the options of image folders, as its argument ``options``."""
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
        for name, (kind, default, text) in OPTIONS.items()
    ]

    @wraps(command)
    def with_options(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in OPTIONS}
        chosen["size"] = _size(chosen["size"])
        command(options=ImageOptions(**chosen), **values)

    # typer reads the signature and calls by keyword
    with_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        sorted([*parameters, *added], key=lambda parameter: parameter.kind)
    )
    return with_options


def _option(name: str, kind: object, text: str) -> Any:
    flag = f"--{name.replace('_', '-')}"
    return typer.Option(flag, help=text) if kind is bool else typer.Option(help=text)


def _size(text: str | None) -> int | tuple[int, int] | None:
    """Return ``(y, x)`` for the text ``"<x>x<y>"``, or the side of a square."""
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdecimal() for side in sides):
        raise ConfigurationError(
            f"--size must be a whole number or <width>x<height>, such as 64 or 64x48, got {text!r}"
        )
    return int(sides[0]) if len(sides) == 1 else (int(sides[1]), int(sides[0]))


def load_dataset(named: str | None, options: ImageOptions = DEFAULT) -> Splits:
    """Return the named dataset; by default Fashion-MNIST or else silhouettes.

    Raises
    ------
    DataError
        If the named dataset cannot be loaded; no other one is loaded in its place.
    ConfigurationError
        If there are options, and it is not a folder of images.
    """
    if named is None or named in RESERVED:
        refuse_options(options, named)
    if named == "silhouettes":
        return silhouettes()
    if named == NAME:
        splits = fashion_mnist()
        if splits.name != NAME:
            raise DataError(f"{VARIABLE} must name a folder of {NAME}, got {splits.name}")
        return splits
    if named is not None:
        check_known(named)
        return read_folder(named, options=options, tell=note)
    try:
        return fashion_mnist()
    except DownloadError as error:
        note(
            f"Fashion-MNIST was not found and cannot be downloaded ({error}); "
            f"using the generated dataset silhouettes instead."
        )
        return silhouettes()


def refuse_options(options: ImageOptions, named: str | None) -> None:
    """Refuse options of image folders for another dataset.

    Raises
    ------
    ConfigurationError
        If there are any.
    """
    for name in options.to_json():
        flag = f"--{name.replace('_', '-')}"
        if named is None:
            raise ConfigurationError(f"{flag} needs --data with a folder of images")
        raise ConfigurationError(f"{flag} would be ignored for {named}; leave it out")


def check_known(named: str) -> None:
    """Refuse a name that is neither a folder nor that of a dataset.

    Raises
    ------
    DataError
        With the names that are known; the error for a path is that of opening it.
    """
    path = Path(named)
    if named and path.name == named and not path.exists() and named not in idx_sets(path.parent):
        raise DataError(f"{unknown_name('dataset', named, RESERVED)} Or name a folder")


def dataset_source(named: str | None, splits: Splits) -> str:
    """Return a name or an absolute path by which a loaded dataset can be loaded again."""
    if named is None:
        generated = splits.name == "silhouettes"
        named = "silhouettes" if generated else os.environ.get(VARIABLE) or NAME
    return named if named in RESERVED else str(Path(named).resolve())


def options_of_run(description: RunDescription) -> ImageOptions:
    """Return the options with which the dataset of a run was read."""
    return ImageOptions.from_json(description.data_options)


def dataset_for(run: Path, model: Model, named: str | None, options: ImageOptions) -> Splits:
    """Return the named dataset, or else the one that the model of a folder was trained on.

    Raises
    ------
    DataError
        If it cannot be loaded, or neither its name nor the run says where it is.
    ConfigurationError
        If there are options for a dataset that is not named.
    """
    if named is not None:
        return load_dataset(named, options)
    refuse_options(options, None)
    if model.trained_on in RESERVED:
        return load_dataset(model.trained_on)
    if is_run(run):
        description = RunFolder.open(run).description
        return load_dataset(description.data, options_of_run(description))
    raise DataError(f"the model was trained on {model.trained_on}; name its folder with --data")
