"""Wrong arguments get an error that names the right ones; obvious short forms work."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest

from handloom import (
    EMA,
    Adam,
    Checkpoints,
    CosineDecay,
    Dataset,
    Dense,
    EarlyStopping,
    Flip,
    Huber,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
    Splits,
    Trainer,
    build,
)
from handloom.data.transforms import AsFloat, Scale
from handloom.errors import HandloomError
from handloom.training import evaluate

X = np.random.default_rng(0).standard_normal((30, 4))
CLASSES = np.arange(30) % 3
DATA = Dataset(X, CLASSES)
PRICES = Dataset(X, X[:, 0])


def network(outputs: int = 3) -> Sequential:
    return Sequential([Dense(8), ReLU(), Dense(outputs)]).build((4,), seed=0)


def trainer(**options: Any) -> Trainer:
    options = {"optimizer": Adam(), "learning_rate": 1e-2, "epochs": 2, **options}
    return Trainer(network(), options.pop("optimizer"), options.pop("learning_rate"), **options)


def trained(made: Trainer, data: Dataset = DATA) -> Any:
    made.fit(data)
    return made.network.parameters.vector


HALF: Any = np.float32(0.5)
TRAINER = trainer()
WEIGHTS = trained(TRAINER).copy()
MODEL = TRAINER.model()

SHORT_FORMS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "optimizer by name": (lambda: trained(trainer(optimizer="adam")), lambda: trained(trainer())),
    "loss by name": (
        lambda: trained(Trainer(network(1), Adam(), 1e-2, loss="huber", epochs=2), PRICES),
        lambda: trained(Trainer(network(1), Adam(), 1e-2, loss=Huber(), epochs=2), PRICES),
    ),
    "transform by name": (
        lambda: trained(trainer(transform="scale")),
        lambda: trained(trainer(transform=Scale())),
    ),
    "layer by name": (
        lambda: Sequential([Dense(8), "relu", Dense(3)]).build((4,), seed=0).predict(X),
        lambda: network().predict(X),
    ),
    "layers by name in build": (
        lambda: build([Dense(8), "tanh"], 4).vector,
        lambda: Sequential([Dense(8), "tanh"]).build((4,)).parameters.vector,
    ),
    "input_shape is a size": (
        lambda: Sequential([Dense(8), ReLU(), Dense(3)]).build(4, seed=0).predict(X),
        lambda: network().predict(X),
    ),
    "input_shape is an array": (
        lambda: Sequential([Dense(8), ReLU(), Dense(3)]).build(np.array([4])).predict(X),
        lambda: network().predict(X),
    ),
    "integers of NumPy": (
        lambda: trained(
            trainer(
                epochs=np.int32(2), batch_size=np.uint8(7), seed=np.int16(3), threads=np.int8(1)
            )
        ),
        lambda: trained(trainer(epochs=2, batch_size=7, seed=3, threads=1)),
    ),
    "numbers of NumPy": (
        lambda: trained(trainer(learning_rate=np.float64(0.1), clip_norm=np.float64(0.5))),
        lambda: trained(trainer(learning_rate=0.1, clip_norm=0.5)),
    ),
    "booleans of NumPy": (
        lambda: trained(trainer(shuffle=np.False_, batch_size=7)),
        lambda: trained(trainer(shuffle=False, batch_size=7)),
    ),
    "fraction of NumPy": (
        lambda: (made := trainer()).fit(DATA, HALF) and made.network.parameters.vector,
        lambda: (made := trainer()).fit(DATA, 0.5) and made.network.parameters.vector,
    ),
}


@pytest.mark.parametrize("form", SHORT_FORMS)
def test_a_short_form_is_the_same_as_the_long_one(form: str) -> None:
    short, whole = SHORT_FORMS[form]
    assert np.array_equal(short(), whole())


def test_named_options_are_described_as_the_objects_they_stand_for() -> None:
    named = trainer(optimizer="adam", loss="softmax_cross_entropy", transform="as_float")
    whole = trainer(loss=SoftmaxCrossEntropy(), transform=AsFloat())
    assert named.options.describe() == whole.options.describe()


def images() -> Trainer:
    made = Sequential([Dense(3)]).build(36)
    trainer = Trainer(made, "adam", 1e-2, epochs=1)
    pixels = np.arange(30 * 36, dtype=np.int64).reshape(30, 6, 6) % 256
    trainer.fit(Dataset(pixels.astype(np.uint8), CLASSES))
    return trainer


IMAGES = images().model()
BYTES = np.zeros((5, 6, 6), np.uint8)

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "optimizer, capital": (lambda: trainer(optimizer="Adam"), "optimizer 'Adam'.*you mean 'adam'"),
    "optimizer, class": (
        lambda: trainer(optimizer=Adam),
        r"optimizer must be an instance, got the class Adam: pass Adam\(\)",
    ),
    "optimizer, None": (lambda: trainer(optimizer=None), "an instance of Optimizer, got None"),
    "optimizer and rate": (
        lambda: Trainer(network(), 1e-3, Adam()),  # type: ignore[arg-type]
        r"optimizer must be an instance of Optimizer, got 0\.001",
    ),
    "loss, initials": (lambda: trainer(loss="mse"), "Did you mean 'mean_squared_error'"),
    "loss, class": (lambda: trainer(loss=Huber), r"loss must be .* class Huber: pass Huber\(\)"),
    "loss, number": (lambda: trainer(loss=3), r"such as SoftmaxCrossEntropy\(\), or a name, got 3"),
    "loss of probabilities": (
        lambda: trainer(loss="categorical_cross_entropy"),
        r"loss=SoftmaxCrossEntropy\(\) is the same loss of logits",
    ),
    "layer, class": (
        lambda: Sequential([Dense(3), ReLU]),  # type: ignore[list-item]
        r"layer 1 must be an instance, got the class ReLU: pass ReLU\(\.\.\.\)",
    ),
    "layer, misspelled": (lambda: Sequential(["rely"]), "unknown layer 'rely'.* mean 'relu'"),
    "layer, options": (lambda: Sequential(["dense"]), r"required options: pass Dense\(\.\.\.\)"),
    "layer, function": (
        lambda: Sequential([np.tanh]),  # type: ignore[list-item]
        r"layer 0 must be a layer, such as Dense\(10\) or ReLU\(\), got ufunc",
    ),
    "layer, network": (
        lambda: Sequential([network()]),  # type: ignore[list-item]
        "layer 0 must be a layer, .* got Sequential",
    ),
    "layers, a layer": (
        lambda: Sequential(Dense(3)),  # type: ignore[arg-type]
        r"layers must be a sequence of layers, \[Dense\(10\), \.\.\.\], got Dense",
    ),
    "layers, a name": (lambda: Sequential("relu"), "must be a sequence of layers, .* got str"),
    "residual, misspelled": (lambda: Residual(["rely"]), "unknown layer 'rely'.* mean 'relu'"),
    "shape, text": (
        lambda: Sequential([Dense(3)]).build("784"),  # type: ignore[arg-type]
        "input_shape must be a whole number of at least 1, got '784'",
    ),
    "shape, None": (
        lambda: Sequential([Dense(3)]).build(None),  # type: ignore[arg-type]
        "input_shape must be a whole number of at least 1, got None",
    ),
    "shape, float": (
        lambda: Sequential([Dense(3)]).build((4.0,)),  # type: ignore[arg-type]
        r"a size in input_shape must be a whole number of at least 1, got 4\.0",
    ),
    "dtype, unknown": (
        lambda: Sequential([Dense(3)]).build(4, dtype="float33"),
        "dtype must be float32 or float64, got 'float33'",
    ),
    "network, layers": (
        lambda: Trainer([Dense(3)], Adam(), 1e-3),  # type: ignore[arg-type]
        "network must be an instance of Sequential, got",
    ),
    "network, model": (
        lambda: Trainer(MODEL, Adam(), 1e-3),  # type: ignore[arg-type]
        "network must be an instance of Sequential, got Model$",
    ),
    "loss of continuous targets": (
        lambda: trainer(loss="huber").fit(DATA),
        r"Huber takes continuous targets, and those of unnamed are classes: .*astype\('float32'\)",
    ),
    "network, not built": (
        lambda: Trainer(Sequential([Dense(3)]), Adam(), 1e-3).fit(DATA),
        r"build the network first: network\.build\(\(4,\), seed=0\)",
    ),
    "summary, not built": (lambda: Sequential([Dense(3)]).summary(), "build the network first"),
    "predict, not built": (lambda: Sequential([Dense(3)]).predict(X), "build the network first"),
    "fit(x, y)": (
        lambda: TRAINER.fit(X, CLASSES),  # type: ignore[arg-type]
        r"train must be a Dataset, got ndarray: write trainer\.fit\(Dataset\(inputs, targets\)\)",
    ),
    "fit(frame, series)": (
        lambda: TRAINER.fit(pd.DataFrame(X), pd.Series(CLASSES)),
        r"train must be a Dataset, got DataFrame: write trainer\.fit\(Dataset",
    ),
    "fit(data, y)": (
        lambda: TRAINER.fit(DATA, CLASSES),  # type: ignore[arg-type]
        r"validation must be a Dataset, got ndarray: .* class_names=train\.class_names\), or a fr",
    ),
    "fit(splits)": (
        lambda: TRAINER.fit(Splits(DATA, DATA)),  # type: ignore[arg-type]
        r"train must be a Dataset, got Splits, .*: pass splits\.train",
    ),
    "fit(train, splits)": (
        lambda: TRAINER.fit(DATA, Splits(DATA, DATA)),  # type: ignore[arg-type]
        r"validation must be a Dataset, got Splits, .*: pass splits\.test",
    ),
    "fit(Dataset)": (
        lambda: TRAINER.fit(Dataset),  # type: ignore[arg-type]
        "train must be a Dataset, got the class Dataset",
    ),
    "validation, pair": (
        lambda: TRAINER.fit(DATA, (X, CLASSES)),  # type: ignore[arg-type]
        r"validation must be a Dataset, got tuple: write validation=Dataset\(inputs, targets",
    ),
    "validation, text": (
        lambda: TRAINER.fit(DATA, "0.2"),  # type: ignore[arg-type]
        "validation must be a Dataset, got str",
    ),
    "validation, switch": (lambda: TRAINER.fit(DATA, True), "hold out must be .* got True"),
    "warm, trainer": (
        lambda: TRAINER.fit(DATA, warm=TRAINER),  # type: ignore[arg-type]
        r"warm must be a TrainingState, got a Trainer: pass its \.state",
    ),
    "evaluate(network)": (
        lambda: evaluate(network(), DATA),  # type: ignore[arg-type]
        r"model must be a Model, got Sequential: pass trainer\.model\(\)",
    ),
    "evaluate(trainer)": (
        lambda: evaluate(TRAINER, DATA),  # type: ignore[arg-type]
        r"model must be a Model, got Trainer: pass trainer\.model\(\)",
    ),
    "evaluate(model, x)": (
        lambda: evaluate(MODEL, X),  # type: ignore[arg-type]
        r"data must be a Dataset, got ndarray: write Dataset\(.* class_names=model\.class_names\)",
    ),
    "evaluate(model, splits)": (
        lambda: evaluate(MODEL, Splits(DATA, DATA)),  # type: ignore[arg-type]
        r"data must be a Dataset, got Splits, .* pass splits\.test",
    ),
    "one image": (
        lambda: IMAGES.predict(BYTES[0]),
        r"inputs must hold rows of shape \(6, 6\), got a single row: pass inputs\[None\]",
    ),
    "images of float": (
        lambda: IMAGES.predict(BYTES / 255),
        r"rows must be uint8, .*, got float64: .* pass numpy\.asarray\(inputs, 'uint8'\)",
    ),
    "bytes for floats": (
        lambda: MODEL.predict(np.zeros((5, 4), np.uint8)),
        r"rows must be float64, .*, got uint8: .* pass numpy\.asarray\(inputs, 'float64'\)",
    ),
    "augment, no list": (lambda: trainer(augment=Flip()), r"got Flip.*: pass augment=\[\.\.\.\]"),
    "augment, names": (lambda: trainer(augment=["flip"]), r"such as Flip\(\), got 'flip'"),
    "augment, name": (lambda: trainer(augment="flip"), "sequence of augmentations, got 'flip'"),
    "augment, class": (lambda: trainer(augment=[Flip]), r"got the class Flip: pass Flip\(\)"),
    "transform, name": (lambda: trainer(transform="scal"), "'scal'.*Did you mean 'scale'"),
    "transform, class": (lambda: trainer(transform=Scale), r"the class Scale: pass Scale\(\)"),
    "transform, function": (lambda: trainer(transform=np.sqrt), "with a method to_config, got"),
    "callbacks, no list": (
        lambda: trainer(callbacks=EarlyStopping()),
        r"callbacks must be a sequence of Callback objects, .*: pass callbacks=\[\.\.\.\]",
    ),
    "rate, text": (lambda: trainer(learning_rate="0.1"), "learning_rate must be .* got '0.1'"),
    "rate, None": (lambda: trainer(learning_rate=None), "learning_rate must be .* got None"),
    "rate, list": (lambda: trainer(learning_rate=[0.1]), r"learning_rate must be .* got \[0\.1\]"),
    "rate, class": (
        lambda: trainer(learning_rate=CosineDecay),
        "learning_rate must be an instance, got the class CosineDecay",
    ),
    "rate, schedule of text": (
        lambda: trainer(learning_rate=lambda step: "a").fit(DATA),
        "the learning rate of the schedule at step 0 must be a finite number .* got 'a'",
    ),
    "epochs, float": (lambda: trainer(epochs=5.0), r"epochs must be a whole number .* got 5\.0"),
    "epochs, text": (lambda: trainer(epochs="5"), "epochs must be a whole number .* got '5'"),
    "batch_size, text": (lambda: trainer(batch_size="32"), "batch_size must be .* got '32'"),
    "clip_norm, text": (lambda: trainer(clip_norm="1"), "clip_norm must be .* got '1'"),
    "shuffle, number": (lambda: trainer(shuffle=1), "shuffle must be True or False, got 1"),
    "backend, list": (lambda: trainer(backend=[]), r"unknown backend \[\]; known are: auto"),
    "on_signal, None": (lambda: trainer(on_signal=None), "unknown on_signal None; known are"),
    "average, class": (lambda: trainer(average=EMA), r"got the class EMA: pass EMA\(\)"),
    "average, number": (lambda: trainer(average=0.9), r"average must be an instance of EMA, got 0"),
    "checkpoints, folder": (
        lambda: trainer(checkpoints="a"),
        "an instance of Checkpoints, got 'a'",
    ),
    "checkpoints, class": (lambda: trainer(checkpoints=Checkpoints), "got the class Checkpoints"),
    "integers for regression": (
        lambda: Trainer(network(1), Adam(), 1e-3, loss="huber").fit(DATA),
        r"integers are classes: for continuous targets pass targets\.astype\('float32'\)",
    ),
    "floats for classes": (
        lambda: TRAINER.fit(Dataset(X, CLASSES.astype(float), ["a"])),
        "the network's output must have shape",
    ),
    "no loss for floats": (
        lambda: Trainer(network(1), Adam(), 1e-3).fit(PRICES),
        r"loss must be set .* if they are classes, pass integers: targets\.astype\(int\)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_gets_an_error_of_ours(case: str) -> None:
    act, message = WRONG[case]
    with pytest.raises(HandloomError, match=message):
        act()
    assert np.array_equal(TRAINER.network.parameters.vector, WEIGHTS)


def test_an_object_that_only_looks_like_a_dataset_is_refused() -> None:
    like = SimpleNamespace(inputs=X, targets=CLASSES, class_names=("0", "1", "2"))
    with pytest.raises(HandloomError, match="train must be a Dataset, got SimpleNamespace"):
        TRAINER.fit(like)  # type: ignore[arg-type]
