"""Checkpoints: a resumed training ends as an uninterrupted one does, after any kind of stop."""

import json
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.test_engine import Noise
from tests.training.test_trainer import features

from handloom import (
    EMA,
    SGD,
    Adam,
    BestModel,
    BestWeights,
    Callback,
    Checkpoints,
    CosineDecay,
    CSVLog,
    Dataset,
    Dense,
    EarlyStopping,
    Erase,
    Flip,
    History,
    InverseTimeDecay,
    LinearDecay,
    Model,
    ModelError,
    Muon,
    ReLU,
    Sequential,
    Shift,
    SoftmaxCrossEntropy,
    StopReason,
    Trainer,
    Warmup,
    silhouettes,
)
from handloom.data.fingerprint import fingerprint
from handloom.errors import ConfigurationError
from handloom.files import FileError
from handloom.locks import LOCK, only_writer
from handloom.optimizers import Optimizer
from handloom.parallel.partition import LANES
from handloom.training import TrainingState
from handloom.training.history import COLUMNS, EpochRecord
from handloom.training.objective import Measured
from handloom.training.preparation import Prepared
from handloom.training.snapshot import Snapshot

ROWS = features()
IMAGES = silhouettes(rows=1300, test_rows=10).train


class Watcher(Callback):
    """May come and go between stop and resume."""

    changes_results = False


