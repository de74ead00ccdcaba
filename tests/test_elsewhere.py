"""Names of other libraries get the spelling here, on every object that is used like theirs."""

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from handloom import (
    SGD,
    Adam,
    CategoricalCrossEntropy,
    DataError,
    Dataset,
    Dense,
    DivergenceWarning,
    MeanSquaredError,
    ModelError,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    Trainer,
    check_gradients,
    fashion_mnist,
    plots,
    report,
    silhouettes,
)
from handloom.data.transforms import AsFloat
from handloom.errors import ConfigurationError, HandloomError
from handloom.layers import softmax

SPLITS: Any = silhouettes(rows=200, test_rows=50)
ROWS: Any = SPLITS.train
NETWORK: Any = Sequential([Dense(8), ReLU(), Dense(10)]).build((784,), seed=0)
TRAINER: Any = Trainer(NETWORK, Adam(), 1e-3, epochs=1, batch_size=100, diagnose=False)
HISTORY: Any = TRAINER.fit(ROWS)
MODEL: Any = TRAINER.model()
UNBUILT: Any = Dense(3)
LAYER: Any = NETWORK[0]


class NotInitialized(ReLU):
    def __init__(self) -> None:
        self.size = 3


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "model.summary": (lambda: MODEL.summary(""), r"print\(model\.network\)"),
    "model.fit": (lambda: MODEL.fit(0, 0), r"trainer\.fit\(Dataset\(inputs, targets\)\)"),
    "model.evaluate": (lambda: MODEL.evaluate(ROWS), r"handloom\.evaluate\(model, "),
    "model.score": (lambda: MODEL.score(0, 0), r"handloom\.evaluate\(model, "),
    "model.predict_classes": (lambda: MODEL.predict_classes(0), r"argmax\(axis=1\)"),
    "model.weights": (lambda: MODEL.weights, r"model\.network\.get_weights\(\)"),
    "model.layers": (lambda: MODEL.layers, r"model\.network\.layers"),
    "model.transform(x)": (
        lambda: MODEL.transform(ROWS.inputs),
        r"'out': write model\.predict\(rows\), .* or model\.transform\(rows, out\)",
    ),
    "AsFloat(x)": (lambda: _any(AsFloat())(ROWS.inputs), r"write model\.predict\(rows\)"),
    "report(network)": (
        lambda: _any(report)(NETWORK),
        r"'data': write report\(trainer\.model\(\), data, history\)",
    ),
    "report(network, data)": (lambda: _any(report)(NETWORK, ROWS), r"pass trainer\.model\(\)"),
    "report(trainer, data)": (
        lambda: _any(report)(TRAINER, ROWS),
        r"got Trainer: pass trainer\.mod",
    ),
    "plots.history(trainer)": (
        lambda: _any(plots.history)(TRAINER),
        r"Trainer: pass its \.history",
    ),
    "model()": (lambda: MODEL(0), r"Model is not called: write model\.predict\(inputs\)"),
    "trainer.predict": (lambda: TRAINER.predict(0), r"trainer\.model\(\)\.predict\(inputs\)"),
    "trainer.evaluate": (lambda: TRAINER.evaluate(ROWS), r"evaluate\(trainer\.model\(\)"),
    "history.history": (lambda: HISTORY.history, r'history\["loss"\]'),
    "history.loss": (lambda: HISTORY.loss, r'write history\["loss"\]'),
    "history.keys": (lambda: HISTORY.keys(""), r"write history\.columns"),
    "history.to_frame": (lambda: HISTORY.to_frame(""), r"pandas\.DataFrame\("),
    "network.weights": (lambda: NETWORK.weights, r"network\.get_weights\(\)"),
    "network()": (lambda: NETWORK(0), r"Sequential is not called: write network\.predict"),
    "network.zero_grad": (lambda: NETWORK.zero_grad(""), "overwrites the gradients"),
    "layer.W": (lambda: LAYER.W, r'layer\.weights\["weights"\]'),
    "layer.kernel": (lambda: LAYER.kernel, r'layer\.weights\["weights"\]'),
    "layer.bias": (lambda: LAYER.bias, r'layer\.weights\["biases"\]'),
    "layer.weights.shape": (lambda: LAYER.weights.shape, r'write \["weights"\] first'),
    "layer.weights by another name": (lambda: LAYER.weights["W"], "Did you mean 'weights'"),
    "weights by a number": (lambda: NETWORK.get_weights()[0], r"list\(weights\.values\(\)\)"),
    "an unbuilt layer": (lambda: UNBUILT.weights["weights"], r"network\.build\("),
    "fit(validation_split)": (lambda: TRAINER.fit(ROWS, validation_split=0.1), r"validation=0\.1"),
    "fit(validation_data)": (lambda: TRAINER.fit(ROWS, validation_data=ROWS), "validation=dataset"),
    "fit(epochs)": (lambda: TRAINER.fit(ROWS, epochs=3), "option of the trainer"),
    "fit(verbose)": (lambda: TRAINER.fit(ROWS, verbose=1), r"callbacks=\[Progress\(\)\]"),
    "fit misspelled": (lambda: TRAINER.fit(ROWS, resum=True), "Did you mean 'resume'"),
    "Trainer(decay)": (lambda: _trainer(decay=1e-3), r"InverseTimeDecay\("),
    "Trainer(validation)": (lambda: _trainer(validation=0.1), "an argument of fit"),
    "Adam(decay)": (lambda: _any(Adam)(decay=1e-3), r"InverseTimeDecay\(.*weight_decay$"),
    "SGD(decay)": (lambda: _any(SGD)(decay=1e-3), "an argument of Trainer"),
    "Dense(l2)": (lambda: _any(Dense)(3, l2=1e-3), "It is called 'weights_l2' here"),
    "dataset.x": (lambda: ROWS.x, r"write data\.inputs"),
    "dataset.labels": (lambda: ROWS.labels, r"write data\.targets"),
    "dataset[0]": (lambda: ROWS[0], r"data\.take\(slice\(0, 5\)\)"),
    "x, y = dataset": (lambda: list(ROWS), r"write data\.inputs and data\.targets"),
    "fashion_mnist(train)": (lambda: fashion_mnist("train"), r"fashion_mnist\(\)\.train"),
    "images for Dense": (
        lambda: Sequential([Dense(3)]).build((28, 28, 1)),
        r"put Flatten\(\) in front of it .* network\.build\(\(784,\)\)",
    ),
    "gradients of a dataset": (lambda: check_gradients(NETWORK, ROWS), r"got Dataset: .*\.inputs"),
    "gradients of a layer that is not initialized": (
        lambda: check_gradients(NotInitialized(), [[0.0]]),
        r"'weights': its __init__ must call super\(\)\.__init__\(\) first",
    ),
    "gradients of a model": (lambda: check_gradients(MODEL, [[0.0]]), "pass its network"),
}


