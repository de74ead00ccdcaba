"""A resumed training ends as an uninterrupted one does, wherever it was stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.own_layers import Noise
from tests.helpers.training import BACKENDS, HELD_OUT, ROWS, features
from tests.training.helpers import (
    IMAGES,
    Stop,
    StopAfter,
    StopAt,
    Watcher,
    figures,
    stoppable,
    trainer,
)

from handloom import (
    EMA,
    SGD,
    Adam,
    BatchNorm,
    BestWeights,
    Callback,
    Checkpoints,
    CosineDecay,
    CSVLog,
    Dense,
    EarlyStopping,
    Erase,
    Flip,
    LayerNorms,
    ModelError,
    Muon,
    ReLU,
    Residual,
    Sequential,
    Shift,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
    Warmup,
    silhouettes,
)
from handloom.optimizers import Optimizer
from handloom.parallel.partition import LANES
from handloom.parameters import Array
from handloom.training import EpochRecord, TrainingState


@pytest.fixture(scope="module")
def wholes() -> dict[object, StopAfter]:
    """Keep uninterrupted trainings, with which several tests compare theirs."""
    return {}


@pytest.mark.parametrize("batch_size", [64, None])
@pytest.mark.parametrize("rule", [Adam, lambda: SGD(momentum=0.9, nesterov=True)])
@pytest.mark.parametrize("last_step", [1, 4, 5, 7, 19])
def test_a_resumed_training_ends_with_the_same_bits_and_history(
    tmp_path: Path,
    wholes: dict[object, StopAfter],
    batch_size: int | None,
    rule: Callable[[], Optimizer],
    last_step: int,
) -> None:
    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        best = BestWeights("loss", restore=False)
        options: dict[str, Any] = {"epochs": 5 if batch_size else 20, "batch_size": batch_size}
        made = stoppable(folder, last_step=last_step, rule=rule, callbacks=(best,), **options)
        made.fit(ROWS, 0.2, resume=resume)
        made.best = best  # type: ignore[attr-defined]
        return made

    if (rule, batch_size) not in wholes:
        wholes[(rule, batch_size)] = run(tmp_path / "whole")
    whole = wholes[(rule, batch_size)]
    assert run(tmp_path / "cut", last_step).history.stop_reason is StopReason.INTERRUPTED
    resumed = run(tmp_path / "cut", resume=True)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)
    assert figures(resumed.history) == figures(whole.history)
    assert resumed.history.stop_reason is StopReason.MAX_EPOCHS
    ours, theirs = (made.best for made in (resumed, whole))  # type: ignore[attr-defined]
    assert (ours.epoch, ours.value) == (theirs.epoch, theirs.value)
    assert np.array_equal(ours.weights, theirs.weights)


@pytest.mark.parametrize("batch_size", [600, None])
@pytest.mark.parametrize("last_step", [1, 3, 4, 6])
def test_clipping_average_augmentation_and_every_draw_resume_too(
    tmp_path: Path, wholes: dict[object, StopAfter], batch_size: int | None, last_step: int
) -> None:
    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        network = Sequential([Dense(8), Noise(), ReLU(), Dense(10)]).build((784,))
        made = StopAfter(
            network,
            Muon(weight_decay=0.1, proximal_l1=0.01),
            Warmup(3, CosineDecay(0.1, 20)),
            clip_norm=0.5,
            average=EMA(0.8),
            augment=[Flip(alternating=True), Shift(), Erase()],
            checkpoints=Checkpoints(folder),
            epochs=4 if batch_size else 8,
            batch_size=batch_size,
        )
        made.last_step = last_step
        made.fit(IMAGES, 0.2, resume=resume)
        return made

    if batch_size not in wholes:
        wholes[batch_size] = run(tmp_path / "whole")
    whole = wholes[batch_size]
    assert run(tmp_path / "cut", last_step).history.stop_reason is StopReason.INTERRUPTED
    for _ in range(2):  # resumed once more after its end, it stays as it is
        resumed = run(tmp_path / "cut", resume=True)
        assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)
        assert figures(resumed.history) == figures(whole.history)


def test_a_training_may_be_stopped_again_and_again(tmp_path: Path) -> None:
    weights = np.arange(300) % 5 + 1.0
    whole = stoppable(tmp_path / "whole", threads=1)
    whole.fit(ROWS, sample_weights=weights)
    for last_step in (2, 3, 9, 16):
        made = stoppable(tmp_path / "cut", last_step=last_step, threads=2)
        made.fit(ROWS, sample_weights=weights, resume=True)
    last = stoppable(tmp_path / "cut")
    last.fit(ROWS, sample_weights=weights, resume=True)
    assert np.array_equal(last.network.parameters.vector, whole.network.parameters.vector)
    assert figures(last.history) == figures(whole.history)


def test_early_stopping_remembers_its_patience(tmp_path: Path) -> None:
    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        stopping = EarlyStopping(patience=2, min_delta=0.01)
        made = stoppable(
            folder, last_step=last_step, epochs=50, callbacks=(stopping,), learning_rate=0.05
        )
        made.fit(ROWS, 0.2, resume=resume)
        return made

    whole = run(tmp_path / "whole")
    assert whole.history.stop_reason is StopReason.EARLY_STOPPING
    run(tmp_path / "cut", last_step=whole.state.progress.steps - 3)
    for _ in range(2):  # resumed once more after its end, it stays as it is
        resumed = run(tmp_path / "cut", resume=True)
        assert resumed.history.stop_reason is StopReason.EARLY_STOPPING
        assert figures(resumed.history) == figures(whole.history)
        assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)


def test_images_the_fused_backend_and_lanes_resume_too(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    data = silhouettes(rows=2500).train

    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        network = Sequential([Dense(16), ReLU(), Dense(10)]).build((784,))
        options: dict[str, Any] = {"backend": "fused", "epochs": 2, "batch_size": 1100}
        made = StopAfter(network, Adam(), 1e-3, checkpoints=Checkpoints(folder), **options)
        made.last_step = last_step
        made.fit(data, resume=resume)
        return made

    whole = run(tmp_path / "whole")
    run(tmp_path / "cut", last_step=4)
    resumed = run(tmp_path / "cut", resume=True)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)
    assert resumed.history.backend == "fused"


def test_the_log_is_whole_after_a_resume(tmp_path: Path) -> None:
    log = tmp_path / "history.csv"
    seen = []

    class Look(Watcher):
        def on_epoch_end(self, **_: Any) -> None:
            seen.append(log.read_text())

    stoppable(tmp_path / "cut", last_step=8, callbacks=(CSVLog(log),)).fit(ROWS)
    log.write_text("lost")
    resumed = stoppable(tmp_path / "cut", callbacks=(CSVLog(log), Look()))
    resumed.fit(ROWS, resume=True)
    assert log.read_text() == resumed.history.to_csv() == seen[-1]
    assert len(seen[0].splitlines()) == 3  # the names, the epoch before the stop, the one after


def test_training_may_go_on_for_longer_than_it_was_meant_to(tmp_path: Path) -> None:
    stoppable(tmp_path / "a", epochs=2).fit(ROWS)
    longer = stoppable(tmp_path / "a", epochs=4)
    longer.fit(ROWS, resume=True)
    whole = stoppable(tmp_path / "b", epochs=4)
    whole.fit(ROWS)
    assert np.array_equal(longer.network.parameters.vector, whole.network.parameters.vector)


def test_lanes_are_recorded_and_results_depend_on_them(tmp_path: Path) -> None:
    def run(name: str, last_step: int = -1, *, resume: bool = False, **lanes: int) -> StopAfter:
        options: dict[str, Any] = {"units": 200, "batch_size": None, "epochs": 9, **lanes}
        made = stoppable(tmp_path / name, last_step=last_step, **options)
        made.fit(features(5000), resume=resume)
        return made

    whole = run("whole", lanes=2)
    assert run("cut", last_step=4, lanes=2).history.lanes == 2
    resumed = run("cut", resume=True, lanes=2)
    assert resumed.history.lanes == 2
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)
    other = run("other")
    assert other.history.lanes == LANES
    assert not np.array_equal(other.network.parameters.vector, whole.network.parameters.vector)


def test_a_training_that_would_have_ended_by_itself_is_not_resumed_for_longer(
    tmp_path: Path,
) -> None:
    class Signal(Watcher):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            if record.epoch == len(whole.history) - 1:
                state.stop(StopReason.INTERRUPTED)

    def run(folder: Path, *callbacks: Callback, resume: bool = False) -> StopAfter:
        stopping = EarlyStopping(patience=2, min_delta=0.01)
        options: dict[str, Any] = {"epochs": 50, "learning_rate": 0.05}
        made = stoppable(folder, callbacks=(*callbacks, stopping), **options)
        made.fit(ROWS, 0.2, resume=resume)
        return made

    whole = run(tmp_path / "whole", Watcher())
    run(tmp_path / "cut", Signal())
    resumed = run(tmp_path / "cut", Watcher(), resume=True)
    assert figures(resumed.history) == figures(whole.history)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)


def test_a_resumed_training_keeps_its_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr("handloom.backend.FUSED_FROM", float("inf"))
    stoppable(tmp_path, last_step=7).fit(ROWS)
    monkeypatch.setattr("handloom.backend.FUSED_FROM", 0.0)
    assert stoppable(tmp_path).fit(ROWS, resume=True).backend == "numpy"


def test_elsewhere_bits_may_differ_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stoppable(tmp_path, last_step=7).fit(ROWS)
    monkeypatch.setattr("handloom.environment.np.__version__", "9.9")
    said: list[str] = []
    stoppable(tmp_path, warn=said.append).fit(ROWS, resume=True)
    assert len(said) == 1
    assert "bits may differ: numpy was" in said[0]


@pytest.mark.parametrize("step", range(1, 9))
@pytest.mark.parametrize("batch_size", [100, None])
def test_measurements_of_layers_are_the_same_wherever_a_training_was_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: int, batch_size: int | None
) -> None:
    # on a busy machine a measurement may take all the time that measurements have, and others end
    monkeypatch.setattr("handloom.training.probe.SHORT_SECONDS", 100.0)
    options: dict[str, Any] = {"batch_size": batch_size, "epochs": 3 if batch_size else 9}
    whole = trainer(None, LayerNorms(), **options).fit(ROWS)
    trainer(tmp_path, LayerNorms(), StopAt(step), **options).fit(ROWS)
    resumed = trainer(tmp_path, LayerNorms(), **options).fit(ROWS, resume=True)
    assert resumed.layers == whole.layers


@pytest.mark.filterwarnings("ignore::handloom.DivergenceWarning")
def test_a_training_that_stopped_before_the_first_step_of_an_epoch_keeps_its_good_weights(
    tmp_path: Path,
) -> None:
    def rate(step: int) -> float:
        return 1e30 if step >= 6 else 0.01

    options: dict[str, Any] = {"optimizer": SGD(), "learning_rate": rate, "epochs": 4}
    whole = trainer(None, LayerNorms(), **options)
    assert whole.fit(ROWS).divergence is not None
    for stop in (Stop("on_epoch_begin", 3), Stop("on_step_begin", 3)):
        folder = tmp_path / next(iter(vars(stop)))
        trainer(folder, LayerNorms(), stop, **options).fit(ROWS)
        resumed = trainer(folder, LayerNorms(), **options)
        resumed.network.parameters.values[...] = 0.0  # as in a new process
        history = resumed.fit(ROWS, resume=True)
        assert history.layer_norms == whole.history.layer_norms
        assert np.array_equal(resumed.network.parameters.values, whole.network.parameters.values)


def set_momentum(state: TrainingState) -> None:
    state.optimizer.momentum = np.float64(0.45)  # type: ignore[attr-defined]


def set_decay(state: TrainingState) -> None:
    assert state.average is not None
    state.average.decay = 0.5


def set_label_smoothing(state: TrainingState) -> None:
    state.loss.label_smoothing = 0.2  # type: ignore[attr-defined]


def set_batch_norm(state: TrainingState) -> None:
    _, block = state.network.named_layers()[1]
    assert isinstance(block, Residual)
    block.block.layers[0].momentum = 0.5


class ChangesOption(Callback):
    """Changes an option in the second epoch, once."""

    def __init__(self, change: Callable[[TrainingState], None]) -> None:
        self.change = change

    def config(self) -> dict[str, object]:
        return {"change": self.change.__name__}

    def on_epoch_begin(self, *, state: TrainingState) -> None:
        if state.progress.epoch == 1:
            self.change(state)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("change", [set_momentum, set_decay, set_label_smoothing, set_batch_norm])
def test_options_that_a_callback_has_changed_are_those_of_the_resumed_training(
    tmp_path: Path, change: Callable[[TrainingState], None], backend: str
) -> None:
    def make(folder: Path, *callbacks: Callback, momentum: float = 0.9) -> Trainer:
        block = Residual([BatchNorm(), Dense(8)])
        return Trainer(
            Sequential([Dense(8), block, Dense(3)]).build((5,)),
            SGD(momentum=momentum),
            0.01,
            epochs=4,
            batch_size=100,
            loss=SoftmaxCrossEntropy(),
            average=EMA(0.9),
            callbacks=[ChangesOption(change), *callbacks],
            checkpoints=Checkpoints(folder),
            backend=backend,
        )

    whole, resumed = (make(tmp_path / name) for name in ("whole", "run"))
    whole.fit(ROWS, HELD_OUT)
    make(tmp_path / "run", StopAt(7)).fit(ROWS, HELD_OUT)
    with pytest.raises(ModelError, match=r"optimizer momentum is 0\.7, the checkpoint has 0\."):
        make(tmp_path / "run", momentum=0.7).fit(ROWS, HELD_OUT, resume=True)
    resumed.fit(ROWS, HELD_OUT, resume=True)
    assert figures(resumed.history) == figures(whole.history)
    assert np.array_equal(resumed.network.parameters.values, whole.network.parameters.values)


class Scaled:
    """A loss of no class of the library, without a ``config``."""

    output_activation = "softmax"

    def __init__(self) -> None:
        self.scale = 1.0

    def __call__(self, *arguments: Any, **options: Any) -> tuple[float, Array]:
        value, gradient = SoftmaxCrossEntropy()(*arguments, **options)
        gradient *= self.scale
        return self.scale * value, gradient


def set_scale(state: TrainingState) -> None:
    state.loss.scale = 0.1  # type: ignore[attr-defined]


def test_what_a_callback_changed_of_a_loss_without_a_config_is_resumed_too(tmp_path: Path) -> None:
    def make(name: str, *callbacks: Callback) -> Trainer:
        changes = ChangesOption(set_scale)
        return trainer(tmp_path / name, changes, *callbacks, optimizer=SGD(), loss=Scaled())

    whole, resumed = make("whole"), make("run")
    whole.fit(ROWS)
    make("run", StopAt(7)).fit(ROWS)
    resumed.fit(ROWS, resume=True)
    assert np.array_equal(resumed.network.parameters.values, whole.network.parameters.values)


def test_a_training_whose_option_a_callback_changed_is_resumed_by_the_same_trainer(
    tmp_path: Path,
) -> None:
    stop = StopAt(7)
    made = trainer(tmp_path, ChangesOption(set_momentum), stop, optimizer=SGD(momentum=0.9))
    made.fit(ROWS)
    stop.step = -1
    assert len(made.fit(ROWS, resume=True)) == 3
