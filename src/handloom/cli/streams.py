"""The standard streams at the end of a command: lost output is an error, told once."""

import os
import sys
from contextlib import suppress
from typing import TextIO

from handloom.secondary import say


def end_output(status: int) -> int:
    """Write the rest of the output; return the status, which is not 0 if output is lost.

    A reader that has closed the pipe, such as ``head``, gets no message.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            discard(stream)
            if stream is sys.stdout and status == 0:
                status = 1
                if not isinstance(error, BrokenPipeError):
                    say(f"error: cannot write to standard output: {error.strerror}")
    return status


def discard(stream: TextIO | None) -> None:
    """Send the rest of a broken stream to the null device; at the exit it would be an error."""
    with suppress(OSError, ValueError, AttributeError):  # it may have no file
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())  # type: ignore[union-attr]
        finally:
            os.close(null)
