"""Folders of ``.npy`` files: the inputs and the targets of the training and of the test part.

=========================  ==================================================
names                      content
=========================  ==================================================
``train-inputs*.npy``      the inputs of the training part
``train-targets*.npy``     their classes
``test-inputs*.npy``       the inputs of the test part
``test-targets*.npy``      their classes
=========================  ==================================================

There is one file of each, or several: ``train-inputs-000.npy``, ``train-inputs-001.npy``, ...
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from handloom.data.dataset import Dataset, Splits
from handloom.data.formats.class_names import names_beside, number_classes
from handloom.data.formats.npy import join_rows, open_files, read_classes, require_same_rows
from handloom.data.formats.npy_names import in_natural_order
from handloom.data.sources.published import name_of
from handloom.errors import DataError

PARTS = ("train", "test")

_FILE = re.compile(r"(?P<part>train|test)-(?P<kind>inputs|targets).*\.npy", re.DOTALL)


def npy_files(folder: Path) -> dict[tuple[str, str], list[Path]]:
    """Return the ``.npy`` files of a dataset in a folder, by part and kind, in natural order.

    Raises
    ------
    DataError
        If the folder cannot be read.
    """
    try:
        names = in_natural_order(path.name for path in folder.iterdir() if not path.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    files: dict[tuple[str, str], list[Path]] = {}
    for name in names:
        if match := _FILE.fullmatch(name):
            files.setdefault((match["part"], match["kind"]), []).append(folder / name)
    return files


def read_npy_folder(folder: Path, name: str | None = None) -> Splits:
    """Open the dataset in a folder of ``.npy`` files, whose inputs are read on demand.

    Class names are those of a file beside, see `names_beside`, or the labels from the lowest to the
    highest.

    Parameters
    ----------
    folder : Path
    name : str, optional
        The name of the dataset; by default the name of the folder.

    Raises
    ------
    DataError
        If files are missing or invalid, rows differ in shape or dtype, inputs and targets in
        number, or a label has no class.
    """
    files = npy_files(folder)
    _require_all(folder, files)
    train_files = files["train", "inputs"]
    inputs = open_files([*train_files, *files["test", "inputs"]])
    rows = {"train": inputs[: len(train_files)], "test": inputs[len(train_files) :]}
    targets = {part: files[part, "targets"] for part in PARTS}
    labels = {part: open_files(targets[part]) for part in PARTS}
    classes = {part: read_classes(labels[part]) for part in PARTS}
    labels_of = {_path_for(targets[part]): classes[part] for part in PARTS}
    first, class_names = number_classes(labels_of, None, names_beside(folder))
    for part in PARTS:
        require_same_rows(rows[part], labels[part])
    named = name or name_of(folder)
    train, test = (
        Dataset(join_rows(rows[part]), classes[part] - first, class_names, named) for part in PARTS
    )
    return Splits(train, test)


def _require_all(folder: Path, files: Mapping[tuple[str, str], Sequence[Path]]) -> None:
    """Refuse a folder that lacks files of a part."""
    expected = [(part, kind) for part in PARTS for kind in ("inputs", "targets")]
    missing = [f"{part}-{kind}" for part, kind in expected if (part, kind) not in files]
    if missing:
        raise DataError(
            f"{folder}: files are missing: expected {' and '.join(f'{one}.npy' for one in missing)}"
            f", or several such as {missing[0]}-000.npy, {missing[0]}-001.npy, ..."
        )


def _path_for(files: Sequence[Path]) -> Path:
    """Return the path that stands for files in errors: of several, a pattern."""
    if len(files) == 1:
        return files[0]
    match = _FILE.fullmatch(files[0].name)
    assert match is not None  # as in `npy_files`
    return files[0].parent / f"{match['part']}-{match['kind']}*.npy"
