"""Class names from a text file beside IDX files."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from handloom.data.formats.idx_names import IdxSet
from handloom.errors import DataError
from handloom.files import size_of

NAME_FILES = ("classes.txt", "labels.txt")
"""Files with the name of a class in each line."""

MAX_FILE_BYTES = 1 << 20
"""The largest file of names: 1 MiB."""


class NamesFile:
    """The names of classes, and the file that holds them.

    Attributes
    ----------
    path : Path
    names : tuple of str
        In the order of the labels.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path, self.names = path, tuple(names)
        repeated = [name for name, count in Counter(self.names).items() if count > 1]
        if repeated:
            raise DataError(f"{path}: names two classes {repeated[0]!r}, expected different names")


def names_beside(files: IdxSet) -> NamesFile | None:
    """Return the class names from a file beside IDX files, if there is one.

    The file is ``classes.txt`` or ``labels.txt`` with one name in each line, or EMNIST's mapping
    (``emnist-letters-mapping.txt``), each line of which is a label and the code points of its
    characters. The names of the former may begin with the prefix of the IDX files and a hyphen.

    Raises
    ------
    DataError
        If there are several such files, or one cannot be read, is empty, or names a class twice.
    """
    start = f"{files.prefix}-" if files.prefix else ""
    names = [f"{start}mapping.txt", *(f"{start}{name}" for name in NAME_FILES), *NAME_FILES]
    paths = [files.folder / name for name in dict.fromkeys(names)]
    paths = [path for path in paths if path.is_file()]
    if len(paths) > 1:
        raise DataError(
            f"{files.folder}: {paths[0].name} and {paths[1].name} both hold class names, "
            "expected one such file"
        )
    if not paths:
        return None
    (path,) = paths
    lines = _lines(path)
    return NamesFile(path, _mapped(path, lines) if path.name.endswith("mapping.txt") else lines)


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


def _mapped(path: Path, lines: Sequence[str]) -> list[str]:
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
    return [names[label] for label in labels]
