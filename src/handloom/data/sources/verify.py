"""Verification of a dataset: content, comparison with the published files, and problems."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handloom.data.dataset import Dataset, Splits
from handloom.data.formats.idx import FILE_STEMS, find_idx
from handloom.data.formats.image_folders import Progress
from handloom.data.sources.open_folder import Kind, existing_folder, kind_of, open_folder
from handloom.data.sources.published import FINGERPRINT, MD5_SUMS, fingerprint, md5_sum


@dataclass(frozen=True)
class FileSum:
    """The MD5 sum of a file, and the published one of that name, if any."""

    name: str
    md5: str
    published: str | None

    @property
    def as_published(self) -> bool:
        """Whether this is the published file."""
        return self.md5 == self.published


@dataclass(frozen=True)
class PartReport:
    """The report on the training or the test part."""

    shape: tuple[int, ...]
    dtype: str
    minimum: float
    maximum: float
    rows_per_class: tuple[int, ...]


@dataclass(frozen=True)
class Report:
    """The report on a dataset folder.

    `files` is empty for folders of images. `published` is True if the rows are those of
    Fashion-MNIST, `fingerprint` is their SHA-256, independent of the file format. `problems` are
    warnings about readable but suspicious data; most datasets have none.
    """

    path: Path
    kind: Kind
    name: str
    class_names: tuple[str, ...]
    train: PartReport
    test: PartReport
    files: tuple[FileSum, ...]
    fingerprint: str
    published: bool
    problems: tuple[str, ...]


def verify(path: str | os.PathLike[str], *, on_progress: Progress | None = None) -> Report:
    """Read a dataset completely and report on it.

    Parameters
    ----------
    path : path
        A folder of IDX files or of images.
    on_progress : callable, optional
        Called from time to time with the number of images read, and the total.

    Returns
    -------
    Report
        Data other than Fashion-MNIST is not a problem.

    Raises
    ------
    DataError
        If the data cannot be read; see `open_folder`.
    """
    splits = open_folder(path, on_progress=on_progress)
    folder = existing_folder(path)
    kind = kind_of(folder)
    content_sum = fingerprint(splits)
    return Report(
        path=folder,
        kind=kind,
        name=splits.name,
        class_names=splits.train.class_names,
        train=_report(splits.train),
        test=_report(splits.test),
        files=_file_sums(folder) if kind == "idx" else (),
        fingerprint=content_sum,
        published=content_sum == FINGERPRINT,
        problems=_problems(splits),
    )


def _report(part: Dataset) -> PartReport:
    return PartReport(
        shape=part.inputs.shape,
        dtype=str(part.inputs.dtype),
        minimum=float(np.min(part.inputs)),
        maximum=float(np.max(part.inputs)),
        rows_per_class=tuple(int(count) for count in part.rows_per_class),
    )


def _file_sums(folder: Path) -> tuple[FileSum, ...]:
    paths = [find_idx(folder, stem) for stems in FILE_STEMS.values() for stem in stems]
    return tuple(FileSum(path.name, md5_sum(path), MD5_SUMS.get(path.name)) for path in paths)


def _problems(splits: Splits) -> tuple[str, ...]:
    problems = []
    if len(splits.train.class_names) < 2:
        problems.append("there is a single class: nothing can be learned")
    for label, part in (("train", splits.train), ("test", splits.test)):
        for name, count in zip(part.class_names, part.rows_per_class, strict=True):
            if count == 0:
                problems.append(f"{label}: class {name!r} has no rows")
        if (part.inputs == part.inputs.flat[0]).all():
            problems.append(f"{label}: all pixels have the value {part.inputs.flat[0]}")
    return tuple(problems)
