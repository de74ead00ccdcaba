"""The names of classes, and the number of the first, from a text file beside files of rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.errors import DataError
from handloom.files import size_of

NAME_FILES = ("classes.txt", "labels.txt")
"""Files with the name of a class in each line."""

MAX_CLASSES = 1 << 16
"""The maximum number of classes without names."""

MAX_FILE_BYTES = 1 << 20
"""The largest file of names: 1 MiB."""


class NamesFile:
    """The names of classes, and the file that holds them.

    Attributes
    ----------
    path : Path
    names : tuple of str
        In the order of the labels.
    first : int or None
        The label of the first class, if the file says it.
    """

    def __init__(self, path: Path, names: Sequence[str], first: int | None = None) -> None:
        self.path, self.names, self.first = path, tuple(names), first
        repeated = [name for name, count in Counter(self.names).items() if count > 1]
        if repeated:
            raise DataError(f"{path}: names two classes {repeated[0]!r}, expected different names")


def names_beside(folder: Path, prefix: str = "") -> NamesFile | None:
    """Return the class names from a file in a folder of IDX or ``.npy`` files, if there is one.

    The file is ``classes.txt`` or ``labels.txt`` with one name in each line, or EMNIST's mapping
    (``emnist-letters-mapping.txt``), each line of which is a label and the code points of its
    characters. The names of the former may begin with the prefix of the IDX files and a hyphen.

    Raises
    ------
    DataError
        If there are several such files, or one cannot be read, is empty, or names a class twice.
    """
    start = f"{prefix}-" if prefix else ""
    names = [f"{start}mapping.txt", *(f"{start}{name}" for name in NAME_FILES), *NAME_FILES]
    paths = [folder / name for name in dict.fromkeys(names)]
    paths = [path for path in paths if path.is_file()]
    if len(paths) > 1:
        raise DataError(
            f"{folder}: {paths[0].name} and {paths[1].name} both hold class names, "
            "expected one such file"
        )
    if not paths:
        return None
    (path,) = paths
    lines = _lines(path)
    return _mapped(path, lines) if path.name.endswith("mapping.txt") else NamesFile(path, lines)


def number_classes(
    labels: Mapping[Path, npt.NDArray[np.integer]],
    class_names: Sequence[str] | None,
    beside: NamesFile | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Return the label of the first class, and the names of all.

    Parameters
    ----------
    labels : mapping of Path to integer array
        The labels of each part, by the path of their file.
    class_names : sequence of str or None
        By default those of the file. Labels from 1 to the number of names are counted from 1, any
        other labels from 0, unless the file says the first. Without names, those of the lowest
        label to the highest are the labels.
    beside : NamesFile, optional
        The file of the names.

    Raises
    ------
    DataError
        If a label has no name, or there are no names and more than `MAX_CLASSES` labels.
    """
    first: int | None = None
    lowest = min(int(part.min()) for part in labels.values())
    highest = max(int(part.max()) for part in labels.values())
    if class_names is None and beside is not None:
        class_names, first = beside.names, beside.first
    if class_names is None:
        lowest = max(0, lowest)  # a Dataset refuses classes below 0
        if highest >= MAX_CLASSES:
            path = next(path for path, part in labels.items() if int(part.max()) == highest)
            raise DataError(
                f"{path}: holds the class {highest}, expected classes numbered from 0 to at most "
                f"{MAX_CLASSES - 1}; give class_names if there are more"
            )
        return lowest, tuple(str(label) for label in range(lowest, highest + 1))
    if first is None:
        first = 1 if (lowest, highest) == (1, len(class_names)) else 0
    for path, part in labels.items():
        _check_labels(part, range(first, first + len(class_names)), path, beside)
    return first, tuple(class_names)


def _check_labels(
    labels: npt.NDArray[np.integer], known: range, path: Path, beside: NamesFile | None
) -> None:
    bad = np.flatnonzero((labels < known.start) | (labels >= known.stop))
    if bad.size:
        named = "" if beside is None else f", which {beside.path.name} names"
        raise DataError(
            f"{path}: row {bad[0]} has the label {labels[bad[0]]}, expected "
            f"{known.start}..{known.stop - 1}{named}"
        )


def _lines(path: Path) -> list[str]:
    """Return the lines of a file that are not blank."""
    try:
        size = size_of(path)
        if size > MAX_FILE_BYTES:
            raise DataError(f"{path}: {size} bytes, expected at most {MAX_FILE_BYTES}")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8, expected the name of a class in each line") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path}: empty, expected the name of a class in each line")
    return lines


def _mapped(path: Path, lines: Sequence[str]) -> NamesFile:
    """Return the names in EMNIST's mapping: ``1 65 97`` is label 1, named ``A/a``."""
    names: dict[int, str] = {}
    for line in lines:
        try:
            label, *points = map(int, line.split())
            name = "/".join(map(chr, points))
        except (ValueError, OverflowError):
            name = ""
        if not name or label in names or not name.isprintable():
            raise DataError(
                f"{path}: the line {line[:80]!r} is invalid: expected a label and the code points "
                "of its characters, such as '1 65 97'"
            )
        names[label] = name
    labels = sorted(names)
    if labels != list(range(labels[0], labels[0] + len(labels))) or labels[0] not in (0, 1):
        raise DataError(f"{path}: labels must be consecutive from 0 or 1, got {str(labels)[:80]}")
    return NamesFile(path, [names[label] for label in labels], labels[0])
