"""The objects that hooks get can be copied and pickled; a copy is independent."""

import copy
import io
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handloom import (
    EMA,
    Adam,
    BatchNorm,
    BestModel,
    BestWeights,
    Callback,
    Checkpoints,
    CSVLog,
    Dense,
    Dropout,
    EarlyStopping,
    Flip,
    Progress,
    ReLU,
    Sequential,
    Trainer,
    silhouettes,
)
from handloom.training import LayerNorms, TrainingState

DATA = silhouettes(rows=200, test_rows=50)

Copy = Callable[[Any], Any]


def pickled(part: Any) -> Any:
    return pickle.loads(pickle.dumps(part))  # noqa: S301 - its own


copies = pytest.mark.parametrize("make", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Copies(Callback):
    """Copies, in every hook, all that it is handed."""

    changes_results = False

    def __init__(self, make: Copy) -> None:
        self.make = make
        self.made: dict[str, dict[str, Any]] = {}

    def __deepcopy__(self, memo: object) -> "Copies":
        return self

    def __reduce__(self) -> Any:
        return Copies, (copy.copy,)

    def _take(self, hook: str, **handed: Any) -> None:
        state: TrainingState = handed["state"]
        handed |= {
            "model": state.model,
            "history": state.history,
            "options": state.options,
            "progress": state.progress,
        }
        self.made[hook] = {name: self.make(part) for name, part in handed.items()}

    def on_train_begin(self, **handed: Any) -> None:
        self._take("begin", **handed)

    def on_step_end(self, **handed: Any) -> None:
        self._take("step", **handed)

    def on_validation_end(self, **handed: Any) -> None:
        self._take("validation", **handed)

    def on_epoch_end(self, **handed: Any) -> None:
        self._take("epoch", **handed)

    def on_train_end(self, **handed: Any) -> None:
        self._take("end", **handed)


def network() -> Sequential:
    layers = [Dense(8), BatchNorm(), ReLU(), Dropout(0.1), Dense(10)]
    return Sequential(layers).build((784,), seed=0)


def trained(folder: Path, make: Copy, **options: Any) -> tuple[Trainer, Copies]:
    watcher = Copies(make)
    others = [EarlyStopping(), BestWeights(), Progress(), CSVLog(folder / "log.csv"), LayerNorms()]
    trainer = Trainer(
        *(network(), Adam(), 0.01),
        epochs=2,
        batch_size=50,
        average=EMA(0.9),
        augment=[Flip()],
        callbacks=[*others, BestModel(folder / "best"), watcher],
        checkpoints=Checkpoints(folder / "checkpoints"),
        **options,
    )
    trainer.fit(DATA.train, DATA.test)
    return trainer, watcher


@pytest.mark.parametrize("terminal", [False, True], ids=["lines", "a bar on a terminal"])
@copies
def test_all_that_hooks_are_handed_can_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Copy, terminal: bool
) -> None:
    if terminal:
        pytest.importorskip("rich")
        monkeypatch.setattr(sys, "stderr", Terminal())
    trainer, watcher = trained(tmp_path, make)
    assert set(watcher.made) == {"begin", "step", "validation", "epoch", "end"}
    assert set(watcher.made["epoch"]) >= {"state", "record", "history", "model"}
    last, own = watcher.made["epoch"], trainer.state
    assert last["record"] == own.history.records[-1]
    assert np.array_equal(last["history"]["loss"], own.history["loss"])
    end, rows = watcher.made["end"], DATA.test.inputs
    assert np.array_equal(end["model"].predict(rows), end["state"].model.predict(rows))


@copies
def test_a_copied_state_has_a_network_of_its_own(tmp_path: Path, make: Copy) -> None:
    trainer, _ = trained(tmp_path, copy.copy)
    state = trainer.state
    copied = make(state)
    assert copied.network is copied.model.network is not state.network
    assert copied.parameters is copied.network.parameters
    assert np.array_equal(copied.parameters.values, state.parameters.values)
    before = state.parameters.values.copy()
    copied.parameters.values[:] = 0.0
    assert np.array_equal(state.parameters.values, before)
    assert not copied.network.parameters.vector.any()


@copies
def test_a_warm_start_from_a_copied_state_is_that_from_the_state(
    tmp_path: Path, make: Copy
) -> None:
    trainer, _ = trained(tmp_path, copy.copy)
    copied, weights = make(trainer.state), []
    for earlier in (copied, trainer.state):
        warm = Trainer(network(), Adam(), 0.01, epochs=1, batch_size=50)
        warm.fit(DATA.train, warm=earlier)
        weights.append(warm.network.parameters.values)
    assert np.array_equal(weights[0], weights[1])


@copies
def test_a_prepared_training_is_refused_with_what_can_be_copied(make: Copy) -> None:
    prepared = Trainer(network(), Adam(), 0.01).prepare(DATA.train)
    with pytest.raises(TypeError, match="cannot be copied or pickled: copy its state, model"):
        make(prepared)
    assert make(prepared.state).network.parameters.values.any()
