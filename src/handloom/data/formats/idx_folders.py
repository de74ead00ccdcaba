"""Folders of IDX files: the images and labels of the training and of the test part."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import Dataset, Splits
from handloom.data.formats.class_names import names_beside, number_classes
from handloom.data.formats.idx import read_idx
from handloom.data.formats.idx_names import FILE_STEMS, idx_set
from handloom.data.notes import Tell, warn
from handloom.data.sources.published import name_of
from handloom.errors import DataError

TRANSPOSED = "emnist"
"""Sets whose name begins so store images with their axes exchanged."""


def read_idx_folder(
    folder: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    name: str | None = None,
    *,
    tell: Tell = warn,
) -> Splits:
    """Read a dataset from four IDX files in the layout of MNIST.

    Parameters
    ----------
    folder : path
        Holds the four files of `FILE_STEMS`, each with or without ``.gz``; the names may have a dot
        (``train-images.idx3-ubyte``), ``test`` for ``t10k``, and a prefix, as those of EMNIST. If
        there are files of several prefixes, the path ends in one: ``folder/emnist-letters``.
    class_names : sequence of str, optional
        The names of the classes; by default those of a file beside, see `names_beside`, or the
        labels from the lowest to the highest, which is class 0. Labels from 1 to the number of
        names are counted from 1, any other labels from 0.
    name : str, optional
        The name of the dataset; by default the prefix, or the name of the folder.
    tell : callable, optional
        Called with each note about the data; by default it is a `DataWarning`.

    Returns
    -------
    Splits
        Images of shape (n, y, x) and dtype uint8, in the order of the files. Those of EMNIST, which
        are stored transposed, are turned upright.

    Raises
    ------
    DataError
        If a file is missing or invalid, images and labels differ in number, or a label has no
        class.
    """
    files = idx_set(folder)
    arrays, paths = {}, {}
    for part in FILE_STEMS:
        images_path, labels_path = files.file(part, "images"), files.file(part, "labels")
        images, labels = read_idx(images_path, dimensions=3), read_idx(labels_path, dimensions=1)
        if len(images) != len(labels):
            raise DataError(
                f"{labels_path}: holds {len(labels)} labels, expected {len(images)}, "
                f"one for each image of {images_path.name}"
            )
        arrays[part] = images, labels
        paths[part] = labels_path
    beside = names_beside(files.folder, files.prefix) if class_names is None else None
    labels_of = {paths[part]: labels for part, (_, labels) in arrays.items()}
    first, class_names = number_classes(labels_of, class_names, beside)
    if files.prefix.lower().startswith(TRANSPOSED):
        tell(f"{files.path}: the images of EMNIST are stored transposed; they were turned upright")
        arrays = {part: (_transposed(images), labels) for part, (images, labels) in arrays.items()}
    train, test = (
        Dataset(images, labels.astype(np.int64) - first, class_names, name or name_of(files.path))
        for images, labels in arrays.values()
    )
    try:
        return Splits(train, test)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def _transposed(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(images.swapaxes(1, 2))
