"""Training options, and which of them may change at a resume."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from enum import Enum
from functools import cached_property, wraps
from textwrap import shorten
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from handloom.arguments import unknown_argument
from handloom.backend import BACKENDS
from handloom.data.augment import Augmentation
from handloom.data.transforms import Transform
from handloom.errors import (
    ArgumentError,
    require_bool,
    require_count,
    require_instance,
    require_known,
    require_number,
)
from handloom.losses import Loss, SoftmaxCrossEntropy
from handloom.markup import render, table
from handloom.network import Sequential
from handloom.optimizers import Optimizer
from handloom.parallel.mpi import DISTRIBUTED, Distributed
from handloom.parallel.partition import LANES, MOST_LANES
from handloom.schedules import Schedule, schedule
from handloom.training.averaging import EMA
from handloom.training.configuration import describe
from handloom.training.interrupts import ON_SIGNAL, OnSignal
from handloom.training.parts import as_augmentations, as_loss, as_optimizer, as_transform


class OnResume(Enum):
    """Whether an option may have another value at a resume."""

    REFUSED = "results depend on it"
    EPOCHS = "epochs may change, unless the schedule has a fixed number of steps, as CosineDecay"
    NOTED = "results do not depend on it; the change is noted in the history"


OPTIONS_ELSEWHERE = {
    "decay": "the rate decays by its schedule: learning_rate=InverseTimeDecay(1e-3, decay=1e-4)",
    **dict.fromkeys(
        ("validation", "validation_data", "validation_split"),
        "it is an argument of fit: trainer.fit(train, validation=0.1), or validation=dataset",
    ),
    "verbose": "pass callbacks=[Progress()] to watch the training",
    "metrics": "loss and accuracy are measured; handloom.evaluate(model, data) has more metrics",
}
"""Options of other libraries, each with its spelling here."""

NOTED_AT_RESUME = {"on_resume": OnResume.NOTED}
"""The metadata of the field of an option that may change at a resume."""


LONGEST = 200
"""The largest number of characters of an option's value in the table of a notebook."""


