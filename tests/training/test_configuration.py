"""The description of a training has all its options; parts that it cannot describe are named."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import ROWS
from tests.training.helpers import StopAt, trainer

from handloom import (
    EMA,
    SGD,
    BestWeights,
    BinaryCrossEntropy,
    Callback,
    ConfigurationError,
    Dense,
    EarlyStopping,
    History,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    ModelError,
    Pinball,
    Poisson,
    SoftmaxCrossEntropy,
    Warmup,
)
from handloom.data.augment import AUGMENTATIONS, named_augmentation
from handloom.optimizers import OPTIMIZERS, Optimizer
from handloom.schedules import SCHEDULES, named_schedule
from handloom.training.configuration import compared_by_name, describe


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    rates = [0.01] * 9
    trainer(tmp_path, StopAt(4), learning_rate=rates.__getitem__).fit(ROWS)
    history = trainer(tmp_path, learning_rate=rates.__getitem__).fit(ROWS, resume=True)
    assert any("learning_rate (" in note and "by name" in note for note in history.notes)


def test_a_config_does_not_make_a_watcher_of_a_callback() -> None:
    class Sly(Callback):
        def config(self) -> dict[str, object]:
            return {"changes_results": False, "kind": "EarlyStopping"}

    assert describe(Sly())["kind"].endswith("Sly")
    made = trainer(None, Sly())
    assert made.options.describe()["watchers"] == []


@dataclass
class Named:
    """A schedule with fields that are named like entries of a description."""

    kind: str
    config: float = 0.0
    changes_results: str = "no"

    def __call__(self, step: int) -> float:
        return 0.01 if self.kind == "slow" else 0.5


def test_fields_may_have_any_name_and_are_compared(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4), learning_rate=Named("slow")).fit(ROWS)
    with pytest.raises(ModelError, match="its kind is fast, the checkpoint has slow"):
        trainer(tmp_path, learning_rate=Named("fast")).fit(ROWS, resume=True)
    with pytest.raises(ModelError, match=r"config is 1\.0, the checkpoint has 0\.0"):
        trainer(tmp_path, learning_rate=Named("slow", 1.0)).fit(ROWS, resume=True)
    trainer(tmp_path, learning_rate=Named("slow")).fit(ROWS, resume=True)


def test_a_config_with_nan_is_one_made_alike(tmp_path: Path) -> None:
    class Capped(EarlyStopping):
        def config(self) -> dict[str, object]:
            return {**super().config(), "ceiling": math.nan, "kinds": (Dense, Path("a"))}

    trainer(tmp_path, Capped("loss", min_delta=9.0, patience=2), StopAt(5)).fit(ROWS)
    capped = Capped("loss", min_delta=9.0, patience=2)
    history = trainer(tmp_path, capped, epochs=9).fit(ROWS, resume=True)
    assert len(history) == 3
    assert not any("starts without a state" in note for note in history.notes)


def test_an_optimizer_of_ones_own_needs_no_kind_to_be_resumed(tmp_path: Path) -> None:
    class Signs(Optimizer):
        def update(self, w: Any, dw: Any, state: Any, rate: float, scratch: Any) -> None:
            w -= rate * np.sign(dw)

        def config(self) -> dict[str, object]:
            return {"weight_decay": self.weight_decay, "proximal_l1": self.proximal_l1}

    trainer(tmp_path, StopAt(4), optimizer=Signs()).fit(ROWS)
    resumed = trainer(tmp_path, optimizer=Signs())
    resumed.fit(ROWS, resume=True)
    trainer(None, optimizer=Signs()).fit(ROWS, warm=resumed.state)


class Other(SoftmaxCrossEntropy):
    """Has one more parameter than the class whose config it inherits."""

    def __init__(self, more: float) -> None:
        super().__init__()
        self.more = more


def test_a_function_with_other_code_is_told(tmp_path: Path) -> None:
    def fit(improves: Any, *more: Callback, resume: bool = False) -> History:
        best = BestWeights("loss", improves=improves)
        return trainer(tmp_path, best, *more).fit(ROWS, resume=resume)

    fit(lambda value, best: value < best, StopAt(4))
    with pytest.warns(UserWarning, match="the code of callbacks 0 improves .* has changed"):
        history = fit(lambda value, best: value > best, resume=True)
    assert any("the code of callbacks 0 improves" in note for note in history.notes)


def test_a_loss_or_an_optimizer_that_omits_an_argument_is_refused(tmp_path: Path) -> None:
    class Own(SGD):
        def __init__(self, *, more: float) -> None:
            super().__init__()
            self.more = more

    for options, missing in (
        ({"loss": Other(0.5)}, r"loss: config\(\) of Other .* more is missing"),
        ({"optimizer": Own(more=0.5)}, r"optimizer: config\(\) of Own .* more is missing"),
    ):
        with pytest.raises(ConfigurationError, match=missing):
            trainer(tmp_path, **options).fit(ROWS)


def test_all_parts_of_the_library_say_how_they_were_made() -> None:
    parts: list[object] = [
        *(optimizer() for optimizer in OPTIMIZERS.values()),
        *(named_schedule(name, 0.1, 9) for name in SCHEDULES),
        *(named_augmentation(name) for name in AUGMENTATIONS),
        *(BestWeights("loss"), EarlyStopping("loss"), EMA(), SoftmaxCrossEntropy(0.1)),
        *(
            MeanSquaredError(),
            MeanAbsoluteError(),
            Huber(),
            Pinball(),
            Poisson(),
            BinaryCrossEntropy(),
        ),
        Warmup(3, 0.1),
    ]
    for part in parts:
        assert list(compared_by_name(describe(part))) == [], part


def test_a_config_that_is_none_is_refused_by_its_class(tmp_path: Path) -> None:
    class Forgets(Callback):
        def config(self) -> Any:
            pass

    with pytest.raises(ConfigurationError, match=r"config\(\) of Forgets must return a dict"):
        trainer(tmp_path, Forgets()).fit(ROWS)
