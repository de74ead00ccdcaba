"""What several commands share: their options, and how a dataset or a folder is found from them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from handloom.cli.console import note
from handloom.data import DownloadError, Splits, fashion_mnist, open_folder, silhouettes
from handloom.data.sources.fashion_mnist import VARIABLE
from handloom.data.sources.published import NAME, RESERVED
from handloom.errors import ConfigurationError, DataError
from handloom.files import FileError, make_folder
from handloom.locks import LOCK, only_writer
from handloom.model import Model
from handloom.training.run_folder import RunFolder, is_run

Data = Annotated[
    str | None,
    typer.Option(
        help="A folder of IDX files, an image folder, or a name: fashion-mnist, silhouettes. "
        "[default: Fashion-MNIST, where it can be found or downloaded]",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="A new folder for what is written.", show_default="the next free in runs/"),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model's.")]


def load_dataset(named: str | None) -> Splits:
    """Return the dataset that a user named or, where none was named, the best there is.

    Raises
    ------
    DataError
        If the named dataset cannot be had; nothing is ever put in its place.
    """
    if named == "silhouettes":
        return silhouettes()
    if named == NAME:
        found = fashion_mnist()
        if found.name != NAME:
            raise DataError(f"{VARIABLE} names {found.name}, which is not {NAME}")
        return found
    if named is not None:
        return open_folder(named)
    try:
        return fashion_mnist()
    except DownloadError as error:
        note(
            f"Fashion-MNIST was not found and cannot be downloaded ({error}); "
            f"using the generated dataset silhouettes instead."
        )
        return silhouettes()


def data_found(named: str | None, splits: Splits) -> str:
    """Return what names a dataset that was loaded, wherever it is asked for again."""
    if named is None:
        found = splits.name == "silhouettes"
        named = "silhouettes" if found else os.environ.get(VARIABLE) or NAME
    return named if named in RESERVED else str(Path(named).resolve())


@contextmanager
def output_folder(out: Path | None, default: str) -> Iterator[Path]:
    """Give a new folder to write a run to: the one that was named, or the next free one.

    Nobody else may write to it meanwhile. If nothing was written to it because of an error, it
    does not stay behind.

    Raises
    ------
    FileError
        If it cannot be written to, another run writes to it, or it is not empty: what is in it
        would be lost.
    """
    folder = _next_free(default) if out is None else out
    if folder == Path():
        raise FileError("--out names no folder")
    new = not folder.exists()
    if not (folder / LOCK).exists():
        _require_empty(folder)  # before a lock is put into what is not ours
    with only_writer(make_folder(folder)):
        _require_empty(folder)
        try:
            yield folder
        except BaseException:
            if new:
                with suppress(OSError):
                    _remove_empty(folder)
            raise


def _require_empty(folder: Path) -> None:
    if folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
        raise FileError(f"{folder} is not empty; name a new folder with --out")


def _remove_empty(folder: Path) -> None:
    """Remove a folder that nothing was written to."""
    if not any(path.name != LOCK for path in folder.iterdir()):
        (folder / LOCK).unlink()
        folder.rmdir()


def load_model(folder: Path) -> Model:
    """Return the model of a run, or of a folder that is a model itself."""
    return RunFolder.open(folder).model() if is_run(folder) else Model.load(folder)


def _next_free(name: str) -> Path:
    number = 1
    while (folder := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return folder


def given_options(context: typer.Context) -> list[str]:
    """Return the names of the parameters that were given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source and source.name != "DEFAULT"]


def refuse_other_options(context: typer.Context, option: str, allowed: Iterable[str]) -> None:
    """Refuse options that are invalid beside another one.

    Raises
    ------
    ConfigurationError
        If one that is not allowed was given.
    """
    for name in given_options(context):
        if name not in allowed:
            given = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"{given} would be ignored beside {option}; leave it out")
