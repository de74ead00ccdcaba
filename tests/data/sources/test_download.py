"""A download ends, whatever the server sends, and opens nothing but regular files."""

import hashlib
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.data.helpers import idx_contents, same, small_splits
from tests.helpers.processes import running
from tests.helpers.terminal import acting

from handloom import DataError, Splits
from handloom.data import DownloadError, fashion_mnist
from handloom.data.sources.download import MAX_REDIRECTS
from handloom.data.sources.published import MD5_SUMS, SIZES, md5_sum
from handloom.errors import ConfigurationError

pytest.importorskip("pooch")

# the variable is removed in every test, so it is read before
REAL = os.environ.get("HANDLOOM_DATA", "")

MODULE = importlib.import_module("handloom.data.sources.fashion_mnist")
SPLITS = small_splits(20, 10, classes=10)
FILES = idx_contents(SPLITS)
SUMS = {name: hashlib.md5(content).hexdigest() for name, content in FILES.items()}
IMAGES = next(iter(FILES))
FOREVER = 3.0
"""The seconds that an attack lasts if nobody ends it: more than any test waits."""


class Handler(BaseHTTPRequestHandler):
    """Answers as the attack of its server does."""

    server: "Server"

    def do_HEAD(self) -> None:
        self.answer(200)

    def do_GET(self) -> None:
        self.server.fetched.append(self.path)
        try:
            self.server.attack(self)
        except OSError:  # the client is gone
            self.server.ended.set()

    @property
    def content(self) -> bytes:
        return FILES[self.path.rpartition("/")[2]]

    def answer(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def forever(self, part: bytes, seconds: float = 0.0) -> None:
        """Send a part again and again."""
        end = time.monotonic() + FOREVER
        while time.monotonic() < end:
            self.wfile.write(part)
            time.sleep(seconds)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.attack: Callable[[Handler], None] = honest
        self.fetched: list[str] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data"


def honest(to: Handler) -> None:
    to.answer(200, Content_Length=len(to.content))
    to.wfile.write(to.content)


def endless(to: Handler) -> None:
    to.answer(200)
    to.forever(b"\0" * (1 << 16))


def endless_chunks(to: Handler) -> None:
    to.protocol_version = "HTTP/1.1"
    to.answer(200, Transfer_Encoding="chunked")
    to.forever(b"10000\r\n" + b"\0" * (1 << 16) + b"\r\n")


def claims_a_terabyte(to: Handler) -> None:
    to.answer(200, Content_Length=1 << 40)
    to.forever(b"\0" * (1 << 16))


def claims_less(to: Handler) -> None:
    to.answer(200, Content_Length=10)
    to.wfile.write(to.content)


def claims_more(to: Handler) -> None:
    to.answer(200, Content_Length=len(to.content) + 10)
    to.wfile.write(to.content[:-1])


def cut(to: Handler) -> None:
    to.answer(200, Content_Length=len(to.content))
    to.wfile.write(to.content[: len(to.content) // 2])


def no_size(to: Handler) -> None:
    to.answer(200)
    to.wfile.write(to.content)


def moved(to: Handler) -> None:
    if "moved" in to.path:
        honest(to)
    else:
        to.answer(301, Location=f"/moved{to.path}", Content_Length=0)


def compressed_in_name(to: Handler) -> None:
    to.answer(200, Content_Length=len(to.content), Content_Encoding="gzip")
    to.wfile.write(to.content)


def drips(to: Handler) -> None:
    to.answer(200, Content_Length=len(to.content))
    to.forever(b"\0", 0.02)


def drips_headers(to: Handler) -> None:
    to.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
    to.forever(b"x", 0.02)


def circle(to: Handler) -> None:
    to.answer(302, Location=to.path, Content_Length=0)


def endless_redirect(to: Handler) -> None:
    to.answer(302, Location=to.path)
    to.forever(b"\0" * (1 << 16))


def slow_circle(to: Handler) -> None:
    time.sleep(0.15)
    circle(to)


def to_a_file(to: Handler) -> None:
    to.answer(302, Location="file:///etc/passwd", Content_Length=0)


def endless_error(to: Handler) -> None:
    to.answer(500)
    to.forever(b"\0" * (1 << 16))


def hostile_reason(to: Handler) -> None:
    to.wfile.write(b"HTTP/1.0 500 \x1b]52;c;ZQ==\x07\x9b2J\r\n\r\n")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def small_edition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small dataset be the published one, and no variable or proxy of the user matter."""
    monkeypatch.setattr(MODULE, "MD5_SUMS", SUMS)
    monkeypatch.delenv("HANDLOOM_DATA", raising=False)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def within(seconds: float, call: Callable[[], object]) -> object:
    """Return the result of a call, or the error that it raises; fail if it takes longer."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, f"it takes longer than {seconds} seconds"
    return results[0]


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (endless, "more than the [0-9,]+ bytes of the file"),
        (endless_chunks, "more than the [0-9,]+ bytes of the file"),
        (claims_a_terabyte, "more than the [0-9,]+ bytes of the file"),
        (claims_less, "the MD5 sum must be"),
        (claims_more, "."),
        (cut, "."),
        (circle, f"more than {MAX_REDIRECTS} redirects"),
        (endless_redirect, f"more than {MAX_REDIRECTS} redirects"),
        (to_a_file, "adapters"),
        (endless_error, "the server answered 500"),
        (hostile_reason, r"the server answered 500 \\x1b"),
    ],
)
def test_a_hostile_answer_is_refused(
    server: Server, tmp_path: Path, attack: Callable[[Handler], None], message: str
) -> None:
    server.attack = attack
    error = within(FOREVER - 1, lambda: fashion_mnist(cache=tmp_path, base_url=server.url))
    assert isinstance(error, DownloadError)
    with pytest.raises(DownloadError, match=f"cannot download .*{IMAGES}: .*{message}"):
        raise error
    assert acting(str(error)) == []
    assert not list(tmp_path.iterdir())
    assert len(server.fetched) <= MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (drips, "not complete within the deadline of 0.3 seconds"),
        (slow_circle, "not complete within the deadline of 0.3 seconds"),
        (drips_headers, "no answer within|not complete within"),
    ],
)
def test_a_slow_server_meets_the_deadline(
    server: Server, tmp_path: Path, attack: Callable[[Handler], None], message: str
) -> None:
    server.attack = attack
    error = within(
        1.5, lambda: fashion_mnist(cache=tmp_path, base_url=server.url, timeout=10.0, deadline=0.3)
    )
    assert isinstance(error, DownloadError)
    with pytest.raises(DownloadError, match=message):
        raise error
    assert not list(tmp_path.iterdir())


