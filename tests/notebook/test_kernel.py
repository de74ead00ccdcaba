"""Cells that run in a kernel of Jupyter show what they should, without a red box."""

from typing import Any

import pytest

CELLS = {
    "setup": """
import os
import signal
import sys

from handloom import *
from handloom import plots

data = silhouettes(rows=200, test_rows=50)


class Interrupt(Callback):
    changes_results = False

    def on_epoch_end(self, *, state, record):
        if record.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)  # as the button of a notebook does


def trainer(*callbacks, epochs=6):
    network = Sequential([Dense(8), ReLU(), Dense(10)]).build((784,), seed=0)
    options = {"epochs": epochs, "batch_size": 50, "backend": "numpy", "threads": 1}
    return Trainer(network, Adam(), 1e-3, callbacks=callbacks, **options)
""",
    "preparation": """
class Press(Callback):
    changes_results = False

    def check(self, *, state):
        os.kill(os.getpid(), signal.SIGINT)


early = trainer(Press()).fit(data.train)
assert len(early) == 0 and early.stop_reason is StopReason.INTERRUPTED
""",
    "announced": """
plateau = ReduceOnPlateau("loss", patience=2, min_delta=9)
history = trainer(plateau, Progress()).fit(data.train)
""",
    "figure": "plots.samples(data.train, per_class=2)",
    "no pyplot": "assert 'matplotlib.pyplot' not in sys.modules",
    "progress": "history = trainer(Progress()).fit(data.train, data.test)",
    "live": "history = trainer(LivePlot(seconds=0)).fit(data.train, data.test)",
    "interrupted": "history = trainer(Interrupt(), epochs=10**6).fit(data.train)",
    "after": "assert len(history) == 3 and history.stop_reason is StopReason.INTERRUPTED",
    "history": "history",
    "pyplot": "import matplotlib.pyplot as plt\nplots.samples(data.train, per_class=2)",
}


@pytest.fixture(scope="module")
def outputs() -> dict[str, list[Any]]:
    """Return the outputs of each cell."""
    pytest.importorskip("ipykernel", reason="needs the extra 'notebook'")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra 'notebook'")
    import nbformat

    cells = [nbformat.v4.new_code_cell(code) for code in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    # streams are joined as a notebook joins them, carriage returns included
    nbclient.NotebookClient(notebook, timeout=120, coalesce_streams=True).execute()
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells, strict=True)}


pytestmark = pytest.mark.filterwarnings("default")  # of the packages that talk to the kernel


@pytest.mark.slow
def test_a_figure_is_a_picture_in_a_fresh_kernel(outputs: dict[str, list[Any]]) -> None:
    (shown,) = outputs["figure"]
    assert shown.data["image/png"].startswith("iVBORw0KGgo")
    assert shown.metadata["image/png"]["width"] > 100


def test_it_is_shown_once_with_pyplot_too(outputs: dict[str, list[Any]]) -> None:
    (shown,) = outputs["pyplot"]
    assert "image/png" in shown.data


def test_the_progress_is_one_line_on_standard_output(outputs: dict[str, list[Any]]) -> None:
    (shown,) = outputs["progress"]
    assert (shown.output_type, shown.name) == ("stream", "stdout")
    (line,) = shown.text.splitlines()
    assert line.startswith("training  6/6 ━")
    assert "val acc" in line


def test_a_live_plot_is_one_output_with_the_curves_of_all_epochs(
    outputs: dict[str, list[Any]],
) -> None:
    (shown,) = outputs["live"]
    assert shown.output_type == "display_data"
    assert "<svg" in shown.data["text/html"]
    assert shown.data["text/plain"] == "all 6 epochs done"


def test_an_interrupt_ends_fit_which_says_so_in_a_line(outputs: dict[str, list[Any]]) -> None:
    (shown,) = outputs["interrupted"]
    assert (shown.output_type, shown.name) == ("stream", "stdout")
    (line,) = shown.text.splitlines()
    assert line.startswith("you stopped the training: it ended after a whole step")


def test_an_interrupt_of_the_preparation_says_that_there_was_no_step(
    outputs: dict[str, list[Any]],
) -> None:
    (shown,) = outputs["preparation"]
    assert shown.text.startswith("you stopped the training before its first step")


def test_what_callbacks_announce_has_lines_of_its_own(outputs: dict[str, list[Any]]) -> None:
    (shown,) = outputs["announced"]
    first, second, last = shown.text.splitlines()
    assert first.startswith("training  epoch 3: loss has not improved")
    assert second.startswith("training  epoch 5: loss has not improved")
    assert last.startswith("training  6/6 ━")


def test_a_history_is_shown_with_its_curves(outputs: dict[str, list[Any]]) -> None:
    (shown,) = outputs["history"]
    assert "stopped after 3 epochs: interrupted" in shown.data["text/html"]