class StopAt(Watcher):
    """Stops as Ctrl-C would, after some optimizer steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, *, state: TrainingState, measured: Measured) -> None:
        if state.progress.steps == self.step:
            state.stop(StopReason.INTERRUPTED)


class StopAfter(Trainer):
    """Stops after a step; where it has none, calls of the runner make as many as they like."""

    last_step = -1

    def fit(self, *arguments: Any, **options: Any) -> History:
        if self.last_step >= 0:
            callbacks = (*self.options.callbacks, StopAt(self.last_step))
            self._take(self.network, replace(self.options, callbacks=callbacks))
        return super().fit(*arguments, **options)


def trainer(
    folder: Path,
    *,
    last_step: int = -1,
    every: int | str = 10**6,
    rule: Callable[[], Optimizer] = Adam,
    units: int = 8,
    callbacks: tuple[Callback, ...] = (),
    **options: Any,
) -> StopAfter:
    network = Sequential([Dense(units), Noise(), ReLU(), Dense(3)]).build((5,))
    options = {"epochs": 4, "batch_size": 64, **options}
    made = StopAfter(
        network,
        rule(),
        options.pop("learning_rate", InverseTimeDecay(0.01, 0.1)),
        callbacks=callbacks,
        checkpoints=Checkpoints(
            folder, every=every, keep=options.pop("keep", 2), warn=options.pop("warn", None)
        ),
        **options,
    )
    made.last_step = last_step
    return made


def figures(history: History) -> list[tuple[object, ...]]:
    clock = COLUMNS.index("seconds")
    return [r.values()[:clock] + r.values()[clock + 1 :] for r in history]


@pytest.mark.parametrize("batch_size", [64, None])
@pytest.mark.parametrize("rule", [Adam, lambda: SGD(momentum=0.9, nesterov=True)])
@pytest.mark.parametrize("last_step", [1, 4, 5, 7, 19])
def test_a_resumed_training_ends_with_the_same_bits_and_history(
    tmp_path: Path, batch_size: int | None, rule: Callable[[], Optimizer], last_step: int
) -> None:
    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        best = BestWeights("loss", restore=False)
        options: dict[str, Any] = {"epochs": 5 if batch_size else 20, "batch_size": batch_size}
        made = trainer(folder, last_step=last_step, rule=rule, callbacks=(best,), **options)
        made.fit(ROWS, 0.2, resume=resume)
        made.best = best  # type: ignore[attr-defined]
        return made

    whole = run(tmp_path / "whole")
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
    tmp_path: Path, batch_size: int | None, last_step: int
) -> None:
    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        network = Sequential([Dense(8), Noise(), ReLU(), Dense(10)]).build((784,))
        made = StopAfter(
            network,
            Muon(weight_decay=0.1),
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

    whole = run(tmp_path / "whole")
    assert run(tmp_path / "cut", last_step).history.stop_reason is StopReason.INTERRUPTED
    for _ in range(2):  # resumed once more after its end, it stays as it is
        resumed = run(tmp_path / "cut", resume=True)
        assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)
        assert figures(resumed.history) == figures(whole.history)


def test_a_training_may_be_stopped_again_and_again(tmp_path: Path) -> None:
    weights = np.arange(300) % 5 + 1.0
    whole = trainer(tmp_path / "whole", threads=1)
    whole.fit(ROWS, sample_weights=weights)
    for last_step in (2, 3, 9, 16):
        made = trainer(tmp_path / "cut", last_step=last_step, threads=2)
        made.fit(ROWS, sample_weights=weights, resume=True)
    last = trainer(tmp_path / "cut")
    last.fit(ROWS, sample_weights=weights, resume=True)
    assert np.array_equal(last.network.parameters.vector, whole.network.parameters.vector)
    assert figures(last.history) == figures(whole.history)


def test_early_stopping_remembers_its_patience(tmp_path: Path) -> None:
    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        stopping = EarlyStopping(patience=2, min_delta=0.01)
        made = trainer(
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

    trainer(tmp_path / "cut", last_step=8, callbacks=(CSVLog(log),)).fit(ROWS)
    log.write_text("lost")
    resumed = trainer(tmp_path / "cut", callbacks=(CSVLog(log), Look()))
    resumed.fit(ROWS, resume=True)
    assert log.read_text() == resumed.history.to_csv() == seen[-1]
    assert len(seen[0].splitlines()) == 3  # the names, the epoch before the stop, the one after


def test_training_may_go_on_for_longer_than_it_was_meant_to(tmp_path: Path) -> None:
    trainer(tmp_path / "a", epochs=2).fit(ROWS)
    longer = trainer(tmp_path / "a", epochs=4)
    longer.fit(ROWS, resume=True)
    whole = trainer(tmp_path / "b", epochs=4)
    whole.fit(ROWS)
    assert np.array_equal(longer.network.parameters.vector, whole.network.parameters.vector)


def steps_kept(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))


def test_checkpoints_are_written_every_few_epochs_and_the_last_are_kept(
    tmp_path: Path,
) -> None:
    seen: list[list[int]] = []

    class Look(Watcher):
        def on_epoch_end(self, **_: Any) -> None:
            seen.append(steps_kept(tmp_path))

    trainer(tmp_path, every=2, epochs=7, callbacks=(Look(),)).fit(ROWS)
    # five steps an epoch; a look is before the checkpoint of its epoch
    assert seen == [[], [], [10], [10], [10, 20], [10, 20], [20, 30]]
    assert steps_kept(tmp_path) == [30, 35]


def test_checkpoints_are_written_every_so_many_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: Iterator[float] = iter(range(10**6))
    monkeypatch.setattr("handloom.training.triggers.time.monotonic", lambda: next(ticks))
    monkeypatch.setattr("handloom.training.trainer.CALL_SECONDS", 0.0)
    # six ticks: one per call, per epoch and per save
    trainer(tmp_path, every="0.1m", epochs=2).fit(ROWS)
    assert steps_kept(tmp_path) == [5, 10]


@pytest.mark.parametrize("every", [0, -1, "", "m", "²", "٣m", "0m", "-5m", "5h", "ab", "1.5", 2.5])
def test_a_frequency_that_means_nothing_is_refused(every: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"every|minutes"):
        Checkpoints(tmp_path, every=every)


def cut_training(folder: Path) -> list[Path]:
    """Return the folders of the two checkpoints of a training that was cut, the older first."""
    trainer(folder, every=1, last_step=17).fit(ROWS)
    found = sorted(folder.glob("step-*"))
    assert len(found) == 2
    return found


def resumed_from(folder: Path) -> tuple[int, list[str]]:
    """Return the first step after a resume, and the warnings."""
    said: list[str] = []
    first: list[int] = []

    class Look(Watcher):
        def on_train_begin(self, *, state: TrainingState) -> None:
            first.append(state.progress.steps)

    made = trainer(folder, warn=said.append, callbacks=(Look(),))
    made.fit(ROWS, resume=True)
    shutil.rmtree(folder.with_name("whole"), ignore_errors=True)
    whole = trainer(folder.with_name("whole"))
    whole.fit(ROWS)
    assert np.array_equal(made.network.parameters.vector, whole.network.parameters.vector)
    return first[0], said


@pytest.mark.parametrize("ending", ["manifest.json", ".json", ".safetensors"])
@pytest.mark.parametrize("place", [0, 1, 7, 8, 9, 60, 0.5, -2, -1])
def test_a_flipped_byte_anywhere_falls_back_to_the_checkpoint_before(
    tmp_path: Path, ending: str, place: float
) -> None:
    _, newest = cut_training(tmp_path / "run")
    (path,) = (
        path
        for path in newest.iterdir()
        if path.name.endswith(ending) and (path.name == "manifest.json") == (ending[0] == "m")
    )
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if place == 0.5 else int(place)] ^= 0x10
    path.write_bytes(content)
    first, said = resumed_from(tmp_path / "run")
    assert first == 15
    assert len(said) == 1
    assert str(newest) in said[0]
    assert "step-000000015, which is older" in said[0]


def test_files_that_are_cut_missing_or_unfinished_fall_back_too(tmp_path: Path) -> None:
    _, newest = cut_training(tmp_path / "run")
    (payload,) = newest.glob("*.safetensors")
    payload.write_bytes(payload.read_bytes()[:-10])
    assert resumed_from(tmp_path / "run")[0] == 15

    shutil.rmtree(tmp_path / "run")
    _, newest = cut_training(tmp_path / "run")
    (newest / "manifest.json").unlink()  # as after a kill while it was written
    assert resumed_from(tmp_path / "run") == (15, [])
    assert steps_kept(tmp_path / "run") == [15, 20]


def test_where_no_checkpoint_is_whole_training_does_not_begin_anew(tmp_path: Path) -> None:
    for folder in cut_training(tmp_path / "run"):
        (folder / "manifest.json").write_text("{}")
    before = trainer(tmp_path / "run")
    with pytest.raises(ModelError, match=r"no checkpoint is complete: .*step-.*; .*step-"):
        before.fit(ROWS, resume=True)


def test_without_a_checkpoint_a_resume_begins_at_the_beginning(tmp_path: Path) -> None:
    assert resumed_from(tmp_path / "run") == (0, [])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"units": 9}, r"network layers 0 units is 8 there, 9 here"),
        ({"rule": SGD}, r"optimizer kind is Adam there, SGD here"),
        ({"rule": lambda: Adam(beta1=0.8)}, r"optimizer beta1 is 0.9 there, 0.8 here"),
        ({"learning_rate": 0.01}, r"learning_rate kind is InverseTimeDecay there, Constant here"),
        ({"batch_size": 32}, r"batch_size is 64 there, 32 here"),
        ({"seed": 1}, r"seed is 0 there, 1 here"),
        ({"clip_norm": 2.0}, r"clip_norm is None there, 2.0 here"),
        ({"average": EMA(0.9)}, r"average is None there, .*'decay': 0.9"),
        (
            {"learning_rate": Warmup(2, 0.1)},
            r"learning_rate kind is InverseTimeDecay there, Warmup",
        ),
        ({"loss": SoftmaxCrossEntropy(0.1)}, r"loss label_smoothing is 0.0 there, 0.1 here"),
        ({"callbacks": (BestWeights("loss"),)}, r"callbacks is \[\] there, .*BestWeights"),
        ({"count_correct": False}, r"count_correct is True there, False here"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_by_what_differs(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    trainer(tmp_path, last_step=7).fit(ROWS)
    other = trainer(tmp_path, **change)
    start = other.network.parameters.vector.copy()
    with pytest.raises(ModelError, match=named):
        other.fit(ROWS, resume=True)
    assert np.array_equal(other.network.parameters.vector, start)


def test_a_checkpoint_of_an_older_format_is_refused_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stochastic layers would draw other random numbers from here on."""
    with monkeypatch.context() as older:
        older.setattr("handloom.training.snapshot.VERSION", 1)
        trainer(tmp_path, last_step=7).fit(ROWS)
    with pytest.raises(ModelError, match=r"version 1 of the format; this Handloom reads version 3"):
        trainer(tmp_path).fit(ROWS, resume=True)
    assert steps_kept(tmp_path) == [7]


