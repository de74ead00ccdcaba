"""The image files that the arguments of ``handloom predict`` stand for."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from handloom.data.formats.image_listing import visible
from handloom.data.formats.images import image_suffixes
from handloom.data.formats.unread_formats import unread_format
from handloom.errors import DataError


class ImageFiles(NamedTuple):
    """Image files, and the messages about what cannot be read."""

    paths: list[Path]
    problems: list[str]


def image_files(arguments: Iterable[Path]) -> ImageFiles:
    """Return files, and the images in folders and in their own folders, sorted.

    Hidden files are ignored, as in the folders of a dataset.
    """
    paths: list[Path] = []
    problems: list[str] = []
    for argument in arguments:
        if not argument.is_dir():
            paths.append(argument)
            continue
        within = _in_folder(argument)
        paths += within.paths
        problems += within.problems
        if not within.paths and not within.problems:
            problems.append(f"{argument}: holds no image, expected files such as shoe.jpg")
    return ImageFiles(paths, problems)


def _in_folder(folder: Path) -> ImageFiles:
    """Return the images in a folder and in its own folders."""
    files: list[Path] = []
    problems: list[str] = []
    entries = _entries(folder, problems)
    for inner in [path for path in entries if path.is_dir() and not _holds(path, folder)]:
        entries += _entries(inner, problems)
    unreadable: Counter[str] = Counter()
    first: dict[str, Path] = {}
    for path in sorted(entries):
        if path.is_dir():
            continue
        if not path.exists():
            problems.append(f"{path}: a link to a file that does not exist")
        elif (problem := unread_format(path, image_suffixes())) is not None:
            unreadable[problem] += 1
            first.setdefault(problem, path)
        elif path.suffix.lower() in image_suffixes():
            files.append(path)
    for problem, count in unreadable.items():
        more = f" (and {count - 1:,} more)" if count > 1 else ""
        problems.append(f"{first[problem]}{more}: {problem}")
    return ImageFiles(files, problems)


def _entries(folder: Path, problems: list[str]) -> list[Path]:
    """Return the visible entries of a folder; one that cannot be read is a problem."""
    try:
        return visible(folder)
    except DataError as error:
        problems.append(str(error))
        return []


def _holds(path: Path, folder: Path) -> bool:
    """Return whether a folder is another, or holds it at any depth, as the target of a link may."""
    inner, outer = folder.resolve(), path.resolve()
    return inner == outer or outer in inner.parents
