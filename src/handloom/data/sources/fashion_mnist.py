"""Fashion-MNIST, from a folder, the user's cache or a download."""

import os
from pathlib import Path

from handloom.data.dataset import Splits
from handloom.data.formats.idx_folders import read_idx_folder
from handloom.data.formats.image_folders import Progress
from handloom.data.sources.download import DownloadError, download as download_files, missing_files
from handloom.data.sources.open_folder import open_folder
from handloom.data.sources.published import BASE_URL, CLASS_NAMES, MD5_SUMS, NAME, SIZES
from handloom.errors import DataError, MissingExtraError, require_number

__all__ = ["DownloadError", "fashion_mnist"]

VARIABLE = "HANDLOOM_DATA"


def fashion_mnist(
    path: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    cache: str | os.PathLike[str] | None = None,
    base_url: str = BASE_URL,
    timeout: float = 10.0,
    deadline: float = 1800.0,
    show_progress: bool | None = None,
    on_progress: Progress | None = None,
) -> Splits:
    """Read Fashion-MNIST: 60,000 training and 10,000 test images of clothes, ten classes.

    The first of these that is set is read, without a fallback to the next: the ``path``; the folder
    in the environment variable ``HANDLOOM_DATA``; the user's cache folder, into which files that
    are missing or not as published are downloaded first.

    Parameters
    ----------
    path : path, optional
        A folder of IDX files or of images for `open_folder`. Other data than Fashion-MNIST is
        accepted: the result is named ``"fashion-mnist"`` only if the rows are those published.
    download : bool
        Whether files may be downloaded.
    cache : path, optional
        The folder of downloaded files, instead of the user's cache folder.
    base_url : str
        The address to download from; by default that of the authors.
    timeout : float
        The seconds to wait for an answer of the server, and for each further part of a file.
    deadline : float
        The seconds that the whole download may take. The default, half an hour for 31 MB, suffices
        for 17 kB a second.
    show_progress : bool, optional
        Whether to draw downloads on standard error; by default if that is a terminal.
    on_progress : callable, optional
        Called with the number of images read, and the total, for folders of images.

    Returns
    -------
    Splits
        Inputs of shape (n, 28, 28) and dtype uint8, in the order of the files.

    Raises
    ------
    DataError
        If the folder is invalid, or files are missing from the cache and ``download`` is false.
    DownloadError
        If a download fails, takes too long, or sends more than was published.
    MissingExtraError
        If pooch, Pillow or rich is needed and not installed.
    ConfigurationError
        If ``timeout`` or ``deadline`` is not above 0.
    """
    require_number("timeout", timeout, minimum=0.0, exclusive=True)
    require_number("deadline", deadline, minimum=0.0, exclusive=True)
    if path in ("train", "test") and not Path(path).exists():
        raise DataError(
            f"path must be a folder, got {path!r}: both parts are read at once: "
            f"fashion_mnist().{path}, or train, test = fashion_mnist()"
        )
    if path is not None:
        return open_folder(path, on_progress=on_progress)
    if VARIABLE in os.environ:
        try:
            return open_folder(os.environ[VARIABLE], on_progress=on_progress)
        except DataError as error:
            raise DataError(f"the environment variable {VARIABLE}: {error}") from error
    folder = _cache_folder() if cache is None else Path(cache).expanduser()
    missing = missing_files(folder, MD5_SUMS, SIZES)
    if missing and not download:
        raise DataError(
            f"{folder}: {missing[0]} is missing or not as published, and download is False: "
            f"set {VARIABLE} or --data to a folder that holds the data"
        )
    if missing:
        wanted = {name: MD5_SUMS[name] for name in missing}
        download_files(
            wanted,
            base_url,
            folder,
            sizes=SIZES,
            timeout=timeout,
            deadline=deadline,
            show_progress=show_progress,
        )
    return read_idx_folder(folder, CLASS_NAMES, NAME)


def _cache_folder() -> Path:
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError("pooch", "cli", "finding or downloading Fashion-MNIST") from error
    return Path(pooch.os_cache("handloom")) / NAME
