"""Trainings that are stopped and resumed, and the contents of their folders."""

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tests.helpers.own_layers import Noise
from tests.helpers.training import ROWS

from handloom import (
    Adam,
    Callback,
    Checkpoints,
    Dense,
    History,
    InverseTimeDecay,
    Layer,
    ReLU,
    Sequential,
    StopReason,
    Trainer,
    silhouettes,
)
from handloom.optimizers import Optimizer
from handloom.training import Measurement, RunFolder, TrainingState
from handloom.training.history import COLUMNS


class Watcher(Callback):
    """May come and go between stop and resume."""

    changes_results = False


class StopAt(Watcher):
    """Stops as Ctrl-C would, after some optimizer steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, *, state: TrainingState, measured: Measurement) -> None:
        if state.progress.steps == self.step:
            state.stop(StopReason.INTERRUPTED)


class Stop(Watcher):
    """Stops training in a hook, once."""

    def __init__(self, hook: str, step: int) -> None:
        def stop(*, state: TrainingState, **_: Any) -> None:
            if state.progress.steps == step:
                state.stop(StopReason.INTERRUPTED)

        setattr(self, hook, stop)


class Boom(Watcher):
    """Raises in a hook."""

    def __init__(self, hook: str, step: int) -> None:
        def fail(*, state: TrainingState, **_: Any) -> None:
            if state.progress.steps == step:
                raise RuntimeError("mine")

        setattr(self, hook, fail)


def small_network(*layers: Layer, seed: int = 0) -> Sequential:
    return Sequential(layers or (Dense(8), ReLU(), Dense(3))).build((5,), seed=seed)


def trainer(folder: Path | RunFolder | None, *callbacks: Callback, **options: Any) -> Trainer:
    optimizer, rate = options.pop("optimizer", Adam()), options.pop("learning_rate", 0.01)
    every = options.pop("every", 10**6)
    options = {"epochs": 3, "batch_size": 100, "threads": 1, "backend": "numpy", **options}
    checkpoints = None if folder is None else Checkpoints(folder, every=every, keep=50)
    return Trainer(
        small_network(), optimizer, rate, callbacks=callbacks, checkpoints=checkpoints, **options
    )


IMAGES = silhouettes(rows=1300, test_rows=10).train


class StopAfter(Trainer):
    """Stops after a step; where it has none, calls of the runner make as many as they like."""

    last_step = -1

    def fit(self, *arguments: Any, **options: Any) -> History:
        if self.last_step >= 0:
            callbacks = (*self.options.callbacks, StopAt(self.last_step))
            self._set_options(self.network, replace(self.options, callbacks=callbacks))
        return super().fit(*arguments, **options)


def stoppable(
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


def steps_kept(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let every write beyond a size fail half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def resumed_from(folder: Path) -> tuple[int, list[str]]:
    """Return the first step after a resume, and the warnings."""
    said: list[str] = []
    first: list[int] = []

    class Look(Watcher):
        def on_train_begin(self, *, state: TrainingState) -> None:
            first.append(state.progress.steps)

    made = stoppable(folder, warn=said.append, callbacks=(Look(),))
    made.fit(ROWS, resume=True)
    shutil.rmtree(folder.with_name("whole"), ignore_errors=True)
    whole = stoppable(folder.with_name("whole"))
    whole.fit(ROWS)
    assert np.array_equal(made.network.parameters.vector, whole.network.parameters.vector)
    return first[0], said
