"""``handloom reproduce``: the reference study."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import typer

from handloom import reports
from handloom.cli.console import note, saved_results, say, show_table, show_text, wrote
from handloom.cli.datasets import (
    ImageData,
    dataset_source,
    drawn_test_rows,
    load_dataset,
    refuse_in_images,
    with_image_options,
)
from handloom.cli.from_settings import options_from
from handloom.cli.options import Out, output_folder
from handloom.cli.ranks import (
    Distribute,
    checked_distributed,
    part_of_study,
    path_on_ranks,
    sharing,
)
from handloom.cli.report import say_report
from handloom.cli.table_options import refuse_table
from handloom.data import ImageOptions
from handloom.data.sources.published import NAME
from handloom.model import Model
from handloom.parallel.mpi import ranks_of
from handloom.parallel.threads import default_threads
from handloom.parameters import Array
from handloom.secondary import Secondary
from handloom.studies import reference
from handloom.studies.reference import MODELS, STEPS, Run, Study
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
@with_image_options
def reproduce(
    options: ImageOptions,
    data: ImageData = None,
    out: Out = None,
    distributed: Distribute = None,
    **values: Any,
) -> None:
    """Train the models of the reference study and compare them.

    Example: handloom reproduce --batch-size 6000 --seeds 0,1,2 --out runs/study
    """
    study, ranks = Study(**values), checked_distributed(distributed)
    refuse_table(data, "reproduce")
    refuse_in_images(out or Path("runs"), data)
    with output_folder(out, "study") as held:
        folder = StudyFolder(held)
        splits = load_dataset(data, options)
        source, test_rows = dataset_source(data, splits), drawn_test_rows(splits, options)
        if study.steps < STEPS:
            note(f"{study.steps} steps of the study's {STEPS:,}; leave out --steps for all")
        runs: dict[str, list[Run]] = {}
        plan, unsaved = study.plan(), False
        for name, seed in plan:
            settings = study.settings_to_json(name, seed)
            threads = study.threads or default_threads(sharing=ranks_of(ranks).sharing_cores)
            description = RunDescription(
                settings,
                source,
                None,
                threads,
                data_options=options.to_json(),
                test_rows=test_rows,
            )
            run_folder = reports.study_run_folder(folder, name, seed, description)
            saving = Secondary("error", then="", tell=note)
            of_run = study.options(seed)
            with sharing(
                ranks, part_of_study(name, path_on_ranks(data, source), options, **of_run)
            ):
                run = reference.run(
                    name,
                    splits,
                    **of_run,
                    callbacks=(Progress(f"{name}, seed {seed}"), LayerNorms(), SecondMoments()),
                    on_signal="finish",  # the command itself reports an interruption
                    distributed=ranks,
                    save=partial(_save, saving, run_folder),
                )
            unsaved = unsaved or saving.failed
            runs.setdefault(name, []).append(run)
            interrupted = run.history.stop_reason is StopReason.INTERRUPTED
            complete = (name, seed) == plan[-1] and not interrupted
            reports.write_study_run(folder, run_folder, run, splits)
            reports.write_study_results(folder, splits, study, runs, complete=complete)
            if interrupted:
                break
        reports.draw_study(folder, splits, runs)
        with saved_results(folder.path):
            _show(splits.name, runs)
            wrote(folder.path, folder.contents())
            say_report(folder.path, splits)
    if interrupted:
        kept = "" if unsaved else ": the state reached is saved"
        note(f"interrupted{kept}; a study cannot be resumed, start it again with another --out")
    if unsaved or interrupted:
        raise typer.Exit(1 if unsaved else 130)


def _save(saving: Secondary, folder: RunFolder, model: Model, best_weights: Array) -> None:
    with saving:
        folder.write_model(model, best_weights=best_weights)


def _show(dataset: str, runs: Mapping[str, Sequence[Run]]) -> None:
    seeds = max(len(of_model) for of_model in runs.values()) > 1
    columns = {
        "model": True,
        "seed": seeds,
        "last step": True,
        "best weights": True,
        "of step": True,
        "notebook": dataset == NAME,
        "seconds": True,
    }
    rows: list[tuple[object, ...]] = []
    for name, of_model in runs.items():
        rows += [_row(run) for run in of_model]
        if len(of_model) > 1:
            rows += _spread_rows(name, of_model)
    first = next(iter(runs.values()))[0]
    selected = "validation" if first.selected_by == "validation_loss" else "training"
    captions = {
        f"Last step: {_steps(runs)}. Best weights: those of the lowest {selected} loss.": True,
        "Spread: standard deviation over the seeds.": seeds,
        f"Notebook: after {STEPS:,} steps on all rows of Fashion-MNIST.": columns["notebook"],
    }
    show_table(
        f"The reference study on {dataset}: accuracy, loss on the test set",
        [column for column, shown in columns.items() if shown],
        [list(compress(row, columns.values())) for row in rows],
        caption=[caption for caption, shown in captions.items() if shown],
    )
    for name, of_model in runs.items():
        if story := _divergence(name, of_model):
            say("")
            show_text(story)


def _steps(runs: Mapping[str, Sequence[Run]]) -> str:
    counts = {run.steps[-1] + 1 for of_model in runs.values() for run in of_model if run.steps}
    return " or ".join(f"{count:,}" for count in sorted(counts)) or "none was completed"


def _row(run: Run) -> tuple[object, ...]:
    return (
        run.name,
        run.seed,
        f"{run.last.accuracy:.3f}, {run.last.loss:.3f}",
        f"{run.best.accuracy:.3f}, {run.best.loss:.3f}",
        _counted(run.best_step),
        _reference(run.name),
        f"{run.seconds:.1f}",
    )


def _counted(step: int | None) -> str:
    """Return a step, which files count from 0, as people count it."""
    return "-" if step is None else f"{step + 1:,}"


def _spread_rows(name: str, of_model: Sequence[Run]) -> list[tuple[object, ...]]:
    """Return the mean over the seeds, and the standard deviation."""
    figures = [
        (run.last.accuracy, run.last.loss, run.best.accuracy, run.best.loss) for run in of_model
    ]
    seconds = np.mean([run.seconds for run in of_model])
    accuracy, loss, at_best, loss_at_best = np.mean(figures, axis=0)
    means = f"{accuracy:.3f}, {loss:.3f}", f"{at_best:.3f}, {loss_at_best:.3f}"
    accuracy, loss, at_best, loss_at_best = np.std(figures, axis=0, ddof=1)
    spreads = f"± {accuracy:.3f}, {loss:.3f}", f"± {at_best:.3f}, {loss_at_best:.3f}"
    return [
        (name, "mean", *means, "", _reference(name), f"{seconds:.1f}"),
        (name, "spread", *spreads, "", "", ""),
    ]


def _reference(name: str) -> str:
    model = MODELS[name]
    if model.reference_accuracy is None:
        return "-"
    return f"{model.reference_accuracy:.3f}, {model.reference_loss:.3f}"


def _divergence(name: str, of_model: Sequence[Run]) -> str | None:
    """Return the story of a model that diverged, which is a result of the study."""
    diverged = [run for run in of_model if run.diverged_at is not None]
    if not diverged:
        return None
    at = ", ".join(
        f"step {(run.diverged_at or 0) + 1:,}"
        + (f" (seed {run.seed})" if len(of_model) > 1 else "")
        for run in diverged
    )
    best = np.mean([run.best.accuracy for run in diverged])
    last = np.mean([run.last.accuracy for run in diverged])
    return (
        f"{name} diverged at {at}. {MODELS[name].on_divergence} Accuracy after the last step "
        f"{last:.3f}, with the best weights {best:.3f}."
    )
