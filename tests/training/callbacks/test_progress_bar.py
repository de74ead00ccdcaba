"""Progress is shown as lines where there is no terminal."""

import pytest
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
    assert "validation loss" in lines[0]
    assert lines[-1].endswith("0:00 left")
