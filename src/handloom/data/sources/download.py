"""Download of published files into a folder; a file has its name only once it is complete.

Pooch writes to a temporary name in the same folder, compares the MD5 sum and only then renames. So
a broken connection leaves no partial file under the final name, and processes can download at the
same time.
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
from handloom.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress

_CHUNK = 1 << 16


class DownloadError(DataError):
    """A dataset could not be downloaded."""


def missing_files(folder: Path, md5_sums: Mapping[str, str]) -> list[str]:
    """Return the names of files that are missing from a folder or have another MD5 sum.

    Raises
    ------
    DataError
        If a file exists and cannot be read.
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
                    "%s: not the file that was published; it must be downloaded again",
                    printable(str(path)),
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
    """Download files into a folder, replacing existing ones.

    Parameters
    ----------
    md5_sums : mapping of str to str
        The names of the files and their MD5 sums.
    base_url : str
        The address that the names are joined to.
    folder : Path
        Created if it does not exist.
    timeout : float
        The seconds to wait for an answer.
    show_progress : bool, optional
        Whether to draw a bar on standard error; by default if that is a terminal.

    Raises
    ------
    DownloadError
        If a file cannot be downloaded or has another MD5 sum.
    MissingExtraError
        If pooch is not installed, or rich is not and ``show_progress`` is true.
    """
    pooch = _import_pooch()
    base_url = base_url.rstrip("/") + "/"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be created: {error.strerror or error}") from error
    _check_answer(base_url + next(iter(md5_sums)), timeout)
    with _progress(show_progress) as progress, _without_log(pooch.get_logger()):
        for name, md5 in md5_sums.items():
            url = base_url + name
            downloader = pooch.HTTPDownloader(
                progressbar=_Bar(progress, name) if progress else False,
                chunk_size=_CHUNK,
                timeout=timeout,
                # Content encoding by the server would change the sum.
                headers={"Accept-Encoding": "identity"},
            )
            try:
                pooch.retrieve(url, f"md5:{md5}", fname=name, path=folder, downloader=downloader)
            except OSError as error:
                raise DownloadError(_sentence(url, _cause(error, timeout))) from error
            except ValueError as error:
                cause = f"the MD5 sum must be {md5}, got another: not the published file"
                raise DownloadError(_sentence(url, cause)) from error


def _check_answer(url: str, timeout: float) -> None:
    """Check that a server answers at an address within `timeout` seconds.

    A timeout of requests applies to each IP address of a host in turn, and not to the DNS lookup.
    Only our own timer bounds the total.
    """
    import requests

    errors: list[Exception] = []

    def ask() -> None:
        try:
            requests.head(url, timeout=timeout)
        except Exception as error:  # reported by the caller
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise DownloadError(_sentence(url, _no_answer(timeout)))
    if errors:
        raise DownloadError(_sentence(url, _cause(errors[0], timeout))) from errors[0]


def _cause(error: Exception, timeout: float) -> str:
    """Return the cause of a failed download in a few words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return _no_answer(timeout)
    # requests wraps the original error several times; the cause is at the bottom.
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
        import requests  # noqa: F401 - pooch imports it late, with a less helpful error
    except ImportError as error:
        package = error.name or "pooch"
        raise MissingExtraError(package, "cli", "downloading a dataset") from error
    return pooch


@contextmanager
def _without_log(logger: logging.Logger) -> Iterator[None]:
    """Silence the messages of a logger below WARNING, so that they do not break a progress bar."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _progress(wanted: bool | None) -> Iterator["Progress | None"]:
    """Draw progress on standard error, or yield None if it is not wanted."""
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
        # pooch passes 0 if the server did not send the size.
        self._progress.update(self._task, total=count or None)

    def update(self, count: float) -> None:
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        self._progress.update(self._task, completed=0)

    def close(self) -> None:
        """Do nothing: the display outlives its lines."""
