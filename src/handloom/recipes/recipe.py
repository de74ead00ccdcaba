"""Recipe: a network with all hyperparameters of its training."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from handloom.data.augment import Augmentation
from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, require_count, require_fraction
from handloom.layers import Dense
from handloom.losses import SoftmaxCrossEntropy
from handloom.network import Sequential
from handloom.optimizers import Optimizer
from handloom.parallel.mpi import Distributed
from handloom.parallel.partition import batch_count
from handloom.recipes.base import Experiment
from handloom.recipes.networks import Network, embeddings
from handloom.schedules import LinearDecay, Schedule, Warmup
from handloom.training import EMA, Callback, Checkpoints, Trainer
from handloom.training.interrupts import OnSignal


@dataclass(frozen=True)
class MeasuredResults:
    """Measured results of a recipe on Fashion-MNIST, trained on all 60,000 rows.

    Attributes
    ----------
    accuracies : tuple of float
        Test accuracy after the last epoch, one for each seed.
    seconds : float
        The median training time, with augmentation, without loading and evaluation; it may be that
        of other trainings than the accuracies, on a machine without other work.
    epochs : int
        The number of epochs.
    threads : int
        The number of threads in the timed trainings.
    """

    accuracies: tuple[float, ...]
    seconds: float
    epochs: int
    threads: int = 2

    @property
    def accuracy(self) -> float:
        """The mean accuracy over seeds."""
        return statistics.mean(self.accuracies)

    @property
    def spread(self) -> float:
        """The standard deviation of the accuracy over seeds, 0 for one seed."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


@dataclass(frozen=True)
class Recipe:
    """A training on Fashion-MNIST or similar images.

    Parameters
    ----------
    name : str
        The name for ``handloom train --recipe``.
    summary : str
        A short description.
    layers : callable
        From the shape of an image, (y, x) or (c, y, x), and the number of classes to new layers,
        which take flat rows.
    optimizer : callable
        Returns a new optimizer.
    rate : callable
        From the number of steps to the learning-rate schedule.
    epochs : int
        The default number of passes over the training rows.
    batch_size : int
        Rows per step.
    label_smoothing : float
    augment : tuple of Augmentation
    average : float or None
        The decay of the moving average of the weights, which is the trained network; None for the
        weights of the last step.
    results : tuple of MeasuredResults
        Measured results, for one number of epochs or several.
    """

    name: str
    summary: str
    layers: Network
    optimizer: Callable[[], Optimizer]
    rate: Callable[[int], Schedule]
    epochs: int
    batch_size: int
    label_smoothing: float = 0.0
    augment: tuple[Augmentation, ...] = ()
    average: float | None = None
    results: tuple[MeasuredResults, ...] = ()

    def parameters(self) -> int:
        """Return the number of parameters of the network for Fashion-MNIST."""
        return len(Sequential(self.layers((28, 28), 10)).build((784,)).parameters)


def rise_and_fall(peak: float, rise: float = 0.1) -> Callable[[int], Schedule]:
    """Return a function from a number of steps to linear warm-up and linear decay to zero.

    Parameters
    ----------
    peak : float
        The largest learning rate.
    rise : float
        The fraction of warm-up steps, below 1.

    Returns
    -------
    callable
        From the number of steps to a schedule.

    Raises
    ------
    ConfigurationError
        If ``rise`` is out of range.
    """
    require_fraction("rise", rise)

    def rate(steps: int) -> Schedule:
        rising = int(rise * steps)
        fall = LinearDecay(peak, steps - rising)
        return Warmup(rising, fall) if rising else fall

    return rate


@dataclass(frozen=True)
class RecipeSettings(Experiment):
    """A recipe with the options that are allowed beside it.

    Parameters
    ----------
    recipe : Recipe
    epochs : int
        The number of epochs, which the schedule spans.
    validation_fraction, ..., backend
        As in `Experiment`.

    Raises
    ------
    ConfigurationError
        If a setting is invalid.
    """

    kind: ClassVar[str] = "recipe"

    recipe: Recipe
    epochs: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("epochs", self.epochs)
        self.trainer(Sequential([Dense(1)]), 100)  # checks all other settings

    @property
    def title(self) -> str:
        """The title of plots."""
        return f"recipe {self.recipe.name}"

    def build(self, train: Dataset) -> Sequential:
        """Return the network for the rows, with its initial weights.

        Raises
        ------
        ConfigurationError
            If targets are continuous.
        """
        if not train.has_classes:
            raise ConfigurationError(
                f"the recipe {self.recipe.name} is for classes, got the continuous targets of "
                f"{train.name}: leave out --recipe"
            )
        layers = self.recipe.layers(train.input_shape, len(train.class_names))
        first = embeddings(train.columns)
        return Sequential([*first, *layers]).build((math.prod(train.input_shape),), seed=self.seed)

    def steps(self, train: Dataset, network: Sequential) -> int:
        """Return the number of steps of a training that does not stop early."""
        size = self.recipe.batch_size
        return self.epochs * batch_count(len(train), size, network.fewest_rows)

    def rate(self, steps: int) -> Schedule:
        """Return the learning-rate schedule for a number of steps."""
        return self.recipe.rate(steps)

    def trainer(
        self,
        network: Sequential,
        steps: int,
        callbacks: Sequence[Callback] = (),
        checkpoints: Checkpoints | None = None,
        *,
        on_signal: OnSignal = "deliver",
        distributed: Distributed | None = None,
    ) -> Trainer:
        """Return a trainer for a network; see `Experiment.trainer`."""
        recipe = self.recipe
        return Trainer(
            network,
            recipe.optimizer(),
            self.rate(steps),
            epochs=self.epochs,
            batch_size=recipe.batch_size,
            loss=SoftmaxCrossEntropy(recipe.label_smoothing),
            augment=recipe.augment,
            average=None if recipe.average is None else EMA(recipe.average),
            seed=self.seed,
            lanes=self.lanes,
            shard_rows=self.shard_rows,
            threads=self.threads,
            backend=self.backend,
            callbacks=callbacks,
            checkpoints=checkpoints,
            on_signal=on_signal,
            distributed=distributed,
        )

    def to_json(self) -> dict[str, object]:
        """Return the settings by name."""
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names} | {"recipe": self.recipe.name}