def test_the_deadline_is_that_of_all_files(server: Server, tmp_path: Path) -> None:
    def slow(to: Handler) -> None:
        time.sleep(0.2)
        honest(to)

    server.attack = slow
    with pytest.raises(DownloadError, match=r"within the deadline of 0\.5 seconds"):
        fashion_mnist(cache=tmp_path, base_url=server.url, deadline=0.5)
    assert 1 <= len(list(tmp_path.iterdir())) <= 2


def test_the_connection_to_an_endless_server_is_closed(server: Server, tmp_path: Path) -> None:
    server.attack = endless
    with pytest.raises(DownloadError):
        fashion_mnist(cache=tmp_path, base_url=server.url)
    assert server.ended.wait(FOREVER - 1)


@pytest.mark.parametrize("attack", [honest, no_size, moved, compressed_in_name])
def test_the_published_bytes_are_accepted(
    server: Server, tmp_path: Path, attack: Callable[[Handler], None]
) -> None:
    server.attack = attack
    assert same(fashion_mnist(cache=tmp_path, base_url=server.url).train, SPLITS.train)


class OnlyWrites:
    """A stream as that of some applications."""

    def write(self, text: str) -> int:
        return len(text)


@pytest.mark.filterwarnings("ignore:the progress is not shown")
@pytest.mark.parametrize("lost", ["terminal", "closed", "object"])
def test_a_lost_terminal_ends_no_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    pytest.importorskip("rich")
    pty = pytest.importorskip("pty")
    reading, writing = pty.openpty()
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stderr", OnlyWrites() if lost == "object" else stream)
    monkeypatch.setenv("TERM", "xterm")
    if lost == "closed":
        stream.close()

    def hang_up(to: Handler) -> None:
        if lost == "terminal" and len(server.fetched) == 1:
            os.close(reading)
        honest(to)

    server.attack = hang_up
    assert same(fashion_mnist(cache=tmp_path, base_url=server.url).train, SPLITS.train)
    with suppress(OSError):
        stream.close()
    if lost != "terminal":
        os.close(reading)


