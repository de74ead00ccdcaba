"""``handloom train``: train a network described by options."""

from typing import Annotated

import typer

from handloom import reports
from handloom.cli.console import note, show_table, wrote
from handloom.cli.options import Data, Out, Threads, load_dataset, output_folder, split_list
from handloom.data import Splits
from handloom.optimizers import OPTIMIZERS
from handloom.recipes import plain
from handloom.recipes.plain import DECAY, SCHEDULES, Settings, Trained
from handloom.training import CSVLog, Progress, StopReason
from handloom.training.kernel_choice import NAMES


def train(
    hidden: Annotated[str, typer.Option(help="Widths of the hidden layers.")] = "128,128",
    optimizer: Annotated[str, typer.Option(help=" | ".join(OPTIMIZERS))] = "adam",
    momentum: Annotated[float | None, typer.Option(help="For sgd.")] = None,
    learning_rate: Annotated[float, typer.Option(help="The rate at the first step.")] = 2e-3,
    schedule: Annotated[str, typer.Option(help=" | ".join(SCHEDULES))] = "inverse-time",
    decay: Annotated[
        float | None,
        typer.Option(help="For inverse-time: rate / (1 + decay * step).", show_default=str(DECAY)),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Rows a step; 0 takes all rows.")] = 128,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows.")] = 15,
    l1: Annotated[float, typer.Option(help="L1 strength on the weights of all layers.")] = 0.0,
    l2: Annotated[float, typer.Option(help="L2 strength on the weights of all layers.")] = 0.0,
    validation_fraction: Annotated[
        float, typer.Option(help="Fraction of each class to hold out; the best epoch is kept.")
    ] = 0.0,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="What every random draw comes from.")] = 0,
    threads: Threads = None,
    kernels: Annotated[str, typer.Option(help=" | ".join(NAMES))] = "auto",
    data: Data = None,
    out: Out = None,
) -> None:
    """Train a network and write a run folder.

    Writes model, history, pictures and results. Example:

    handloom train --hidden 256,128 --epochs 5 --out runs/wide
    """
    settings = Settings(
        hidden=tuple(split_list("--hidden", hidden, int)),
        optimizer=optimizer,
        momentum=momentum,
        learning_rate=learning_rate,
        schedule=schedule,
        decay=decay,
        batch_size=batch_size,
        epochs=epochs,
        l1=l1,
        l2=l2,
        validation_fraction=validation_fraction,
        patience=patience,
        seed=seed,
        threads=threads,
        kernels=kernels,
    )
    with output_folder(out, "train") as folder:
        splits = load_dataset(data)
        trained = plain.train(settings, splits, [Progress(), CSVLog(folder / "history.csv")])
        reports.write_run(folder, settings, splits, trained)
        _show(splits, trained)
        wrote(
            folder,
            [
                "model/        the network, its weights and what it takes to use it",
                "history.csv   what was measured, epoch by epoch",
                "pictures/     curves, confusion matrix, most confident mistakes",
                "results.json  the figures, the settings and the versions",
            ],
        )
    end_with(trained.history.stop_reason)


def _show(splits: Splits, trained: Trained) -> None:
    history, test = trained.history, trained.test
    rows = [
        ("training, last epoch", f"{record.accuracy:.4f}", f"{record.loss:.4f}")
        for record in history.records[-1:]
    ]
    show_table(
        f"{splits.name}, {len(splits.train):,} training and {len(splits.test):,} test rows",
        ("", "accuracy", "loss"),
        [*rows, ("test", f"{test.accuracy:.4f}", f"{test.loss:.4f}")],
        caption=f"{len(history)} epochs in {history['seconds'].sum():.1f} s with "
        f"{history.kernels} kernels, ready in {history.preparation_seconds:.1f} s; "
        f"ended by {history.stop_reason}",
    )


def end_with(reason: StopReason | None) -> None:
    """Leave with the status that belongs to the reason why training ended."""
    if reason is StopReason.INTERRUPTED:
        note("interrupted: what was learned until then is saved")
        raise typer.Exit(130)
    if reason is not None and reason.diverged:
        note(
            f"error: training diverged ({reason}); the last good weights are saved. "
            f"A smaller --learning-rate is what usually helps."
        )
        raise typer.Exit(1)
