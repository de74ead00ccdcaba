"""Fashion-MNIST: read from the right source, and downloaded completely or not at all."""

import hashlib
import importlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from tests.data.helpers import idx_contents, same, small_splits, write_idx_folder

from handloom import DataError
from handloom.data import DownloadError, fashion_mnist, write_image_folders
from handloom.data.sources.published import MD5_SUMS
from handloom.errors import ConfigurationError, MissingExtraError

# The variable is taken away from every test, so it is read before.
REAL = os.environ.get("HANDLOOM_DATA", "")

MODULE = importlib.import_module("handloom.data.sources.fashion_mnist")

SPLITS = small_splits(20, 10, classes=10)
FILES = idx_contents(SPLITS)
SUMS = {name: hashlib.md5(content).hexdigest() for name, content in FILES.items()}
IMAGES = next(iter(FILES))


class Server(ThreadingHTTPServer):
    """Serves `files`, writes down which were fetched, and breaks off the one called `broken`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = dict(FILES)
        self.fetched: list[str] = []
        self.broken = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        name = self.path.removeprefix("/data/")
        self.server.fetched.append(name)
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name == self.server.broken else content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def small_edition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small dataset be the published one, and no variable or proxy of the user matter."""
    monkeypatch.setattr(MODULE, "MD5_SUMS", SUMS)
    monkeypatch.delenv("HANDLOOM_DATA", raising=False)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def test_a_download_is_kept_and_not_repeated(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    for _ in range(2):
        read = fashion_mnist(cache=cache, base_url=server.url)
        assert same(read.train, SPLITS.train)
        assert same(read.test, SPLITS.test)
        assert read.name == "fashion-mnist"
        assert read.train.class_names[0] == "T-shirt/top"
        assert server.fetched == list(FILES)
    assert sorted(path.name for path in cache.iterdir()) == sorted(FILES)


def test_what_is_cached_needs_no_network(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, SPLITS)
    assert same(fashion_mnist(cache=tmp_path, download=False).test, SPLITS.test)


@pytest.mark.parametrize("broken", FILES)
def test_a_broken_connection_leaves_nothing_that_passes_for_a_file(
    server: Server, tmp_path: Path, broken: str
) -> None:
    server.broken = broken
    with pytest.raises(DownloadError, match=f"cannot download .*{broken}") as caught:
        fashion_mnist(cache=tmp_path, base_url=server.url)
    assert "\n" not in str(caught.value)
    before = list(FILES)[: list(FILES).index(broken)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(before)
    server.broken = ""
    assert same(fashion_mnist(cache=tmp_path, base_url=server.url).train, SPLITS.train)
    assert sorted(set(server.fetched)) == sorted(FILES)
    assert len(server.fetched) == len(FILES) + 1


def test_a_file_with_another_sum_is_refused(server: Server, tmp_path: Path) -> None:
    server.files[IMAGES] = FILES[IMAGES][:-1] + b"\1"
    with pytest.raises(
        DownloadError, match=r"the MD5 sum must be .*, got another: not the published file"
    ):
        fashion_mnist(cache=tmp_path, base_url=server.url)
    assert not list(tmp_path.iterdir())


def test_a_cached_file_that_is_damaged_is_fetched_again(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_idx_folder(tmp_path, SPLITS)
    (tmp_path / IMAGES).write_bytes(b"half")
    assert same(fashion_mnist(cache=tmp_path, base_url=server.url).train, SPLITS.train)
    assert server.fetched == [IMAGES]
    assert (tmp_path / IMAGES).read_bytes() == FILES[IMAGES]
    assert caplog.record_tuples == [
        (
            "handloom.data.sources.download",
            logging.WARNING,
            f"{tmp_path / IMAGES}: not the file that was published; it must be downloaded again",
        )
    ]


def test_without_leave_nothing_is_downloaded(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{IMAGES} is missing.*HANDLOOM_DATA"):
        fashion_mnist(cache=tmp_path, base_url=server.url, download=False)
    assert not server.fetched


def test_a_server_that_lacks_a_file(server: Server, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(DownloadError, match="the server answered 404 Not Found"):
        fashion_mnist(cache=tmp_path, base_url=server.url)


def test_downloads_at_the_same_time_do_not_disturb_each_other(
    server: Server, tmp_path: Path
) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            fashion_mnist(cache=tmp_path / "cache", base_url=server.url)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == sorted(FILES)


def failure(cache: Path, url: str, timeout: float) -> tuple[str, float]:
    """Return the error message of a download that must fail, and the seconds it took."""
    start = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        fashion_mnist(cache=cache, base_url=url, timeout=timeout)
    message = str(caught.value)
    assert message.startswith(f"cannot download {url}/{IMAGES}: ")
    assert message.count("\n") == 0
    assert "HANDLOOM_DATA or --data" in message
    assert not list(cache.iterdir())
    return message, time.monotonic() - start


def test_no_server_is_noticed_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    message, seconds = failure(tmp_path, f"http://127.0.0.1:{port}", 10.0)
    assert "refused" in message
    assert seconds < 5


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        message, seconds = failure(tmp_path, url, 0.3)
    assert "no answer within 0.3 seconds" in message
    assert seconds < 5


@pytest.mark.parametrize("busy", [True, False])
def test_a_search_for_the_host_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    released = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        if busy:
            released.wait(10)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    message, seconds = failure(tmp_path, "http://somewhere.invalid", 0.3)
    released.set()
    assert ("no answer within" if busy else "Name or service not known") in message
    assert seconds < 5


def test_the_default_patience_is_under_15_seconds() -> None:
    assert MODULE.fashion_mnist.__kwdefaults__["timeout"] <= 12


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_a_timeout_that_means_nothing(tmp_path: Path, timeout: float) -> None:
    with pytest.raises(ConfigurationError, match="timeout must be"):
        fashion_mnist(cache=tmp_path, timeout=timeout)


def test_a_cache_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="cache: cannot be created"):
        fashion_mnist(cache=tmp_path / "file" / "cache", base_url=server.url)


def test_a_bar_is_drawn_on_standard_error(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fashion_mnist(cache=tmp_path, base_url=server.url, show_progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert IMAGES in shown.err


def test_nothing_is_shown_where_no_terminal_is(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fashion_mnist(cache=tmp_path, base_url=server.url)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("package", ["pooch", "requests", "rich"])
def test_a_missing_package_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for module in (package, f"{package}.console"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"'{package}': .*the extra 'cli'"):
        fashion_mnist(cache=tmp_path, base_url=server.url, show_progress=True)


def test_the_users_cache_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    asked: list[str] = []

    def os_cache(project: str) -> Path:
        asked.append(project)
        return tmp_path

    monkeypatch.setattr(pooch, "os_cache", os_cache)
    write_idx_folder(tmp_path / "fashion-mnist", SPLITS)
    assert same(fashion_mnist(download=False).train, SPLITS.train)
    assert asked == ["handloom"]


def test_a_path_comes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDLOOM_DATA", str(write_idx_folder(tmp_path / "b", small_splits())))
    assert same(fashion_mnist().train, small_splits().train)
    write_image_folders(SPLITS, tmp_path / "a")
    assert same(fashion_mnist(tmp_path / "a").train, SPLITS.train.sorted_by_class())


@pytest.mark.parametrize(
    ("value", "message"),
    [("", "the path of the data is empty"), ("/no/such/folder", "does not exist")],
)
def test_a_variable_that_is_wrong_is_an_error_and_nothing_takes_its_place(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("HANDLOOM_DATA", value)
    with pytest.raises(DataError, match=f"the environment variable HANDLOOM_DATA: .*{message}"):
        fashion_mnist(cache=write_idx_folder(tmp_path, SPLITS), base_url=server.url)
    assert not server.fetched


def test_a_path_that_is_wrong_is_an_error_and_nothing_takes_its_place(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="nowhere: does not exist"):
        fashion_mnist(tmp_path / "nowhere", cache=tmp_path, base_url=server.url)
    assert not server.fetched


@pytest.mark.skipif(not REAL, reason="needs HANDLOOM_DATA")
def test_the_published_sums_are_those_of_the_files() -> None:
    folder = Path(REAL)
    for name, expected in MD5_SUMS.items():
        if (folder / name).exists():
            assert hashlib.md5((folder / name).read_bytes()).hexdigest() == expected
    read = fashion_mnist(folder)
    assert read.train.inputs.shape == (60_000, 28, 28)
    assert read.test.inputs.shape == (10_000, 28, 28)
    assert np.array_equal(np.unique(read.train.targets), np.arange(10))
