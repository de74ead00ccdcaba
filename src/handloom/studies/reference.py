"""The reference study: one small network trained with three optimizers, and a fourth model.

The settings are those of the notebook that Handloom began with. `adam-steady` is our addition: the
network and optimizer of `adam` with a tenth of the learning rate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from handloom.data.dataset import Dataset, Splits
from handloom.errors import ConfigurationError, require_count, require_fraction, require_known
from handloom.initializers import ScaledNormal
from handloom.layers import Dense, ReLU, Softmax
from handloom.model import Model
from handloom.network import Sequential
from handloom.optimizers import SGD, Adam, Optimizer
from handloom.parallel.mpi import Distributed
from handloom.parallel.partition import batch_count
from handloom.parameters import Array
from handloom.randomness import Stream
from handloom.recipes.base import THREADS
from handloom.recipes.option import documented, option
from handloom.schedules import InverseTimeDecay
from handloom.training import BestWeights, Callback, Evaluation, History, Trainer, evaluate
from handloom.training.interrupts import OnSignal


@dataclass(frozen=True)
class ReferenceModel:
    """One model of the study.

    Attributes
    ----------
    units : int
        The width of both hidden layers.
    optimizer : callable
        Returns a new optimizer.
    schedule : InverseTimeDecay
        The learning-rate schedule.
    reference_accuracy, reference_loss : float or None
        The notebook's metrics on the test set; None for our addition.
    on_divergence : str
        A remark for runs that diverge.
    """

    units: int
    optimizer: Callable[[], Optimizer]
    schedule: InverseTimeDecay
    reference_accuracy: float | None = None
    reference_loss: float | None = None
    on_divergence: str = "At this rate the loss jumps in the first few hundred steps."


MODELS: dict[str, ReferenceModel] = {
    "sgd": ReferenceModel(128, SGD, InverseTimeDecay(1.0, 0.01), 0.837, 0.449),
    "momentum": ReferenceModel(
        64, lambda: SGD(momentum=0.5), InverseTimeDecay(1.0, 0.01), 0.812, 0.527
    ),
    "adam": ReferenceModel(
        64,
        Adam,
        InverseTimeDecay(0.05, 1e-4),
        0.864,
        0.387,
        "This is a result of the study: the learning rate 0.05 is too high for Adam. The log of "
        "the notebook shows the same from step 320 on; the accuracy that it reports is from "
        "another run, at a step where that did well. The rate of adam-steady is a tenth.",
    ),
    "adam-steady": ReferenceModel(64, Adam, InverseTimeDecay(0.005, 1e-4)),
}
STEPS = 1100
"""The updates of each network, as in the notebook."""


@dataclass(frozen=True)
class Run:
    """One training of one model.

    Attributes
    ----------
    name, seed : str, int
    history : History
        With one step an epoch, each record was measured before its update; with several it is their
        mean.
    steps_per_epoch : int
        The updates of each epoch.
    learning_rates : list of float
        For each epoch, the rate of the last update before its last measurement, as the reference
        logs it.
    last, best : Evaluation
        On the test set, with the final and with the best weights.
    best_step : int or None
        The step of the best weights, counted from 0; None if no epoch was completed.
    selected_by : str
        The metric that selected it.
    model : Model
        With the final weights.
    best_weights : array, shape (size,)
    """

    name: str
    seed: int
    history: History
    steps_per_epoch: int
    learning_rates: list[float]
    last: Evaluation
    best: Evaluation
    best_step: int | None
    selected_by: str
    model: Model
    best_weights: Array

    @property
    def seconds(self) -> float:
        """The training time."""
        return float(self.history["seconds"].sum())

    @property
    def steps(self) -> list[int]:
        """The last step of each epoch, counted from 0."""
        return [_last_step(record.epoch, self.steps_per_epoch) for record in self.history]

    @property
    def diverged_at(self) -> int | None:
        """The last step of the epoch in which the training diverged; see `diverged_in`."""
        epoch = diverged_in(self.history, self.last.confusion.shape[0])
        return None if epoch is None else _last_step(epoch, self.steps_per_epoch)


def network(units: int, classes: int = 10) -> Sequential:
    """Return the network of the study, without weights: two hidden layers, L2 on the first."""
    start = ScaledNormal(0.01)
    return Sequential(
        [
            Dense(units, weights=start, weights_l2=5e-4, biases_l2=5e-4),
            ReLU(),
            Dense(units, weights=start),
            ReLU(),
            Dense(classes, weights=start),
            Softmax(),
        ]
    )


@documented
@dataclass(frozen=True)
class Study:
    """The runs of a study: each model with each seed.

    Raises
    ------
    ConfigurationError
        If an option is invalid.
    """

    models: tuple[str, ...] = option(tuple(MODELS), f"The models to train: {' | '.join(MODELS)}.")
    steps: int = option(STEPS, "The updates of each run, rounded to whole epochs.")
    batch_size: int = option(0, "Rows of an update; 0 for all rows, as in the notebook.")
    seeds: tuple[int, ...] = option((0,), "One run of each model for each seed.")
    validation_fraction: float = option(
        0.0, "The fraction of each class to hold out for choosing the best weights."
    )
    threads: int | None = option(None, THREADS)

    def __post_init__(self) -> None:
        for name in self.models:
            require_known("model", name, MODELS)
        for seed in self.seeds:
            require_count("a seed", seed, minimum=0)
        for names in (self.models, self.seeds):
            if len(set(names)) < len(names):
                raise ConfigurationError(f"models and seeds must each be named once, got {names}")
        require_count("steps", self.steps)
        require_count("batch_size", self.batch_size, minimum=0)
        require_fraction("validation_fraction", self.validation_fraction)
        if self.threads is not None:
            require_count("threads", self.threads)

    def plan(self) -> list[tuple[str, int]]:
        """Return the model and the seed of each run, in order."""
        return [(name, seed) for name in self.models for seed in self.seeds]

    def options(self, seed: int) -> dict[str, Any]:
        """Return the options of a run, for `run` and `take_part`."""
        return {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "seed": seed,
            "validation_fraction": self.validation_fraction,
            "threads": self.threads,
        }

    def settings_to_json(self, name: str, seed: int) -> dict[str, object]:
        """Return the settings of a run by name."""
        return {"study": "reference", "model": name, **self.options(seed)}


def prepare(splits: Splits, seed: int) -> Splits:
    """Return the dataset with its training rows sorted by class, then shuffled once.

    Sorting first makes the order the same for every source of the same images.
    """
    train = splits.train.sorted_by_class().shuffled(Stream(seed))
    return Splits(train, splits.test)


def run(
    name: str,
    splits: Splits,
    *,
    steps: int = STEPS,
    batch_size: int = 0,
    seed: int = 0,
    validation_fraction: float = 0.0,
    threads: int | None = None,
    callbacks: tuple[Callback, ...] = (),
    on_signal: OnSignal = "deliver",
    distributed: Distributed | None = None,
    save: Callable[[Model, Array], None] | None = None,
) -> Run:
    """Train one model of the study for a number of updates.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    splits : Splits
        The dataset; its training rows are sorted and shuffled here.
    steps : int
        The updates, rounded to whole epochs.
    batch_size : int
        Rows of an update; 0 for all rows, in one update an epoch.
    seed, threads
        As in `handloom.Trainer`.
    validation_fraction : float
        The fraction of each class held out for choosing the best weights; at 0 the training loss
        selects them.
    callbacks : tuple of Callback
        Called after that of the study.
    on_signal, distributed
        As in `handloom.Trainer`. Other ranks call `take_part`.
    save : callable, optional
        Called with the trained model and the best weights before anything else is done with them.

    Returns
    -------
    Run
    """
    train, held_out = _rows(splits, seed, validation_fraction)
    steps_per_epoch = batch_count(len(train), batch_size or len(train))
    best = BestWeights("validation_loss" if validation_fraction else "loss", restore=False)
    trainer = _trainer(
        MODELS[name],
        train,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        threads=threads,
        callbacks=(best, *callbacks),
        on_signal=on_signal,
        distributed=distributed,
    )
    # not fit, which warns of divergence: the study reports it
    history = trainer.run(trainer.prepare(train, held_out))
    model = trainer.model()
    final = model.network.parameters.vector
    best_weights = final.copy() if best.weights is None else best.weights
    if save is not None:
        save(model, best_weights)
    return _examined(name, seed, trainer, history, steps_per_epoch, best, best_weights, splits.test)


def take_part(
    name: str,
    splits: Splits,
    distributed: Distributed,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    validation_fraction: float,
    threads: int | None,
) -> None:
    """Take part in a training of the study as a rank other than 0, which calls `run`."""
    train, held_out = _rows(splits, seed, validation_fraction)
    trainer = _trainer(
        MODELS[name],
        train,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        threads=threads,
        on_signal="finish",
        distributed=distributed,
    )
    trainer.run(trainer.prepare(train, held_out))


def _rows(splits: Splits, seed: int, validation_fraction: float) -> tuple[Dataset, Dataset | None]:
    """Return the rows to train on, and those that are held out."""
    train = prepare(splits, seed).train
    return train.split(validation_fraction, Stream(seed)) if validation_fraction else (train, None)


def _trainer(
    settings: ReferenceModel,
    train: Dataset,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    **options: Any,
) -> Trainer:
    """Return the trainer of a model, with its network."""
    classes = len(train.class_names)
    built = network(settings.units, classes).build((math.prod(train.input_shape),), seed=seed)
    steps_per_epoch = batch_count(len(train), batch_size or len(train))
    return Trainer(
        built,
        settings.optimizer(),
        settings.schedule,
        epochs=max(1, round(steps / steps_per_epoch)),
        batch_size=batch_size or None,
        seed=seed,
        **options,
    )


def _examined(
    name: str,
    seed: int,
    trainer: Trainer,
    history: History,
    steps_per_epoch: int,
    best: BestWeights,
    best_weights: Array,
    test: Dataset,
) -> Run:
    model = trainer.model()
    vector = model.network.parameters.vector
    final = vector.copy()
    last = evaluate(model, test)
    vector[...] = best_weights
    at_best = evaluate(model, test)
    vector[...] = final
    return Run(
        name=name,
        seed=seed,
        history=history,
        steps_per_epoch=steps_per_epoch,
        learning_rates=[
            trainer.options.schedule(max(_last_step(record.epoch, steps_per_epoch) - 1, 0))
            for record in history
        ],
        last=last,
        best=at_best,
        best_step=None if best.epoch is None else _last_step(best.epoch, steps_per_epoch),
        selected_by=best.monitor,
        model=model,
        best_weights=best_weights,
    )


def _last_step(epoch: int, steps_per_epoch: int) -> int:
    return (epoch + 1) * steps_per_epoch - 1


def diverged_in(history: History, classes: int = 10) -> int | None:
    """Return the epoch at which a training diverged, or None.

    It is the first epoch whose loss is not finite, or whose data loss is at least that of guessing,
    ``ln k``, after having been below half of that.
    """
    chance = math.log(classes)
    learned = False
    for record in history:
        if learned and record.data_loss >= chance:
            return record.epoch
        learned = learned or record.data_loss < chance / 2
    broke_down = history.stop_reason is not None and history.stop_reason.diverged
    return history.stopped_in if broke_down else None
