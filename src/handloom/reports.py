"""What a finished training or study leaves in its folder: results, logs, models and pictures."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from handloom import plots
from handloom.circumstances import circumstances
from handloom.data.dataset import Dataset, Splits
from handloom.files import make_folder, write_json, write_text
from handloom.recipes.experiment import Experiment, Trained
from handloom.recipes.reference import MODELS, Run, diverged_at
from handloom.training.evaluation import Evaluation
from handloom.training.history import csv_line

RESULTS = "results.json"
PICTURES = "pictures"
LOG_COLUMNS = (
    "epoch",
    "train_accuracy",
    "train_loss",
    "learning_rate",
    "regularization_loss",
)


def write_run(folder: Path, settings: Experiment, splits: Splits, trained: Trained) -> None:
    """Write the model, the results and the pictures of one training to an existing folder."""
    trained.model.save(folder / "model")
    history, test = trained.history, trained.test
    results = {
        "dataset": splits.name,
        "test_accuracy": test.accuracy,
        "test_loss": _json_number(test.loss),
        "stop_reason": history.stop_reason,
        "epochs": len(history),
        "seconds": float(history["seconds"].sum()),
        "backend": history.backend,
        "lanes": history.lanes,
        "preparation_seconds": history.preparation_seconds,
        "settings": settings.to_json(),
        **circumstances(),
    }
    write_json(folder / RESULTS, results)
    pictures = make_folder(folder / PICTURES)
    curves = plots.training_curves(
        [history],
        title=settings.title,
        dataset=splits.name,
        learning_rates=[record.learning_rate for record in history],
    )
    plots.save(curves, pictures / "curves.png")
    _draw_predictions(pictures, "", settings.title, splits.test, test)


def write_study_run(folder: Path, run: Run) -> None:
    """Write one run's log, and its models with the last and with the best weights.

    The log has the columns of the reference's logs, and those of the held-out rows where there
    are any.
    """
    lines = [csv_line((*LOG_COLUMNS, *(_HELD_OUT if run.history.validated else ())))]
    for record, rate in zip(run.history, run.learning_rates, strict=True):
        values = (record.epoch, record.accuracy, record.loss, rate, record.penalty)
        held_out = (record.validation_accuracy, record.validation_loss)
        lines.append(csv_line((*values, *(held_out if run.history.validated else ()))))
    write_text(make_folder(folder / "logs") / f"{_label(run)}.csv", "".join(lines))
    run.model.save(folder / "models" / _label(run) / "last")
    run.model.save(folder / "models" / _label(run) / "best", weights=run.best_weights)


_HELD_OUT = ("validation_accuracy", "validation_loss")


def write_study_results(
    folder: Path, splits: Splits, epochs: int, runs: Mapping[str, Sequence[Run]], *, complete: bool
) -> None:
    """Write the figures of all runs made so far.

    Parameters
    ----------
    folder : path
        Exists.
    splits : Splits
        The dataset that was used.
    epochs : int
        How many epochs each run was to have.
    runs : mapping of str to sequence of Run
        By model, in the order of the seeds.
    complete : bool
        Whether these are all the runs that were asked for.
    """
    results = {
        "dataset": splits.name,
        "epochs": epochs,
        "complete": complete,
        "models": {name: [_figures(run) for run in of_model] for name, of_model in runs.items()},
        "reference": {
            name: {
                "test_accuracy": MODELS[name].reference_accuracy,
                "test_loss": MODELS[name].reference_loss,
            }
            for name in runs
        },
        **circumstances(),
    }
    write_json(folder / RESULTS, results)


def draw_study(folder: Path, splits: Splits, runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """Draw the pictures of the study, and return their names.

    Each curve is drawn whole and again from a later epoch, where the first ones no longer set the
    scale. Confusion matrix and mistakes are those of a model's first run at its best epoch.
    """
    pictures = make_folder(folder / PICTURES)
    if splits.train.inputs.dtype == np.uint8:
        plots.save(plots.sample_grid(splits.train), pictures / "samples.png")
    longest = max((len(run.history) for of_model in runs.values() for run in of_model), default=0)
    # where the reference looks again, of 1,100 epochs: at 300 for a model, at 700 across models
    later = {"": 0, "-late": longest * 3 // 11}
    across = {"": 0, "-late": longest * 7 // 11}
    for name, of_model in runs.items():
        histories = [run.history for run in of_model]
        rates = max((run.learning_rates for run in of_model), key=len)
        for suffix, start in later.items():
            figure = plots.training_curves(
                histories,
                title=name,
                dataset=splits.name,
                from_epoch=start,
                learning_rates=rates,
            )
            plots.save(figure, pictures / f"{name}-curves{suffix}.png")
        first = of_model[0]
        title = f"{name}, best epoch by {first.selected_by.replace('_', ' ')}"
        _draw_predictions(pictures, f"{name}-", title, splits.test, first.best)
    histories_of = {name: [run.history for run in of_model] for name, of_model in runs.items()}
    for column in ("accuracy", "loss"):
        for suffix, start in across.items():
            figure = plots.comparison(histories_of, column, dataset=splits.name, from_epoch=start)
            plots.save(figure, pictures / f"{column}{suffix}.png")
    return sorted(path.name for path in pictures.glob("*.png"))


def _draw_predictions(
    pictures: Path, prefix: str, title: str, test: Dataset, found: Evaluation
) -> None:
    matrix = plots.confusion(found.confusion, test.class_names, title=title, dataset=test.name)
    plots.save(matrix, pictures / f"{prefix}confusion.png")
    if test.inputs.dtype == np.uint8:
        mistakes = plots.confident_mistakes(
            test.inputs,
            test.targets,
            found.probabilities,
            test.class_names,
            title=title,
            dataset=test.name,
        )
        plots.save(mistakes, pictures / f"{prefix}mistakes.png")


def _label(run: Run) -> str:
    return f"{run.name}-seed{run.seed}"


def _figures(run: Run) -> dict[str, object]:
    return {
        "seed": run.seed,
        "test_accuracy": run.last.accuracy,
        "test_loss": _json_number(run.last.loss),
        "best_epoch": run.best_epoch,
        "best_test_accuracy": run.best.accuracy,
        "best_test_loss": _json_number(run.best.loss),
        "best_selected_by": run.selected_by,
        "stop_reason": run.history.stop_reason,
        "diverged_at": diverged_at(run.history, run.last.confusion.shape[0]),
        "epochs": len(run.history),
        "seconds": run.seconds,
        "backend": run.history.backend,
        "lanes": run.history.lanes,
        "preparation_seconds": run.history.preparation_seconds,
    }


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None
