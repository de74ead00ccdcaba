"""Progress is shown as lines where there is no terminal."""

import os
import re
import subprocess
from contextlib import suppress

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


@pytest.mark.long
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


BAR = """
import sys
from tests.helpers.training import HELD_OUT, ROWS
from tests.training.helpers import trainer
from handloom import Callback, Progress

class Mine(Callback):
    def on_epoch_end(self, *, state, record):
        state.record("a_metric_of_my_own_with_a_long_name", 1234567.0)

trainer(None, Mine(), Progress()).fit(ROWS, HELD_OUT if sys.argv[1] == "validated" else None)
"""


@pytest.mark.parametrize(
    ("width", "validated"), [(40, "validated"), (80, "validated"), (120, "not")]
)
@pytest.mark.slow
def test_the_bar_fits_the_terminal(width: int, validated: str) -> None:
    pytest.importorskip("rich")
    text = on_terminal_of(width, BAR, validated)
    lines = drawn(text)
    assert max(map(len, lines)) < width
    metric = "val acc" if validated == "validated" else "acc"
    assert any("3/3 ━" in line and metric in line and "0:00 left" in line for line in lines)


STUCK = """
from handloom import Adam, Dense, Progress, ReLU, Sequential, Trainer, silhouettes
from handloom.training import probe
probe.SHORT_SECONDS = 1e9
network = Sequential([Dense(32), ReLU(), Dense(10)]).build((784,))
options = {"epochs": 2, "batch_size": 20, "threads": 1, "backend": "numpy"}
rows = silhouettes(rows=600, test_rows=10).train
Trainer(network, Adam(), 0.5, callbacks=[Progress("mine")], **options).fit(rows)
"""


def test_findings_are_wrapped_at_words() -> None:
    pytest.importorskip("rich")
    lines = drawn(on_terminal_of(50, STUCK))
    first = next(index for index, line in enumerate(lines) if "mine  After epoch 2" in line)
    found = lines[first:]
    assert max(map(len, found)) <= 50
    assert len(found) > 4
    assert all(line.startswith(("mine  ", "  ")) for line in found)
    assert "too large for Adam; try 0.05, then 0.005" in " ".join(" ".join(found).split())
    assert "mine  The outputs of 0.dense" in "\n".join(found)


def on_terminal_of(width: int, code: str, *arguments: str) -> str:
    """Return the output of code to a terminal of a width."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, width))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    with running(code, *arguments, **streams, env={**environment, "TERM": "xterm"}):
        os.close(terminal)
        received = bytearray()
        with suppress(OSError):  # the other end is closed
            while some := os.read(master, 1 << 16):
                received += some
    os.close(master)
    return received.decode()


def drawn(text: str) -> list[str]:
    """Return the lines that were drawn on a terminal, without colors."""
    uncolored = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return [line for line in re.split(r"\r|\n|\x1b\[[0-9;?]*[A-Za-z]", uncolored) if line]
