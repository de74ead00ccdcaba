"""The path that a callback writes to, which no copy of the callback shares."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from handloom.files import FileError


class OwnPath:
    """A path to write to. A copy or pickle takes another one when it is first used, a free one.

    Searches and cross-validation copy an estimator with its callbacks for every fit, in several
    processes at once. The copies of ``log.csv`` take ``log.csv``, ``log-2.csv``, ``log-3.csv`` and
    so on: the first that does not exist.

    Parameters
    ----------
    path : path
        It replaces what is there, unless this is a copy.

    Attributes
    ----------
    path : Path
        The path; that of a copy is final once it is claimed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = self._first = Path(path)
        self._is_copy = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Have copies and pickles made by `_copy`."""
        return _copy, (self._first, self.path)

    @property
    def replaced(self) -> Path | None:
        """The path that is replaced; None for a copy, which takes a free one."""
        return None if self._is_copy else self.path

    def claim(self, create: Callable[[Path], object]) -> Path:
        """Return the path; that of a copy is chosen by the first call.

        Parameters
        ----------
        create : callable
            Creates an empty file or folder, or raises FileExistsError if there is one.

        Raises
        ------
        FileError
            If it cannot be created.
        """
        if self._is_copy:
            try:
                self._first.parent.mkdir(parents=True, exist_ok=True)
                self.path = next(path for path in self._candidates() if _created(path, create))
            except OSError as error:
                raise FileError(f"cannot write {self._first}: {error.strerror}") from None
            self._is_copy = False
        return self.path

    def _candidates(self) -> Iterator[Path]:
        first = self._first
        yield first
        for number in count(2):
            yield first.with_name(f"{first.stem}-{number}{first.suffix}")


def _copy(first: Path, path: Path) -> OwnPath:
    """Return a copy of the path that a caller chose first; it shows where the original writes."""
    copied = OwnPath(first)
    copied.path, copied._is_copy = path, True
    return copied


def _created(path: Path, create: Callable[[Path], object]) -> bool:
    """Return whether a path was free, and is created now."""
    try:
        create(path)
    except FileExistsError:
        return False
    return True
