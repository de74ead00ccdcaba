"""The names of IDX files: those of MNIST, also with dots, and those of EMNIST with a prefix.

========================================  =================
name                                      prefix
========================================  =================
``train-images-idx3-ubyte.gz``            none
``t10k-labels.idx1-ubyte``                none
``emnist-letters-test-images-idx3-ubyte`` ``emnist-letters``
========================================  =================
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from handloom.errors import DataError

FILE_STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""The images and the labels of each part, as published; each may end in ``.gz``."""

_FILE = re.compile(
    r"(?:(?P<prefix>.+?)-)?(?P<part>train|t10k|test)-"
    r"(?P<kind>images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?"
)
_PARTS = {"train": "train", "t10k": "test", "test": "test"}


class IdxSet(NamedTuple):
    """The four files of one dataset in a folder.

    Attributes
    ----------
    folder : Path
    prefix : str
        The beginning of their names, without the hyphen; empty for the names of MNIST.
    files : dict
        The images and the labels of ``train`` and ``test``, as far as they exist.
    """

    folder: Path
    prefix: str
    files: Mapping[tuple[str, str], Path]

    @property
    def path(self) -> Path:
        """The path that stands for this set: its folder, with the prefix if there is one."""
        return self.folder / self.prefix

    def file(self, part: str, kind: str) -> Path:
        """Return the path of the ``"images"`` or ``"labels"`` of a part.

        Raises
        ------
        DataError
            If there is no such file.
        """
        if (part, kind) in self.files:
            return self.files[part, kind]
        stem = FILE_STEMS[part][kind == "labels"]
        stem = f"{self.prefix}-{stem.replace('t10k', 'test')}" if self.prefix else stem
        raise DataError(f"{self.folder}: a file is missing: expected {stem}.gz or {stem}")

    def all_files(self) -> list[Path]:
        """Return the paths of the four files.

        Raises
        ------
        DataError
            If one is missing.
        """
        return [self.file(part, kind) for part in FILE_STEMS for kind in ("images", "labels")]


def idx_sets(folder: Path) -> dict[str, IdxSet]:
    """Return the datasets of IDX files in a folder, by prefix.

    Raises
    ------
    DataError
        If the folder cannot be read.
    """
    try:
        paths = sorted(folder.iterdir(), key=_preference)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    sets: dict[str, dict[tuple[str, str], Path]] = {}
    for path in paths:
        match = _FILE.fullmatch(path.name)
        if match and path.is_file():  # archives unpack some of them into folders of their own name
            kind = match["kind"][: len("images")]
            files = sets.setdefault(match["prefix"] or "", {})
            files.setdefault((_PARTS[match["part"]], kind), path)
    return {prefix: IdxSet(folder, prefix, sets[prefix]) for prefix in sorted(sets)}


def idx_set(path: str | os.PathLike[str]) -> IdxSet:
    """Return the dataset of IDX files in a folder, or at a path that ends in its prefix.

    Raises
    ------
    DataError
        If there is none, or there are several of which none has the names of MNIST.
    """
    path = Path(path)
    if not path.is_dir():
        sets = idx_sets(path.parent)
        if path.name in sets:
            return sets[path.name]
        raise DataError(f"{path}: there are no IDX files of this name, expected a folder")
    sets = idx_sets(path)
    if not sets:
        return IdxSet(path, "", {})
    if len(sets) > 1 and "" not in sets:
        raise DataError(
            f"{path}: holds several datasets ({', '.join(sets)}); name one of them after the "
            f"folder, such as {path / next(iter(sets))}"
        )
    return sets.get("") or next(iter(sets.values()))


def _preference(path: Path) -> tuple[bool, bool, bool, str]:
    """Order names: as published first, then with a dot, with ``test`` for ``t10k``, unpacked."""
    name = path.name
    return (".idx" in name, "test-" in name, not name.endswith(".gz"), name)
