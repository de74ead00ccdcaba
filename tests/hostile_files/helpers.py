"""Bounds on a test, and files that claim more than they hold."""

import json
import signal
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fuzz import mutations, seeds

linux_only = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="bounds are set as Linux sets them"
)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """End a test that would otherwise never end."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"still busy after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def png(width: int, height: int) -> bytes:
    header = mutations.png_chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0))
    pixels = mutations.png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + mutations.png_chunk(b"IEND", b"")


def entry(**change: object) -> bytes:
    """Return a manifest with a changed entry."""
    (manifest,) = map(json.loads, seeds.manifests())
    manifest["files"]["a.json"].update(change)
    return json.dumps(manifest).encode()
