"""Opening a dataset folder: IDX files, ``.npy`` files or folders of images."""

import os
from pathlib import Path
from typing import Literal

from handloom.data.dataset import Splits
from handloom.data.formats.idx_folders import read_idx_folder
from handloom.data.formats.idx_names import idx_sets
from handloom.data.formats.image_folders import Progress, read_image_folders
from handloom.data.formats.image_listing import (
    content_of_folder,
    files_below,
    part_folders,
    visible,
)
from handloom.data.formats.image_options import Color, Fit, ImageOptions
from handloom.data.formats.npy_folders import npy_files, read_npy_folder
from handloom.data.formats.tables import EXPECTED, packed_hint
from handloom.data.notes import Tell, warn
from handloom.data.sources.published import named_if_published
from handloom.errors import DataError

Kind = Literal["idx", "npy", "images"]


def open_folder(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    fit: Fit = "pad",
    color: Color | None = None,
    test: float | None = None,
    seed: int = 0,
    skip_bad: bool = False,
    on_progress: Progress | None = None,
) -> Splits:
    """Read the dataset that a folder holds: IDX files, ``.npy`` files or folders of images.

    If it holds the rows of Fashion-MNIST, it gets that name and the names of its classes. A
    `DataWarning` lists files that were skipped, turned, or converted to the color of others.

    Parameters
    ----------
    path : path
        The folder; ``~`` stands for the user's home. One of several datasets of IDX files in a
        folder is named after it: ``folder/emnist-letters``.
    name : str, optional
        The name of the dataset; by default the name of the folder, or of the IDX files.
    size : int or tuple of int, optional
        The size of all images: an int for squares, or ``(y, x)``. By default all files must have
        one size.
    fit : {"pad", "crop", "stretch"}
        How an image of another aspect ratio gets this size: whole and centered on black, without
        its ends, or distorted.
    color : {"gray", "rgb", "rgba"}, optional
        The color of all images; by default gray if all files are gray, RGBA if some have
        transparency, else RGB.
    test : float, optional
        The fraction of each class that becomes the test part, for a folder that holds class folders
        or ``train`` alone.
    seed : int
        The seed of the choice of test rows.
    skip_bad : bool
        Whether files that are not images, or damaged, are skipped.
    on_progress : callable, optional
        Called from time to time with the number of images read, and the total; only for folders of
        images.

    Returns
    -------
    Splits
        Images of dtype uint8 and shape (n, y, x) if they are gray, else (n, c, y, x). Rows of
        ``.npy`` files as stored, read on demand as by `read_npy`.

    Raises
    ------
    DataError
        If the path is empty, does not exist, is not a folder or holds neither kind, if options
        would be ignored, and in the cases of `read_idx_folder`, `read_npy` and
        `read_image_folders`.
    ConfigurationError
        If an option is invalid.
    """
    options = ImageOptions(size, fit, color, test, seed, skip_bad)
    return read_folder(path, name, options, on_progress=on_progress)


def read_folder(
    path: str | os.PathLike[str],
    name: str | None = None,
    options: ImageOptions | None = None,
    *,
    on_progress: Progress | None = None,
    tell: Tell = warn,
) -> Splits:
    """Read the dataset that a folder holds; see `open_folder`.

    Parameters
    ----------
    path, name, on_progress
        See `open_folder`.
    options : ImageOptions, optional
        The other options of `open_folder`.
    tell : callable, optional
        Called with each note about the data; by default it is a `DataWarning`.

    Raises
    ------
    DataError
        As `open_folder`.
    """
    folder, options = existing_folder(path), options or ImageOptions()
    kind = kind_of(folder)
    if kind == "images":
        splits = read_image_folders(folder, name, options, on_progress=on_progress, tell=tell)
    else:
        ignored = next(iter(options.to_json()), None)
        if ignored is not None:
            files = "IDX" if kind == "idx" else ".npy"
            raise DataError(
                f"{folder}: {ignored}= (--{ignored.replace('_', '-')}) would be ignored for "
                f"{files} files, which hold rows of one size in two parts; leave it out"
            )
        if kind == "npy":
            splits = read_npy_folder(folder, name)
        else:
            splits = read_idx_folder(folder, name=name, tell=tell)
    return named_if_published(splits) if name is None else splits


def existing_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path of a folder that exists, or of IDX files of one prefix in a folder.

    Raises
    ------
    DataError
        If the path is empty, does not exist or is a file.
    """
    if not os.fspath(path):
        raise DataError("the path of the data is empty, expected a folder")
    try:
        folder = Path(path).expanduser()
        if folder.is_dir() or _is_prefix(folder):
            return folder
        problem = "does not exist, expected a folder"
        if folder.exists():
            problem = f"a file, expected a folder; or as a table {EXPECTED}{packed_hint(folder)}"
    except (OSError, RuntimeError, ValueError) as error:
        # No permission, no home folder, a zero byte in the path.
        problem = f"cannot be read: {error}"
    raise DataError(f"{path}: {problem}")


def kind_of(folder: Path) -> Kind:
    """Return the kind of a dataset folder; if it holds several, the first of `Kind`.

    Raises
    ------
    DataError
        If the folder holds none.
    """
    if files := _kind_of_files(folder):
        return files
    if part_folders(folder):
        return "images"
    folders = [path for path in visible(folder) if path.is_dir()]
    if any(path.is_file() for each in folders for path in visible(each)):
        return "images"
    if len(folders) > 1 and any(
        any(files_below(each)) for each in folders if not part_folders(each)
    ):
        return "images"
    others = (
        "a folder of the four IDX files (train-images-idx3-ubyte.gz, ...), or of .npy files "
        "(train-inputs.npy, train-targets.npy, test-inputs.npy, test-targets.npy), is a dataset too"
    )
    if not folders:
        raise DataError(f"{folder}: {content_of_folder(folder)}; {others}")
    within = f"; is the dataset in its folder {folders[0].name!r}?" if len(folders) == 1 else ""
    raise DataError(
        f"{folder}: holds no dataset, expected the folders train/ and test/ with one folder of "
        f"images for each class, or such class folders{within}; {others}"
    )


def holds_files_of_rows(folder: Path) -> bool:
    """Return whether a dataset folder holds IDX or ``.npy`` files, not a file for each image."""
    return _kind_of_files(folder) is not None


def _kind_of_files(folder: Path) -> Literal["idx", "npy"] | None:
    if _is_prefix(folder) or idx_sets(folder):
        return "idx"
    return "npy" if npy_files(folder) else None


def _is_prefix(path: Path) -> bool:
    """Return whether IDX files in a folder begin with the last part of a path that has no file."""
    return not path.exists() and path.parent.is_dir() and path.name in idx_sets(path.parent)