@pytest.mark.parametrize("deadline", [0.0, -1.0, float("inf")])
def test_a_deadline_must_be_a_finite_number_above_0(tmp_path: Path, deadline: float) -> None:
    with pytest.raises(ConfigurationError, match="deadline must be"):
        fashion_mnist(cache=tmp_path, deadline=deadline)


def test_the_default_deadline_suffices_for_a_slow_connection() -> None:
    slowest = sum(SIZES.values()) / MODULE.fashion_mnist.__kwdefaults__["deadline"]
    assert slowest < 20_000
    assert {*SIZES} == {*MD5_SUMS}


@pytest.mark.skipif(not REAL, reason="needs HANDLOOM_DATA")
def test_the_published_sizes_are_those_of_the_files() -> None:
    folder = Path(REAL)
    for name, size in SIZES.items():
        if (folder / name).exists():
            assert (folder / name).stat().st_size == size


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def circular_link(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.fixture
def released(tmp_path: Path) -> Iterator[None]:
    """Release a reader that waits for a pipe, if a test fails."""
    yield
    for path in tmp_path.iterdir():
        if path.is_fifo():
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:  # nobody reads
                continue


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("download", [True, False])
@pytest.mark.parametrize("attack", [fifo, link_to_fifo, link_to_zero, Path.mkdir, circular_link])
def test_only_regular_files_of_the_cache_are_opened(
    server: Server, tmp_path: Path, attack: Callable[[Path], None], download: bool
) -> None:
    attack(tmp_path / IMAGES)
    error = within(
        1.5, lambda: fashion_mnist(cache=tmp_path, base_url=server.url, download=download)
    )
    assert isinstance(error, DataError)
    with pytest.raises(DataError, match=f"{IMAGES}: cannot be read: .*; remove it"):
        raise error
    assert os.path.lexists(tmp_path / IMAGES)
    assert not server.fetched


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.usefixtures("released")
def test_no_sum_is_computed_of_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    error = within(1.5, lambda: md5_sum(tmp_path / "pipe"))
    assert isinstance(error, OSError)
    assert "not a regular file" in str(error)


def test_a_file_larger_than_the_published_one_is_replaced_unread(
    server: Server, tmp_path: Path
) -> None:
    with (tmp_path / IMAGES).open("wb") as file:
        file.truncate(1 << 38)  # without blocks on the disk
    read = within(2.0, lambda: fashion_mnist(cache=tmp_path, base_url=server.url))
    assert isinstance(read, Splits)
    assert same(read.train, SPLITS.train)
    assert (tmp_path / IMAGES).read_bytes() == FILES[IMAGES]


def test_a_link_without_a_target_is_replaced(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / IMAGES).symlink_to(tmp_path / "elsewhere")
    assert same(fashion_mnist(cache=cache, base_url=server.url).train, SPLITS.train)
    assert not (tmp_path / "elsewhere").exists()


DOWNLOAD = """
import importlib, json, sys
module = importlib.import_module("handloom.data.sources.fashion_mnist")
module.MD5_SUMS = json.loads(sys.argv[3])
module.fashion_mnist(cache=sys.argv[1], base_url=sys.argv[2])
"""


@pytest.mark.slow
def test_processes_that_share_a_cache_see_whole_files_only(server: Server, tmp_path: Path) -> None:
    """Of three downloads at once, one is killed in the middle of a file."""
    go_on = threading.Event()

    def in_halves(to: Handler) -> None:
        middle = len(to.content) // 2
        to.answer(200, Content_Length=len(to.content))
        to.wfile.write(to.content[:middle])
        go_on.wait(20)
        to.wfile.write(to.content[middle:])

    def published() -> list[Path]:
        return [path for path in tmp_path.iterdir() if path.name in FILES]

    server.attack = in_halves
    arguments = (tmp_path, server.url, json.dumps(SUMS))
    with (
        running(DOWNLOAD, *arguments) as killed,
        running(DOWNLOAD, *arguments) as second,
        running(DOWNLOAD, *arguments) as third,
    ):
        while len(server.fetched) < 3:
            assert not any(process.poll() for process in (killed, second, third))
            time.sleep(0.01)
        assert published() == []
        killed.kill()
        killed.wait(10)
        go_on.set()
        while any(process.poll() is None for process in (second, third)):
            assert all(path.read_bytes() == FILES[path.name] for path in published())
            time.sleep(0.01)
        assert (second.returncode, third.returncode) == (0, 0)
    assert {path.name: path.read_bytes() for path in published()} == FILES
