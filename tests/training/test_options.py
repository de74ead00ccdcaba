"""Options: a change at a resume is refused, or noted in the history."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import features, network
from tests.training.helpers import small_network

from handloom import (
    EMA,
    SGD,
    Adam,
    BestModel,
    BestWeights,
    Callback,
    CategoricalCrossEntropy,
    Checkpoints,
    ConfigurationError,
    CosineDecay,
    CSVLog,
    Dataset,
    Dense,
    EarlyStopping,
    Flip,
    InverseTimeDecay,
    ModelError,
    Progress,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
    Warmup,
    silhouettes,
)
from handloom.data.transforms import AsFloat, Scale
from handloom.training import TrainerOptions, TrainingState

ROWS = features()


class Cut(Callback):
    """Stops as Ctrl-C would, in the second epoch."""

    changes_results = False

    def on_step_end(self, *, state: TrainingState, measured: object) -> None:
        if state.progress.steps == 7:
            state.stop(StopReason.INTERRUPTED)


BEFORE: dict[str, Any] = {
    "optimizer": Adam,
    "learning_rate": lambda: InverseTimeDecay(0.01, 0.1),
    "epochs": lambda: 4,
    "batch_size": lambda: 64,
    "threads": lambda: 1,
    "backend": lambda: "numpy",
}
"""The options of the training that is stopped, made anew for each trainer."""

REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    ("optimizer", SGD, "optimizer kind is SGD, the checkpoint has Adam"),
    ("optimizer", lambda: Adam(beta1=0.8), "optimizer beta1 is 0.8, the checkpoint has 0.9"),
    (
        "learning_rate",
        lambda: 0.01,
        "learning_rate kind is Constant, the checkpoint has InverseTimeDecay",
    ),
    ("learning_rate", lambda: Warmup(2, 0.1), "Warmup, the checkpoint has InverseTimeDecay"),
    ("learning_rate", lambda: InverseTimeDecay(0.02, 0.1), "is 0.02, the checkpoint has 0.01"),
    ("batch_size", lambda: 32, "batch_size is 32, the checkpoint has 64"),
    ("batch_size", lambda: None, "batch_size is None, the checkpoint has 64"),
    ("shuffle", lambda: False, "shuffle is False, the checkpoint has True"),
    ("penalty_per_row", lambda: True, "penalty_per_row is True, the checkpoint has False"),
    (
        "loss",
        lambda: SoftmaxCrossEntropy(0.1),
        "loss label_smoothing is 0.1, the checkpoint has 0.0",
    ),
    ("count_correct", lambda: False, "count_correct is False, the checkpoint has True"),
    ("clip_norm", lambda: 2.0, "clip_norm is 2.0, the checkpoint has None"),
    ("average", lambda: EMA(0.9), "average is .*'decay': 0.9.*, the checkpoint has None"),
    ("transform", lambda: Scale(2.0, 0.5), "transform"),
    ("seed", lambda: 1, "seed is 1, the checkpoint has 0"),
    ("lanes", lambda: 2, "lanes is 2, the checkpoint has 4"),
    ("shard_rows", lambda: 16, "shard_rows is 16, the checkpoint has None"),
    (
        "callbacks",
        lambda: [BestWeights("loss")],
        r"callbacks is .*BestWeights.*, the checkpoint has \[\]",
    ),
    ("callbacks", lambda: [EarlyStopping("loss", patience=9)], "callbacks"),
    ("callbacks", lambda: [Callback()], r"callbacks is .*Callback.*, the checkpoint has \[\]"),
    ("backend", lambda: "fused", "backend is fused, the checkpoint has numpy"),
]

NOTED: list[tuple[str, Callable[[Path], Any], str]] = [
    ("epochs", lambda _: 6, "resumed with epochs 6, before 4"),
    ("threads", lambda _: 2, "resumed with threads 2, before 1"),
    ("distributed", lambda _: "mpi", "resumed with distributed mpi, before the default"),
    ("fused_from", lambda _: 1e12, "resumed with fused_from 1000000000000.0, before the default"),
    ("diagnose", lambda _: False, "resumed with diagnose False, before True"),
    ("on_signal", lambda _: "finish", "resumed with on_signal finish, before deliver"),
    ("checkpoints", lambda folder: Checkpoints(folder, every=1), "resumed with checkpoints every"),
    ("checkpoints", lambda folder: Checkpoints(folder, keep=5), "checkpoints keep 5, before 2"),
    ("callbacks", lambda folder: [CSVLog(folder / "log.csv")], "resumed with watchers"),
    ("callbacks", lambda _: [Progress()], "resumed with watchers"),
    ("callbacks", lambda folder: [BestModel(folder / "best", "loss")], "resumed with watchers"),
]


def trainer(folder: Path, *, cut: bool = False, **changes: Any) -> Trainer:
    options = {name: make() for name, make in BEFORE.items()}
    options |= {"checkpoints": Checkpoints(folder), "callbacks": [Cut()] if cut else []} | changes
    optimizer, rate = options.pop("optimizer"), options.pop("learning_rate")
    network = Sequential([Dense(8), ReLU(), Dense(3)]).build((5,))
    return Trainer(network, optimizer, rate, **options)


def test_every_option_is_tried() -> None:
    tried = {name for name, *_ in [*REFUSED, *NOTED]}
    tried.add("augment")  # which takes images: see below
    assert tried == {option.name for option in fields(TrainerOptions)}


@pytest.mark.parametrize(("name", "make", "message"), REFUSED)
def test_an_option_that_results_depend_on_is_refused(
    tmp_path: Path, name: str, make: Callable[[], Any], message: str
) -> None:
    if name == "backend":
        pytest.importorskip("numba")
    trainer(tmp_path, cut=True).fit(ROWS)
    other = trainer(tmp_path, **{name: make()})
    start = other.network.parameters.vector.copy()
    with pytest.raises(ModelError, match=message):
        other.fit(ROWS, resume=True)
    assert np.array_equal(other.network.parameters.vector, start)


@pytest.mark.parametrize(("name", "make", "note"), NOTED)
def test_an_option_that_results_do_not_depend_on_is_told(
    tmp_path: Path, name: str, make: Callable[[Path], Any], note: str
) -> None:
    if name == "distributed":
        pytest.importorskip("mpi4py.MPI", exc_type=ImportError)
    trainer(tmp_path, cut=True).fit(ROWS)
    other = trainer(tmp_path, **{name: make(tmp_path)})
    history = other.fit(ROWS, resume=True)
    assert any(note in line for line in history.notes), history.notes
    whole = trainer(tmp_path / "whole", epochs=6 if name == "epochs" else 4)
    whole.fit(ROWS)
    assert np.array_equal(other.network.parameters.vector, whole.network.parameters.vector)


def test_a_resume_with_nothing_changed_has_nothing_to_tell(tmp_path: Path) -> None:
    trainer(tmp_path).fit(ROWS)
    assert trainer(tmp_path).fit(ROWS, resume=True).notes == []


def test_epochs_may_not_grow_where_the_schedule_was_made_for_their_number(tmp_path: Path) -> None:
    for rate in (CosineDecay(0.1, 20), Warmup(2, CosineDecay(0.1, 18))):
        folder = tmp_path / type(rate).__name__
        trainer(folder, cut=True, learning_rate=rate).fit(ROWS)
        with pytest.raises(
            ModelError, match=r"epochs is 6, the checkpoint has 4.*fixed number of 20 steps"
        ):
            trainer(folder, learning_rate=rate, epochs=6).fit(ROWS, resume=True)


def test_epochs_may_not_be_fewer_than_there_were(tmp_path: Path) -> None:
    trainer(tmp_path).fit(ROWS)
    with pytest.raises(ModelError, match="epochs is 3, and 4 epochs were begun"):
        trainer(tmp_path, epochs=3).fit(ROWS, resume=True)


def test_other_augmentation_is_refused(tmp_path: Path) -> None:
    images: Dataset = silhouettes(rows=200, test_rows=10).train

    def fit(*augment: Any, resume: bool = False) -> None:
        network = Sequential([Dense(10)]).build((784,))
        options: dict[str, Any] = {"epochs": 1, "batch_size": 64, "augment": augment}
        Trainer(network, SGD(), 0.1, checkpoints=Checkpoints(tmp_path), **options).fit(
            images, resume=resume
        )

    fit()
    with pytest.raises(ModelError, match=r"augment is .*Flip.*, the checkpoint has \[\]"):
        fit(Flip(), resume=True)


@dataclass(frozen=True, eq=False)
class Hotter(TrainerOptions):
    """Options with one more field, without a metadata entry for resume."""

    temperature: float = 1.0


def test_a_new_option_is_refused_without_a_word_about_it(tmp_path: Path) -> None:
    def hotter(temperature: float) -> Trainer:
        made = Trainer(Sequential([Dense(3)]).build((5,)), Adam(), 0.01)
        made.options = Hotter(
            Adam(), 0.01, epochs=2, checkpoints=Checkpoints(tmp_path), temperature=temperature
        )
        return made

    hotter(1.0).fit(ROWS)
    hotter(1.0).fit(ROWS, resume=True)
    with pytest.raises(ModelError, match=r"temperature is 2.0, the checkpoint has 1.0"):
        hotter(2.0).fit(ROWS, resume=True)


def test_an_unknown_option_is_refused_with_the_nearest_name() -> None:
    network = Sequential([Dense(3)]).build((5,))
    with pytest.raises(TypeError, match=r"no option 'epoch'\. Did you mean 'epochs'"):
        Trainer(network, Adam(), 0.1, epoch=3)  # type: ignore[call-arg]


def test_missing_and_positional_options_are_errors_of_the_trainer() -> None:
    network = Sequential([Dense(3)]).build((5,))
    with pytest.raises(TypeError, match="pass optimizer, learning_rate by position"):
        Trainer(network, Adam(), 1e-3, 5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^Trainer: missing a required argument: 'learning_rate'"):
        Trainer(network, Adam())  # type: ignore[call-arg]


def test_options_are_frozen() -> None:
    made = Trainer(Sequential([Dense(3)]).build((5,)), Adam(), 0.1, transform=AsFloat())
    for name in (option.name for option in fields(made.options)):
        with pytest.raises(AttributeError, match=name):
            setattr(made.options, name, None)


@pytest.mark.parametrize("name", ["shuffle", "penalty_per_row", "count_correct"])
def test_a_switch_is_true_or_false(name: str) -> None:
    network = Sequential([Dense(3)]).build((5,))
    with pytest.raises(ConfigurationError, match=f"{name} must be True or False"):
        Trainer(network, Adam(), 0.1, **{name: 1})  # type: ignore[arg-type]


def test_callbacks_are_objects_of_callback() -> None:
    network = Sequential([Dense(3)]).build((5,))
    with pytest.raises(ConfigurationError, match=r"subclasses of handloom\.Callback, got <class"):
        Trainer(network, Adam(), 0.1, callbacks=[CSVLog])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": -1}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"threads": 0}, "threads"),
        ({"lanes": 0}, "lanes must be"),
        ({"lanes": 65}, "lanes must be .*64"),
        ({"shard_rows": 0}, "shard_rows"),
        ({"distributed": "nccl"}, "unknown distributed 'nccl'"),
        ({"loss": CategoricalCrossEntropy()}, "loss=SoftmaxCrossEntropy"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Trainer(network(features()), SGD(), 0.1, **options)


@pytest.mark.parametrize("option", ["clip_norm", "augment", "penalty_per_row"])
def test_an_option_that_a_training_has_taken_cannot_be_changed(option: str) -> None:
    with pytest.raises(AttributeError, match=option):
        setattr(Trainer(network(features()), SGD(), 0.1).options, option, None)


def test_a_copy_of_the_options_knows_that_no_loss_was_passed() -> None:
    continuous = Dataset(ROWS.inputs, np.ones((300, 1)), ("a",))
    made = Trainer(small_network(Dense(1)), Adam(), 0.01, epochs=1)
    for each in (made, copy.deepcopy(made)):
        with pytest.raises(ConfigurationError, match="loss must be set"):
            each.fit(continuous)


@pytest.mark.parametrize(
    ("option", "value"),
    [("optimizer", 0.1), ("optimizer", Adam), ("average", 0.99), ("checkpoints", "folder")],
)
def test_an_option_of_another_kind_is_refused_at_once(option: str, value: Any) -> None:
    options: dict[str, Any] = {"optimizer": Adam(), option: value}
    with pytest.raises(ConfigurationError, match=f"{option} must be an instance"):
        Trainer(small_network(), options.pop("optimizer"), 0.1, **options)