def test_a_checkpoint_of_a_training_in_which_rows_are_counted_differently_is_refused(
    tmp_path: Path,
) -> None:
    trainer(tmp_path, last_step=7).fit(ROWS)
    with pytest.raises(ModelError, match="count_correct is True there, False here"):
        trainer(tmp_path, count_correct=False).fit(ROWS, resume=True)


def test_a_resumed_training_keeps_its_number_of_lanes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(folder: Path, last_step: int = -1, *, resume: bool = False) -> StopAfter:
        made = trainer(folder, last_step=last_step, units=200, batch_size=None, epochs=9)
        made.fit(features(5000), resume=resume)
        return made

    with monkeypatch.context() as few:
        few.setattr("handloom.training.preparation.LANES", 2)
        whole = run(tmp_path / "whole")
        assert run(tmp_path / "cut", last_step=4).history.lanes == 2
    resumed = run(tmp_path / "cut", resume=True)
    assert resumed.history.lanes == 2
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)
    other = run(tmp_path / "other")
    assert other.history.lanes == LANES
    assert not np.array_equal(other.network.parameters.vector, whole.network.parameters.vector)


@pytest.mark.parametrize("lanes", [0, 10**8, 10**30, "4"])
def test_a_number_of_lanes_that_there_cannot_be_is_refused(lanes: object) -> None:
    with pytest.raises(ModelError, match="lanes must be"):
        assert Snapshot({"lanes": lanes}, {}, {}).lanes


