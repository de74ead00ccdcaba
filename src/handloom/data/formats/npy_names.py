"""The ``.npy`` files of one array: a path, a pattern such as ``train-*.npy``, or several paths."""

import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from handloom.errors import DataError, did_you_mean

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A path, a path whose last part is a pattern, or a sequence of paths."""

LISTED = 5
"""The most names in an error."""


def files_of(paths: Paths) -> list[Path]:
    """Return the paths of files in their order: that of a sequence, or of the names that match.

    Numbers within names are in the order of their values: ``train-2.npy`` before ``train-10.npy``.
    A pattern has ``*``, ``?`` or ``[...]`` in the name of the file, and no file has that name.

    Raises
    ------
    DataError
        If no name matches a pattern, or a sequence is empty.
    """
    if not isinstance(paths, str | os.PathLike):
        files = [Path(path) for path in paths]
        if not files:
            raise DataError("the sequence of .npy files is empty, expected at least one path")
        return files
    path = Path(paths)
    if not any(sign in path.name for sign in "*?[") or path.exists():
        return [path]
    names = _names_in(path.parent)
    matching = [name for name in names if fnmatchcase(name, path.name)]
    if not matching:
        known = [name for name in names if name.endswith(".npy")]
        raise DataError(f"{path}: no file matches, {_described(path, known)}")
    return [path.parent / name for name in in_natural_order(matching)]


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names sorted with their numbers by value."""
    return sorted(names, key=lambda name: (_parts(name), name))


def _parts(name: str) -> list[str | int]:
    """Return a name cut at its numbers: text, number, text, ..."""
    parts: list[str | int] = list(re.split(r"([0-9]+)", name))
    parts[1::2] = [int(part) for part in parts[1::2]]
    return parts


def _names_in(folder: Path) -> list[str]:
    """Return the names of a folder that are not hidden."""
    try:
        return [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from None


def _described(pattern: Path, names: list[str]) -> str:
    """Return the names that are there, and the one that is closest to a pattern."""
    if not names:
        return f"and {pattern.parent} holds no .npy file"
    names = in_natural_order(names)
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"of {', '.join(names[:LISTED])}{more}.{did_you_mean(pattern.name, names)}"
