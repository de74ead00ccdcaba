"""Processes that end with the test that started them, whether or not it passes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def running(code: str, *arguments: object, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Run Python code in a process of its own, which is killed if the block leaves it running."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()  # does nothing where the process has ended
