"""Secondary work is told to the user: where it is read, and by any process."""

import os
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.helpers.processes import running

from handloom.secondary import in_notebook, say

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


@pytest.mark.parametrize("shell", [None, SimpleNamespace()], ids=["none", "of a terminal"])
def test_ipython_on_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch, shell: Any) -> None:
    ipython: Any = ModuleType("IPython")
    assert not in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", ipython)  # half imported
    assert not in_notebook()
    ipython.get_ipython = lambda: shell
    assert not in_notebook()


def test_a_sentence_is_on_standard_output_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    say("to a terminal")
    ipython: Any = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert in_notebook()
    say("to a cell")
    assert capsys.readouterr() == ("to a cell\n", "to a terminal\n")
