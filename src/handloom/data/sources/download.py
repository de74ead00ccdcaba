"""Download of published files into a folder; a file has its name only once it is complete.

A file is received under a temporary name in the same folder, pooch compares its MD5 sum, and only
then it is renamed. So a broken connection leaves no partial file under the final name, and
processes can download at the same time.

A server is trusted with nothing: no more than the published size is received, redirects are few,
and a deadline ends the download however slowly bytes arrive.
"""

import logging
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urljoin

from handloom.data.sources.published import md5_sum
from handloom.errors import DataError, MissingExtraError
from handloom.files import size_of
from handloom.secondary import Secondary, is_terminal
from handloom.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress

_CHUNK = 1 << 16

MAX_REDIRECTS = 5
"""The largest number of redirects that are followed."""


class DownloadError(DataError):
    """A dataset could not be downloaded."""


def missing_files(folder: Path, md5_sums: Mapping[str, str], sizes: Mapping[str, int]) -> list[str]:
    """Return the names of files that are missing from a folder or are not those published.

    Parameters
    ----------
    folder : Path
    md5_sums : mapping of str to str
        The names of the files and their MD5 sums.
    sizes : mapping of str to int
        The largest size of each file in bytes; a larger one is not read.

    Raises
    ------
    DataError
        If a file exists and cannot be read, or is a folder, a pipe or a device.
    """
    missing = []
    for name, expected in md5_sums.items():
        path = folder / name
        try:
            if size_of(path) <= sizes[name] and md5_sum(path) == expected:
                continue
        except (FileNotFoundError, NotADirectoryError):
            missing.append(name)
            continue
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read: {error.strerror or error}; remove it, and the file is "
                f"downloaded"
            ) from error
        missing.append(name)
        logging.getLogger(__name__).warning(
            "%s: not the file that was published; it must be downloaded again",
            printable(str(path)),
        )
    return missing


def download(
    md5_sums: Mapping[str, str],
    base_url: str,
    folder: Path,
    *,
    sizes: Mapping[str, int],
    timeout: float,
    deadline: float,
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
    sizes : mapping of str to int
        The largest size of each file in bytes; the download of a larger one ends there.
    timeout : float
        The seconds to wait for an answer, and for each further part of it.
    deadline : float
        The seconds that all files together may take.
    show_progress : bool, optional
        Whether to draw a bar on standard error; by default if that is a terminal.

    Raises
    ------
    DownloadError
        If a file cannot be downloaded, or is too large or too slow, or has another MD5 sum.
    MissingExtraError
        If pooch is not installed, or rich is not and ``show_progress`` is true.
    """
    pooch = _import_pooch()
    base_url = base_url.rstrip("/") + "/"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be created: {error.strerror or error}") from error
    end = time.monotonic() + deadline
    with _progress(show_progress) as progress, _without_log(pooch.get_logger()):
        for name, md5 in md5_sums.items():
            url = base_url + name
            advance = _bar(progress, name, sizes[name])
            transfer = _Transfer(sizes[name], timeout, deadline, end, advance)
            # a name of its own: pooch would read an existing file, of any size
            received = folder / f".{name}-{secrets.token_hex(6)}"
            try:
                pooch.retrieve(
                    url, f"md5:{md5}", fname=received.name, path=folder, downloader=transfer
                )
                received.replace(folder / name)
            except DownloadError:
                raise
            except OSError as error:
                raise DownloadError(_sentence(url, _cause(error, timeout))) from error
            except ValueError as error:
                cause = f"the MD5 sum must be {md5}, got another: not the published file"
                raise DownloadError(_sentence(url, cause)) from error
            finally:
                with suppress(OSError):
                    received.unlink(missing_ok=True)


class _Transfer:
    """The download of one file, in a thread, so that the deadline holds.

    A timeout of requests applies to each part that is received and to each IP address of a host,
    and not to the DNS lookup. The thread of a transfer that was given up ends with the next part.
    """

    def __init__(
        self,
        size: int,
        timeout: float,
        deadline: float,
        end: float,
        advance: Callable[[int], object],
    ) -> None:
        self.size, self.timeout, self.deadline, self.end = size, timeout, deadline, end
        self.advance = advance
        self._answered = threading.Event()
        self._errors: list[Exception] = []

    def __call__(self, url: str, path: str, _: object) -> None:
        """Receive a file, as pooch calls it."""
        with Path(path).open("wb") as file:
            thread = threading.Thread(target=self._run, args=(url, file), daemon=True)
            thread.start()
            answered = self._answered.wait(min(self.timeout, self._left()))
            if answered:
                thread.join(self._left())
            late = thread.is_alive()
        if self._errors and not late:
            cause = _cause(self._errors[0], self.timeout)
            raise DownloadError(_sentence(url, cause)) from self._errors[0]
        if late and (answered or not self._left()):
            cause = f"not complete within the deadline of {self.deadline:g} seconds"
            raise DownloadError(_sentence(url, cause))
        if late:
            raise DownloadError(_sentence(url, _no_answer(self.timeout)))

    def _left(self) -> float:
        """Return the seconds until the deadline."""
        return min(max(0.0, self.end - time.monotonic()), threading.TIMEOUT_MAX)

    def _run(self, url: str, file: IO[bytes]) -> None:
        try:
            self._receive(url, file)
        except Exception as error:  # reported by the caller, unless it has closed the file
            self._errors.append(error)
        finally:
            self._answered.set()

    def _receive(self, url: str, file: IO[bytes]) -> None:
        """Write the content of an address to a file.

        Raises
        ------
        ValueError
            If there are too many redirects, or more bytes than expected.
        """
        import requests

        with requests.Session() as session:
            # requests reads the whole body of a redirect, even of one that it does not follow
            session.get_redirect_target = lambda _: None  # type: ignore
            for _ in range(MAX_REDIRECTS + 1):
                response = session.get(
                    url,
                    stream=True,
                    allow_redirects=False,
                    timeout=self.timeout,
                    # content encoding by the server would change the sum
                    headers={"Accept-Encoding": "identity"},
                )
                self._answered.set()
                with response:
                    if response.is_redirect:
                        url = urljoin(url, response.headers["location"])
                        continue
                    response.raise_for_status()
                    self._write(response.raw, file)
                    return
            raise ValueError(f"more than {MAX_REDIRECTS} redirects")

    def _write(self, body: Any, file: IO[bytes]) -> None:
        received = 0
        while part := body.read(_CHUNK, decode_content=False):
            received += len(part)
            if received > self.size:
                raise ValueError(f"the server sent more than the {self.size:,} bytes of the file")
            file.write(part)
            self.advance(len(part))


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
    if isinstance(root, TimeoutError):
        return _no_answer(timeout)
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
    """Draw progress on standard error, or yield None if it is not wanted.

    A failure of the terminal ends no download; a warning tells it.
    """
    if not (is_terminal(sys.stderr) if wanted is None else wanted):
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
    console = Console(stderr=True)
    progress = Progress(*columns, console=console, transient=console.is_terminal)
    showing = Secondary("the progress is not shown", then="the download goes on")
    with showing:
        progress.start()
    try:
        yield progress
    finally:
        with showing:
            progress.stop()


def _bar(progress: "Progress | None", name: str, size: int) -> Callable[[int], object]:
    """Add a line to the display, and return the function that advances it by some bytes."""
    if progress is None:
        return lambda _: None
    return partial(progress.advance, progress.add_task(name, total=size))
