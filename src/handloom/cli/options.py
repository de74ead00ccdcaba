"""Options that several commands share, and the models and folders that they name."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from handloom.cli.console import note
from handloom.errors import ConfigurationError
from handloom.files import MANIFEST, FileError, make_folder
from handloom.locks import LOCK, HeldFolder, only_writer
from handloom.model import Model
from handloom.text import listed
from handloom.training.run_folder import DESCRIPTION, RUNS, RunFolder, is_run

Out = Annotated[
    Path | None,
    typer.Option(help="A new folder for the output.", show_default="the next free one in runs/"),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder or a model folder.")]


@contextmanager
def output_folder(out: Path | None, default: str) -> Iterator[HeldFolder]:
    """Lock a new output folder: ``out``, or by default the next free one in ``runs``.

    A new folder is removed again if an error occurs before anything is written to it.

    Raises
    ------
    FileError
        If it cannot be written to, another run writes to it, or it is not empty.
    """
    folder = _next_free(default) if out is None else out
    if folder == Path():
        raise FileError(f"--out must name a new folder, got {str(folder)!r}")
    new = out is None or not folder.exists()
    if not (folder / LOCK).exists():
        _require_empty(folder)  # before a lock file is created in it
    with only_writer(make_folder(folder), warn=note) as held:
        _require_empty(folder)
        try:
            yield held
        except BaseException:
            if new:
                with suppress(OSError):
                    _remove_empty(held.path)
            raise


def require_new_file(option: str, path: Path, suffix: str) -> None:
    """Check the name of a file to write, before anything else is done.

    Raises
    ------
    FileError
        If it has another suffix, or exists: nothing is replaced.
    """
    if path.suffix.lower() != suffix:
        raise FileError(f"{option} must name a {suffix} file, got {path}")
    if path.exists():
        raise FileError(f"{option} must name a new file, but {path} exists")


def require_folder_of(option: str, path: Path) -> None:
    """Check that the folder of a file to write exists.

    Raises
    ------
    FileError
        If it does not.
    """
    if not path.parent.is_dir():
        raise FileError(
            f"{option} {path}: the folder {path.parent} does not exist, create it first"
        )


def _require_empty(folder: Path) -> None:
    if folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
        raise FileError(f"{folder} is not empty; --out must name a new folder")


def _remove_empty(folder: Path) -> None:
    """Remove a folder that holds nothing but lock files and empty folders."""
    if all(
        path.name == LOCK or (path.is_dir() and not path.is_symlink()) for path in folder.rglob("*")
    ):
        shutil.rmtree(folder)


def load_model(folder: Path) -> Model:
    """Load the model of a run folder or of a model folder.

    Raises
    ------
    ModelError, FileError
        If there is none; of a folder of runs, with their names.
    """
    if is_run(folder) or not folder.is_dir():  # of which a run folder tells the nearest one
        return RunFolder.open(folder).model()
    descriptions = [*folder.glob(f"*/{DESCRIPTION}"), *folder.glob(f"{RUNS}*/{DESCRIPTION}")]
    runs = sorted(str(each.parent.relative_to(folder)) for each in descriptions)
    if runs and not (folder / MANIFEST).exists():
        raise FileError(f"{folder} holds the runs {listed(map(repr, runs))}: name one of them")
    return Model.load(folder)


def _next_free(name: str) -> Path:
    """Create the folder of the next free number; of several commands each gets its own."""
    for number in count(1):
        folder = Path("runs") / f"{name}-{number}"
        try:
            make_folder(folder.parent)
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"cannot create {folder}: {error.strerror}") from None
        return folder
    raise AssertionError("unreachable")


def flag(name: str) -> str:
    """Return the name of an option as it is written on the command line."""
    return f"--{name.replace('_', '-')}"


def explicit_options(context: typer.Context) -> list[str]:
    """Return the names of the parameters set on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source and source.name != "DEFAULT"]


def refuse_other_options(context: typer.Context, option: str, allowed: Iterable[str]) -> None:
    """Refuse options that another option would ignore.

    Raises
    ------
    ConfigurationError
        If an option is set that is not allowed.
    """
    for name in explicit_options(context):
        if name not in allowed:
            raise ConfigurationError(f"{flag(name)} would be ignored beside {option}; leave it out")
