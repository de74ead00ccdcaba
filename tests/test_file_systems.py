"""A file system without locks or flushes costs a warning, and no training and no model."""

import errno
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from tests.helpers.processes import running
from tests.helpers.unsupported import PREAMBLE

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="needs seccomp filters"
)

WORK = (
    PREAMBLE
    + """
import os
from pathlib import Path
from handloom.files import read_set, write_set
from handloom.locks import only_writer
folder = Path(sys.argv[1])
write_set(folder, "thing", 1, {"a.json": b"earlier"})
fail(sys.argv[2], int(sys.argv[3]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for each in range(3):
        with only_writer(folder):
            write_set(folder, "thing", 1, {"a.json": b"%d" % each})
    assert read_set(folder, "thing", 1) == {"a.json": b"2"}
for each in caught:
    print(each.message)
"""
)


def run(folder: Path, call: str, error: int) -> tuple[str, str, int]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running(WORK, folder, call, error, **pipes) as process:
        output, errors = process.communicate(timeout=30)
    if process.returncode == 77:
        pytest.skip("no seccomp filters here")
    return output, errors, process.returncode


UNSUPPORTED = ("ENOLCK", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "ENOSYS")


@pytest.mark.parametrize("name", UNSUPPORTED)
@pytest.mark.parametrize("call", ["flock", "fsync"])
def test_a_call_that_is_not_supported_is_said_once(tmp_path: Path, call: str, name: str) -> None:
    output, errors, status = run(tmp_path, call, getattr(errno, name))
    assert status == 0, errors
    (line,) = output.splitlines()
    assert line.startswith(
        f"this file system cannot {'lock' if call == 'flock' else 'flush'} files"
    )


@pytest.mark.parametrize(("call", "error"), [("flock", errno.EWOULDBLOCK), ("fsync", errno.EIO)])
def test_other_failures_are_errors(tmp_path: Path, call: str, error: int) -> None:
    """The lock of another, and a disk that is broken."""
    _, errors, status = run(tmp_path, call, error)
    assert status == 1
    assert "FileError" in errors
