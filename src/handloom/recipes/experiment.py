"""Running experiments, and their conversion to and from JSON."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handloom.data.dataset import Dataset, Splits
from handloom.errors import (
    ConfigurationError,
    DataError,
    HandloomError,
    require_known,
)
from handloom.model import Model
from handloom.parallel.mpi import Distributed
from handloom.randomness import Stream
from handloom.recipes.base import Experiment
from handloom.recipes.recipe import RecipeSettings
from handloom.recipes.registry import recipe_settings_from_json
from handloom.recipes.settings import Settings
from handloom.training import (
    BestWeights,
    Callback,
    Checkpoints,
    EpochRecord,
    Evaluation,
    History,
    Trainer,
    evaluate,
)
from handloom.training.evaluation import mae_of_the_median, predicting_the_mean
from handloom.training.evaluation_metrics import RegressionMetrics
from handloom.training.interrupts import OnSignal

KINDS: Mapping[str, Callable[[dict[str, Any]], Experiment]] = {
    Settings.kind: Settings.from_json,
    RecipeSettings.kind: recipe_settings_from_json,
}
"""The functions that read experiments from JSON, by kind."""


def experiment_to_json(experiment: Experiment) -> dict[str, Any]:
    """Return the kind and the settings of an experiment, as values for JSON."""
    return {"kind": experiment.kind, **experiment.to_json()}


def experiment_from_json(values: object) -> Experiment:
    """Return an experiment from the values of `experiment_to_json`.

    Raises
    ------
    ConfigurationError
        If a setting is missing, unknown or invalid.
    """
    if not isinstance(values, dict):
        raise ConfigurationError(f"settings must be a JSON object, got {values!r}")
    kind = str(values.get("kind"))
    require_known("kind of settings", kind, KINDS)
    try:
        return KINDS[kind]({name: value for name, value in values.items() if name != "kind"})
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, HandloomError):
            raise
        raise ConfigurationError(f"settings: {error!r}") from None


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Attributes
    ----------
    model : Model
    history : History
    test : Evaluation
        On the test set, with the final weights.
    rows : int
        The number of training rows.
    held_out : int
        The number of validation rows.
    kept : EpochRecord or None
        The epoch whose weights are the final ones, if they were chosen; else they are the last.
    kept_by : str
        The metric that they were chosen by.
    baseline : RegressionMetrics or None
        Of a regression: the errors of predicting the mean of the training targets.
    mae_of_median : float
        Of a regression: the mean absolute error of predicting their median; else NaN.
    """

    model: Model
    history: History
    test: Evaluation
    rows: int
    held_out: int = 0
    kept: EpochRecord | None = None
    kept_by: str = "validation_loss"
    baseline: RegressionMetrics | None = None
    mae_of_median: float = math.nan


def train(
    experiment: Experiment,
    splits: Splits,
    callbacks: Sequence[Callback] = (),
    *,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
    on_signal: OnSignal = "deliver",
    distributed: Distributed | None = None,
    save: Callable[[Model], None] | None = None,
) -> Trained:
    """Train the network of an experiment, from the beginning or from a checkpoint.

    Parameters
    ----------
    experiment : Experiment
    splits : Splits
    callbacks, checkpoints, resume, on_signal, distributed
        As in `handloom.Trainer`. Other ranks call `take_part`.
    save : callable, optional
        Called with the trained model before anything else is done with it.

    Raises
    ------
    DataError
        If the dataset is not suitable for training, or cannot be split as asked.
    """
    rows, held_out = split_rows(experiment, splits)
    trainer = _trainer(
        experiment,
        splits,
        rows,
        callbacks=callbacks,
        checkpoints=checkpoints,
        on_signal=on_signal,
        distributed=distributed,
    )
    weights = experiment.weights_of_classes
    history = trainer.fit(rows, held_out, class_weight=weights, resume=resume)
    model = trainer.model()
    if save is not None:
        save(model)
    test = evaluate(model, splits.test)
    held = 0 if held_out is None else len(held_out)
    trained = Trained(model, history, test, len(rows), held)
    if test.regression is not None:
        trained = replace(
            trained,
            baseline=predicting_the_mean(model, splits.train, splits.test),
            mae_of_median=mae_of_the_median(model, splits.train, splits.test),
        )
    chosen = [each for each in trainer.options.callbacks if isinstance(each, BestWeights)]
    for each in chosen:
        if each.restored and each.epoch is not None:
            record = history.records[each.epoch]
            return replace(trained, kept=record, kept_by=each.monitor)
    return trained


def take_part(
    experiment: Experiment, splits: Splits, distributed: Distributed, *, resume: bool = False
) -> None:
    """Take part in the training of an experiment as a rank other than 0, which calls `train`.

    Parameters
    ----------
    experiment, splits, resume
        As on rank 0.
    distributed : str
        As in `handloom.Trainer`.
    """
    rows, held_out = split_rows(experiment, splits)
    trainer = _trainer(experiment, splits, rows, on_signal="finish", distributed=distributed)
    trainer.fit(rows, held_out, class_weight=experiment.weights_of_classes, resume=resume)


def split_rows(experiment: Experiment, splits: Splits) -> tuple[Dataset, Dataset | None]:
    """Return the rows to train on, and those that are held out, if any.

    Raises
    ------
    DataError
        If the training part is too small for it.
    """
    if not experiment.validation_fraction:
        return splits.train, None
    try:
        return splits.train.split(experiment.validation_fraction, Stream(experiment.seed))
    except DataError as error:
        raise DataError(
            f"the validation rows of {splits.name}: {error}; to hold out none, set "
            "validation_fraction to 0 (--validation-fraction 0)"
        ) from None


def _trainer(experiment: Experiment, splits: Splits, rows: Dataset, **options: Any) -> Trainer:
    """Return the trainer of an experiment, with its network."""
    network = experiment.build(splits.train)
    return experiment.trainer(network, experiment.steps(rows, network), **options)
