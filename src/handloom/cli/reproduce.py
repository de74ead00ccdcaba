"""``handloom reproduce``: the reference study."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import typer

from handloom import reports
from handloom.cli.console import note, show_table, wrote
from handloom.cli.options import (
    Data,
    Out,
    Threads,
    data_found,
    load_dataset,
    output_folder,
    split_list,
)
from handloom.errors import ConfigurationError, require_count, require_known
from handloom.parallel.threads import default_threads
from handloom.studies import reference
from handloom.studies.reference import EPOCHS, MODELS, Run, diverged_at
from handloom.training import Progress, RunDescription, StopReason, StudyFolder


def reproduce(
    data: Data = None,
    models: Annotated[str, typer.Option(help="Which models to train.")] = ",".join(MODELS),
    epochs: Annotated[int, typer.Option(help="Full-batch steps of each run.")] = EPOCHS,
    seeds: Annotated[str, typer.Option(help="One run of each model for each seed.")] = "0",
    validation_fraction: Annotated[
        float, typer.Option(help="Fraction of each class held out to choose the best epoch by.")
    ] = 0.0,
    threads: Threads = None,
    out: Out = None,
) -> None:
    """Train the reference's models and a steadier one, compare them.

    Example: handloom reproduce --epochs 100 --seeds 0,1,2 --out runs/study
    """
    names = split_list("--models", models, str)
    for name in names:
        require_known("model", name, MODELS)
    numbers = split_list("--seeds", seeds, int)
    if len(set(names)) < len(names) or len(set(numbers)) < len(numbers):
        raise ConfigurationError("--models and --seeds take each name and each number once")
    for number in numbers:
        require_count("a seed", number, minimum=0)
    reference.check_options(epochs, validation_fraction, threads)

    with output_folder(out, "study") as folder:
        study = StudyFolder(folder)
        splits = load_dataset(data)
        source = data_found(data, splits)
        if epochs < EPOCHS:
            note(
                f"{epochs} epochs of the study's {EPOCHS:,}; all of them: "
                f"handloom reproduce --epochs {EPOCHS}"
            )
        runs: dict[str, list[Run]] = {}
        plan = [(name, seed) for name in names for seed in numbers]
        for place, (name, seed) in enumerate(plan):
            run = reference.run(
                name,
                splits,
                epochs=epochs,
                seed=seed,
                validation_fraction=validation_fraction,
                threads=threads,
                callbacks=(Progress(f"{name}, seed {seed}"),),
                on_signal="finish",  # the command says itself how training ended
            )
            runs.setdefault(name, []).append(run)
            interrupted = run.history.stop_reason is StopReason.INTERRUPTED
            complete = place == len(plan) - 1 and not interrupted
            settings = reference.settings_to_json(name, epochs, seed, validation_fraction, threads)
            description = RunDescription(settings, source, None, threads or default_threads())
            reports.write_study_run(study, run, splits, description)
            reports.write_study_results(study, splits, epochs, runs, complete=complete)
            if interrupted:
                break
        _show(splits.name, epochs, runs)
        reports.draw_study(study, splits, runs)
        wrote(folder, study.contents())
    if interrupted:
        note("interrupted: what was learned until then is saved")
        raise typer.Exit(130)


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
            "accuracy\nthere",
            "loss\nthere",
            "diverged\nat",
            "\nseconds",
            "\nreference",
        ),
        rows,
        caption=f"Best epoch: the one with the lowest {selected} loss; the figures there "
        f"are on the test set too.\nReference: test accuracy and loss after {EPOCHS:,} epochs "
        f"on Fashion-MNIST.",
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
