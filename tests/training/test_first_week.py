"""Mistakes of a first week: refused, or named before the training."""

from typing import Any

import numpy as np
import pytest

from handloom import (
    EMA,
    SGD,
    Adam,
    BinaryCrossEntropy,
    Callback,
    ConfigurationError,
    CosineDecay,
    DataError,
    Dataset,
    Dense,
    DivergenceWarning,
    Dropout,
    Layer,
    LinearDecay,
    MeanSquaredError,
    ModelError,
    OneCycle,
    Poisson,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    StepDecay,
    StopReason,
    Tanh,
    Trainer,
    Warmup,
)
from handloom.data import AsFloat
from handloom.schedules import ExponentialDecay, Schedule
from handloom.training import History, TrainingState

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
CLASSES = np.arange(60) % 3
ROWS = Dataset(RNG.standard_normal((60, 4)), CLASSES)


def network(outputs: int = 3, inputs: int = 4) -> Sequential:
    return Sequential([Dense(8), ReLU(), Dense(outputs)]).build((inputs,))


@pytest.mark.parametrize("bytes_first", [True, False])
def test_validation_rows_that_are_scaled_differently_are_refused(bytes_first: bool) -> None:
    stored, scaled = Dataset(IMAGES, CLASSES), Dataset(IMAGES / 255.0, CLASSES)
    train, validation = (stored, scaled) if bytes_first else (scaled, stored)
    names = ("uint8", "float64") if bytes_first else ("float64", "uint8")
    message = f"must be {names[0]}, as the training rows, got {names[1]}: prepare them in the same"
    with pytest.raises(DataError, match=message):
        Trainer(network(inputs=48), Adam(), 0.01, epochs=1).fit(train, validation)


def test_validation_rows_of_another_shape_are_refused() -> None:
    train = Dataset(IMAGES, CLASSES, channels_last=True)
    with pytest.raises(
        DataError, match=r"shape \(3, 4, 4\), as the training rows, got \(4, 4, 3\)"
    ):
        Trainer(network(inputs=48), Adam(), 0.01, epochs=1).fit(train, Dataset(IMAGES, CLASSES))


def fit(data: Dataset, *layers: Layer, rate: float | Schedule = 0.01, **options: Any) -> History:
    made = Sequential(layers or [Dense(8), ReLU(), Dense(3)]).build(data.inputs[0].size)
    options = {"epochs": 10, "batch_size": 10, **options}
    return Trainer(made, Adam(), rate, **options).fit(data)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (CosineDecay(0.01, 10), "CosineDecay ends after 10 of 60 steps: steps counts optimizer st"),
        (LinearDecay(0.01, 10), "LinearDecay ends after 10 of 60 steps"),
        (OneCycle(0.01, 10), "OneCycle ends after 10 of 60 steps"),
        (Warmup(5, CosineDecay(0.01, 10)), "CosineDecay ends after 15 of 60 steps"),
        (StepDecay(0.01, 3), "StepDecay has divided the .* than 1,000,000 after 21 of 60 steps"),
        (Warmup(5, StepDecay(0.01, 3)), "StepDecay has .* after 26 of 60 steps: every counts opt"),
        (ExponentialDecay(0.01, 0.5), "ExponentialDecay has .* after 20 of 60 steps: factor is"),
    ],
)
def test_a_schedule_in_epochs_is_named_before_the_training(rate: Schedule, message: str) -> None:
    with pytest.warns(UserWarning, match=message) as caught:
        history = fit(ROWS, rate=rate)
    assert [str(each.message) for each in caught] == history.notes[:1]
    assert [each.filename for each in caught] == [__file__]


@pytest.mark.parametrize(
    "rate",
    [
        CosineDecay(0.01, 60),
        OneCycle(0.01, 40),
        Warmup(10, LinearDecay(0.01, 50)),
        StepDecay(0.01, 20),
        ExponentialDecay(0.01, 0.9),
        Warmup(70, StepDecay(0.01, 1)),
    ],
)
def test_a_schedule_in_steps_gets_no_remark(rate: Schedule) -> None:
    assert not [note for note in fit(ROWS, rate=rate).notes if "optimizer steps" in note]


@pytest.mark.filterwarnings("ignore:.* optimizer steps, not epochs")
@pytest.mark.parametrize("rate", [StepDecay(1e-3, 1, 1e-4), CosineDecay(1e-9, 20)])
def test_no_finding_says_to_try_a_learning_rate_of_0(rate: Schedule) -> None:
    notes = fit(ROWS, rate=rate, epochs=20).notes
    assert "has learned nothing" in " ".join(notes)
    assert not [note for note in notes if "learning rate, 0," in note or "try 0" in note]


def test_a_softmax_of_a_single_output_is_refused() -> None:
    data = Dataset(ROWS.inputs, (CLASSES == 0).astype(np.float32))
    with pytest.raises(ConfigurationError, match=r"needs two outputs or more.*BinaryCrossEntropy"):
        fit(data, Dense(1), loss=SoftmaxCrossEntropy())
    assert fit(data, Dense(1), loss=BinaryCrossEntropy()).records[-1].loss > 0.0


