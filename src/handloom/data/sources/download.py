"""Bring published files into a folder; no file stands under its name before it is whole.

Pooch writes what it receives under a temporary name in the same folder, compares the MD5 sum and
only then renames. So a broken connection leaves nothing behind that could be taken for the file,
and processes that download at the same time do not disturb each other.
"""

import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handloom.data.sources.published import md5_sum
from handloom.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from rich.progress import Progress

_CHUNK = 1 << 16


class DownloadError(DataError):
    """A dataset could not be downloaded."""


def missing_files(folder: Path, md5_sums: Mapping[str, str]) -> list[str]:
    """Return the names of the files that a folder lacks or holds with another MD5 sum.

    Raises
    ------
    DataError
        If a file is there and cannot be read.
    """
    missing = []
    for name, expected in md5_sums.items():
        path = folder / name
        try:
            if not path.exists():
                missing.append(name)
            elif md5_sum(path) != expected:
                missing.append(name)
                logging.getLogger(__name__).warning(
                    "%s: not the file that was published; it must be downloaded again", path
                )
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return missing


def download(
    md5_sums: Mapping[str, str],
    base_url: str,
    folder: Path,
    *,
    timeout: float,
    show_progress: bool | None = None,
) -> None:
    """Download files into a folder, replacing what is there.

    Parameters
    ----------
    md5_sums : mapping of str to str
        The names of the files and what their MD5 sums must be.
    base_url : str
        The address that the names are joined to.
    folder : Path
        Made where it does not exist.
    timeout : float
        After how many seconds without an answer to give up.
    show_progress : bool, optional
        Whether to draw a bar on standard error; by default if that is a terminal.

    Raises
    ------
    DownloadError
        If a file cannot be had or is not the one expected.
    MissingExtraError
        If pooch is not installed, or rich is not and a bar was asked for.
    """
    pooch = _import_pooch()
    base_url = base_url.rstrip("/") + "/"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be made: {error.strerror or error}") from error
    _check_answer(base_url + next(iter(md5_sums)), timeout)
    with _progress(show_progress) as progress, _without_log(pooch.get_logger()):
        for name, md5 in md5_sums.items():
            url = base_url + name
            downloader = pooch.HTTPDownloader(
                progressbar=_Bar(progress, name) if progress else False,
                chunk_size=_CHUNK,
                timeout=timeout,
                # A server that offers to unpack on the way would change the sum.
                headers={"Accept-Encoding": "identity"},
            )
            try:
                pooch.retrieve(url, f"md5:{md5}", fname=name, path=folder, downloader=downloader)
            except OSError as error:
                raise DownloadError(_sentence(url, _cause(error, timeout))) from error
            except ValueError as error:
                cause = "what came is not the file that was published: its MD5 sum differs"
                raise DownloadError(_sentence(url, cause)) from error


def _check_answer(url: str, timeout: float) -> None:
    """Find out within `timeout` seconds whether anyone answers at an address.

    A timeout of requests holds for each address of a host in turn, and not for the search for the
    host's name. Only a clock of our own bounds the whole.
    """
    import requests

    errors: list[Exception] = []

    def ask() -> None:
        try:
            requests.head(url, timeout=timeout)
        except Exception as error:  # whatever it is, it is the caller's to report
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise DownloadError(_sentence(url, _no_answer(timeout)))
    if errors:
        raise DownloadError(_sentence(url, _cause(errors[0], timeout))) from errors[0]


def _cause(error: Exception, timeout: float) -> str:
    """Say in a few words why a download failed."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return _no_answer(timeout)
    # requests wraps what happened several times over; the reason is at the bottom.
    root: BaseException = error
    while (below := root.__cause__ or root.__context__) is not None:
        root = below
    return str(getattr(root, "strerror", None) or root)


def _no_answer(timeout: float) -> str:
    return f"no answer within {timeout:g} seconds"


def _sentence(url: str, cause: str) -> str:
    return (
        f"cannot download {url}: {cause}. Without a network, set HANDLOOM_DATA or --data "
        f"to a folder that holds the data"
    )


def _import_pooch() -> Any:
    try:
        import pooch
        import requests  # noqa: F401 - pooch imports it late and says less when it is missing
    except ImportError as error:
        package = error.name or "pooch"
        raise MissingExtraError(package, "cli", "downloading a dataset") from error
    return pooch


@contextmanager
def _without_log(logger: logging.Logger) -> Iterator[None]:
    """Keep the lines of a logger out of the progress bar for a while."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _progress(wanted: bool | None) -> Iterator["Progress | None"]:
    """Draw progress on standard error, or give None where that is not wanted."""
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
    except ImportError as error:
        if wanted:
            raise MissingExtraError("rich", "cli", "a progress bar") from error
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


class _Bar:
    """One line of a rich progress display, with the methods that pooch calls."""

    def __init__(self, progress: "Progress", name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)

    @property
    def total(self) -> float | None:
        return self._progress.tasks[self._task].total

    @total.setter
    def total(self, count: float) -> None:
        # 0 is pooch's way to say that the server did not tell.
        self._progress.update(self._task, total=count or None)

    def update(self, count: float) -> None:
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Do nothing: the display outlives its lines."""
