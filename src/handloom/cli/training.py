"""A training in a run folder, as ``handloom train`` makes or resumes it."""

import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any

import typer

from handloom import reports
from handloom.cli.console import note, saved_results, wrote
from handloom.cli.datasets import dataset_source, drawn_test_rows, load_dataset
from handloom.cli.logs import loggers
from handloom.cli.ranks import part_of_training, path_on_ranks, sharing
from handloom.cli.report import say_report
from handloom.cli.runs import Describe
from handloom.cli.training_results import exit_unless_successful, show_results
from handloom.data import Dataset, Splits
from handloom.data.table_options import DataOptions
from handloom.errors import ConfigurationError, DataError, DivergenceWarning
from handloom.locks import HeldFolder
from handloom.model import Model
from handloom.parallel.mpi import Distributed, ranks_of
from handloom.parallel.threads import default_threads
from handloom.recipes import experiment
from handloom.recipes.base import Experiment
from handloom.secondary import Secondary
from handloom.training import (
    Checkpoints,
    CSVLog,
    GridPredictions,
    LayerNorms,
    Progress,
    RunDescription,
    RunFolder,
)
from handloom.training.boundary import has_grid
from handloom.training.run_folder import REPORT
from handloom.training.triggers import FORMS, trigger

EVERY = "5m"
"""The default of ``--checkpoint-every``."""


@dataclass(frozen=True)
class TrainingMode:
    """Options of the command that are no settings of the training."""

    checkpoint_every: str | None
    _: KW_ONLY
    report: bool
    distributed: Distributed | None
    logs: Mapping[str, Any]


def train_in_folder(
    folder: HeldFolder,
    settings: Experiment,
    data: str | None,
    options: DataOptions,
    mode: TrainingMode,
    *,
    resumed: RunFolder | None = None,
) -> None:
    """Train in a run folder, or resume its training; write the results, and show them.

    Raises
    ------
    DataError
        If the test rows of a resumed training have changed.
    Exit
        As `handloom.cli.training_results.exit_unless_successful`.
    """
    every = mode.checkpoint_every or EVERY
    _check_interval(every)
    splits = _loaded(data, options)
    resume = resumed is not None
    entries = _description_entries(settings, data, splits, options, mode, every)
    run = RunFolder(folder, _description(entries, resumed))
    describe = Describe(run, resumed=resume, fixed_length=settings.fixed_length)
    logs, grids = loggers(run, mode.logs), _grids(splits.train)
    callbacks = [describe, Progress(), CSVLog(run), LayerNorms(), *logs, *grids]
    checkpoints = Checkpoints(run, every=every, warn=note)
    saving = Secondary("error", then="", tell=note)
    path = path_on_ranks(data, run.description.data)
    part = part_of_training(run.description.settings, path, options, resume=resume)
    with warnings.catch_warnings(), sharing(mode.distributed, part):
        warnings.simplefilter("ignore", DivergenceWarning)  # the command itself reports it
        trained = experiment.train(
            settings,
            splits,
            callbacks,
            checkpoints=checkpoints,
            resume=resume,
            on_signal="finish",  # and an interruption
            distributed=mode.distributed,
            save=partial(_save, run, saving),
        )
    reports.write_run(run, settings.title, splits, trained, grids[0].frames if grids else None)
    for log in logs:
        log.log_test(trained.test)
    with saved_results(run.path):
        show_results(splits, trained, settings.training_loss)
        wrote(run.path, run.contents())
        if mode.report or (resume and (run.path / REPORT).exists()):  # a page of an earlier state
            say_report(run.path, splits)
    resumable = checkpoints.last_good is not None
    exit_unless_successful(trained, run.path, saved=not saving.failed, resumable=resumable)


def _check_interval(every: str) -> None:
    try:
        trigger(every)
    except ConfigurationError:
        raise ConfigurationError(
            f"--checkpoint-every must be {FORMS}, above 0, got {every!r}"
        ) from None


def _loaded(data: str | None, options: DataOptions) -> Splits:
    """Return the dataset; an interruption meanwhile ends the command."""
    try:
        return load_dataset(data, options)
    except KeyboardInterrupt:
        note("interrupted: the training had not begun, and nothing was saved")
        raise typer.Exit(130) from None


def _description_entries(
    settings: Experiment,
    data: str | None,
    splits: Splits,
    options: DataOptions,
    mode: TrainingMode,
    every: str,
) -> dict[str, Any]:
    """Return the entries of the description of the run."""
    return {
        "settings": experiment.experiment_to_json(settings),
        "data": dataset_source(data, splits),
        "data_options": options.to_json(),
        "test_rows": drawn_test_rows(splits, options),
        "checkpoint_every": every,
        "logs": dict(mode.logs),
        "threads": settings.threads
        or default_threads(settings.lanes, ranks_of(mode.distributed).sharing_cores),
    }


def _description(entries: dict[str, Any], resumed: RunFolder | None) -> RunDescription:
    """Return the description of a run; refuse a resumed one whose test rows have changed."""
    description = RunDescription(**entries)
    if resumed is None:
        return description
    if resumed.description.test_rows not in (None, description.test_rows):
        raise DataError(f"{description.data}: its test rows have changed since the training")
    return resumed.description.resumed(**entries)


def _grids(train: Dataset) -> list[GridPredictions]:
    """Return a callback that predicts a grid after each epoch, in a list; empty for other rows."""
    if has_grid(train.input_shape, train.inputs.dtype, train.columns):
        return [GridPredictions(train)]
    return []


def _save(run: RunFolder, saving: Secondary, model: Model) -> None:
    """Write the model; a failure is told, and the results are shown all the same."""
    with saving:
        run.write_model(model)
