"""Verification of a dataset: content, comparison with the published files, and problems."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from handloom.data.dataset import Dataset, Splits
from handloom.data.formats.idx_names import idx_set
from handloom.data.formats.image_folders import Progress
from handloom.data.formats.image_options import ImageOptions
from handloom.data.sources.open_folder import Kind, existing_folder, kind_of, read_folder
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
    """The report on a dataset.

    ``path`` and ``kind`` are None for a generated dataset, and ``files`` is empty unless they are
    IDX files. ``published`` is True if the rows are those of Fashion-MNIST, ``fingerprint`` is
    their SHA-256, independent of the file format. ``notes`` say what was skipped, turned or
    converted. ``problems`` are warnings about readable but suspicious data; most datasets have
    none.
    """

    path: Path | None
    kind: Kind | None
    name: str
    class_names: tuple[str, ...]
    train: PartReport
    test: PartReport
    files: tuple[FileSum, ...]
    fingerprint: str
    published: bool
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def verify(
    path: str | os.PathLike[str],
    options: ImageOptions | None = None,
    *,
    on_progress: Progress | None = None,
) -> Report:
    """Read a dataset completely and report on it.

    Parameters
    ----------
    path : path
        A folder of IDX files or of images.
    options : ImageOptions, optional
        Those of `open_folder`.
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
    notes: list[str] = []
    splits = read_folder(path, options=options, on_progress=on_progress, tell=notes.append)
    folder = existing_folder(path)
    kind = kind_of(folder)
    files = _file_sums(folder) if kind == "idx" else ()
    return replace(report_on(splits), path=folder, kind=kind, files=files, notes=tuple(notes))


def report_on(splits: Splits) -> Report:
    """Report on a dataset in memory."""
    content_sum = fingerprint(splits)
    return Report(
        path=None,
        kind=None,
        name=splits.name,
        class_names=splits.train.class_names,
        train=_report(splits.train),
        test=_report(splits.test),
        files=(),
        fingerprint=content_sum,
        published=content_sum == FINGERPRINT,
        notes=(),
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
    paths = idx_set(folder).all_files()
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
