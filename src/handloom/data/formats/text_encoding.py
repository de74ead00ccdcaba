"""The encoding of a text file: UTF-8, UTF-16 with a byte order mark, or else Windows-1252."""

import codecs
import os
import re
import shlex
from pathlib import Path

from handloom.data.notes import Tell
from handloom.errors import DataError

SCANNED = 1 << 26
"""The number of bytes from which the encoding is detected."""

UTF8, UTF16, WINDOWS = "utf-8-sig", "utf-16", "cp1252"
"""The encodings by their names in Python; Latin-1 is Windows-1252 without some signs."""

_NOT_ASCII = re.compile(rb"[^,;\t\r\n]{0,40}[\x80-\xff][^,;\t\r\n]{0,40}")


def encoding_of(path: Path, *, tell: Tell) -> str:
    """Return the encoding of a text file, and tell of another one than UTF-8.

    A text that is not UTF-8 is taken for Windows-1252, as spreadsheets of western Europe write it,
    unless it has bytes that this encoding lacks, or characters of UTF-8 too: that is damaged UTF-8,
    whose other characters would all be read wrongly.

    Parameters
    ----------
    path : Path
    tell : callable
        Called with the note.

    Raises
    ------
    DataError
        If it is in neither; with a command that converts it.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(min(size, SCANNED))  # no more memory than the file needs
        if len(start) == SCANNED:  # no character is cut in two
            start += file.readline(SCANNED)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        tell(f"{path}: is text in UTF-16")
        return UTF16
    try:
        start.decode(UTF8)
    except UnicodeDecodeError as error:
        if not _is_windows(start):
            raise not_text(path, error) from None
        example = _NOT_ASCII.search(start)
        shown = "" if example is None else f", such as {example.group().decode(WINDOWS)!r:.60}"
        tell(
            f"{path}: is no text in UTF-8, so it is read as Windows-1252{shown}; if letters are "
            f"wrong, convert the file to UTF-8"
        )
        return WINDOWS
    return UTF8


def _is_windows(content: bytes) -> bool:
    """Return whether a text that is not UTF-8 may be Windows-1252."""
    try:
        content.decode(WINDOWS)
    except UnicodeDecodeError:
        return False
    return b"\0" not in content and content.decode("utf-8", "ignore").isascii()


def not_text(path: Path, error: UnicodeDecodeError) -> DataError:
    """Return the error about a byte that is not of the encoding of a text file."""
    if error.encoding.startswith("utf-16"):
        return DataError(f"{path}: is damaged text in UTF-16: save it as CSV in UTF-8")
    byte = error.object[error.start]
    command = shlex.join(["iconv", "-f", "ENCODING", "-t", "utf-8", path.name])
    return DataError(
        f"{path}: is no text in UTF-8 (byte 0x{byte:02x}): save it as CSV in UTF-8, or convert it "
        f"from its own ENCODING: {command} > utf8-{shlex.quote(path.name)}"
    )
