"""Folders of grayscale images: ``train/<class>/*.png`` and ``test/<class>/*.png``.

Rows are sorted by class, and within a class by file name.
"""

import os
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handloom.data.dataset import Dataset, Splits
from handloom.data.formats.images import read_gray, read_size, require_pillow, write_png
from handloom.data.sources.published import name_of
from handloom.errors import DataError

PARTS = ("train", "test")

MAX_BYTES = 1 << 32
"""The maximum memory for the images of one part: 4 GiB."""

ROWS_A_REPORT = 256
"""The number of images between two calls of ``on_progress``."""

_SYSTEM_FILES = frozenset({"Thumbs.db", "desktop.ini"})

Progress = Callable[[int, int], None]
"""Called with the number of images done, and the total."""


class _Class(NamedTuple):
    name: str
    files: list[Path]


def read_image_folders(
    folder: str | os.PathLike[str],
    name: str | None = None,
    *,
    on_progress: Progress | None = None,
) -> Splits:
    r"""Read a dataset of images with one folder per class.

    Class folders with numeric names must be consecutive numbers, such as 0, 1, ..., k - 1 or
    1, 2, ..., k, and are labeled in their order; other names are labeled in sorted order. Hidden
    files are ignored.

    Parameters
    ----------
    folder : path
        Holds ``train`` and ``test``, which hold the same class folders.
    name : str, optional
        The name of the dataset; by default the name of the folder.
    on_progress : callable, optional
        Called from time to time with the number of images read, and the total.

    Returns
    -------
    Splits
        Images of shape (n, y, x) and dtype uint8; the class names are those of the folders. Bytes
        that are not UTF-8 are escaped in them: ``caf\xe9``.

    Raises
    ------
    DataError
        If the layout is wrong, or a file is not an image, damaged, not grayscale, too large or of
        another size than the first. The message names the file.
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow("reading images")
    folder = Path(folder)
    parts = {part: _list_part(folder / part) for part in PARTS}
    class_names = _agreed_class_names(folder, parts)
    counts = {part: [len(one.files) for one in classes] for part, classes in parts.items()}
    total = sum(map(sum, counts.values()))
    # The first image sets the size of all, so that arrays are allocated before decoding.
    size = read_size(parts["train"][0].files[0])
    datasets = []
    done = 0
    for part, classes in parts.items():
        shape = (sum(counts[part]), *size.shape)
        _check_memory(folder / part, shape)
        images = np.empty(shape, dtype=np.uint8)
        for row, path in enumerate(chain.from_iterable(one.files for one in classes)):
            images[row] = read_gray(path, size)
            done += 1
            if on_progress and (done % ROWS_A_REPORT == 0 or done == total):
                on_progress(done, total)
        targets = np.repeat(np.arange(len(classes), dtype=np.int64), counts[part])
        datasets.append(Dataset(images, targets, class_names, name or name_of(folder)))
    return Splits(*datasets)


def write_image_folders(splits: Splits, folder: str | os.PathLike[str]) -> None:
    """Write a dataset of grayscale images as PNG files for `read_image_folders`.

    The files are ``train/<label>/0000.png`` and so on: the rows of a class keep their order, and
    the folders are named by label, not by class name.

    Parameters
    ----------
    splits : Splits
        Inputs of shape (n, y, x) and dtype uint8, with rows of every class in both parts.
    folder : path
        An empty folder, or one that does not exist yet.

    Raises
    ------
    DataError
        If the folder is not empty or cannot be written, or the dataset is not of this form.
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow("writing images")
    folder = Path(folder)
    parts = dict(zip(PARTS, (splits.train, splits.test), strict=True))
    for part, dataset in parts.items():
        _check_writable(dataset, part)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataError(f"{folder}: not empty, expected an empty folder to write images to")
        for part, dataset in parts.items():
            _write_part(dataset, folder / part)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _list_part(folder: Path) -> list[_Class]:
    """List the classes of ``train`` or ``test`` in the order of their labels."""
    if not folder.is_dir():
        raise DataError(f"{folder}: missing, expected a folder that holds one folder per class")
    paths = _visible(folder)
    for path in paths:
        if not path.is_dir():
            raise DataError(f"{path}: a stray file, expected only class folders here")
    if len(paths) < 2:
        content = f"only the class folder {paths[0].name!r}" if paths else "no class folder"
        raise DataError(f"{folder}: holds {content}, expected at least two")
    return [_Class(_name(path), _list_images(path)) for path in _by_label(folder, paths)]


def _name(folder: Path) -> str:
    """Return the name of a class: text that can be printed, drawn and written to any file."""
    return os.fsencode(folder.name).decode(errors="backslashreplace")


def _by_label(folder: Path, paths: list[Path]) -> list[Path]:
    if not all(path.name.isascii() and path.name.isdecimal() for path in paths):
        return paths
    paths = sorted(paths, key=lambda path: int(path.name))
    if any(int(after.name) != int(path.name) + 1 for path, after in pairwise(paths)):
        raise DataError(
            f"{folder}: class folders with numeric names must be consecutive numbers, "
            f"got {', '.join(path.name for path in paths)}"
        )
    return paths


def _list_images(folder: Path) -> list[Path]:
    paths = _visible(folder)
    if not paths:
        raise DataError(f"{folder}: an empty class folder, expected at least one image")
    for path in paths:
        if path.is_dir():
            raise DataError(f"{path}: a stray folder, expected only images here")
    return paths


def _visible(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted by name, without hidden and system files."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    return [path for path in paths if path.name[0] != "." and path.name not in _SYSTEM_FILES]


def _agreed_class_names(folder: Path, parts: dict[str, list[_Class]]) -> tuple[str, ...]:
    train, test = (tuple(one.name for one in parts[part]) for part in PARTS)
    unmatched = sorted(set(train) ^ set(test))
    if unmatched:
        part = "train" if unmatched[0] in train else "test"
        raise DataError(
            f"{folder}: the class folder {unmatched[0]!r} is in {part}/ only, "
            f"expected the same classes in train/ and test/"
        )
    return train


def _check_memory(folder: Path, shape: tuple[int, int, int]) -> None:
    rows, height, width = shape
    if rows * height * width > MAX_BYTES:
        raise DataError(
            f"{folder}: {rows} images of {width} x {height} pixels need {rows * height * width} "
            f"bytes, expected at most {MAX_BYTES}"
        )


def _check_writable(dataset: Dataset, part: str) -> None:
    if dataset.inputs.dtype != np.uint8 or dataset.inputs.ndim != 3:
        raise DataError(
            f"inputs must be uint8 images of shape (n, y, x), "
            f"got {dataset.inputs.dtype} of shape {dataset.inputs.shape}"
        )
    empty = np.flatnonzero(dataset.rows_per_class == 0)
    if empty.size:
        raise DataError(
            f"the {part} part must have rows of every class, "
            f"got no row of class {dataset.class_names[empty[0]]!r}"
        )


def _write_part(dataset: Dataset, folder: Path) -> None:
    digits = max(4, len(str(int(dataset.rows_per_class.max()) - 1)))
    for label in range(len(dataset.class_names)):
        target = folder / str(label)
        target.mkdir(parents=True)
        rows = np.flatnonzero(dataset.targets == label)
        for number, row in enumerate(rows):
            pixels = dataset.inputs[row].astype(np.uint8, copy=False)
            write_png(pixels, target / f"{number:0{digits}}.png")
