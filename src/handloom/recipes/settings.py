"""A plain network described by a few settings, as ``handloom train`` takes them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import ClassVar, Self

from handloom.data.augment import named_augmentation
from handloom.data.dataset import Dataset
from handloom.errors import ConfigurationError, require_count, require_fraction
from handloom.layers import Dense, Dropout, Layer, ReLU, Softmax
from handloom.losses import SoftmaxCrossEntropy
from handloom.network import Sequential
from handloom.optimizers import Optimizer, optimizer
from handloom.schedules import InverseTimeDecay, Schedule, Warmup, named_schedule
from handloom.training import (
    EMA,
    BestWeights,
    Callback,
    Checkpoints,
    EarlyStopping,
    Trainer,
)
from handloom.training.interrupts import OnSignal

WITH_MOMENTUM = ("sgd", "muon")


@dataclass(frozen=True)
class Settings:
    """Dense layers with ReLU between them, an optimizer and a schedule.

    The defaults of rate and schedule were chosen on a tenth of Fashion-MNIST's training rows, over
    four seeds: 0.891 of them right after ten epochs, against 0.885 at a constant rate of 1e-3.

    Parameters
    ----------
    hidden : tuple of int
        The widths of the hidden layers.
    optimizer : str
        A name from `handloom.optimizers.OPTIMIZERS`.
    momentum : float, optional
        For ``sgd`` and ``muon``, and only there.
    weight_decay : float, optional
        How fast weights decay; without it, as fast as the optimizer has it by default.
    learning_rate : float
        The largest rate; that of the first step where nothing rises.
    schedule : str
        A name from `handloom.schedules.SCHEDULES`.
    decay : float, optional
        For ``inverse-time``, and only there; by default 1e-3.
    warmup : int
        How many steps the rate rises before the schedule begins.
    clip_norm : float, optional
        The longest that a gradient may be.
    average : float, optional
        The decay of an average of the weights, which the network then ends with.
    batch_size : int
        Rows a step; 0 takes all rows.
    epochs : int
        Passes over the training rows.
    l1, l2 : float
        Penalty strengths on the weights of all dense layers.
    dropout : float
        The rate of a dropout behind every hidden layer.
    label_smoothing : float
        The share of each target that goes to all classes alike.
    augment : tuple of str
        Names from `handloom.data.augment.AUGMENTATIONS`, for images.
    validation_fraction : float
        The fraction of each class to hold out, 0 for none. The network then ends with the weights
        whose validation loss was lowest.
    patience : int, optional
        Stop after so many epochs without a better validation loss.
    seed : int
        What every random draw comes from.
    threads : int, optional
        How many threads share a step.
    backend : str
        What runs the arithmetic; see `handloom.Trainer`.

    Raises
    ------
    ConfigurationError
        If a setting means nothing, or would be ignored.
    """

    kind: ClassVar[str] = "settings"

    hidden: tuple[int, ...] = (128, 128)
    optimizer: str = "adam"
    momentum: float | None = None
    weight_decay: float | None = None
    learning_rate: float = 2e-3
    schedule: str = "inverse-time"
    decay: float | None = None
    warmup: int = 0
    clip_norm: float | None = None
    average: float | None = None
    batch_size: int = 128
    epochs: int = 15
    l1: float = 0.0
    l2: float = 0.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    augment: tuple[str, ...] = ()
    validation_fraction: float = 0.0
    patience: int | None = None
    seed: int = 0
    threads: int | None = None
    backend: str = "auto"

    def __post_init__(self) -> None:
        optimizer(self.optimizer)
        named_schedule(self.schedule, self.learning_rate, 1)
        if self.momentum is not None and self.optimizer not in WITH_MOMENTUM:
            raise ConfigurationError(
                f"momentum is for {' and '.join(WITH_MOMENTUM)}; {self.optimizer} would ignore it"
            )
        if self.dropout and not self.hidden:
            raise ConfigurationError("dropout is for hidden layers, and there are none")
        if self.decay is not None and self.schedule != "inverse-time":
            raise ConfigurationError(f"decay is for inverse-time; {self.schedule} would ignore it")
        require_fraction("validation_fraction", self.validation_fraction)
        if self.patience is not None and not self.validation_fraction:
            raise ConfigurationError("patience watches the validation loss: hold rows out for it")
        require_count("batch_size", self.batch_size, minimum=0)
        require_count("warmup", self.warmup, minimum=0)
        steps = max(self.warmup + 1, 2)
        self.trainer(self.network(classes=2), steps)  # everything else is refused where it is used

    def network(self, classes: int) -> Sequential:
        """Return the network for a number of classes, not built."""
        layers: list[Layer] = []
        for width in self.hidden:
            layers += [Dense(width, weights_l1=self.l1, weights_l2=self.l2), ReLU()]
            if self.dropout:
                layers.append(Dropout(self.dropout))
        output = Dense(classes, weights="glorot", weights_l1=self.l1, weights_l2=self.l2)
        return Sequential([*layers, output, Softmax()])

    def build(self, train: Dataset) -> Sequential:
        """Return the network for some rows, with its first weights."""
        network = self.network(len(train.class_names))
        return network.build((math.prod(train.input_shape),), seed=self.seed)

    @property
    def title(self) -> str:
        """What pictures are headed with."""
        return f"{self.optimizer}, hidden {', '.join(map(str, self.hidden)) or 'none'}"

    def rule(self) -> Optimizer:
        """Return a fresh optimizer."""
        given = {"momentum": self.momentum, "weight_decay": self.weight_decay}
        options = {name: value for name, value in given.items() if value is not None}
        return optimizer(self.optimizer, **options)

    def rate(self, steps: int) -> Schedule:
        """Return the schedule of the learning rate, for a training of so many steps.

        Raises
        ------
        ConfigurationError
            If the warm-up leaves no step to follow it.
        """
        if self.warmup >= steps:
            raise ConfigurationError(
                f"a warmup of {self.warmup} steps leaves none of the training's {steps}"
            )
        if self.decay is not None:
            then: Schedule = InverseTimeDecay(self.learning_rate, self.decay)
        else:
            then = named_schedule(self.schedule, self.learning_rate, steps - self.warmup)
        return Warmup(self.warmup, then) if self.warmup else then

    def steps(self, train: Dataset) -> int:
        """Return how many steps a training on some rows has, if nothing ends it earlier."""
        return self.epochs * -(-len(train) // (self.batch_size or len(train)))

    def to_json(self) -> dict[str, object]:
        """Return the settings by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return the settings that `to_json` gave.

        Raises
        ------
        ConfigurationError
            If one is missing, unknown, or means nothing.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or set(values) != set(names):
            raise ConfigurationError(f"settings must hold {', '.join(names)}")
        try:
            lists = {name: tuple(values[name]) for name in ("hidden", "augment")}
            return cls(**{**values, **lists})
        except TypeError as error:
            raise ConfigurationError(f"settings: {error}") from None

    def trainer(
        self,
        network: Sequential,
        steps: int,
        callbacks: Sequence[Callback] = (),
        checkpoints: Checkpoints | None = None,
        *,
        on_signal: OnSignal = "deliver",
    ) -> Trainer:
        """Return a trainer for a network, with the callbacks that the settings ask for.

        Parameters
        ----------
        network : Sequential
        steps : int
            How many steps the training has; see `steps`.
        callbacks : sequence of Callback
            More of them.
        checkpoints : Checkpoints, optional
        on_signal : str
            As in `handloom.Trainer`.
        """
        watchers: list[Callback] = []
        if self.patience is not None:
            watchers = [EarlyStopping(patience=self.patience)]
        elif self.validation_fraction:
            watchers = [BestWeights()]
        return Trainer(
            network,
            self.rule(),
            self.rate(steps),
            epochs=self.epochs,
            batch_size=self.batch_size or None,
            loss=SoftmaxCrossEntropy(self.label_smoothing),
            clip_norm=self.clip_norm,
            average=None if self.average is None else EMA(self.average),
            augment=[named_augmentation(name) for name in self.augment],
            seed=self.seed,
            threads=self.threads,
            backend=self.backend,
            callbacks=[*watchers, *callbacks],
            checkpoints=checkpoints,
            on_signal=on_signal,
        )
