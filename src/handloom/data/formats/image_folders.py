"""Folders of images: ``train/<class>/*.png`` and ``test/<class>/*.png``, or ``<class>/*.png``.

Rows are sorted by class, and within a class by the path of the file.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from handloom.data.dataset import Dataset, Splits
from handloom.data.formats.image_listing import PARTS, list_parts
from handloom.data.formats.image_options import ImageOptions
from handloom.data.formats.image_rows import ImageReader, PartRows
from handloom.data.formats.images import require_pillow, write_png
from handloom.data.notes import Tell, warn
from handloom.data.sources.published import name_of
from handloom.errors import DataError
from handloom.randomness import Stream

ROWS_A_REPORT = 256
"""The number of images between two calls of ``on_progress``."""

Progress = Callable[[int, int], None]
"""Called with the number of images done, and the total."""


def read_image_folders(
    folder: str | os.PathLike[str],
    name: str | None = None,
    options: ImageOptions | None = None,
    *,
    on_progress: Progress | None = None,
    tell: Tell = warn,
) -> Splits:
    r"""Read a dataset of images with one folder per class.

    Class folders with numeric names must be consecutive numbers, such as 0, 1, ..., k - 1 or
    1, 2, ..., k, and are labeled in their order; other names are labeled in sorted order. The
    images in folders of a class folder belong to the class. Hidden files, those that systems leave
    behind, and files beside the class folders that are no images are ignored.

    Parameters
    ----------
    folder : path
        Holds ``train`` and ``test``, which hold the same class folders; or, with the option
        ``test``, class folders, or ``train`` alone.
    name : str, optional
        The name of the dataset; by default the name of the folder.
    options : ImageOptions, optional
        Size, color, test rows, and bad files; see `open_folder`.
    on_progress : callable, optional
        Called from time to time with the number of images read, and the total.
    tell : callable, optional
        Called with each note about the data; by default it is a `DataWarning`.

    Returns
    -------
    Splits
        Images of dtype uint8 and shape (n, y, x) if all files are gray, (n, 3, y, x) if some have
        color, or (n, 4, y, x) if some have transparency; the class names are those of the folders.
        Bytes that are not UTF-8 are escaped in them: ``caf\xe9``.

    Raises
    ------
    DataError
        If the layout is wrong, or a file is not an image, damaged, deeper than 8 bits, too large or
        of another size than the first. The message names the file, and the option that helps.
    MissingExtraError
        If Pillow is not installed.
    """
    require_pillow("reading images")
    folder = Path(folder)
    options = options or ImageOptions()
    parts = list_parts(folder, options)
    reader = ImageReader(folder, options)
    total, done = sum(part.size for part in parts), 0
    rows_of_parts = []
    for part in parts:
        rows = PartRows(part, reader)
        for label, one in enumerate(part.classes):
            for path in one.files:
                rows.append(path, label)
                done += 1
                if on_progress and (done % ROWS_A_REPORT == 0 or done == total):
                    on_progress(done, total)
            rows.close_class(one, label)
        rows_of_parts.append(rows)
    for note in reader.notes():
        tell(f"{folder}: {note}")
    class_names, name = parts[0].class_names, name or name_of(folder)
    datasets = [Dataset(*rows.rows(), class_names, name, fit=options.fit) for rows in rows_of_parts]
    if options.test is not None:
        return Splits(*datasets[0].split(options.test, Stream(options.seed)))
    return Splits(*datasets)


def write_image_folders(splits: Splits, folder: str | os.PathLike[str]) -> None:
    """Write a dataset of images as PNG files for `read_image_folders`.

    The files are ``train/<label>/0000.png`` and so on: the rows of a class keep their order, and
    the folders are named by label, not by class name.

    Parameters
    ----------
    splits : Splits
        Inputs of dtype uint8 and shape (n, y, x), (n, 3, y, x) or (n, 4, y, x), with rows of every
        class in both parts.
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


def _check_writable(dataset: Dataset, part: str) -> None:
    shape = dataset.inputs.shape
    images = len(shape) == 3 or (len(shape) == 4 and shape[1] in (3, 4))
    if dataset.inputs.dtype != np.uint8 or not images:
        raise DataError(
            f"inputs must be uint8 images of shape (n, y, x), (n, 3, y, x) or (n, 4, y, x), "
            f"got {dataset.inputs.dtype} of shape {shape}"
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
