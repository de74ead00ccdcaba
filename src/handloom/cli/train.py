"""``handloom train``: train a network described by options."""

from pathlib import Path
from typing import Annotated, Any

import typer

from handloom import reports
from handloom.backend import BACKENDS
from handloom.cli.console import note, show_table, wrote
from handloom.cli.options import (
    Data,
    Out,
    Threads,
    data_found,
    load_dataset,
    output_folder,
    refuse_other_options,
    split_list,
)
from handloom.cli.runs import Describe, experiment_of
from handloom.data import Splits
from handloom.data.augment import AUGMENTATIONS
from handloom.errors import ModelError
from handloom.locks import only_writer
from handloom.optimizers import OPTIMIZERS
from handloom.parallel.threads import default_threads
from handloom.recipes import experiment
from handloom.recipes.experiment import Experiment, Trained
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import RECIPES, named_recipe
from handloom.recipes.settings import Settings
from handloom.schedules import DECAY, SCHEDULES
from handloom.training import (
    Checkpoints,
    CSVLog,
    History,
    LayerNorms,
    Progress,
    RunDescription,
    RunFolder,
    StopReason,
)
from handloom.training.triggers import FORMS, trigger

EVERY = "5m"
"""How often checkpoints are written, where nobody says."""

WITH_RESUME = ("resume", "threads", "checkpoint_every", "data")
"""What may be said beside ``--resume``; everything else is the run's."""

WITH_RECIPE = (
    *("recipe", "epochs", "validation_fraction", "seed"),
    *("threads", "backend", "checkpoint_every", "data", "out"),
)
"""What may be said beside ``--recipe``; everything else is the recipe's."""


def train(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Option(help=f"Everything chosen beforehand: {' | '.join(RECIPES)}"),
    ] = None,
    hidden: Annotated[str, typer.Option(help="Widths of the hidden layers.")] = "128,128",
    optimizer: Annotated[str, typer.Option(help=" | ".join(OPTIMIZERS))] = "adam",
    momentum: Annotated[float | None, typer.Option(help="For sgd and muon.")] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(help="Shrinks weights a little each step.", show_default="the optimizer's"),
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="The largest rate.")] = 2e-3,
    schedule: Annotated[str, typer.Option(help=" | ".join(SCHEDULES))] = "inverse-time",
    decay: Annotated[
        float | None,
        typer.Option(help="For inverse-time: rate / (1 + decay * step).", show_default=str(DECAY)),
    ] = None,
    warmup: Annotated[
        int, typer.Option(help="Steps in which the rate rises before the schedule begins.")
    ] = 0,
    clip_norm: Annotated[
        float | None, typer.Option(help="Scale longer gradients down to this length.")
    ] = None,
    average: Annotated[
        float | None,
        typer.Option(help="End with an average of the weights that decays so, as 0.999."),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Rows a step; 0 takes all rows.")] = 128,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the training rows.",
            show_default=f"{Settings.epochs}, or the recipe's",
        ),
    ] = None,
    l1: Annotated[float, typer.Option(help="L1 strength on the weights of all layers.")] = 0.0,
    l2: Annotated[float, typer.Option(help="L2 strength on the weights of all layers.")] = 0.0,
    dropout: Annotated[float, typer.Option(help="Rate of dropout behind hidden layers.")] = 0.0,
    label_smoothing: Annotated[
        float, typer.Option(help="Share of each target that all classes get.")
    ] = 0.0,
    augment: Annotated[
        str | None,
        typer.Option(
            help=f"Changes of images, as flip,shift: {' | '.join(AUGMENTATIONS)}",
            show_default="none",
        ),
    ] = None,
    validation_fraction: Annotated[
        float,
        typer.Option(
            help="Fraction of each class to hold out; the best epoch is kept, of a recipe the last."
        ),
    ] = 0.0,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="What every random draw comes from.")] = 0,
    threads: Threads = None,
    backend: Annotated[str, typer.Option(help=" | ".join(BACKENDS))] = "auto",
    checkpoint_every: Annotated[
        str | None,
        typer.Option(help=f"How far apart checkpoints are: {FORMS}.", show_default=EVERY),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with a run that was stopped; nothing else needed."),
    ] = None,
    data: Data = None,
    out: Out = None,
) -> None:
    """Train a network and write a run folder.

    Writes model, history, pictures and results. Examples:

    handloom train --hidden 256,128 --epochs 5 --out runs/wide

    handloom train --resume runs/wide

    handloom train --recipe mlp-flash
    """
    if resume is not None:
        refuse_other_options(context, "--resume", WITH_RESUME)
        _resume(resume, threads, data, checkpoint_every)
        return
    settings: Experiment
    if recipe is not None:
        refuse_other_options(context, "--recipe", WITH_RECIPE)
        chosen = named_recipe(recipe)
        passes = chosen.epochs if epochs is None else epochs
        settings = RecipeSettings(chosen, passes, validation_fraction, seed, threads, backend)
    else:
        settings = Settings(
            hidden=tuple(split_list("--hidden", hidden, int)),
            optimizer=optimizer,
            momentum=momentum,
            weight_decay=weight_decay,
            learning_rate=learning_rate,
            schedule=schedule,
            decay=decay,
            warmup=warmup,
            clip_norm=clip_norm,
            average=average,
            batch_size=batch_size,
            epochs=Settings.epochs if epochs is None else epochs,
            l1=l1,
            l2=l2,
            dropout=dropout,
            label_smoothing=label_smoothing,
            augment=() if augment is None else tuple(split_list("--augment", augment, str)),
            validation_fraction=validation_fraction,
            patience=patience,
            seed=seed,
            threads=threads,
            backend=backend,
        )
    with output_folder(out, recipe or "train") as folder:
        _train(folder, settings, data, checkpoint_every or EVERY)


