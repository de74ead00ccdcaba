"""Verification of a dataset: content, comparison with the published files, and problems."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handloom.data.dataset import CHECKED_AT_ONCE, Dataset, Splits
from handloom.data.formats.idx_names import idx_set
from handloom.data.formats.image_folders import Progress
from handloom.data.formats.image_options import ImageOptions
from handloom.data.row_reader import RowReader
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
    """The report on the training or the test part.

    ``targets`` are the smallest and the largest of each continuous target; None for classes, which
    have ``rows_per_class``.
    """

    shape: tuple[int, ...]
    dtype: str
    minimum: float
    maximum: float
    rows_per_class: tuple[int, ...]
    targets: tuple[tuple[float, float], ...] | None = None


@dataclass(frozen=True)
class Report:
    """The report on a dataset.

    ``path`` and ``kind`` are None for a generated dataset, and ``files`` is empty unless they are
    IDX files. ``published`` is True if the rows are those of Fashion-MNIST, ``fingerprint`` is
    their SHA-256, independent of the file format. ``notes`` list files skipped, turned or
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
        A folder of IDX files, of ``.npy`` files or of images.
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
    parts = {"train": _report(splits.train), "test": _report(splits.test)}
    return Report(
        path=None,
        kind=None,
        name=splits.name,
        class_names=splits.train.class_names,
        **parts,
        files=(),
        fingerprint=content_sum,
        published=content_sum == FINGERPRINT,
        notes=(),
        problems=_problems(splits.train.class_names, parts),
    )


def _report(part: Dataset) -> PartReport:
    minimum, maximum = _range(part.inputs)
    return PartReport(
        shape=part.inputs.shape,
        dtype=str(part.inputs.dtype),
        minimum=minimum,
        maximum=maximum,
        rows_per_class=tuple(part.rows_per_class.tolist()) if part.has_classes else (),
        targets=None if part.has_classes else _ranges(part.targets),
    )


def _ranges(targets: npt.NDArray[np.generic]) -> tuple[tuple[float, float], ...]:
    """Return the smallest and the largest value of each continuous target, of shape (n, k)."""
    return tuple((float(each.min()), float(each.max())) for each in targets.T)


def _range(inputs: npt.NDArray[np.generic]) -> tuple[float, float]:
    """Return the smallest and the largest value, of a file without keeping its rows in memory."""
    reader = RowReader(inputs)
    at_once = max(1, CHECKED_AT_ONCE * len(inputs) // inputs.size)
    parts = (reader.rows(slice(start, start + at_once)) for start in range(0, len(inputs), at_once))
    lowest, highest = zip(*((float(part.min()), float(part.max())) for part in parts), strict=True)
    return min(lowest), max(highest)


def _file_sums(folder: Path) -> tuple[FileSum, ...]:
    paths = idx_set(folder).all_files()
    return tuple(FileSum(path.name, md5_sum(path), MD5_SUMS.get(path.name)) for path in paths)


def _problems(class_names: Sequence[str], parts: Mapping[str, PartReport]) -> tuple[str, ...]:
    problems = []
    if len(class_names) < 2 and parts["train"].targets is None:
        problems.append("there is a single class: nothing can be learned")
    for label, part in parts.items():
        if part.targets is None:
            for name, count in zip(class_names, part.rows_per_class, strict=True):
                if count == 0:
                    problems.append(f"{label}: class {name!r} has no rows")
        if part.minimum == part.maximum:
            problems.append(f"{label}: all pixels have the value {part.minimum:g}")
    return tuple(problems)