def test_a_checkpoint_of_another_augmentation_or_schedule_is_refused(tmp_path: Path) -> None:
    def fit(*, pixels: int = 2, steps: int = 5, resume: bool = False) -> None:
        network = Sequential([Dense(10)]).build((784,))
        schedule = Warmup(2, LinearDecay(0.1, steps))
        options: dict[str, Any] = {"augment": [Shift(pixels)], "epochs": 1}
        checkpoints = Checkpoints(tmp_path)
        made = Trainer(network, SGD(), schedule, checkpoints=checkpoints, **options)
        made.fit(IMAGES, resume=resume)

    fit()
    with pytest.raises(ModelError, match="augment 0 pixels is 2 there, 1 here"):
        fit(pixels=1, resume=True)
    with pytest.raises(ModelError, match="learning_rate then steps is 5 there, 6 here"):
        fit(steps=6, resume=True)


def test_a_checkpoint_of_another_dataset_is_refused_by_name(tmp_path: Path) -> None:
    trainer(tmp_path, last_step=7).fit(ROWS)
    with pytest.raises(ModelError, match=r"data is features \(300 rows, .* there, others \(300"):
        trainer(tmp_path).fit(replace(features(seed=1), name="others"), resume=True)
    with pytest.raises(ModelError, match=r"step-000000007: it is of .*validation is none there"):
        trainer(tmp_path).fit(ROWS, ROWS, resume=True)
    with pytest.raises(ModelError, match="sample_weights"):
        trainer(tmp_path).fit(ROWS, sample_weights=np.full(300, 2.0), resume=True)


