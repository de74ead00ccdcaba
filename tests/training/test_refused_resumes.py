"""A resume with another training, dataset or callback is refused, with the difference."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS, features
from tests.training.helpers import IMAGES, StopAt, stoppable, trainer

from handloom import (
    EMA,
    SGD,
    Adam,
    BestWeights,
    Callback,
    Checkpoints,
    ConfigurationError,
    Dense,
    EarlyStopping,
    LinearDecay,
    ModelError,
    Sequential,
    Shift,
    SoftmaxCrossEntropy,
    Trainer,
    Warmup,
)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"units": 9}, r"network layers 0 units is 9, the checkpoint has 8"),
        ({"rule": SGD}, r"optimizer kind is SGD, the checkpoint has Adam"),
        ({"rule": lambda: Adam(beta1=0.8)}, r"optimizer beta1 is 0.8, the checkpoint has 0.9"),
        ({"rule": lambda: Adam(proximal_l1=0.1)}, r"optimizer proximal_l1 is 0.1, the checkpoint"),
        (
            {"learning_rate": 0.01},
            r"learning_rate kind is Constant, the checkpoint has InverseTimeDecay",
        ),
        ({"batch_size": 32}, r"batch_size is 32, the checkpoint has 64"),
        ({"seed": 1}, r"seed is 1, the checkpoint has 0"),
        ({"clip_norm": 2.0}, r"clip_norm is 2.0, the checkpoint has None"),
        ({"average": EMA(0.9)}, r"average is .*'decay': 0.9.*, the checkpoint has None"),
        (
            {"learning_rate": Warmup(2, 0.1)},
            r"learning_rate kind is Warmup, the checkpoint has InverseTimeDecay",
        ),
        (
            {"loss": SoftmaxCrossEntropy(0.1)},
            r"loss label_smoothing is 0.1, the checkpoint has 0.0",
        ),
        (
            {"callbacks": (BestWeights("loss"),)},
            r"callbacks is .*BestWeights.*, the checkpoint has \[\]",
        ),
        ({"count_correct": False}, r"count_correct is False, the checkpoint has True"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_by_what_differs(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    stoppable(tmp_path, last_step=7).fit(ROWS)
    other = stoppable(tmp_path, **change)
    start = other.network.parameters.vector.copy()
    with pytest.raises(ModelError, match=named):
        other.fit(ROWS, resume=True)
    assert np.array_equal(other.network.parameters.vector, start)


def test_a_checkpoint_of_a_training_in_which_rows_are_counted_differently_is_refused(
    tmp_path: Path,
) -> None:
    stoppable(tmp_path, last_step=7).fit(ROWS)
    with pytest.raises(ModelError, match="count_correct is False, the checkpoint has True"):
        stoppable(tmp_path, count_correct=False).fit(ROWS, resume=True)


def test_a_checkpoint_of_another_augmentation_or_schedule_is_refused(tmp_path: Path) -> None:
    def fit(*, pixels: int = 2, steps: int = 5, resume: bool = False) -> None:
        network = Sequential([Dense(10)]).build((784,))
        schedule = Warmup(2, LinearDecay(0.1, steps))
        options: dict[str, Any] = {"augment": [Shift(pixels)], "epochs": 1}
        checkpoints = Checkpoints(tmp_path)
        made = Trainer(network, SGD(), schedule, checkpoints=checkpoints, **options)
        made.fit(IMAGES, resume=resume)

    fit()
    with pytest.raises(ModelError, match="augment 0 pixels is 1, the checkpoint has 2"):
        fit(pixels=1, resume=True)
    with pytest.raises(ModelError, match="learning_rate then steps is 6, the checkpoint has 5"):
        fit(steps=6, resume=True)


def test_a_checkpoint_of_another_dataset_is_refused_by_name(tmp_path: Path) -> None:
    stoppable(tmp_path, last_step=7).fit(ROWS)
    with pytest.raises(
        ModelError, match=r"data is others \(300 rows, .* the checkpoint has features \(300"
    ) as caught:
        stoppable(tmp_path).fit(replace(features(seed=1), name="others"), resume=True)
    assert "classes" not in str(caught.value)  # they are the same
    assert "resume with the same rows, or train a new run" in str(caught.value)
    with pytest.raises(
        ModelError,
        match=r"step-000000007: cannot resume: validation is .*, the checkpoint has none",
    ):
        stoppable(tmp_path).fit(ROWS, HELD_OUT, resume=True)
    with pytest.raises(ModelError, match="there are sample_weights, the checkpoint"):
        stoppable(tmp_path).fit(ROWS, sample_weights=np.full(300, 2.0), resume=True)


@pytest.mark.parametrize(
    ("there", "here", "named"),
    [
        (
            BestWeights("loss"),
            BestWeights("accuracy"),
            "monitor is accuracy, the checkpoint has loss",
        ),
        (
            EarlyStopping(patience=5),
            EarlyStopping(patience=6),
            "patience is 6, the checkpoint has 5",
        ),
    ],
)
def test_what_a_callback_kept_goes_only_to_one_made_alike(
    tmp_path: Path, there: Callback, here: Callback, named: str
) -> None:
    stoppable(tmp_path, last_step=7, callbacks=(there,)).fit(ROWS, HELD_OUT)
    with pytest.raises(ModelError, match=named):
        stoppable(tmp_path, callbacks=(here,)).fit(ROWS, HELD_OUT, resume=True)


def test_resuming_needs_somewhere_to_resume_from() -> None:
    network = Sequential([Dense(3)]).build((5,))
    with pytest.raises(ConfigurationError, match="checkpoints"):
        Trainer(network, Adam(), 0.01).fit(ROWS, resume=True)


def test_epochs_are_not_fewer_than_were_begun(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(5)).fit(ROWS)
    with pytest.raises(ModelError, match="epochs is 1, and 2 epochs were begun"):
        trainer(tmp_path, epochs=1).fit(ROWS, resume=True)
    assert len(trainer(tmp_path, epochs=2).fit(ROWS, resume=True)) == 2


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({"restore": True}, {"restore": False}, "restore is False, the checkpoint has True"),
        ({"min_delta": 0.1}, {"min_delta": 0.2}, "min_delta is 0.2, the checkpoint has 0.1"),
        ({"patience": 3}, {"patience": 4}, "patience is 4, the checkpoint has 3"),
    ],
)
def test_a_callback_that_was_made_otherwise_is_refused(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], message: str
) -> None:
    trainer(tmp_path, EarlyStopping("loss", **before), StopAt(4)).fit(ROWS)
    with pytest.raises(ModelError, match=message):
        trainer(tmp_path, EarlyStopping("loss", **after)).fit(ROWS, resume=True)


def test_a_refused_resume_leaves_the_finished_training_as_it_is(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    made.fit(ROWS)
    moment = made.state.optimizer.state["first_moment"].copy()
    with pytest.raises(ModelError, match="data is"):
        made.fit(HELD_OUT, resume=True)
    assert (made.state.optimizer.steps, made.state.progress.steps) == (9, 9)
    np.testing.assert_array_equal(made.state.optimizer.state["first_moment"], moment)


def test_a_schedule_may_count_its_steps_with_numpy(tmp_path: Path) -> None:
    class Made:
        steps = np.int64(9)

        def __call__(self, step: int) -> float:
            return 0.01

    trainer(tmp_path, StopAt(4), learning_rate=Made()).fit(ROWS)
    with pytest.raises(ModelError, match="fixed number of 9 steps"):
        trainer(tmp_path, learning_rate=Made(), epochs=9).fit(ROWS, resume=True)


def test_a_checkpoint_from_before_an_option_was_there_is_resumed(tmp_path: Path) -> None:
    trainer(tmp_path, StopAt(4)).fit(ROWS)
    snapshot = Checkpoints(tmp_path).newest()
    assert snapshot is not None
    del snapshot.configuration["shuffle"], snapshot.configuration["clip_norm"]
    made = trainer(tmp_path)
    notes = made.prepare(ROWS, snapshot=snapshot).state.history.notes
    assert notes == ["resumed with watchers [], before ['StopAt']"]
    with pytest.raises(ModelError, match="shuffle is False, the checkpoint has True"):
        trainer(tmp_path, shuffle=False).prepare(ROWS, snapshot=snapshot)
