"""Progress is shown as lines where there is no terminal."""

import os
import subprocess

import pytest
from tests.helpers.processes import running
from tests.helpers.terminal import HOSTILE, acting, captured
from tests.helpers.training import HELD_OUT, ROWS, network

from handloom import SGD, Progress, Trainer


def test_progress_prints_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress("mine", every=2)
    Trainer(network(ROWS), SGD(), 0.1, epochs=5, callbacks=[progress]).fit(ROWS, HELD_OUT)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "epoch 1/5",
        "epoch 2/5",
        "epoch 4/5",
        "epoch 5/5",
    ]
    assert "mine" in lines[0]
    assert "val loss" in lines[0]
    assert lines[-1].endswith("0:00 left")


@pytest.mark.parametrize("on_terminal", [False, True], ids=["pipe", "terminal"])
def test_a_label_is_shown_as_it_is_and_does_not_act(
    monkeypatch: pytest.MonkeyPatch, on_terminal: bool
) -> None:
    progress = Progress(f"[b] {HOSTILE}")
    with captured(monkeypatch, on_terminal=on_terminal) as received:
        Trainer(network(ROWS), SGD(), 0.1, epochs=2, callbacks=[progress]).fit(ROWS)
    text = b"".join(received).decode()
    assert acting(text, on_terminal=on_terminal) == []
    assert r"[b] \x1b]52" in text


CODE = """
import sys
from tests.helpers.training import ROWS
from tests.training.helpers import Watcher, trainer
from handloom import Progress

class Say(Watcher):
    def on_epoch_end(self, *, state, record):
        print("mine")

trainer(None, Progress(), Say()).fit(ROWS)
"""


def test_a_bar_leaves_what_is_printed_to_a_pipe_there() -> None:
    pytest.importorskip("rich")
    pty = pytest.importorskip("pty")
    master, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    with running(CODE, stdout=subprocess.PIPE, stderr=terminal, env=environment) as process:
        said, _ = process.communicate(timeout=60)
        shown = os.read(master, 4096)
    os.close(master)
    os.close(terminal)
    assert said.splitlines() == ["mine"] * 3
    assert b"training" in shown