@dataclass(frozen=True, eq=False)
class TrainingOptions:
    """The options of a training, without its network and its data.

    Each option is a field. Without ``on_resume`` in its metadata, a resume with another value is
    refused; see `OnResume`.

    Parameters
    ----------
    optimizer : Optimizer or str
        The optimizer, which updates the weights, or its name in `handloom.optimizers.OPTIMIZERS`.
        Each training binds it to the network, with new state vectors (except for a resume and a
        warm start).
    learning_rate : float or schedule
        A rate, or a function from the step, counted from 0 over the whole training, to a rate. The
        trainer asks for the rates of several steps at once, so the function must not depend on the
        progress of the training. With checkpoints it must be a function of the step alone.
    epochs : int
        The number of passes over the training rows.
    batch_size : int, optional
        Rows per step; by default all rows. The last batch of an epoch may be smaller. A single row
        that is left over joins the batch before it if a layer, such as `handloom.BatchNorm`,
        couples rows.
    shuffle : bool
        Whether rows are shuffled each epoch.
    penalty_per_row : bool
        Whether the penalty of a step is divided by the sum of its sample weights (without sample
        weights, its number of rows). It is then smaller for larger batches; a step whose weights
        are all zero has none.
    loss : Loss or str, optional
        The loss, a function of the logits, or its name in `handloom.losses.LOSSES`. For datasets
        with classes the default is `SoftmaxCrossEntropy`; for others it must be set.
    count_correct : bool
        Whether to count correct predictions, if the loss is a `ClassificationLoss`; if False, the
        history has no accuracy, and a small step is some percent faster.
    clip_norm : float, optional
        The largest l2 norm of a step's gradient, penalty included; a larger one is scaled down.
    average : EMA, optional
        A moving average of the weights: the weights for validation, and the network's weights
        after training. Training steps and training metrics use the current weights.
    augment : sequence of Augmentation
        Random augmentations of the stored images of a step, in this order, before the transform.
        Validation images are not augmented.
    transform : Transform or str, optional
        The transform from stored rows to the network's input, ``"scale"`` or ``"as_float"``; by
        default images are scaled to -1..1 and floating-point features are unchanged. Flat uint8
        rows, which may be pixels or features, need one.
    seed : int
        The seed of shuffling, augmentation and stochastic layers.
    lanes : int
        The most lanes of a step, at most 64. Each lane has its own rows and gradient, so at most so
        many threads and ranks can share a step. Results depend on it in their last bits.
    shard_rows : int, optional
        The most rows that go through the network together. By default they are 1,024, or fewer
        where activations are large, so that a small batch has a single lane; fewer give it several.
        Results depend on it in their last bits; with dropout or augmentations other random numbers
        are drawn too, as with another seed.
    threads : int, optional
        The number of threads that share a step; by default the number of cores, at most one for
        each lane. With ranks it is that of each rank, by default its share of the cores that it may
        run on. The result is the same, to the bit, for any number.
    distributed : {"mpi"}, optional
        Share every step with the other processes that ``mpiexec`` has started, the ranks; by
        default this process trains alone. The result is the same, to the bit, for any number.
    diagnose : bool
        Whether a few rows are measured after the epochs 1, 2, 4, 8, ... and the last one, for
        ``history.diagnosis`` and its findings. Results are the same without it, but a layer, loss
        or transform that counts its calls is called for these rows too.
    backend : str
        The backend: ``"numpy"``, ``"fused"``, which is compiled (the extra ``fast``),
        or ``"auto"``: fused if it is installed and the training is long enough to be worth the
        loading time. The two agree to rounding; results agree to the bit for the same backend.
    fused_from : float, optional
        The work of a training, in multiplications, from which ``"auto"`` is fused; by default
        `handloom.backend.FUSED_FROM`, with which loading pays for a single training. 0 suits many
        short trainings in one process.
    on_signal : {"deliver", "finish"}
        The treatment of a signal that ended training: it is delivered to the application
        afterwards, or only ends training; see `Trainer.fit`.

    Raises
    ------
    ConfigurationError
        If an option is invalid.
    """

    optimizer: Optimizer | str
    learning_rate: float | Schedule
    _: KW_ONLY
    epochs: int = field(default=10, metadata={"on_resume": OnResume.EPOCHS})
    batch_size: int | None = None
    shuffle: bool = True
    penalty_per_row: bool = False
    loss: Loss | str | None = None
    count_correct: bool = True
    clip_norm: float | None = None
    average: EMA | None = None
    augment: Sequence[Augmentation] = ()
    transform: Transform | str | None = None
    seed: int = 0
    lanes: int = LANES
    shard_rows: int | None = None
    threads: int | None = field(default=None, metadata=NOTED_AT_RESUME)
    distributed: Distributed | None = field(default=None, metadata=NOTED_AT_RESUME)
    backend: str = "auto"
    fused_from: float | None = field(default=None, metadata=NOTED_AT_RESUME)
    diagnose: bool = field(default=True, metadata=NOTED_AT_RESUME)
    on_signal: OnSignal = field(default="deliver", metadata=NOTED_AT_RESUME)

    def __post_init__(self) -> None:
        self._set("optimizer", as_optimizer(self.optimizer))
        if self.average is not None:
            require_instance("average", self.average, EMA)
        self._set("learning_rate", schedule(self.learning_rate))
        self._set("epochs", require_count("epochs", self.epochs))
        lanes = require_count("lanes", self.lanes)
        self._set("lanes", int(require_number("lanes", lanes, maximum=MOST_LANES)))
        for name in ("batch_size", "threads", "shard_rows"):
            if getattr(self, name) is not None:
                self._set(name, require_count(name, getattr(self, name)))
        for name in ("shuffle", "penalty_per_row", "count_correct", "diagnose"):
            self._set(name, require_bool(name, getattr(self, name)))
        self._set("loss", as_loss(self.loss))
        if self.clip_norm is not None:
            limit = require_number("clip_norm", self.clip_norm, minimum=0.0, exclusive=True)
            self._set("clip_norm", limit)
        self._set("augment", as_augmentations(self.augment))
        self._set("transform", as_transform(self.transform))
        self._set("seed", require_count("seed", self.seed, minimum=0))
        require_known("backend", self.backend, BACKENDS)
        if self.fused_from is not None:
            self._set("fused_from", require_number("fused_from", self.fused_from, minimum=0.0))
        require_known("on_signal", self.on_signal, ON_SIGNAL)
        if self.distributed is not None:
            require_known("distributed", self.distributed, DISTRIBUTED)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a function of the step."""
        return cast(Schedule, self.learning_rate)

    @property
    def chosen_optimizer(self) -> Optimizer:
        """The optimizer; an option that is a name was replaced by the object."""
        return cast(Optimizer, self.optimizer)

    @cached_property
    def chosen_loss(self) -> Loss:
        """The loss, or the default, an object of its own: callbacks may set its options."""
        return SoftmaxCrossEntropy() if self.loss is None else cast(Loss, self.loss)

    @property
    def chosen_transform(self) -> Transform | None:
        """The transform, or None for the default."""
        return cast("Transform | None", self.transform)

    def rows_per_batch(self, rows: int) -> int:
        """Return the number of rows of a batch, of training data of ``rows`` rows."""
        return min(self.batch_size or rows, rows)

    def describe(self) -> dict[str, Any]:
        """Return every option by name, as JSON; an object by its class and arguments."""
        return {option.name: describe(getattr(self, option.name)) for option in fields(self)}

    def _repr_html_(self) -> str:
        """Return the options by name, as a notebook shows them."""
        rows = [
            [each.name, shorten(repr(getattr(self, each.name)), LONGEST, placeholder=" ...")]
            for each in fields(self)
        ]
        return render(table(["option", "value"], rows))

    @classmethod
    def default(cls, name: str) -> Any:
        """Return the default of an option as `describe` returns it; None for an unknown name."""
        defaults = {option.name: option.default for option in fields(cls)}
        return describe(defaults.get(name))

    @classmethod
    def on_resume(cls, name: str) -> OnResume:
        """Return whether an option may change at a resume; an unknown name may not."""
        on_resume = {option.name: option.metadata.get("on_resume") for option in fields(cls)}
        return on_resume.get(name) or OnResume.REFUSED


Owner = TypeVar("Owner")
Arguments = ParamSpec("Arguments")
Options = TypeVar("Options", bound=TrainingOptions)


def takes_options(
    options: Callable[Arguments, Options],
) -> Callable[
    [Callable[[Owner, Sequential, Options], None]],
    Callable[Concatenate[Owner, Sequential, Arguments], None],
]:
    """Decorate a constructor ``init(self, network, options)``: each option becomes a parameter.

    Callers then pass ``network`` and the parameters of the options class one by one.

    Parameters
    ----------
    options : type
        The options class.

    Returns
    -------
    callable
        The decorator of the constructor.

    Raises
    ------
    ArgumentError
        From the constructor, if an option is unknown; the message names the closest one.
    """
    signature_of_options = inspect.signature(options)
    own = signature_of_options.parameters
    by_position = inspect.Parameter.POSITIONAL_OR_KEYWORD
    positional = [name for name, parameter in own.items() if parameter.kind is by_position]

    def wrap(
        init: Callable[[Owner, Sequential, Options], None],
    ) -> Callable[Concatenate[Owner, Sequential, Arguments], None]:
        @wraps(init)
        def one_by_one(
            self: Owner, network: Sequential, *args: Arguments.args, **named: Arguments.kwargs
        ) -> None:
            for name in named:
                if name not in own:
                    owner = type(self).__name__
                    message = unknown_argument(owner, "option", name, own, OPTIONS_ELSEWHERE)
                    raise ArgumentError(message)
            try:
                signature_of_options.bind(*args, **named)
            except TypeError as error:
                hint = ""
                if len(args) > len(positional):
                    hint = f": pass {', '.join(positional)} by position, other options by name"
                raise ArgumentError(f"{type(self).__name__}: {error}{hint}") from None
            init(self, network, options(*args, **named))

        head = list(inspect.signature(init).parameters.values())[:2]
        signature = inspect.Signature([*head, *own.values()])
        one_by_one.__signature__ = signature  # type: ignore[attr-defined]
        return one_by_one  # type: ignore[return-value]

    return wrap