def _any(class_: Any) -> Any:
    return class_


def _trainer(**options: Any) -> Any:
    return _any(Trainer)(NETWORK, Adam(), 1e-3, **options)


@pytest.mark.parametrize("case", WRONG)
def test_a_name_of_another_library_gets_the_one_here(case: str) -> None:
    act, message = WRONG[case]
    with pytest.raises(HandloomError, match=message):
        act()


def test_they_are_the_errors_of_python_too() -> None:
    for value in (MODEL, TRAINER, HISTORY, LAYER, ROWS):
        assert not hasattr(value, "anything")
        with pytest.raises(AttributeError, match=r"has no attribute 'anything'$"):
            _ = value.anything
    with pytest.raises(KeyError):
        LAYER.weights["W"]
    with pytest.raises(TypeError):
        MODEL(0)
    with pytest.raises(TypeError):
        TRAINER.fit(ROWS, epochs=3)
    assert LAYER.weights.get("W") is None


def test_copies_and_pickles_work_as_before() -> None:
    for value in (HISTORY, LAYER, ROWS, SPLITS, NETWORK.get_weights()):
        assert type(copy.deepcopy(value)) is type(value)
        assert type(pickle.loads(pickle.dumps(value))) is type(value)  # noqa: S301


def test_a_history_has_its_columns_and_its_records() -> None:
    assert "loss" in HISTORY
    assert "val_loss" not in HISTORY
    assert HISTORY.records[0] in HISTORY


