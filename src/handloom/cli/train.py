"""``handloom train``: train a network described by options."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from handloom import reports
from handloom.cli.console import note, saved_results, short, show_table, wrote
from handloom.cli.datasets import (
    OPTIONS,
    Data,
    dataset_source,
    load_dataset,
    options_for_resume,
    recorded_data,
    refuse_in_images,
    with_data_options,
)
from handloom.cli.from_settings import options_from
from handloom.cli.logs import ForMLflow, ForTensorBoard, loggers, logs_to_json
from handloom.cli.metrics_tables import of_two_classes, show_regression
from handloom.cli.options import (
    Out,
    explicit_options,
    output_folder,
    refuse_other_options,
)
from handloom.cli.ranks import (
    Distribute,
    checked_distributed,
    part_of_training,
    path_on_ranks,
    sharing,
)
from handloom.cli.report import say_report
from handloom.cli.runs import Describe, experiment_of
from handloom.cli.table_options import RUN_DEFAULTS, TABLE_OPTIONS
from handloom.data import Splits
from handloom.data.table_options import DataOptions, TableOptions
from handloom.errors import DataError, DivergenceWarning, ModelError
from handloom.locks import HeldFolder, only_writer
from handloom.model import Model
from handloom.parallel.mpi import Distributed, ranks_of
from handloom.parallel.threads import default_threads
from handloom.recipes import experiment
from handloom.recipes.base import Experiment
from handloom.recipes.experiment import Trained
from handloom.recipes.option import options_of
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import RECIPES, named_recipe
from handloom.recipes.settings import Settings
from handloom.secondary import Secondary
from handloom.text import enumerated
from handloom.training import (
    Callback,
    Checkpoints,
    CSVLog,
    GridPredictions,
    History,
    LayerNorms,
    Progress,
    RunDescription,
    RunFolder,
    StopReason,
)
from handloom.training.boundary import has_grid
from handloom.training.callbacks import MONITORS
from handloom.training.run_folder import REPORT
from handloom.training.tables import test_rows_sum
from handloom.training.triggers import FORMS, trigger

EVERY = "5m"
"""The default of ``--checkpoint-every``."""

WITH_BOTH = (
    *("checkpoint_every", "data", "report", "distributed", "tensorboard", "mlflow"),
    *OPTIONS,
    *TABLE_OPTIONS,
)
"""Options of the command itself that are allowed with ``--resume`` and ``--recipe``."""

WITH_RESUME = ("resume", "threads", "epochs", *WITH_BOTH)
"""The options allowed with ``--resume``; all others are those of the run."""

WITH_RECIPE = (*(option.name for option in options_of(RecipeSettings)), *WITH_BOTH, "out")
"""The options allowed with ``--recipe``; all others are those of the recipe."""


@dataclass(frozen=True)
class TrainingMode:
    """How a command trains, whatever the settings of the training."""

    checkpoint_every: str | None
    _: KW_ONLY
    report: bool
    distributed: Distributed | None
    logs: Mapping[str, Any]


@options_from(Settings())
@with_data_options
def train(
    context: typer.Context,
    options: DataOptions,
    recipe: Annotated[
        str | None,
        typer.Option(help=f"A recipe, with all its settings: {' | '.join(RECIPES)}."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Resume a run, with its own settings; a finished one with more --epochs.",
        ),
    ] = None,
    checkpoint_every: Annotated[
        str | None,
        typer.Option(help=f"The interval between checkpoints: {FORMS}.", show_default=EVERY),
    ] = None,
    data: Data = None,
    out: Out = None,
    report: Annotated[
        bool, typer.Option("--report", help="Write a page about the run; see handloom report.")
    ] = False,
    distributed: Distribute = None,
    tensorboard: ForTensorBoard = None,
    mlflow: ForMLflow = False,
    **values: Any,
) -> None:
    """Train a network and write a run folder.

    The run folder holds model, history, plots and results. Examples:

    handloom train --hidden 256,128 --epochs 5 --out runs/wide

    handloom train --resume runs/wide

    handloom train --resume runs/wide --epochs 20

    handloom train --recipe mlp-flash

    mpiexec -n 4 handloom train --recipe cnn --distributed mpi

    handloom train --data houses.csv --target price

    handloom train --tensorboard logs --mlflow

    With a table, --batch-size is 32 and --epochs 50 by default.
    """
    # only options set by the user: recipes and stopped runs have defaults of their own
    explicit = {name: values[name] for name in explicit_options(context) if name in values}
    mode = TrainingMode(
        checkpoint_every,
        report=report,
        distributed=checked_distributed(distributed),
        logs=logs_to_json(tensorboard, mlflow=mlflow),
    )
    if resume is not None:
        refuse_other_options(context, "--resume", WITH_RESUME)
        _resume(resume, data, options, mode, explicit)
        return
    settings: Experiment
    if recipe is not None:
        refuse_other_options(context, "--recipe", WITH_RECIPE)
        chosen = named_recipe(recipe)
        settings = RecipeSettings(chosen, **{"epochs": chosen.epochs, **explicit})
    else:
        of_table = isinstance(options, TableOptions) and options.image_shape is None
        defaults = RUN_DEFAULTS if of_table else {}
        settings = Settings(**{**defaults, **explicit})
    refuse_in_images(out or Path("runs"), data)
    with output_folder(out, recipe or "train") as folder:
        _train(folder, settings, data, options, mode)


def _resume(
    folder: Path,
    data: str | None,
    options: DataOptions,
    mode: TrainingMode,
    changes: Mapping[str, Any],
) -> None:
    run = RunFolder.open(folder)
    every = run.description.checkpoint_every
    if every is None:
        raise ModelError(f"{folder} cannot be resumed: its training wrote no checkpoints")
    settings = experiment_of(run, **changes)
    done = run.description.settings.get("epochs")
    if settings.fixed_length and changes.get("epochs", done) != done:
        raise ModelError(
            f"{folder}: --epochs must be {done}, for which its schedule of the learning rate was "
            f"made, got {changes['epochs']}"
        )
    with only_writer(folder, warn=note) as held:
        options = options_for_resume(folder, run.description, options)
        if data is None:
            data = recorded_data(run.description)
        logs = {**run.description.logs, **mode.logs}
        mode = replace(mode, checkpoint_every=mode.checkpoint_every or every, logs=logs)
        _train(held, settings, data, options, mode, resumed=run)


def _train(
    folder: HeldFolder,
    settings: Experiment,
    data: str | None,
    options: DataOptions,
    mode: TrainingMode,
    *,
    resumed: RunFolder | None = None,
) -> None:
    every = mode.checkpoint_every or EVERY
    trigger(every)
    splits = _loaded(data, options)
    described: dict[str, Any] = {
        "settings": experiment.experiment_to_json(settings),
        "data": dataset_source(data, splits),
        "data_options": options.to_json(),
        "test_rows": test_rows_sum(splits) if isinstance(options, TableOptions) else None,
        "checkpoint_every": every,
        "logs": dict(mode.logs),
        "threads": settings.threads
        or default_threads(settings.lanes, ranks_of(mode.distributed).sharing_cores),
    }
    description = RunDescription(**described)
    if resumed is not None:
        if resumed.description.test_rows not in (None, description.test_rows):
            raise DataError(f"{description.data}: its test rows have changed since the training")
        description = resumed.description.resumed(**described)
    run = RunFolder(folder, description)
    logs = loggers(run, mode.logs)
    callbacks: list[Callback] = [
        Describe(run, resumed=resumed is not None, fixed_length=settings.fixed_length),
        Progress(),
        CSVLog(run),
        LayerNorms(),
        *logs,
    ]
    grid = None
    train = splits.train
    if has_grid(train.input_shape, train.inputs.dtype, train.columns):
        grid = GridPredictions(train)
        callbacks.append(grid)
    saving = Secondary("error", then="", tell=note)

    def save(model: Model) -> None:
        with saving:
            run.write_model(model)

    part = part_of_training(
        described["settings"],
        path_on_ranks(data, description.data),
        options,
        resume=resumed is not None,
    )
    checkpoints = Checkpoints(run, every=every, warn=note)
    with warnings.catch_warnings(), sharing(mode.distributed, part):
        warnings.simplefilter("ignore", DivergenceWarning)  # the command itself reports it
        trained = experiment.train(
            settings,
            splits,
            callbacks,
            checkpoints=checkpoints,
            resume=resumed is not None,
            on_signal="finish",  # and an interruption
            distributed=mode.distributed,
            save=save,
        )
    reports.write_run(run, settings.title, splits, trained, None if grid is None else grid.frames)
    for log in logs:
        log.log_test(trained.test)
    with saved_results(run.path):
        _show(splits, trained, settings.training_loss)
        wrote(run.path, run.contents())
        if mode.report or (resumed and (run.path / REPORT).exists()):  # a page of an earlier state
            say_report(run.path, splits)
    resumable = checkpoints.last_good is not None
    end_with(trained.history, run.path, saved=not saving.failed, resumable=resumable)
    if saving.failed:
        raise typer.Exit(1)
    if not math.isfinite(trained.test.loss):
        note(
            f"error: training diverged: the test loss is {trained.test.loss}, although the "
            f"weights are finite. A smaller learning rate usually helps"
        )
        raise typer.Exit(1)


def _loaded(data: str | None, options: DataOptions) -> Splits:
    """Return the dataset; an interruption meanwhile ends the command."""
    try:
        return load_dataset(data, options)
    except KeyboardInterrupt:
        note("interrupted: the training had not begun, and nothing was saved")
        raise typer.Exit(130) from None


def _show(splits: Splits, trained: Trained, loss: str | None) -> None:
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


def end_with(
    history: History, run: Path | None = None, *, saved: bool = True, resumable: bool = True
) -> None:
    """Exit with the status of the reason why training ended; return if it succeeded.

    Parameters
    ----------
    history : History
        The history of the training.
    run : path, optional
        The run folder to resume the training from.
    saved : bool
        Whether the model is in its folder; else the status is 1 after an interruption too.
    resumable : bool
        Whether there is a checkpoint; the same.
    """
    reason = history.stop_reason
    if reason is StopReason.INTERRUPTED:
        further = "" if run is None else f"; to resume: handloom train --resume {short(run)}"
        if run is not None and history.ranks > 1:
            further += ", or on any number of ranks: mpiexec ... --distributed mpi"
        kept = ": the state reached is saved" if saved else ""
        if not resumable:
            kept, further = ", and no checkpoint could be written: it cannot be resumed", ""
        note(f"interrupted{kept}{further}")
        raise typer.Exit(130 if saved and resumable else 1)
    if history.divergence is not None:
        kept = "; the last good weights are saved" if saved else ""
        note(
            f"error: training diverged ({reason.words if reason else reason}){kept}.",
            str(history.divergence),
        )
        raise typer.Exit(1)