@pytest.mark.parametrize(
    ("there", "here", "named"),
    [
        (BestWeights("loss"), BestWeights("accuracy"), "monitor is loss there, accuracy here"),
        (EarlyStopping(patience=5), EarlyStopping(patience=6), "patience is 5 there, 6 here"),
    ],
)
def test_what_a_callback_kept_goes_only_to_one_made_alike(
    tmp_path: Path, there: Callback, here: Callback, named: str
) -> None:
    trainer(tmp_path, last_step=7, callbacks=(there,)).fit(ROWS, features(seed=1))
    with pytest.raises(ModelError, match=named):
        trainer(tmp_path, callbacks=(here,)).fit(ROWS, features(seed=1), resume=True)


def test_rows_that_differ_far_down_are_other_rows() -> None:
    many = np.zeros((6_000, 1_000))
    other = many.copy()
    other[-1, -1] = 1.0
    targets = np.arange(6_000) % 2
    sums = [fingerprint(Dataset(rows, targets, ("a", "b")))["sha256"] for rows in (many, other)]
    assert sums[0] != sums[1]


def test_a_checkpoint_of_another_version_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handloom.training.snapshot.VERSION", 99)
    cut_training(tmp_path)
    monkeypatch.undo()
    with pytest.raises(ModelError, match="version 99"):
        trainer(tmp_path).fit(ROWS, resume=True)


def test_resuming_needs_somewhere_to_resume_from() -> None:
    network = Sequential([Dense(3)]).build((5,))
    with pytest.raises(ConfigurationError, match="checkpoints"):
        Trainer(network, Adam(), 0.01).fit(ROWS, resume=True)


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let every write beyond a size fail half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [10, 300, 1200])
@pytest.mark.parametrize("keep", [1, 2])
def test_a_disk_that_is_full_costs_no_training_and_no_earlier_checkpoint(
    tmp_path: Path, size: int, keep: int
) -> None:
    folder = tmp_path / "run"
    said: list[str] = []
    trainer(folder, last_step=7).fit(ROWS)
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    made = trainer(folder, every=1, keep=keep, warn=said.append)
    with no_file_larger_than(size):
        history = made.fit(ROWS, resume=True)
    assert history.stop_reason is StopReason.MAX_EPOCHS
    assert len(said) == 4  # epochs 2, 3 and 4, and the end
    assert all("no checkpoint was written: cannot write" in text for text in said)
    assert all(f"the last good one is {folder / 'step-000000007'}" in text for text in said)
    now = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert now == {**kept, folder / LOCK: now[folder / LOCK]}
    assert resumed_from(folder)[0] == 7