def test_splits_are_unpacked() -> None:
    train, test = SPLITS
    assert train is SPLITS.train
    assert test is SPLITS.test


def test_a_diverged_training_is_noted_first_and_its_step_is_shown() -> None:
    network = Sequential([Dense(8), ReLU(), Dense(10)]).build((784,), seed=0)
    with pytest.warns(DivergenceWarning) as caught:
        history = Trainer(network, SGD(), 1e30, epochs=3, batch_size=50).fit(ROWS)
    assert caught[0].filename == __file__
    assert history.divergence is not None
    assert history.notes[0] == str(history.divergence)
    assert history.notes.count(str(history.divergence)) == 1
    step = f"in epoch {history.divergence.epoch + 1} at step {history.divergence.step + 1}"
    assert step in repr(history)
    assert step in history._repr_html_()


@pytest.mark.parametrize(
    ("rows", "advice"),
    [
        (ROWS.inputs / 255, r"0 to 1, not 0 to 255: pass numpy\.rint\(255 \* inputs\)"),
        (ROWS.inputs / 127.5 - 1, "-1 to 1, are scaled already: pass the stored rows"),
        (ROWS.inputs.astype(float), r"if only the dtype differs, pass numpy\.asarray"),
        (ROWS.inputs.reshape(-1, 784), r"pass inputs\.reshape\(-1, 28, 28\)$"),
        (ROWS.inputs[..., None], r"pass inputs\.reshape\(-1, 28, 28\)$"),
        (ROWS.inputs.reshape(-1, 14, 56), r"got shape \(14, 56\)$"),
    ],
)
def test_rows_that_are_not_as_in_training(rows: Any, advice: str) -> None:
    with pytest.raises(ModelError, match=advice):
        MODEL.predict(rows)


def test_stored_rows_for_a_model_of_divided_ones() -> None:
    train = Dataset(ROWS.inputs / 255, ROWS.targets, ROWS.class_names)
    network = Sequential([Dense(10)]).build((784,), seed=0)
    trainer = Trainer(network, Adam(), 1e-3, epochs=1, diagnose=False)
    with pytest.raises(DataError, match="pass inputs / 255 if the training rows were"):
        trainer.fit(train, SPLITS.test)


def test_probabilities_in_place_of_logits() -> None:
    logits = NETWORK.predict(ROWS.inputs.reshape(-1, 784) / 255)
    probabilities = softmax(logits)
    with pytest.warns(UserWarning, match="use CategoricalCrossEntropy"):
        SoftmaxCrossEntropy()(probabilities, ROWS.targets)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SoftmaxCrossEntropy()(logits, ROWS.targets)
        CategoricalCrossEntropy()(probabilities, ROWS.targets)
        SoftmaxCrossEntropy()(probabilities, ROWS.targets, total_weight=1.0)


def test_one_hot_rows_of_floats_are_named() -> None:
    one_hot = Dataset(ROWS.inputs, np.eye(10)[ROWS.targets])
    with pytest.raises(ConfigurationError, match=r"one-hot rows .* targets\.argmax\(axis=1\)"):
        TRAINER.fit(one_hot)
    several = Dataset(ROWS.inputs, np.minimum(np.eye(10)[ROWS.targets] + np.eye(10)[0], 1.0))
    with pytest.raises(ConfigurationError, match="loss must be set"):
        TRAINER.fit(several)
    network = Sequential([Dense(10)]).build((784,), seed=0)
    assert len(Trainer(network, Adam(), 1e-3, epochs=1, loss=MeanSquaredError()).fit(one_hot)) == 1
