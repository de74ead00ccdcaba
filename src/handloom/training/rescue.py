"""Rescue: a trained model that cannot be saved where it should is saved where there is room."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from handloom.errors import HandloomError
from handloom.files import FileError
from handloom.model import Model
from handloom.parameters import Array
from handloom.secondary import reason


def save_model(model: Model, folder: Path, *, weights: Array | None = None) -> None:
    """Save a model; if that fails, save it to another folder.

    Tried are: beside the folder, the current directory, the home, and the directory for temporary
    files.

    Parameters
    ----------
    model, folder, weights
        As in `Model.save`.

    Raises
    ------
    FileError
        If the model is not in its folder; the message says where it is, or that it is nowhere.
    HandloomError
        If a model of this kind cannot be saved at all.
    """
    try:
        model.save(folder, weights=weights)
    except Exception as error:
        if isinstance(error, HandloomError) and not isinstance(error, FileError):
            raise
        message, failures = reason(error), []
        with suppress(OSError):  # into an empty one, a folder would be moved, not in its place
            folder.rmdir()
        for directory in _directories(folder):
            try:
                saved = _save_in(directory, model, weights)
            except Exception as another:
                failures.append(reason(another))
                continue
            raise FileError(
                f"{message}; the model is saved to {saved} instead: move it to {folder}"
            ) from None
        raise FileError(
            f"{message}; the model is not saved anywhere else either: {'; '.join(failures)}"
        ) from None


def _save_in(directory: Path, model: Model, weights: Array | None) -> Path:
    """Save a model to a new folder in a directory, and return the folder."""
    folder = Path(tempfile.mkdtemp(prefix="handloom-model-", dir=directory))
    try:
        model.save(folder, weights=weights)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _directories(folder: Path) -> Iterator[Path]:
    """Yield directories that may have room: first those that last, and are easily seen."""
    yield folder.absolute().parent
    for directory in (Path.cwd, Path.home, tempfile.gettempdir):
        try:
            yield Path(directory())
        except (OSError, RuntimeError):  # it was deleted, there is none, or nothing can be written
            continue
