"""Warnings about secondary work can be issued by a process that was forked at any moment."""

import os
import subprocess

import pytest
from tests.helpers.processes import running

FORK = """
import os, threading, warnings
from handloom.secondary import show, warn
reached, go_on = threading.Event(), threading.Event()

def stand_still():
    reached.set()
    go_on.wait(60)

threading.Thread(target=show, args=("", stand_still), daemon=True).start()
reached.wait(60)
if os.fork() == 0:
    warn("from the child")
    os._exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]))
go_on.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_while_another_thread_warns_can_warn() -> None:
    with running(FORK, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said, errors = process.communicate(timeout=20)
    assert said == "7\n"
    assert "from the child" in errors
