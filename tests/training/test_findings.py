"""Each way in which a training does not work is found, and said in a sentence."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from handloom import (
    SGD,
    Adam,
    Dataset,
    Dense,
    Dropout,
    EarlyStopping,
    History,
    InverseTimeDecay,
    Layer,
    MeanSquaredError,
    Progress,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    Trainer,
    silhouettes,
)
from handloom.initializers import ScaledNormal
from handloom.optimizers import Optimizer
from handloom.schedules import Schedule
from handloom.training import EpochRecord, probe
from handloom.training.diagnosis import Diagnosis
from handloom.training.findings import findings

IMAGES = silhouettes(rows=1000, test_rows=200)


@pytest.fixture(autouse=True)
def _no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SHORT_SECONDS", 1e9)


def unscaled(scale: float = 100.0) -> Dataset:
    x = np.random.default_rng(0).standard_normal((600, 6))
    targets = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    return Dataset(x * [1.0, scale, 3.0, scale, 1.0, 0.1] + scale, targets, ("no", "yes"))


def fit(
    layers: Sequence[Layer],
    optimizer: Optimizer,
    rate: float | Schedule,
    data: Dataset = IMAGES.train,
    validation: Dataset | None = None,
    **options: Any,
) -> History:
    size = int(np.prod(data.input_shape))
    network = Sequential([*layers, Dense(len(data.class_names))]).build((size,), seed=0)
    options = {"epochs": 8, "batch_size": 50, "threads": 1, "backend": "numpy", **options}
    return Trainer(network, optimizer, rate, **options).fit(data, validation)


def symptoms(history: History) -> list[str]:
    return [each.symptom for each in findings(history)]


def sentence(history: History, symptom: str) -> str:
    """Return the sentence of a symptom, after a check that the notes have it too."""
    sentences = {each.symptom: each.sentence for each in findings(history)}
    assert set(sentences.values()) <= set(history.notes)
    return sentences[symptom]


def test_unscaled_features() -> None:
    history = fit([Dense(16), ReLU()], SGD(), 0.1, unscaled())
    assert symptoms(history) == ["stuck", "large input features"]
    assert "scale (root mean square) of 1" in sentence(history, "large input features")
    assert "scale the input features to about unit size" in history.notes[-1]
    scaled = unscaled()
    inputs = (scaled.inputs - scaled.inputs.mean(axis=0)) / scaled.inputs.std(axis=0)
    scaled = Dataset(inputs, scaled.targets, scaled.class_names)
    assert symptoms(fit([Dense(16), ReLU()], SGD(), 0.1, scaled)) == []


def test_unscaled_targets() -> None:
    x = np.random.default_rng(0).standard_normal((600, 3))
    rows = Dataset(x, 1e5 + 1e5 * x[:, :1], ("price",))
    history = fit([Dense(16), ReLU()], Adam(), 1e-3, rows, loss=MeanSquaredError())
    assert symptoms(history) == ["stuck", "large targets"]
    assert "scale the targets" in history.notes[-1]


def test_six_sigmoid_layers() -> None:
    layers = [layer for _ in range(6) for layer in (Dense(32), Sigmoid())]
    history = fit(layers, SGD(), 0.1)
    assert symptoms(history) == ["stuck", "vanishing gradient"]
    assert "at the output of 0.dense it is 0.000" in sentence(history, "vanishing gradient")
    assert "ReLU in place of sigmoid or tanh, BatchNorm" in history.notes[-1]


def test_saturated_units() -> None:
    network = Sequential([Dense(16), Tanh(), Dense(16), Tanh(), Dense(10)]).build((784,), seed=0)
    network.parameters.weights["2.dense.weights"][:] *= 30.0
    history = Trainer(network, SGD(), 1e-4, epochs=5, batch_size=50).fit(IMAGES.train)
    assert symptoms(history) == ["stuck", "saturation"]
    assert "of the outputs of 3.tanh are saturated" in sentence(history, "saturation")


def test_initial_weights_that_are_far_too_large() -> None:
    history = fit([Dense(64, weights=ScaledNormal(5.0)), Sigmoid()], Adam(), 1e-4)
    assert symptoms(history) == ["stuck", "large initial weights"]
    assert "The outputs of 0.dense are 1" in sentence(history, "large initial weights")


def test_inputs_that_are_zero_or_scaled_twice() -> None:
    for factor in (0.0, 1e-5):
        rows = Dataset(
            factor * np.random.default_rng(0).standard_normal((600, 6)),
            np.arange(600) % 2,
            ("no", "yes"),
        )
        history = fit([Dense(16), ReLU()], Adam(), 1e-3, rows)
        assert symptoms(history)[:2] == ["stuck", "small input features"]


def test_a_learning_rate_that_is_far_too_large() -> None:
    history = fit([Dense(32), ReLU()], Adam(), 0.5)
    assert symptoms(history) == ["stuck", "learning rate too large", "dead units"]
    large = sentence(history, "learning rate too large")
    assert "the learning rate, 0.5, is too large for Adam; try 0.05, then 0.005" in large
    assert "outputs of 0.dense have grown to" in large
    assert sentence(history, "dead units").startswith("100% of the units of 1.relu are dead")


def test_a_large_update() -> None:
    history = fit([Dense(32), Tanh()], Adam(), 0.5)
    assert "learning rate too large" in symptoms(history)


@pytest.mark.parametrize("activation", [ReLU, Sigmoid])
def test_zero_initial_weights(activation: type[Layer]) -> None:
    network = Sequential(
        [Dense(16, weights="zeros"), activation(), Dense(10, weights="zeros")]
    ).build((784,), seed=0)
    history = Trainer(network, SGD(), 0.01, epochs=5, batch_size=50).fit(IMAGES.train)
    assert symptoms(history) == ["stuck", "equal units"]
    assert "All units of 0.dense compute the same" in sentence(history, "equal units")


def test_dead_units() -> None:
    network = Sequential([Dense(16), ReLU(), Dense(10)]).build((784,), seed=0)
    network.parameters.weights["0.dense.biases"][:] = -20.0
    history = Trainer(network, SGD(), 0.01, epochs=5, batch_size=50).fit(IMAGES.train)
    assert symptoms(history) == ["stuck", "dead units"]
    assert sentence(history, "dead units").startswith("100% of the units of 1.relu are dead")


def test_dead_units_of_a_network_that_learns() -> None:
    network = Sequential([Dense(100), ReLU(), Dense(10)]).build((784,), seed=0)
    network.parameters.weights["0.dense.biases"][:97] = -50.0
    history = Trainer(network, Adam(), 1e-3, epochs=8, batch_size=50).fit(IMAGES.train)
    assert symptoms(history) == ["dead units"]


def test_sorted_labels_that_are_not_shuffled() -> None:
    rows = IMAGES.train.sorted_by_class()
    history = fit([Dense(32), ReLU()], Adam(), 1e-3, rows, shuffle=False)
    assert symptoms(history) == ["sorted rows"]
    assert "sorted by class and not shuffled" in sentence(history, "sorted rows")
    assert symptoms(fit([Dense(32), ReLU()], Adam(), 1e-3, rows)) == []
    assert symptoms(fit([Dense(32), ReLU()], Adam(), 1e-3, shuffle=False)) == []


@pytest.mark.parametrize(("optimizer", "rate"), [(SGD, 1e-6), (Adam, 1e-7)])
def test_a_learning_rate_that_is_far_too_small(optimizer: type[Optimizer], rate: float) -> None:
    history = fit([Dense(32), ReLU()], optimizer(), rate)
    assert symptoms(history) == ["stuck", "learning rate too small"]
    assert f"is too small for {optimizer.__name__}; try {rate * 10:.2g}" in history.notes[-1]


def test_a_constant_rate_of_almost_zero_is_not_taken_for_an_ended_schedule() -> None:
    history = fit([Dense(32), ReLU()], SGD(), 1e-30)
    assert symptoms(history) == ["stuck", "learning rate too small"]
    assert "The learning rate, 1e-30, is too small for any optimizer" in history.notes[-1]


def test_a_frequent_class_is_not_taken_for_sorted_rows() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((600, 6))
    rows = Dataset(x, (x[:, 0] > 2.0).astype(np.int64), ("often", "rarely"))
    assert np.mean(rows.targets) < 0.04
    assert "sorted rows" not in symptoms(fit([], Adam(), 1e-2, rows, shuffle=False))
    in_order = rows.sorted_by_class()
    assert "sorted rows" in symptoms(fit([], Adam(), 1e-2, in_order, shuffle=False))


def test_overfitting() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((400, 20))
    targets = ((x[:, 0] > 0) ^ (generator.random(400) < 0.2)).astype(np.int64)
    rows = Dataset(x, targets, ("no", "yes"))
    train, held_out = rows.take(slice(0, 200)), rows.take(slice(200, 400))
    layers = [Dense(64), ReLU()]
    history = fit(layers, Adam(), 3e-3, train, held_out, epochs=60)
    assert symptoms(history) == ["overfitting"]
    assert "the validation loss (of 200 rows) was lowest after epoch" in sentence(
        history, "overfitting"
    )
    stopped = [EarlyStopping(patience=10)]
    layers = [Dense(64), ReLU()]
    history = fit(layers, Adam(), 3e-3, train, held_out, epochs=60, callbacks=stopped)
    assert symptoms(history) == []


@pytest.mark.parametrize(("rows", "found"), [(0, True), (15, False), (1500, True)])
def test_a_rise_that_few_held_out_rows_may_show_by_chance_is_no_overfitting(
    rows: int, found: bool
) -> None:
    """Losses that deviate by their mean have the relative error 0.26 over 15 rows."""
    history = History()
    history.records += [
        EpochRecord(epoch, loss, loss, 0.0, 1.0, 0.1, 1.0, validation_loss=held_out)
        for epoch, (loss, held_out) in enumerate([(1.0, 1.0), (0.3, 0.5), (0.1, 0.7)])
    ]
    history.diagnosis = Diagnosis("SGD", 100, held_out=rows)
    assert [each.symptom for each in findings(history)] == ["overfitting"] * found
    if rows:
        assert all(f"(of {rows:,} rows)" in str(each) for each in findings(history))


def test_labels_that_do_not_belong_to_their_rows() -> None:
    generator = np.random.default_rng(0)
    rows = Dataset(
        generator.standard_normal((2000, 3)), generator.integers(0, 2, 2000), ("no", "yes")
    )
    history = fit([Dense(4), Tanh()], Adam(), 1e-3, rows)
    assert symptoms(history) == ["stuck", "unknown cause"]
    assert "check that targets belong to their rows" in history.notes[-1]


def test_a_training_that_works_has_no_findings() -> None:
    history = fit([Dense(32), ReLU(), Dropout(0.2)], Adam(), 1e-3, validation=IMAGES.test)
    assert history.notes == []
    assert fit([Dense(32), ReLU()], Adam(), 0.5, diagnose=False).notes == []


def test_a_few_steps_are_no_symptom() -> None:
    assert fit([Dense(32), ReLU()], SGD(), 1e-6, epochs=1).notes == []


def test_the_progress_bar_ends_with_the_findings(capsys: pytest.CaptureFixture[str]) -> None:
    history = fit([Dense(32), ReLU()], Adam(), 0.5, callbacks=[Progress("mine")])
    lines = capsys.readouterr().err.splitlines()
    assert lines[-3:] == [f"mine  {note}" for note in history.notes]


def test_findings_are_those_of_the_saved_history() -> None:
    history = fit([Dense(32), ReLU()], Adam(), 0.5)
    assert findings(History.from_json(history.to_json())) == findings(history)
    assert len(findings(history)) == 3


@pytest.mark.parametrize("scale", [1e-3, 1e-4, 1e-6])
def test_tiny_targets_are_named(scale: float) -> None:
    x = np.random.default_rng(1).normal(size=(500, 3))
    rows = Dataset(x, scale * (x @ [1.0, 2.0, 3.0]))
    history = fit([Dense(32), ReLU()], Adam(), 1e-3, rows, loss=MeanSquaredError())
    assert symptoms(history) == ["stuck", "small targets"]
    assert "scale the targets" in sentence(history, "small targets")


def test_constant_tiny_targets_are_no_symptom() -> None:
    x = np.random.default_rng(1).normal(size=(500, 3))
    rows = Dataset(x, np.full(500, 1e-4))
    network = Sequential([Dense(1, weights="zeros")]).build((3,), seed=0)
    trainer = Trainer(network, SGD(), 0.3, epochs=20, batch_size=50, loss=MeanSquaredError())
    assert symptoms(trainer.fit(rows)) == []


def test_a_few_full_batch_steps_that_learned_little() -> None:
    history = fit([Dense(32), ReLU()], Adam(), 1e-3, batch_size=None, epochs=5)
    assert symptoms(history) == ["few steps"]
    assert sentence(history, "few steps").startswith("The training made 5 steps in all")
    assert "set batch_size=32" in history.notes[-1]
    assert symptoms(fit([Dense(32), ReLU()], Adam(), 3e-3, batch_size=None, epochs=49)) == []


def test_a_loss_that_grew_in_a_few_steps_needs_no_more_of_them() -> None:
    x = np.random.default_rng(1).normal(size=(500, 3))
    rows = Dataset(x, x @ [1.0, 2.0, 3.0])
    history = fit(
        *([Dense(32), ReLU()], SGD(), 0.2, rows),
        loss=MeanSquaredError(),
        batch_size=None,
        epochs=5,
    )
    assert history.diagnosis is not None
    assert history.diagnosis.records[-1].loss > 10 * history.diagnosis.guessing
    assert "few steps" not in symptoms(history)


def test_a_network_that_lost_what_it_had_learned() -> None:
    rates = [1e-3] * 80 + [1.0] * 80
    history = fit([Dense(32), ReLU()], Adam(), lambda step: rates[step])  # 20 steps an epoch
    assert symptoms(history)[:2] == ["collapse", "learning rate too large"]
    assert history.diagnosis is not None
    best = min(history.diagnosis.records, key=lambda record: record.loss)
    assert best.epoch == 3
    assert sentence(history, "collapse").startswith(
        "The network has lost what it had learned: the loss on 256 training rows was "
        f"{best.loss:.4g} after epoch 4, and is "
    )
    assert "learned nothing" not in " ".join(history.notes)


def test_a_rate_that_the_schedule_lowered_names_its_epoch() -> None:
    history = fit([Dense(32), ReLU()], Adam(), InverseTimeDecay(1000.0, 1e-3))
    rate = history.records[0].learning_rate
    assert f"the learning rate, {rate:.3g} at the end of epoch 1, is too large" in (
        sentence(history, "learning rate too large")
    )


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5, 1.0])
def test_steps_that_ruined_the_weights_are_not_taken_for_large_initial_weights(rate: float) -> None:
    rows = silhouettes(2000).train
    history = fit([Dense(64), ReLU(), Dense(64), ReLU()], Adam(), rate, rows, epochs=5)
    assert symptoms(history)[:2] == ["stuck", "learning rate too large"]


def test_a_diagnosis_without_initial_norms_is_still_read() -> None:
    history = fit([Dense(32), ReLU()], Adam(), 0.5)
    assert history.diagnosis is not None
    growth = [each.growth for each in history.layers[-1].layers]
    assert (growth[0] or 0.0) > 2.0
    described = history.to_json()
    earlier = described["diagnosis"]
    assert isinstance(earlier, dict)
    del earlier["initial_norms"], earlier["held_out"]
    for record in earlier["records"]:
        for layer in record["layers"]:
            del layer["growth"]
    assert symptoms(History.from_json(described)) == symptoms(history)


@pytest.mark.parametrize(
    ("optimizer", "rate", "sign"),
    [(SGD(), 0.1, "it was"), (Adam(), 0.03, "in epoch 1 the mean training loss was")],
)
def test_a_learning_rate_at_which_little_is_learned(
    optimizer: Optimizer, rate: float, sign: str
) -> None:
    rows = silhouettes(2000).train
    history = fit([Dense(64), ReLU(), Dense(64), ReLU()], optimizer, rate, rows, epochs=5)
    assert symptoms(history) == ["learning rate too large"]
    assert sign in sentence(history, "learning rate too large")
    assert f"the learning rate, {rate}, is too large for" in history.notes[0]


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [(SGD(), 0.01), (SGD(), 0.03), (SGD(momentum=0.9), 0.01), (Adam(), 3e-4), (Adam(), 3e-3)],
)
def test_usual_learning_rates_have_no_findings(optimizer: Optimizer, rate: float) -> None:
    rows = silhouettes(2000).train
    history = fit([Dense(64), ReLU(), Dense(64), ReLU()], optimizer, rate, rows, epochs=5)
    assert history.notes == []


def test_a_slow_training_that_began_far_from_guessing_has_no_large_rate() -> None:
    x = np.random.default_rng(0).standard_normal((600, 3))
    rows = Dataset(x, 30.0 + x[:, :1])
    history = fit([Dense(16), ReLU()], SGD(), 1e-4, rows, loss=MeanSquaredError())
    assert "learning rate too large" not in symptoms(history)
