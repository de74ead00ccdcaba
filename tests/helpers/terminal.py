"""The bytes that code writes to a terminal or a pipe, and the characters in them that act."""

import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07"  # writes to the clipboard
    "\x1b[2J\x9b2J"  # erase the screen
    "[red]\r\b\x7f"  # markup; characters that move the cursor
    "\u202e\u2066"  # reorder text
    "\nerror: forged\u2028\x85"  # new lines
)
"""A name with characters that act on a terminal; it is valid for a file, too."""

READABLE = "Zoë 漢字 🎨 e\u0301"
"""Characters of other languages, which stay as they are."""

_DISPLAY = re.compile(r"\x1b\[(\?25[lh]|2K|1A|[0-9;]*m)|\r(?=\n|\x1b\[2K)")
"""The sequences of tables and progress bars on a terminal; none is in `HOSTILE`."""

_REORDERING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def acting(text: str, *, on_terminal: bool = False) -> list[str]:
    """Return the characters of a text that act on a terminal; new lines are allowed."""
    if on_terminal:
        text = _DISPLAY.sub("", text)
    return [
        character
        for character in text
        if (unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character != "\n")
        or unicodedata.bidirectional(character) in _REORDERING
    ]


@contextmanager
def captured(monkeypatch: pytest.MonkeyPatch, *, on_terminal: bool) -> Iterator[list[bytes]]:
    """Collect the bytes that a block writes to both streams, on a terminal or a pipe."""
    pty = pytest.importorskip("pty") if on_terminal else None
    reading, writing = os.pipe() if pty is None else pty.openpty()
    received: list[bytes] = []

    def read() -> None:
        try:
            while some := os.read(reading, 1 << 16):
                received.append(some)
        except OSError:  # the other end of a terminal is closed
            pass

    thread = Thread(target=read)
    thread.start()
    try:
        with os.fdopen(writing, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            patch.setenv("TERM", "xterm-256color")
            yield received
            stream.flush()
    finally:
        thread.join()
        os.close(reading)