def test_a_second_fit_says_that_it_repeats_the_first() -> None:
    made = Sequential([Dense(8), ReLU(), Dropout(0.1), Dense(3)]).build((4,))
    trainer = Trainer(made, Adam(), 0.01, epochs=1, batch_size=10)
    assert trainer.fit(ROWS).notes == []
    with pytest.warns(UserWarning, match="and the optimizer starts over") as caught:
        history = trainer.fit(ROWS)
    assert [str(each.message) for each in caught] == history.notes
    with pytest.warns(UserWarning, match="those of the first fit. Make a trainer with another"):
        trainer.fit(ROWS, warm=trainer.state)
    other = Trainer(made, Adam(), 0.01, epochs=1, batch_size=10, seed=1)
    assert other.fit(ROWS, warm=trainer.state).notes == []
    made.build((4,), seed=5)
    assert trainer.fit(ROWS).notes == []  # other weights


def test_images_of_0_and_1_are_named() -> None:
    ones = IMAGES[..., 0] // 128
    masks = Dataset(ones, CLASSES)
    with pytest.warns(UserWarning, match=r"largest value of the uint8 images is 1.*AsFloat\(\)"):
        assert "multiply the images by 255" in fit(masks).notes[0]
    assert fit(masks, transform=AsFloat()).notes == []
    assert fit(Dataset(ones * np.uint8(255), CLASSES)).notes == []


TARGETS = Dataset(ROWS.inputs, np.linspace(-3.0, 5.0, 60))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (ReLU(), "ends in ReLU, whose outputs are at least 0, and the targets are between -3 and"),
        (Sigmoid(), "Sigmoid, whose outputs are between 0 and 1, and the targets are between -3 a"),
        (Tanh(), "Tanh, whose outputs are between -1 and 1, and the targets are between -3 and 5"),
    ],
)
def test_targets_that_the_last_layer_cannot_output_are_named(layer: Layer, message: str) -> None:
    with pytest.warns(UserWarning, match=message):
        fit(TARGETS, Dense(1), layer, loss=MeanSquaredError(), epochs=1)


def test_targets_that_the_last_layer_can_output_get_no_remark() -> None:
    unit = Dataset(ROWS.inputs, np.linspace(0.0, 1.0, 60))
    shares = Dataset(ROWS.inputs, np.eye(3)[CLASSES])
    assert fit(unit, Dense(1), Sigmoid(), loss=MeanSquaredError(), epochs=1).notes == []
    assert fit(unit, Dense(1), Sigmoid(), loss=BinaryCrossEntropy(), epochs=1).notes == []
    assert fit(shares, Dense(3), Softmax(), loss=MeanSquaredError(), epochs=1).notes == []
    assert fit(unit, Dense(1), loss=Poisson(), epochs=1).notes == []


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_step_end"])
@pytest.mark.parametrize("again", ["freeze", "build"])
def test_freezing_during_a_training_is_refused(hook: str, again: str) -> None:
    class Change(Callback):
        pass

    def change(*, state: TrainingState, **_: Any) -> None:
        if again == "freeze":
            state.network.freeze("0.dense")
        else:
            state.network.build((4,), seed=1)

    setattr(Change, hook, staticmethod(change))
    with pytest.raises(ModelError, match="frozen or built again during the training"):
        fit(ROWS, callbacks=[Change()], average=EMA())


def test_a_network_of_frozen_layers_is_refused() -> None:
    made = network().freeze("0.dense", "2.dense")
    with pytest.raises(ModelError, match="no trainable weights: every layer is frozen"):
        Trainer(made, Adam(), 0.01, epochs=1).fit(ROWS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_input_that_became_nan_is_named_and_not_the_learning_rate(value: float) -> None:
    inputs = np.random.default_rng(0).standard_normal((60, 4))
    data = Dataset(inputs, CLASSES)
    data.inputs[5] = value
    with pytest.warns(DivergenceWarning, match="Rows of the inputs are NaN or infinite") as caught:
        fit(data)
    assert "learning rate usually" not in str(caught[0].message)


def test_outputs_that_overflow_with_finite_weights_are_a_note() -> None:
    layers = [Dense(128), ReLU(), Dense(128), ReLU(), Dense(3)]
    made = Sequential(layers).build((4,))
    history = Trainer(made, SGD(), 1e9, epochs=2).fit(ROWS)
    assert history.divergence is None
    assert "rows is not finite, although the weights are" in history.notes[-1]
    assert sum("not finite" in note for note in history.notes) == 1


def test_a_last_validation_loss_that_is_not_finite_is_a_note_without_a_diagnosis() -> None:
    made = Sequential([Dense(5), ReLU(), Dense(3)]).build((4,))
    rates = {5: 1e20}  # the last step: later rows overflow, the weights do not
    history = Trainer(
        made, SGD(), lambda step: rates.get(step, 0.1), epochs=2, batch_size=20, diagnose=False
    ).fit(ROWS, Dataset(ROWS.inputs.astype(np.float64) + 1.0, CLASSES))
    assert history.stop_reason is StopReason.MAX_EPOCHS
    (note,) = history.notes
    assert "after epoch 2 the validation loss is not finite, although the weights are" in note
