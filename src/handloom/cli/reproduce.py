"""``handloom reproduce``: the reference study."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import typer

from handloom import reports
from handloom.cli.console import note, saved_results, show_table, wrote
from handloom.cli.from_settings import options_from
from handloom.cli.options import Data, Out, dataset_source, load_dataset, output_folder
from handloom.cli.report import say_report
from handloom.model import Model
from handloom.parallel.threads import default_threads
from handloom.parameters import Array
from handloom.secondary import Secondary
from handloom.studies import reference
from handloom.studies.reference import EPOCHS, MODELS, Run, Study, diverged_at
from handloom.studies.second_moments import SecondMoments
from handloom.training import (
    LayerNorms,
    Progress,
    RunDescription,
    RunFolder,
    StopReason,
    StudyFolder,
)


@options_from(Study())
def reproduce(data: Data = None, out: Out = None, **values: Any) -> None:
    """Train the models of the reference study and compare them.

    Example: handloom reproduce --epochs 100 --seeds 0,1,2 --out runs/study
    """
    study = Study(**values)
    with output_folder(out, "study") as held:
        folder = StudyFolder(held)
        splits = load_dataset(data)
        source = dataset_source(data, splits)
        if study.epochs < EPOCHS:
            note(
                f"{study.epochs} epochs of the study's {EPOCHS:,}; for all: "
                f"handloom reproduce --epochs {EPOCHS}"
            )
        runs: dict[str, list[Run]] = {}
        plan, unsaved = study.plan(), False
        for name, seed in plan:
            settings = study.settings_to_json(name, seed)
            threads = study.threads or default_threads()
            description = RunDescription(settings, source, None, threads)
            run_folder = reports.study_run_folder(folder, name, seed, description)
            saving = Secondary("error", then="", tell=note)
            run = reference.run(
                name,
                splits,
                epochs=study.epochs,
                seed=seed,
                validation_fraction=study.validation_fraction,
                threads=study.threads,
                callbacks=(Progress(f"{name}, seed {seed}"), LayerNorms(), SecondMoments()),
                on_signal="finish",  # the command itself reports an interruption
                save=partial(_save, saving, run_folder),
            )
            unsaved = unsaved or saving.failed
            runs.setdefault(name, []).append(run)
            interrupted = run.history.stop_reason is StopReason.INTERRUPTED
            complete = (name, seed) == plan[-1] and not interrupted
            reports.write_study_run(folder, run_folder, run, splits)
            reports.write_study_results(folder, splits, study.epochs, runs, complete=complete)
            if interrupted:
                break
        reports.draw_study(folder, splits, runs)
        with saved_results(folder.path):
            _show(splits.name, study.epochs, runs)
            wrote(folder.path, folder.contents())
            say_report(folder.path, splits)
    if interrupted:
        note("interrupted" if unsaved else "interrupted: the state reached is saved")
    if unsaved or interrupted:
        raise typer.Exit(1 if unsaved else 130)


def _save(saving: Secondary, folder: RunFolder, model: Model, best_weights: Array) -> None:
    with saving:
        folder.write_model(model, best_weights=best_weights)


def _show(dataset: str, epochs: int, runs: Mapping[str, Sequence[Run]]) -> None:
    rows: list[tuple[object, ...]] = []
    for name, of_model in runs.items():
        rows += [_row(run) for run in of_model]
        if len(of_model) > 1:
            rows.append(_mean_row(name, of_model))
    first = next(iter(runs.values()))[0]
    selected = "validation" if first.selected_by == "validation_loss" else "training"
    show_table(
        f"The reference study on {dataset}, {epochs:,} epochs",
        (
            "model",
            "seed",
            "test\naccuracy",
            "test\nloss",
            "best\nepoch",
            "accuracy\nat best",
            "loss\nat best",
            "diverged\nat",
            "\nseconds",
            "\nreference",
        ),
        rows,
        caption=(
            f"Best epoch: that of the lowest {selected} loss; its accuracy and loss are on the "
            f"test set too.",
            f"Reference: test accuracy and loss after {EPOCHS:,} epochs on Fashion-MNIST.",
        ),
    )


def _row(run: Run) -> tuple[object, ...]:
    diverged = diverged_at(run.history, run.last.confusion.shape[0])
    return (
        run.name,
        run.seed,
        f"{run.last.accuracy:.4f}",
        f"{run.last.loss:.4f}",
        "-" if run.best_epoch is None else run.best_epoch,
        f"{run.best.accuracy:.4f}",
        f"{run.best.loss:.4f}",
        "-" if diverged is None else diverged,
        f"{run.seconds:.1f}",
        _reference(run.name),
    )


def _mean_row(name: str, of_model: Sequence[Run]) -> tuple[object, ...]:
    def spread(values: Sequence[float]) -> str:
        return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"

    diverged = [diverged_at(run.history, run.last.confusion.shape[0]) for run in of_model]
    return (
        name,
        "mean",
        spread([run.last.accuracy for run in of_model]),
        spread([run.last.loss for run in of_model]),
        "",
        spread([run.best.accuracy for run in of_model]),
        spread([run.best.loss for run in of_model]),
        f"{sum(epoch is not None for epoch in diverged)} of {len(of_model)}",
        f"{np.mean([run.seconds for run in of_model]):.1f}",
        _reference(name),
    )


def _reference(name: str) -> str:
    model = MODELS[name]
    if model.reference_accuracy is None:
        return "-"
    return f"{model.reference_accuracy:.3f}, {model.reference_loss:.3f}"
