"""The path that a callback writes to, which no copy of the callback shares."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from handloom.files import FileError
from handloom.locks import HeldFolder
from handloom.training.run_folder import RunFolder


class OwnPath:
    """A path to write to. A copy or pickle takes another one when it is first used, a free one.

    Searches and cross-validation copy an estimator with its callbacks for every fit, in several
    processes at once. The copies of ``log.csv`` take ``log.csv``, ``log-2.csv``, ``log-3.csv`` and
    so on: the first that does not exist.

    Parameters
    ----------
    path : path
        It replaces a file or folder that is there, unless this is a copy.
    run : RunFolder, optional
        The run folder that the path is in, which may be moved. Any other folder that it is in is
        held while a training writes to it.

    Attributes
    ----------
    path : Path
        The absolute path; that of a copy is final once it is claimed.
    """

    def __init__(self, path: str | Path, *, run: RunFolder | None = None) -> None:
        self.path = self._first = Path(path).absolute()
        self._run = run
        self._held: HeldFolder | None = None
        self._is_copy = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Have copies and pickles made by `_copy`."""
        return _copy, (self._first, self.path)

    @property
    def replaced(self) -> Path | None:
        """The path that is replaced.

        None for a copy, which takes a free one, and for a path in a run folder, whose lock keeps
        others away.
        """
        return None if self._is_copy or self._run is not None else self.path

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
        self.release()
        return self.path

    def current(self) -> Path:
        """Return the path to write to, another one if its folder was moved, deleted or replaced.

        Raises
        ------
        FileError
            If the folder is missing, or cannot be written to; see `HeldFolder.check`.
        """
        if self._run is not None:
            folder = self._run.writable()
        else:
            if self._held is None:
                self._held = HeldFolder(self.path.parent, lock=False)
            folder = self._held.check()
        self.path = folder / self.path.name
        return self.path

    def release(self) -> None:
        """Hold the folder no longer, at the end of a training."""
        if self._held is not None:
            self._held.release()
        self._held = None

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