def _resume(
    folder: Path, threads: int | None, data: str | None, checkpoint_every: str | None
) -> None:
    run = RunFolder.open(folder)
    every = run.description.checkpoint_every
    if every is None:
        raise ModelError(f"{folder}: this training wrote no checkpoints that it could go on from")
    settings = experiment_of(run, **({} if threads is None else {"threads": threads}))
    with only_writer(folder):
        source = run.description.data if data is None else data
        _train(folder, settings, source, checkpoint_every or every, resumed=run)


def _train(
    folder: Path,
    settings: Experiment,
    data: str | None,
    checkpoint_every: str,
    *,
    resumed: RunFolder | None = None,
) -> None:
    trigger(checkpoint_every)
    splits = load_dataset(data)
    described: dict[str, Any] = {
        "settings": experiment.experiment_to_json(settings),
        "data": data_found(data, splits),
        "checkpoint_every": checkpoint_every,
        "threads": settings.threads or default_threads(),
    }
    description = RunDescription(**described)
    if resumed is not None:
        description = resumed.description.resumed(**described)
    run = RunFolder(folder, description)
    trained = experiment.train(
        settings,
        splits,
        [
            Describe(run, resumed=resumed is not None),
            Progress(),
            CSVLog(run.history_table),
            LayerNorms(),
        ],
        checkpoints=Checkpoints(run.checkpoints, every=checkpoint_every, warn=note),
        resume=resumed is not None,
        on_signal="finish",  # the command says itself how training ended
    )
    reports.write_run(run, settings.title, splits, trained)
    _show(splits, trained)
    wrote(folder, run.contents())
    end_with(trained.history, folder)


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
        f"backend {history.backend}, ready in {history.preparation_seconds:.1f} s; "
        f"ended by {history.stop_reason}",
    )


def end_with(history: History, run: Path | None = None) -> None:
    """Leave with the status that belongs to the reason why training ended.

    Parameters
    ----------
    history : History
        Of the training.
    run : path, optional
        A run folder that the training can be resumed from.
    """
    reason = history.stop_reason
    if reason is StopReason.INTERRUPTED:
        further = "" if run is None else f"; handloom train --resume {run} goes on"
        note(f"interrupted: what was learned until then is saved{further}")
        raise typer.Exit(130)
    if reason is not None and reason.diverged:
        note(
            f"error: training diverged ({reason}); the last good weights are saved.\n"
            f"{history.divergence}."
        )
        raise typer.Exit(1)
