"""The text of every public object in a notebook: short, without addresses and arrays."""

import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handloom
from handloom import Dense, ReLU, Sequential
from handloom.data.transforms import AsFloat, Scale
from handloom.parameters import Parameters
from handloom.training import RunDescription, RunFolder

LONGEST = 500

ROWS = np.random.default_rng(0).standard_normal((3000, 20)).astype(np.float32)


@cache
def splits() -> handloom.Splits:
    return handloom.silhouettes(rows=60, test_rows=20)


@cache
def trainer() -> handloom.Trainer:
    network = Sequential([Dense(40), ReLU(), Dense(10)]).build((784,))
    made = handloom.Trainer(network, handloom.Adam(), 1e-3, epochs=2, batch_size=20)
    made.fit(splits().train, 0.2)
    return made


def regression() -> object:
    data = handloom.Dataset(ROWS, ROWS[:, :2])
    network = Sequential([Dense(2)]).build((20,))
    made = handloom.Trainer(network, handloom.SGD(), 0.1, epochs=1, loss="mean_squared_error")
    made.fit(data)
    return handloom.evaluate(made.model(), data)


def of_table() -> tuple[handloom.Model, handloom.Dataset]:
    data = handloom.moons(rows=20, test_rows=4).train
    network = Sequential([Dense(2)]).build((2,), seed=0)
    trainer = handloom.Trainer(network, handloom.Adam(), 0.01, epochs=1)
    trainer.fit(data)
    return trainer.model(), data


