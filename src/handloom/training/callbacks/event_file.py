"""Files of events, as TensorBoard reads them: written whole events at a time, never replaced."""

import re
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

VERSION = "brain.Event:2"
"""The first event of a file: since this version, a file may hide steps of earlier files."""

NAME = re.compile(r"events\.out\.tfevents\.(\d{10})\..*")
"""The name of a file, with the second in which it was created; readers sort by it."""


def new_event_file(folder: Path, *, first_step: int) -> Path:
    """Create a file of events after all others of a folder, and return its path.

    Readers ignore the events of the other files from ``first_step`` on.
    """
    # a clock may be behind, or two trainings begin in the same second
    others = [int(match[1]) for path in folder.iterdir() if (match := NAME.fullmatch(path.name))]
    second = max([int(time.time()), *(other + 1 for other in others)])
    path = folder / f"events.out.tfevents.{second:010d}.{socket.gethostname()}"
    with path.open("xb"):
        append_events(path, [_event(file_version=VERSION), _start(first_step)])
    return path


def append_events(path: Path, events: Iterable[Any]) -> None:
    """Append events, of the class ``tensorboardX.proto.event_pb2.Event``, to an existing file.

    Nothing stays in memory: the events outlive the process.

    Raises
    ------
    OSError
        If they cannot be written. The file then ends in part of an event: it must not be used
        any more, since readers ignore everything after it.
    """
    content = b"".join(_framed(event.SerializeToString()) for event in events)
    with path.open("r+b") as file:  # unlike "ab", it never creates a file
        file.seek(0, 2)
        file.write(content)


def summary_event(step: int, values: Iterable[Any]) -> Any:
    """Return an event with values of the class ``Summary.Value``, at a step."""
    from tensorboardX.proto.summary_pb2 import Summary

    return _event(step=step, summary=Summary(value=values))


def _start(first_step: int) -> Any:
    """Return the event at which readers forget the steps of earlier files."""
    from tensorboardX.proto.event_pb2 import SessionLog

    return _event(step=first_step, session_log=SessionLog(status=SessionLog.START))


def _event(**content: Any) -> Any:
    from tensorboardX.proto.event_pb2 import Event

    return Event(wall_time=time.time(), **content)


def _framed(data: bytes) -> bytes:
    """Return an event as a record of the TFRecord format: size, data, and a checksum of each."""
    from tensorboardX.record_writer import masked_crc32c

    size = struct.pack("<Q", len(data))
    checksums = [struct.pack("<I", masked_crc32c(part)) for part in (size, data)]
    return size + checksums[0] + data + checksums[1]