def test_a_folder_that_cannot_be_written_to_any_more_costs_no_training(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    said: list[str] = []

    class Block(Watcher):
        def on_epoch_end(self, **_: Any) -> None:
            if folder.is_dir():
                folder.rename(tmp_path / "moved")
                folder.write_text("a file where the folder was")

    made = trainer(folder, every=1, callbacks=(Block(),), warn=said.append)
    assert made.fit(ROWS).stop_reason is StopReason.MAX_EPOCHS
    assert len(said) == 5  # four epochs, and the end
    assert len(said) == 5  # four epochs, and the end
    assert all(text.startswith("no checkpoint was written: ") for text in said)
    assert all(str(folder) in text and "there is none yet" in text for text in said)


def test_by_default_what_went_wrong_is_a_warning(tmp_path: Path) -> None:
    with no_file_larger_than(10), pytest.warns(UserWarning, match="no checkpoint was written"):
        trainer(tmp_path / "run").fit(ROWS)


def test_two_trainings_do_not_write_to_one_folder(tmp_path: Path) -> None:
    class Second(Watcher):
        refused = ""

        def on_epoch_end(self, **_: Any) -> None:
            with pytest.raises(FileError) as error:
                trainer(tmp_path).fit(ROWS, resume=True)
            self.refused = str(error.value)

    second = Second()
    trainer(tmp_path, callbacks=(second,), epochs=1).fit(ROWS)
    assert f"{tmp_path} is being written to by another training (process " in second.refused
    trainer(tmp_path).fit(ROWS, resume=True)  # afterwards it is free again


def test_a_lock_that_was_left_behind_does_not_block(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("1\n")
    with only_writer(tmp_path):
        assert (tmp_path / LOCK).read_text() != "1\n"


def test_a_diverged_training_is_not_written_over_the_good_one(tmp_path: Path) -> None:
    def rate(step: int) -> float:
        return 1e20 if step == 12 else 0.01

    made = trainer(tmp_path, every=1, rule=SGD, learning_rate=rate)
    reason = made.fit(ROWS).stop_reason
    assert reason is not None
    assert reason.diverged
    assert steps_kept(tmp_path) == [5, 10]
    assert np.isfinite(Checkpoints(tmp_path).newest().arrays["weights"]).all()  # type: ignore[union-attr]


def test_what_a_checkpoint_holds_can_be_read_by_people(tmp_path: Path) -> None:
    trainer(tmp_path, last_step=7).fit(ROWS)
    (state,) = tmp_path.glob("step-000000007/state-*.json")
    described = json.loads(state.read_text())
    assert described["values"]["progress"]["epoch"] == 1
    assert described["configuration"]["seed"] == 0
    assert "numpy" in described["values"]["environment"]["versions"]
    assert set(Snapshot.load(state.parent).arrays) == {
        "weights",
        "good_weights",
        "optimizer.first_moment",
        "optimizer.second_moment",
    }


def test_a_new_training_does_not_replace_the_checkpoints_of_another(tmp_path: Path) -> None:
    trainer(tmp_path, last_step=7).fit(ROWS)
    with pytest.raises(FileError, match=r"holds the checkpoints .*step-000000007.*resume=True"):
        trainer(tmp_path).fit(ROWS)
    assert steps_kept(tmp_path) == [7]


def test_what_is_not_a_checkpoint_is_left_alone(tmp_path: Path) -> None:
    for name in ("step-by-step", "step-000000001-mine", "steps"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")
    trainer(tmp_path, every=1).fit(ROWS)
    assert len(list(tmp_path.glob("*/notes.txt"))) == 3


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
        made = trainer(folder, callbacks=(*callbacks, stopping), **options)
        made.fit(ROWS, 0.2, resume=resume)
        return made

    whole = run(tmp_path / "whole", Watcher())
    run(tmp_path / "cut", Signal())
    resumed = run(tmp_path / "cut", Watcher(), resume=True)
    assert figures(resumed.history) == figures(whole.history)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)


def test_figures_that_are_not_finite_are_kept_too(tmp_path: Path) -> None:
    class Spoil(StopAfter):
        def run_epoch(self, prepared: Prepared) -> None:
            super().run_epoch(prepared)
            records = prepared.state.history.records
            records[-1] = replace(records[-1], validation_loss=float("nan"))

    made = trainer(tmp_path)
    made.__class__ = Spoil
    made.fit(ROWS, features(seed=1))
    history = trainer(tmp_path).fit(ROWS, features(seed=1), resume=True)
    assert np.isnan(history["validation_loss"]).all()
    assert len(history) == 4


def test_what_no_checkpoint_can_hold_is_refused_before_the_first_step(tmp_path: Path) -> None:
    class Odd(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"odd": {1, 2}}

    made = trainer(tmp_path, callbacks=(Odd(),))
    with pytest.raises(ConfigurationError, match="no checkpoint can hold this training"):
        made.fit(ROWS)
    assert made.state.progress.steps == 0


def test_a_callback_that_fails_costs_no_training(tmp_path: Path) -> None:
    class Fails(Watcher):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            if record.epoch == 1:
                raise RuntimeError("mine")

    best = BestWeights("loss")
    made = trainer(tmp_path, callbacks=(best, Fails()))
    with pytest.raises(RuntimeError, match="mine"):
        made.fit(ROWS)
    assert steps_kept(tmp_path) == [10]
    assert np.array_equal(made.network.parameters.vector, best.weights)  # type: ignore[arg-type]


def test_a_callback_that_fails_after_a_step_costs_no_training(tmp_path: Path) -> None:
    class Fails(Watcher):
        def on_step_end(self, *, state: TrainingState, measured: Measured) -> None:
            if state.progress.steps == 7:
                raise RuntimeError("mine")

    made = trainer(tmp_path, callbacks=(Fails(),))
    with pytest.raises(RuntimeError, match="mine"):
        made.fit(ROWS)
    assert steps_kept(tmp_path) == [7]
    resumed = trainer(tmp_path)
    resumed.fit(ROWS, resume=True)
    whole = trainer(tmp_path / "whole")
    whole.fit(ROWS)
    assert np.array_equal(resumed.network.parameters.vector, whole.network.parameters.vector)


def test_a_best_model_that_cannot_be_saved_is_tried_again(tmp_path: Path) -> None:
    network = Sequential([Dense(3)]).build((5,))
    best = BestModel(tmp_path / "model", "loss")

    class Full(Callback):
        def on_epoch_end(self, *, state: TrainingState, record: EpochRecord) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10 if record.epoch < 2 else -1, -1))

    made = Trainer(network, SGD(), 0.1, epochs=3, callbacks=[Full(), best])
    with no_file_larger_than(10), pytest.warns(UserWarning, match="tried again when training ends"):
        made.fit(ROWS)
    assert np.array_equal(Model.load(tmp_path / "model").network.parameters.vector, best.weights)  # type: ignore[arg-type]


