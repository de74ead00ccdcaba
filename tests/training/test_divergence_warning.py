"""A training that diverges warns once, and the sentence names rate, inputs or targets."""

import warnings

import numpy as np
import pytest
from tests.helpers.training import HELD_OUT, ROWS

from handloom import (
    SGD,
    Dataset,
    Dense,
    DivergenceWarning,
    EarlyStopping,
    History,
    MeanSquaredError,
    Progress,
    ReLU,
    Sequential,
    StopReason,
    Trainer,
    evaluate,
)
from handloom.studies import reference
from handloom.training import Callback, TrainingState

SCALE = "scale the {} to about unit size"


def trainer(rate: float, *callbacks: Callback, outputs: int = 3, **options: object) -> Trainer:
    network = Sequential([Dense(8), ReLU(), Dense(outputs)]).build((5,), seed=0)
    options = {"epochs": 3, "batch_size": 100, **options}
    return Trainer(network, SGD(), rate, callbacks=callbacks, **options)  # type: ignore[arg-type]


def diverges(made: Trainer, rows: Dataset = ROWS) -> tuple[History, str]:
    """Return the history and the only warning of a training."""
    with pytest.warns(DivergenceWarning) as caught:
        history = made.fit(rows)
    assert [warning.filename for warning in caught] == [__file__]  # where fit was called
    return history, str(caught[0].message)


def continuous(inputs: float = 1.0, targets: float = 1.0) -> Dataset:
    x = np.random.default_rng(0).standard_normal((300, 5))
    return Dataset(inputs * x, targets * x[:, :1], ("y",))


def test_a_large_rate() -> None:
    history, warning = diverges(trainer(1e20))
    assert warning == f"training diverged: {history.divergence}"
    assert history.divergence is not None
    assert (history.divergence.epoch, history.divergence.step) == (0, 1)
    assert "in epoch 1 at step 2" in warning
    assert "A smaller learning rate usually helps" in warning


@pytest.mark.parametrize("size", [1e30, 1e40])
def test_large_targets(size: float) -> None:
    made = trainer(0.01, outputs=1, loss=MeanSquaredError())
    _, warning = diverges(made, continuous(targets=size))
    assert SCALE.format("targets") in warning
    assert "learning rate is what usually helps" not in warning
    assert ("overflows float32" in warning) == (size == 1e40)


@pytest.mark.parametrize("size", [1e4, 1e40])
def test_large_inputs(size: float) -> None:
    made = trainer(0.1, outputs=1, loss=MeanSquaredError())
    _, warning = diverges(made, continuous(inputs=size))
    assert SCALE.format("inputs") in warning
    assert "inputs are as large as 3" in warning or "inputs are as large as 4" in warning
    assert ("overflows float32" in warning) == (size == 1e40)


def test_weights_that_the_last_step_ruined_with_large_inputs() -> None:
    made = trainer(1e37, outputs=1, loss=MeanSquaredError(), epochs=1, batch_size=None)
    history, warning = diverges(made, continuous(inputs=1e4))
    assert history.stop_reason is StopReason.NON_FINITE_WEIGHTS
    assert SCALE.format("inputs") in warning


def test_early_stopping_at_the_same_time() -> None:
    class Stops(Callback):
        def on_step_end(self, *, state: TrainingState, measured: object) -> None:
            state.stop(StopReason.EARLY_STOPPING)

    history, warning = diverges(trainer(1e39, Stops(), epochs=1))
    assert history.stop_reason is StopReason.EARLY_STOPPING
    assert "the weights 0.dense.weights" in warning


def test_early_stopping_restores_and_the_warning_is_there() -> None:
    made = trainer(1e20, EarlyStopping("loss"))
    diverges(made)
    assert np.isfinite(made.network.parameters.values).all()


def test_the_last_line_of_the_progress_bar_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    diverges(trainer(1e20, Progress("mine")))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "mine  diverged in epoch 1: the output of 2.dense was not finite"


def test_a_training_that_ends_well_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert trainer(0.1).fit(ROWS).divergence is None


def test_a_prepared_training_and_the_study_report_it_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = trainer(1e20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made.run(made.prepare(ROWS)).divergence is not None

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the study calls fit, which warns")

    from handloom import silhouettes

    monkeypatch.setattr(Trainer, "fit", refused)
    run = reference.run("sgd", silhouettes(rows=50, test_rows=20), steps=1)
    assert len(run.history) == 1


def test_outputs_that_are_not_finite() -> None:
    made = trainer(0.1)
    made.fit(ROWS)
    inputs = HELD_OUT.inputs.copy()
    inputs[7] = 1e300
    said = "not finite for 1 of 300 rows, the first is row 7"
    with pytest.warns(DivergenceWarning, match=said) as caught:
        predicted = made.model().predict(inputs)
    assert caught[0].filename == __file__
    assert np.isfinite(np.delete(predicted, 7, axis=0)).all()
    rows = Dataset(inputs, HELD_OUT.targets, HELD_OUT.class_names)
    with pytest.warns(DivergenceWarning, match=said) as caught:
        evaluate(made.model(), rows)
    assert caught[0].filename == __file__
