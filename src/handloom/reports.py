"""Writing the results, logs and plots of a training or study to its folder."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handloom import plots
from handloom.data.dataset import Dataset, Splits
from handloom.environment import environment
from handloom.files import make_folder
from handloom.recipes.experiment import Trained
from handloom.secondary import Secondary, say
from handloom.studies.reference import MODELS, Run, Study
from handloom.training.boundary import boundary_grid
from handloom.training.evaluation import Evaluation
from handloom.training.grid_frames import GridFrames
from handloom.training.history import History, csv_line
from handloom.training.run_description import RunDescription
from handloom.training.run_folder import (
    DESCRIPTION,
    GRID,
    HISTORY,
    LOGS,
    PREDICTIONS,
    RESULTS,
    RunFolder,
    StudyFolder,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOG_COLUMNS = (
    "step",
    "train_accuracy",
    "train_loss",
    "learning_rate",
    "regularization_loss",
)


def _part(path: Path) -> Secondary:
    """Return the block that writes a part of a folder; without it, the others are written."""
    return Secondary(f"{path} is not written", then="", tell=say)


def _pictures(folder: Path) -> Secondary:
    """Return the block that draws a picture of a folder: the first failure is told."""
    return Secondary(f"{folder} lacks pictures", then="", tell=say)


def _save(figure: "Figure", path: Path) -> None:
    plots.save(figure, make_folder(path.parent) / path.name)


def write_run(
    run: RunFolder,
    title: str,
    splits: Splits,
    trained: Trained,
    frames: GridFrames | None = None,
) -> None:
    """Write the history, the results and the plots of one training, whose model is saved.

    If one cannot be written, a line on standard error says so, and the others are written.
    """
    history, test = trained.history, trained.test
    with _part(run.path / HISTORY):
        run.write_history(history)
    with _part(run.path / RESULTS):
        kept = {} if trained.kept is None else {"kept_epoch": trained.kept.epoch}
        figures = {**_figures(history, test), **_baseline_figures(trained), **kept}
        run.write_results({"dataset": splits.name, **figures})
    with _part(run.path / PREDICTIONS):
        rows = splits.train.inputs
        if rows.shape[1:] == (2,):  # points, which may be read on demand
            rows = rows[:]
        lines = _row_numbers(splits.test)
        if test.regression is None:
            grid = boundary_grid(trained.model, rows)
            run.write_predictions({"test": test.probabilities, **grid, **lines})
        else:
            run.write_predictions({"test": test.regression.predictions, **lines})
    if frames is not None:
        with _part(run.path / GRID):
            run.write_grid(frames)
    draw_run(run, _title(trained, title), splits, trained)


def draw_run(run: RunFolder, title: str, splits: Splits, trained: Trained) -> None:
    """Draw the plots of one training: curves, predictions of the test rows, boundary, weights.

    If one cannot be drawn, a line on standard error says so, and the others are drawn.
    """
    history, test = trained.history, trained.test
    images = splits.train.inputs.dtype == np.uint8
    drawing = _pictures(run.pictures)
    with drawing:
        curves = plots.history(
            [history],
            title=title,
            dataset=splits.name,
            learning_rates=[record.learning_rate for record in history],
        )
        _save(curves, run.pictures / "curves.png")
    if test.regression is None:
        _draw_predictions(drawing, run.pictures, "", title, splits.test, test)
    else:
        _draw_regression(drawing, run.pictures, title, test)
    with drawing:
        plane = splits.test.input_shape == (2,) and not trained.model.network.index_columns
        if plane and splits.test.has_classes and not images:
            boundary = plots.decision_boundary(trained.model, splits.test, title=title)
            _save(boundary, run.pictures / "boundary.png")
    with drawing:
        if images:
            weights = plots.weights(trained.model, title=title, dataset=splits.name)
            _save(weights, run.pictures / "weights.png")


def _title(trained: Trained, title: str) -> str:
    """Return the title of pictures: of a table, with the column that is predicted."""
    columns = trained.model.columns
    target = None if columns is None else columns.target
    return title if target is None else f"{target.name}, {title}"


def study_run_folder(
    study: StudyFolder, name: str, seed: int, description: RunDescription
) -> RunFolder:
    """Return the folder of a run of a study, which is not written yet."""
    return study.run(_label(name, seed), description)


def _label(name: str, seed: int) -> str:
    return f"{name}-seed{seed}"


def write_study_run(study: StudyFolder, folder: RunFolder, run: Run, splits: Splits) -> None:
    """Write the log of a run, and its folder, except for the models, which are saved.

    If one cannot be written, a line on standard error says so, and the others are written. The log
    has the columns of the reference's logs, and validation columns if rows were held out; the
    metrics of an epoch are at its last step.
    """
    with _part(folder.path / DESCRIPTION):
        folder.write_description()
    with _part(folder.path / HISTORY):
        folder.write_history(run.history)
    with _part(folder.path / RESULTS):
        folder.write_results({"dataset": splits.name, **_study_figures(run)})
    with _part(folder.path / PREDICTIONS):
        folder.write_predictions({"test": run.last.probabilities})
    label = _label(run.name, run.seed)
    with _part(study.path / LOGS / f"{label}.csv"):
        study.write_log(label, _log(run))


def _log(run: Run) -> str:
    """Return the CSV log of a run."""
    lines = [csv_line((*LOG_COLUMNS, *(_HELD_OUT if run.history.validated else ())))]
    for record, step, rate in zip(run.history, run.steps, run.learning_rates, strict=True):
        values = (step, record.accuracy, record.loss, rate, record.penalty)
        held_out = (record.validation_accuracy, record.validation_loss)
        lines.append(csv_line((*values, *(held_out if run.history.validated else ()))))
    return "".join(lines)


_HELD_OUT = ("validation_accuracy", "validation_loss")


def write_study_results(
    folder: StudyFolder,
    splits: Splits,
    study: Study,
    runs: Mapping[str, Sequence[Run]],
    *,
    complete: bool,
) -> None:
    """Write the results of all runs so far.

    Parameters
    ----------
    folder : StudyFolder
    splits : Splits
        The dataset of the study.
    study : Study
    runs : mapping of str to sequence of Run
        The runs by model, in the order of the seeds.
    complete : bool
        Whether all planned runs are done.
    """
    results = {
        "dataset": splits.name,
        "steps": study.steps,
        "batch_size": study.batch_size,
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
    with _part(folder.path / RESULTS):
        folder.write_results(results)


def draw_study(study: StudyFolder, splits: Splits, runs: Mapping[str, Sequence[Run]]) -> None:
    """Draw the plots of the study.

    If one cannot be drawn, a line on standard error says so, and the others are drawn.

    Each curve is drawn from the first step, and again from a later one for a finer scale. Confusion
    matrix and mistakes are those of a model's first run with its best weights.
    """
    pictures, drawing = study.pictures, _pictures(study.pictures)
    with drawing:
        if splits.train.inputs.dtype == np.uint8:
            _save(plots.samples(splits.train), pictures / "samples.png")
    longest = max((len(run.history) for of_model in runs.values() for run in of_model), default=0)
    steps_per_epoch = next(iter(runs.values()))[0].steps_per_epoch
    # as in the reference, of 1,100 steps: from 300 for one model, from 700 for comparisons
    later = {"": 0, "-late": longest * 3 // 11 + 1}
    across = {"": 0, "-late": longest * 7 // 11 + 1}
    for name, of_model in runs.items():
        histories = [run.history for run in of_model]
        rates = max((run.learning_rates for run in of_model), key=len)
        for suffix, start in later.items():
            with drawing:
                figure = plots.history(
                    histories,
                    title=name,
                    dataset=splits.name,
                    from_epoch=start,
                    learning_rates=rates,
                    steps_per_epoch=steps_per_epoch,
                )
                _save(figure, pictures / f"{name}-curves{suffix}.png")
        first = of_model[0]
        title = f"{name}, best weights by {first.selected_by.replace('_', ' ')}"
        _draw_predictions(drawing, pictures, f"{name}-", title, splits.test, first.best)
    histories_of = {name: [run.history for run in of_model] for name, of_model in runs.items()}
    for column in ("accuracy", "loss"):
        for suffix, start in across.items():
            with drawing:
                figure = plots.comparison(
                    histories_of,
                    column,
                    dataset=splits.name,
                    from_epoch=start,
                    steps_per_epoch=steps_per_epoch,
                )
                _save(figure, pictures / f"{column}{suffix}.png")


def _draw_predictions(
    drawing: Secondary,
    pictures: Path,
    prefix: str,
    title: str,
    test: Dataset,
    evaluation: Evaluation,
) -> None:
    with drawing:
        _save(plots.confusion(evaluation, title=title), pictures / f"{prefix}confusion.png")
    with drawing:
        if test.inputs.dtype == np.uint8:
            mistakes = plots.mistakes(evaluation, test, title=title)
            _save(mistakes, pictures / f"{prefix}mistakes.png")


def _draw_regression(drawing: Secondary, pictures: Path, title: str, test: Evaluation) -> None:
    with drawing:
        against = plots.predicted_against_true(test, title=title)
        _save(against, pictures / "predictions.png")
    with drawing:
        _save(plots.residuals(test, title=title), pictures / "residuals.png")


def _figures(history: History, test: Evaluation) -> dict[str, object]:
    return {
        **_test_figures(test),
        "stop_reason": history.stop_reason,
        "epochs": len(history),
        "seconds": float(history["seconds"].sum()),
        "backend": history.backend,
        "compiled_steps": history.compiled_steps,
        "lanes": history.lanes,
        "preparation_seconds": history.preparation_seconds,
    }


def _test_figures(test: Evaluation) -> dict[str, object]:
    loss: dict[str, object] = {"test_loss": _json_number(test.loss)}
    if (binary := test.binary) is not None:
        loss |= {
            "test_roc_auc": _json_number(binary.roc_auc),
            "test_brier": _json_number(binary.brier),
            "positive_class": binary.positive,
        }
    if (regression := test.regression) is None:
        return {"test_accuracy": test.accuracy, **loss}
    return {
        **loss,
        "test_mse": _json_number(regression.mse),
        "test_rmse": _json_number(regression.rmse),
        "test_mae": _json_number(regression.mae),
        "test_r2": _json_number(regression.r2),
    }


def _row_numbers(test: Dataset) -> dict[str, npt.NDArray[np.int64]]:
    """Return the numbers of the test rows in their table, if they are of one."""
    return {} if test.row_numbers is None else {"test_rows": test.row_numbers}


def _baseline_figures(trained: Trained) -> dict[str, object]:
    """Return the errors of predicting the mean and the median of the training targets."""
    if (baseline := trained.baseline) is None:
        return {}
    return {
        "test_rmse_of_mean": _json_number(baseline.rmse),
        "test_mae_of_mean": _json_number(baseline.mae),
        "test_mae_of_median": _json_number(trained.mae_of_median),
    }


def _study_figures(run: Run) -> dict[str, object]:
    return {
        "seed": run.seed,
        **_figures(run.history, run.last),
        "steps": run.steps[-1] + 1 if run.steps else 0,
        "best_step": run.best_step,
        "best_test_accuracy": run.best.accuracy,
        "best_test_loss": _json_number(run.best.loss),
        "best_selected_by": run.selected_by,
        "diverged_at": run.diverged_at,
    }


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None
