"""The image files that the arguments of ``handloom predict`` stand for."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from handloom.data.formats.image_listing import files_below, visible
from handloom.data.formats.images import image_suffixes
from handloom.data.formats.unread_formats import unread_format
from handloom.errors import DataError


class ImageFile(NamedTuple):
    """An image file, and its short name: that of the file, or its path in the folder named."""

    path: Path
    name: str


class ImageFiles(NamedTuple):
    """Image files, and the messages about unreadable ones."""

    files: list[ImageFile]
    problems: list[str]


def image_files(arguments: Iterable[Path]) -> ImageFiles:
    """Return files, and the images in folders and in all folders below, sorted.

    Hidden files are ignored, as in the folders of a dataset.
    """
    files: list[ImageFile] = []
    problems: list[str] = []
    for argument in arguments:
        if not argument.is_dir():
            files.append(ImageFile(argument, argument.name))
            continue
        within = _in_folder(argument)
        files += within.files
        problems += within.problems
        if not within.files and not within.problems:
            problems.append(f"{argument}: holds no image, expected files such as shoe.jpg")
    return ImageFiles(files, problems)


def _in_folder(folder: Path) -> ImageFiles:
    """Return the images in a folder and in all folders below."""
    files: list[ImageFile] = []
    problems: list[str] = []

    def entries_of(inner: Path) -> list[Path]:
        try:
            return visible(inner)
        except DataError as error:
            problems.append(str(error))
            return []

    unreadable: Counter[str] = Counter()
    first: dict[str, Path] = {}
    for path in sorted(files_below(folder, entries_of)):
        if not path.exists():
            problems.append(f"{path}: a link to a file that does not exist")
        elif (problem := unread_format(path, image_suffixes())) is not None:
            unreadable[problem] += 1
            first.setdefault(problem, path)
        elif path.suffix.lower() in image_suffixes():
            files.append(ImageFile(path, str(path.relative_to(folder))))
    for problem, count in unreadable.items():
        more = f" (and {count - 1:,} more)" if count > 1 else ""
        problems.append(f"{first[problem]}{more}: {problem}")
    return ImageFiles(files, problems)
