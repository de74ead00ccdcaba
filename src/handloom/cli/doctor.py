"""``handloom doctor``: measurements of each layer of a run, and likely causes of problems."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from handloom.cli.console import Lines, say, show_items, show_table
from handloom.training.diagnosis import Diagnosis, LayerProbe, ProbeRecord
from handloom.training.diagnosis_view import MEANINGS, meanings
from handloom.training.findings import findings
from handloom.training.history import History
from handloom.training.run_folder import RESULTS, RunFolder

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]

COLUMNS = ("layer", *MEANINGS)


def doctor(run: Run) -> None:
    """Show why a training does not work, layer by layer.

    The outputs are a root mean square, as is the gradient of a row's loss with respect to them. The
    update is the norm of the epoch's last one, relative to the weights. Dead units of ReLU output 0
    for every row; saturated outputs of sigmoid and tanh are near their limits.

    Example: handloom doctor runs/train-1
    """
    folder = RunFolder.open(run)
    history, test_loss = folder.history(), _test_loss(folder)
    diagnosis = history.diagnosis
    if diagnosis is not None and diagnosis.records:
        _show_epochs(run, history, diagnosis)
        _show_layers(diagnosis.records[-1])
    say("")
    show_items(f"{sentence}." for sentence in _sentences(history, test_loss))


def _test_loss(run: RunFolder) -> float:
    """Return the test loss of a run, NaN if it was not finite, and 0 if there is none."""
    if not (run.path / RESULTS).exists():
        return 0.0
    loss = run.results().get("test_loss", 0.0)
    return loss if isinstance(loss, int | float) else math.nan


def _show_epochs(run: Path, history: History, diagnosis: Diagnosis) -> None:
    records = {record.epoch: record for record in history}
    rows = []
    for each in diagnosis.records:
        validation = records[each.epoch].validation_loss
        largest = max((layer.update or 0.0 for layer in each.layers), default=0.0)
        shown = (each.loss, validation, largest)
        rows.append((str(each.epoch + 1), *map(_number, shown)))
    _show(
        f"{run}: loss on {diagnosis.rows} training rows",
        ("after epoch", "loss", "validation loss", "largest update"),
        [*rows, ("guessing", _number(diagnosis.guessing), "", "")],
        caption=(
            "guessing: the loss of the best constant prediction",
            "largest update: that of all layers, as explained below",
        ),
    )


def _show_layers(last: ProbeRecord) -> None:
    rows, explained = [_row(each) for each in last.layers], meanings(last.dead_rows)
    caption = [
        f"{name}: {explained[name]}"
        for name, cells in zip(COLUMNS, zip(*rows, strict=True), strict=True)
        if name in explained and any(cells)
    ]
    _show(f"Layers after epoch {last.epoch + 1}", COLUMNS, rows, caption=caption)


def _show(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: Lines | None = None,
) -> None:
    """Print a table without its empty columns."""
    kept = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    shown = [[row[index] for index in kept] for row in rows]
    show_table(title, [columns[index] for index in kept], shown, caption=caption)


def _row(layer: LayerProbe) -> tuple[str, ...]:
    return (layer.layer, *layer.cells())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _sentences(history: History, test_loss: float) -> Iterable[str]:
    """Yield sentences about a training, at least one."""
    diagnosis, symptoms = history.diagnosis, findings(history)
    yield f"The training: {history.ended}"
    if history.divergence is not None:
        yield f"Training diverged: {history.divergence}"
    not_finite = _not_finite(history, test_loss)
    if not_finite:
        yield (
            f"The {' and the '.join(not_finite)} became NaN or infinite. A smaller learning rate "
            f"usually helps"
        )
    yield from map(str, symptoms)
    if diagnosis is None:
        yield "Nothing was measured: the training had diagnose=False, or is of an earlier Handloom"
        return
    if diagnosis.skipped:
        epochs = ", ".join(str(epoch + 1) for epoch in diagnosis.skipped)
        yield (
            f"Nothing was measured after epoch {epochs}: the measurements may take 1 % of a run of "
            f"10 s or more, and of a shorter one 5 %; a longer run leaves more time for them"
        )
    if diagnosis.records and not (symptoms or not_finite) and history.divergence is None:
        yield "No problem was found"


def _not_finite(history: History, test_loss: float) -> list[str]:
    """Return the names of the losses of a run that are not finite."""
    losses = {
        "training loss": [record.loss for record in history],
        "validation loss": [record.validation_loss or 0.0 for record in history],
        "test loss": [test_loss],
    }
    return [name for name, values in losses.items() if not all(map(math.isfinite, values))]
