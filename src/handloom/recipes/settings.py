"""Settings of ``handloom train``: a dense network, its optimizer and its training."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from typing import ClassVar, Self

from handloom.data.augment import AUGMENTATIONS, named_augmentation
from handloom.data.columns import Columns
from handloom.data.dataset import Dataset
from handloom.errors import (
    ConfigurationError,
    require_count,
    require_fraction,
    require_known,
    require_number,
)
from handloom.layers import Dense, Dropout, ReLU, Softmax
from handloom.losses import (
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    RowLoss,
    SoftmaxCrossEntropy,
)
from handloom.network import Sequential
from handloom.optimizers import OPTIMIZERS, Optimizer, optimizer
from handloom.parallel.mpi import Distributed
from handloom.parallel.partition import batch_count
from handloom.recipes.base import BEFORE_RANKS, Experiment
from handloom.recipes.networks import embeddings
from handloom.recipes.option import documented, option, options_of
from handloom.schedules import DECAY, SCHEDULES, InverseTimeDecay, Schedule, Warmup, named_schedule
from handloom.training import (
    EMA,
    BestWeights,
    Callback,
    Checkpoints,
    EarlyStopping,
    Trainer,
)
from handloom.training.class_weights import ClassWeight
from handloom.training.interrupts import OnSignal

WITH_MOMENTUM = ("sgd", "muon")

BEFORE_LOSSES = {"loss": None, "class_weight": None}
"""The settings of runs that were written before they were options."""

LOSSES: Mapping[str, Callable[[], RowLoss]] = {
    "mean_squared_error": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "huber": Huber,
    "poisson": Poisson,
}
"""The losses of a regression."""

LEARNING_RATES = {
    "sgd": 0.1,
    "adagrad": 0.01,
    "rmsprop": 1e-3,
    "adam": 2e-3,
    "adamw": 2e-3,
    "muon": 0.01,
}
"""The default learning rates by optimizer; docs/guides/training.md has the measurements."""


@documented
@dataclass(frozen=True)
class Settings(Experiment):
    """Dense layers with ReLU between them, an optimizer and a schedule.

    The learning rate of Adam and the schedule were chosen on a held-out tenth of Fashion-MNIST's
    training rows, over four seeds: accuracy 0.891 after ten epochs, 0.885 at a constant 1e-3. The
    rates of the other optimizers were chosen there over two seeds, after five epochs.

    Raises
    ------
    ConfigurationError
        If a setting is invalid, or would be ignored.
    """

    kind: ClassVar[str] = "settings"

    hidden: tuple[int, ...] = option((128, 128), "The widths of the hidden layers.")
    optimizer: str = option("adam", f"The optimizer: {' | '.join(OPTIMIZERS)}.")
    momentum: float | None = option(None, f"The momentum, for {' and '.join(WITH_MOMENTUM)} only.")
    weight_decay: float | None = option(
        None, "Decoupled weight decay; by default that of the optimizer."
    )
    proximal_l1: float | None = option(
        None, "L1 as a proximal step, which sets small weights to exactly 0; by default none."
    )
    learning_rate: float | None = option(
        None,
        "The largest learning rate; by default that of the optimizer: "
        f"{', '.join(f'{name} {rate:g}' for name, rate in LEARNING_RATES.items())}.",
    )
    schedule: str = option(
        "inverse-time", f"The schedule of the learning rate: {' | '.join(SCHEDULES)}."
    )
    decay: float | None = option(
        None, f"For inverse-time only: rate / (1 + decay * step); by default {DECAY}."
    )
    warmup: int = option(0, "The number of warmup steps before the schedule begins.")
    clip_norm: float | None = option(
        None, "Gradient clipping: the largest norm; larger gradients are scaled down to it."
    )
    average: float | None = option(
        None, "The decay of the moving average of the weights, such as 0.999."
    )
    batch_size: int = option(128, "Rows per step; 0 for the full batch.")
    epochs: int = option(15, "Passes over the training rows; a recipe has its own default.")
    l1: float = option(0.0, "The L1 strength on the weights of all layers.")
    l2: float = option(0.0, "The L2 strength on the weights of all layers.")
    dropout: float = option(0.0, "The rate of dropout after each hidden layer.")
    label_smoothing: float = option(
        0.0, "The share of each target that is spread evenly over all classes."
    )
    augment: tuple[str, ...] = option(
        (), f"Augmentations of the images, in order: {' | '.join(AUGMENTATIONS)}."
    )
    patience: int | None = option(
        None, "Stop after this many epochs without a lower validation loss."
    )
    loss: str | None = option(
        None,
        f"The loss of a regression: {' | '.join(LOSSES)}; by default the first. Poisson is for "
        "counts, on a table with --target-scaling divide.",
    )
    class_weight: str | None = option(
        None,
        "balanced: classes of few rows count as much as those of many, in the losses of training "
        "and validation rows.",
    )
    _: KW_ONLY
    validation_fraction: float = option(
        0.1,
        "The fraction of each class to hold out for validation; 0 for none. The final weights are "
        "those of the epoch with the lowest validation loss; without it, and with a recipe unless "
        "it is set, all rows are trained on and the last weights stay.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        optimizer(self.optimizer)
        named_schedule(self.schedule, self.peak_rate, 1)
        if self.momentum is not None and self.optimizer not in WITH_MOMENTUM:
            raise ConfigurationError(
                f"momentum is for {' and '.join(WITH_MOMENTUM)}, but optimizer is {self.optimizer}"
            )
        if self.dropout and not self.hidden:
            raise ConfigurationError(
                f"dropout must be 0 without hidden layers, got {self.dropout!r}"
            )
        if self.decay is not None and self.schedule != "inverse-time":
            raise ConfigurationError(f"decay is for inverse-time, but schedule is {self.schedule}")
        if self.patience is not None and not self.validation_fraction:
            raise ConfigurationError(
                "patience needs the validation loss: validation_fraction must be above 0"
            )
        if self.loss is not None:
            require_known("loss", self.loss, LOSSES)
        if self.class_weight is not None:
            require_known("class_weight", self.class_weight, ("balanced",))
        for width in self.hidden:
            require_count("each width in hidden", width)
        require_fraction("dropout", self.dropout)
        if self.average is not None:
            require_fraction("average", self.average)
        for name in ("l1", "l2"):
            require_number(name, getattr(self, name), minimum=0.0)
        require_count("batch_size", self.batch_size, minimum=0)
        require_count("warmup", self.warmup, minimum=0)
        steps = max(self.warmup + 1, 2)
        self.trainer(self.network(2), steps)  # checks all other settings

    def network(
        self, outputs: int, *, classes: bool = True, columns: Columns | None = None
    ) -> Sequential:
        """Return the network for a number of classes or continuous targets, without weights.

        Embedded columns of a table become learned vectors first.
        """
        layers = embeddings(columns, l1=self.l1, l2=self.l2)
        for width in self.hidden:
            layers += [Dense(width, weights_l1=self.l1, weights_l2=self.l2), ReLU()]
            if self.dropout:
                layers.append(Dropout(self.dropout))
        output = Dense(outputs, weights="glorot", weights_l1=self.l1, weights_l2=self.l2)
        return Sequential([*layers, output, *[Softmax()] * classes])

    def build(self, train: Dataset) -> Sequential:
        """Return the network for the rows, with its initial weights.

        Raises
        ------
        ConfigurationError
            If targets are continuous, and there is an option for classes, or the reverse.
        """
        if not train.has_classes:
            if self.label_smoothing:
                raise ConfigurationError(
                    "label_smoothing is for classes: set it to 0 for a regression"
                )
            if self.class_weight is not None:
                raise ConfigurationError("class_weight is for classes: leave it out")
            target = None if train.columns is None else train.columns.target
            if self.loss == "poisson" and target is not None and target.scaling != "divide":
                raise ConfigurationError(
                    "loss='poisson' takes targets of 0 and above, and those of a table are "
                    "standardized: add target_scaling='divide' (--target-scaling divide)"
                )
        elif self.loss is not None:
            raise ConfigurationError(f"loss={self.loss!r} is for a regression: leave it out")
        network = self.network(
            len(train.class_names), classes=train.has_classes, columns=train.columns
        )
        return network.build((math.prod(train.input_shape),), seed=self.seed)

    @property
    def title(self) -> str:
        """The title of plots."""
        return f"{self.optimizer}, hidden {', '.join(map(str, self.hidden)) or 'none'}"

    @property
    def training_loss(self) -> str | None:
        """The name of the loss of a regression, unless it is the default."""
        return self.loss

    @property
    def weights_of_classes(self) -> ClassWeight | None:
        """The argument ``class_weight`` of `handloom.Trainer.fit`."""
        return "balanced" if self.class_weight else None

    def new_optimizer(self) -> Optimizer:
        """Return a new optimizer."""
        arguments = {
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
            "proximal_l1": self.proximal_l1,
        }
        options = {name: value for name, value in arguments.items() if value is not None}
        return optimizer(self.optimizer, **options)

    @property
    def peak_rate(self) -> float:
        """The largest learning rate, by default that of the optimizer."""
        if self.learning_rate is None:
            return LEARNING_RATES[self.optimizer]
        return self.learning_rate

    def rate(self, steps: int) -> Schedule:
        """Return the learning-rate schedule for a number of steps.

        Raises
        ------
        ConfigurationError
            If the warm-up is not shorter than the training.
        """
        if self.warmup >= steps:
            raise ConfigurationError(
                f"warmup must be below the number of steps, {steps}, got {self.warmup}"
            )
        if self.decay is not None:
            then: Schedule = InverseTimeDecay(self.peak_rate, self.decay)
        else:
            then = named_schedule(self.schedule, self.peak_rate, steps - self.warmup)
        return Warmup(self.warmup, then) if self.warmup else then

    def steps(self, train: Dataset, network: Sequential) -> int:
        """Return the number of steps of a training that does not stop early."""
        size = self.batch_size or len(train)
        return self.epochs * batch_count(len(train), size, network.fewest_rows)

    def to_json(self) -> dict[str, object]:
        """Return the settings by name, with the learning rate as a number."""
        return {**asdict(self), "learning_rate": self.peak_rate}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return settings from the values of `to_json`.

        Raises
        ------
        ConfigurationError
            If a setting is missing, unknown or invalid.
        """
        names = [option.name for option in options_of(cls)]
        if isinstance(values, dict):  # a run of before these options held nothing out
            values = {"validation_fraction": 0.0, **BEFORE_RANKS, **BEFORE_LOSSES, **values}
        if not isinstance(values, dict) or set(values) != set(names):
            received = ", ".join(map(str, values)) if isinstance(values, dict) else repr(values)
            raise ConfigurationError(f"settings must hold {', '.join(names)}, got {received}")
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
        distributed: Distributed | None = None,
    ) -> Trainer:
        """Return a trainer for a network; see `Experiment.trainer`."""
        watchers: list[Callback] = []
        if self.patience is not None:
            watchers = [EarlyStopping(patience=self.patience)]
        elif self.validation_fraction:
            watchers = [BestWeights()]
        loss: RowLoss = LOSSES[self.loss or "mean_squared_error"]()
        if network.output_activation == "softmax":
            loss = SoftmaxCrossEntropy(self.label_smoothing)
        return Trainer(
            network,
            self.new_optimizer(),
            self.rate(steps),
            epochs=self.epochs,
            batch_size=self.batch_size or None,
            loss=loss,
            clip_norm=self.clip_norm,
            average=None if self.average is None else EMA(self.average),
            augment=[named_augmentation(name) for name in self.augment],
            seed=self.seed,
            lanes=self.lanes,
            shard_rows=self.shard_rows,
            threads=self.threads,
            backend=self.backend,
            callbacks=[*watchers, *callbacks],
            checkpoints=checkpoints,
            on_signal=on_signal,
            distributed=distributed,
        )
