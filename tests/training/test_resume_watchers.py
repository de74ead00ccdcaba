"""Observers come and go at a resume, and change neither bits nor the state of others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS
from tests.training.helpers import StopAt, Watcher, figures, trainer

from handloom import BestModel, Callback, CSVLog, EarlyStopping, LayerNorms, Progress, Trainer


class Named(Progress):
    """A subclass that inherits that it only observes."""

    def __init__(self, label: str, *, more: int = 0) -> None:
        super().__init__(label)
        self.more = more


class Labels(Watcher):
    """Has a state, and arguments that no config returns."""

    def __init__(self, label: str, table: Any = None) -> None:
        self.label, self.table, self.calls = label, table, 0

    def on_epoch_end(self, **_: Any) -> None:
        self.calls += 1

    def state_dict(self) -> dict[str, Any]:
        return {"calls": self.calls}

    def load_state_dict(self, state: Any) -> None:
        self.calls = state["calls"]


class Mine(Callback):
    """An own part that changes results."""

    def on_epoch_end(self, *, state: Any, record: Any) -> None:
        state.network.parameters.vector[...] *= 0.9


def observers(folder: Path) -> dict[str, Sequence[Callback]]:
    return {
        "none": (),
        "progress": (Progress(),),
        "another progress": (Progress("mine", every=2),),
        "own progress": (Named("mine", more=3),),
        "log": (CSVLog(folder / "log.csv"),),
        "norms": (LayerNorms(),),
        "best model": (BestModel(folder / "model"),),
        "own": (Labels("a", np.ones(3)),),
        "other own": (Labels("b", lambda step: step),),
        "all": (Progress(), Labels("c"), LayerNorms(), CSVLog(folder / "other.csv")),
    }


def made(folder: Path | None, kind: str, *more: Callback, first: bool = False) -> Trainer:
    watching = observers(Path() if folder is None else folder.parent)[kind]
    changing = (Mine(), EarlyStopping("loss", patience=2))
    both = (*watching, *changing) if first else (*changing, *watching)
    return trainer(folder, *both, *more, epochs=4)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        *(("none", kind) for kind in observers(Path())),
        *((kind, "none") for kind in observers(Path())),
        ("progress", "another progress"),
        ("own", "other own"),
        ("all", "own"),
    ],
)
@pytest.mark.slow
def test_observers_may_be_added_removed_and_changed(
    tmp_path: Path, before: str, after: str, first: bool
) -> None:
    whole = made(None, "none").fit(ROWS, HELD_OUT)
    weights = made(None, "none")
    weights.fit(ROWS, HELD_OUT)
    made(tmp_path / "c", before, StopAt(7), first=first).fit(ROWS, HELD_OUT)
    resumed = made(tmp_path / "c", after, first=not first)
    history = resumed.fit(ROWS, HELD_OUT, resume=True)
    assert figures(history) == figures(whole)
    assert np.array_equal(resumed.network.parameters.vector, weights.network.parameters.vector)
