"""The path that a callback writes to, which no copy of the callback shares."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from handloom.files import FileError


class OwnPath:
    """A path to write to. A copy takes another one when it is first used: a free one beside it.

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

    def __copy__(self) -> "OwnPath":
        other = OwnPath(self._first)
        other._is_copy = True
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> "OwnPath":
        return self.__copy__()

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
        for path in self._candidates() if self._is_copy else ():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                create(path)
            except FileExistsError:
                continue
            except OSError as error:
                raise FileError(f"cannot write {path}: {error.strerror}") from None
            self.path, self._is_copy = path, False
            break
        return self.path

    def _candidates(self) -> Iterator[Path]:
        first = self._first
        yield first
        for number in count(2):
            yield first.with_name(f"{first.stem}-{number}{first.suffix}")
