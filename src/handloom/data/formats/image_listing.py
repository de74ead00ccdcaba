"""Listing a folder of images: its parts, their classes, and the files of each."""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from handloom.data.formats.image_options import ImageOptions
from handloom.data.formats.images import BadImageError
from handloom.errors import DataError

PARTS = ("train", "test")

_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


_IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        "png",
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "gif",
        "bmp",
        "webp",
        "tif",
        "tiff",
        "heic",
        "heif",
        "avif",
        "jxl",
        "jp2",
        "ppm",
        "pgm",
        "pbm",
        "pnm",
        "tga",
    )
)
"""The suffixes of files that a user takes for images, whether Pillow reads them or not."""


class ClassFolder(NamedTuple):
    """The name of a class, and its files sorted by path."""

    name: str
    files: list[Path]


class Part(NamedTuple):
    """The classes of ``train``, of ``test``, or of all rows, in the order of their labels."""

    folder: Path
    classes: list[ClassFolder]
    loose: list[Path]
    """Images beside the class folders; they are refused unless bad files are skipped."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(one.name for one in self.classes)

    @property
    def size(self) -> int:
        """The number of files in class folders."""
        return sum(len(one.files) for one in self.classes)


def part_folders(folder: Path) -> dict[str, Path]:
    """Return the folders ``train`` and ``test`` in a folder, as far as they exist, in any case."""
    folders = {path.name.lower(): path for path in visible(folder) if path.is_dir()}
    return {part: folders[part] for part in PARTS if part in folders}


def list_parts(folder: Path, options: ImageOptions) -> list[Part]:
    """List the two parts of a folder, or the single one that is to be split by ``options.test``.

    Raises
    ------
    DataError
        If the layout is wrong, a part is missing, or ``options.test`` would be ignored.
    """
    folders = part_folders(folder)
    if len(folders) == len(PARTS):
        if options.test is not None:
            raise DataError(
                f"{folder}: holds train/ and test/, so test={options.test} would be ignored; "
                "leave it out"
            )
        parts = [_list_part(path, options) for path in folders.values()]
        _check_same_classes(folder, *parts)
        return parts
    if options.test is not None and "test" not in folders:
        return [_list_part(folders.get("train", folder), options)]
    missing = next(part for part in PARTS if part not in folders)
    hint = "; test=0.2 (--test 0.2) holds out a fifth of each class of train/ instead"
    if folders:
        raise DataError(
            f"{folder / missing}: missing, expected a folder that holds one folder per class"
            f"{hint if missing == 'test' else ''}"
        )
    raise DataError(
        f"{folder}: holds no train/ and test/; if its folders are the classes, test=0.2 "
        "(--test 0.2) holds out a fifth of each as the test part"
    )


def visible(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted by name, without hidden and system files.

    Raises
    ------
    DataError
        If the folder cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
        for path in paths[:1]:
            path.lstat()  # the names of a folder that may not be entered can still be listed
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from error
    return [
        path for path in paths if path.name[0] != "." and path.name.lower() not in _SYSTEM_FILES
    ]


def has_images_suffix(path: Path) -> bool:
    """Return whether a file is an image by its name."""
    return path.suffix.lower() in _IMAGE_SUFFIXES


def content_of_folder(folder: Path) -> str:
    """Return the content of a folder without class folders, and the remedy, for a message."""
    files = [path for path in visible(folder) if not path.is_dir()]
    images = sum(map(has_images_suffix, files))
    if images:
        lie = "image lies" if images == 1 else "images lie"
        return (
            f"{images:,} {lie} here directly, expected one folder of images for each class inside; "
            "if all of them are of one class, name the folder above"
        )
    count = "1 file" if len(files) == 1 else f"{len(files):,} files"
    content = f"{count}, none of them an image" if files else "empty"
    return f"{content}, expected one folder of images for each class inside"


def loose_image(path: Path, count: int) -> BadImageError:
    """Return the error about one of some images beside the class folders."""
    others = f" (one of {count:,})" if count > 1 else ""
    return BadImageError(
        f"{path}: an image beside the class folders{others}; move it into the folder of its class"
    )


def _list_part(folder: Path, options: ImageOptions) -> Part:
    paths = visible(folder)
    folders = [path for path in paths if path.is_dir()]
    loose = [path for path in paths if not path.is_dir() and has_images_suffix(path)]
    if not folders:
        raise DataError(f"{folder}: {content_of_folder(folder)}")
    if loose and not options.skip_bad:
        error = loose_image(loose[0], len(loose))
        raise DataError(f"{error}, or skip_bad=True (--skip-bad) skips it")
    if len(folders) < 2:
        raise DataError(
            f"{folder}: holds only the class folder {folders[0].name!r}, expected at least two"
        )
    classes = [ClassFolder(_name(path), _list_images(path)) for path in _by_label(folder, folders)]
    return Part(folder, classes, loose)


def _name(folder: Path) -> str:
    """Return the name of a class: text that can be printed, drawn and written to any file."""
    return os.fsencode(folder.name).decode(errors="backslashreplace")


def _by_label(folder: Path, paths: list[Path]) -> list[Path]:
    if not all(path.name.isascii() and path.name.isdecimal() for path in paths):
        return paths
    paths = sorted(paths, key=lambda path: int(path.name))
    if any(int(after.name) != int(path.name) + 1 for path, after in pairwise(paths)):
        raise DataError(
            f"{folder}: class folders with numeric names must be consecutive numbers, "
            f"got {', '.join(path.name for path in paths)}"
        )
    return paths


def _list_images(folder: Path) -> list[Path]:
    """Return the files of a class folder and of the folders in it."""
    paths = sorted(files_below(folder))
    if not paths:
        raise DataError(
            f"{folder}: an empty class folder, expected at least one image; remove the folder"
        )
    return paths


def files_below(folder: Path, entries_of: Callable[[Path], list[Path]] = visible) -> Iterator[Path]:
    """Yield the files of a folder and of all folders in it, each folder once.

    A link to a folder that holds this one is not followed: its files are those of other classes.

    Parameters
    ----------
    folder : Path
    entries_of : callable, optional
        Returns the entries of a folder, possibly after handling an error.
    """
    real = folder.resolve()
    entered, queue = {real, *real.parents}, [folder]
    while queue:
        for path in entries_of(queue.pop()):
            if not path.is_dir():
                yield path
            elif path.resolve() not in entered:
                entered.add(path.resolve())
                queue.append(path)


def _check_same_classes(folder: Path, train: Part, test: Part) -> None:
    unmatched = sorted(set(train.class_names) ^ set(test.class_names))
    if unmatched:
        part = "train" if unmatched[0] in train.class_names else "test"
        raise DataError(
            f"{folder}: the class folder {unmatched[0]!r} is in {part}/ only, "
            f"expected the same classes in train/ and test/"
        )
