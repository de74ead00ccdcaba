"""Opening a dataset folder: IDX files or folders of images."""

import os
from pathlib import Path
from typing import Literal

from handloom.data.dataset import Splits
from handloom.data.formats.idx import FILE_STEMS, read_idx_folder
from handloom.data.formats.image_folders import PARTS, Progress, read_image_folders
from handloom.data.sources.published import named_if_published
from handloom.errors import DataError

Kind = Literal["idx", "images"]


def open_folder(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    on_progress: Progress | None = None,
) -> Splits:
    """Read the dataset that a folder holds: IDX files or folders of images.

    If it holds the rows of Fashion-MNIST, it gets that name and the names of its classes.

    Parameters
    ----------
    path : path
        The folder; ``~`` stands for the user's home.
    name : str, optional
        The name of the dataset; by default the name of the folder.
    on_progress : callable, optional
        Called from time to time with the number of images read, and the total; not for IDX files.

    Returns
    -------
    Splits
        Images of shape (n, y, x) and dtype uint8.

    Raises
    ------
    DataError
        If the path is empty, does not exist, is not a folder or holds neither kind, and in the
        cases of `read_idx_folder` and `read_image_folders`.
    """
    folder = existing_folder(path)
    if kind_of(folder) == "idx":
        splits = read_idx_folder(folder, name=name)
    else:
        splits = read_image_folders(folder, name, on_progress=on_progress)
    return named_if_published(splits) if name is None else splits


def existing_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path of a folder that exists.

    Raises
    ------
    DataError
        If the path is empty, does not exist or is a file.
    """
    if not os.fspath(path):
        raise DataError("the path of the data is empty, expected a folder")
    try:
        folder = Path(path).expanduser()
        if folder.is_dir():
            return folder
        problem = (
            "a file, expected a folder" if folder.exists() else "does not exist, expected a folder"
        )
    except (OSError, RuntimeError, ValueError) as error:
        # No permission, no home folder, a zero byte in the path.
        problem = f"cannot be read: {error}"
    raise DataError(f"{path}: {problem}")


def kind_of(folder: Path) -> Kind:
    """Return the kind of a dataset folder: ``"idx"``, also if it holds both, or ``"images"``.

    Raises
    ------
    DataError
        If the folder holds neither.
    """
    try:
        names = {path.name.removesuffix(".gz") for path in folder.iterdir()}
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if any(stem in names for stems in FILE_STEMS.values() for stem in stems):
        return "idx"
    if any(part in names for part in PARTS):
        return "images"
    raise DataError(
        f"{folder}: holds no dataset, expected the four IDX files (train-images-idx3-ubyte.gz, "
        f"...) or the folders train/ and test/ with one folder of images for each class"
    )
