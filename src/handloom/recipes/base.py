"""Experiment: the base class of a complete training, and the options of all experiments."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from handloom.backend import BACKENDS
from handloom.data.dataset import Dataset
from handloom.errors import require_fraction
from handloom.network import Sequential
from handloom.parallel.mpi import Distributed
from handloom.parallel.partition import LANES
from handloom.recipes.option import documented, option
from handloom.schedules import Schedule
from handloom.training import Callback, Checkpoints, Trainer
from handloom.training.class_weights import ClassWeight
from handloom.training.interrupts import OnSignal

THREADS = (
    "The number of threads that share a step, at most one for each lane; by default the number of "
    "cores, or OMP_NUM_THREADS if it is lower. Results are the same for any number."
)
LANES_HELP = (
    "The most lanes of a step, at most 64, which threads and ranks share. Results depend on it in "
    "their last bits."
)
SHARD_ROWS = (
    "The most rows that go through the network together; fewer give a small batch several lanes. "
    "By default 1,024, or fewer where activations are large. Results depend on it in their last "
    "bits."
)
BEFORE_RANKS = {"lanes": 4, "shard_rows": None}
"""The settings of runs that were written before they were options."""


@documented
@dataclass(frozen=True, kw_only=True)
class Experiment(ABC):
    """A training described by settings: network, trainer and held-out rows.

    Raises
    ------
    ConfigurationError
        If a setting is invalid.
    """

    kind: ClassVar[str]
    """A key of `handloom.recipes.experiment.KINDS`."""

    validation_fraction: float = option(
        0.0,
        "The fraction of each class to hold out for validation. The final weights are the last.",
    )
    seed: int = option(0, "The seed of all random draws.")
    lanes: int = option(LANES, LANES_HELP)
    shard_rows: int | None = option(None, SHARD_ROWS)
    threads: int | None = option(None, THREADS)
    backend: str = option("auto", f"The backend: {' | '.join(BACKENDS)}.")

    def __post_init__(self) -> None:
        require_fraction("validation_fraction", self.validation_fraction)

    @property
    @abstractmethod
    def title(self) -> str:
        """The title of plots."""

    @abstractmethod
    def build(self, train: Dataset) -> Sequential:
        """Return the network for the rows, with its initial weights."""

    @abstractmethod
    def steps(self, train: Dataset, network: Sequential) -> int:
        """Return the number of steps of a training that does not stop early."""

    @abstractmethod
    def rate(self, steps: int) -> Schedule:
        """Return the learning-rate schedule for a number of steps."""

    @property
    def fixed_length(self) -> bool:
        """Whether the learning rate depends on the number of epochs, which then cannot change."""
        return self.rate(1 << 40) != self.rate(1 << 41)  # above any warmup

    @property
    def training_loss(self) -> str | None:
        """The name of the loss of a regression, unless it is the mean squared error."""
        return None

    @property
    def weights_of_classes(self) -> ClassWeight | None:
        """The argument ``class_weight`` of `handloom.Trainer.fit`."""
        return None

    @abstractmethod
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
        """Return a trainer for a network, with the callbacks of the settings.

        Parameters
        ----------
        network : Sequential
        steps : int
            The number of steps of the training; see `steps`.
        callbacks : sequence of Callback
            Called after those of the settings.
        checkpoints : Checkpoints, optional
        on_signal, distributed
            As in `handloom.Trainer`.

        Returns
        -------
        Trainer
        """

    @abstractmethod
    def to_json(self) -> dict[str, object]:
        """Return the settings by name, as values for JSON."""
