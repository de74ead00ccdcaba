"""The results of ``handloom train``: a table of metrics, and the status of the command."""

import math
from pathlib import Path

import typer

from handloom.cli.console import note, short, show_table
from handloom.cli.metrics_tables import of_two_classes, show_regression
from handloom.data import Splits
from handloom.recipes.experiment import Trained
from handloom.text import enumerated
from handloom.training import History, StopReason
from handloom.training.callbacks import MONITORS


def show_results(splits: Splits, trained: Trained, loss: str | None) -> None:
    """Show the metrics of the final weights on training, validation and test rows.

    A regression may have another ``loss`` than the mean squared error, which tests have.
    """
    history, test, kept = trained.history, trained.test, trained.kept
    classes = test.regression is None
    rows: list[tuple[str, ...]] = []
    if record := kept or (history.records[-1] if history.records else None):
        epoch = f"epoch {record.epoch + 1}{'' if kept else ', the last'}"
        rows.append(_row(f"training, {epoch}", record.accuracy, record.loss, classes=classes))
        if record.validation_loss is not None:
            validated = record.validation_accuracy, record.validation_loss
            rows.append(_row(f"validation, {epoch}", *validated, classes=classes))
    sets = {"training": trained.rows, "validation": trained.held_out, "test": len(splits.test)}
    counts = enumerated([f"{count:,} {name}" for name, count in sets.items() if count])
    show_table(
        f"{splits.name}: {counts} rows",
        ("", *["accuracy"] * classes, "loss"),
        [*rows, _row("test", test.accuracy, test.loss, classes=classes)],
        caption=[
            *of_two_classes(
                test,
                splits.test.class_names,
                "train with --positive" if splits.test.columns is not None else "",
            ),
            *_of_two_losses(loss),
            *_kept(trained),
            _caption(history),
        ],
    )
    if test.regression is not None and trained.baseline is not None:
        errors = test.regression, trained.baseline, trained.mae_of_median
        show_regression("errors on the test rows", splits.test, *errors)


def _of_two_losses(loss: str | None) -> list[str]:
    """Return the line that explains the losses, if there are two."""
    if loss in (None, "mean_squared_error"):
        return []
    return [f"loss: {loss} in training and validation, but mean_squared_error of the test rows"]


def _row(name: str, accuracy: float | None, loss: float, *, classes: bool) -> tuple[str, ...]:
    """Return a row of the table; that of a regression has no accuracy."""
    shown = "" if accuracy is None else f"{accuracy:.4f}"
    return name, *[shown] * classes, f"{loss:.4f}"


def _kept(trained: Trained) -> list[str]:
    """Return the line that says which epoch was kept, and why; none if the last one stays."""
    if trained.kept is None:
        return []
    done = len(trained.history)
    all_done = trained.history.stop_reason is StopReason.MAX_EPOCHS
    epochs = f"{done}" if all_done else f"the {done} done"
    metric = trained.kept_by.replace("_", " ")
    best = f"the {'highest' if MONITORS.get(trained.kept_by) == 'high' else 'lowest'} {metric}"
    on = f", on {trained.held_out:,} held-out rows" if trained.held_out else ""
    return [f"kept: the weights of epoch {trained.kept.epoch + 1} of {epochs}, with {best}{on}"]


def _caption(history: History) -> str:
    """Return the number of epochs, the time, the backend and the reason of the end."""
    caption = f"{history.ended}, in {history['seconds'].sum():.1f} s with {history.ran}"
    if history.backend == "fused":
        seconds = history.preparation_seconds
        caption += (
            f"; kernels compiled (once for this kind of network) or loaded in {seconds:.1f} s"
        )
    if history.communication_seconds:
        caption += f"; {history.communication_seconds:.1f} s in messages between ranks"
    return caption


def exit_unless_successful(trained: Trained, run: Path, *, saved: bool, resumable: bool) -> None:
    """Exit with the status of a training that failed, with a message; return if all is well.

    Parameters
    ----------
    trained : Trained
        The training and its results.
    run : path
        The run folder to resume the training from.
    saved : bool
        Whether the model is in its folder; a message has been printed if it is not.
    resumable : bool
        Whether there is a checkpoint to resume from.

    Raises
    ------
    Exit
        With 130 after an interruption, if model and checkpoint are saved; with 1 after any other,
        after a divergence, or if the model is not saved.
    """
    history, loss = trained.history, trained.test.loss
    if history.stop_reason is StopReason.INTERRUPTED:
        _tell_interruption(history, run, saved=saved, resumable=resumable)
        raise typer.Exit(130 if saved and resumable else 1)
    if history.divergence is not None:
        reason = history.stop_reason
        kept = "; the last good weights are saved" if saved else ""
        note(
            f"error: training diverged ({reason.words if reason else reason}){kept}.",
            str(history.divergence),
        )
        raise typer.Exit(1)
    if not saved:
        raise typer.Exit(1)
    if not math.isfinite(loss):
        note(
            f"error: training diverged: the test loss is {loss}, although the "
            f"weights are finite. A smaller learning rate usually helps"
        )
        raise typer.Exit(1)


def _tell_interruption(history: History, run: Path, *, saved: bool, resumable: bool) -> None:
    """Say whether the state is saved, and how to resume the training."""
    if not resumable:
        note("interrupted, and no checkpoint could be written: it cannot be resumed")
        return
    kept = ": the state reached is saved" if saved else ""
    further = f"; to resume: handloom train --resume {short(run)}"
    if history.ranks > 1:
        further += ", or on any number of ranks: mpiexec ... --distributed mpi"
    note(f"interrupted{kept}{further}")
