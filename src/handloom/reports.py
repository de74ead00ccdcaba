"""Writing the results, logs, models and plots of a training or study to its folder."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from handloom import plots
from handloom.data.dataset import Dataset, Splits
from handloom.environment import environment
from handloom.files import make_folder
from handloom.recipes.experiment import Trained
from handloom.studies.reference import MODELS, Run, diverged_at
from handloom.training.boundary import boundary_grid
from handloom.training.evaluation import Evaluation
from handloom.training.history import History, csv_line
from handloom.training.run_folder import RunDescription, RunFolder, StudyFolder

LOG_COLUMNS = (
    "epoch",
    "train_accuracy",
    "train_loss",
    "learning_rate",
    "regularization_loss",
)


def write_run(run: RunFolder, title: str, splits: Splits, trained: Trained) -> None:
    """Write the model, the history, the results and the plots of one training."""
    history, test = trained.history, trained.test
    run.write_model(trained.model)
    run.write_history(history)
    run.write_results({"dataset": splits.name, **_figures(history, test)})
    grid = boundary_grid(trained.model, splits.train.inputs)
    run.write_predictions({"test": test.probabilities, **grid})
    pictures = make_folder(run.pictures)
    curves = plots.training_curves(
        [history],
        title=title,
        dataset=splits.name,
        learning_rates=[record.learning_rate for record in history],
    )
    plots.save(curves, pictures / "curves.png")
    _draw_predictions(pictures, "", title, splits.test, test)


def write_study_run(
    study: StudyFolder, run: Run, splits: Splits, description: RunDescription
) -> None:
    """Write the log and the folder of a run, with the last and the best model.

    The log has the columns of the reference's logs, and validation columns if rows were held out.
    """
    lines = [csv_line((*LOG_COLUMNS, *(_HELD_OUT if run.history.validated else ())))]
    for record, rate in zip(run.history, run.learning_rates, strict=True):
        values = (record.epoch, record.accuracy, record.loss, rate, record.penalty)
        held_out = (record.validation_accuracy, record.validation_loss)
        lines.append(csv_line((*values, *(held_out if run.history.validated else ()))))
    label = f"{run.name}-seed{run.seed}"
    study.write_log(label, "".join(lines))
    folder = study.run(label, description)
    folder.write_description()
    folder.write_model(run.model, best_weights=run.best_weights)
    folder.write_history(run.history)
    folder.write_results({"dataset": splits.name, **_study_figures(run)})
    folder.write_predictions({"test": run.last.probabilities})


_HELD_OUT = ("validation_accuracy", "validation_loss")


def write_study_results(
    study: StudyFolder,
    splits: Splits,
    epochs: int,
    runs: Mapping[str, Sequence[Run]],
    *,
    complete: bool,
) -> None:
    """Write the results of all runs so far.

    Parameters
    ----------
    study : StudyFolder
    splits : Splits
        The dataset of the study.
    epochs : int
        The planned number of epochs of each run.
    runs : mapping of str to sequence of Run
        The runs by model, in the order of the seeds.
    complete : bool
        Whether all planned runs are done.
    """
    results = {
        "dataset": splits.name,
        "epochs": epochs,
        "complete": complete,
        "models": {
            name: [_study_figures(run) for run in of_model] for name, of_model in runs.items()
        },
        "reference": {
            name: {
                "test_accuracy": MODELS[name].reference_accuracy,
                "test_loss": MODELS[name].reference_loss,
            }
            for name in runs
        },
        "environment": environment(),
    }
    study.write_results(results)


def draw_study(study: StudyFolder, splits: Splits, runs: Mapping[str, Sequence[Run]]) -> None:
    """Draw the plots of the study.

    Each curve is drawn from the first epoch, and again from a later one for a finer scale.
    Confusion matrix and mistakes are those of a model's first run at its best epoch.
    """
    pictures = make_folder(study.pictures)
    if splits.train.inputs.dtype == np.uint8:
        plots.save(plots.sample_grid(splits.train), pictures / "samples.png")
    longest = max((len(run.history) for of_model in runs.values() for run in of_model), default=0)
    # as in the reference, of 1,100 epochs: from 300 for one model, from 700 for comparisons
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


def _draw_predictions(
    pictures: Path, prefix: str, title: str, test: Dataset, evaluation: Evaluation
) -> None:
    matrix = plots.confusion(evaluation.confusion, test.class_names, title=title, dataset=test.name)
    plots.save(matrix, pictures / f"{prefix}confusion.png")
    if test.inputs.dtype == np.uint8:
        mistakes = plots.confident_mistakes(
            test.inputs,
            test.targets,
            evaluation.probabilities,
            test.class_names,
            title=title,
            dataset=test.name,
        )
        plots.save(mistakes, pictures / f"{prefix}mistakes.png")


def _figures(history: History, test: Evaluation) -> dict[str, object]:
    return {
        "test_accuracy": test.accuracy,
        "test_loss": _json_number(test.loss),
        "stop_reason": history.stop_reason,
        "epochs": len(history),
        "seconds": float(history["seconds"].sum()),
        "backend": history.backend,
        "lanes": history.lanes,
        "preparation_seconds": history.preparation_seconds,
    }


def _study_figures(run: Run) -> dict[str, object]:
    return {
        "seed": run.seed,
        **_figures(run.history, run.last),
        "best_epoch": run.best_epoch,
        "best_test_accuracy": run.best.accuracy,
        "best_test_loss": _json_number(run.best.loss),
        "best_selected_by": run.selected_by,
        "diverged_at": diverged_at(run.history, run.last.confusion.shape[0]),
    }


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None