def test_a_training_is_resumed_or_starts_warm(tmp_path: Path) -> None:
    first = trainer(tmp_path / "first")
    first.fit(ROWS)
    with pytest.raises(ConfigurationError, match="resumed or starts warm, not both"):
        trainer(tmp_path / "first").fit(ROWS, resume=True, warm=first.state)
    trainer(tmp_path / "second").fit(ROWS, warm=first.state)


def test_a_resumed_training_keeps_its_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr("handloom.backend.FUSED_FROM", float("inf"))
    trainer(tmp_path, last_step=7).fit(ROWS)
    monkeypatch.setattr("handloom.backend.FUSED_FROM", 0.0)
    assert trainer(tmp_path).fit(ROWS, resume=True).backend == "numpy"


def test_elsewhere_bits_may_differ_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer(tmp_path, last_step=7).fit(ROWS)
    monkeypatch.setattr("handloom.environment.np.__version__", "9.9")
    said: list[str] = []
    trainer(tmp_path, warn=said.append).fit(ROWS, resume=True)
    assert len(said) == 1
    assert "bits may differ: numpy was" in said[0]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_becomes_read_only_costs_no_training(mode: int) -> None:
    said: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "run"
        trainer(folder, every=1, epochs=2).fit(ROWS)
        kept = steps_kept(folder)

        class Close(Watcher):
            def on_train_begin(self, **_: Any) -> None:
                folder.chmod(mode)
                os.seteuid(65534)

        made = trainer(folder, every=1, warn=said.append, callbacks=(Close(),))
        try:
            assert made.fit(ROWS, resume=True).stop_reason is StopReason.MAX_EPOCHS
        finally:
            os.seteuid(0)
        assert len(said) == 3  # two epochs, and the end
        assert all(f"the last good one is {folder / 'step-000000010'}" in text for text in said)
        folder.chmod(0o755)
        assert steps_kept(folder) == kept