class OwnLayer(handloom.Layer):
    """A layer without a configuration."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Any, **_: Any) -> Any:
        return x

    def backward(self, dy: Any, **_: Any) -> Any:
        return dy


class OwnCallback(handloom.Callback):
    """A callback whose configuration fails."""

    def config(self) -> dict[str, object]:
        raise RuntimeError("mine")


MADE: dict[str, Callable[[], object]] = {
    "Dataset": lambda: splits().train,
    "Splits": splits,
    "ImagePrediction": lambda: trainer().model().predict_image(splits().test.inputs[0]),
    "Layer": lambda: OwnLayer(3),
    "Callback": OwnCallback,
    "Dense": lambda: Dense(3, weights="glorot", biases_l2=0.1),
    "Conv2D": lambda: handloom.Conv2D(8, 3, padding="same"),
    "MaxPool2D": lambda: handloom.MaxPool2D(2),
    "AveragePool2D": lambda: handloom.AveragePool2D(2),
    "Reshape": lambda: handloom.Reshape((1, 28, 28)),
    "Embedding": lambda: handloom.Embedding({0: 12}),
    "Residual": lambda: handloom.Residual([Dense(3), ReLU()], [Dense(3)]),
    "Pinball": lambda: handloom.Pinball([0.1, 0.9]),
    "Model": lambda: trainer().model(),
    "Sequential": lambda: trainer().network,
    "Report": lambda: handloom.report(trainer().model(), splits().test),
    "Constant": lambda: handloom.Constant(0.1),
    "CosineDecay": lambda: handloom.CosineDecay(0.1, 10),
    "ExponentialDecay": lambda: handloom.ExponentialDecay(0.1, 0.9),
    "InverseTimeDecay": lambda: handloom.InverseTimeDecay(0.1, 0.1),
    "LinearDecay": lambda: handloom.LinearDecay(0.1, 10),
    "OneCycle": lambda: handloom.OneCycle(0.1, 10),
    "StepDecay": lambda: handloom.StepDecay(0.1, 10),
    "Warmup": lambda: handloom.Warmup(10, handloom.CosineDecay(0.1, 10)),
    "Checkpoints": lambda: handloom.Checkpoints("kept"),
    "History": lambda: trainer().history,
    "StopReason": lambda: handloom.StopReason.MAX_EPOCHS,
    "Trainer": trainer,
    "BestModel": lambda: handloom.BestModel("best"),
    "CSVLog": lambda: handloom.CSVLog("log.csv"),
    "GridPredictions": lambda: handloom.GridPredictions(handloom.moons(rows=20, test_rows=4).train),
    "TensorBoardLog": lambda: handloom.TensorBoardLog("logs"),
    "TimeLimit": lambda: handloom.TimeLimit(60),
    "Walkthrough": lambda: handloom.walkthrough(
        trainer().network, np.ones((2, 784)), [0, 1], optimizer="adam"
    ),
    # results and parts of them, which have no name of their own
    "a state": lambda: trainer().state,
    "options": lambda: trainer().options,
    "an evaluation": lambda: handloom.evaluate(trainer().model(), splits().test),
    "an evaluation of a regression": regression,
    "a network that is not built": lambda: Sequential([Dense(3), ReLU()]),
    "parameters": lambda: trainer().network.parameters,
    "weights": lambda: trainer().network.parameters.weights,
    "copied weights": lambda: Sequential([Dense(3)]).build((4,)).get_weights(),
    "activations": lambda: trainer().network.activations(np.zeros((4, 784))),
    "a transform": Scale,
    "another transform": AsFloat,
    "a gradient check": lambda: handloom.check_gradients(Dense(3), np.ones((2, 3))),
    "an importance": lambda: handloom.permutation_importance(*of_table()),
    "a dependence": lambda: handloom.partial_dependence(*of_table(), "x1"),
    "a run folder": lambda: RunFolder("run", RunDescription({}, "moons", None, 1)),
}
"""Objects by the names of their classes; classes that need no argument are left out."""


def classes() -> list[str]:
    return [n for n in handloom.__all__ if inspect.isclass(getattr(handloom, n))]


def made(name: str) -> object:
    return MADE[name]() if name in MADE else getattr(handloom, name)()


@pytest.mark.parametrize("name", dict.fromkeys([*classes(), *MADE]))
def test_every_public_object_is_shown_by_a_short_text(name: str) -> None:
    text = repr(made(name))
    assert " object at 0x" not in text
    assert "array([" not in text
    assert 0 < len(text) <= LONGEST, text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Dense(3), "Dense(3)"),
        (Dense(3, weights="glorot", biases_l2=0.1), "Dense(3, weights='glorot', biases_l2=0.1)"),
        (handloom.Dropout(0.25), "Dropout(rate=0.25)"),
        (handloom.Residual([Dense(3), ReLU()]), "Residual([Dense(3), ReLU()])"),
        (handloom.Adam(beta1=0.8), "Adam(beta1=0.8)"),
        (handloom.Huber(), "Huber()"),
        (handloom.EMA(0.9), "EMA(decay=0.9)"),
        (handloom.EarlyStopping(patience=3), "EarlyStopping(patience=3)"),
        (
            handloom.ReduceOnPlateau("mine", goal="high"),
            "ReduceOnPlateau(monitor='mine', goal='high')",
        ),
        (handloom.Progress("mine"), "Progress(label='mine')"),
        (handloom.TimeLimit(60), "TimeLimit(60.0)"),
        (handloom.MLflowLog(tags={"of": "me"}), "MLflowLog(tags={'of': 'me'})"),
        (handloom.TensorBoardLog("/a", histograms=2), "TensorBoardLog('/a', histograms=2)"),
        (OwnLayer(3), "OwnLayer(3)"),
        (OwnCallback(), "OwnCallback()"),
        (handloom.BestModel("/a/\x1b"), r"BestModel('/a/\x1b')"),
    ],
)
def test_parts_are_shown_as_the_call_that_makes_them(value: object, text: str) -> None:
    assert repr(value) == text


def test_data_and_results_are_shown_by_shapes_and_figures() -> None:
    assert repr(splits().train) == "Dataset('silhouettes', 60 rows of uint8 (28, 28), 10 classes)"
    assert repr(handloom.Dataset(ROWS, ROWS[:, :1])) == (
        "Dataset('unnamed', 3,000 rows of float32 (20,), 1 output)"
    )
    history = repr(trainer().history)
    assert history.startswith("History(all 2 epochs done; loss 2.")
    assert repr(handloom.History()) == "History(0 epochs done so far)"
    model = repr(trainer().model())
    assert model.startswith("Model(3 layers, (784,) -> (10,), 31,810 parameters; Scale of uint8")
    assert repr(trainer()).endswith("Adam(), 0.001, epochs=2, batch_size=20; all 2 epochs done)")
    assert repr(Parameters({})) == "Parameters(0 float32 weights in 0 arrays)"
    assert "20 rows, loss=" in repr(handloom.evaluate(trainer().model(), splits().test))


def test_a_loaded_run_says_what_is_there(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", RunDescription({}, "moons", None, 1))
    assert repr(run) == f"RunFolder({str(tmp_path / 'run')!r})"
    run.write_description()
    run.write_history(trainer().history)
    assert repr(handloom.load_run(run.path)) == (
        f"LoadedRun({str(run.path)!r}: history; all 2 epochs done)"
    )
